/* score.c -- the table of scores, and the scorer that runs several over the same rows. */
#include "detectors/ood/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/method.h"
#include "detectors/kit/carve.h"

extern const struct score ecod_score, energy_score, entropy_score, ew_maha_score, gen_score, hst_score,
	knn_score, maha_score, margin_score, maxlogit_score, mds_score, mds_pp_score, msp_score, rmds_pp_score,
	vim_score;

const struct score *const score_table[] = {
	&ecod_score,
	&energy_score,
	&entropy_score,
	&ew_maha_score,
	&gen_score,
	&hst_score,
	&knn_score,
	&maha_score,
	&margin_score,
	&maxlogit_score,
	&mds_score,
	&mds_pp_score,
	&msp_score,
	&rmds_pp_score,
	&vim_score,
	NULL,
};

const struct score *
score_find(const char *name)
{
	for (size_t i = 0; score_table[i] != NULL; i++)
		if (strcmp(score_table[i]->name, name) == 0)
			return score_table[i];
	return NULL;
}

bool
method_is_panel_score(const char *name)
{
	const struct score *s = score_find(name);

	return s != NULL && !(s->flags & SCORE_ADAPTIVE);
}

bool
score_has_input(const struct score *s, const struct score_rows *rows)
{
	if ((s->flags & SCORE_LOGITS) && rows->logits == NULL)
		return false;
	if ((s->flags & SCORE_SHARES) && rows->logits == NULL && rows->probs == NULL)
		return false;
	if ((s->flags & SCORE_EMBEDDING) && rows->embedding == NULL)
		return false;
	if ((s->flags & SCORE_FEATURES) && rows->feature == NULL)
		return false;
	return !(s->flags & SCORE_VECTOR) || rows->embedding != NULL || rows->feature != NULL;
}

const char *
score_input_name(const struct score *s)
{
	if ((s->flags & SCORE_LOGITS) && (s->flags & SCORE_EMBEDDING))
		return "logits and embedding";
	if (s->flags & SCORE_LOGITS)
		return "logits";
	if (s->flags & SCORE_SHARES)
		return "logits or probs";
	if (s->flags & SCORE_EMBEDDING)
		return "embedding";
	return s->flags & SCORE_FEATURES ? "features" : "embedding or features";
}

uint32_t
score_width(const struct score *s, const struct score_rows *rows)
{
	if (s->flags & SCORE_EMBEDDING)
		return rows->dimension;
	if (s->flags & (SCORE_LOGITS | SCORE_SHARES))
		return rows->classes;
	return (s->flags & SCORE_VECTOR) && rows->embedding != NULL ? rows->dimension : rows->features;
}

struct score_rows
score_slice(const struct score_rows *rows, uint32_t from, uint32_t n)
{
	struct score_rows part = *rows;

	part.n = n;
	part.softmax = NULL;
	if (rows->logits != NULL)
		part.logits += (size_t)from * rows->classes;
	if (rows->probs != NULL)
		part.probs += (size_t)from * rows->classes;
	if (rows->embedding != NULL)
		part.embedding += (size_t)from * rows->dimension;
	if (rows->feature != NULL)
		part.feature += (size_t)from * rows->features;
	if (rows->label != NULL)
		part.label += from;
	return part;
}

double *
score_array(size_t count, size_t times)
{
	size_t n = count * times, bytes;

	if ((times != 0 && count > SIZE_MAX / times) || n > SIZE_MAX / sizeof(double) - CARVE_ALIGN)
		return NULL;
	bytes = (n * sizeof(double) + CARVE_ALIGN - 1) / CARVE_ALIGN * CARVE_ALIGN;
	return carve_memory(bytes > 0 ? bytes : CARVE_ALIGN);
}

int
score_no_memory(struct diag *d)
{
	return diag_set(d, ERR_IO, "no memory for the reference of a score");
}

int
scorer_init(struct scorer *s, const struct score *const *score, uint32_t n, const struct score_options *o,
            const struct score_rows *fit, const struct score_rows *shape, struct diag *d)
{
	size_t tiles = (size_t)tile_count(SCORER_ROWS) * sizeof *s->softmax;
	int err = 0;

	*s = (struct scorer){ .kernel = tile_kernel(o->isa), .tile_columns = shape->classes };
	s->tile = score_array(shape->classes, TILE_ROWS);
	s->softmax = carve_memory((tiles + CARVE_ALIGN - 1) / CARVE_ALIGN * CARVE_ALIGN);
	if (s->tile == NULL || s->softmax == NULL)
		err = score_no_memory(d);
	for (uint32_t i = 0; i < n && err == 0; i++) {
		if (!score_has_input(score[i], shape))
			err = diag_set(d, ERR_INVALID, "%s needs %s", score[i]->name,
			               score_input_name(score[i]));
		else if ((score[i]->flags & SCORE_FITTED) && (fit == NULL || fit->n == 0))
			err = diag_set(d, ERR_INVALID, "%s needs reference rows", score[i]->name);
		else
			err = score[i]->create(&s->state[i], o, fit, score_width(score[i], shape), d);
		if (err == 0) {
			s->score[i] = score[i];
			s->n++;
		} else {
			diag_context(d, err, "while fitting %s", score[i]->name);
		}
	}
	if (err != 0)
		scorer_finish(s);
	return err;
}

void
scorer_finish(struct scorer *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->score[i]->destroy(s->state[i]);
	free(s->softmax);
	free(s->tile);
	*s = (struct scorer){ .n = 0 };
}

static void
softmax(struct scorer *s, const struct score_rows *rows)
{
	const double *value = rows->logits != NULL ? rows->logits : rows->probs;

	for (uint32_t from = 0; from < rows->n; from += TILE_ROWS) {
		uint32_t n = rows->n - from < TILE_ROWS ? rows->n - from : TILE_ROWS;
		struct tile_softmax *out = &s->softmax[from / TILE_ROWS];

		s->kernel->load(value + (size_t)from * rows->classes, rows->classes, n, rows->classes,
		                s->tile);
		if (rows->logits != NULL)
			s->kernel->softmax(s->tile, rows->classes, out);
		else
			s->kernel->shares(s->tile, rows->classes, out);
	}
}

void
scorer_run(struct scorer *s, const struct score_rows *rows, double *const *out)
{
	bool wanted = false;

	for (uint32_t i = 0; i < s->n; i++)
		wanted = wanted || (s->score[i]->flags & (SCORE_LOGITS | SCORE_SHARES));
	for (uint32_t from = 0; from < rows->n; from += SCORER_ROWS) {
		uint32_t n = rows->n - from < SCORER_ROWS ? rows->n - from : SCORER_ROWS;
		struct score_rows part = score_slice(rows, from, n);

		if (wanted)
			softmax(s, &part);
		part.softmax = s->softmax;
		for (uint32_t i = 0; i < s->n; i++) {
			double *at = out[i] + from;

			s->score[i]->run(s->state[i], &part, at);
			for (uint32_t r = 0; r < n; r++)
				if (!(fabs(at[r]) < SCORE_FARTHEST))
					at[r] = at[r] < 0.0 ? -SCORE_FARTHEST : SCORE_FARTHEST;
		}
	}
}
