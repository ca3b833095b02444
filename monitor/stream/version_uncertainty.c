/* version_uncertainty.c -- see version_uncertainty.h. */
#include "monitor/stream/version_uncertainty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "detectors/kit/rank_correlation.h"
#include "detectors/uncertainty/jackknife.h"
#include "monitor/stream/model.h"

#define BIT(figure) (1u << UNCERTAINTY_##figure)
#define VARIANCES (BIT(VAR_TOTAL) | BIT(VAR_ALEATORIC) | BIT(VAR_EPISTEMIC))

const char *
version_uncertainty_kind(enum uncertainty_figure f)
{
	static const char *const kind[UNCERTAINTY_FIGURES] = {
		[UNCERTAINTY_TOTAL] = "total",
		[UNCERTAINTY_EXPECTED] = "aleatoric",
		[UNCERTAINTY_MI] = "epistemic",
		[UNCERTAINTY_MI_CORRECTED] = "epistemic",
		[UNCERTAINTY_EPKL_CORRECTED] = "epistemic",
		[UNCERTAINTY_VAR_TOTAL] = "total",
		[UNCERTAINTY_VAR_ALEATORIC] = "aleatoric",
		[UNCERTAINTY_VAR_EPISTEMIC] = "epistemic",
		[UNCERTAINTY_DISAGREEMENT] = "epistemic",
		[UNCERTAINTY_VACUITY] = "epistemic",
	};

	return kind[f];
}

/* Members of a classifier: the corrected ones, for these do not depend on how many they are. A Dirichlet's
 * epkl is its vacuity times (K-1)/K. */
uint32_t
version_uncertainty_streams(enum uncertainty_form form)
{
	static const uint32_t streams[FORMS] = {
		[FORM_CLASS_MEMBERS] = BIT(TOTAL) | BIT(EXPECTED) | BIT(MI_CORRECTED) | BIT(EPKL_CORRECTED) |
		                       BIT(DISAGREEMENT),
		[FORM_NORMAL_MEMBERS] = VARIANCES,
		[FORM_MEAN_MEMBERS] = BIT(VAR_EPISTEMIC),
		[FORM_DIRICHLET] = BIT(TOTAL) | BIT(EXPECTED) | BIT(MI) | BIT(VACUITY),
		[FORM_NIG] = VARIANCES,
		[FORM_NESTED] = VARIANCES,
		[FORM_SAMPLES] = BIT(VAR_TOTAL),
		[FORM_QUANTILES] = BIT(VAR_TOTAL),
		[FORM_VARIANCE] = BIT(VAR_TOTAL),
	};

	return streams[form];
}

static void
count_fault(struct model *m, enum form_fault fault)
{
	m->counter[COUNT_UNCERTAINTY_RAGGED] += fault == FORM_RAGGED;
	m->counter[COUNT_UNCERTAINTY_EMPTY] += fault == FORM_EMPTY;
	m->counter[COUNT_UNCERTAINTY_RANGE] += fault == FORM_RANGE;
	m->counter[COUNT_PROB_SUM] += fault == FORM_PROB_SUM;
}

/* Is the record's form that of the version? The first one decides. */
static bool
belongs(const struct model *m, struct version *v, const struct record *r)
{
	if (v->form == FORM_NONE && !m->common->refitting) {
		v->form = r->form;
		v->members = r->members;
		v->columns = r->columns;
	}
	return v->form == r->form && v->members == r->members && v->columns == r->columns;
}

const struct uncertainty *
version_uncertainty_take(struct model *m, struct version *v, const struct record *r)
{
	const struct uncertainty *u = &r->uncertainty;

	if (r->form == FORM_NONE)
		return NULL;
	if (r->form_fault != FORM_FINE) {
		count_fault(m, (enum form_fault)r->form_fault);
		return NULL;
	}
	if (!belongs(m, v, r)) {
		m->counter[COUNT_UNCERTAINTY_CHANGED]++;
		return NULL;
	}
	if (r->draws && (!v->draws || r->draws < v->draws)) {
		v->draws = r->draws;
		v->form_put = false;
	}
	m->counter[COUNT_UNCERTAINTY_ONE] += u->notes >> UNCERTAINTY_ONE & 1;
	m->counter[COUNT_UNCERTAINTY_CLIPPED] += u->notes >> UNCERTAINTY_CLIPPED & 1;
	m->counter[COUNT_UNCERTAINTY_INFINITE] += u->notes >> UNCERTAINTY_INFINITE & 1;
	for (uint32_t f = 0; f < UNCERTAINTY_FIGURES; f++)
		if (version_uncertainty_streams((enum uncertainty_form)r->form) >> f & 1 && !v->uncertainty[f] &&
		    !isnan(u->value[f]))
			v->uncertainty[f] = model_stream(m, v->rows, STREAM_UNCERTAINTY, STREAM_NUMERIC,
			                                 uncertainty_names[f], strlen(uncertainty_names[f]), v);
	return u;
}

void
version_uncertainty_put(struct version *v, uint32_t at, const struct uncertainty *u)
{
	if (v->form == FORM_NONE)
		return;
	for (uint32_t f = 0; f < UNCERTAINTY_FIGURES; f++)
		if (v->uncertainty[f])
			v->uncertainty[f]->value[at] = u ? u->value[f] : (double)NAN;
}

static int
by_order(const void *a, const void *b)
{
	uint64_t x = (*(const struct learned *const *)a)->order, y = (*(const struct learned *const *)b)->order;

	return (x > y) - (x < y);
}

/* The learned values in the order of their records' hashes. NULL: no memory. */
static const struct learned **
sorted_by_record(const struct stream *s)
{
	const struct learned **out = calloc(s->references, sizeof *out);

	for (uint32_t i = 0; out && i < s->references; i++)
		out[i] = &s->reference[i];
	if (out)
		qsort(out, s->references, sizeof *out, by_order);
	return out;
}

/* Pairs of values of the same records. */
static uint32_t
pair_up(const struct stream *a, const struct stream *b, double *x, double *y)
{
	const struct learned **of_a = sorted_by_record(a), **of_b = sorted_by_record(b);
	uint32_t n = 0;

	for (uint32_t i = 0, k = 0; of_a && of_b && i < a->references && k < b->references;) {
		if (of_a[i]->order == of_b[k]->order) {
			x[n] = of_a[i++]->value;
			y[n++] = of_b[k++]->value;
		} else if (of_a[i]->order < of_b[k]->order) {
			i++;
		} else {
			k++;
		}
	}
	free(of_a);
	free(of_b);
	return n;
}

static bool
complete(const struct stream *s)
{
	return s && !s->learning && s->references >= LIMIT_REFERENCE_MIN;
}

static double
correlation(const struct stream *epistemic, const struct stream *aleatoric, uint32_t *n)
{
	uint32_t room = epistemic->references;
	double *x = calloc(2 * (size_t)room, sizeof *x), rho = (double)NAN;

	*n = x ? pair_up(epistemic, aleatoric, x, x + room) : 0;
	if (*n >= LIMIT_REFERENCE_MIN)
		rho = rank_correlation(x, x + room, *n);
	free(x);
	return rho;
}

static int
put_pair(const struct stream *epistemic, const struct stream *aleatoric, struct store *store)
{
	uint32_t n;
	double rho = correlation(epistemic, aleatoric, &n);

	return store_put_separability(store, epistemic->id, aleatoric->id, rho, n);
}

int
version_uncertainty_put_form(struct model *m, struct version *v, struct store *store)
{
	static const char *const name[FORMS] = {
		[FORM_CLASS_MEMBERS] = "class members", [FORM_NORMAL_MEMBERS] = "normal members",
		[FORM_MEAN_MEMBERS] = "mean members",   [FORM_DIRICHLET] = "dirichlet",
		[FORM_NIG] = "nig",                     [FORM_NESTED] = "nested samples",
		[FORM_SAMPLES] = "samples",             [FORM_QUANTILES] = "quantiles",
		[FORM_VARIANCE] = "variance",
	};

	if (v->segment || v->form == FORM_NONE || v->form_put)
		return 0;
	return store_put_form(store, &(struct form_row){
		.model_id = m->id, .version = v->text, .version_length = v->length, .form = name[v->form],
		.members = v->draws, .monte_carlo_error = uncertainty_relative_error(v->draws) });
}

void
version_uncertainty_saved(struct version *v, bool landed)
{
	v->form_put |= landed && v->form != FORM_NONE;
}

static const enum uncertainty_figure pairs[][2] = {
	{ UNCERTAINTY_MI_CORRECTED, UNCERTAINTY_EXPECTED },
	{ UNCERTAINTY_EPKL_CORRECTED, UNCERTAINTY_EXPECTED },
	{ UNCERTAINTY_DISAGREEMENT, UNCERTAINTY_EXPECTED },
	{ UNCERTAINTY_MI, UNCERTAINTY_EXPECTED },
	{ UNCERTAINTY_VACUITY, UNCERTAINTY_EXPECTED },
	{ UNCERTAINTY_VAR_EPISTEMIC, UNCERTAINTY_VAR_ALEATORIC },
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

double
version_uncertainty_separability(const struct version *v)
{
	for (size_t i = 0; i < PAIRS; i++) {
		const struct stream *a = v->uncertainty[pairs[i][0]], *b = v->uncertainty[pairs[i][1]];
		uint32_t n;

		if (complete(a) && complete(b) && a->standing_n > 0 && b->standing_n > 0)
			return correlation(a, b, &n);
	}
	return (double)NAN;
}

int
version_uncertainty_put_separability(struct version *v, struct store *store)
{
	int err = 0;

	for (size_t i = 0; i < PAIRS && !err; i++) {
		const struct stream *a = v->uncertainty[pairs[i][0]], *b = v->uncertainty[pairs[i][1]];
		uint32_t learned = complete(a) && complete(b) ? 1 + a->generation + b->generation : 0;

		if (learned == v->paired[i])
			continue;
		if (learned)
			err = put_pair(a, b, store);
		v->paired[i] = learned;
	}
	return err;
}
