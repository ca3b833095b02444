/* outbox.h -- the end of the outbox from which messages are delivered.
 *
 * A connection of its own beside the writer's: its transactions are short (one message, or a few hundred
 * rows of routing), never checkpoint, and wait for the writer as long as OUTBOX_BUSY_MS; ERR_BUSY may be
 * tried again. A message (table `outbox`) is routed once: one row in `deliveries` for each sink that wants
 * it. A delivery is marked sent only after the receiver acknowledged it, so a crash in between sends again:
 * at least once. Not thread-safe. Times are wall clock, epoch milliseconds. */
#ifndef STORAGE_OUTBOX_H
#define STORAGE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct diag;
struct outbox;
struct sqlite3;

enum { OUTBOX_BUSY_MS = 5000 };

int outbox_open(struct outbox **out, const char *path, struct diag *d);
void outbox_close(struct outbox *o); /* NULL is fine */

/* What routing looks at. Texts are valid during the call. */
struct outbox_route {
	const char *event, *model, *kind, *severity;
};
/* Decides about the next messages that are not routed (a few hundred at most), for each of the named sinks.
 * An acknowledged or resolved alert goes where it was announced, whatever the rules say. *more: call again.
 * *any becomes true when a delivery was added. */
int outbox_route(struct outbox *o, const char *const *sink, size_t sinks,
                 bool (*wants)(void *context, size_t sink, const struct outbox_route *route), void *context,
                 int64_t now_ms, bool *more, bool *any, struct diag *d);
/* To be called when sinks or their rules may have changed: the last news of every alert that is open is
 * routed once more, for sinks that do not have it yet. */
int outbox_route_again(struct outbox *o, struct diag *d);
/* Deliveries that wait for a sink that is not among the named ones any more are given up. */
int outbox_forget_sinks(struct outbox *o, const char *const *sink, size_t sinks, int64_t now_ms,
                        struct diag *d);

/* Members of a message's body, as text. */
enum outbox_field {
	FIELD_ID, FIELD_EPISODE, FIELD_MODEL, FIELD_VERSION, FIELD_SEGMENT, FIELD_STREAM, FIELD_KIND, FIELD_SEVERITY,
	FIELD_SINCE, FIELD_HARM, FIELD_PROMISE, FIELD_TOPIC, FIELD_PARTITION, FIELD_TEXT, OUTBOX_FIELDS
};

struct outbox_message {
	int64_t outbox_id;
	uint32_t attempts;        /* made so far */
	int64_t first_ms;         /* of the first one; 0: none */
	int64_t done_ms;          /* of the acknowledgement; 0: none */
	int64_t opened_ms;        /* event time of the opening, INT64_MIN unknown */
	bool pending, resolved;
	char *alert_id, *event, *body;
	char *field[OUTBOX_FIELDS]; /* '' where the body has no such member */
	char *opening;            /* severity when it was announced; outbox_each_alert alone */
};
void outbox_message_finish(struct outbox_message *m);
/* The first message that is due at the sink: pending, its time has come, and no earlier one of the same alert
 * waits. only_critical: of that severity. ERR_MISSING: none. */
int outbox_next(struct outbox *o, const char *sink, int64_t now_ms, bool only_critical,
                struct outbox_message *out, struct diag *d);
/* The last message of every alert announced to the sink that is still firing, has a delivery pending, or
 * whose end was acknowledged at resolved_after_ms or later. */
int outbox_each_alert(struct outbox *o, const char *sink, int64_t resolved_after_ms,
                      int (*visit)(void *context, struct outbox_message *m), void *context, struct diag *d);

enum outbox_result { OUTBOX_SENT, OUTBOX_RETRY, OUTBOX_DEAD };
/* After a try. next_ms: of the next one (OUTBOX_RETRY). `error`: a sentence or NULL. up_to: earlier ones of
 * the same alert too (a receiver that is told states, not events). */
int outbox_mark(struct outbox *o, const char *sink, const struct outbox_message *m, enum outbox_result result,
                bool up_to, int64_t now_ms, int64_t next_ms, const char *error, struct diag *d);

struct outbox_gauge {
	uint64_t pending, dead;
	int64_t oldest_ms; /* when the oldest pending one was first tried; 0: none */
};
int outbox_gauge(struct outbox *o, const char *sink, struct outbox_gauge *out, struct diag *d);
/* Keeps both tables bounded: finished messages of resolved alerts that are older than keep_ms go, and beyond
 * rows_max messages the oldest pending deliveries are given up. */
int outbox_trim(struct outbox *o, int64_t now_ms, int64_t keep_ms, uint32_t rows_max, struct diag *d);

/* -- the command line: `driftd outbox` ------------------------------------------------------------------- */
/* Deliveries, the newest last; `state` NULL: those that are not sent. */
int outbox_list(struct sqlite3 *db, FILE *out, const char *state, bool json, struct diag *d);
/* Dead deliveries become pending, or (drop) pending ones dead; outbox_id 0: all. `sink` may be NULL. *n: how
 * many. */
int outbox_requeue(const char *path, int64_t outbox_id, const char *sink, uint64_t *n, struct diag *d);
int outbox_drop(const char *path, int64_t outbox_id, const char *sink, int64_t now_ms, uint64_t *n,
                struct diag *d);

#endif
