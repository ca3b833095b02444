/* sink_pagerduty.c -- PagerDuty Events API v2: one incident an alert, by its id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/deliver/post.h"

enum { SUMMARY_BYTES_MAX = 1024 };

struct pagerduty {
	const struct sink_config *config;
	struct post *post;
};

static void
close_pagerduty(void *self)
{
	struct pagerduty *p = self;

	if (p)
		post_close(p->post);
	free(p);
}

static int
open_pagerduty(void **self, const struct sink_config *config, const struct sink_world *world, struct diag *d)
{
	struct pagerduty *p = calloc(1, sizeof *p);
	int err;

	if (!p)
		return diag_set(d, ERR_IO, "out of memory");
	p->config = config;
	err = post_open(&p->post, config, "", "application/json", world, d);
	if (err) {
		close_pagerduty(p);
		return err;
	}
	*self = p;
	return 0;
}

static void
put(FILE *out, const char *name, const char *text, size_t length)
{
	fprintf(out, ",\"%s\":", name);
	cli_json_text(out, text, length);
}

static void
send_pagerduty(void *self, const struct outbox_message *m, struct reply *r)
{
	struct pagerduty *p = self;
	const char *action = m->resolved ? "resolve" : !strcmp(m->event,
	                                                       "acknowledged") ? "acknowledge" : "trigger";
	char *body = NULL;
	size_t length = 0, summary_length;
	const char *summary = sink_summary(m, &summary_length);
	FILE *out = open_memstream(&body, &length);
	long status;

	if (!out) {
		reply_set(r, REPLY_LATER, "out of memory");
		return;
	}
	fprintf(out, "{\"routing_key\":");
	cli_json_text(out, p->config->routing_key, strlen(p->config->routing_key));
	fprintf(out, ",\"event_action\":\"%s\"", action);
	put(out, "dedup_key", m->alert_id, strlen(m->alert_id));
	fputs(",\"payload\":{\"source\":\"driftd\"", out);
	put(out, "summary", summary, summary_length < SUMMARY_BYTES_MAX ? summary_length : SUMMARY_BYTES_MAX);
	put(out, "severity", m->field[FIELD_SEVERITY], strlen(m->field[FIELD_SEVERITY]));
	put(out, "component", m->field[FIELD_MODEL], strlen(m->field[FIELD_MODEL]));
	put(out, "group", m->field[FIELD_STREAM], strlen(m->field[FIELD_STREAM]));
	put(out, "class", m->field[FIELD_KIND], strlen(m->field[FIELD_KIND]));
	fprintf(out, ",\"custom_details\":%s}}", m->body);
	if (fclose(out))
		reply_set(r, REPLY_LATER, "out of memory");
	else
		post_send(p->post, body, length, NULL, r, &status);
	free(body);
}

const struct sink_kind sink_pagerduty = { open_pagerduty, send_pagerduty, close_pagerduty };
