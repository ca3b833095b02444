/* merge.h -- all partitions as one sequence by event time.
 *
 * Each partition has a ring of decoded records. Its key is the smallest ts among its next
 * LIMIT_LOOKAHEAD usable records (fewer only at its end, or where MERGE_WINDOW records hold
 * fewer); the partition with the smallest key gives its next record; ties by topic, partition. A
 * pending partition (fewer than those records and not at its end) blocks the merge until
 * merge_stall. Over a backlog the sequence is a pure function of the messages. Refused records
 * keep their place in their partition and do not count towards its key; where nothing else is in
 * sight they are given at once. They are given with ts = the watermark (the one thing about time
 * that a restart remembers; INT64_MIN before the first usable record).
 */
#ifndef MONITOR_SOURCE_MERGE_H
#define MONITOR_SOURCE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "monitor/decode/record.h"

struct decoder;
struct diag;
struct merge;
struct source;

/* Records of a partition within which its usable ones are looked for. */
enum { MERGE_WINDOW = 2 * LIMIT_LOOKAHEAD };

int merge_create(struct merge **out, struct source *source, struct decoder *decoder,
                 int64_t stall_ms, struct diag *d);
void merge_destroy(struct merge *m); /* NULL is fine; the source stays open */

enum merge_result {
	MERGE_RECORD, /* *out is the next record of the sequence */
	MERGE_WAIT,   /* a partition is pending, or none is known: call source wait, then again */
	MERGE_END,    /* every partition is at its end and empty (live: more may come later) */
};
/* *out is valid until the next call. *watermark_ms is the largest key so far. `now_ms` is a
 * monotonic clock, used only for merge_stall (pass 0 to wait for ever: replay). */
enum merge_result merge_next(struct merge *m, int64_t now_ms, const struct record **out,
                             int64_t *watermark_ms);
/* The record that is `behind` >= 1 records behind the last one given, in its partition; NULL: not decoded
 * yet. It comes later, whatever comes in between: what it will need can be fetched. */
const struct record *merge_later(const struct merge *m, uint32_t behind);
/* A stall ended the wait for a partition since the last call: its index, else UINT32_MAX. */
uint32_t merge_stalled(struct merge *m);
/* Restores the watermark after a restart. */
void merge_set_watermark(struct merge *m, int64_t watermark_ms);
/* Offset of the first record of a partition that merge_next has not yet returned; -1: not known
 * yet. */
int64_t merge_position(const struct merge *m, uint32_t partition);
size_t merge_bytes(const struct merge *m);

#endif
