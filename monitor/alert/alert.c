/* alert.c -- opening, worsening and end of alerts; see alert.h. */
#include "monitor/alert/alert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/limits.h"
#include "monitor/alert/explanation.h"
#include "monitor/label/explain.h"
#include "monitor/stream/model.h"

/* Records of an episode that must be quiet before it ends. */
enum { QUIET_MAX = 10000, QUIET_FACTOR = 16 };

const char *
alert_severity(const struct news *n)
{
	if (n->promise != PROMISE_CERTIFIED)
		return "info";
	return fabs(n->effect.size) >= 0.5 && !stream_is_contract(n->stream) ? "critical" : "warning";
}

/* 128-bit hash of (stream, detector, topic, partition, offset, row of a batch): the same when the
 * record is read again. */
static void
alert_identity(const struct test *t, uint32_t partition, int64_t offset, uint32_t row, uint32_t again,
               char id[33])
{
	const struct stream *s = t->stream;
	const struct common *common = s->model->common;
	char text[1024];
	int32_t number = 0;
	const char *topic = common->topic(common->context, partition, &number);
	int length = snprintf(text, sizeof text, "%.*s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%d\x1f%lld",
	                      (int)s->model->name_length, s->model->name, stream_segment(s), s->name,
	                      t->method, topic, number, (long long)offset);
	XXH128_hash_t hash;

	if (length >= (int)sizeof text)
		length = (int)sizeof text - 1;
	hash = XXH3_128bits_withSeed(text, (size_t)length, (uint64_t)row << 32 | again);
	snprintf(id, 33, "%016llx%016llx", (unsigned long long)hash.high64,
	         (unsigned long long)hash.low64);
}

static uint32_t
quiet_records(const struct stream *s)
{
	const struct model_config *c = s->model->config;
	double span = QUIET_FACTOR / (c->min_effect * c->min_effect);

	if (s->kind == STREAM_COVERAGE && !isnan(s->known_p0) && c->coverage_tolerance > 0)
		span = QUIET_FACTOR * s->baseline * (1 - s->baseline) /
		       (c->coverage_tolerance * c->coverage_tolerance);
	span = fmax(span, c->resolve_after);
	return span < QUIET_MAX ? (uint32_t)ceil(span) : QUIET_MAX;
}

/* Where the recent values concentrate: the cells that gained most. JSON. */
static char *
explanation(const struct stream *s)
{
	size_t size = 4096, at;
	char *text;
	bool taken[CELLS_MAX] = { false };
	double total = 0;

	if (!s->cells || !s->cells->total)
		return NULL;
	for (uint32_t i = 0; i < s->cells->n; i++)
		total += s->summary.recent[i];
	if (total < 1)
		return NULL;
	text = must_calloc(size, 1);
	at = (size_t)snprintf(text, size, "{\"recent_records\":%.0f,\"cells\":[", total);
	for (int rank = 0; rank < 3; rank++) {
		double best = 0;
		uint32_t cell = UINT32_MAX;

		for (uint32_t i = 0; i < s->cells->n; i++) {
			double gain = s->summary.recent[i] / total -
			              (double)s->cells->count[i] / s->cells->total;

			if (!taken[i] && gain > best) {
				best = gain;
				cell = i;
			}
		}
		if (cell == UINT32_MAX)
			break;
		taken[cell] = true;
		at += (size_t)snprintf(text + at, size - at, "%s{\"cell\":%u,", rank ? "," : "", cell);
		at += alert_cell_json(s, cell, text + at, size - at);
		at += (size_t)snprintf(text + at, size - at, ",\"reference\":%.4f,\"now\":%.4f}",
		                       (double)s->cells->count[cell] / s->cells->total,
		                       s->summary.recent[cell] / total);
	}
	snprintf(text + at, size - at, "]}");
	return text;
}

/* Outcomes: in which features and outputs hits concentrate. Others: in which of their own cells. */
static void
explain_news(struct news *n, bool after)
{
	const struct stream *s = n->stream;

	if (!s->explain) {
		n->explanation = s->kind == STREAM_JOINT ? joint_explanation(s) : explanation(s);
		return;
	}
	n->findings = must_calloc(1, sizeof *n->findings);
	if (explanation_find(s, after, n->findings)) {
		n->explanation = explanation_json(n->findings);
		return;
	}
	free(n->findings);
	n->findings = NULL;
}

static void
effect_of_change(const struct test *t, struct effect *e, int64_t *started_ms)
{
	struct change ch = { 0 };

	*e = (struct effect){ (double)NAN, (double)NAN, (double)NAN, 0, (double)NAN, (double)NAN };
	if (!runner_change(t->runner, &ch) || !ch.records)
		return;
	*e = (struct effect){ ch.effect, ch.low, ch.high, fabs(ch.effect), ch.old_value, ch.new_value };
	if (ch.start_ms > INT64_MIN)
		*started_ms = ch.start_ms;
}

/* What row i says of the test that alarmed there. */
static struct news *
first_news(const struct test *t, enum news_kind kind, const struct rows *rows, uint32_t i,
           struct outbound *out)
{
	struct stream *s = t->stream;
	struct news *n = outbound_news(out);
	struct runner_status st;

	runner_status(t->runner, &st);
	n->kind = kind;
	n->stream = s;
	n->sequence = rows->sequence[i];
	n->at_ms = n->opened_ms = rows->watermark_ms[i];
	n->started_ms = rows->time_ms[i];
	effect_of_change(t, &n->effect, &n->started_ms);
	n->partition = rows->partition[i];
	n->offset = rows->offset[i];
	n->row = rows->row[i];
	n->statistic = st.statistic;
	n->promise = test_promise(t);
	n->method = t->method;
	n->step = st.step;
	n->season = t->keyed ? season_text(s->season->season) : "";
	explain_news(n, false);
	memcpy(n->harm, s->model->harm, sizeof n->harm);
	diagnosis_look(s, &n->standing);
	n->event = 1;
	return n;
}

void
alert_open(struct test *t, const struct rows *rows, uint32_t i, struct outbound *out)
{
	struct stream *s = t->stream;
	struct episode *e = &s->episode;
	struct news *n = first_news(t, NEWS_OPEN, rows, i, out);
	struct change ch = { 0 };

	runner_change(t->runner, &ch);
	n->cell = ch.cell;
	if (s->kind == STREAM_JOINT && !s->vector)
		joint_mean_alarm(s, &n->started_ms);
	/* one record can open a second episode of the same stream only after many others were released
	 * together with it (a window of labels that matured); then the hash is seeded by the count */
	alert_identity(t, n->partition, n->offset, n->row,
	               e->closed_sequence == n->sequence ? t->alarms : 0, n->alert_id);
	e->closed_sequence = n->sequence;
	if (s->explain)
		explain_opened(s->explain);
	memcpy(e->alert_id, n->alert_id, sizeof e->alert_id);
	e->opened_ms = n->opened_ms;
	e->started_ms = n->started_ms;
	e->events = 1;
	t->alarms++;
	e->test = (uint32_t)(t - s->test);
	episode_open(e, quiet_records(s), ch.cell, isnan(n->effect.size) ? 0 : n->effect.size);
	for (uint32_t k = 0; k < s->tests; k++)
		if (s->test[k].runner)
			runner_reset(s->test[k].runner);
	stream_suspend(s, true);
	out->alert = true;
}

void
alert_note(struct test *t, const struct rows *rows, uint32_t i, struct outbound *out)
{
	struct runner_status st;
	struct news *n;

	runner_status(t->runner, &st);
	t->alarms++;
	if (st.used >= t->quiet_until) { /* a threshold that is too low must not fill the table */
		n = first_news(t, NEWS_NOTE, rows, i, out);
		alert_identity(t, n->partition, n->offset, n->row, t->slot, n->alert_id);
		n->resolved_by = "unbudgeted";
		t->quiet_until = st.used + quiet_records(t->stream);
	}
	runner_reset(t->runner);
}

static struct news *
later_news(struct stream *s, enum news_kind kind, uint64_t sequence, int64_t watermark_ms,
           const struct effect *effect, struct outbound *out)
{
	const struct test *t = &s->test[s->episode.test < s->tests ? s->episode.test : 0];
	struct news *n = outbound_news(out);

	n->kind = kind;
	n->stream = s;
	n->sequence = sequence;
	n->event = ++s->episode.events;
	memcpy(n->alert_id, s->episode.alert_id, sizeof n->alert_id);
	n->at_ms = watermark_ms;
	n->opened_ms = s->episode.opened_ms;
	n->started_ms = s->episode.started_ms;
	n->effect = *effect;
	n->cell = s->episode.cell;
	memcpy(n->harm, s->model->harm, sizeof n->harm);
	diagnosis_look(s, &n->standing);
	n->statistic = (double)NAN;
	n->promise = test_promise(t);
	n->method = t->method;
	s->dirty = true;
	return n;
}

void
alert_explained(struct stream *s, const struct rows *rows, uint32_t i, const struct effect *effect,
                struct outbound *out)
{
	explain_news(later_news(s, NEWS_EXPLAINED, rows->sequence[i], rows->watermark_ms[i], effect, out), true);
}

void
alert_worse(struct stream *s, const struct rows *rows, uint32_t i, const struct effect *effect,
            struct outbound *out)
{
	struct news *n = later_news(s, NEWS_WORSE, rows->sequence[i], rows->watermark_ms[i], effect, out);

	if (s->explain)
		explain_news(n, true);
	out->alert = true;
}

void
alert_over(struct stream *s, uint64_t sequence, int64_t watermark_ms, const struct effect *effect,
           const char *by, struct outbound *out)
{
	struct news *n = later_news(s, NEWS_OVER, sequence, watermark_ms, effect, out);

	n->resolved_by = by;
	if (s->explain)
		explain_news(n, true);
	episode_close(&s->episode);
	if (s->explain)
		explain_closed(s->explain);
	out->alert = true;
}

void
alert_acknowledged(struct stream *s, uint64_t sequence, int64_t watermark_ms, struct outbound *out)
{
	struct effect none = { (double)NAN, (double)NAN, (double)NAN, 0, (double)NAN, (double)NAN };

	s->episode.acknowledged = true;
	s->episode.acknowledged_ms = watermark_ms;
	later_news(s, NEWS_ACKNOWLEDGED, sequence, watermark_ms, &none, out);
}
