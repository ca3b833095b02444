/* model.c -- records into rows, windows, and the flow through the streams. See model.h. */
#include "monitor/stream/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/uncertainty/residuals.h"
#include "monitor/decode/decode.h"
#include "monitor/decode/record.h"
#include "monitor/label/explain.h"
#include "monitor/label/labels.h"
#include "monitor/label/recalibrate.h"
#include "monitor/ood/ood.h"
#include "monitor/stream/comparison.h"

const char *
counter_text(enum counter c)
{
	static const char *const text[COUNTERS] = {
		"records", "predictions", "probes", "probes_unpaired", "duplicate_predictions", "twins", "missing_id",
		"timestamp_range", "late", "fields_unknown", "fields_type", "fields_nonfinite", "prob_sum",
		"prob_range", "class_count", "forecast_changed", "scores_unjudged", "set_unknown",
		"category_overflow", "uncertainty_ragged",
		"uncertainty_empty", "uncertainty_range", "uncertainty_changed", "uncertainty_one",
		"uncertainty_clipped", "uncertainty_infinite", "logits_changed", "embedding_type",
		"embedding_length", "embedding_nonfinite", "embedding_zero", "embedding_changed",
		"ood_refused", "ood_incomplete", "streams_refused",
		"label_lines", "matched_ids", "repeat_lines", "repeat_other_label", "revised",
		"orphans_added", "orphans_matched", "labels_late", "labels_outside_classes", "label_type",
	};

	return text[c];
}

double *
common_sort(struct common *c, size_t n)
{
	c->sort = must_grow(c->sort, &c->sort_capacity, n + 1, sizeof *c->sort);
	return c->sort;
}

void
common_scratch(struct common *c, uint32_t width)
{
	if (c->scratch && width <= c->scratch_width)
		return;
	runner_scratch_destroy(c->scratch);
	c->scratch = runner_scratch_create(ROWS_MAX, width);
	c->scratch_width = width;
	must(c->scratch != NULL);
}

uint8_t *
common_bytes(struct common *c, size_t n)
{
	c->bytes = must_grow(c->bytes, &c->bytes_capacity, n + 1, 1);
	return c->bytes;
}

struct model *
model_create(struct common *common, uint32_t number, struct diag *d)
{
	struct model *m = must_calloc(1, sizeof *m);
	uint32_t length;
	const char *name = decoder_model_name(common->decoder, number, &length);

	m->common = common;
	m->number = number;
	m->name = must_strndup(name, length);
	m->name_length = length;
	m->config = config_model_for(common->config, name, length);
	if (!m->config)
		m->config = &common->config->defaults;
	m->first_ms = common->watermark_ms;
	silence_init(&m->silence);
	m->plan_ms = INT64_MAX;
	m->window_previous_ms = INT64_MIN;
	m->features = must_calloc(1, sizeof *m->features);
	m->own = must_calloc(1, sizeof *m->own);
	m->arrivals = must_calloc(1, sizeof *m->arrivals);
	m->own_stream = must_calloc(m->config->owns, sizeof(struct stream *));
	m->segments = segments_create(m);
	m->records = m->segments ? must_calloc(1, sizeof *m->records) : NULL;
	memcpy(m->harm, "not labelled yet", 17);
	if (m->config->labels_enabled && labels_create(&m->labels, m, d)) {
		model_destroy(m);
		return NULL;
	}
	if (store_model_id(common->store, m->name, m->name_length, m->first_ms, &m->id)) {
		diag_set(d, ERR_IO, "model %s cannot be written to the database", m->name);
		model_destroy(m);
		return NULL;
	}
	return m;
}

static void
rows_free(struct rows *rows)
{
	if (rows) {
		free(rows->stream);
		free(rows->bins);
		free(rows->combination);
	}
	free(rows);
}

void
model_destroy(struct model *m)
{
	if (!m)
		return;
	labels_destroy(m->labels);
	for (uint32_t i = 0; i < m->streams; i++)
		stream_destroy(m->stream[i]);
	for (uint32_t i = 0; i < m->versions; i++) {
		ood_destroy(m->version[i]->ood);
		rows_free(m->version[i]->rows);
		rows_free(m->version[i]->outcomes);
		recalibration_destroy(m->version[i]->recalibration);
		free(m->version[i]->confidence);
		residuals_destroy(m->version[i]->residuals);
		rows_free(m->version[i]->probes);
		free(m->version[i]->probe);
		free(m->version[i]->total_detail);
		free(m->version[i]->text);
		free(m->version[i]);
	}
	rows_free(m->features);
	rows_free(m->own);
	rows_free(m->arrivals);
	free(m->own_stream);
	rows_free(m->records);
	segments_destroy(m->segments);
	joint_destroy(m->joint);
	comparison_destroy(m->comparisons);
	free(m->stream);
	free(m->slot);
	free(m->version);
	free(m->name);
	free(m);
}

size_t
model_bytes(const struct model *m)
{
	size_t bytes = sizeof *m + sizeof *m->features + sizeof *m->own + sizeof *m->arrivals +
	               m->versions * 2 * sizeof(struct rows);

	for (uint32_t i = 0; i < m->versions; i++)
		bytes += (m->version[i]->probes ? sizeof(struct rows) + LIMIT_PROBES * sizeof(struct probe_family) : 0) +
		         (m->version[i]->ood ? ood_bytes(m->version[i]->ood) : 0) +
		         residuals_bytes(m->version[i]->residuals);
	for (uint32_t i = 0; i < m->streams; i++)
		bytes += stream_bytes(m->stream[i]);
	bytes += comparison_bytes(m->comparisons);
	return bytes + (m->labels ? labels_bytes(m->labels) : 0) + (m->joint ? joint_bytes(m->joint) : 0);
}

/* -- streams ------------------------------------------------------------------------------------------ */

/* Labels come late: a model with predictions keeps room for their streams from the beginning: coverage and
 * its two tails for intervals, coverage and error for classes, figures with a limit, and of groups the
 * coverage against the level promised. */
static uint32_t
label_streams_expected(const struct model *m)
{
	uint32_t outputs = 0, others = limited_count(m->config) + segment_contracts(m->config) +
		(m->labels && labels_have_scores(m->labels));

	for (uint32_t i = 0; i < m->versions; i++) {
		if (m->version[i]->segment)
			continue;
		if (m->version[i]->width)
			return 3 * segment_families(m->config) + others;
		outputs += m->version[i]->rows->streams;
	}
	return m->labels && outputs ? 2 * segment_families(m->config) + others : 0;
}

double
model_share(struct model *m, const struct stream *s, int64_t watermark_ms)
{
	uint32_t count[SHARE_CLASSES] = { 0 };
	uint32_t residuals = 0;
	bool early = watermark_ms < m->plan_ms && !s->fitted;
	double part = 1;

	if (s->latecomer)
		return plan_latecomer(&m->common->plan, s->latecomer);
	for (uint32_t i = 0; i < m->streams; i++)
		if (m->stream[i]->latecomer || m->stream[i]->kind == STREAM_JOINT)
			continue;
		else if (kind_table[m->stream[i]->kind].residual)
			residuals++;
		else
			count[kind_table[m->stream[i]->kind].class]++;
	if (count[CLASS_LABELS] < label_streams_expected(m))
		count[CLASS_LABELS] = label_streams_expected(m);
	if (early) /* only known nulls start so early; the plan is not known: as if all classes were there */
		for (int c = 0; c < SHARE_CLASSES; c++)
			count[c] = c == CLASS_LABELS ? label_streams_expected(m) : 1;
	if (kind_table[s->kind].class == CLASS_INPUTS && joint_expected(m))
		part = s->kind == STREAM_JOINT ? (1 - PLAN_SINGLE) / 2 * count[CLASS_INPUTS] : PLAN_SINGLE;
	if (residuals < discrepancy_expected(m))
		residuals = discrepancy_expected(m);
	if (kind_table[s->kind].class == CLASS_LABELS && residuals)
		part = kind_table[s->kind].residual ? (1 - PLAN_SINGLE) / residuals * count[CLASS_LABELS] : PLAN_SINGLE;
	return plan_share(&m->common->plan, kind_table[s->kind].class, count) * part * plan_model(m->rank);
}

static bool
latecomer(const struct model *m, enum stream_kind kind)
{
	uint32_t labels = 0, residuals = 0;

	if (m->common->fitting || m->common->watermark_ms < m->plan_ms || kind == STREAM_JOINT)
		return false;
	for (uint32_t i = 0; i < m->streams; i++) {
		residuals += kind_table[m->stream[i]->kind].residual;
		labels += kind_table[m->stream[i]->kind].class == CLASS_LABELS && !kind_table[m->stream[i]->kind].residual;
	}
	if (kind_table[kind].residual)
		return residuals >= discrepancy_expected(m);
	return !(kind_table[kind].class == CLASS_LABELS && labels < label_streams_expected(m));
}

struct stream *
model_stream(struct model *m, struct rows *rows, enum stream_kind kind, enum stream_type type,
             const char *field, size_t field_length, const struct version *v)
{
	struct stream *s;
	size_t capacity = rows->stream_capacity;

	if (m->common->refitting)
		return NULL;
	if (m->streams >= LIMIT_STREAMS) {
		m->counter[COUNT_STREAMS_REFUSED]++;
		return NULL;
	}
	rows_flush(m, rows); /* its column begins with the next row */
	if (m->plan_ms == INT64_MAX && !m->common->fitting)
		m->plan_ms = m->common->watermark_ms + m->config->reference_span_ms;
	m->common->at_ms = m->common->watermark_ms; /* its share is of now, whatever was judged last */
	s = stream_create(m, rows->segment, kind, type, field, field_length, v ? v->text : "", v ? v->length : 0,
	                  m->common->watermark_ms);
	if (latecomer(m, kind))
		s->latecomer = ++m->common->plan.latecomers;
	must(stream_identity(s) == 0);
	m->stream = must_grow(m->stream, &m->stream_capacity, m->streams + 1u, sizeof *m->stream);
	m->stream[m->streams++] = s;
	rows->stream = must_grow(rows->stream, &capacity, rows->streams + 1u, sizeof *rows->stream);
	rows->stream_capacity = (uint32_t)capacity;
	rows->stream[rows->streams++] = s;
	if (!m->common->fitting) {
		if (kind == STREAM_FEATURE || kind == STREAM_PREDICTION || kind == STREAM_MISSING)
			stream_precede(s, rows->in_window);
		stream_start_tests(s, NULL);
	}
	return s;
}

struct version *
model_version(struct model *m, struct segment *segment, const char *text, size_t length)
{
	struct version *v = m->last_version;

	if (length > LIMIT_TEXT_BYTES)
		length = LIMIT_TEXT_BYTES;
	if (v && v->segment == segment && v->length == length && !memcmp(v->text, text, length))
		return v;
	for (uint32_t i = 0; i < m->versions; i++) {
		v = m->version[i];
		if (v->segment == segment && v->length == length && !memcmp(v->text, text, length))
			return m->last_version = v;
	}
	if (m->common->refitting)
		return NULL;
	if (m->versions == LIMIT_GROUPS) /* later ones share the last */
		return m->last_version = m->version[m->versions - 1];
	v = must_calloc(1, sizeof *v);
	v->segment = segment;
	v->text = must_strndup(text, length);
	v->length = length;
	v->number = (uint16_t)m->versions;
	v->n_cal = v->level = (double)NAN;
	v->rows = must_calloc(1, sizeof *v->rows);
	v->outcomes = must_calloc(1, sizeof *v->outcomes);
	v->rows->segment = v->outcomes->segment = segment;
	if (m->labels && m->config->labels_explain && !segment) {
		v->outcomes->bins_stride = EXPLAIN_OUTPUTS + m->config->labels_explain;
		v->outcomes->bins = must_calloc(ROWS_MAX, v->outcomes->bins_stride);
		v->outcomes->combination = must_calloc(ROWS_MAX, sizeof *v->outcomes->combination);
	}
	m->version = must_grow(m->version, &m->version_capacity, m->versions + 1u, sizeof *m->version);
	m->version[m->versions++] = v;
	if (!segment)
		comparison_version(m, v);
	if (m->labels)
		must(labels_identity(m->labels, v) == 0);
	return m->last_version = v;
}

/* -- rows --------------------------------------------------------------------------------------------- */

void
rows_flush(struct model *m, struct rows *rows)
{
	if (!rows->n)
		return;
	if (m->labels && !rows->segment)
		labels_batch_ends(m->labels);
	if (rows->ood)
		ood_flush(rows->ood);
	for (uint32_t i = 0; i < rows->streams; i++) {
		if (m->common->fitting)
			stream_fit_rows(rows->stream[i], rows);
		else
			stream_rows(rows->stream[i], rows, &m->common->outbound);
		if (rows->stream[i]->known) /* of this batch */
			rows->stream[i]->known->from = rows->stream[i]->known->to = 0;
	}
	if (rows == m->features && !m->common->fitting)
		joint_take_rows(m, rows);
	rows->n = 0;
	rows->any_late = false;
	rows->bins_used = 0;
}

static void
put_bins(struct rows *rows, uint32_t at, const struct row_facts *f)
{
	uint8_t *bins = rows->bins + (size_t)at * rows->bins_stride;
	uint32_t n = !f->bins ? 0 : f->bins_n < rows->bins_stride ? f->bins_n : rows->bins_stride;

	if (n)
		memcpy(bins, f->bins, n);
	memset(bins + n, EXPLAIN_UNKNOWN, rows->bins_stride - n);
	rows->bins_used = n > rows->bins_used ? n : rows->bins_used;
	rows->combination[at] = f->combination;
}

struct explain_row
rows_explained(const struct model *m, const struct rows *rows, uint32_t i, uint16_t segment[SEGMENT_KEYS_MAX])
{
	return (struct explain_row){
		.bins = rows->bins + (size_t)i * rows->bins_stride, .n = rows->bins_used, .segment = segment,
		.segments = rows->combination ? segment_numbers(m, rows->combination[i], segment) : 0,
	};
}

/* Exact as far as doubles are; a difference that no int64_t holds is as good as infinite. */
static double
difference(int64_t later, int64_t earlier)
{
	int64_t d;

	return __builtin_sub_overflow(later, earlier, &d) ? (later > earlier ? 0x1p63 : -0x1p63) : (double)d;
}

uint32_t
rows_append(struct model *m, struct rows *rows, const struct row_facts *f)
{
	uint32_t at;

	if (rows->n == ROWS_MAX)
		rows_flush(m, rows);
	at = rows->n++;
	rows->in_window++;
	rows->watermark_ms[at] = f->watermark_ms;
	rows->advance_ms[at] = at ? difference(f->watermark_ms, rows->watermark_ms[at - 1]) : 0;
	rows->time_ms[at] = f->time_ms;
	rows->late[at] = f->late;
	rows->any_late |= f->late;
	rows->partition[at] = f->partition;
	rows->offset[at] = f->offset;
	rows->row[at] = f->row;
	rows->sequence[at] = f->sequence;
	rows->order[at] = f->order;
	if (rows->bins)
		put_bins(rows, at, f);
	return at;
}

void
model_flush(struct model *m)
{
	rows_flush(m, m->features);
	joint_flush(m);
	rows_flush(m, m->own);
	rows_flush(m, m->arrivals);
	if (m->records)
		rows_flush(m, m->records);
	for (uint32_t i = 0; m->segments && i < m->segments->n; i++)
		if (m->segments->segment[i]->features)
			rows_flush(m, m->segments->segment[i]->features);
	for (uint32_t i = 0; i < m->versions; i++) {
		rows_flush(m, m->version[i]->rows);
		rows_flush(m, m->version[i]->outcomes);
		if (m->version[i]->probes)
			rows_flush(m, m->version[i]->probes);
	}
}

void
model_flush_verdicts(struct model *m)
{
	for (uint32_t i = 0; i < m->versions; i++)
		if (m->version[i]->ood)
			ood_flush(m->version[i]->ood);
}

/* -- windows ------------------------------------------------------------------------------------------ */

static void
close_window(struct model *m)
{
	model_flush(m);
	joint_window(m, &m->common->outbound);
	for (uint32_t i = 0; i < m->streams; i++)
		stream_window(m->stream[i], m->window_ms, m->config->windows.width_ms, false,
		              &m->common->outbound);
	for (uint32_t i = 0; i < m->versions; i++)
		if (m->version[i]->ood)
			ood_window(m->version[i]->ood, m->window_ms, m->config->windows.width_ms, false);
	m->window_open = false;
	m->dirty = true; /* closed by the watermark, perhaps, and not by a record */
	m->window_previous_ms = m->window_ms;
}

static void
open_window(struct model *m, int64_t window_ms)
{
	m->window_open = true;
	m->window_ms = window_ms;
	m->window_records = m->features->in_window = 0;
	for (uint32_t i = 0; i < m->versions; i++)
		m->version[i]->rows->in_window = 0;
	for (uint32_t i = 0; m->segments && i < m->segments->n; i++)
		if (m->segments->segment[i]->features)
			m->segments->segment[i]->features->in_window = 0;
	m->window_serial++;
	m->dirty = true;
	if (m->labels) {
		model_flush(m); /* alerts of labels that matured since the last window tell its harm */
		labels_harm(m->labels, m->harm, sizeof m->harm);
		labels_window(m->labels, window_ms, m->config->windows.width_ms, m->window_serial);
	}
}

/* The window of the next record: time windows follow the watermark, which one wrong clock cannot move. */
void
model_enter_window(struct model *m, int64_t ts)
{
	const struct window_config *w = &m->config->windows;
	int64_t begin = ts;

	if (w->width_ms) {
		begin = floor_to(m->common->watermark_ms, w->width_ms);
		if (m->window_open && begin > m->window_ms)
			close_window(m);
	} else {
		if (m->window_open && m->window_records == w->records)
			close_window(m);
		if (!m->window_open && m->window_previous_ms != INT64_MIN && begin <= m->window_previous_ms)
			begin = m->window_previous_ms + 1;
	}
	if (!m->window_open)
		open_window(m, begin);
	m->window_records++;
}

void
model_expect(struct model *m)
{
	int64_t now = m->common->watermark_ms;
	bool on = m->expect_from_ms <= now && now < m->expect_to_ms;

	if (on == m->expecting)
		return;
	model_flush(m);
	m->expecting = on;
	m->dirty = true;
	for (uint32_t i = 0; i < m->streams; i++)
		if (config_glob(m->expect_glob, m->stream[i]->name))
			stream_expect(m->stream[i], on);
}

/* A change that somebody has seen and that lasts is the new normal. */
static void
rebaseline_acknowledged(struct model *m)
{
	int64_t now = m->common->watermark_ms, after = m->config->rebaseline_after_ms;

	for (uint32_t i = 0; after && i < m->streams; i++) {
		struct stream *s = m->stream[i];

		if (!s->episode.acknowledged || now - s->episode.acknowledged_ms < after)
			continue;
		model_flush(m);
		if (!s->episode.open || !isnan(s->known_p0)) /* a stated level is a promise, not a past */
			continue;
		stream_rebaseline(s, 0, now, &m->common->outbound);
		m->dirty = true;
	}
}

void
model_advance(struct model *m)
{
	const struct window_config *w = &m->config->windows;

	if (m->window_open && w->width_ms && m->common->watermark_ms - m->window_ms >= w->width_ms)
		close_window(m);
	if (m->labels) {
		m->dirty = true; /* labels may mature, rows may expire */
		labels_advance(m->labels, m->common->watermark_ms);
	}
	model_expect(m);
	rebaseline_acknowledged(m);
}

void
model_put_open_window(struct model *m)
{
	model_flush(m);
	for (uint32_t i = 0; i < m->streams && m->window_open; i++)
		stream_window(m->stream[i], m->window_ms, m->config->windows.width_ms, true,
		              &m->common->outbound);
	for (uint32_t i = 0; i < m->versions && m->window_open; i++)
		if (m->version[i]->ood)
			ood_window(m->version[i]->ood, m->window_ms, m->config->windows.width_ms, true);
}
