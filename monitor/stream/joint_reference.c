/* joint_reference.c -- the vector reference of the joint, how days differ along its directions, effects and
 * explanations. See joint.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "config/option.h"
#include "detectors/kit/dependence.h"
#include "detectors/kit/rank_change.h"
#include "detectors/kit/wander.h"
#include "detectors/metric/metric_rank.h"
#include "detectors/shift/projections.h"
#include "monitor/alert/alert.h"
#include "monitor/stream/joint.h"
#include "monitor/stream/model.h"
#include "monitor/stream/stream_reference.h"

/* Enough for 256 bins; every row of the reference costs each direction a sort. */
enum { REFERENCE_ROWS = 2000, EXPLAINED = 10 };
#define FALSE_SHARE 0.1 /* of the features that are called evident, at most, over a period of the budget */

struct place {
	uint64_t order;
	uint32_t at;
};

static int
by_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int
by_arrival(const void *a, const void *b)
{
	uint32_t x = ((const struct place *)a)->at, y = ((const struct place *)b)->at;

	return (x > y) - (x < y);
}

static struct place *
sorted(const struct stream *s)
{
	struct place *p = must_calloc(s->references, sizeof *p);

	for (uint32_t i = 0; i < s->references; i++)
		p[i] = (struct place){ s->reference[i].order, i };
	qsort(p, s->references, sizeof *p, by_order);
	return p;
}

/* Records that are in every member's reference, by the hash that all of them were sampled by: in the order
 * of the first member's, the REFERENCE_ROWS with the smallest hash. at: [members] positions a row. */
static uint32_t
common_rows(const struct joint *j, uint32_t **at, struct place **row)
{
	struct place **p = must_calloc(j->members, sizeof *p);
	uint32_t *next = must_calloc(j->members, sizeof *next), n = 0;
	const struct stream *first = j->member[0];

	*at = must_calloc((size_t)REFERENCE_ROWS * j->members, sizeof **at);
	*row = must_calloc(REFERENCE_ROWS, sizeof **row);
	for (uint32_t k = 0; k < j->members; k++)
		p[k] = sorted(j->member[k]);
	for (uint32_t i = 0; i < first->references && n < REFERENCE_ROWS; i++) {
		uint64_t order = p[0][i].order;
		bool all = true;

		if (i && p[0][i - 1].order == order)
			continue; /* the same message twice */
		for (uint32_t k = 0; k < j->members && all; k++) {
			uint32_t *to = &next[k], end = j->member[k]->references;

			while (*to < end && p[k][*to].order < order)
				++*to;
			all = *to < end && p[k][*to].order == order;
			if (all)
				(*at)[(size_t)n * j->members + k] = p[k][*to].at;
		}
		if (all) {
			(*row)[n] = (struct place){ n, p[0][i].at };
			n++;
		}
	}
	qsort(*row, n, sizeof **row, by_arrival);
	for (uint32_t k = 0; k < j->members; k++)
		free(p[k]);
	free(p);
	free(next);
	return n;
}

bool
joint_reference(struct stream *s, struct made_reference *r)
{
	const struct joint *j = s->model->joint;
	uint32_t *at, n;
	struct place *row;
	struct learned *days;

	n = common_rows(j, &at, &row);
	days = must_calloc(n, sizeof *days);
	for (uint32_t i = 0; i < n; i++)
		days[i] = (struct learned){ 0, 0, j->member[0]->reference[row[i].at].hour };
	make_reference(r, s, days, n);
	free(r->value);
	r->value = must_calloc((size_t)n * j->members, sizeof *r->value);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < j->members; k++)
			r->value[(size_t)i * j->members + k] =
				j->member[k]->reference[at[row[i].order * j->members + k]].value;
	r->ref.value = r->value;
	r->ref.width = j->members;
	free(days);
	free(at);
	free(row);
	return n >= LIMIT_REFERENCE_MIN;
}

bool
joint_take_reference(struct stream *s)
{
	const struct joint *j = s->model->joint;
	struct made_reference r;
	bool enough = joint_reference(s, &r);

	free(s->reference);
	s->references = enough ? r.ref.n : 0;
	s->reference = must_calloc(s->references, sizeof *s->reference);
	for (uint32_t i = 0; i < s->references; i++)
		s->reference[i] = (struct learned){
			0, joint_distance(s, r.value + (size_t)i * j->members),
			r.ref.day ? 24 * (int32_t)r.ref.day[i] : 0 /* days are told apart, hours do not matter */
		};
	s->too_short = !r.ref.day;
	made_free(&r);
	return enough;
}

uint32_t
joint_step(struct stream *s, const struct made_reference *r)
{
	const struct joint *j = s->model->joint;
	uint32_t n = r->ref.n, step = j->thin;
	double *column = must_calloc(n, sizeof *column);

	s->dependent = j->dependent;
	if (s->model->config->thin != OPTION_AUTO)
		step = s->model->config->thin;
	for (uint32_t k = 0; k < j->members && s->model->config->thin == OPTION_AUTO; k++) {
		bool none;
		uint32_t own;

		for (uint32_t i = 0; i < n; i++)
			column[i] = r->value[(size_t)i * j->members + k];
		own = dependence_step(column, n, &none);
		step = own > step ? own : step;
		s->dependent |= none;
	}
	free(column);
	return s->dependent ? 1 : step;
}

/* Place: the score's rank; spread: how far it is from the middle. In sigma-equivalents, as effects are. */
void
joint_learn_wander(struct stream *s, const struct made_reference *r)
{
	struct joint *j = s->model->joint;
	void *instance = runner_instance(s->test[0].runner);
	uint32_t cells, n = r->ref.n, days = r->ref.day ? r->ref.days : 1;
	double *z, *sum, *count;

	free(j->wander);
	j->wander = NULL;
	if (!instance)
		return;
	cells = 2 * projections_scores(instance);
	j->wander = must_calloc(cells, sizeof *j->wander);
	z = must_calloc(n, sizeof *z);
	sum = must_calloc(days, sizeof *sum);
	count = must_calloc(days, sizeof *count);
	for (uint32_t cell = 0; cell < cells && r->ref.day; cell++) {
		for (uint32_t i = 0; i < n; i++)
			z[i] = projections_rank(instance, r->value + (size_t)i * j->members, cell);
		wander_center(z, n, NULL, 1, sum, count);
		j->wander[cell] = RANK_CHANGE_SIGMA * wander(z, n, r->ref.day, days, 1, sum, count);
	}
	free(z);
	free(sum);
	free(count);
}

double
joint_min_effect(const struct stream *s, uint32_t cell)
{
	const struct joint *j = s->model->joint;

	return s->model->config->min_effect + (j->wander && s == j->projections ? j->wander[cell] : 0);
}

/* -- effects ------------------------------------------------------------------------------------------ */

void
joint_gauge(const struct stream *s, struct gauge *g, uint32_t i)
{
	const struct joint *j = s->model->joint;

	g->n++;
	if (s == j->projections)
		g->rank += projections_rank(runner_instance(s->test[0].runner),
		                            s->vector + (size_t)i * s->width, s->episode.cell);
	else
		g->sum += s->value[i];
}

void
joint_effect(const struct stream *s, const struct gauge *g, struct effect *out)
{
	const struct joint *j = s->model->joint;
	double n = g->n ? (double)g->n : 1, half = 1.959963984540054 * RANK_CHANGE_SIGMA / sqrt(12 * n);

	*out = (struct effect){ (double)NAN, (double)NAN, (double)NAN, 0, (double)NAN, (double)NAN };
	if (s == j->projections) {
		out->size = (0.5 - g->rank / n) * RANK_CHANGE_SIGMA;
		out->low = out->size - half;
		out->high = out->size + half;
		/* compared with min_effect: in units of what matters along this direction */
		out->standard = fabs(out->size) * s->model->config->min_effect / joint_min_effect(s, s->episode.cell);
	} else { /* the mean: over when the evidence is below one half of what opens an alert */
		out->standard = g->sum / n * s->model->config->min_effect;
	}
}

/* -- explanation -------------------------------------------------------------------------------------- */

struct behind {
	const struct stream *stream;
	double statistic, e, weight;
};

static int
by_evidence(const void *a, const void *b)
{
	const struct behind *x = a, *y = b;

	if (x->e != y->e)
		return x->e < y->e ? 1 : -1;
	if (fabs(x->weight) != fabs(y->weight))
		return fabs(x->weight) < fabs(y->weight) ? 1 : -1;
	return (x->stream->number > y->stream->number) - (x->stream->number < y->stream->number);
}

/* Evidence of a feature's paging tests when the last window closed, and the same with a share of 1. */
static void
evidence(struct behind *b)
{
	for (uint32_t k = 0; k < b->stream->pagers; k++) {
		const struct test *t = &b->stream->test[k];

		if (!t->runner || !(t->share > 0))
			continue;
		b->statistic = fmax(b->statistic, t->window_statistic);
		b->e += t->window_statistic / t->share / b->stream->pagers;
	}
	if (b->stream->window_alerted) /* it has alerted itself */
		b->e = (double)INFINITY;
}

char *
joint_explanation(const struct stream *s)
{
	struct model *m = s->model;
	const struct joint *j = m->joint;
	void *instance = s == j->projections ? runner_instance(s->test[0].runner) : NULL;
	struct behind *b = must_calloc(m->features->streams, sizeof *b);
	struct change ch = { 0 };
	size_t size = 4096, at;
	char *text = must_calloc(size, 1);
	double *e;
	uint32_t n = 0, rejected;

	runner_change(s->test[0].runner, &ch);
	for (uint32_t i = 0; i < m->features->streams; i++) {
		if (m->features->stream[i]->kind != STREAM_FEATURE)
			continue;
		b[n] = (struct behind){ .stream = m->features->stream[i] };
		for (uint32_t k = 0; instance && k < j->members; k++)
			if (j->member[k] == b[n].stream)
				b[n].weight = projections_weight(instance, ch.cell, k);
		evidence(&b[n++]);
	}
	qsort(b, n, sizeof *b, by_evidence);
	e = must_calloc(n, sizeof *e);
	for (uint32_t i = 0; i < n; i++)
		e[i] = b[n - 1 - i].e;
	rejected = (uint32_t)metric_e_bh_rejections(e, n, FALSE_SHARE);
	at = (size_t)snprintf(text, size, "{\"what\":\"%s\",\"features\":[",
	                      !instance ? "many features" : ch.cell / 2 == m->config->joint_projections ?
	                      "distance from the centre" : ch.cell % 2 ? "spread along a direction" :
	                      "place along a direction");
	for (uint32_t i = 0; i < n && i < EXPLAINED && at + 400 < size; i++) {
		at += (size_t)snprintf(text + at, size - at, "%s{\"stream\":\"", i ? "," : "");
		at += alert_json_text(b[i].stream->name, (uint32_t)strlen(b[i].stream->name), text + at, size - at);
		at += (size_t)snprintf(text + at, size - at, "\",\"statistic\":%.4g,\"evident\":%s", b[i].statistic,
		                       i < rejected ? "true" : "false");
		if (instance)
			at += (size_t)snprintf(text + at, size - at, ",\"weight\":%.4g", b[i].weight);
		at += (size_t)snprintf(text + at, size - at, "}");
	}
	snprintf(text + at, size - at, "]}");
	free(b);
	free(e);
	return text;
}
