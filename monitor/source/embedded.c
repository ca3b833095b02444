#include "monitor/source/embedded.h"

#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "config/diag.h"

struct embedded {
	rd_kafka_t *handle; /* owns the cluster; used for nothing else */
	rd_kafka_mock_cluster_t *cluster;
};

static void
silent(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

int
embedded_start(struct embedded **out, struct diag *d)
{
	struct embedded *e = calloc(1, sizeof *e);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256] = "out of memory";

	*out = NULL;
	rd_kafka_conf_set_log_cb(conf, silent);
	/* Not rd_kafka_mock_cluster_new: destroying what that makes takes a second (2.0.2). */
	rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof text);
	if (e && (e->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text)))
		e->cluster = rd_kafka_handle_mock_cluster(e->handle);
	else
		rd_kafka_conf_destroy(conf);
	if (!e || !e->cluster) {
		embedded_stop(e);
		return diag_set(d, ERR_IO, "the embedded broker does not start: %s", text);
	}
	*out = e;
	return 0;
}

int
embedded_topic(struct embedded *e, const char *topic, uint32_t partitions, struct diag *d)
{
	const rd_kafka_resp_err_t err =
		rd_kafka_mock_topic_create(e->cluster, topic, (int)partitions, 1);

	if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return diag_set(d, ERR_INVALID, "embedded broker: topic %s: %s", topic, rd_kafka_err2str(err));
	return 0;
}

const char *
embedded_bootstrap(const struct embedded *e)
{
	return rd_kafka_mock_cluster_bootstraps(e->cluster);
}

struct rd_kafka_mock_cluster_s *
embedded_cluster(struct embedded *e)
{
	return e->cluster;
}

void
embedded_stop(struct embedded *e)
{
	if (!e)
		return;
	if (e->handle)
		rd_kafka_destroy(e->handle);
	free(e);
}
