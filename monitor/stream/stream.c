/* stream.c -- rows of a stream: window, learning, tests, episode. See stream.h. */
#include "monitor/stream/stream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/limits.h"
#include "detectors/kit/reference.h"
#include "monitor/alert/alert.h"
#include "monitor/label/explain.h"
#include "monitor/stream/model.h"

const char *
stream_type_text(enum stream_type type)
{
	static const char *const text[] = { "numeric", "binary", "categorical" };

	return text[type];
}

const char *
stream_segment(const struct stream *s)
{
	return s->segment ? s->segment->text : "";
}

const char *
stream_unit(const struct stream *s)
{
	static const char *const text[] = { "sigma", "points", "tv" };

	return kind_table[s->kind].unit ? kind_table[s->kind].unit : text[s->type];
}

/* kind:field@version, where there is a field and a version. */
static char *
stream_name(enum stream_kind kind, const char *field, size_t field_length, const char *version,
            size_t version_length)
{
	const char *kind_text = kind_table[kind].name;
	size_t kind_length = strlen(kind_text), at = kind_length;
	char *name = must_calloc(kind_length + field_length + version_length + 3, 1);

	memcpy(name, kind_text, kind_length);
	if (field_length) {
		name[at++] = ':';
		memcpy(name + at, field, field_length);
		at += field_length;
	}
	if (version_length) {
		name[at++] = '@';
		memcpy(name + at, version, version_length);
	}
	return name;
}

/* XXH64 of `model 0x1F segment 0x1F stream-name`; the segment is '' for all. */
static uint64_t
stream_hash(const struct model *m, const struct segment *segment, const char *name)
{
	XXH64_state_t *state = XXH64_createState();
	uint64_t hash;

	if (!state)
		return XXH64(name, strlen(name), 0);
	XXH64_reset(state, 0);
	XXH64_update(state, m->name, m->name_length);
	XXH64_update(state, "\x1f", 1);
	if (segment)
		XXH64_update(state, segment->text, segment->length);
	XXH64_update(state, "\x1f", 1);
	XXH64_update(state, name, strlen(name));
	hash = XXH64_digest(state);
	XXH64_freeState(state);
	return hash;
}

struct stream *
stream_create(struct model *m, struct segment *segment, enum stream_kind kind, enum stream_type type,
              const char *field, size_t field_length, const char *version, size_t version_length,
              int64_t watermark_ms)
{
	struct stream *s = must_calloc(1, sizeof *s);

	s->model = m;
	s->kind = kind;
	s->type = type;
	s->field = must_strndup(field, field_length);
	s->field_length = field_length;
	s->version = must_strndup(version, version_length);
	s->version_length = version_length;
	s->name = stream_name(kind, field, field_length, version, version_length);
	s->rng_stream = stream_hash(m, segment, s->name);
	s->segment = segment;
	s->first_ms = s->learn_from_ms = watermark_ms;
	s->put_until_ms = INT64_MIN;
	s->number = m->streams;
	s->dirty = true;
	s->learning = true;
	s->baseline = s->known_p0 = (double)NAN;
	summary_clear(&s->summary);
	if (type == STREAM_CATEGORICAL) {
		s->code = must_calloc(ROWS_MAX, sizeof *s->code);
		s->categories = must_calloc(1, sizeof *s->categories);
	} else {
		s->value = must_calloc(ROWS_MAX, sizeof *s->value);
		if (type == STREAM_NUMERIC)
			s->warm = must_calloc(LIMIT_WARMUP, sizeof *s->warm);
	}
	if (kind_table[kind].rows == ROWS_OUTCOMES && type == STREAM_BINARY && m->labels &&
	    m->config->labels_explain)
		s->explain = explain_create(EXPLAIN_OUTPUTS + m->config->labels_explain);
	must(learner_init(&s->learner, m->config->reference_records) == 0);
	stream_make_tests(s);
	return s;
}

void
stream_destroy(struct stream *s)
{
	if (!s)
		return;
	stream_stop_tests(s);
	free(s->test);
	categories_free(s->categories);
	explain_destroy(s->explain);
	learner_finish(&s->learner);
	stream_forget_season(s);
	free(s->reference);
	free(s->cells);
	free(s->known);
	free(s->warm);
	free(s->gain);
	if (s->value != s->model->common->missing)
		free(s->value);
	free(s->code);
	free(s->field);
	free(s->version);
	free(s->name);
	free(s);
}

size_t
stream_bytes(const struct stream *s)
{
	size_t bytes = sizeof *s + ROWS_MAX * sizeof(double);

	for (uint32_t i = 0; i < s->tests; i++)
		if (s->test[i].runner)
			bytes += runner_bytes(s->test[i].runner);
	if (s->cells)
		bytes += sizeof *s->cells;
	if (s->known)
		bytes += sizeof *s->known;
	if (s->explain)
		bytes += explain_bytes(s->explain);
	bytes += s->references * sizeof *s->reference +
	         s->learner.log_capacity * sizeof *s->learner.log +
	         s->learner.capacity * sizeof *s->learner.heap;
	return bytes;
}

/* -- one row's value, whatever the type ------------------------------------------------------------- */

static bool
usable(const struct stream *s, uint32_t i)
{
	return s->code ? s->code[i] < LIMIT_CATEGORIES : !isnan(s->value[i]);
}

static double
row_value(const struct stream *s, uint32_t i)
{
	return s->code ? (double)s->code[i] : s->value[i];
}

/* Without an id the order is that of the value and its time. */
static uint64_t
row_order(const struct stream *s, const struct rows *rows, uint32_t i)
{
	struct { double value; int64_t ts; } key;

	if (rows->order[i])
		return rows->order[i];
	key.value = row_value(s, i);
	key.ts = rows->time_ms[i];
	return XXH64(&key, sizeof key, 0);
}

/* -- window: values before there are cells ---------------------------------------------------------- */

/* The first values make provisional cells, and are counted in them as far as they are of this window. */
static void
build_provisional(struct stream *s)
{
	struct reference ref = { .n = s->warms, .value = s->warm, .days = 1, .keys = 1 };

	stream_build_cells(s, &ref);
	s->cells_provisional = true;
	for (uint32_t i = s->warm_window; i < s->warms; i++)
		s->summary.count[cells_of_value(s->cells, s->warm[i])]++;
}

static uint32_t
collect_warm(struct stream *s, uint32_t from, uint32_t to)
{
	while (from < to && s->warms < LIMIT_WARMUP) {
		if (!isnan(s->value[from]))
			s->warm[s->warms++] = s->value[from];
		from++;
	}
	return from;
}

static void
summarise(struct stream *s, uint32_t from, uint32_t to)
{
	const uint8_t *known;

	if (s->code) {
		summary_add_codes(&s->summary, s->cells, s->code + from, to - from);
		return;
	}
	if (s->type == STREAM_NUMERIC && !s->cells) {
		uint32_t end = collect_warm(s, from, to);

		summary_add(&s->summary, NULL, s->value + from, end - from);
		from = end;
		if (s->warms == LIMIT_WARMUP)
			build_provisional(s);
	}
	known = s->cells ? stream_known_cells(s, from, to) : NULL;
	if (known)
		summary_add_known(&s->summary, known, s->value + from, to - from);
	else
		summary_add(&s->summary, s->cells, s->value + from, to - from);
}

/* -- learning --------------------------------------------------------------------------------------- */

uint32_t
stream_reference_min(const struct stream *s)
{
	return s->segment ? LIMIT_SEGMENT_MIN : LIMIT_REFERENCE_MIN;
}

static bool
learned_enough(const struct stream *s, int64_t watermark_ms)
{
	if (s->learn_records)
		return s->learner.held == s->learn_records;
	return watermark_ms - s->learn_from_ms >= s->model->config->reference_span_ms &&
	       s->learner.held >= stream_reference_min(s);
}

/* Collects the reference of the paging test; stops before the row with which the span is over. */
static uint32_t
learn(struct stream *s, const struct rows *rows, bool *complete)
{
	uint32_t i;

	if (s->learn_from_ms == INT64_MIN) /* made by a fit that had too few values of it */
		s->learn_from_ms = rows->watermark_ms[0];
	for (i = 0; i < rows->n; i++) {
		struct learned v;

		if (learned_enough(s, rows->watermark_ms[i])) {
			*complete = true;
			break;
		}
		if (!usable(s, i))
			continue;
		v = (struct learned){ row_order(s, rows, i), row_value(s, i), hour_of(rows->time_ms[i]) };
		learner_offer(&s->learner, &v);
	}
	return i;
}

/* -- open episode ----------------------------------------------------------------------------------- */

/* Adds row i; where there is a season, as it differs from what is usual at this phase. */
static void
episode_add(struct stream *s, struct gauge *g, const struct rows *rows, uint32_t i)
{
	double usual = 0;

	if (s->season) {
		uint32_t key = stream_key(s, rows, i);

		if (key == s->season->keys)
			return; /* nothing to compare it with */
		stream_watch_cell(s, s->episode.cell);
		usual = s->season->usual[key];
		g->expected += usual;
	}
	if (s->kind == STREAM_JOINT)
		joint_gauge(s, g, i);
	else if (s->code)
		gauge_add_code(g, s->cells, s->code[i], s->episode.cell);
	else if (s->type == STREAM_NUMERIC && isnan(s->known_p0))
		gauge_add(g, s->season ? s->season->around : s->cells, s->value[i] - usual);
	else if (s->type == STREAM_NUMERIC)
		gauge_add_loss(g, s->value[i]);
	else {
		g->n++;
		g->hits += s->value[i] != 0;
	}
}

static void
stream_effect(const struct stream *s, const struct gauge *g, struct effect *out)
{
	bool rises_only = kind_table[s->kind].rises_only;

	if (s->kind == STREAM_JOINT) {
		joint_effect(s, g, out);
	} else if (s->type == STREAM_NUMERIC && isnan(s->known_p0)) {
		gauge_effect(g, s->season ? s->season->around : s->cells, out);
		if (s->season) {
			out->old_value += s->cells->mean;
			out->new_value += s->cells->mean;
		}
	} else if (s->type == STREAM_CATEGORICAL) {
		double share = s->cells->total ?
			(double)s->cells->count[s->episode.cell] / s->cells->total : 0;

		if (s->season && g->n)
			share = g->expected / (double)g->n;
		gauge_rate_effect(g, share, s->cells->total, out);
	} else {
		if (s->type == STREAM_NUMERIC)
			gauge_loss_effect(g, s->known_p0, out);
		else
			gauge_rate_effect(g, s->season && g->n ? g->expected / (double)g->n : s->baseline,
			                  s->baseline_n, out);
		/* against a level that was promised the tolerance is what matters */
		if (s->kind == STREAM_COVERAGE && !isnan(s->known_p0))
			out->standard = fabs(out->size) * s->model->config->min_effect /
			                fmax(s->model->config->coverage_tolerance, 1e-9);
		else if (!isnan(s->known_p0)) /* a limit: what is beyond it matters, and nothing else */
			out->standard = fmax(out->standard, s->model->config->min_effect);
		if (rises_only && out->size <= 0)
			out->standard = 0;
	}
}

bool
stream_is_contract(const struct stream *s)
{
	return s->kind == STREAM_COVERAGE && !strcmp(s->field, COVERAGE_CONTRACT);
}

static void
suspend(struct stream *s, bool on)
{
	for (uint32_t i = 0; i < s->tests; i++)
		if (s->test[i].runner)
			runner_suspend(s->test[i].runner, on);
}

/* Rows of an open episode: not judged, only counted and watched. */
static uint32_t
watch(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to, struct outbound *out)
{
	struct episode *e = &s->episode;
	struct records rec;
	bool alarm, over = false;
	uint32_t i;

	for (i = from; i < to && !over; i++) {
		struct gauge total;
		struct effect effect;
		enum episode_news news;
		uint16_t segment[SEGMENT_KEYS_MAX];

		if (!usable(s, i) && !(s->code && s->code[i] == LIMIT_CATEGORIES))
			continue;
		episode_add(s, episode_gauge(e), rows, i);
		if (s->explain && explain_add_after(s->explain, rows_explained(s->model, rows, i, segment),
		                                    s->value[i] != 0)) {
			episode_total(e, &total);
			stream_effect(s, &total, &effect);
			alert_explained(s, rows, i, &effect, out);
		}
		if (!episode_block_full(e))
			continue;
		episode_total(e, &total);
		stream_effect(s, &total, &effect);
		news = episode_judge(e, &effect, s->model->config->min_effect);
		if (news == EPISODE_WORSE)
			alert_worse(s, rows, i, &effect, out);
		over = news == EPISODE_OVER && !stream_is_contract(s); /* what was never held is told once */
		if (over)
			alert_over(s, rows->sequence[i], rows->watermark_ms[i], &effect, "evidence", out);
	}
	stream_records(s, rows, &rec);
	rec.n = i;
	for (uint32_t k = 0; k < s->tests; k++)
		for (uint32_t at = from; s->test[k].runner && at < i;)
			at = runner_update(s->test[k].runner, &rec, at, s->model->common->scratch, NULL,
			                   &alarm);
	if (over)
		suspend(s, e->expected);
	return i;
}

void
stream_suspend(struct stream *s, bool on)
{
	suspend(s, on);
}

void
stream_expect(struct stream *s, bool on)
{
	s->episode.expected = on;
	s->dirty = true;
	if (!s->episode.open)
		suspend(s, on);
}

void
stream_count(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to)
{
	uint16_t segment[SEGMENT_KEYS_MAX];

	for (uint32_t i = from; s->explain && i < to; i++)
		if (usable(s, i))
			explain_add(s->explain, rows_explained(s->model, rows, i, segment), s->value[i] != 0);
	summarise(s, from, to);
}

/* From the column of its source. Streams of missing values share one, which is nearly always 0. */
static void
derive_column(struct stream *s, const struct rows *rows)
{
	const struct stream *of = s->source;
	struct common *c = s->model->common;
	bool any = false;

	if (s->kind != STREAM_MISSING) {
		own_losses(s, rows);
		return;
	}

	if (s->value != c->missing) {
		free(s->value);
		s->value = c->missing;
	}
	for (uint32_t i = 0; i < rows->n; i++)
		any |= of->code ? of->code[i] == RUNNER_MISSING : isnan(of->value[i]);
	if (!any && c->missing_any)
		memset(c->missing, 0, sizeof c->missing);
	for (uint32_t i = 0; any && i < rows->n; i++)
		s->value[i] = of->code ? of->code[i] == RUNNER_MISSING : isnan(of->value[i]);
	c->missing_any = any;
}

/* Rows [from, to) through the tests that there are, or past them while an episode is open. */
static void
pass(struct stream *s, const struct rows *rows, uint32_t from, uint32_t end, struct outbound *out)
{
	while (from < end) {
		struct test *crossed = NULL;
		uint32_t to;

		if (s->episode.open) {
			to = watch(s, rows, from, end, out);
			summarise(s, from, to);
		} else { /* counted before what follows from it: an alert tells what it saw */
			to = stream_judge(s, rows, from, end, &crossed);
			from = stream_evidence(s, rows, from, to, out);
			stream_count(s, rows, from, to);
		}
		if (crossed)
			alert_open(crossed, rows, to - 1, out);
		from = to;
	}
}

void
stream_rows(struct stream *s, const struct rows *rows, struct outbound *out)
{
	uint32_t end = rows->n;
	bool complete = false;

	if (!rows->n)
		return;
	if (s->source)
		derive_column(s, rows);
	s->dirty = true;
	if (s->learning && isnan(s->known_p0)) /* a known null has nothing to learn */
		end = learn(s, rows, &complete);
	pass(s, rows, 0, end, out);
	if (!complete)
		return;
	s->model->common->at_ms = rows->watermark_ms[end];
	stream_learned(s);
	pass(s, rows, end, rows->n, out);
}

void
stream_fit_rows(struct stream *s, const struct rows *rows)
{
	size_t capacity = s->learner.log_capacity;

	if (s->source)
		derive_column(s, rows);
	if (s->model->common->refitting) {
		for (uint32_t i = 0; s->refit && i < rows->n; i++)
			if (usable(s, i))
				learner_offer(s->refit, &(struct learned){ row_order(s, rows, i), row_value(s, i),
				                                           hour_of(rows->time_ms[i]) });
		return;
	}
	s->learner.log = must_grow(s->learner.log, &capacity, s->learner.logged + rows->n,
	                           sizeof *s->learner.log);
	s->learner.log_capacity = (uint32_t)capacity;
	for (uint32_t i = 0; i < rows->n; i++)
		if (usable(s, i))
			s->learner.log[s->learner.logged++] =
				(struct learned){ rows->order[i], row_value(s, i), hour_of(rows->time_ms[i]) };
}

enum promise
test_promise(const struct test *t)
{
	struct runner_status st;

	if (t->role == TEST_UNBUDGETED)
		return PROMISE_UNBUDGETED;
	if (t->stream->dependent || t->unkeyed)
		return PROMISE_VOID_DEPENDENT;
	if (t->stream->too_short || (t->stream->season_short && t->keyed))
		return PROMISE_VOID_SHORT;
	if (!t->runner)
		return PROMISE_PROVISIONAL;
	runner_status(t->runner, &st);
	return st.promise;
}
