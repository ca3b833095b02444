/* kafka_world.h -- librdkafka's mock cluster, a producer, and the source that reads it. */
#ifndef TESTS_KAFKA_WORLD_H
#define TESTS_KAFKA_WORLD_H

#include <librdkafka/rdkafka.h>

#include "monitor/source/embedded.h"
#include "monitor/source/source.h"
#include "tests/fixture.h"

enum { PATIENCE_MS = 20000 };

struct world {
	struct embedded *embedded;
	rd_kafka_t *producer;
	rd_kafka_topic_t *topic; /* "t" */
	struct fixture fixture;
	struct source *source;
	char config[256];
};

/* What a partition gave until its end. */
struct world_got {
	uint64_t messages;
	int64_t first, last;
	uint64_t last_hash;
	char last_text[32];
	struct message one; /* the last one; bytes are gone */
};

void world_open(struct world *w, uint32_t partitions);
/* Opens the source; `resume` NULL or one. */
void world_read(struct world *w, const struct resume *resume);
void world_stop_reading(struct world *w);
void world_close(struct world *w);
void world_produce(struct world *w, int32_t partition, const char *key, const void *value,
                   size_t length);
void world_flush(struct world *w);
void world_produce_numbers(struct world *w, int32_t partition, int from, int to);
int64_t world_clock_ms(void);
/* Reads until the partition is at its end and gave `least` messages. */
struct world_got world_read_part(struct world *w, uint32_t partition, uint64_t least);
/* The next event of that kind. */
struct source_event world_wait_event(struct world *w, enum source_event_kind kind);
void world_no_gap(struct world *w);

#endif
