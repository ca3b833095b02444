/* pipeline_control.c -- what people asked for (table `commands`), executed between two transactions and
 * marked done in the second. Arguments are JSON written by `driftd ack|resolve|rebaseline|expect`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
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

/* Calls act for every stream that the target means: an open alert by its whole id, or a model. */
static uint32_t
each_target(struct pipeline *p, const char *target, bool models,
            void (*act)(struct pipeline *, struct stream *))
{
	uint32_t n = 0;

	for (size_t i = 0; i < p->models; i++) {
		struct model *m = p->model[i];

		if (!m)
			continue;
		for (uint32_t k = 0; k < m->streams; k++)
			if (targets(m->stream[k], target) || (models && !strcmp(m->name, target))) {
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

static void
rebaseline(struct pipeline *p, struct stream *s)
{
	if (s->kind == STREAM_COVERAGE && !isnan(s->known_p0))
		return; /* its null is a promise, not a past */
	stream_rebaseline(s, p->common.watermark_ms, &p->common.outbound);
}

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

			if (!m || strcmp(m->name, c->target))
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

	p->command_done = must_grow(p->command_done, &p->command_capacity, at + 1, sizeof *p->command_done);
	p->command_result = must_grow(p->command_result, &p->result_capacity, at + 1,
	                              sizeof *p->command_result);
	for (size_t i = 0; i < at; i++)
		if (p->command_done[i] == c->command_id)
			return 0; /* executed before a commit that failed: only to be marked */
	if (!strcmp(c->command, "ack"))
		n = each_target(p, c->target, false, acknowledge);
	else if (!strcmp(c->command, "resolve"))
		n = each_target(p, c->target, false, resolve);
	else if (!strcmp(c->command, "rebaseline"))
		n = each_target(p, c->target, true, rebaseline);
	else if (!strcmp(c->command, "expect"))
		n = expect(p, c);
	p->command_done[at] = c->command_id;
	snprintf(p->command_result[at], sizeof *p->command_result,
	         n ? "done: %u streams" : "nothing to do: no open alert or model of that name%.0u", n);
	p->commands = at + 1;
	p->dirty = true;
	log_event(LOG_INFO, "command", "%s %.64s: %s", c->command, c->target, p->command_result[at]);
	return 0;
}

void
pipeline_run_commands(struct pipeline *p)
{
	store_each_command(p->store, run_command, p);
}
