/* ood_state.c -- out-of-distribution scores of a version in the database: what changes, the rows of the
 * reference, and back. The panel is not stored: its rows make it again, bit for bit. */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "monitor/log.h"
#include "monitor/ood/ood_inside.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

enum { STATE_VERSION = 1 };

static void
save(const struct ood *o, struct codec *c)
{
	codec_put_u16(c, STATE_VERSION);
	for (int i = 0; i < OOD_INPUTS; i++)
		codec_put_u32(c, o->width[i]);
	for (uint32_t i = 0; i < o->width[OOD_FEATURES]; i++)
		codec_put_u32(c, o->feature[i]->number);
	codec_put_u8(c, (uint8_t)(o->ready | o->retired << 1));
	codec_put_u32(c, o->generation);
	codec_put_i64(c, o->learn_from_ms);
	codec_put_u64(c, o->taken);
	codec_put_u32(c, o->ready ? o->held : o->sample.held);
	codec_put_u64(c, o->made_by);
	codec_put_bytes(c, o->name, sizeof o->name);
	ood_windows_save(o, c);
}

int
ood_put(struct ood *o, struct store *store)
{
	struct codec c = { .measure = true, .size = SIZE_MAX };
	uint32_t id;
	int err = 0;

	if (!o->dirty || !o->shaped || !o->panel_stream)
		return 0;
	id = o->panel_stream->id;
	for (uint32_t part = o->generation_saved; part < o->generation && !err; part++)
		err = store_delete_part(store, "ood", id, part);
	if (!err)
		err = ood_sample_put(&o->sample, store, id, o->generation);
	if (!err && o->reference_changed)
		err = store_put_ood_reference(store, &o->reference);
	if (!err)
		err = ood_windows_put(o, store);
	if (err)
		return err;
	save(o, &c);
	c = (struct codec){ .data = common_bytes(o->model->common, c.at), .size = c.at };
	save(o, &c);
	return store_put_state(store, "ood", id, c.data, c.at);
}

void
ood_saved(struct ood *o, bool landed)
{
	if (!landed)
		return;
	ood_sample_saved(&o->sample);
	if (o->ready)
		ood_sample_finish(&o->sample);
	o->windows.closes = o->windows.keeps = 0;
	o->generation_saved = o->generation;
	o->reference_changed = false;
	o->dirty = false;
}

bool
ood_bind(struct model *m, struct version *v, struct stream *s)
{
	bool panel = !strcmp(s->field, "panel");

	if (s->kind != STREAM_OOD || (!panel && strcmp(s->field, "support") != 0))
		return false;
	if (!v->ood)
		ood_create(m, v);
	*(panel ? &v->ood->panel_stream : &v->ood->support) = s;
	return true;
}

static int
load(struct ood *o, struct codec *c, uint32_t *held)
{
	struct model *m = o->model;
	uint8_t bits;

	if (codec_get_u16(c) != STATE_VERSION)
		return -1;
	for (int i = 0; i < OOD_INPUTS; i++)
		if ((o->width[i] = codec_get_u32(c)) > SCORE_WIDTH_MAX)
			return -1;
	o->feature = must_calloc(o->width[OOD_FEATURES], sizeof(struct stream *));
	for (uint32_t i = 0; i < o->width[OOD_FEATURES]; i++) {
		uint32_t number = codec_get_u32(c);

		if (number >= m->streams || m->stream[number]->kind != STREAM_FEATURE || m->stream[number]->code)
			return -1;
		o->feature[i] = m->stream[number];
	}
	bits = codec_get_u8(c);
	o->ready = bits & 1;
	o->retired = bits >> 1 & 1;
	o->generation = o->generation_saved = codec_get_u32(c);
	o->learn_from_ms = codec_get_i64(c);
	o->taken = codec_get_u64(c);
	*held = codec_get_u32(c);
	o->made_by = codec_get_u64(c);
	codec_get_bytes(c, o->name, sizeof o->name);
	o->name[sizeof o->name - 1] = '\0';
	return ood_windows_load(o, c) || c->bad ? -1 : 0;
}

/* Another configuration makes other scores of the same rows: the streams begin again with these. */
static void
restart_streams(struct ood *o)
{
	struct common *c = o->model->common;
	struct stream *of[] = { o->panel_stream, o->support };

	for (int i = 0; i < 2; i++)
		if (of[i])
			stream_rebaseline(of[i], 0, c->watermark_ms, &c->outbound);
	ood_teach_streams(o);
	c->at_ms = c->watermark_ms;
	for (int i = 0; i < 2; i++)
		if (of[i])
			stream_fitted(of[i], NULL);
	o->dirty = o->model->dirty = true;
}

/* The panel anew from its rows. */
static int
build(struct ood *o, uint32_t held, struct store *store, struct diag *d)
{
	uint64_t made_by = o->made_by;
	int err;

	if (!ood_shape_again(o)) {
		log_event(LOG_WARN, "ood", "%.*s: the scores that are configured now do not suit what the reference "
		          "holds; out-of-distribution scores stop", (int)o->model->name_length, o->model->name);
		o->ready = false;
		o->shaped = false;
		return 0;
	}
	if (o->retired)
		return 0;
	if (held > o->sample.capacity)
		o->sample.capacity = held;
	err = ood_sample_load(&o->sample, store, o->panel_stream->id, o->generation, held, d);
	if (!err && o->ready) {
		err = ood_build(o, d);
		o->reference.source = o->name;
		o->reference_changed = true;
		if (!err && o->made_by != made_by)
			restart_streams(o);
		ood_sample_finish(&o->sample);
	}
	return err;
}

int
ood_load(struct model *m, struct version *v, struct store *store, struct diag *d)
{
	struct ood *o = v->ood;
	uint8_t *blob = NULL;
	size_t length;
	uint32_t held = 0;
	int err = store_get_state(store, "ood", o->panel_stream ? o->panel_stream->id : 0, &blob, &length, d);

	if (!err && !blob)
		return 0; /* the stream is there, and no record of it is in the database yet */
	if (!err) {
		struct codec c = { .data = blob, .size = length };

		err = load(o, &c, &held) ? diag_set(d, ERR_CORRUPT, "model %s: the state of out-of-distribution scores is "
		                                    "damaged", m->name) : 0;
	}
	free(blob);
	return err ? err : build(o, held, store, d);
}
