/* model_state.c -- a model in the database, and the end of a fit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/decode/record.h"
#include "monitor/label/journal.h"
#include "monitor/label/labels.h"
#include "monitor/ood/ood.h"
#include "monitor/stream/comparison.h"
#include "monitor/stream/model.h"
#include "monitor/stream/version_probe.h"
#include "monitor/stream/version_uncertainty.h"

enum { DAY_MS = 86400000 };
enum { STATE_VERSION = 1, REFS_OF_A_MODEL = 10000 /* room for their numbers */ };

void
model_refit(struct model *m)
{
	m->ref.rows = 0;
	m->ref.hash = 0;
	for (uint32_t i = 0; i < m->streams; i++)
		stream_rebaseline(m->stream[i], 0, m->common->watermark_ms, &m->common->outbound);
	for (uint32_t i = 0; i < m->versions; i++)
		if (m->version[i]->ood)
			ood_refit(m->version[i]->ood);
}

/* A reference as a whole: what `refs` tells of it. */
void
model_reference(struct model *m, const char *source)
{
	double seconds = (double)(m->ref.to_ms - m->ref.from_ms) / 1000;

	strncpy(m->ref_source, source, sizeof m->ref_source - 1);
	m->ref.ref_id = m->id * REFS_OF_A_MODEL + ++m->refs;
	m->ref.active = true;
	m->ref.rate_per_s = seconds > 0 ? (double)m->ref.rows / seconds : 0;
	m->ref_dirty = true;
}

int
model_fitted(struct model *m, struct diag *d)
{
	int err = 0;

	model_flush(m);
	for (uint32_t i = 0; i < m->versions; i++)
		if (m->version[i]->ood)
			ood_fitted(m->version[i]->ood);
	m->plan_ms = INT64_MIN; /* streams that the reference did not have are latecomers */
	for (uint32_t i = 0; i < m->streams && !err; i++) {
		m->stream[i]->first_ms = m->stream[i]->learn_from_ms = m->common->watermark_ms;
		err = stream_fitted(m->stream[i], d);
	}
	model_reference(m, "fit");
	m->dirty = true;
	return err;
}

static int
put_reference(struct model *m, struct store *store)
{
	struct ref_row row = m->ref;

	if (!m->ref_dirty)
		return 0;
	row.model_id = m->id;
	row.version = "";
	row.source = m->ref_source;
	return store_put_ref(store, &row);
}

static void
save_segment(const struct model *m, const struct segment *segment, struct codec *c)
{
	uint32_t at = 0;

	for (uint32_t i = 0; segment && i < m->segments->n; i++)
		at = m->segments->segment[i] == segment ? i + 1 : at;
	codec_put_u32(c, at);
}

static void
save_state(const struct model *m, struct codec *c)
{
	codec_put_u16(c, STATE_VERSION);
	codec_put_i64(c, m->first_ms);
	codec_put_i64(c, m->plan_ms);
	codec_put_i64(c, m->expect_from_ms);
	codec_put_i64(c, m->expect_to_ms);
	codec_put_bytes(c, m->expect_glob, sizeof m->expect_glob);
	codec_put_u8(c, m->expecting);
	codec_put_u8(c, m->window_open);
	codec_put_i64(c, m->window_ms);
	codec_put_i64(c, m->window_previous_ms);
	codec_put_u32(c, m->window_records);
	codec_put_u32(c, m->features->in_window);
	codec_put_u64(c, m->window_serial);
	codec_put_u32(c, m->refs);
	codec_put_bytes(c, m->harm, sizeof m->harm);
	codec_put_u32(c, COUNTERS);
	for (int i = 0; i < COUNTERS; i++)
		codec_put_u64(c, m->counter[i]);
	silence_save(m, c);
	joint_save(m->joint, c);
	segments_save(m->segments, c);
	codec_put_u32(c, m->versions);
	for (uint32_t i = 0; i < m->versions; i++) {
		codec_put_u16(c, (uint16_t)m->version[i]->length);
		codec_put_bytes(c, m->version[i]->text, m->version[i]->length);
		save_segment(m, m->version[i]->segment, c);
		codec_put_f64(c, m->version[i]->n_cal);
		codec_put_f64(c, m->version[i]->level);
		codec_put_u8(c, m->version[i]->form);
		codec_put_u32(c, m->version[i]->members);
		codec_put_u32(c, m->version[i]->logits);
		codec_put_u32(c, m->version[i]->columns);
		codec_put_u32(c, m->version[i]->draws);
		codec_put_u32(c, m->version[i]->rows->in_window);
	}
}

static int
put_counters(struct model *m, struct store *store)
{
	int err = 0;

	for (int i = 0; i < COUNTERS && !err; i++)
		if (m->counter[i] != m->counter_saved[i])
			err = store_put_counter(store, m->id, counter_text((enum counter)i), m->counter[i]);
	return err;
}

/* What the journal holds and has lost: never_arrived = waiting + expired + evicted. */
static int
put_journal_counters(struct model *m, struct store *store)
{
	struct journal_counts c;
	int err;

	journal_counts(labels_journal(m->labels), &c);
	err = store_put_counter(store, m->id, "waiting", c.waiting);
	if (!err)
		err = store_put_counter(store, m->id, "evicted", c.evicted);
	if (!err)
		err = store_put_counter(store, m->id, "expired", c.expired);
	if (!err)
		err = store_put_counter(store, m->id, "orphans", c.orphans);
	return err ? err : store_put_counter(store, m->id, "orphans_expired", c.orphans_expired);
}

int
model_put(struct model *m, struct store *store)
{
	struct codec c = { .measure = true, .size = SIZE_MAX };
	int err = 0;

	if (!m->dirty)
		return 0;
	for (uint32_t i = 0; i < m->streams && !err; i++)
		err = stream_put(m->stream[i], store);
	for (uint32_t i = 0; i < m->versions && !err; i++)
		err = version_uncertainty_put_separability(m->version[i], store);
	for (uint32_t i = 0; i < m->versions && !err; i++)
		err = version_uncertainty_put_form(m, m->version[i], store);
	for (uint32_t i = 0; i < m->versions && !err; i++)
		if (m->version[i]->ood)
			err = ood_put(m->version[i]->ood, store);
	if (!err)
		err = comparison_put(m, store);
	if (!err)
		err = put_reference(m, store);
	if (!err)
		err = put_counters(m, store);
	if (!err && m->labels)
		err = put_journal_counters(m, store);
	if (!err && m->labels)
		err = labels_put(m->labels, store);
	if (err)
		return err;
	save_state(m, &c);
	c = (struct codec){ .data = common_bytes(m->common, c.at), .size = c.at };
	save_state(m, &c);
	return store_put_state(store, "model", m->id, c.data, c.at);
}

void
model_saved(struct model *m, bool landed)
{
	if (!m->dirty)
		return;
	if (m->labels)
		labels_saved(m->labels, landed);
	for (uint32_t i = 0; i < m->versions; i++)
		version_uncertainty_saved(m->version[i], landed);
	for (uint32_t i = 0; i < m->versions; i++)
		if (m->version[i]->ood)
			ood_saved(m->version[i]->ood, landed);
	if (!landed)
		return;
	for (uint32_t i = 0; i < m->streams; i++) {
		stream_reference_saved(m->stream[i]);
		m->stream[i]->dirty = false;
	}
	comparison_saved(m);
	m->ref_dirty = false;
	memcpy(m->counter_saved, m->counter, sizeof m->counter);
	m->dirty = false;
}

/* -- and back ----------------------------------------------------------------------------------------- */

static int
load_state(struct model *m, struct codec *c)
{
	uint32_t n;

	if (codec_get_u16(c) != STATE_VERSION)
		return ERR_CORRUPT;
	m->first_ms = codec_get_i64(c);
	m->plan_ms = codec_get_i64(c);
	m->expect_from_ms = codec_get_i64(c);
	m->expect_to_ms = codec_get_i64(c);
	codec_get_bytes(c, m->expect_glob, sizeof m->expect_glob);
	m->expect_glob[sizeof m->expect_glob - 1] = 0;
	m->expecting = codec_get_u8(c);
	m->window_open = codec_get_u8(c);
	m->window_ms = codec_get_i64(c);
	m->window_previous_ms = codec_get_i64(c);
	m->window_records = codec_get_u32(c);
	m->features->in_window = codec_get_u32(c);
	m->window_serial = codec_get_u64(c);
	m->refs = codec_get_u32(c);
	codec_get_bytes(c, m->harm, sizeof m->harm);
	m->harm[sizeof m->harm - 1] = 0;
	n = codec_get_u32(c);
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		uint64_t count = codec_get_u64(c);

		if (i < COUNTERS)
			m->counter[i] = m->counter_saved[i] = count;
	}
	silence_load(&m->silence, c);
	if (joint_load(m, c) || segments_load(m, c))
		return ERR_CORRUPT;
	n = codec_get_u32(c);
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		char text[LIMIT_TEXT_BYTES];
		uint32_t length = codec_get_u16(c), segment;
		struct version *v;

		if (length > sizeof text)
			return ERR_CORRUPT;
		codec_get_bytes(c, text, length);
		segment = codec_get_u32(c);
		if (segment && (!m->segments || segment > m->segments->n))
			return ERR_CORRUPT;
		v = model_version(m, segment ? m->segments->segment[segment - 1] : NULL, text, length);
		v->n_cal = codec_get_f64(c);
		v->level = codec_get_f64(c);
		v->form = codec_get_u8(c);
		v->members = codec_get_u32(c);
		v->logits = codec_get_u32(c);
		v->columns = codec_get_u32(c);
		v->draws = codec_get_u32(c);
		v->rows->in_window = codec_get_u32(c);
		if (v->form >= FORMS)
			return ERR_CORRUPT;
	}
	return c->bad ? ERR_CORRUPT : 0;
}

struct load {
	struct model *m;
	struct store *store;
	struct diag *d;
};

static bool
same(const struct stream_row *row, const struct stream *s)
{
	return strlen(stream_segment(s)) == row->key.segment_length &&
	       !memcmp(stream_segment(s), row->key.segment, row->key.segment_length) &&
	       s->field_length == row->key.field_length &&
	       !memcmp(s->field, row->key.field, row->key.field_length) &&
	       s->version_length == row->key.version_length &&
	       !memcmp(s->version, row->key.version, row->key.version_length);
}

/* Where a stream belongs in its model. */
static struct rows *
place(struct model *m, enum stream_kind kind, const struct stream_row *row, struct segment *g,
      struct version **v)
{
	*v = NULL;
	if (kind_table[kind].rows == ROWS_OWN)
		return m->own;
	if (kind_table[kind].rows == ROWS_ARRIVALS)
		return m->arrivals;
	if (kind_table[kind].rows == ROWS_RECORDS) {
		m->records = m->records ? m->records : must_calloc(1, sizeof *m->records);
		return m->records;
	}
	if (kind_table[kind].rows == ROWS_JOINT)
		return joint_place(m, row);
	if (kind_table[kind].rows == ROWS_FEATURES || (kind == STREAM_MISSING && !row->key.version_length)) {
		bool output = false;

		/* an output without a version has its gaps counted in the version '' */
		for (uint32_t i = 0; i < m->streams && kind == STREAM_MISSING; i++)
			output |= m->stream[i]->kind == STREAM_PREDICTION && same(row, m->stream[i]) &&
			          m->stream[i]->number + 1 == m->streams;
		if (!output && g) {
			g->features = g->features ? g->features : must_calloc(1, sizeof *g->features);
			g->features->segment = g;
		}
		if (!output)
			return g ? g->features : m->features;
	}
	*v = model_version(m, g, row->key.version, row->key.version_length);
	if (kind_table[kind].rows == ROWS_PROBES)
		return version_probes(*v);
	return kind_table[kind].rows == ROWS_OUTCOMES ? (*v)->outcomes : (*v)->rows;
}

static struct stream **
limited_slot(struct version *v, const struct stream *s)
{
	for (enum limited f = 0; f < LIMITED; f++)
		if (s->kind == limited_kind(f) && !strcmp(s->field, limited_name(f)))
			return &v->limited[f];
	return NULL;
}

static struct stream **
discrepancy_slot(struct version *v, const struct stream *s)
{
	for (enum discrepancy k = 0; k < DISCREPANCIES; k++)
		if (s->kind == discrepancy_kind(k) && !strcmp(s->field, discrepancy_name(k)))
			return &v->discrepancy[k];
	return NULL;
}

static struct stream **
uncertainty_slot(struct version *v, const struct stream *s)
{
	for (uint32_t f = 0; f < UNCERTAINTY_FIGURES; f++)
		if (!strcmp(s->field, uncertainty_names[f]))
			return &v->uncertainty[f];
	return NULL;
}

static void
bind(struct version *v, struct stream *s, struct rows *rows)
{
	struct stream **output = NULL;

	if (s->kind == STREAM_MISSING && rows->streams > 1)
		s->source = rows->stream[rows->streams - 2]; /* made right after its source */
	if (v && kind_table[s->kind].rows == ROWS_PROBES)
		version_probe_bind(v, s);
	if (!v || s->kind == STREAM_MISSING || kind_table[s->kind].rows == ROWS_PROBES)
		return;
	if (s->kind == STREAM_COVERAGE)
		output = !strcmp(s->field, "below") ? &v->below :
		         !strcmp(s->field, "above") ? &v->above :
		         !strcmp(s->field, COVERAGE_CONTRACT) ? &v->contract : &v->coverage;
	else if (s->kind == STREAM_ERROR)
		output = &v->error;
	else if (s->kind == STREAM_CONFIDENCE)
		output = &v->below_confidence;
	else if (s->kind == STREAM_SCORE)
		output = &v->label_score;
	else if (kind_table[s->kind].residual)
		output = discrepancy_slot(v, s);
	else if (kind_table[s->kind].rows == ROWS_OUTCOMES)
		output = limited_slot(v, s);
	else if (s->kind == STREAM_OOD && !ood_bind(s->model, v, s))
		output = &v->energy;
	else if (s->kind == STREAM_UNCERTAINTY)
		output = uncertainty_slot(v, s);
	else if (!strcmp(s->field, "value"))
		output = &v->value;
	else if (!strcmp(s->field, "width"))
		output = &v->width;
	else if (!strcmp(s->field, "set_size"))
		output = &v->set_size;
	else if (!strcmp(s->field, "score"))
		output = &v->score;
	else if (!strcmp(s->field, "class"))
		output = &v->klass;
	if (output)
		*output = s;
}

/* Streams come in the order in which they were made: their ids were given in that order. */
static int
load_stream(void *ctx, const struct stream_row *row)
{
	struct load *l = ctx;
	struct model *m = l->m;
	enum stream_kind kind = kind_find(row->key.kind);
	enum stream_type type = 0;
	struct segment *g = row->key.segment_length ?
		segment_find(m, row->key.segment, row->key.segment_length) : NULL;
	struct version *v;
	struct rows *rows;
	struct stream *s;
	size_t capacity;

	if (!strcmp(row->type, "labels")) {
		model_version(m, g, row->key.version, row->key.version_length)->label_stream_id = row->stream_id;
		return 0;
	}
	while (type <= STREAM_CATEGORICAL && strcmp(stream_type_text(type), row->type))
		type++;
	if (kind == STREAM_KINDS || type > STREAM_CATEGORICAL)
		return diag_set(l->d, ERR_CORRUPT, "stream %u has an unknown kind or type", row->stream_id);
	rows = place(m, kind, row, g, &v);
	if (!rows)
		return diag_set(l->d, ERR_CORRUPT, "stream %u belongs to nothing", row->stream_id);
	capacity = rows->stream_capacity;
	s = stream_create(m, g, kind, type, row->key.field, row->key.field_length, row->key.version,
	                  row->key.version_length, row->first_ms);
	s->id = row->stream_id;
	m->stream = must_grow(m->stream, &m->stream_capacity, m->streams + 1u, sizeof *m->stream);
	m->stream[m->streams++] = s;
	rows->stream = must_grow(rows->stream, &capacity, rows->streams + 1u, sizeof *rows->stream);
	rows->stream_capacity = (uint32_t)capacity;
	rows->stream[rows->streams++] = s;
	bind(v, s, rows);
	if (rows == m->own)
		own_bind(m, s);
	if (rows == m->arrivals)
		quality_bind(m, s);
	if (kind == STREAM_JOINT)
		joint_bind(m, s);
	return 0;
}

int
model_load(struct model *m, struct store *store, struct diag *d)
{
	struct load l = { m, store, d };
	uint8_t *blob = NULL;
	size_t length;
	int err = store_model_id(store, m->name, m->name_length, m->first_ms, &m->id);

	if (!err)
		err = store_get_state(store, "model", m->id, &blob, &length, d);
	if (!err && blob) {
		struct codec c = { .data = blob, .size = length };

		err = load_state(m, &c) ? diag_set(d, ERR_CORRUPT, "model %s: state is damaged", m->name) : 0;
	}
	free(blob);
	if (!err)
		err = store_each_stream(store, m->id, load_stream, &l);
	for (uint32_t i = 0; i < m->streams && !err; i++) {
		err = store_get_state(store, "stream", m->stream[i]->id, &blob, &length, d);
		if (!err && !blob)
			err = diag_set(d, ERR_CORRUPT, "stream %s of model %s has no state", m->stream[i]->name,
			               m->name);
		if (!err) {
			struct codec c = { .data = blob, .size = length };

			err = stream_load(m->stream[i], &c, store, d);
			/* the current or the last window, whatever its width */
			if (m->window_serial)
				m->stream[i]->put_until_ms = m->window_ms + DAY_MS;
		}
		free(blob);
		blob = NULL;
	}
	for (uint32_t i = 0; i < m->versions && !err; i++)
		if (m->version[i]->ood)
			err = ood_load(m, m->version[i], store, d);
	if (!err && m->labels)
		err = labels_load(m->labels, store, d);
	if (!err)
		err = comparison_load(m, store, d);
	m->dirty = false;
	return err;
}
