/* model_record.c -- one record becomes rows of its model: features, outputs, labels. See model.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/limits.h"
#include "monitor/decode/decode.h"
#include "monitor/decode/record.h"
#include "monitor/label/confidence.h"
#include "monitor/label/labels.h"
#include "monitor/label/twins.h"
#include "monitor/log.h"
#include "monitor/ood/ood.h"
#include "monitor/stream/comparison.h"
#include "monitor/stream/model.h"
#include "monitor/stream/version_probe.h"
#include "monitor/stream/version_ood.h"
#include "monitor/stream/version_uncertainty.h"

/* -- records ------------------------------------------------------------------------------------------ */

/* Both are true of a value that has another JSON type than the stream; it counts as missing. */
static bool
set_number(struct stream *s, uint32_t at, const struct cell *c)
{
	s->value[at] = c && c->tag == CELL_NUMBER ? c->number : (double)NAN;
	return c && c->tag == CELL_TEXT;
}

static bool
set_category(struct model *m, struct stream *s, uint32_t at, const struct record *r, const struct cell *c)
{
	if (c && c->tag == CELL_TEXT) {
		s->code[at] = stream_category(s, record_text(r, c->text), c->text.length, c->hash);
		m->counter[COUNT_CATEGORY_OVERFLOW] += !s->segment && s->code[at] == LIMIT_CATEGORIES; /* once */
		return false;
	}
	s->code[at] = RUNNER_MISSING;
	return c && c->tag == CELL_NUMBER;
}

void
model_cell(struct model *m, struct stream *s, uint32_t at, const struct record *r, const struct cell *c)
{
	bool wrong = s->code ? set_category(m, s, at, r, c) : set_number(s, at, c);

	if (!wrong)
		return;
	m->counter[COUNT_FIELDS_TYPE]++;
	if (!m->wrong_type || s->number < m->wrong_type->number)
		m->wrong_type = s;
}

/* The first value decides the type where nothing is configured (a fit came before any stream). */
static struct stream *
feature_stream(struct model *m, const struct record *r, uint32_t slot)
{
	uint32_t length;
	const char *name = decoder_slot_name(m->common->decoder, m->number, slot, &length);
	int type = decoder_slot_type(m->common->decoder, m->number, slot);
	uint8_t tag = r->cell[slot].tag;
	struct stream *s, *missing;

	if (type == FEATURE_IGNORE)
		return NULL;
	if (type == FEATURE_FROM_JSON && tag != CELL_NUMBER && tag != CELL_TEXT)
		return NULL;
	if (tag == CELL_ABSENT)
		return NULL;
	if (type == FEATURE_FROM_JSON)
		type = tag == CELL_NUMBER ? FEATURE_NUMERIC : FEATURE_CATEGORICAL;
	for (uint32_t i = 0; i < m->features->streams; i++) { /* known from a fit or a restart */
		s = m->features->stream[i];
		if (s->kind == STREAM_FEATURE && s->field_length == length &&
		    !memcmp(s->field, name, length))
			return m->slot[slot] = s;
	}
	s = model_stream(m, m->features, STREAM_FEATURE,
	                 type == FEATURE_NUMERIC ? STREAM_NUMERIC : STREAM_CATEGORICAL, name, length,
	                 NULL);
	missing = s ? model_stream(m, m->features, STREAM_MISSING, STREAM_BINARY, name, length, NULL) :
	              NULL;
	if (missing)
		missing->source = s;
	return m->slot[slot] = s;
}

struct fresh {
	uint32_t at, slot;
};

static int
by_place(const void *a, const void *b)
{
	const struct fresh *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* In the order of the keys: slots have that of whatever was read ahead, and another after a restart. */
static void
take_new_features(struct model *m, const struct record *r, uint32_t from, uint32_t n)
{
	struct fresh *fresh = must_calloc(n, sizeof *fresh);

	n = 0;
	for (uint32_t i = from; i < r->slots; i++)
		if (!m->slot[i] && r->cell[i].tag != CELL_ABSENT)
			fresh[n++] = (struct fresh){ r->cell[i].at, i };
	qsort(fresh, n, sizeof *fresh, by_place);
	for (uint32_t i = 0; i < n; i++)
		feature_stream(m, r, fresh[i].slot);
	free(fresh);
}

static void
take_features(struct model *m, const struct record *r, const struct row_facts *f)
{
	uint32_t at, own = (uint32_t)m->config->owns /* the first are own streams */, fresh = 0, last = 0;

	if (r->slots > m->slots) {
		m->slot = must_grow(m->slot, &m->slot_capacity, r->slots, sizeof *m->slot);
		m->slots = r->slots;
	}
	for (uint32_t i = own; i < r->slots; i++)
		if (!m->slot[i] && r->cell[i].tag != CELL_ABSENT) {
			fresh++;
			last = i;
		}
	if (fresh == 1)
		feature_stream(m, r, last);
	else if (fresh)
		take_new_features(m, r, own, fresh);
	at = m->features_at = rows_append(m, m->features, f);
	for (uint32_t i = 0; i < m->slots; i++) {
		struct stream *s = m->slot[i];
		const struct cell *c = i < r->slots ? &r->cell[i] : NULL;

		if (s)
			model_cell(m, s, at, r, c);
	}
	if (m->slots_bound)
		return;
	m->slots_bound = true;
	/* streams known from a fit or a restart whose field no record has named yet */
	for (uint32_t i = 0; i < m->features->streams; i++) {
		struct stream *s = m->features->stream[i];
		bool bound = s->source != NULL;

		for (uint32_t k = 0; k < m->slots && !bound; k++)
			bound = m->slot[k] == s;
		m->slots_bound &= bound;
		if (!bound && s->code)
			s->code[at] = RUNNER_MISSING;
		else if (!bound)
			s->value[at] = (double)NAN;
	}
}

/* One numeric output of a version; made when its first value comes. `missing` counts its gaps. */
static void
output_number(struct model *m, struct version *v, struct stream **s, const char *field, bool missing,
              double value)
{
	struct stream *gap;

	if (*s || isnan(value))
		return;
	*s = model_stream(m, v->rows, STREAM_PREDICTION, STREAM_NUMERIC, field, strlen(field), v);
	gap = *s && missing ? model_stream(m, v->rows, STREAM_MISSING, STREAM_BINARY, field, strlen(field), v) :
	                      NULL;
	if (gap)
		gap->source = *s;
}

static double
number_of(const struct cell *c)
{
	return c->tag == CELL_NUMBER ? c->number : (double)NAN;
}

static double
top_score(const struct record *r)
{
	double top = number_of(&r->top_score);

	if (isnan(top) && !(r->parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE)))
		for (uint32_t k = 0; k < r->probs; k++)
			top = k && top > r->prob[k] ? top : r->prob[k];
	return top;
}

static void
take_prediction(struct model *m, struct version *v, const struct record *r, const struct row_facts *f)
{
	double value = number_of(&r->value), score = top_score(r);
	double width = number_of(&r->upper) - number_of(&r->lower);
	const struct uncertainty *u;
	double energy;
	uint32_t at;

	output_number(m, v, &v->value, "value", true, value);
	output_number(m, v, &v->width, "width", false, width);
	output_number(m, v, &v->set_size, "set_size", false, r->has_set ? r->sets : (double)NAN);
	output_number(m, v, &v->score, "score", true, score);
	if (!v->klass && r->klass.tag == CELL_TEXT) {
		struct stream *gap;

		v->klass = model_stream(m, v->rows, STREAM_PREDICTION, STREAM_CATEGORICAL, "class", 5, v);
		gap = v->klass ? model_stream(m, v->rows, STREAM_MISSING, STREAM_BINARY, "class", 5, v) :
		                 NULL;
		if (gap)
			gap->source = v->klass;
	}
	if (r->n_cal.tag == CELL_NUMBER && !m->common->refitting)
		v->n_cal = r->n_cal.number;
	if (r->level.tag == CELL_NUMBER && !m->common->refitting)
		v->level = r->level.number;
	u = v->segment ? NULL : version_uncertainty_take(m, v, r);
	energy = v->segment ? (double)NAN : version_ood_take(m, v, r);
	if (!v->segment)
		ood_prepare(m, v, r);
	at = rows_append(m, v->rows, f);
	if (!v->segment) {
		version_uncertainty_put(v, at, u);
		version_ood_put(v, at, energy);
		if (v->ood)
			ood_take(v->ood, r, f, at);
	}
	if (v->value)
		v->value->value[at] = value;
	if (v->width)
		v->width->value[at] = width;
	if (v->set_size)
		v->set_size->value[at] = r->has_set ? r->sets : (double)NAN;
	if (v->score)
		v->score->value[at] = score;
	if (v->klass && set_category(m, v->klass, at, r, &r->klass) && !v->segment)
		m->counter[COUNT_FIELDS_TYPE]++;
	if (v->below_confidence)
		v->below_confidence->value[at] = confidence_below(v, labels_confidence(r));
}

static void
count_embedding(struct model *m, const struct record *r)
{
	static const char *const why[] = {
		[EMBEDDING_TYPE] = "is neither a list of numbers nor {\"b64f32\": ..} or {\"b64f16\": ..}",
		[EMBEDDING_LENGTH] = "is empty or too long",
		[EMBEDDING_NONFINITE] = "has NaN or Infinity in it",
		[EMBEDDING_ZERO] = "is all zero; it is scored all the same",
	};

	m->counter[COUNT_EMBEDDING_TYPE + r->embedding_fault - EMBEDDING_TYPE]++;
	log_often(LOG_WARN, "embedding", "%.*s: an embedding %s", (int)m->name_length, m->name,
	          why[r->embedding_fault]);
}

static void
count_record(struct model *m, const struct record *r)
{
	m->counter[COUNT_RECORDS]++;
	m->counter[COUNT_FIELDS_UNKNOWN] += r->fields_unknown;
	m->counter[COUNT_FIELDS_TYPE] += r->fields_type;
	m->counter[COUNT_FIELDS_NONFINITE] += r->fields_nonfinite;
	m->counter[COUNT_PROB_SUM] += (r->parts & RECORD_PROB_SUM) != 0;
	m->counter[COUNT_PROB_RANGE] += (r->parts & RECORD_PROB_RANGE) != 0;
	if (r->embedding_fault)
		count_embedding(m, r);
	m->counter[COUNT_TIMESTAMP_RANGE] += (r->parts & RECORD_TS_RANGE) != 0;
}

/* The same for all streams of a record, wherever it lies in its topic. */
static uint64_t
order_of(const struct record *r)
{
	struct { uint64_t hash; int64_t ts; } key = { r->message_hash, r->ts };

	return r->parts & RECORD_HAS_ID ? r->id_ts_order : XXH64(&key, sizeof key, 0);
}

/* -- segments ----------------------------------------------------------------------------------------- */

/* The value of each key, as a stream of categories. */
static void
take_shares(struct model *m, const struct record *r, const struct row_facts *f)
{
	uint32_t at;

	for (size_t i = m->records->streams; i < m->config->segments.n; i++) {
		const char *key = m->config->segments.text[i];

		if (!model_stream(m, m->records, STREAM_SEGMENT, STREAM_CATEGORICAL, key, strlen(key), NULL))
			break;
	}
	if (!m->records->streams)
		return;
	at = rows_append(m, m->records, f);
	for (uint32_t i = 0; i < m->records->streams; i++) {
		struct stream *s = m->records->stream[i];
		const struct text *value = NULL;

		for (size_t k = 0; k < m->config->segments.n; k++)
			if (!strcmp(s->field, m->config->segments.text[k]))
				value = &r->segment[k];
		s->code[at] = value && value->length ?
			stream_category(s, record_text(r, *value), value->length,
		                        XXH64(record_text(r, *value), value->length, 0)) : RUNNER_MISSING;
	}
}

static struct stream *
feature_of_segment(const struct segment *g, const struct stream *of)
{
	for (uint32_t k = 0; k < g->features->streams; k++)
		if (!strcmp(g->features->stream[k]->name, of->name))
			return g->features->stream[k];
	return NULL;
}

/* A feature of a segment is one of the model that has its type already, whether a record since the start has
 * named it or not. */
static void
mirror_features(struct model *m, struct segment *g)
{
	for (; g->mirrored < m->features->streams; g->mirrored++) {
		const struct stream *of = m->features->stream[g->mirrored];

		if (of->kind == STREAM_FEATURE && !feature_of_segment(g, of))
			model_stream(m, g->features, STREAM_FEATURE, of->type, of->field, of->field_length, NULL);
	}
}

static void
take_segment_features(struct model *m, struct segment *g, const struct record *r, const struct row_facts *f)
{
	uint32_t at;

	g->slot = must_grow(g->slot, &g->slot_capacity, m->slots, sizeof(struct stream *));
	for (; g->slots < m->slots; g->slots++)
		g->slot[g->slots] = NULL;
	mirror_features(m, g);
	for (uint32_t i = 0; i < m->slots; i++)
		if (m->slot[i] && !g->slot[i])
			g->slot[i] = feature_of_segment(g, m->slot[i]);
	at = rows_append(m, g->features, f);
	for (uint32_t i = 0; i < g->features->streams; i++) { /* those that no slot names */
		struct stream *s = g->features->stream[i];

		if (s->code)
			s->code[at] = RUNNER_MISSING;
		else
			s->value[at] = (double)NAN;
	}
	for (uint32_t i = 0; i < m->slots; i++) {
		const struct cell *c = i < r->slots ? &r->cell[i] : NULL;

		if (g->slot[i] && g->slot[i]->code)
			(void)set_category(m, g->slot[i], at, r, c); /* counted with the model's own */
		else if (g->slot[i])
			(void)set_number(g->slot[i], at, c);
	}
}

static void
take_segments(struct model *m, const struct record *r, const struct row_facts *f, bool may_choose, bool twin)
{
	m->combination = 0;
	if (!m->segments || !m->segments->keys)
		return;
	if (!twin) {
		take_shares(m, r, f);
		segments_count(m, r, may_choose);
	}
	m->combination = segments_of(m, r);
	for (uint32_t i = 0; i < m->segments->keys; i++) {
		struct segment *g = m->segments->now[i];
		struct version *v;

		if (!g || !segment_has_outputs(m, g))
			continue;
		if (r->parts & RECORD_FEATURES && g->features && !twin)
			take_segment_features(m, g, r, f);
		if (!(r->parts & RECORD_PREDICTION))
			continue;
		v = model_version(m, g, record_text(r, r->version), r->version.length);
		if (v)
			take_prediction(m, v, r, f);
	}
}

void
model_count_record(struct model *m, const struct record *r)
{
	if (!r->reject && !(r->parts & RECORD_PROBE) && r->parts & (RECORD_FEATURES | RECORD_PREDICTION))
		segments_count(m, r, false);
}

static void
compare_neighbours(struct model *m, const struct version *v, const struct record *r)
{
	double width = r->has_set ? r->sets : number_of(&r->upper) - number_of(&r->lower);

	if (!m->comparisons)
		return;
	comparison_value(m, v, COMPARED_VALUE, number_of(&r->value));
	comparison_value(m, v, COMPARED_WIDTH, width);
	comparison_value(m, v, COMPARED_SCORE, labels_confidence(r));
}

void
model_record(struct model *m, const struct record *r)
{
	struct common *common = m->common;
	struct row_facts f = {
		.watermark_ms = common->watermark_ms,
		.time_ms = r->ts,
		.offset = r->offset, .row = r->row,
		.sequence = common->sequence,
		.order = order_of(r),
		.partition = r->partition,
	};
	struct version *v = NULL;
	enum place place = PLACE_NEW;
	uint64_t key = r->id_keyed;

	m->dirty = true;
	silence_record(m, r);
	if (r->parts & RECORD_PROBE) {
		version_probe_take(m, r, &f);
		return;
	}
	if (r->parts & RECORD_PREDICTION && m->labels)
		place = labels_place(m->labels, r, &key);
	if (place == PLACE_DUPLICATE) {
		m->counter[COUNT_DUPLICATE_PREDICTIONS]++;
		quality_take(m, r, &f, true);
		return;
	}
	count_record(m, r);
	/* what a twin says of the inputs was counted with the first prediction of its id */
	if (place != PLACE_TWIN || m->config->windows.width_ms || !m->window_open)
		model_enter_window(m, r->ts);
	f.late = r->ts < m->window_ms;
	m->counter[COUNT_LATE] += f.late;
	m->counter[COUNT_TWINS] += place == PLACE_TWIN;
	m->features_at = UINT32_MAX;
	if (r->parts & RECORD_FEATURES && place != PLACE_TWIN)
		take_features(m, r, &f);
	if (r->parts & RECORD_OWN && place != PLACE_TWIN)
		own_take(m, r, &f);
	if (place != PLACE_TWIN)
		quality_take(m, r, &f, false);
	take_segments(m, r, &f, true, place == PLACE_TWIN);
	if (!(r->parts & RECORD_PREDICTION) && r->form == FORM_NONE && !r->logits && !ood_concerns(m, r))
		return;
	v = model_version(m, NULL, record_text(r, r->version), r->version.length);
	take_prediction(m, v, r, &f);
	if (place != PLACE_TWIN)
		compare_neighbours(m, v, r);
	if (!(r->parts & RECORD_PREDICTION))
		return; /* members or logits alone: nothing that a label could judge */
	m->counter[COUNT_PREDICTIONS]++;
	if (m->labels) {
		labels_prediction(m->labels, v, r, key);
		if (r->parts & RECORD_LABEL)
			labels_inline(m->labels, r, key);
	}
}

void
model_fit_record(struct model *m, const struct record *r)
{
	struct row_facts f = { .time_ms = r->ts, .watermark_ms = r->ts, .order = order_of(r) };
	struct label_outcome o;
	struct version *v;

	if (r->parts & RECORD_PROBE ||
	    !(r->parts & (RECORD_FEATURES | RECORD_PREDICTION | RECORD_OWN | RECORD_OTHER)))
		return;
	if (!m->ref.rows++)
		m->ref.from_ms = m->ref.to_ms = r->ts;
	m->ref.from_ms = r->ts < m->ref.from_ms ? r->ts : m->ref.from_ms;
	m->ref.to_ms = r->ts > m->ref.to_ms ? r->ts : m->ref.to_ms;
	m->ref.hash = (m->ref.hash + r->message_hash) * 0x9E3779B97F4A7C15u;
	if (r->parts & RECORD_FEATURES)
		take_features(m, r, &f);
	if (r->parts & RECORD_OWN)
		own_take(m, r, &f);
	quality_take(m, r, &f, false);
	take_segments(m, r, &f, !m->common->refitting, false);
	if (!(r->parts & RECORD_PREDICTION) && r->form == FORM_NONE && !r->logits && !ood_concerns(m, r))
		return;
	v = model_version(m, NULL, record_text(r, r->version), r->version.length);
	if (!v)
		return;
	take_prediction(m, v, r, &f);
	if (!m->labels || !(r->parts & RECORD_LABEL) || !(r->parts & RECORD_PREDICTION))
		return;
	labels_outcome(m->labels, v, r, &o);
	labels_outcome_row(m->labels, v, &f, &o, v->level);
	if (!isnan(o.wrong))
		confidence_learn(m, v, labels_confidence(r), o.wrong != 0);
	labels_outcome_segments(m->labels, v, m->combination, &f, &o, v->level);
}

void
model_label(struct model *m, const struct label_event *e)
{
	m->dirty = true;
	if (m->labels)
		labels_label(m->labels, e);
}
