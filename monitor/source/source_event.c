#include "monitor/source/source_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *p)
{
	if (!p) {
		fputs("driftd: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
source_alloc(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size));
}

void *
source_realloc(void *old, size_t count, size_t size)
{
	return checked(reallocarray(old, count ? count : 1, size));
}

struct source_event *
event_add(struct event_queue *q, enum source_event_kind kind, uint32_t partition)
{
	if (q->head && q->head + q->count == q->capacity) {
		memmove(q->item, q->item + q->head, q->count * sizeof *q->item);
		q->head = 0;
	}
	if (q->count == q->capacity) {
		q->capacity = q->capacity ? 2 * q->capacity : 16;
		q->item = source_realloc(q->item, q->capacity, sizeof *q->item);
	}
	struct source_event *e = &q->item[q->head + q->count++];
	*e = (struct source_event){ .kind = kind, .partition = partition, .reason = "" };
	return e;
}

bool
event_take(struct event_queue *q, struct source_event *out)
{
	if (!q->count)
		return false;
	*out = q->item[q->head++];
	if (!--q->count)
		q->head = 0;
	return true;
}

void
event_finish(struct event_queue *q)
{
	free(q->item);
	*q = (struct event_queue){ 0 };
}
