/* source.h -- where messages come from: a real broker, the embedded one, or files.
 *
 * A source has partitions (topic, number), each an ordered sequence of messages. The merge asks
 * for the messages of one partition at a time; the source never reorders, never skips silently,
 * never pauses or seeks while running, and holds a bounded number of bytes. Three implementations:
 * source_kafka.c (with embedded.c for librdkafka's mock cluster) and source_file.c.
 */
#ifndef MONITOR_SOURCE_SOURCE_H
#define MONITOR_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xxhash.h>

#include "monitor/decode/decode.h"

struct config;
struct diag;
struct source;

enum partition_state {
	PARTITION_PENDING, /* more may come at any moment: blocks the merge (until merge_stall) */
	PARTITION_END,     /* everything that exists was delivered */
};

/* XXH3 of the value, with that of the key as its seed (0 without one): the anchor of a message. */
static inline uint64_t
message_hash(const struct message *m)
{
	const uint64_t key = m->key_length ? XXH3_64bits(m->key, m->key_length) : 0;
	return XXH3_64bits_withSeed(m->value ? m->value : (const uint8_t *)"", m->value_length, key);
}

/* Facts that the pipeline records and alerts on; delivered in order through source_event. A gap
 * may be reported while the merge still holds records before it. */
enum source_event_kind {
	SOURCE_GAP,        /* [from, to) can never be read: retention, truncation, recreated, corrupt.
	                    * Reading goes on at `to`, which is below `from` after a truncation or in a
	                    * recreated topic (or file: at line 0) */
	SOURCE_PARTITION,  /* a partition was added; resume at `from` */
	SOURCE_ERROR,      /* repeated trouble, rate-limited; `text` is for people */
};
struct source_event {
	enum source_event_kind kind;
	uint32_t partition;
	int64_t from, to;
	const char *reason; /* "retention", "truncation", "recreated", "corrupt", "stall", error name */
	bool fatal;         /* SOURCE_ERROR: waiting cannot help (authentication, a fatal client error) */
	char text[256];
};

/* Where to resume: from the `offsets` table. Read during open only. */
struct resume {
	const char *topic;
	int32_t partition;
	int64_t next_offset, anchor_offset; /* anchor_offset -1: none */
	uint64_t anchor_hash;
	uint32_t epoch;
};

struct source_vtable {
	/* Fills out[0..max) with messages of one partition that are there now, without waiting. The bytes
	 * belong to the source and are valid until the next take, of any partition. *state is about
	 * what follows the returned messages. */
	size_t (*take)(struct source *s, uint32_t partition, struct message *out, size_t max,
	               enum partition_state *state);
	/* Waits until something may have changed (a message, an end, an event, `wake_fd` readable) or
	 * timeout_ms passed. */
	void (*wait)(struct source *s, int timeout_ms, int wake_fd);
	bool (*event)(struct source *s, struct source_event *out); /* false: none left */
	uint32_t (*partitions)(const struct source *s);
	const char *(*topic)(const struct source *s, uint32_t partition, int32_t *number);
	/* What take would deliver next at the earliest: after a gap or holes it runs ahead of the last
	 * message. -1: not known yet (the broker has not answered). */
	int64_t (*position)(const struct source *s, uint32_t partition);
	/* High watermark when last seen; -1 unknown. Files: lines, known at the end. */
	int64_t (*end_offset)(const struct source *s, uint32_t partition);
	uint32_t (*epoch)(const struct source *s, uint32_t partition);
	/* After a commit of ours: publish offsets for lag tools (best effort). May be NULL. */
	void (*committed)(struct source *s, uint32_t partition, int64_t next_offset);
	/* A second source over the same topics from their beginnings, with positions of its own, for somebody
	 * who wants to look back. ERR_INVALID: this one cannot be read twice. May be NULL: likewise. */
	int (*again)(const struct source *s, struct source **out, struct diag *d);
	/* The value of a header of a message of the last take; false: none of that name. May be NULL. */
	bool (*header)(const struct source *s, const struct message *m, const char *name, const char **value,
	               size_t *length);
	void (*close)(struct source *s);
	bool ahead; /* messages may be taken before they are needed: nothing changes by that */
};
struct source {
	const struct source_vtable *vtable;
};

/* Unwraps messages where the configuration says how they are wrapped (`topics: {format: ..., id: ...}`):
 * *source is then one that owns the former. The functions that open a source call it. */
int source_envelope_open(struct source **source, const struct config *config, struct diag *d);
/* The source inside of that, or the source itself. */
const struct source *source_inside(const struct source *s);

/* A broker (or `brokers: embedded`): forced properties, metadata, watermarks, anchors (decision 4
 * and 5 of the Kafka notes), assign(). Topics that do not exist yet are waited for. `decoder`
 * gives profiles. */
int source_kafka_open(struct source **out, const struct config *config, struct decoder *decoder,
                      const struct resume *resume, size_t resumes, struct diag *d);
/* bootstrap address of the embedded broker: "127.0.0.1:NNNNN", or NULL. */
const char *source_kafka_bootstrap(const struct source *s);
/* Looks for new topics and partitions now instead of within 30 s. */
void source_kafka_refresh(struct source *s);
struct source_kafka_counts {
	uint64_t dropped;    /* messages below the position: delivered twice by the client, never by us */
	uint64_t unverified; /* resumed without an anchor to compare (expired, compacted) */
	uint64_t holes;      /* offsets that hold no message for us: transactions, compaction */
	uint64_t errors;     /* error events, before rate limiting */
	bool outage;         /* no broker can be reached */
	uint32_t brokers;    /* that the cluster names; 0: not known yet */
};
void source_kafka_counts(const struct source *s, struct source_kafka_counts *out);
/* Topics that are configured or were read, and which of them are missing, in Prometheus' text format. */
void source_kafka_metrics(const struct source *s, FILE *out);
/* JSON Lines files, plain or gzip (by content), each one partition named by its base name (the
 * second of that name by parent/base), "-" = standard input, which cannot be rewound: resumed, its
 * first line has the next offset. The message offset is the line number from 0; empty lines are
 * skipped but counted as offsets. A line above LIMIT_RECORD_BYTES is cut to one byte more than
 * that. */
int source_file_open(struct source **out, char *const *path, size_t paths, struct decoder *decoder,
                     const struct resume *resume, size_t resumes, struct diag *d);
/* What `of` has of its topics before `until` says, and then the end: a fixed history, however the topics
 * grow meanwhile. A topic that `until` does not know has nothing. Closes `of` with itself. */
typedef int64_t (*source_until_fn)(void *context, const char *topic, int32_t partition);
int source_bounded_open(struct source **out, struct source *of, source_until_fn until, void *context,
                        struct diag *d);
/* Compressed bytes read and in all, for the progress bar. */
void source_file_progress(const struct source *s, uint64_t *done, uint64_t *total);

#endif
