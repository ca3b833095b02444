#include "monitor/kafka_conf.h"

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
	FETCH_KIB_MAX = 1024,   /* librdkafka's own default for one partition's share of a response */
};

struct pair {
	const char *name, *value;
};

/* Before the user's properties. A response waits for new messages while the partitions that it asks for
 * have none, and meanwhile the client asks for no others: a long wait starves the merge. */
static const struct pair defaults[] = {
	{ "client.id", "driftd" },
	{ "isolation.level", "read_committed" },
	{ "fetch.wait.max.ms", "20" },
	{ "fetch.error.backoff.ms", "100" },
	{ "reconnect.backoff.max.ms", "5000" },
	{ "socket.keepalive.enable", "true" },
};

/* After them. Offsets belong to the database; a position that does not exist must be an error, never a
 * silent jump; ends must be told. */
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

/* Memory for messages that were fetched ahead, per partition. */
static int
set_memory(rd_kafka_conf_t *conf, uint32_t partitions, struct diag *d)
{
	uint32_t kib = QUEUED_KIB / (partitions ? partitions : 1);
	char text[32];
	int err;

	if (kib < QUEUED_KIB_MIN)
		kib = QUEUED_KIB_MIN;
	snprintf(text, sizeof text, "%u", kib);
	if ((err = set(conf, "queued.max.messages.kbytes", text, d)))
		return err;
	if (kib > FETCH_KIB_MAX)
		kib = FETCH_KIB_MAX;
	snprintf(text, sizeof text, "%u", kib * 1024);
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
