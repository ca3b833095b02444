/* learner.c -- bottom-k sampling with a max-heap of hashes; see learner.h. O(log N) a value that enters,
 * one comparison for one that does not. */
#include "detectors/kit/learner.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"

int
learner_init(struct learner *l, uint32_t capacity)
{
	memset(l, 0, sizeof *l);
	l->capacity = capacity;
	l->heap = malloc(capacity * sizeof *l->heap);
	return l->heap ? 0 : ERR_IO;
}

void
learner_finish(struct learner *l)
{
	free(l->log);
	free(l->heap);
	memset(l, 0, sizeof *l);
}

/* Largest hash first; of equal hashes the later arrival counts as larger, so the order is total. */
static bool
larger(const struct learner *l, uint32_t a, uint32_t b)
{
	uint64_t x = l->log[a].order, y = l->log[b].order;

	return x != y ? x > y : a > b;
}

static void
sift_down(struct learner *l, uint32_t at)
{
	uint32_t item = l->heap[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= l->held)
			break;
		if (child + 1 < l->held && larger(l, l->heap[child + 1], l->heap[child]))
			child++;
		if (!larger(l, l->heap[child], item))
			break;
		l->heap[at] = l->heap[child];
		at = child;
	}
	l->heap[at] = item;
}

static void
sift_up(struct learner *l, uint32_t at)
{
	uint32_t item = l->heap[at];

	while (at && larger(l, item, l->heap[(at - 1) / 2])) {
		l->heap[at] = l->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	l->heap[at] = item;
}

static bool
log_append(struct learner *l, const struct learned *v)
{
	if (l->logged == l->log_capacity) {
		uint32_t capacity = l->log_capacity ? 2 * l->log_capacity : 256;
		struct learned *log = realloc(l->log, capacity * sizeof *log);

		if (!log)
			return false;
		l->log = log;
		l->log_capacity = capacity;
	}
	l->log[l->logged++] = *v;
	return true;
}

bool
learner_offer(struct learner *l, const struct learned *v)
{
	if (l->held == l->capacity && v->order >= l->log[l->heap[0]].order)
		return false;
	if (!log_append(l, v))
		return false;
	if (l->held < l->capacity) {
		l->heap[l->held++] = l->logged - 1;
		sift_up(l, l->held - 1);
	} else {
		l->heap[0] = l->logged - 1;
		sift_down(l, 0);
	}
	return true;
}

static int
by_arrival(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
learner_take(const struct learner *l, struct learned *out)
{
	uint32_t *index = malloc((l->held + 1u) * sizeof *index);

	if (!index) { /* the heap's order is as reproducible, only less natural */
		for (uint32_t i = 0; i < l->held; i++)
			out[i] = l->log[l->heap[i]];
		return;
	}
	memcpy(index, l->heap, l->held * sizeof *index);
	qsort(index, l->held, sizeof *index, by_arrival);
	for (uint32_t i = 0; i < l->held; i++)
		out[i] = l->log[index[i]];
	free(index);
}
