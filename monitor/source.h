/* source.h -- where messages come from: a real broker, the embedded one, or files.
 *
 * A source has partitions (topic, number), each an ordered sequence of messages. The merge asks for the
 * messages of one partition at a time; the source never reorders, never skips silently, never pauses or
 * seeks while running, and holds a bounded number of bytes. Three implementations: source_kafka.c (with
 * embedded.c for librdkafka's mock cluster) and source_file.c.
 */
#ifndef MONITOR_SOURCE_H
#define MONITOR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/decode.h"

struct config;
struct diag;
struct source;

enum partition_state {
	PARTITION_PENDING, /* more may come at any moment: blocks the merge (until merge_stall) */
	PARTITION_END,     /* everything that exists was delivered */
};

/* Facts that the pipeline records and alerts on; delivered in order through source_event. */
enum source_event_kind {
	SOURCE_GAP,        /* [from, to) can never be read: retention, truncation, recreated, corrupt */
	SOURCE_PARTITION,  /* a partition was added; resume at `from` */
	SOURCE_ERROR,      /* repeated trouble, rate-limited; `text` is for people */
};
struct source_event {
	enum source_event_kind kind;
	uint32_t partition;
	int64_t from, to;
	const char *reason; /* "retention", "truncation", "recreated", "corrupt", "stall", error name */
	char text[256];
};

/* Where to resume: from the `offsets` table. */
struct resume {
	const char *topic;
	int32_t partition;
	int64_t next_offset, anchor_offset;
	uint64_t anchor_hash;
	uint32_t epoch;
};

struct source_vtable {
	/* Fills out[0..max) with messages of one partition that are there now, without waiting. The bytes
	 * belong to the source and are valid until the next call for the same partition. *state is about
	 * what follows the returned messages. */
	size_t (*take)(struct source *s, uint32_t partition, struct message *out, size_t max,
	               enum partition_state *state);
	/* Waits until something may have changed (a message, an end, an event, `wake_fd` readable) or
	 * timeout_ms passed. */
	void (*wait)(struct source *s, int timeout_ms, int wake_fd);
	bool (*event)(struct source *s, struct source_event *out); /* false: none left */
	uint32_t (*partitions)(const struct source *s);
	const char *(*topic)(const struct source *s, uint32_t partition, int32_t *number);
	int64_t (*end_offset)(const struct source *s, uint32_t partition); /* -1 unknown; files: bytes read /
	                                                                    * bytes for progress */
	uint32_t (*epoch)(const struct source *s, uint32_t partition);
	/* After a commit of ours: publish offsets for lag tools (best effort). May be NULL. */
	void (*committed)(struct source *s, uint32_t partition, int64_t next_offset);
	void (*close)(struct source *s);
};
struct source {
	const struct source_vtable *vtable;
};

/* A broker (or `brokers: embedded`): forced properties, metadata, watermarks, anchors (decision 4 and 5 of
 * the Kafka notes), assign(). Topics that do not exist yet are waited for. `decoder` gives profiles. */
int source_kafka_open(struct source **out, const struct config *config, struct decoder *decoder,
                      const struct resume *resume, size_t resumes, struct diag *d);
/* bootstrap address of the embedded broker: "127.0.0.1:NNNNN", or NULL. */
const char *source_kafka_bootstrap(const struct source *s);
/* JSON Lines files, plain or gzip (by content), each one partition named by its base name, "-" = standard
 * input. The message offset is the line number from 0; empty lines are skipped but counted as offsets. */
int source_file_open(struct source **out, char *const *path, size_t paths, struct decoder *decoder,
                     const struct resume *resume, size_t resumes, struct diag *d);
/* Compressed bytes read and in all, for the progress bar. */
void source_file_progress(const struct source *s, uint64_t *done, uint64_t *total);

#endif
