/* ood_window.c -- see ood_window.h. */
#include "monitor/ood/ood_window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/codec.h"
#include "detectors/metric/metric_rank.h"
#include "detectors/shift/cs_bernoulli.h"
#include "monitor/alert/outbound.h"
#include "monitor/ood/ood_inside.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

enum { HOUR_MS = 3600000, DAY_MS = 86400000 };
static const double discovery_alpha = 0.1, sequence_alpha = 0.05;

/* A row of a window, hour or day; and a record of a window. */
struct ood_closed {
	int64_t window_ms, width_ms;
	const char *segment;       /* of the model's segments; "" all */
	struct ood_tally tally;
};
struct ood_kept {
	int64_t window_ms;
	uint32_t rank;
	struct ood_extreme extreme;
};

void
ood_windows_finish(struct ood_windows *w)
{
	for (int l = 0; l < OOD_LEVELS; l++)
		free(w->span[l].of);
	free(w->extreme);
	free(w->p);
	free(w->closed);
	free(w->kept);
}

/* -- verdicts ----------------------------------------------------------------------------------------- */

static struct ood_tally *
tally(struct ood_span *span, size_t i)
{
	if (i >= span->n) {
		size_t had = span->n, capacity = span->n;

		span->of = must_grow(span->of, &capacity, i + 1, sizeof *span->of);
		memset(span->of + had, 0, (capacity - had) * sizeof *span->of);
		span->n = capacity;
	}
	return &span->of[i];
}

static void
add(struct ood_tally *to, const struct ood_tally *t)
{
	to->n += t->n;
	to->flagged += t->flagged;
	to->unsupported += t->unsupported;
	to->tested += t->tested;
	to->discoveries += t->discoveries;
}

static void
count_segments(struct ood *o, uint16_t combination, const struct ood_tally *one)
{
	const struct segments *all = o->model->segments;
	struct segment *in[SEGMENT_KEYS_MAX];
	uint32_t n = all && combination ? segments_in(o->model, combination, in) : 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < all->n; k++)
			if (all->segment[k] == in[i])
				add(tally(&o->windows.span[OOD_WINDOW], k + 1), one);
}

static bool
more_unlike(const struct ood_extreme *a, double p, double score, uint64_t sequence)
{
	if (a->p != p)
		return a->p > p;
	return a->score != score ? a->score < score : a->sequence > sequence;
}

static void
keep_extreme(struct ood *o, const struct ood_waiting *w, const struct verdict *v, double p,
             const double *features)
{
	struct ood_windows *s = &o->windows;
	uint32_t most = o->model->config->ood.extremes, at = s->extremes;
	struct ood_extreme *e;

	if (most == 0 || (at == most && !more_unlike(&s->extreme[at - 1], p, v->score, w->sequence)))
		return;
	if (!s->extreme)
		s->extreme = must_calloc(LIMIT_OOD_EXTREMES + 1, sizeof *s->extreme);
	while (at > 0 && more_unlike(&s->extreme[at - 1], p, v->score, w->sequence))
		at--;
	memmove(s->extreme + at + 1, s->extreme + at, (s->extremes - at) * sizeof *s->extreme);
	s->extremes += s->extremes < most;
	e = &s->extreme[at];
	*e = (struct ood_extreme){ .score = v->score, .p = p, .sequence = w->sequence, .ts = w->ts,
		                   .reason = v->reason, .feature = UINT32_MAX, .id_length = w->id_length };
	memcpy(e->member, v->member, sizeof e->member);
	memcpy(e->id, w->id, w->id_length);
	if (features && o->explainer.n)
		e->feature = score_ecod_reason(o->explainer.state[0], features);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
discover(struct ood *o, double p)
{
	struct ood_windows *s = &o->windows;
	struct ood_tally *t = tally(&s->span[OOD_WINDOW], 0);

	if (!s->p)
		s->p = must_calloc(LIMIT_OOD_DISCOVERY, sizeof *s->p);
	s->p[s->ps++] = p;
	if (s->ps < LIMIT_OOD_DISCOVERY)
		return;
	qsort(s->p, s->ps, sizeof *s->p, ascending);
	t->tested += s->ps;
	t->discoveries += metric_bh_rejections(s->p, s->ps, discovery_alpha);
	s->ps = 0;
}

const struct ood_ranks *
ood_ranks_of(const struct ood *o, uint64_t group)
{
	for (uint32_t i = 1; i < o->rankings; i++)
		if (o->ranks[i].group == group)
			return &o->ranks[i];
	return &o->ranks[0];
}

void
ood_count(struct ood *o, const struct ood_waiting *w, const struct verdict *v, const double *features)
{
	const struct ood_ranks *r = ood_ranks_of(o, w->group);
	double p = calibration_p(&r->least, v->score);
	struct ood_tally one = {
		.n = 1,
		.flagged = r->threshold.possible && v->score > r->threshold.score,
		.unsupported = o->knn < SCORER_MAX && v->member[o->knn] <= o->model->config->ood.alpha,
	};

	add(tally(&o->windows.span[OOD_WINDOW], 0), &one);
	count_segments(o, w->combination, &one);
	discover(o, p);
	keep_extreme(o, w, v, p, features);
	o->dirty = true;
}

/* -- the end of a window ------------------------------------------------------------------------------ */

static void
close_tally(struct ood *o, int64_t window_ms, int64_t width_ms, size_t segment, const struct ood_tally *t)
{
	struct ood_windows *s = &o->windows;

	if (t->n == 0)
		return;
	o->dirty = o->model->dirty = true;
	s->closed = must_grow(s->closed, &s->closed_capacity, s->closes + 1, sizeof *s->closed);
	s->closed[s->closes++] = (struct ood_closed){
		window_ms, width_ms, segment ? o->model->segments->segment[segment - 1]->text : "", *t
	};
}

/* The hour or day that the window lies in, with it. */
static void
close_level(struct ood *o, enum ood_level level, int64_t window_ms, bool keep)
{
	int64_t width = level == OOD_HOUR ? HOUR_MS : DAY_MS, begin = floor_to(window_ms, width);
	struct ood_span *span = &o->windows.span[level], *window = &o->windows.span[OOD_WINDOW];

	if (span->begin_ms != begin) {
		if (span->n)
			memset(span->of, 0, span->n * sizeof *span->of);
		span->begin_ms = begin;
	}
	for (size_t i = 0; i < window->n; i++) {
		struct ood_tally with = *tally(span, i);

		add(&with, &window->of[i]);
		if (window->of[i].n)
			close_tally(o, begin, width, i, &with);
		if (!keep)
			span->of[i] = with;
	}
}

void
ood_window(struct ood *o, int64_t window_ms, int64_t width_ms, bool keep)
{
	struct ood_windows *s = &o->windows;
	struct ood_span *window = &s->span[OOD_WINDOW];

	ood_flush(o);
	for (size_t i = 0; i < window->n; i++)
		close_tally(o, window_ms, width_ms, i, &window->of[i]);
	close_level(o, OOD_HOUR, window_ms, keep);
	close_level(o, OOD_DAY, window_ms, keep);
	for (uint32_t i = 0; i < s->extremes; i++) {
		s->kept = must_grow(s->kept, &s->kept_capacity, s->keeps + 1, sizeof *s->kept);
		s->kept[s->keeps++] = (struct ood_kept){ window_ms, i + 1, s->extreme[i] };
	}
	if (keep)
		return;
	if (window->n)
		memset(window->of, 0, window->n * sizeof *window->of);
	s->extremes = 0;
	o->dirty = true;
}

/* -- the database ------------------------------------------------------------------------------------- */

static int
put_closed(const struct ood *o, const struct ood_closed *c, struct store *store)
{
	struct ood_window_row row = {
		.window_ms = c->window_ms, .width_ms = c->width_ms, .stream_id = o->panel_stream->id,
		.segment = c->segment, .n = c->tally.n, .flagged = c->tally.flagged,
		.unsupported = c->tally.unsupported, .tested = c->tally.tested,
		.discoveries = c->tally.discoveries,
	};

	cs_bernoulli_limits((double)row.flagged, (double)row.n, sequence_alpha, &row.rate_low, &row.rate_high);
	return store_put_ood_window(store, &row);
}

static int
put_kept(const struct ood *o, const struct ood_kept *k, struct store *store)
{
	const struct ood_extreme *e = &k->extreme;
	char members[SCORER_MAX * 48] = "{";
	struct ood_extreme_row row = {
		.window_ms = k->window_ms, .ts_ms = e->ts, .stream_id = o->panel_stream->id, .rank = k->rank,
		.id = e->id, .id_length = e->id_length, .score = e->score, .p = e->p, .members = members,
		.reason = e->reason < o->scores ? o->score[e->reason]->name : "",
	};

	for (uint32_t i = 0; i < o->scores; i++) {
		size_t at = strlen(members);

		snprintf(members + at, sizeof members - at, "\"%s\":%.6g%s", o->score[i]->name, e->member[i],
		         i + 1 < o->scores ? "," : "}");
	}
	if (e->feature < o->width[OOD_FEATURES])
		row.feature = o->feature[e->feature]->field;
	return store_put_ood_extreme(store, &row);
}

int
ood_windows_put(struct ood *o, struct store *store)
{
	const struct ood_windows *s = &o->windows;
	int err = 0;

	for (size_t i = 0; i < s->closes && !err; i++)
		err = put_closed(o, &s->closed[i], store);
	for (size_t i = 0; i < s->keeps && !err; i++)
		err = put_kept(o, &s->kept[i], store);
	return err;
}

void
ood_windows_save(const struct ood *o, struct codec *c)
{
	const struct ood_windows *s = &o->windows;

	for (int l = 0; l < OOD_LEVELS; l++) {
		size_t n = s->span[l].n;

		while (n > 0 && s->span[l].of[n - 1].n == 0)
			n--; /* room that is not used is no state */
		codec_put_i64(c, s->span[l].begin_ms);
		codec_put_u32(c, (uint32_t)n);
		for (size_t i = 0; i < n; i++) {
			const struct ood_tally *t = &s->span[l].of[i];

			codec_put_u64(c, t->n);
			codec_put_u64(c, t->flagged);
			codec_put_u64(c, t->unsupported);
			codec_put_u64(c, t->tested);
			codec_put_u64(c, t->discoveries);
		}
	}
	codec_put_u32(c, s->ps);
	codec_put_f64s(c, s->p, s->ps);
	codec_put_u32(c, s->extremes);
	for (uint32_t i = 0; i < s->extremes; i++) {
		const struct ood_extreme *e = &s->extreme[i];

		codec_put_f64(c, e->score);
		codec_put_f64(c, e->p);
		codec_put_u64(c, e->sequence);
		codec_put_i64(c, e->ts);
		codec_put_u32(c, e->reason);
		codec_put_u32(c, e->feature);
		codec_put_f64s(c, e->member, SCORER_MAX);
		codec_put_u32(c, e->id_length);
		codec_put_bytes(c, e->id, e->id_length);
	}
}

static bool
load_extreme(struct ood_extreme *e, struct codec *c)
{
	e->score = codec_get_f64(c);
	e->p = codec_get_f64(c);
	e->sequence = codec_get_u64(c);
	e->ts = codec_get_i64(c);
	e->reason = codec_get_u32(c);
	e->feature = codec_get_u32(c);
	codec_get_f64s(c, e->member, SCORER_MAX);
	e->id_length = codec_get_u32(c);
	if (e->id_length > sizeof e->id)
		return false;
	codec_get_bytes(c, e->id, e->id_length);
	return !c->bad;
}

int
ood_windows_load(struct ood *o, struct codec *c)
{
	struct ood_windows *s = &o->windows;
	size_t segments = o->model->segments ? o->model->segments->n : 0;

	for (int l = 0; l < OOD_LEVELS; l++) {
		uint32_t n;

		s->span[l].begin_ms = codec_get_i64(c);
		n = codec_get_u32(c);
		if (c->bad || n > segments + 1)
			return -1;
		for (uint32_t i = 0; i < n; i++) {
			struct ood_tally *t = tally(&s->span[l], i);

			t->n = codec_get_u64(c);
			t->flagged = codec_get_u64(c);
			t->unsupported = codec_get_u64(c);
			t->tested = codec_get_u64(c);
			t->discoveries = codec_get_u64(c);
		}
	}
	s->ps = codec_get_u32(c);
	if (c->bad || s->ps >= LIMIT_OOD_DISCOVERY)
		return -1;
	s->p = must_calloc(LIMIT_OOD_DISCOVERY, sizeof *s->p);
	codec_get_f64s(c, s->p, s->ps);
	s->extremes = codec_get_u32(c);
	if (c->bad || s->extremes > LIMIT_OOD_EXTREMES)
		return -1;
	s->extreme = must_calloc(LIMIT_OOD_EXTREMES + 1, sizeof *s->extreme);
	for (uint32_t i = 0; i < s->extremes; i++)
		if (!load_extreme(&s->extreme[i], c))
			return -1;
	return c->bad ? -1 : 0;
}

static bool
is_it(const struct ood_extreme *e, const char *id, size_t length)
{
	return e->id_length && e->id_length == length && !memcmp(e->id, id, length);
}

uint32_t
ood_forget(struct ood *o, const char *id, size_t length)
{
	struct ood_windows *w = &o->windows;
	uint32_t gone = 0, left = 0;
	size_t keeps = 0;

	for (uint32_t i = 0; i < w->extremes; i++)
		if (is_it(&w->extreme[i], id, length))
			gone++;
		else
			w->extreme[left++] = w->extreme[i];
	w->extremes = left;
	for (size_t i = 0; i < w->keeps; i++)
		if (is_it(&w->kept[i].extreme, id, length))
			gone++;
		else
			w->kept[keeps++] = w->kept[i];
	w->keeps = keeps;
	o->dirty |= gone > 0;
	return gone;
}
