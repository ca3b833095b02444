/* sink_webhook.c -- the message as it is, or its text alone for Slack and its likes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/command/cli.h"
#include "monitor/deliver/post.h"
#include "monitor/deliver/signature.h"

struct webhook {
	const struct sink_config *config;
	struct post *post;
};

static void
close_webhook(void *self)
{
	struct webhook *w = self;

	if (w)
		post_close(w->post);
	free(w);
}

static int
open_webhook(void **self, const struct sink_config *config, const struct sink_world *world, struct diag *d)
{
	struct webhook *w = calloc(1, sizeof *w);
	int err;

	if (!w)
		return diag_set(d, ERR_IO, "out of memory");
	w->config = config;
	err = post_open(&w->post, config, "", "application/json", world, d);
	if (err) {
		close_webhook(w);
		return err;
	}
	*self = w;
	return 0;
}

static void
send_webhook(void *self, const struct outbox_message *m, struct reply *r)
{
	struct webhook *w = self;
	char id[160], key[160], at[64], signed_[SIGNATURE_BYTES + 40], value[SIGNATURE_BYTES + 4];
	char timestamp[24], *slack = NULL;
	const char *header[] = { id, key, at, NULL, NULL }, *body = m->body;
	size_t length = strlen(body);
	long status;

	if (w->config->format == SINK_SLACK) {
		FILE *out = open_memstream(&slack, &length);

		if (out) {
			fputs("{\"text\":", out);
			cli_json_text(out, m->field[FIELD_TEXT], strlen(m->field[FIELD_TEXT]));
			fputc('}', out);
		}
		if (!out || fclose(out)) {
			reply_set(r, REPLY_LATER, "out of memory");
			return;
		}
		body = slack;
	}
	snprintf(timestamp, sizeof timestamp, "%lld", (long long)(clock_wall_ms() / 1000));
	snprintf(id, sizeof id, "webhook-id: %.120s", m->field[FIELD_ID]);
	snprintf(key, sizeof key, "Idempotency-Key: \"%.120s\"", m->field[FIELD_ID]);
	snprintf(at, sizeof at, "webhook-timestamp: %s", timestamp);
	if (w->config->secret && signature(w->config->secret, m->field[FIELD_ID], timestamp, body, length,
	                                   value)) {
		snprintf(signed_, sizeof signed_, "webhook-signature: %s", value);
		header[3] = signed_;
	}
	if (w->config->secret && !header[3])
		reply_set(r, REPLY_DENIED, "its secret cannot be used: behind whsec_ stands base 64");
	else
		post_send(w->post, body, length, header, r, &status);
	free(slack);
}

const struct sink_kind sink_webhook = { open_webhook, send_webhook, close_webhook };
