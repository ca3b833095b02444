/* journal_orphans.c -- labels whose prediction has not been seen (yet).
 *
 * A ring in order of arrival. One that is taken leaves a hole; the head moves over holes, so the
 * oldest number in the ring always holds an orphan, and it is this one that leaves when the ring is
 * full or when time has passed it. (An older label behind a younger head waits for it: order of
 * arrival is what a restart can repeat.)
 *
 * The log: "add number, id, ts, label", "take number". What leaves at the head needs no record, for
 * the head is in the state. Parts go once the head has passed every add in them.
 */
#include "monitor/label/journal_inside.h"

#include "config/diag.h"

enum {
	RING_MIN = 64,
	KIND_NUMBER = 0,
	KIND_CLASS = 1,
	KIND_TAKE = 2,
	KIND_SCORE = 3,
};

void
journal_orphans_init(struct journal_orphans *o, uint32_t size_max)
{
	*o = (struct journal_orphans){ .size_max = size_max };
	journal_index_init(&o->index, size_max, size_max);
	journal_log_init(&o->log, "orphans");
}

void
journal_orphans_finish(struct journal_orphans *o)
{
	journal_pages_unmap(o->ring, o->size * sizeof(*o->ring));
	journal_index_finish(&o->index);
	journal_log_finish(&o->log);
	o->ring = NULL;
	o->size = 0;
}

static struct journal_orphan *
at(const struct journal_orphans *o, uint64_t number)
{
	return &o->ring[number % o->size];
}

static bool
reindex(struct journal_orphans *o)
{
	if (!journal_index_resize(&o->index, (uint32_t)o->held))
		return false;
	for (uint64_t n = o->head; n < o->tail; n++)
		if (at(o, n)->live)
			journal_index_insert(&o->index, at(o, n)->id, (uint32_t)(n % o->size));
	return true;
}

static bool
grow(struct journal_orphans *o)
{
	struct journal_orphans old = *o;
	uint32_t size = o->size == 0 ? RING_MIN : o->size * 2;
	struct journal_orphan *ring;

	if (size > o->size_max || size < o->size)
		size = o->size_max;
	ring = journal_pages_map(size * sizeof(*ring), false);
	if (ring == NULL)
		return false;
	o->ring = ring;
	o->size = size;
	for (uint64_t n = o->head; n < o->tail; n++)
		*at(o, n) = *at(&old, n);
	if (!reindex(o)) {
		journal_pages_unmap(ring, size * sizeof(*ring));
		*o = old; /* a failed resize has left the index as it was */
		return false;
	}
	journal_pages_unmap(old.ring, old.size * sizeof(*old.ring));
	return true;
}

/* Takes number `n` out; the head moves on to the next one that is held. */
static void
leave(struct journal_orphans *o, uint64_t n)
{
	at(o, n)->live = 0;
	o->held--;
	journal_index_remove(&o->index, at(o, n)->id, (uint32_t)(n % o->size));
	while (o->head < o->tail && !at(o, o->head)->live)
		o->head++;
}

static uint64_t
find(const struct journal_orphans *o, uint64_t id)
{
	struct journal_probe p = journal_index_start(&o->index, id);
	uint32_t place;

	while ((place = journal_index_next(&o->index, &p)) != UINT32_MAX)
		if (o->ring[place].id == id) {
			uint32_t head = (uint32_t)(o->head % o->size);

			return o->head + (place >= head ? place - head : place + o->size - head);
		}
	return UINT64_MAX;
}

static const uint8_t kind_of[] = { [ORPHAN_NUMBER] = KIND_NUMBER, [ORPHAN_CLASS] = KIND_CLASS,
	                           [ORPHAN_SCORE] = KIND_SCORE };

int
journal_orphans_add(struct journal_orphans *o, const struct orphan *orphan)
{
	uint64_t record[4] = { o->tail << 8 | kind_of[orphan->is_class],
		               orphan->id, (uint64_t)orphan->ts, journal_word_of(orphan->label) };

	if (find(o, orphan->id) != UINT64_MAX)
		return 0;
	while (o->tail - o->head >= o->size_max) {
		o->expired++;
		leave(o, o->head);
	}
	if (o->tail - o->head >= o->size && !grow(o))
		return ERR_IO;
	if (journal_index_is_full(&o->index) && !reindex(o))
		return ERR_IO;
	if (!journal_log_append(&o->log, record, 4, o->tail))
		return ERR_IO;
	*at(o, o->tail) = (struct journal_orphan){ orphan->id, orphan->ts, orphan->label,
		                                   orphan->is_class, 1 };
	journal_index_insert(&o->index, orphan->id, (uint32_t)(o->tail % o->size));
	o->tail++;
	o->held++;
	return 1;
}

int
journal_orphans_take(struct journal_orphans *o, uint64_t id, struct orphan *out)
{
	uint64_t n = o->held == 0 ? UINT64_MAX : find(o, id);
	uint64_t record = n << 8 | KIND_TAKE;
	const struct journal_orphan *a;

	if (n == UINT64_MAX)
		return 0;
	a = at(o, n);
	*out = (struct orphan){ a->id, a->ts, a->label, (uint8_t)a->is_class };
	/* The take is needed as long as the add is on disk, which goes first: parts leave in order. */
	if (!journal_log_append(&o->log, &record, 1, n))
		return ERR_IO;
	leave(o, n);
	return 1;
}

void
journal_orphans_expire(struct journal_orphans *o, int64_t before_ms)
{
	while (o->head < o->tail && at(o, o->head)->ts < before_ms) {
		o->expired++;
		leave(o, o->head);
	}
}

size_t
journal_orphans_bytes(const struct journal_orphans *o)
{
	uint64_t span = o->tail < o->size ? o->tail : o->size;

	return journal_pages_round((size_t)span * sizeof(*o->ring)) +
	       journal_index_bytes(&o->index) + journal_log_bytes(&o->log);
}

bool
journal_orphans_restart(struct journal_orphans *o)
{
	uint64_t span = o->tail - o->head;

	if (o->tail < o->head || span > UINT32_MAX / 4 || o->tail >> 56 != 0)
		return false;
	if (span > o->size_max) /* the configuration allows fewer now: they leave with the next add */
		journal_index_init(&o->index, (uint32_t)span, (uint32_t)span);
	o->size = RING_MIN;
	while (o->size < span)
		o->size *= 2;
	if (o->size > o->size_max && o->size_max >= span)
		o->size = o->size_max;
	else if (o->size > o->size_max)
		o->size = (uint32_t)span;
	o->ring = journal_pages_map(o->size * sizeof(*o->ring), false);
	return o->ring != NULL;
}

bool
journal_orphans_replay(struct journal_orphans *o, const uint64_t *record)
{
	uint64_t number = record[0] >> 8;
	unsigned kind = record[0] & 0xff;
	struct journal_orphan *a;

	if (number >= o->tail || kind > KIND_SCORE)
		return false;
	if (number < o->head)
		return true;
	a = at(o, number);
	if (a->live != (kind == KIND_TAKE))
		return false;
	if (kind == KIND_TAKE) {
		a->live = 0;
		o->held--;
		return true;
	}
	*a = (struct journal_orphan){ record[1], (int64_t)record[2], journal_double_of(record[3]),
		                      kind == KIND_SCORE ? ORPHAN_SCORE : kind == KIND_CLASS, 1 };
	o->held++;
	return true;
}

bool
journal_orphans_restored(struct journal_orphans *o)
{
	return (o->head == o->tail || at(o, o->head)->live) && reindex(o);
}
