/* verdict_topic.c -- see verdict_topic.h. */
#include "monitor/ood/verdict_topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/log.h"
#include "monitor/source/kafka_conf.h"

enum { CLOSE_MS = 5000 };

struct verdict_topic {
	rd_kafka_t *producer;
	char *text;            /* of a message; grows */
	size_t size;
	FILE *out;
};

bool
verdict_topic_wanted(const struct config *config)
{
	bool any = config->models_auto && config->defaults.ood.verdicts;

	for (size_t i = 0; i < config->models; i++)
		any |= config->model[i].ood.verdicts != NULL;
	return any;
}

static void
reported(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
	(void)producer, (void)context;
	if (message->err)
		log_often(LOG_WARN, "verdicts", "a verdict was not taken: %s", rd_kafka_err2str(message->err));
}

static void
logged(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
	(void)producer;
	if (strcmp(facility, "CONFWARN") != 0) /* properties that are the consumers' */
		log_often(level <= 4 ? LOG_WARN : LOG_DEBUG, "verdicts", "%s: %s", facility, text);
}

int
verdict_topic_open(struct verdict_topic **out, const struct config *config, const char *bootstrap,
                   struct diag *d)
{
	/* a message waits for others a millisecond at most; a minute at 5 000 a second fits into the queue */
	static const char *const own[][2] = { { "linger.ms", "1" }, { "acks", "1" },
		{ "enable.idempotence", "false" }, { "queue.buffering.max.messages", "300000" },
		{ "message.timeout.ms", "60000" } };
	struct verdict_topic *t = calloc(1, sizeof *t);
	rd_kafka_conf_t *conf = NULL;
	char text[256] = "";
	int err = t ? kafka_conf_create_producer(&conf, &config->kafka, bootstrap, d) :
	              diag_set(d, ERR_IO, "out of memory");

	for (size_t i = 0; i < sizeof own / sizeof own[0] && !err; i++)
		if (rd_kafka_conf_set(conf, own[i][0], own[i][1], text, sizeof text) != RD_KAFKA_CONF_OK)
			err = diag_set(d, ERR_INVALID, "verdicts: %s", text);
	if (!err) {
		rd_kafka_conf_set_dr_msg_cb(conf, reported);
		rd_kafka_conf_set_log_cb(conf, logged);
		t->out = open_memstream(&t->text, &t->size);
		t->producer = t->out ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text) : NULL;
		if (!t->producer)
			err = diag_set(d, ERR_INVALID, "verdicts: %s", text);
	}
	if (err) {
		if (conf)
			rd_kafka_conf_destroy(conf);
		verdict_topic_close(t);
		return err;
	}
	*out = t;
	return 0;
}

static void
write_message(FILE *out, const struct verdict_out *v)
{
	fputs("{\"id\":", out);
	if (v->id_length)
		cli_json_text(out, v->id, v->id_length);
	else
		fputs("null", out);
	fputs(",\"model\":", out);
	cli_json_text(out, v->model, v->model_length);
	fputs(",\"version\":", out);
	cli_json_text(out, v->version, v->version_length);
	fprintf(out, ",\"ts\":%lld,\"ood\":{\"out\":%s,\"p\":%.10g,\"score\":%.10g,\"reason\":\"%s\",\"members\":{",
	        (long long)v->ts, v->out ? "true" : "false", v->p, v->score, v->name[v->reason]);
	for (uint32_t i = 0; i < v->scores; i++)
		fprintf(out, "%s\"%s\":%.10g", i ? "," : "", v->name[i], v->member[i]);
	fputs("}}}", out);
}

void
verdict_topic_send(void *context, const struct verdict_out *v)
{
	struct verdict_topic *t = context;
	rd_kafka_error_t *error;
	long length;

	rewind(t->out);
	write_message(t->out, v);
	length = ftell(t->out);
	fflush(t->out);

	const rd_kafka_vu_t part[] = {
		{ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = v->topic },
		{ .vtype = RD_KAFKA_VTYPE_KEY,
		  .u.mem = { (void *)(uintptr_t)(v->id_length ? v->id : NULL), v->id_length } },
		{ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { t->text, (size_t)length } },
		{ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
	};
	error = rd_kafka_produceva(t->producer, part, sizeof part / sizeof part[0]);
	if (error) {
		log_often(LOG_WARN, "verdicts", "a verdict could not be sent: %s", rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
	}
	rd_kafka_poll(t->producer, 0); /* reports */
}

void
verdict_topic_close(struct verdict_topic *t)
{
	if (!t)
		return;
	if (t->producer) {
		rd_kafka_flush(t->producer, CLOSE_MS);
		rd_kafka_destroy(t->producer);
	}
	if (t->out)
		fclose(t->out);
	free(t->text);
	free(t);
}
