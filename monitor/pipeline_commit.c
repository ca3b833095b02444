/* pipeline_commit.c -- one transaction: identities, states, statistics, alerts, offsets. See pipeline.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/config.h"
#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "monitor/alert/alert.h"
#include "monitor/alert/explanation.h"
#include "monitor/clock.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"
#include "monitor/source/merge.h"
#include "storage/store.h"

enum { RETAIN_ROWS = 2000, RETAIN_ALL = 1000000 };

static const char *
topic_of(const struct pipeline *p, uint32_t partition, int32_t *number)
{
	return p->source->vtable->topic(p->source, partition, number);
}

/* Where the next start will read on. */
static int64_t
resume_offset(const struct pipeline *p, size_t partition)
{
	const struct position *at = &p->position[partition];
	int64_t read = merge_position(p->merge, (uint32_t)partition);

	return at->held || read < at->next ? at->next : read;
}

static int
put_offsets(struct pipeline *p)
{
	int err = 0;

	for (size_t i = 0; i < p->positions && !err; i++) {
		struct position *at = &p->position[i];
		struct offset_row row = {
			.next_offset = resume_offset(p, i),
			.anchor_offset = at->anchor,
			.anchor_hash = at->anchor_hash,
			.end_offset = p->source->vtable->end_offset(p->source, (uint32_t)i),
			.epoch = p->source->vtable->epoch(p->source, (uint32_t)i),
		};

		if (!at->touched || (row.next_offset == at->saved_next && row.end_offset == at->saved_end))
			continue; /* what the database says of it still holds */
		at->written_next = row.next_offset;
		at->written_end = row.end_offset;
		row.topic = topic_of(p, (uint32_t)i, &row.partition);
		err = store_put_offset(p->store, &row);
	}
	return err;
}

static int
put_statistics(struct pipeline *p)
{
	struct outbound *o = &p->common.outbound;
	int err = 0;

	for (size_t i = 0; i < o->statistics_count && !err; i++) {
		struct statistics_row row = o->statistics[i].row;

		row.stream_id = o->statistics[i].stream->id;
		pipeline_note_put(&o->statistics[i]);
		err = store_put_statistics(p->store, &row);
	}
	return err;
}

/* How the test took care of records that hang together. */
static void
dependence_words(const struct news *n, char *out, size_t size)
{
	int at = snprintf(out, size, n->step > 1 ? "every %u-th record" : "records used as they come", n->step);

	if (n->season && *n->season && at > 0 && (size_t)at < size)
		snprintf(out + at, size - (size_t)at, ", compared by %s",
		         !strcmp(n->season, "day") ? "hour of the day" :
		         !strcmp(n->season, "week") ? "hour of the week" : "day of the week");
}

int
pipeline_put_outbox(struct pipeline *p, const struct alert_row *row, const struct stream *s,
                    const char *event, const struct news *n)
{
	char *body = alert_body(row, s, event, n);
	int err = store_put_outbox(p->store, row->alert_id, event, body,
	                           p->config->alert_mode == ALERTS_SHADOW);

	free(body);
	return err;
}

static const struct stream *
stream_of_id(const struct pipeline *p, uint32_t id)
{
	for (size_t k = 0; k < p->models; k++)
		for (uint32_t i = 0; i < p->model[k]->streams; i++)
			if (p->model[k]->stream[i]->id == id)
				return p->model[k]->stream[i];
	return NULL;
}

/* The message of an episode names its lead, and tells the news. */
static int
put_message(struct pipeline *p, const struct alert_row *news, const struct news *n)
{
	const struct stream *s = stream_of_id(p, n->lead_stream);
	struct alert_row row = *news;

	s = s ? s : n->stream;
	memcpy(row.alert_id, n->lead, sizeof row.alert_id);
	row.kind = kind_table[s->kind].alert;
	row.opened_ms = n->lead_opened_ms;
	row.started_ms = n->lead_started_ms;
	if (n->kind == NEWS_OVER) /* the last of them */
		row.state = "resolved";
	return pipeline_put_outbox(p, &row, s, n->told, n);
}

static int
put_news(struct pipeline *p, const struct news *n)
{
	static const char *const event[] = { "open", "updated", "resolved", "acknowledged",
		                             "explained", "noted" };
	struct stream *s = n->stream;
	bool over = n->kind == NEWS_OVER || n->kind == NEWS_NOTE;
	char promise[160], dependence[80];
	struct alert_row row = {
		.stream_id = s->id,
		.kind = kind_table[s->kind].alert,
		.severity = alert_severity(n),
		.promise = promise_text(n->promise),
		.method = n->method,
		.state = over ? "resolved" : s->episode.acknowledged ? "acknowledged" : "open",
		.resolved_by = n->resolved_by,
		.opened_ms = n->opened_ms,
		.started_ms = n->started_ms,
		.updated_ms = n->at_ms,
		.resolved_ms = over ? n->at_ms : INT64_MIN,
		.statistic = n->statistic,
		.effect = n->effect.size,
		.effect_low = n->effect.low,
		.effect_high = n->effect.high,
		.old_value = n->effect.old_value,
		.new_value = n->effect.new_value,
		.effect_unit = stream_unit(s),
		.explanation = n->explanation,
		.harm = n->harm,
		.moved = *n->moved ? n->moved : NULL,
		.diagnosis = *n->diagnosis ? n->diagnosis : NULL,
		.text = n->text,
	};
	int err;

	/* the alert keeps how big it was */
	if (n->kind != NEWS_OPEN && n->kind != NEWS_WORSE && n->kind != NEWS_NOTE) {
		row.severity = NULL;
		row.effect = row.effect_low = row.effect_high = (double)NAN;
		row.old_value = row.new_value = (double)NAN;
	}
	memcpy(row.alert_id, n->alert_id, sizeof row.alert_id);
	memcpy(row.episode_id, n->episode_id, sizeof row.episode_id);
	alert_promise_words(&p->common, n->promise, promise, sizeof promise);
	dependence_words(n, dependence, sizeof dependence);
	row.promise_words = promise;
	if (n->kind == NEWS_OPEN || n->kind == NEWS_NOTE) {
		row.dependence = dependence;
		row.topic = topic_of(p, n->partition, &row.partition);
		row.offset = n->offset;
		err = store_insert_alert(p->store, &row);
	} else {
		err = store_update_alert(p->store, &row);
	}
	if (!err)
		err = store_put_alert_event(p->store, n->alert_id, n->event, event[n->kind], n->at_ms,
		                            n->statistic, n->effect.size, n->text);
	for (uint32_t i = 0; n->findings && i < n->findings->n && !err; i++) {
		struct explanation_row place;

		explanation_row(n->findings, i, &place);
		err = store_put_explanation(p->store, n->alert_id, i + 1, &place);
	}
	if (!err && n->findings)
		err = store_cut_explanation(p->store, n->alert_id, n->findings->n);
	return err || !n->told ? err : put_message(p, &row, n);
}

static int
put_gap(struct pipeline *p, const struct gap_out *g)
{
	struct alert_row row = { .kind = "gap", .severity = "critical", .promise = "certified",
		                 .promise_words = "outside the budget", .method = "offsets",
		                 .state = "open", .statistic = (double)NAN,
		                 .effect = (double)NAN, .effect_low = (double)NAN,
		                 .effect_high = (double)NAN, .old_value = (double)NAN, .new_value = (double)NAN,
		                 .opened_ms = g->at_ms, .started_ms = g->at_ms, .updated_ms = g->at_ms,
		                 .resolved_ms = INT64_MIN, .offset = g->from, .harm = "records were lost" };
	char text[400], key[400];
	XXH128_hash_t hash;
	int length, err;

	row.topic = topic_of(p, g->partition, &row.partition);
	length = snprintf(key, sizeof key, "gap\x1f%.200s\x1f%d\x1f%lld\x1f%lld", row.topic, row.partition,
	                  (long long)g->from, (long long)g->to);
	hash = XXH3_128bits(key, (size_t)length);
	snprintf(row.alert_id, sizeof row.alert_id, "%016llx%016llx", (unsigned long long)hash.high64,
	         (unsigned long long)hash.low64);
	memcpy(row.episode_id, row.alert_id, sizeof row.episode_id);
	snprintf(text, sizeof text, "what:  records of %.200s/%d from %lld to %lld could not be read (%s)",
	         row.topic, row.partition, (long long)g->from, (long long)g->to - 1, g->reason);
	row.text = text;
	err = store_put_gap(p->store, row.topic, row.partition, g->from, g->to, g->reason, g->at_ms);
	if (!err)
		err = store_insert_alert(p->store, &row);
	if (!err)
		err = store_put_alert_event(p->store, row.alert_id, 1, "open", g->at_ms, (double)NAN, (double)NAN, text);
	return err ? err : pipeline_put_outbox(p, &row, NULL, "open", NULL);
}

static int
put_outbound(struct pipeline *p)
{
	struct outbound *o = &p->common.outbound;
	int err = put_statistics(p);

	for (size_t i = 0; i < o->news_count && !err; i++)
		err = put_news(p, &o->news[i]);
	for (size_t i = 0; i < o->silences && !err; i++)
		err = pipeline_put_silence(p, &o->silence[i]);
	for (size_t i = 0; i < o->gaps && !err; i++) {
		struct gap_out *g = &o->gap[i];

		/* Before the position has passed it, the next start would find the same gap again. */
		g->put = g->to < g->from || resume_offset(p, g->partition) >= g->to;
		if (g->put)
			err = put_gap(p, g);
	}
	for (size_t i = 0; i < o->rejected_count && !err; i++) {
		const struct rejected_out *r = &o->rejected[i];
		int32_t number = 0;
		const char *topic = topic_of(p, r->partition, &number);

		err = store_put_rejected(p->store, r->number, topic, number, r->offset, r->reason,
		                         r->detail, r->sample, r->sample_length);
	}
	return err;
}

int
pipeline_put_episodes(struct pipeline *p)
{
	const struct episodes *e = &p->common.episodes;
	struct codec c = { .measure = true, .size = SIZE_MAX };

	if (!e->dirty)
		return 0;
	episodes_save(e, &c);
	c = (struct codec){ .data = common_bytes(&p->common, c.at), .size = c.at };
	episodes_save(e, &c);
	return store_put_state(p->store, "episodes", 0, c.data, c.at);
}

static int
put_progress(struct pipeline *p)
{
	const struct common *c = &p->common;
	char number[40];
	int err = 0;

	for (int i = 1; i < REJECT_COUNT && !err; i++) {
		char name[64];

		if (p->rejected[i] == p->rejected_saved[i])
			continue;
		snprintf(name, sizeof name, "rejected_%s", reject_text((enum reject)i));
		err = store_put_counter(p->store, 0, name, p->rejected[i]);
	}
	if (!err)
		err = pipeline_put_episodes(p);
	if (!err && c->watermark_ms != INT64_MIN) {
		err = store_put_meta_i64(p->store, "watermark_ms", c->watermark_ms);
		if (!err)
			err = store_put_meta_i64(p->store, "first_watermark_ms", c->first_watermark_ms);
	}
	if (!err)
		err = store_put_meta_i64(p->store, "sequence",
		                         (int64_t)(p->helds ? p->held[0].event.sequence - 1 : c->sequence));
	if (!err)
		err = store_put_meta_i64(p->store, "latecomers", c->plan.latecomers);
	if (!err)
		err = store_put_meta_i64(p->store, "budget_period_ms", c->plan.period_ms);
	snprintf(number, sizeof number, "%.17g", c->plan.budget);
	return err ? err : store_put_meta(p->store, "budget_alarms", number);
}

static void
landed(struct pipeline *p, bool ok)
{
	for (size_t i = 0; i < p->models; i++)
		model_saved(p->model[i], ok);
	if (!ok)
		return;
	for (size_t i = 0; i < p->positions; i++) {
		p->position[i].saved_next = p->position[i].written_next;
		p->position[i].saved_end = p->position[i].written_end;
	}
	pipeline_forget_landed(p);
	memcpy(p->rejected_saved, p->rejected, sizeof p->rejected);
	outbound_clear(&p->common.outbound);
	p->common.episodes.dirty = false;
	p->commands = 0;
	p->dirty = false;
	for (size_t i = 0; p->source && p->source->vtable->committed && i < p->positions; i++)
		if (p->position[i].touched)
			p->source->vtable->committed(p->source, (uint32_t)i, p->position[i].next);
}

static int
put_everything(struct pipeline *p)
{
	int err = 0;

	for (size_t i = 0; i < p->models && !err; i++)
		err = model_put(p->model[i], p->store);
	if (!err)
		err = put_outbound(p);
	if (!err)
		err = put_progress(p);
	if (!err)
		err = notes_put(&p->common.notes, p->store);
#ifdef DRIFTD_BROKEN_COMMIT
	/* only for the kill test, which must notice: offsets in a transaction of their own */
	if (!err)
		err = store_commit(p->store, NULL);
	if (!err)
		err = store_begin(p->store, NULL);
#endif
	if (!err && p->source)
		err = put_offsets(p);
	for (size_t i = 0; i < p->commands && !err; i++)
		err = store_judge(p->store, p->command_done[i]);
	if (!err)
		err = pipeline_forget_put(p);
	for (size_t i = 0; i < p->commands && !err; i++)
		err = store_finish_command(p->store, p->command_done[i], p->command_result[i],
		                           clock_wall_ms());
	if (!err && p->common.watermark_ms != INT64_MIN)
		err = store_retain(p->store, p->common.watermark_ms, p->config->keep_fine_ms,
		                   p->config->keep_hour_ms,
		                   p->last ? RETAIN_ALL : RETAIN_ROWS);
	return err;
}

void
pipeline_trace(struct pipeline *p, struct trace *trace)
{
	p->common.trace = trace;
}

struct notes *
pipeline_notes(struct pipeline *p)
{
	return &p->common.notes;
}

int
pipeline_commit(struct pipeline *p, struct diag *d)
{
	int err;

	for (size_t i = 0; i < p->models; i++)
		model_flush(p->model[i]);
	alert_settle(&p->common, &p->common.outbound);
	pipeline_run_commands(p);
	alert_settle(&p->common, &p->common.outbound);
	pipeline_roll(p);
	err = store_begin(p->store, d);
	if (err)
		return err;
	(void)put_everything(p); /* a put that failed has poisoned the transaction */
	p->commit_bytes = store_bytes_put(p->store);
	err = store_commit(p->store, d);
	if (!err)
		notes_landed(&p->common.notes);
	landed(p, err == 0);
	return err;
}
