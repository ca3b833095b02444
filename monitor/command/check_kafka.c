/* check_kafka.c -- which topics of the cluster the configuration means. See check.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/command/check.h"
#include "monitor/source/kafka_conf.h"

static void
silent(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

/* The last thing that went wrong, which says more than "no answer". */
static void
on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
	struct check *c = opaque;
	const char *detail = strstr(reason, " (after "); /* "0ms in state CONNECT, 1 identical .." */

	(void)handle;
	if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		snprintf(c->unreachable, sizeof c->unreachable, "%.*s",
		         detail ? (int)(detail - reason) : (int)sizeof c->unreachable, reason);
}

static bool
matches(const struct strings *pattern, const char *topic)
{
	for (size_t i = 0; i < pattern->n; i++)
		if (config_glob(pattern->text[i], topic))
			return true;
	return false;
}

static bool
wanted(const struct config *c, const char *topic, bool *labels)
{
	bool records = matches(&c->topics_records, topic);

	*labels = matches(&c->topics_labels, topic);
	for (size_t i = 0; i < c->models + c->patterns; i++) {
		records |= matches(&c->model[i].topics_records, topic);
		*labels |= matches(&c->model[i].topics_labels, topic);
	}
	*labels &= !records;
	return records || *labels;
}

static int
warn_unmatched(struct check *c, const struct strings *pattern)
{
	int err = 0;

	for (size_t i = 0; i < pattern->n && !err; i++) {
		bool any = false;

		for (size_t t = 0; t < c->topics && !any; t++)
			any = config_glob(pattern->text[i], c->topic[t].name);
		if (!any)
			err = check_warn(c, "no topic is called %s yet: it is waited for", pattern->text[i]);
	}
	return err;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct check_topic *)a)->name, ((const struct check_topic *)b)->name);
}

static int
take_topics(struct check *c, const rd_kafka_metadata_t *m, struct diag *d)
{
	int err = 0;

	c->topic = calloc((size_t)m->topic_cnt + 1, sizeof *c->topic);
	if (!c->topic)
		return diag_set(d, ERR_IO, "out of memory");
	c->partitions = 0;
	for (int i = 0; i < m->topic_cnt; i++) {
		struct check_topic *t = &c->topic[c->topics];

		if (!wanted(c->config, m->topics[i].topic, &t->labels))
			continue;
		t->name = strdup(m->topics[i].topic);
		if (!t->name)
			return diag_set(d, ERR_IO, "out of memory");
		t->partitions = m->topics[i].partition_cnt;
		c->partitions += (uint32_t)t->partitions;
		c->topics++;
	}
	qsort(c->topic, c->topics, sizeof *c->topic, by_name);
	err = warn_unmatched(c, &c->config->topics_records);
	if (!err)
		err = warn_unmatched(c, &c->config->topics_labels);
	for (size_t i = 0; i < c->config->models + c->config->patterns && !err; i++) {
		err = warn_unmatched(c, &c->config->model[i].topics_records);
		if (!err)
			err = warn_unmatched(c, &c->config->model[i].topics_labels);
	}
	return err ? diag_set(d, err, "out of memory") : 0;
}

int
check_topics(struct check *c, int timeout_ms, struct diag *d)
{
	const struct kafka_config *kafka = &c->config->kafka;
	const rd_kafka_metadata_t *m = NULL;
	rd_kafka_conf_t *conf;
	rd_kafka_resp_err_t error;
	rd_kafka_t *client;
	char text[256];
	int err = kafka_conf_create(&conf, kafka, kafka->brokers, 0, d);

	if (err)
		return err;
	rd_kafka_conf_set_log_cb(conf, silent);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, c);
	client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
	if (!client) {
		rd_kafka_conf_destroy(conf);
		return diag_set(d, ERR_INVALID, "kafka: %s", text);
	}
	c->asked = true;
	error = rd_kafka_metadata(client, 1, NULL, &m, timeout_ms);
	rd_kafka_poll(client, 0);
	if (error && !c->unreachable[0])
		snprintf(c->unreachable, sizeof c->unreachable, "%s", rd_kafka_err2str(error));
	if (!error) {
		c->unreachable[0] = 0;
		err = take_topics(c, m, d);
		rd_kafka_metadata_destroy(m);
	}
	rd_kafka_destroy(client);
	return err;
}
