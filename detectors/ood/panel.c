/* panel.c -- conformal p-values and the minimum over a panel (panel.h). */
#include "detectors/ood/panel.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
calibration_init(struct calibration *c, double *score, uint32_t n)
{
	if (n > 1)
		qsort(score, n, sizeof *score, ascending);
	*c = (struct calibration){ score, n };
}

void
calibration_finish(struct calibration *c)
{
	free(c->score);
	*c = (struct calibration){ NULL, 0 };
}

/* Halving without a branch: the answer is in [at, at + n]. */
double
calibration_p(const struct calibration *c, double score)
{
	const double *at = c->score;
	uint32_t n = c->n;

	while (n > 1) {
		uint32_t half = n / 2;

		at += at[half - 1] < score ? half : 0;
		n -= half;
	}
	if (n == 1 && *at < score)
		at++;
	return (1.0 + (double)(c->n - (uint32_t)(at - c->score))) / ((double)c->n + 1.0);
}

void
panel_finish(struct panel *p)
{
	for (uint32_t i = 0; i < SCORER_MAX; i++) {
		calibration_finish(&p->member[i]);
		free(p->score[i]);
		p->score[i] = NULL;
	}
	calibration_finish(&p->least);
	scorer_finish(&p->scorer);
}

/* The least p of the members, and where. */
static double
least(const struct panel *p, double *const *score, uint32_t row, struct verdict *v)
{
	double q = 2.0;

	for (uint32_t i = 0; i < p->scorer.n; i++) {
		v->member[i] = calibration_p(&p->member[i], score[i][row]);
		if (v->member[i] < q) {
			q = v->member[i];
			v->reason = i;
		}
	}
	return q;
}

static int
calibrate(struct panel *p, const struct score_rows *rows, struct diag *d)
{
	double *all[SCORER_MAX] = { NULL }, *q = NULL;
	uint32_t half = (rows->n + 1) / 2, other = rows->n / 2;
	struct verdict v;
	bool fine = true;

	for (uint32_t i = 0; i < p->scorer.n; i++) {
		all[i] = score_array(rows->n, 1);
		p->member[i].score = score_array(half, 1);
		p->score[i] = score_array(SCORER_ROWS, 1);
		fine = fine && all[i] != NULL && p->member[i].score != NULL && p->score[i] != NULL;
	}
	q = score_array(other, 1);
	if (fine && q != NULL) {
		scorer_run(&p->scorer, rows, all);
		for (uint32_t i = 0; i < p->scorer.n; i++) {
			for (uint32_t r = 0; r < half; r++)
				p->member[i].score[r] = all[i][2 * r];
			calibration_init(&p->member[i], p->member[i].score, half);
		}
		for (uint32_t r = 0; r < other; r++)
			q[r] = -least(p, all, 2 * r + 1, &v);
		calibration_init(&p->least, q, other);
	} else {
		free(q);
		fine = false;
	}
	for (uint32_t i = 0; i < p->scorer.n; i++)
		free(all[i]);
	return fine ? 0 : score_no_memory(d);
}

int
panel_init(struct panel *p, const struct score *const *score, uint32_t n, const struct score_options *o,
           const struct score_rows *fit, const struct score_rows *calibration, struct diag *d)
{
	int err;

	*p = (struct panel){ .least = { NULL, 0 } };
	err = scorer_init(&p->scorer, score, n, o, fit, fit, d);
	if (err == 0)
		err = calibrate(p, calibration, d);
	if (err != 0)
		panel_finish(p);
	return err;
}

void
panel_run(struct panel *p, const struct score_rows *rows, struct verdict *out)
{
	for (uint32_t from = 0; from < rows->n; from += SCORER_ROWS) {
		uint32_t n = rows->n - from < SCORER_ROWS ? rows->n - from : SCORER_ROWS;
		struct score_rows part = score_slice(rows, from, n);

		scorer_run(&p->scorer, &part, p->score);
		for (uint32_t r = 0; r < n; r++) {
			struct verdict *v = &out[from + r];

			v->score = -least(p, p->score, r, v);
			v->p = calibration_p(&p->least, v->score);
		}
	}
}

uint32_t
panel_default(const struct score_rows *rows, const struct score **out)
{
	static const char *const both[] = { "energy", "mds", "mds_pp", "knn", NULL };
	static const char *const table[] = { "energy", "maha", "knn", NULL };
	static const char *const logits[] = { "gen", "energy", NULL };
	static const char *const probs[] = { "entropy", "msp", NULL };
	const char *const *name = probs;
	uint32_t n = 0;

	if (rows->embedding != NULL)
		name = rows->logits != NULL ? both : both + 1;
	else if (rows->feature != NULL)
		name = rows->logits != NULL ? table : table + 1;
	else if (rows->logits != NULL)
		name = logits;
	else if (rows->probs == NULL)
		return 0;
	for (; *name != NULL; name++)
		out[n++] = score_find(*name);
	return n;
}
