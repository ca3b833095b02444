/* pipeline_control.c -- what people asked for (table `commands`), executed between two transactions and
 * marked done in the second. Arguments are JSON written by `driftd ack|resolve|rebaseline|expect|
 * forget`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/alert/alert.h"
#include "monitor/decode/jsonl.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"
#include "storage/store.h"

static bool
targets(const struct stream *s, const char *target)
{
	return s->episode.open && !strcmp(s->episode.alert_id, target);
}

/* Calls act for the stream whose open alert the target means, by its whole id. */
static uint32_t
each_target(struct pipeline *p, const char *target, void (*act)(struct pipeline *, struct stream *))
{
	uint32_t n = 0;

	for (size_t i = 0; i < p->models; i++) {
		struct model *m = p->model[i];

		for (uint32_t k = 0; k < m->streams; k++)
			if (targets(m->stream[k], target)) {
				act(p, m->stream[k]);
				m->dirty = m->stream[k]->dirty = true;
				n++;
			}
	}
	return n;
}

static void
acknowledge(struct pipeline *p, struct stream *s)
{
	alert_acknowledged(s, p->common.sequence, p->common.watermark_ms, &p->common.outbound);
}

static void
resolve(struct pipeline *p, struct stream *s)
{
	struct effect none = { (double)NAN, (double)NAN, (double)NAN, 0, (double)NAN, (double)NAN };

	alert_over(s, p->common.sequence, p->common.watermark_ms, &none, "command", &p->common.outbound);
	stream_suspend(s, s->episode.expected);
}

/* -- rebaseline --------------------------------------------------------------------------------------- */

struct rebaseline {
	double records, from_ms, to_ms; /* NAN: not given */
	struct model *model;
	struct stream **stream;         /* [streams], malloc()ed */
	uint32_t streams, promised;     /* promised: their null is a promise, not a past */
};

/* A joint has the references of its features. */
static void
add_target(struct rebaseline *b, struct stream *s, size_t *capacity)
{
	if (s->kind == STREAM_JOINT) {
		for (uint32_t i = 0; i < s->model->joint->members; i++)
			add_target(b, s->model->joint->member[i], capacity);
		return;
	}
	for (uint32_t i = 0; i < b->streams; i++)
		if (b->stream[i] == s)
			return;
	b->stream = must_grow(b->stream, capacity, b->streams + 1u, sizeof *b->stream);
	b->stream[b->streams++] = s;
}

static void
find_targets(struct pipeline *p, const char *target, struct rebaseline *b)
{
	size_t capacity = 0;

	for (size_t i = 0; i < p->models; i++) {
		struct model *m = p->model[i];

		for (uint32_t k = 0; k < m->streams; k++) {
			struct stream *s = m->stream[k];

			if (!targets(s, target) && strcmp(m->name, target))
				continue;
			b->model = m;
			if (!isnan(s->known_p0)) {
				b->promised++;
				continue;
			}
			add_target(b, s, &capacity);
		}
	}
}

/* Learned from the next record on. */
static void
learn_anew(struct pipeline *p, struct rebaseline *b, char *result, size_t size)
{
	uint32_t records = isnan(b->records) ? 0 : (uint32_t)fmin(fmax(b->records, LIMIT_REFERENCE_MIN),
	                                                           LIMIT_REFERENCE_MAX);

	for (uint32_t i = 0; i < b->streams; i++)
		stream_rebaseline(b->stream[i], records, p->common.watermark_ms, &p->common.outbound);
	snprintf(result, size, "done: %u streams learn from record %llu on", b->streams,
	         (unsigned long long)p->common.sequence + 1);
}

/* From a span of the past. ERR_BUSY: interrupted, to be done at the next start. */
static int
learn_span(struct pipeline *p, struct rebaseline *b, bool whole, char *result, size_t size)
{
	struct diag d = { "" };
	struct ref_row span;
	uint32_t done = 0;
	char until[32];
	int err;

	time_text(p->common.watermark_ms, until, sizeof until);
	if ((int64_t)b->to_ms > p->common.watermark_ms) {
		snprintf(result, size, "nothing to do: records are read up to %s only; --to is later", until);
		return 0;
	}
	for (uint32_t i = 0; i < b->streams; i++)
		stream_refit(b->stream[i]);
	err = pipeline_refit(p, b->model, (int64_t)b->from_ms, (int64_t)b->to_ms, &span, &d);
	for (uint32_t i = 0; i < b->streams; i++) {
		if (err)
			b->stream[i]->refit->held = 0; /* what was read is not the whole span */
		done += stream_refitted(b->stream[i], p->common.watermark_ms, &p->common.outbound);
	}
	if (err)
		snprintf(result, size, "nothing to do: %.100s", d.text);
	else
		snprintf(result, size, "%s: %u of %u streams, from the %llu records of that span",
		         done ? "done" : "nothing to do", done, b->streams, (unsigned long long)span.rows);
	if (done && whole) {
		b->model->ref = span;
		model_reference(b->model, "rebaseline");
	}
	return err == ERR_BUSY ? err : 0;
}

static int
rebaseline(struct pipeline *p, const struct command_row *c, char *result, size_t size)
{
	struct rebaseline b = { (double)NAN, (double)NAN, (double)NAN, NULL, NULL, 0, 0 };
	struct jsonl *json = jsonl_create();
	int err = 0;

	if (json && jsonl_parse(json, c->arguments, strlen(c->arguments), NULL) == 0) {
		jsonl_number(json, "records", &b.records);
		jsonl_number(json, "from_ms", &b.from_ms);
		jsonl_number(json, "to_ms", &b.to_ms);
	}
	jsonl_destroy(json);
	find_targets(p, c->target, &b);
	if (b.streams && !isnan(b.from_ms) && !isnan(b.to_ms))
		err = learn_span(p, &b, !strcmp(b.model->name, c->target), result, size);
	else if (b.streams)
		learn_anew(p, &b, result, size);
	else if (b.promised)
		snprintf(result, size, "nothing to do: coverage against a stated level has no other reference");
	for (uint32_t i = 0; i < b.streams; i++)
		b.model->dirty = b.stream[i]->dirty = true;
	free(b.stream);
	return err;
}

/* -- the others --------------------------------------------------------------------------------------- */

static bool
expect(struct pipeline *p, const struct command_row *c)
{
	struct jsonl *json = jsonl_create();
	bool done = false;
	double from, to;

	if (!json)
		return false;
	if (jsonl_parse(json, c->arguments, strlen(c->arguments), NULL) == 0 &&
	    jsonl_number(json, "from_ms", &from) == 1 && jsonl_number(json, "to_ms", &to) == 1)
		for (size_t i = 0; i < p->models; i++) {
			struct model *m = p->model[i];
			const char *streams;
			size_t length;

			if (strcmp(m->name, c->target))
				continue;
			m->expect_from_ms = (int64_t)from;
			m->expect_to_ms = (int64_t)to;
			memcpy(m->expect_glob, "*", 2);
			if (jsonl_string(json, "streams", &streams, &length) == 1 &&
			    length < sizeof m->expect_glob) {
				memcpy(m->expect_glob, streams, length);
				m->expect_glob[length] = 0;
			}
			model_expect(m);
			m->dirty = done = true;
		}
	jsonl_destroy(json);
	return done;
}

static int
run_command(void *ctx, const struct command_row *c)
{
	struct pipeline *p = ctx;
	uint32_t n = 0;
	size_t at = p->commands;
	bool secret = false;
	char *result;
	int err = 0;

	p->command_done = must_grow(p->command_done, &p->command_capacity, at + 1, sizeof *p->command_done);
	p->command_result = must_grow(p->command_result, &p->result_capacity, at + 1,
	                              sizeof *p->command_result);
	for (size_t i = 0; i < at; i++)
		if (p->command_done[i] == c->command_id)
			return 0; /* executed before a commit that failed: only to be marked */
	result = p->command_result[at];
	result[0] = 0;
	if (!strcmp(c->command, "ack"))
		n = each_target(p, c->target, acknowledge);
	else if (!strcmp(c->command, "resolve"))
		n = each_target(p, c->target, resolve) + store_command_judges(p->store, c->command_id);
	else if (!strcmp(c->command, "rebaseline"))
		err = rebaseline(p, c, result, sizeof p->command_result[at]);
	else if (!strcmp(c->command, "expect"))
		n = expect(p, c);
	else if ((secret = !strcmp(c->command, "forget")))
		pipeline_forget(p, c);
	if (err)
		return err; /* interrupted: it waits on */
	p->command_done[at] = c->command_id;
	if (!result[0])
		snprintf(result, sizeof p->command_result[at],
		         n ? "done: %u streams" : "nothing to do: no open alert or model of that name%.0u", n);
	p->commands = at + 1;
	p->dirty = true;
	if (secret)
		log_event(LOG_INFO, "command", "%s: table `commands` tells what was removed", c->command);
	else
		log_event(LOG_INFO, "command", "%s %.64s: %s", c->command, c->target, result);
	return 0;
}

void
pipeline_run_commands(struct pipeline *p)
{
	store_each_command(p->store, run_command, p);
}
