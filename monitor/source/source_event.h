/* source_event.h -- the events of a source, first in first out; shared by the sources only. */
#ifndef MONITOR_SOURCE_SOURCE_EVENT_H
#define MONITOR_SOURCE_SOURCE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/source/source.h"

struct event_queue {
	struct source_event *item;
	size_t head, count, capacity;
};

/* Adds a zeroed event of that kind; the caller fills it in. Never NULL: without memory the process
 * ends, because a gap that is lost here would be a silent jump. Valid until the next call. */
struct source_event *event_add(struct event_queue *q, enum source_event_kind kind,
                               uint32_t partition);
bool event_take(struct event_queue *q, struct source_event *out); /* false: none left */
void event_finish(struct event_queue *q);

/* calloc that ends the process with a sentence when there is no memory: a source that lost a
 * partition to a failed allocation could only go on with a wrong sequence. */
void *source_alloc(size_t count, size_t size);
/* The same for realloc; new bytes are not cleared. */
void *source_realloc(void *old, size_t count, size_t size);

#endif
