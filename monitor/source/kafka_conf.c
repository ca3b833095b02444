#include "monitor/source/kafka_conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "config/config.h"
#include "config/diag.h"

enum {
	QUEUED_KIB = 16 * 1024, /* fetched and not yet taken, over all partitions ... */
	QUEUED_KIB_MIN = 64,    /* ... but so much at least for each */
	FETCH_KIB = 64 * 1024,  /* one answer to a fetch comes on top of that: over all partitions ... */
	FETCH_KIB_MAX = 1024,   /* ... but at most so much for each, librdkafka's own default ... */
	FETCH_KIB_MIN = 64,     /* ... and at least so much */
};

struct pair {
	const char *name, *value;
};

/* Before the user's properties. A response waits for new messages while the partitions that it
 * asks for have none, and meanwhile the client asks for no others: a long wait starves the
 * merge. */
static const struct pair defaults[] = {
	{ "client.id", "driftd" },
	{ "isolation.level", "read_committed" },
	{ "fetch.wait.max.ms", "20" },
	{ "fetch.error.backoff.ms", "100" },
	{ "reconnect.backoff.max.ms", "5000" },
	{ "socket.keepalive.enable", "true" },
};

/* After them. Offsets belong to the database; a position that does not exist must be an error,
 * never a silent jump; ends must be told. */
static const struct pair forced[] = {
	{ "enable.auto.commit", "false" },
	{ "enable.auto.offset.store", "false" },
	{ "auto.offset.reset", "error" },
	{ "enable.partition.eof", "true" },
	{ "check.crcs", "true" },
};

/* A property of the user's. Its value is never printed: it may be a secret. */
static int
set_property(rd_kafka_conf_t *conf, const struct property *p, struct diag *d)
{
	const bool secret = strcmp(p->value, p->written) != 0;
	char text[256] = "";

	for (size_t i = 0; i < sizeof forced / sizeof forced[0]; i++)
		if (!strcmp(p->name, forced[i].name))
			return diag_set(d, ERR_INVALID, "%d:%d: kafka property %s is forced to %s", p->line,
			                p->column, p->name, forced[i].value);
	switch (rd_kafka_conf_set(conf, p->name, p->value, text, sizeof text)) {
	case RD_KAFKA_CONF_OK:
		return 0;
	case RD_KAFKA_CONF_UNKNOWN:
		return diag_set(d, ERR_INVALID, "%d:%d: librdkafka %s has no property %s", p->line, p->column,
		                rd_kafka_version_str(), p->name);
	default:
		return diag_set(d, ERR_INVALID, "%d:%d: kafka property %s: %s", p->line, p->column, p->name,
		                secret ? "its value is not valid" : text);
	}
}

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct diag *d)
{
	char text[256];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
		return 0;
	return diag_set(d, ERR_INVALID, "kafka: %s: %s", name, text);
}

static uint32_t
share(uint32_t all, uint32_t partitions, uint32_t least, uint32_t most)
{
	const uint32_t kib = all / (partitions ? partitions : 1);
	return kib < least ? least : kib > most ? most : kib;
}

/* Memory for messages that were fetched ahead, per partition. */
static int
set_memory(rd_kafka_conf_t *conf, uint32_t partitions, struct diag *d)
{
	char text[32];
	int err;

	snprintf(text, sizeof text, "%u", share(QUEUED_KIB, partitions, QUEUED_KIB_MIN, QUEUED_KIB));
	if ((err = set(conf, "queued.max.messages.kbytes", text, d)))
		return err;
	snprintf(text, sizeof text, "%u",
	         1024 * share(FETCH_KIB, partitions, FETCH_KIB_MIN, FETCH_KIB_MAX));
	return set(conf, "max.partition.fetch.bytes", text, d);
}

int
kafka_conf_create(rd_kafka_conf_t **out, const struct kafka_config *config, const char *bootstrap,
                  uint32_t partitions, struct diag *d)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int err = set_memory(conf, partitions, d);

	*out = NULL;
	for (size_t i = 0; i < sizeof defaults / sizeof defaults[0] && !err; i++)
		err = set(conf, defaults[i].name, defaults[i].value, d);
	for (size_t i = 0; i < config->properties && !err; i++)
		err = set_property(conf, &config->property[i], d);
	for (size_t i = 0; i < sizeof forced / sizeof forced[0] && !err; i++)
		err = set(conf, forced[i].name, forced[i].value, d);
	/* Younger versions than 2.0.2 have it: no pause when a queue was full. */
	(void)rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "0", NULL, 0);
	if (!err)
		err = set(conf, "bootstrap.servers", bootstrap, d);
	if (!err)
		err = set(conf, "group.id", config->group && *config->group ? config->group : "driftd", d);
	if (err) {
		rd_kafka_conf_destroy(conf);
		return err;
	}
	*out = conf;
	return 0;
}

int
kafka_conf_create_producer(rd_kafka_conf_t **out, const struct kafka_config *config, const char *bootstrap,
                           struct diag *d)
{
	static const struct pair ours[] = {
		{ "enable.idempotence", "true" },
		{ "queue.buffering.max.kbytes", "8192" },
		{ "log.thread.name", "false" },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int err = set(conf, "client.id", "driftd", d);

	*out = NULL;
	if (!err)
		err = set(conf, "reconnect.backoff.max.ms", "5000", d);
	for (size_t i = 0; i < config->properties && !err; i++)
		if (strncmp(config->property[i].name, "test.mock.", 10) != 0)
			err = set_property(conf, &config->property[i], d);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0] && !err; i++)
		err = set(conf, ours[i].name, ours[i].value, d);
	if (!err)
		err = set(conf, "bootstrap.servers", bootstrap, d);
	if (err) {
		rd_kafka_conf_destroy(conf);
		return err;
	}
	*out = conf;
	return 0;
}
