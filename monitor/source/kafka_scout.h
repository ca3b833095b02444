/* kafka_scout.h -- asks the cluster what exists: the only part of the Kafka source that waits for
 * answers, so it has a thread of its own. It creates the consumer once it has seen how many
 * partitions there are, looks for new topics and partitions every 30 s, and fetches watermarks for
 * whoever wants them.
 */
#ifndef MONITOR_SOURCE_KAFKA_SCOUT_H
#define MONITOR_SOURCE_KAFKA_SCOUT_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct diag;
struct rd_kafka_s;
struct scout;

struct scout_report {
	/* From the scout's thread: something is there to fetch. */
	void (*news)(void *ctx);
	/* From the scout's thread: trouble of the cluster as a whole; `partition` UINT32_MAX: of all. */
	void (*trouble)(void *ctx, int error, const char *reason, uint32_t partition, const char *text);
	/* From the thread that reads the consumer's queues: its error callback. */
	void (*consumer_error)(void *ctx, int error, const char *text);
	void *ctx;
};

/* Wrong properties are found here. */
int scout_start(struct scout **out, const struct config *config, const char *bootstrap,
                const struct scout_report *report, struct diag *d);
/* The consumer, once; NULL: not yet. It then belongs to the caller, who destroys it after
 * scout_join. */
struct rd_kafka_s *scout_consumer(struct scout *s);
/* Partitions are numbered in the order in which they were found, within one look by topic and
 * number. */
uint32_t scout_partitions(struct scout *s);
/* The name lives until scout_free. */
const char *scout_topic(struct scout *s, uint32_t partition, int32_t *number);
/* Fresh watermarks of a partition, once per answer; *returned: its topic had been missing
 * before. */
bool scout_watermarks(struct scout *s, uint32_t partition, int64_t *low, int64_t *high,
                      bool *returned);
/* Brokers that the cluster names, as of the last answer; 0: none yet. */
uint32_t scout_brokers(struct scout *s);
/* Every topic that is configured by its whole name or was read, once, and whether it is missing; under the
 * scout's lock. */
void scout_each_topic(struct scout *s, void (*visit)(void *ctx, const char *topic, bool missing), void *ctx);
/* Asks for watermarks; retried until there is an answer. */
void scout_want(struct scout *s, uint32_t partition);
/* Looks for new topics and partitions now. */
void scout_kick(struct scout *s);
void scout_join(struct scout *s);
void scout_free(struct scout *s); /* NULL is fine */

#endif
