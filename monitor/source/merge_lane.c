#include "monitor/source/merge_lane.h"

#include <stdlib.h>

enum { KEEP_BYTES = 64 * 1024 }; /* buffers of a slot above this are given back */

void
lane_extend(struct merge_lane *l)
{
	while (l->seen < l->count && !lane_full(l)) {
		const struct slot *r = &l->slot[lane_place(l, l->seen)];
		if (r->usable) {
			while (l->candidates) {
				const uint32_t last = (l->first + l->candidates - 1) % LIMIT_LOOKAHEAD;
				if (l->candidate[last].ts < r->ts)
					break;
				l->candidates--;
			}
			l->candidate[(l->first + l->candidates++) % LIMIT_LOOKAHEAD] =
				(struct candidate){ r->ts, l->sequence + l->seen };
			l->usable++;
		}
		l->seen++;
	}
}

static size_t
buffer_bytes(const struct record *r)
{
	return r->text_capacity + sizeof(struct cell) * (r->cell_capacity + (size_t)r->set_capacity) +
	       sizeof(double) * r->prob_capacity +
	       sizeof(struct text) * (r->class_capacity + (size_t)r->segment_capacity);
}

void
lane_push(struct merge_lane *l)
{
	const uint32_t place = lane_place(l, l->count++);
	const struct record *r = l->ring[place];

	l->slot[place] = (struct slot){
		.ts = r->ts, .offset = r->offset, .usable = r->reject == REJECT_NONE,
		.more = r->more,
		.large = buffer_bytes(r) > KEEP_BYTES,
	};
}

void
lane_advance(struct merge_lane *l)
{
	const struct slot *r = &l->slot[l->head];

	if (r->usable) {
		l->usable--;
		if (l->candidates && l->candidate[l->first].sequence == l->sequence) {
			l->first = (l->first + 1) % LIMIT_LOOKAHEAD;
			l->candidates--;
		}
	}
	l->next = r->offset + 1;
	if (r->large) {
		record_finish(l->ring[l->head]);
		record_init(l->ring[l->head]);
	}
	if (++l->head == l->capacity)
		l->head = 0;
	l->sequence++;
	l->count--;
	l->seen--;
	lane_extend(l);
}

bool
lane_resize(struct merge_lane *l, uint32_t capacity)
{
	struct record **ring = calloc(capacity, sizeof *ring);
	struct slot *slot = calloc(capacity, sizeof *slot);
	bool fine = ring && slot;

	for (uint32_t i = l->capacity; fine && i < capacity; i++) {
		ring[i] = calloc(1, sizeof **ring);
		fine = ring[i] != NULL;
	}
	if (!fine) {
		for (uint32_t i = l->capacity; ring && i < capacity; i++)
			free(ring[i]);
		free(ring);
		free(slot);
		return false;
	}
	for (uint32_t i = 0; i < l->capacity; i++) {
		ring[i] = l->ring[lane_place(l, i)];
		slot[i] = l->slot[lane_place(l, i)];
	}
	for (uint32_t i = l->capacity; i < capacity; i++)
		record_init(ring[i]);
	free(l->ring);
	free(l->slot);
	l->ring = ring;
	l->slot = slot;
	l->capacity = capacity;
	l->head = 0;
	return true;
}

struct merge_lane *
lane_create(uint32_t capacity)
{
	struct merge_lane *l = calloc(1, sizeof *l);

	if (!l || !lane_resize(l, capacity)) {
		free(l);
		return NULL;
	}
	l->blocked_at = LANE_FREE;
	l->next = -1;
	return l;
}

void
lane_destroy(struct merge_lane *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->capacity; i++) {
		record_finish(l->ring[i]);
		free(l->ring[i]);
	}
	free(l->ring);
	free(l->slot);
	free(l);
}

size_t
lane_bytes(const struct merge_lane *l)
{
	size_t bytes = sizeof *l + l->capacity * (sizeof *l->ring + sizeof **l->ring + sizeof *l->slot);

	for (uint32_t i = 0; i < l->capacity; i++)
		bytes += buffer_bytes(l->ring[i]);
	return bytes;
}
