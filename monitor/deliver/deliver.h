/* deliver.h -- messages of the outbox to the configured sinks, beside the pipeline and never in its way.
 *
 * One thread routes what commits have put into the outbox; each sink has a thread, so that a slow one holds
 * up nobody else. All share one connection to the database, used for milliseconds. Without sinks, messages
 * are marked as unwanted. A delivery is tried until the receiver acknowledges it, refuses it, or a day has
 * passed. */
#ifndef MONITOR_DELIVER_DELIVER_H
#define MONITOR_DELIVER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/outbox.h"

struct config;
struct deliver;
struct diag;

/* `bootstrap`: addresses of the brokers for sinks of type kafka. The database must exist. config stays the
 * caller's and must outlive it. */
int deliver_start(struct deliver **out, const struct config *config, const char *bootstrap, struct diag *d);
/* News may be in the outbox: after a commit. Never blocks. */
void deliver_wake(struct deliver *d);
/* Sends what is due for at most `drain_ms`, then stops; what is left stays in the outbox. NULL is fine. */
void deliver_stop(struct deliver *d, int64_t drain_ms);

enum { DELIVER_BUCKETS = 10 };
extern const double deliver_bucket_s[DELIVER_BUCKETS]; /* upper bounds of durations, seconds */
struct deliver_status {
	const char *name;
	uint64_t ok, retry, dead;      /* since the start of the process */
	uint64_t bucket[DELIVER_BUCKETS + 1];
	double seconds;
	struct outbox_gauge gauge;     /* at most some seconds old */
};
/* Monotonic: when the thread that routes turned last. NULL is fine: 0. */
int64_t deliver_heartbeat_ms(const struct deliver *d);
size_t deliver_sinks(const struct deliver *d);
void deliver_status(struct deliver *d, size_t sink, struct deliver_status *out);

#endif
