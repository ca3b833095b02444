/* merge_lane.h -- one partition inside the merge: a ring of decoded records with a window at its
 * head.
 *
 * The first `seen` records are the window. Its minimum is the front of a queue of candidates with
 * rising ts (a sliding-window minimum: every record enters and leaves once).
 */
#ifndef MONITOR_SOURCE_MERGE_LANE_H
#define MONITOR_SOURCE_MERGE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "monitor/decode/record.h"
#include "monitor/source/merge.h"
#include "monitor/source/source.h"

struct candidate {
	int64_t ts;
	uint32_t sequence;
};

/* What the merge needs of a record, kept apart: with many partitions the records themselves are out
 * of the cache again by the time it is their turn. */
struct slot {
	int64_t ts, offset;
	bool usable;
	bool more;                      /* the next record is of the same message */
	bool large;                     /* its buffers are given back afterwards */
};

struct merge_lane {
	struct record **ring;           /* [capacity] */
	struct slot *slot;              /* [capacity], beside it */
	uint32_t capacity, head, count;
	uint32_t sequence;              /* of the record at `head` */
	uint32_t seen, usable;          /* the window: records, usable ones */
	uint32_t first, candidates;     /* queue of candidates, a ring of LIMIT_LOOKAHEAD */
	uint32_t blocked_at;            /* place in merge.blocked, LANE_FREE: is not */
	int64_t blocked_ms;             /* since when; 0 = no clock yet */
	int64_t next;                   /* behind the last record given, -1 none */
	size_t large;                   /* decaying maximum of message lengths */
	enum partition_state state;
	bool stalled, told;
	struct candidate candidate[LIMIT_LOOKAHEAD];
};

#define LANE_FREE UINT32_MAX

static inline bool
lane_full(const struct merge_lane *l)
{
	return l->usable == LIMIT_LOOKAHEAD || l->seen == MERGE_WINDOW;
}

static inline uint32_t
lane_place(const struct merge_lane *l, uint32_t i)
{
	const uint32_t place = l->head + i;
	return place >= l->capacity ? place - l->capacity : place;
}

struct merge_lane *lane_create(uint32_t capacity); /* NULL: no memory */
void lane_destroy(struct merge_lane *l);
bool lane_resize(struct merge_lane *l, uint32_t capacity); /* false: no memory */
/* Counts the record that was decoded into ring[lane_place(l, l->count)]. */
void lane_push(struct merge_lane *l);
/* Takes records that were pushed behind the window into it, as far as it goes. */
void lane_extend(struct merge_lane *l);
/* Drops the head. */
void lane_advance(struct merge_lane *l);
size_t lane_bytes(const struct merge_lane *l);

#endif
