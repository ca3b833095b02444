/* stream_state.c -- a stream in the database: identity, standing of its detectors, one blob of state, and
 * the values of its references in chunks that are filled once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/alert/alert.h"
#include "monitor/label/explain.h"
#include "monitor/log.h"
#include "monitor/stream/model.h"

enum { STATE_VERSION = 1, CHUNK_VALUES = 512, LEARNED_BYTES = 20 };

static void
save_categories(const struct categories *c, struct codec *out)
{
	codec_put_u32(out, c->n);
	codec_put_u64(out, c->overflow);
	for (uint32_t i = 0; i < c->n; i++) {
		codec_put_u16(out, (uint16_t)c->length[i]);
		codec_put_bytes(out, c->text[i], c->length[i]);
		codec_put_u64(out, c->hash[i]);
	}
}

void
stream_save(const struct stream *s, struct codec *out)
{
	codec_put_u16(out, STATE_VERSION);
	codec_put_u8(out, (uint8_t)(s->learning | s->fitted << 1 | s->cells_provisional << 2 |
	                            (s->cells != NULL) << 3 | s->dependent << 4 | s->window_alerted << 5));
	codec_put_u32(out, s->generation);
	codec_put_u32(out, s->latecomer);
	codec_put_u32(out, s->learn_records);
	codec_put_u32(out, s->learner.capacity);
	codec_put_u32(out, s->learner.logged);
	codec_put_u32(out, s->references);
	codec_put_u32(out, s->row_values);
	codec_put_i64(out, s->first_ms);
	codec_put_i64(out, s->learn_from_ms);
	codec_put_f64(out, s->known_p0);
	codec_put_f64(out, s->known_level);
	codec_put_u32(out, s->warms);
	codec_put_u32(out, s->warm_window);
	if (s->warm) /* provisional cells are made of them again */
		codec_put_f64s(out, s->warm, s->warms);
	stream_save_tests(s, out);
	summary_save(&s->summary, out);
	episode_save(&s->episode, out);
	codec_put_bytes(out, s->episode_id, sizeof s->episode_id);
	codec_put_u64(out, s->settled_topic);
	codec_put_f64(out, s->standing_n);
	codec_put_f64(out, s->standing_sum);
	codec_put_f64(out, s->pace);
	codec_put_f64(out, s->pace_windows);
	codec_put_u64(out, s->pace_serial);
	if (s->categories)
		save_categories(s->categories, out);
	codec_put_u8(out, s->explain != NULL);
	if (s->explain)
		explain_save(s->explain, out);
	for (uint32_t i = 0; i < s->tests; i++)
		test_save(&s->test[i], out);
}

static int
load_categories(struct stream *s, struct codec *in)
{
	uint32_t n = codec_get_u32(in);

	s->categories->overflow = codec_get_u64(in);
	if (n > LIMIT_CATEGORIES)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < n && !in->bad; i++) {
		char text[LIMIT_TEXT_BYTES];
		uint32_t length = codec_get_u16(in);

		if (length > sizeof text)
			return ERR_CORRUPT;
		codec_get_bytes(in, text, length);
		if (stream_category(s, text, length, codec_get_u64(in)) != i)
			return ERR_CORRUPT;
	}
	return in->bad ? ERR_CORRUPT : 0;
}

/* `labels.explain` may be another one now: what has no room is left out. */
static bool
load_explain(struct stream *s, struct codec *in)
{
	struct explain *e = s->explain;
	bool fine;

	if (!codec_get_u8(in))
		return true;
	if (!e)
		e = explain_create(0);
	fine = explain_load(e, in);
	if (e != s->explain)
		explain_destroy(e);
	return fine;
}

int
stream_load(struct stream *s, struct codec *in, struct store *store, struct diag *d)
{
	struct saved_tests saved;
	uint32_t logged, references, capacity;
	uint8_t bits;
	bool cells;
	int err;

	if (codec_get_u16(in) != STATE_VERSION)
		return diag_set(d, ERR_CORRUPT, "stream %s: state of another version", s->name);
	bits = codec_get_u8(in);
	s->learning = bits & 1;
	s->fitted = bits & 2;
	s->cells_provisional = bits & 4;
	cells = bits & 8;
	s->dependent = bits & 16;
	s->window_alerted = bits & 32;
	s->generation = s->generation_saved = codec_get_u32(in);
	s->latecomer = codec_get_u32(in);
	s->learn_records = codec_get_u32(in);
	capacity = codec_get_u32(in);
	logged = codec_get_u32(in);
	references = codec_get_u32(in);
	s->row_values = codec_get_u32(in);
	s->first_ms = codec_get_i64(in);
	s->learn_from_ms = codec_get_i64(in);
	s->known_p0 = codec_get_f64(in);
	s->known_level = codec_get_f64(in);
	own_restate(s);
	s->warms = codec_get_u32(in);
	s->warm_window = codec_get_u32(in);
	if (s->warms > LIMIT_WARMUP || s->warm_window > s->warms || capacity > LIMIT_REFERENCE_MAX)
		return diag_set(d, ERR_CORRUPT, "stream %s: state out of range", s->name);
	if (capacity != s->learner.capacity) /* what it began with, whatever is configured today */
		stream_set_learner(s, capacity);
	if (s->warm && !(cells && !s->cells_provisional))
		codec_get_f64s(in, s->warm, s->warms);
	if (stream_load_tests(s, in, &saved))
		return diag_set(d, ERR_CORRUPT, "stream %s: tests out of range", s->name);
	summary_load(&s->summary, in);
	episode_load(&s->episode, in);
	codec_get_bytes(in, s->episode_id, sizeof s->episode_id);
	s->episode_id[sizeof s->episode_id - 1] = 0;
	s->settled_topic = codec_get_u64(in);
	s->standing_n = codec_get_f64(in);
	s->standing_sum = codec_get_f64(in);
	s->pace = codec_get_f64(in);
	s->pace_windows = codec_get_f64(in);
	s->pace_serial = codec_get_u64(in);
	s->settled_open = s->episode.open; /* news are settled before every commit */
	s->settled_ms = s->episode.started_ms;
	s->settled_opened_ms = s->episode.opened_ms;
	memcpy(s->settled_alert, s->episode.alert_id, sizeof s->settled_alert);
	s->settled_effect = s->episode.reported;
	err = s->categories ? load_categories(s, in) : 0;
	if (!err && !load_explain(s, in))
		err = ERR_CORRUPT;
	if (!err)
		err = stream_load_reference(s, store, logged, d);
	if (err || in->bad || s->references != references)
		return diag_set(d, ERR_CORRUPT, "stream %s: state and reference do not fit together",
		                s->name);
	stream_restore_cells(s, cells);
	s->cells_saved = s->cells && !s->cells_provisional;
	for (uint32_t i = 0; i < saved.n && !err; i++)
		err = saved.now[i] ? test_load(s, saved.now[i], in, d) : test_pass(s, in);
	if (!err && in->bad)
		err = diag_set(d, ERR_CORRUPT, "stream %s: state is cut off", s->name);
	stream_meter(s); /* with the share that it was given, not with one of today's plan */
	stream_suspend(s, s->episode.open || s->episode.expected);
	s->dirty = false;
	return err;
}

/* -- values in chunks ------------------------------------------------------------------------------- */

/* Parts of the chunks in each generation: the paging reference, and each test's own warm-up, by slot. */
enum { PART_REFERENCE, PART_WARMUP, PARTS = PART_WARMUP + LIMIT_TESTS };

static uint32_t
part_of(const struct stream *s, uint32_t which)
{
	return s->generation * PARTS + which;
}

static int
save_values(const struct stream *s, struct store *store, uint32_t which, const struct learned *v,
            uint32_t from, uint32_t n)
{
	uint8_t bytes[CHUNK_VALUES * LEARNED_BYTES];
	int err = 0;

	/* the last chunk is written again until it is full: what the table ends with does not depend on
	 * when commits happened */
	for (uint32_t at = from - from % CHUNK_VALUES; at < n && !err; at += CHUNK_VALUES) {
		struct codec c = { .data = bytes, .size = sizeof bytes };

		for (uint32_t i = at; i < n && i < at + CHUNK_VALUES; i++) {
			codec_put_u64(&c, v[i].order);
			codec_put_f64(&c, v[i].value);
			codec_put_u32(&c, (uint32_t)v[i].hour);
		}
		err = store_put_chunk(store, "ref", s->id, part_of(s, which), at / CHUNK_VALUES, bytes,
		                      c.at);
	}
	return err;
}

/* What is of no use any more: whether it was ever committed must not show. */
static int
delete_values(const struct stream *s, struct store *store)
{
	int err = 0;

	for (uint32_t part = s->generation_saved * PARTS; part < s->generation * PARTS && !err; part++)
		err = store_delete_part(store, "ref", s->id, part);
	for (uint32_t i = 0; i < s->tests && !err; i++)
		if (s->test[i].warmup_dropped)
			err = store_delete_part(store, "ref", s->id, part_of(s, PART_WARMUP + s->test[i].slot));
	return err;
}

int
stream_save_reference(struct stream *s, struct store *store)
{
	int err = delete_values(s, store);

	if (err)
		return err;
	if (s->learner.logged > s->log_saved)
		err = save_values(s, store, PART_REFERENCE, s->learner.log, s->log_saved, s->learner.logged);
	for (uint32_t i = 0; i < s->tests && !err; i++) {
		const struct test *t = &s->test[i];

		if (t->warmups && !t->warmup_saved)
			err = save_values(s, store, PART_WARMUP + t->slot, t->warmup, 0, t->warmups);
	}
	return err;
}

void
stream_reference_saved(struct stream *s)
{
	s->log_saved = s->learner.logged;
	s->cells_saved = s->cells && !s->cells_provisional;
	s->generation_saved = s->generation;
	for (uint32_t i = 0; i < s->tests; i++) {
		s->test[i].warmup_saved = s->test[i].warmups != 0;
		s->test[i].warmup_dropped = false;
	}
}

struct loading {
	struct stream *s;
	struct learned *warm[LIMIT_TESTS]; /* by slot */
	size_t warms[LIMIT_TESTS], warm_capacity[LIMIT_TESTS];
};

static int
load_chunk(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct loading *l = ctx;
	struct stream *s = l->s;
	uint8_t bytes[CHUNK_VALUES * LEARNED_BYTES];
	struct codec c = { .data = bytes, .size = length };

	(void)chunk;
	if (length > sizeof bytes || length % LEARNED_BYTES)
		return ERR_CORRUPT;
	memcpy(bytes, blob, length);
	for (size_t n = length / LEARNED_BYTES; n > 0; n--) {
		struct learned v;

		v.order = codec_get_u64(&c);
		v.value = codec_get_f64(&c);
		v.hour = (int32_t)codec_get_u32(&c);
		if (s->categories && !(v.value >= 0 && v.value < s->categories->n))
			return ERR_CORRUPT;
		for (uint32_t slot = 0; slot < LIMIT_TESTS; slot++)
			if (part == part_of(s, PART_WARMUP + slot)) {
				l->warm[slot] = must_grow(l->warm[slot], &l->warm_capacity[slot],
				                          l->warms[slot] + 1, sizeof v);
				l->warm[slot][l->warms[slot]++] = v;
			}
		if (part == part_of(s, PART_REFERENCE)) {
			if (s->fitted) {
				size_t capacity = s->learner.log_capacity;

				s->learner.log = must_grow(s->learner.log, &capacity,
				                           s->learner.logged + 1u, sizeof v);
				s->learner.log_capacity = (uint32_t)capacity;
				s->learner.log[s->learner.logged++] = v;
			} else {
				learner_offer(&s->learner, &v);
			}
		}
	}
	return 0;
}

int
stream_load_reference(struct stream *s, struct store *store, uint32_t logged, struct diag *d)
{
	struct loading l = { .s = s };
	int err = store_each_chunk(store, "ref", s->id, load_chunk, &l, d);

	for (uint32_t i = 0; i < s->tests; i++) {
		struct test *t = &s->test[i];

		if (l.warms[t->slot] < t->warmups)
			err = ERR_CORRUPT;
		else if (t->warmups) { /* a slot may have had another test before */
			t->warmup = l.warm[t->slot];
			l.warm[t->slot] = NULL;
		}
		t->warmup_saved = t->warmups != 0;
	}
	for (uint32_t slot = 0; slot < LIMIT_TESTS; slot++)
		free(l.warm[slot]);
	s->log_saved = s->learner.logged;
	if (!err && s->learner.logged != logged)
		err = diag_set(d, ERR_CORRUPT, "stream %s: %u reference values where %u belong", s->name,
		               s->learner.logged, logged);
	if (err || s->learning)
		return err;
	if (s->kind == STREAM_JOINT) { /* made of those of the features, which were loaded before */
		if (s->vector && s->model->joint->running)
			joint_take_reference(s);
		return 0;
	}
	s->references = s->fitted ? s->learner.logged : s->learner.held;
	s->reference = must_calloc(s->references, sizeof *s->reference);
	if (!s->fitted)
		learner_take(&s->learner, s->reference);
	else if (s->references)
		memcpy(s->reference, s->learner.log, s->references * sizeof *s->reference);
	return 0;
}

/* -- put -------------------------------------------------------------------------------------------- */

static uint32_t
detector_id(const struct stream *s, uint32_t slot)
{
	return s->id * LIMIT_TESTS + slot;
}

static int
put_detector(struct test *t, struct store *store)
{
	struct stream *s = t->stream;
	struct runner_status st;
	struct change ch = { 0 };
	struct detector_row row = { 0 };
	int err;

	if (!t->runner)
		return 0;
	t->detector_id = detector_id(s, t->slot);
	err = store_detector_id(store, t->detector_id, s->id, t->method, test_role_text(t->role));
	runner_status(t->runner, &st);
	row.detector_id = t->detector_id;
	row.params = t->params;
	row.fingerprint = t->fingerprint;
	row.promise = promise_text(test_promise(t));
	row.season = t->keyed ? season_text(s->season->season) : "";
	row.share = t->role == TEST_PAGING ? t->share : 0;
	row.step = st.step;
	row.used = st.used;
	row.statistic = st.statistic;
	if (t->role == TEST_UNBUDGETED)
		row.alarms_apart = t->alarms;
	if (t->role == TEST_PAGING) {
		row.spent = t->spent_past;
		row.spent_apart = t->spent_past_apart;
		*(st.promise == PROMISE_CERTIFIED ? &row.spent : &row.spent_apart) += st.spent;
		*(st.promise == PROMISE_CERTIFIED ? &row.alarms : &row.alarms_apart) = t->alarms;
	}
	row.effect = row.effect_low = row.effect_high = row.old_value = row.new_value = (double)NAN;
	row.since_ms = INT64_MIN;
	row.effect_unit = stream_unit(s);
	if (runner_change(t->runner, &ch) && ch.records) {
		row.effect = ch.effect;
		row.effect_low = ch.low;
		row.effect_high = ch.high;
		row.since_ms = ch.start_ms;
		row.old_value = ch.old_value;
		row.new_value = ch.new_value;
		row.material = test_material(t);
	}
	return err ? err : store_put_detector(store, &row);
}

int
stream_identity(struct stream *s)
{
	struct stream_key key = {
		.model_id = s->model->id,
		.segment = stream_segment(s),
		.segment_length = s->segment ? s->segment->length : 0,
		.kind = kind_table[s->kind].name,
		.field = s->field,
		.field_length = s->field_length,
		.version = s->version,
		.version_length = s->version_length,
	};

	return store_stream_id(s->model->common->store, &key, stream_type_text(s->type), s->first_ms,
	                       &s->id);
}

int
stream_put(struct stream *s, struct store *store)
{
	struct codec c = { .measure = true, .size = SIZE_MAX };
	int err;

	if (!s->dirty)
		return 0;
	err = stream_save_reference(s, store);
	if (!err)
		err = stream_put_cells(s, store);
	for (uint32_t slot = 0; slot < LIMIT_TESTS && !err; slot++)
		if (s->retired >> slot & 1)
			err = store_drop_detector(store, detector_id(s, slot));
	for (uint32_t i = 0; i < s->tests && !err; i++)
		err = put_detector(&s->test[i], store);
	if (err)
		return err;
	stream_save(s, &c);
	c = (struct codec){ .data = common_bytes(s->model->common, c.at), .size = c.at };
	stream_save(s, &c);
	return store_put_state(store, "stream", s->id, c.data, c.at);
}
