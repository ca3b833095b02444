/* kafka_scout_inside.h -- the scout's data, shared by its two files:
 *   kafka_scout.c   the thread, the client handles, the interface
 *   kafka_look.c    what it asks the cluster: metadata and watermarks
 */
#ifndef MONITOR_SOURCE_KAFKA_SCOUT_INSIDE_H
#define MONITOR_SOURCE_KAFKA_SCOUT_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "monitor/source/kafka_scout.h"

struct scout_place {
	char *topic;
	int32_t number;
	bool wanted, fresh, missing, returned;
	int64_t missing_ms;     /* since when */
	int64_t low, high;
};

struct scout {
	const struct config *config;
	char *bootstrap;
	struct scout_report report;
	rd_kafka_t *probe;      /* until the consumer is there */
	rd_kafka_t *consumer;   /* used by the scout, owned by the source */
	int patience_ms;
	bool full;              /* said that there are too many partitions */

	pthread_t thread;
	pthread_mutex_t lock;   /* all below */
	pthread_cond_t kick;
	bool started, stop, kicked, handed;
	struct scout_place **place;
	uint32_t places, capacity;
	uint32_t brokers;       /* of the last answer */
	bool answered;
};

/* Metadata: new partitions, missing topics. False: no answer. */
bool scout_look(struct scout *s);
bool scout_any_missing(struct scout *s);
/* Watermarks for all that want them. True when nobody is left without. */
bool scout_measure(struct scout *s);

#endif
