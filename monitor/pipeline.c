/* pipeline.c -- the loop over records; see pipeline.h. */
#include "monitor/pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/decode/decode.h"
#include "monitor/label/labels.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"
#include "monitor/source/merge.h"
#include "storage/store.h"

enum { TICK_MS = 60000 };

static const char *
topic_of(const void *context, uint32_t partition, int32_t *number)
{
	const struct pipeline *p = context;

	return p->source->vtable->topic(p->source, partition, number);
}

struct decoder *
pipeline_decoder(struct pipeline *p)
{
	return p->common.decoder;
}

/* -- start ------------------------------------------------------------------------------------------- */

static int
load_offset(void *ctx, const struct offset_row *row)
{
	struct pipeline *p = ctx;
	struct resume_list *r = &p->resume;

	r->item = must_grow(r->item, &r->capacity, r->n + 1, sizeof *r->item);
	r->item[r->n++] = (struct resume){
		.topic = must_strndup(row->topic, strlen(row->topic)),
		.partition = row->partition,
		.next_offset = row->next_offset,
		.anchor_offset = row->anchor_offset,
		.anchor_hash = row->anchor_hash,
		.epoch = row->epoch,
	};
	return 0;
}

const struct resume *
pipeline_resume(const struct pipeline *p, size_t *n)
{
	*n = p->resume.n;
	return p->resume.item;
}

static int64_t
meta_i64(struct store *store, const char *key, int64_t otherwise)
{
	char text[32];

	return store_get_meta(store, key, text, sizeof text) ? otherwise : strtoll(text, NULL, 10);
}

static int
load_counter(void *ctx, uint32_t model_id, const char *name, uint64_t n)
{
	struct pipeline *p = ctx;

	if (model_id || strncmp(name, "rejected_", 9))
		return 0;
	for (int i = 1; i < REJECT_COUNT; i++)
		if (!strcmp(name + 9, reject_text((enum reject)i))) {
			p->rejected[i] = p->rejected_saved[i] = n;
			p->rejected_total += n;
		}
	return 0;
}

/* A model of the database is loaded at once, so that its windows and labels go on with the watermark. */
static int
load_model(void *ctx, uint32_t model_id, const char *name, size_t length)
{
	struct pipeline *p = ctx;
	uint32_t number = decoder_model(p->common.decoder, name, (uint32_t)length);

	if (number == UINT32_MAX)
		return pipeline_note_removed(p, model_id, name, length);
	return pipeline_model(p, number) ? 0 : ERR_CORRUPT;
}

static int
load_episodes(struct pipeline *p, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	int err = store_get_state(p->store, "episodes", 0, &blob, &length, d);

	if (!err && blob) {
		struct codec c = { .data = blob, .size = length };

		err = episodes_load(&p->common.episodes, &c) ?
			diag_set(d, ERR_CORRUPT, "the open episodes are damaged") : 0;
	}
	free(blob);
	return err;
}

static void
choose_tick(struct pipeline *p)
{
	const struct config *c = p->config;
	int64_t width = c->defaults.windows.width_ms;

	p->tick_ms = TICK_MS;
	if (width && width < p->tick_ms)
		p->tick_ms = width;
	for (size_t i = 0; i < c->models + c->patterns; i++) {
		width = c->model[i].windows.width_ms;
		if (width && width < p->tick_ms)
			p->tick_ms = width;
	}
}

static void
set_tick(struct pipeline *p)
{
	int64_t rest = p->common.watermark_ms % p->tick_ms;

	p->next_tick_ms = p->common.watermark_ms - (rest < 0 ? rest + p->tick_ms : rest) + p->tick_ms;
}

int
pipeline_create(struct pipeline **out, const struct config *config, struct store *store,
                struct diag *d)
{
	struct pipeline *p = must_calloc(1, sizeof *p);
	struct common *c = &p->common;
	uint8_t key[16];
	int err;

	*out = NULL;
	p->config = c->config = config;
	p->store = c->store = store;
	store_id_hash_key(store, key);
	err = decoder_create(&c->decoder, config, key, d);
	common_scratch(c, 1);
	c->plan = (struct plan){ config->budget_alarms, config->budget_period_ms, plan_models(config), 0 };
	c->topic = topic_of;
	c->context = p;
	choose_tick(p);
	if (!err)
		err = pipeline_tenant(p, d);
	if (!err)
		err = store_each_offset(store, load_offset, p);
	c->first_watermark_ms = meta_i64(store, "first_watermark_ms", INT64_MIN);
	c->watermark_ms = meta_i64(store, "watermark_ms", INT64_MIN);
	c->sequence = (uint64_t)meta_i64(store, "sequence", 0);
	c->plan.latecomers = (uint32_t)meta_i64(store, "latecomers", 0);
	if (c->watermark_ms != INT64_MIN)
		set_tick(p);
	if (!err)
		err = store_each_counter(store, load_counter, p);
	if (!err)
		err = store_each_model(store, load_model, p);
	if (!err)
		err = load_episodes(p, d);
	if (!err)
		err = pipeline_removed(p, d);
	if (err) {
		if (d && !d->text[0])
			diag_set(d, err, "the database could not be read");
		pipeline_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void
pipeline_destroy(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->models; i++)
		model_destroy(p->model[i]);
	for (size_t i = 0; i < p->resume.n; i++)
		free((char *)(uintptr_t)p->resume.item[i].topic);
	merge_destroy(p->merge);
	decoder_destroy(p->common.decoder);
	runner_scratch_destroy(p->common.scratch);
	free(p->removed);
	outbound_finish(&p->common.outbound);
	episodes_finish(&p->common.episodes);
	free(p->common.sort);
	free(p->common.bytes);
	free(p->resume.item);
	free(p->model);
	free(p->numbered);
	free(p->position);
	free(p->held);
	free(p->command_done);
	free(p->command_result);
	pipeline_forget_finish(p);
	free(p);
}

int
pipeline_attach(struct pipeline *p, struct source *source, struct diag *d)
{
	int err;

	p->source = source;
	err = merge_create(&p->merge, source, p->common.decoder, p->config->merge_stall_ms, d);

	if (!err && p->common.watermark_ms != INT64_MIN)
		merge_set_watermark(p->merge, p->common.watermark_ms);
	return err;
}

void
pipeline_on_long_work(struct pipeline *p, bool (*interrupted)(void *context), void *context)
{
	p->interrupted = interrupted;
	p->interrupt_context = context;
}

struct model *
pipeline_model(struct pipeline *p, uint32_t number)
{
	struct diag d = { "" };
	struct model *m;

	p->numbered = must_grow(p->numbered, &p->number_capacity, number + 1u, sizeof *p->numbered);
	if (number >= p->numbers)
		p->numbers = number + 1;
	if (p->numbered[number])
		return p->numbered[number];
	m = p->numbered[number] = model_create(&p->common, number, &d);
	p->model = must_grow(p->model, &p->model_capacity, p->models + 1, sizeof *p->model);
	if (m)
		p->model[p->models++] = m;
	p->common.model = p->model;
	p->common.models = p->models;
	if (m && !config_model_is_listed(p->config, m->config))
		m->rank = ++p->ranked; /* of the database they come in the order of their creation */
	if (!m || model_load(m, p->store, &d)) {
		log_event(LOG_ERROR, "model", "%s", d.text);
		p->stop = true;
		return NULL;
	}
	m->dirty = true;
	return m;
}

/* -- records ------------------------------------------------------------------------------------------ */

static struct position *
position_of(struct pipeline *p, uint32_t partition)
{
	if (partition >= p->positions) {
		p->position = must_grow(p->position, &p->position_capacity, partition + 1u,
		                        sizeof *p->position);
		for (size_t i = p->positions; i <= partition; i++)
			p->position[i] = (struct position){ .next = -1, .anchor = -1, .saved_next = -1 };
		p->positions = partition + 1;
	}
	return &p->position[partition];
}

static void
processed(struct pipeline *p, uint32_t partition, int64_t offset, uint64_t hash)
{
	struct position *at = position_of(p, partition);

	at->next = offset + 1; /* no commit falls between rows of one message */
	at->anchor = offset;
	at->anchor_hash = hash;
	at->touched = true;
}

static int
by_time_and_hash(const void *a, const void *b)
{
	const struct label_event *x = &((const struct held_label *)a)->event;
	const struct label_event *y = &((const struct held_label *)b)->event;

	if (x->id_order != y->id_order)
		return x->id_order < y->id_order ? -1 : 1;
	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Labels of equal ts in the order of the hash of their id, so that a load sorted by outcome is harmless. */
void
pipeline_flush_held(struct pipeline *p)
{
	struct common *c = &p->common;
	uint64_t sequence = c->sequence;

	if (!p->helds)
		return;
	for (size_t i = 0; i < p->helds; i++) {
		const struct held_label *h = &p->held[i];

		processed(p, h->event.partition, h->event.offset, h->message_hash);
		p->position[h->event.partition].held = false;
	}
	qsort(p->held, p->helds, sizeof *p->held, by_time_and_hash);
	for (size_t i = 0; i < p->helds; i++) {
		struct model *m = pipeline_model(p, p->held[i].event.model);

		c->sequence = p->held[i].event.sequence;
		if (m)
			model_label(m, &p->held[i].event);
	}
	c->sequence = sequence;
	p->helds = 0;
}

static bool
is_label(const struct record *r)
{
	return !r->reject && r->parts & RECORD_LABEL &&
	       !(r->parts & (RECORD_FEATURES | RECORD_PREDICTION | RECORD_PROBE));
}

static void
hold_label(struct pipeline *p, const struct record *r)
{
	struct position *at = position_of(p, r->partition);
	struct held_label *h;
	struct label_event *e;
	uint32_t length = r->label.text.length;

	p->held = must_grow(p->held, &p->held_capacity, p->helds + 1, sizeof *p->held);
	h = &p->held[p->helds++];
	h->message_hash = r->message_hash;
	if (!at->held) {
		at->held = true;
		if (at->next < 0)
			at->next = r->offset;
	}
	e = &h->event;
	e->id_keyed = r->id_keyed;
	e->id_order = r->id_order;
	e->ts = r->ts;
	e->number = r->label.tag == CELL_NUMBER ? r->label.number : (double)NAN;
	e->score = r->label.tag == CELL_ABSENT || r->label.tag == CELL_NULL ? labels_score(r) : (double)NAN;
	if (length > LIMIT_TEXT_BYTES)
		length = LIMIT_TEXT_BYTES;
	memcpy(e->text, record_text(r, r->label.text), length);
	e->text_length = length;
	e->partition = r->partition;
	e->model = r->model;
	e->offset = r->offset;
	e->sequence = p->common.sequence;
	e->watermark_ms = p->common.watermark_ms;
}

void
pipeline_reject(struct pipeline *p, const struct record *r)
{
	int32_t number = 0;
	const char *topic = topic_of(p, r->partition, &number);

	p->rejected[r->reject]++;
	outbound_rejected(&p->common.outbound, r, p->rejected_total++);
	log_often(LOG_WARN, "rejected", "%s/%d/%lld: %s: %.90s (table `rejected` keeps the last %d)", topic,
	          number, (long long)r->offset, reject_text(r->reject), r->detail, LIMIT_REJECTED_ROWS);
}

static void
advance(struct pipeline *p, int64_t watermark_ms)
{
	struct common *c = &p->common;

	if (watermark_ms == INT64_MIN || watermark_ms <= c->watermark_ms)
		return;
	if (c->watermark_ms == INT64_MIN) {
		c->first_watermark_ms = c->watermark_ms = watermark_ms;
		set_tick(p);
		return;
	}
	c->watermark_ms = watermark_ms;
	if (watermark_ms < p->next_tick_ms)
		return;
	set_tick(p);
	for (size_t i = 0; i < p->models; i++)
		model_advance(p->model[i]);
}

static void
take_record(struct pipeline *p, const struct record *r, int64_t watermark_ms)
{
	bool label = is_label(r);
	struct model *m;

	p->common.partition = r->partition;
	p->common.offset = r->offset;
	p->common.row = r->row;
	p->within = r->more;
	pipeline_count_record(position_of(p, r->partition), r);
	if (p->helds && (!label || p->helds >= LIMIT_LABEL_RUN || r->ts != p->held[0].event.ts))
		pipeline_flush_held(p);
	advance(p, watermark_ms);
	p->common.sequence++;
	p->dirty = true;
	m = r->reject ? NULL : pipeline_admit(p, r->model);
	if (label && m) {
		hold_label(p, r);
		return;
	}
	processed(p, r->partition, r->offset, r->message_hash);
	if (r->reject)
		pipeline_reject(p, r);
	else if (m)
		model_record(m, r);
	else if (!p->stop)
		pipeline_refuse_model(p, r);
	if (p->common.outbound.statistics_count >= (p->roll_at ? p->roll_at : ROLL_ROWS))
		pipeline_roll(p);
}

/* -- events of the source ----------------------------------------------------------------------------- */

/* Where a partition begins is committed at once, even before its first record: "the end" or "the
 * beginning" is resolved once and never again. */
static void
begin_partition(struct pipeline *p, const struct source_event *e, const char *topic, int32_t number)
{
	struct position *at = position_of(p, e->partition);

	for (size_t i = 0; i < p->resume.n; i++) {
		const struct resume *r = &p->resume.item[i];

		if (r->partition == number && !strcmp(r->topic, topic)) {
			at->next = r->next_offset;
			at->anchor = r->anchor_offset;
			at->anchor_hash = r->anchor_hash;
		}
	}
	if (at->next < 0)
		at->next = e->from;
	at->touched = p->dirty = true;
}

static void
take_event(struct pipeline *p, const struct source_event *e)
{
	int32_t number = 0;
	const char *topic = e->kind == SOURCE_ERROR ? "" : topic_of(p, e->partition, &number);
	struct position *at;
	struct gap_out *g;

	if (e->kind == SOURCE_ERROR) {
		log_event(e->fatal ? LOG_ERROR : LOG_WARN, "source", "%s: %s", e->reason, e->text);
		p->stop |= e->fatal;
		return;
	}
	if (e->kind == SOURCE_PARTITION) {
		begin_partition(p, e, topic, number);
		return;
	}
	at = position_of(p, e->partition);
	at->touched = true; /* so that the next start does not find the same gap again */
	if (e->to < e->from) {
		at->next = e->to;
		at->anchor = -1;
	}
	g = outbound_gap(&p->common.outbound);
	g->partition = e->partition;
	g->from = e->from;
	g->to = e->to;
	g->at_ms = p->common.watermark_ms;
	strncpy(g->reason, e->reason, sizeof g->reason - 1);
	p->common.outbound.alert = p->dirty = true;
	log_event(LOG_ERROR, "gap", "%s/%d: records %lld to %lld cannot be read (%s): %s", topic, number,
	          (long long)e->from, (long long)e->to - 1, e->reason, e->text);
	if (p->config->on_gap_stop) {
		log_event(LOG_ERROR, "gap", "on_gap: stop; set `on_gap: continue` to go on");
		p->stop = true;
	}
}

enum pipeline_step
pipeline_records(struct pipeline *p, uint32_t max, int64_t now_ms)
{
	struct source_event event;

	while (p->source->vtable->event(p->source, &event))
		take_event(p, &event);
	for (uint32_t i = 0; (i < max && !p->stop) || p->within; i++) {
		const struct record *r;
		int64_t watermark_ms;
		enum merge_result result = merge_next(p->merge, now_ms, &r, &watermark_ms);
		uint32_t stalled = merge_stalled(p->merge);

		if (stalled != UINT32_MAX) {
			int32_t number = 0;
			const char *topic = topic_of(p, stalled, &number);

			pipeline_note(p, "merge_stall", "%s/%d gave nothing for merge_stall; going on without it",
			              topic, number);
		}
		if (result == MERGE_RECORD) {
			pipeline_prefetch(p);
			take_record(p, r, watermark_ms);
			continue;
		}
		if (result == MERGE_END)
			pipeline_flush_held(p);
		while (p->source->vtable->event(p->source, &event))
			take_event(p, &event);
		if (p->stop)
			break;
		return result == MERGE_END ? PIPELINE_END : PIPELINE_WAIT;
	}
	return p->stop ? PIPELINE_STOP : PIPELINE_MORE;
}

void
pipeline_put_open_windows(struct pipeline *p)
{
	pipeline_flush_held(p);
	for (size_t i = 0; i < p->models; i++)
		model_put_open_window(p->model[i]);
	p->last = p->dirty = true;
}

void
pipeline_status(const struct pipeline *p, struct pipeline_status *out)
{
	memset(out, 0, sizeof *out);
	out->records = p->common.sequence;
	out->rejected = p->rejected_total;
	out->commit_bytes = p->commit_bytes;
	out->alert_waiting = p->common.outbound.alert;
	out->dirty = p->dirty;
	out->watermark_ms = p->common.watermark_ms;
	out->bytes = sizeof *p + decoder_bytes(p->common.decoder) + (p->merge ? merge_bytes(p->merge) : 0);
	for (out->models = 0; out->models < p->models; out->models++) {
		out->streams += p->model[out->models]->streams;
		out->bytes += model_bytes(p->model[out->models]);
	}
}
