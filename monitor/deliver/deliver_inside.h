/* deliver_inside.h -- what the files of monitor/deliver/ share about threads and the connection. */
#ifndef MONITOR_DELIVER_DELIVER_INSIDE_H
#define MONITOR_DELIVER_DELIVER_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "config/limits.h"
#include "monitor/deliver/deliver.h"
#include "monitor/deliver/sink.h"

struct sink {
	struct deliver *deliver;
	const struct sink_config *config;
	const struct sink_kind *kind; /* NULL: alertmanager */
	void *self;
	pthread_t thread;
	uint64_t random;
	uint32_t failures;         /* in a row */
	/* under deliver->lock */
	uint64_t ok, retry, dead, bucket[DELIVER_BUCKETS + 1];
	double seconds;
	struct outbox_gauge gauge;
};

struct deliver {
	const struct config *config;
	struct sink_world world;
	struct sink sink[LIMIT_SINKS];
	size_t sinks;
	const char *name[LIMIT_SINKS];
	pthread_t router;
	size_t started;            /* sinks whose thread runs */
	struct outbox *outbox;
	pthread_mutex_t database;  /* held while the connection is used */
	pthread_mutex_t lock;      /* the rest of this */
	pthread_cond_t change;
	bool woken;                /* for the router */
	uint64_t routed;           /* how often there was something new */
	size_t running;            /* sink threads */
	atomic_bool stop, cancel;
	_Atomic int64_t heartbeat_ms; /* of the router's last turn */
};

/* Waits until something was routed after `seen` (which is moved), `ms` passed, or the end begins. */
void deliver_wait(struct deliver *d, uint64_t *seen, int64_t ms);
/* A delivery took so long and ended so, for the statistics. */
void deliver_count(struct sink *s, enum outbox_result result, double seconds);
/* The mark of a message, again and again while the database is busy: what is not marked is sent once more. */
void deliver_mark(struct sink *s, const struct outbox_message *m, enum outbox_result result, bool up_to,
                  int64_t next_ms, const char *error);
/* Pause before try `attempt` + 1: uniform in (0, 1 s * 2^attempt], at most 5 min. */
int64_t deliver_backoff(struct sink *s, uint32_t attempt);
/* What a reply means for a message that was tried `attempts` times before; *next_ms for OUTBOX_RETRY. */
enum outbox_result deliver_judge(struct sink *s, const struct outbox_message *m, const struct reply *r,
                                 int64_t *next_ms);

/* alertmanager.c: the thread of such a sink. */
void alertmanager_run(struct sink *s);

#endif
