/* ahead.h -- decodes the next messages of a partition on a thread of its own, while the merge gives those
 * before them. Only for sources whose messages can be taken before they are needed (files), and only for few
 * partitions. What is decoded, and in which order, is the same with every timing: the merge starts each
 * batch, and waits for the last one before it takes messages again.
 */
#ifndef MONITOR_SOURCE_AHEAD_H
#define MONITOR_SOURCE_AHEAD_H

#include <stdint.h>

#include "monitor/source/source.h"

enum { AHEAD_LANES = 4, AHEAD_RECORDS = 1024 };

struct ahead;

struct ahead *ahead_create(struct decoder *d); /* NULL: no thread, or no memory */
void ahead_destroy(struct ahead *a);           /* NULL is fine */
/* Waits until nothing is being decoded: then the source may be asked again, whose bytes were in use. Returns
 * room for AHEAD_RECORDS messages. */
struct message *ahead_messages(struct ahead *a);
/* Decodes the first n >= 1 of them for a lane that holds nothing; `state` is about what follows them. */
void ahead_start(struct ahead *a, uint32_t lane, uint32_t n, enum partition_state state);
/* Records of the lane that were not taken yet, decoded or not. */
uint32_t ahead_held(const struct ahead *a, uint32_t lane);
/* The next of them, waited for, in exchange for `free`; *length is its message's. *state is that of
 * ahead_start() with the last one, before that PARTITION_PENDING. */
struct record *ahead_take(struct ahead *a, uint32_t lane, struct record *free, size_t *length,
                          enum partition_state *state);
/* Offset of the next one; the lane holds one. */
int64_t ahead_offset(const struct ahead *a, uint32_t lane);
size_t ahead_bytes(const struct ahead *a);

#endif
