/* sink_kafka.c -- a topic of CloudEvents 1.0 in JSON (structured mode), keyed by alert. Taken is what the
 * broker's delivery report says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "config/diag.h"
#include "monitor/alert/alert.h"
#include "monitor/clock.h"
#include "monitor/command/cli.h"
#include "monitor/deliver/sink.h"
#include "monitor/log.h"
#include "monitor/source/kafka_conf.h"

enum { POLL_MS = 50 };

struct topic {
	const struct sink_config *config;
	const struct sink_world *world;
	rd_kafka_t *producer; /* NULL: to be made anew */
};

struct report {
	bool done;
	rd_kafka_resp_err_t err;
};

static void
reported(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
	struct report *report = message->_private;

	(void)producer, (void)context;
	if (report)
		*report = (struct report){ true, message->err };
}

static void
logged(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
	(void)producer;
	if (strcmp(facility, "CONFWARN") != 0) /* properties that are the consumers' */
		log_often(level <= 4 ? LOG_WARN : LOG_DEBUG, "sink_kafka", "%s: %s", facility, text);
}

static int
produce_with(struct topic *t, struct diag *d)
{
	rd_kafka_conf_t *conf;
	char text[256] = "", timeout[24];
	int err = kafka_conf_create_producer(&conf, &t->world->config->kafka, t->world->bootstrap, d);

	if (err)
		return err;
	snprintf(timeout, sizeof timeout, "%lld", (long long)t->config->timeout_ms);
	if (rd_kafka_conf_set(conf, "message.timeout.ms", timeout, text, sizeof text) == RD_KAFKA_CONF_OK) {
		rd_kafka_conf_set_dr_msg_cb(conf, reported);
		rd_kafka_conf_set_log_cb(conf, logged);
		t->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	}
	if (t->producer)
		return 0;
	rd_kafka_conf_destroy(conf);
	return diag_set(d, ERR_INVALID, "sink %s: %s", t->config->name, text);
}

/* What is in its queue must not outlive the message's owner. */
static void
discard(struct topic *t)
{
	if (!t->producer)
		return;
	rd_kafka_purge(t->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(t->producer, 1000);
	rd_kafka_destroy(t->producer);
	t->producer = NULL;
}

static void
close_kafka(void *self)
{
	struct topic *t = self;

	if (t)
		discard(t);
	free(t);
}

static int
open_kafka(void **self, const struct sink_config *config, const struct sink_world *world, struct diag *d)
{
	struct topic *t = calloc(1, sizeof *t);
	int err;

	if (!t)
		return diag_set(d, ERR_IO, "out of memory");
	t->config = config;
	t->world = world;
	err = produce_with(t, d);
	if (err) {
		close_kafka(t);
		return err;
	}
	*self = t;
	return 0;
}

static char *
cloud_event(const struct outbox_message *m, size_t *length)
{
	char *text = NULL, at[40];
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	time_text(clock_wall_ms(), at, sizeof at);
	fputs("{\"specversion\":\"1.0\",\"id\":", out);
	cli_json_text(out, m->field[FIELD_ID], strlen(m->field[FIELD_ID]));
	fputs(",\"source\":\"driftd\",\"type\":\"driftd.alert.", out);
	fprintf(out, "%s\",\"subject\":", m->event);
	cli_json_text(out, m->alert_id, strlen(m->alert_id));
	fprintf(out, ",\"time\":\"%s\",\"datacontenttype\":\"application/json\",\"data\":%s}", at, m->body);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void
judge(rd_kafka_resp_err_t err, struct reply *r)
{
	const char *text = rd_kafka_err2str(err);

	switch (err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		reply_set(r, REPLY_TAKEN, "%s", "");
		return;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		reply_set(r, REPLY_REFUSED, "%s", text);
		return;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		reply_set(r, REPLY_DENIED, "%s", text);
		return;
	default:
		reply_set(r, REPLY_LATER, "%s", text);
	}
}

static rd_kafka_resp_err_t
produce(const struct topic *t, const struct outbox_message *m, char *text, size_t length,
        struct report *report)
{
	static char type[] = "application/cloudevents+json";
	rd_kafka_vu_t part[] = {
		{ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = t->config->topic },
		{ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { m->alert_id, strlen(m->alert_id) } },
		{ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { text, length } },
		{ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
		{ .vtype = RD_KAFKA_VTYPE_HEADER, .u.header = { "content-type", type, sizeof type - 1 } },
		{ .vtype = RD_KAFKA_VTYPE_HEADER,
		  .u.header = { "driftd-alert-id", m->alert_id, (ssize_t)strlen(m->alert_id) } },
		{ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = report },
	};
	rd_kafka_error_t *error = rd_kafka_produceva(t->producer, part, sizeof part / sizeof part[0]);
	rd_kafka_resp_err_t err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

	if (error)
		rd_kafka_error_destroy(error);
	return err;
}

static void
send_kafka(void *self, const struct outbox_message *m, struct reply *r)
{
	struct topic *t = self;
	struct report report = { false, RD_KAFKA_RESP_ERR_NO_ERROR };
	int64_t until = clock_monotonic_ms() + t->config->timeout_ms + 1000;
	struct diag d = { "" };
	size_t length = 0;
	char *text;
	rd_kafka_resp_err_t err;

	if (!t->producer && produce_with(t, &d)) {
		reply_set(r, REPLY_LATER, "%.200s", d.text);
		return;
	}
	text = cloud_event(m, &length);
	if (!text) {
		reply_set(r, REPLY_LATER, "out of memory");
		return;
	}
	err = produce(t, m, text, length, &report);
	free(text);
	while (!err && !report.done && clock_monotonic_ms() < until && !atomic_load(t->world->cancel))
		rd_kafka_poll(t->producer, POLL_MS);
	if (!err && !report.done) {
		discard(t); /* `report` is on our stack */
		reply_set(r, REPLY_LATER, "no delivery report within %lld ms",
		          (long long)t->config->timeout_ms);
		return;
	}
	judge(err ? err : report.err, r);
	if (rd_kafka_fatal_error(t->producer, NULL, 0)) /* an idempotent producer that lost its sequence */
		discard(t);
}

const struct sink_kind sink_kafka = { open_kafka, send_kafka, close_kafka };
