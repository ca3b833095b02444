/* labels_state.c -- what labels.c must find again after a restart. The journal keeps itself; windows are
 * parts of WINDOWS_PART entries, the last of which is written again until it is full;
 * the rest is one blob. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "monitor/label/confidence.h"
#include "monitor/label/labels_inside.h"

enum { STATE_VERSION = 3, WINDOW_BYTES = 24 };

static void
save_state(const struct labels *l, struct codec *c)
{
	codec_put_u16(c, STATE_VERSION);
	codec_put_u32(c, l->classes.n);
	for (uint32_t i = 0; i < l->classes.n; i++) {
		codec_put_u16(c, (uint16_t)l->classes.length[i]);
		codec_put_bytes(c, l->classes.text[i], l->classes.length[i]);
	}
	codec_put_u32(c, l->probs);
	for (uint32_t k = 0; k < l->probs; k++)
		codec_put_u16(c, l->prob_class[k]);
	forecast_save(&l->forecast, c);
	codec_put_u32(c, l->levels);
	codec_put_f64s(c, l->level, l->levels);
	codec_put_i64(c, l->width_ms);
	codec_put_u8(c, l->arrival_order);
	codec_put_f64(c, l->volume_ms);
	codec_put_u32(c, l->recent_at);
	codec_put_u32(c, l->recents);
	codec_put_u32(c, l->since_tested);
	for (uint32_t i = 0; i < l->recents; i++) {
		const struct recent *r = &l->recent[i];

		codec_put_f64(c, r->delay);
		codec_put_i64(c, r->arrival_ms);
		codec_put_u8(c, (uint8_t)(r->miss | r->wrong << 1 | r->has_miss << 2 | r->has_wrong << 3));
	}
	codec_put_u32(c, l->twins);
	for (uint32_t i = 0; i < l->twins; i++)
		codec_put_u16(c, l->twin[i]);
	codec_put_u64(c, l->window_base);
	codec_put_u64(c, l->windows);
	codec_put_u64(c, l->mature_serial);
	codec_put_u8(c, l->windows ? l->window[l->windows - 1].closed : 0);
	for (size_t i = 0; i < l->windows; i += 8) {
		uint8_t bits = 0;

		for (size_t j = i; j < i + 8 && j < l->windows; j++)
			bits |= (uint8_t)(l->window[j].taken << (j - i));
		codec_put_u8(c, bits);
	}
}

static int
put_windows(struct labels *l, struct store *store)
{
	uint8_t bytes[WINDOWS_PART * WINDOW_BYTES];
	uint64_t end = l->window_base + l->windows, from = l->saved_serial;
	int err = 0;

	if (from < l->window_base)
		from = l->window_base;
	for (uint64_t at = from - from % WINDOWS_PART; at < end && !err; at += WINDOWS_PART) {
		struct codec c = { .data = bytes, .size = sizeof bytes };

		for (uint64_t s = at < l->window_base ? l->window_base : at;
		     s < end && s < at + WINDOWS_PART; s++) {
			const struct label_window *w = &l->window[s - l->window_base];

			codec_put_i64(&c, w->window_ms);
			codec_put_i64(&c, w->end_ms);
			codec_put_u64(&c, w->first_row);
		}
		err = store_put_chunk(store, "windows", l->model->id, (uint32_t)(at / WINDOWS_PART), 0,
		                      bytes, c.at);
	}
	l->deleting_part = l->window_base / WINDOWS_PART;
	for (uint64_t p = l->deleted_part; p < l->deleting_part && !err; p++)
		err = store_delete_part(store, "windows", l->model->id, (uint32_t)p);
	return err;
}

int
labels_identity(struct labels *l, struct version *v)
{
	struct stream_key key = {
		.model_id = l->model->id,
		.segment = v->segment ? v->segment->text : "",
		.segment_length = v->segment ? v->segment->length : 0,
		.kind = "labels",
		.field = "",
		.version = v->text,
		.version_length = v->length,
	};

	return store_stream_id(l->model->common->store, &key, "labels", l->model->first_ms,
	                       &v->label_stream_id);
}

int
labels_put(struct labels *l, struct store *store)
{
	struct codec c = { .measure = true, .size = SIZE_MAX };
	int err = put_windows(l, store);

	if (!err)
		err = label_rows_put(l, store);
	if (!err)
		err = store_finish_label_rows(store, l->model->id, labels_deadline(l));
	if (!err)
		err = labels_put_link(l, store);
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		err = recalibration_put(l, l->model->version[i], store);
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		err = confidence_put(l->model, l->model->version[i], store);
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		err = discrepancy_put(l, l->model->version[i], store);
	if (!err)
		err = explain_columns_put(&l->explained, l->model, store);
	if (!err)
		err = probes_put(l, store);
	journal_set_model(l->journal, l->model->id);
	if (!err)
		err = journal_save(l->journal, store);
	if (err)
		return err;
	save_state(l, &c);
	c = (struct codec){ .data = common_bytes(l->model->common, c.at), .size = c.at };
	save_state(l, &c);
	return store_put_state(store, "labels", l->model->id, c.data, c.at);
}

void
labels_saved(struct labels *l, bool landed)
{
	label_rows_saved(l, landed);
	probes_saved(l, landed);
	if (!landed) {
		journal_unsave(l->journal);
		return;
	}
	journal_saved(l->journal);
	l->explained.dirty = false;
	for (uint32_t i = 0; i < l->model->versions; i++)
		recalibration_saved(l->model->version[i]->recalibration);
	for (uint32_t i = 0; i < l->model->versions; i++)
		if (l->model->version[i]->confidence)
			l->model->version[i]->confidence->dirty = false;
	for (uint32_t i = 0; i < l->model->versions; i++)
		l->model->version[i]->residuals_dirty = false;
	l->deleted_part = l->deleting_part;
	l->saved_serial = l->window_base + l->windows - (l->windows ? 1 : 0);
}

/* -- and back ----------------------------------------------------------------------------------------- */

static int
load_window_part(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct labels *l = ctx;
	uint8_t bytes[WINDOWS_PART * WINDOW_BYTES];
	struct codec c = { .data = bytes, .size = length };
	uint64_t serial = (uint64_t)part * WINDOWS_PART;

	if (length > sizeof bytes || length % WINDOW_BYTES || chunk)
		return ERR_CORRUPT;
	memcpy(bytes, blob, length);
	if (serial < l->window_base) /* the first part may begin with the base */
		serial = l->window_base;
	for (size_t n = length / WINDOW_BYTES; n > 0; n--, serial++) {
		struct label_window w = { .closed = true };

		w.window_ms = codec_get_i64(&c);
		w.end_ms = codec_get_i64(&c);
		w.first_row = codec_get_u64(&c);
		if (serial - l->window_base < l->windows) {
			w.taken = l->window[serial - l->window_base].taken;
			l->window[serial - l->window_base] = w;
		}
	}
	return 0;
}

static int
load_state(struct labels *l, struct codec *c, bool *last_closed)
{
	uint32_t n;

	if (codec_get_u16(c) != STATE_VERSION)
		return ERR_CORRUPT;
	n = codec_get_u32(c);
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		char text[LIMIT_TEXT_BYTES];
		uint32_t length = codec_get_u16(c);

		if (n > LIMIT_CLASSES || length > sizeof text)
			return ERR_CORRUPT;
		codec_get_bytes(c, text, length);
		labels_class(l, text, length);
	}
	l->probs = codec_get_u32(c);
	if (l->probs > LIMIT_CLASSES)
		return ERR_CORRUPT;
	for (uint32_t k = 0; k < l->probs; k++) {
		l->prob_class[k] = codec_get_u16(c);
		if (l->prob_class[k] < LIMIT_CLASSES)
			l->class_prob[l->prob_class[k]] = (uint16_t)k;
	}
	if (!forecast_load(&l->forecast, c))
		return ERR_CORRUPT;
	l->levels = codec_get_u32(c);
	if (l->levels > LEVELS_MAX)
		return ERR_CORRUPT;
	codec_get_f64s(c, l->level, l->levels);
	l->width_ms = codec_get_i64(c);
	l->arrival_order = codec_get_u8(c);
	l->volume_ms = codec_get_f64(c);
	l->recent_at = codec_get_u32(c) % RECENT_LABELS;
	l->recents = codec_get_u32(c);
	l->since_tested = codec_get_u32(c);
	if (l->recents > RECENT_LABELS)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < l->recents; i++) {
		struct recent *r = &l->recent[i];
		uint8_t bits;

		r->delay = codec_get_f64(c);
		r->arrival_ms = codec_get_i64(c);
		bits = codec_get_u8(c);
		r->miss = bits & 1;
		r->wrong = bits >> 1 & 1;
		r->has_miss = bits >> 2 & 1;
		r->has_wrong = bits >> 3 & 1;
	}
	l->twins = codec_get_u32(c);
	if (l->twins > TWINS_MAX)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < l->twins; i++)
		l->twin[i] = codec_get_u16(c);
	l->window_base = codec_get_u64(c);
	l->windows = codec_get_u64(c);
	l->mature_serial = codec_get_u64(c);
	*last_closed = codec_get_u8(c);
	if (c->bad || l->windows > (c->size - c->at) * 8)
		return ERR_CORRUPT;
	l->window = must_grow(l->window, &l->window_capacity, l->windows + 1, sizeof *l->window);
	for (size_t i = 0; i < l->windows; i += 8) {
		uint8_t bits = codec_get_u8(c);

		for (size_t j = i; j < i + 8 && j < l->windows; j++)
			l->window[j].taken = bits >> (j - i) & 1;
	}
	return c->bad ? ERR_CORRUPT : 0;
}

/* Counts of the windows, from the rows themselves. */
static void
count_windows(struct labels *l)
{
	for (uint64_t n = journal_first(l->journal); n < journal_end(l->journal); n++) {
		const struct journal_row *row = journal_get(l->journal, n);
		struct label_window *w = row ? label_window(l, row->window) : NULL;

		if (!w)
			continue;
		w->predictions++;
		w->labelled += (row->flags & JOURNAL_DONE) != 0;
	}
}

int
labels_load(struct labels *l, struct store *store, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	struct codec c;
	bool last_closed = false;
	int err = store_get_state(store, "labels", l->model->id, &blob, &length, d);

	l->store = store;
	journal_set_model(l->journal, l->model->id);
	if (err || !blob)
		return err;
	c = (struct codec){ .data = blob, .size = length };
	err = load_state(l, &c, &last_closed);
	free(blob);
	if (err)
		return diag_set(d, err, "labels of model %s: state is damaged", l->model->name);
	journal_fix_probs(l->journal, labels_payload(l) + labels_kept(l)); /* `revision` may be another now */
	err = store_each_chunk(store, "windows", l->model->id, load_window_part, l, d);
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		err = recalibration_load(l, l->model->version[i], store, d);
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		err = confidence_load(l->model, l->model->version[i], store, d);
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		err = discrepancy_load(l, l->model->version[i], store, d);
	if (!err)
		err = explain_columns_load(&l->explained, l->model, store, d);
	if (!err)
		err = probes_load(l, store, d);
	if (!err)
		err = journal_load(l->journal, store, d);
	if (err)
		return err;
	if (journal_probs_width(l->journal))
		l->prob_scratch = must_calloc(labels_payload(l) + KEPT, sizeof *l->prob_scratch);
	if (l->windows)
		l->window[l->windows - 1].closed = last_closed;
	l->deleted_part = l->deleting_part = l->window_base / WINDOWS_PART;
	l->saved_serial = l->window_base + l->windows - (l->windows ? 1 : 0);
	count_windows(l);
	return 0;
}
