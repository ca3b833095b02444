/* source_kafka.h -- the inside of the Kafka source, shared by its files:
 *   source_kafka.c         messages out of partition queues; waiting; the vtable
 *   source_kafka_open.c    open, close, taking up partitions that the scout found
 *   kafka_nudge.c          keeps the client fetching
 *   source_kafka_place.c   where a partition is read from: resume, anchors, gaps; errors
 *
 * One librdkafka queue per partition, not forwarded; a callback of the queue marks its partition
 * ready, so nothing polls partitions that have nothing. Everything but the marked fields belongs
 * to the thread that calls the vtable.
 */
#ifndef MONITOR_SOURCE_SOURCE_KAFKA_H
#define MONITOR_SOURCE_SOURCE_KAFKA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "monitor/source/kafka_scout.h"
#include "monitor/source/source.h"
#include "monitor/source/source_event.h"

enum {
	KAFKA_BATCH = 256,        /* messages of one take */
	KAFKA_ERROR_KINDS = 64,   /* errors told apart by the rate limit */
	KAFKA_ERROR_MS = 60000,   /* one event a kind and minute */
	KAFKA_PUBLISH_MS = 5000,  /* between two publications of offsets */
};

enum part_stage {
	PART_UNKNOWN, /* no watermarks yet */
	PART_ANCHOR,  /* assigned at the anchor, which must be the first message */
	PART_RUNNING,
	PART_LOST,    /* its position does not exist any more: waits for watermarks */
};

struct kafka_part {
	struct source_kafka *source;
	char *topic;
	int32_t number;
	uint32_t index, profile, epoch;
	enum part_stage stage;
	rd_kafka_queue_t *queue;   /* NULL before the first assignment */
	int64_t next;              /* -1: not known yet */
	int64_t anchor;            /* last message delivered, -1 none ... */
	uint64_t anchor_hash;      /* ... and its hash */
	int64_t low, high;         /* watermarks when last seen, -1 unknown */
	int64_t fetched_high;      /* high watermark of the last answer to a fetch, -1 unknown */
	int64_t publish;           /* offset to publish, -1 none */
	uint64_t eaten;            /* bytes taken since the last nudge */
	bool assigned;
	bool end;                  /* all that exists was delivered */
	bool corrupt;              /* messages at `next` could not be read */
	bool suspect;              /* the topic may be another one: the anchor is to be checked again */
	atomic_bool ready;         /* librdkafka's threads: its queue may hold something */
};

struct kafka_error {
	int code;
	const char *reason;
	int64_t told_ms;           /* when last told */
	uint64_t since;            /* how many since then */
};

/* librdkafka 2.0.2 stops fetching when the queues of a broker's partitions are full, and looks
 * again only when something else happens on that connection, or after a second. */
struct kafka_nudge {
	char *username, *password;
	uint64_t bytes;            /* taken from one partition before it is time for one */
};

struct source_kafka {
	struct source base;
	const struct config *config;
	struct decoder *decoder;
	struct embedded *embedded;
	struct scout *scout;
	rd_kafka_t *consumer;      /* NULL: not there yet */
	struct kafka_nudge nudge;
	rd_kafka_queue_t *general; /* the consumer's own queue: errors */
	struct resume *resume;
	size_t resumes;
	struct kafka_part **part;
	uint32_t parts, capacity;
	rd_kafka_message_t *batch[KAFKA_BATCH];
	size_t batched;
	struct kafka_part *taking; /* whose queue is being read */
	int64_t published_ms;
	bool to_publish;
	struct source_kafka_counts counts;

	int wake;                  /* eventfd */
	atomic_bool sleeping;      /* somebody waits for it */
	atomic_bool arrived;       /* something came since the last wait */
	atomic_bool attention;     /* news from the scout, or the general queue holds something */

	pthread_mutex_t lock;      /* all below: the scout's thread reports trouble, too */
	struct event_queue events;
	struct kafka_error error[KAFKA_ERROR_KINDS];
	uint32_t errors;
	atomic_bool outage;        /* all brokers were down: anchors are to be checked again */
};

int64_t kafka_now_ms(void);
extern const struct source_vtable kafka_vtable;
/* source_kafka.c: wakes whoever waits. Any thread. */
void kafka_wake(struct source_kafka *s);
/* Destroys the messages of the last take. */
void kafka_release(struct source_kafka *s);

/* kafka_nudge.c: makes the client look whether there is room for more. */
void kafka_nudge_init(struct source_kafka *s);
void kafka_nudge(struct source_kafka *s);
void kafka_nudge_finish(struct source_kafka *s);

/* source_kafka_open.c: another one at the same brokers, from the beginnings. */
int kafka_again(const struct source *base, struct source **out, struct diag *d);
/* source_kafka_open.c: takes up news of the scout, serves the general queue, publishes offsets. */
void kafka_housekeep(struct source_kafka *s);
void kafka_finish(struct source_kafka *s); /* half-made is fine */

/* source_kafka_place.c */
void kafka_resume(struct source_kafka *s, struct kafka_part *p);
/* Fresh watermarks: decides where to go on, reports gaps, adds the partition to `list` when it is
 * to be assigned (anew). */
void kafka_place(struct source_kafka *s, struct kafka_part *p, int64_t low, int64_t high,
                 rd_kafka_topic_partition_list_t *list);
/* (Re-)assigns the partitions of the list at their offsets. */
void kafka_assign(struct source_kafka *s, const rd_kafka_topic_partition_list_t *list);
/* The anchor is another message. */
void kafka_recreated(struct source_kafka *s, struct kafka_part *p);
/* The partition cannot be trusted where it is: it gives nothing until its watermarks and its
 * anchor have been looked at. */
void kafka_lose(struct source_kafka *s, struct kafka_part *p);
/* The error callback of the consumer, in the thread that reads its queues. */
void kafka_consumer_error(struct source_kafka *s, int code, const char *text);
/* An error in the partition's queue. False: what follows in the queue is void. */
bool kafka_part_error(struct source_kafka *s, struct kafka_part *p, const rd_kafka_message_t *m);
/* Counts an error and tells of it, rate-limited. `reason` NULL: the name of `code`. Any thread. */
void kafka_trouble(struct source_kafka *s, int code, const char *reason, uint32_t partition,
                   const char *text);
void kafka_gap(struct source_kafka *s, struct kafka_part *p, int64_t from, int64_t to,
               const char *reason, const char *text);

#endif
