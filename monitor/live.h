/* live.h -- what the pipeline's thread tells the others about itself: copied as a whole, under a lock. */
#ifndef MONITOR_LIVE_H
#define MONITOR_LIVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { LIVE_BUCKETS = 8 };
/* Upper bounds of the histograms; the last bucket is beyond all of them. */
extern const double live_seconds[LIVE_BUCKETS], live_records[LIVE_BUCKETS];

struct live_figures {
	int64_t heartbeat_ms;        /* monotonic; of the loop's last turn */
	int64_t commit_ms;           /* monotonic; of the last commit that landed, 0 none */
	int64_t commit_wall_ms;
	bool commit_failing;         /* it is tried again and again */
	uint64_t records, uncommitted;
	uint64_t commits, seconds_bucket[LIVE_BUCKETS + 1], records_bucket[LIVE_BUCKETS + 1];
	double commit_seconds;
	uint64_t checkpoints, checkpoint_bucket[LIVE_BUCKETS + 1];
	double checkpoint_seconds;
	uint64_t busy, full;         /* commits that met a foreign lock, a full disk */
	uint32_t partitions;
	int64_t outage_ms;           /* monotonic; since when no broker answers, 0: they do */
	uint64_t kafka_errors;
	uint32_t kafka_brokers;      /* 0: not known yet */
	int64_t wal_bytes, database_bytes, free_bytes; /* free_bytes -1: unknown */
	bool reload_successful;
	int64_t reload_wall_ms;      /* of the configuration that is in use */
};
struct live {
	pthread_mutex_t lock;
	struct live_figures figures;
	char *text;                  /* of pipeline_metrics, malloc()ed; NULL before the first */
};

void live_publish(struct live *l, const struct live_figures *figures);
void live_read(struct live *l, struct live_figures *out);
/* Takes the text over; a copy of it, malloc()ed, or NULL. */
void live_set_text(struct live *l, char *text);
char *live_text(struct live *l);
/* A commit landed. */
void live_commit(struct live_figures *f, double seconds, uint64_t records);
/* `checkpoints` so far, the last of which took so long; at most one a commit. */
void live_checkpoint(struct live_figures *f, uint64_t checkpoints, double seconds);

#endif
