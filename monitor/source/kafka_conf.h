/* kafka_conf.h -- the librdkafka configuration of our consumers and producers: our defaults, then the
 * user's properties, then what exactness depends on.
 */
#ifndef MONITOR_SOURCE_KAFKA_CONF_H
#define MONITOR_SOURCE_KAFKA_CONF_H

#include <stdint.h>

struct diag;
struct kafka_config;
struct rd_kafka_conf_s;

/* *out is for rd_kafka_new, which takes it over (or rd_kafka_conf_destroy). `partitions`: how many
 * share the memory for fetched messages; 0 = not known yet. */
int kafka_conf_create(struct rd_kafka_conf_s **out, const struct kafka_config *config,
                      const char *bootstrap, uint32_t partitions, struct diag *d);
/* For a producer of few, small messages: idempotent, with a small queue. Properties of consumers are left to
 * librdkafka, which ignores them. */
int kafka_conf_create_producer(struct rd_kafka_conf_s **out, const struct kafka_config *config,
                               const char *bootstrap, struct diag *d);

#endif
