/* journal_log.c -- records that are only ever appended: outcomes, and the coming and going of
 * orphans.
 *
 * In memory are the records of chunks that are not yet whole on disk, and one number a part. A
 * record is written even when what it speaks of has left meanwhile, because another run may have
 * committed it before; parts that nobody needs go as a whole, from the old end, by a rule that
 * looks at the calls alone (full, and no key at or above `keep`).
 */
#include "monitor/label/journal_inside.h"

#include <stdlib.h>

#include "config/diag.h"
#include "storage/store.h"

enum {
	CHUNKS_PART = JOURNAL_LOG_PART / JOURNAL_LOG_CHUNK,
	WORDS_IDLE = 64 * 1024, /* 512 KiB of buffer are kept between commits */
};

/* Room for `count` elements of `bytes` each; doubles. */
static bool
reserve(void **array, size_t *size, size_t count, size_t bytes)
{
	size_t grown = *size == 0 ? 64 : *size * 2;
	void *p;

	if (count <= *size)
		return true;
	while (grown < count)
		grown *= 2;
	p = realloc(*array, grown * bytes);
	if (p == NULL)
		return false;
	*array = p;
	*size = grown;
	return true;
}

void
journal_log_init(struct journal_log *l, const char *owner)
{
	*l = (struct journal_log){ .owner = owner };
}

void
journal_log_finish(struct journal_log *l)
{
	free(l->keys);
	free(l->words);
	free(l->starts);
	*l = (struct journal_log){ .owner = l->owner };
}

/* Begins the chunk and the part of record `count` where it is the first one there. */
static bool
open_chunk(struct journal_log *l)
{
	void *keys, *starts;

	if (l->count % JOURNAL_LOG_CHUNK != 0)
		return true;
	starts = l->starts;
	keys = l->keys;
	if (!reserve(&starts, &l->starts_size, l->starts_count + 1, sizeof(*l->starts)))
		return false;
	l->starts = starts;
	if (!reserve(&keys, &l->keys_size, l->keys_count + 1, sizeof(*l->keys)))
		return false;
	l->keys = keys;
	l->starts[l->starts_count++] = l->words_count;
	if (l->count % JOURNAL_LOG_PART == 0)
		l->keys[l->keys_count++] = 0;
	return true;
}

bool
journal_log_append(struct journal_log *l, const uint64_t *words, size_t n, uint64_t key)
{
	void *p = l->words;

	if (!reserve(&p, &l->words_size, l->words_count + n, sizeof(*l->words)))
		return false;
	l->words = p;
	if (!open_chunk(l))
		return false;
	journal_le64_copy(l->words + l->words_count, words, n);
	l->words_count += n;
	l->count++;
	if (l->keys[l->keys_count - 1] < key + 1)
		l->keys[l->keys_count - 1] = key + 1;
	return true;
}

/* Lets go of parts that are full and needed by nobody. */
static void
advance(struct journal_log *l, uint64_t keep)
{
	size_t gone = 0;

	while (gone < l->keys_count && l->keys[gone] <= keep &&
	       ((uint64_t)l->front + gone + 1) * JOURNAL_LOG_PART <= l->count)
		gone++;
	if (gone == 0)
		return;
	l->front += (uint32_t)gone;
	l->keys_count -= gone;
	memmove(l->keys, l->keys + gone, l->keys_count * sizeof(*l->keys));
}

int
journal_log_save(struct journal_log *l, struct store *store, uint32_t id, uint64_t keep)
{
	uint64_t base = l->saved / JOURNAL_LOG_CHUNK;
	uint64_t parts = (l->saved + JOURNAL_LOG_PART - 1) / JOURNAL_LOG_PART;
	int error;

	advance(l, keep);
	for (uint32_t part = l->front_saved; part < l->front && part < parts; part++)
		if ((error = store_delete_part(store, l->owner, id, part)) != 0)
			return error;
	for (size_t i = 0; i < l->starts_count && l->count > l->saved; i++) {
		uint64_t chunk = base + i;
		size_t end = i + 1 < l->starts_count ? l->starts[i + 1] : l->words_count;

		if (chunk / CHUNKS_PART < l->front)
			continue;
		error = store_put_chunk(store, l->owner, id, (uint32_t)(chunk / CHUNKS_PART),
		                        (uint32_t)(chunk % CHUNKS_PART), l->words + l->starts[i],
		                        8 * (end - l->starts[i]));
		if (error != 0)
			return error;
	}
	l->sent = l->count;
	l->front_sent = l->front;
	return 0;
}

void
journal_log_saved(struct journal_log *l)
{
	size_t whole = (size_t)(l->sent / JOURNAL_LOG_CHUNK - l->saved / JOURNAL_LOG_CHUNK);
	size_t words;

	l->saved = l->sent;
	l->front_saved = l->front_sent;
	if (whole == 0)
		return;
	words = whole < l->starts_count ? l->starts[whole] : l->words_count;
	l->words_count -= words;
	memmove(l->words, l->words + words, 8 * l->words_count);
	l->starts_count -= whole;
	for (size_t i = 0; i < l->starts_count; i++)
		l->starts[i] = l->starts[i + whole] - words;
	if (l->words_size > WORDS_IDLE && l->words_count <= WORDS_IDLE) { /* after a rush */
		uint64_t *smaller = realloc(l->words, 8 * WORDS_IDLE);

		if (smaller != NULL) {
			l->words = smaller;
			l->words_size = WORDS_IDLE;
		}
	}
}

void
journal_log_unsave(struct journal_log *l)
{
	l->sent = l->saved;
	l->front_sent = l->front_saved;
}

uint64_t
journal_log_dirty_bytes(const struct journal_log *l)
{
	return l->count == l->saved ? 0 : 8 * (uint64_t)l->words_count;
}

size_t
journal_log_bytes(const struct journal_log *l)
{
	return l->words_size * sizeof(*l->words) + l->starts_size * sizeof(*l->starts) +
	       l->keys_size * sizeof(*l->keys);
}

void
journal_log_restart(struct journal_log *l, uint32_t front)
{
	l->front = l->front_saved = l->front_sent = front;
	l->count = l->saved = l->sent = (uint64_t)front * JOURNAL_LOG_PART;
}

bool
journal_log_restore(struct journal_log *l, uint32_t part, uint32_t chunk, const uint8_t *blob,
                    size_t length, uint32_t records, uint64_t key)
{
	void *p = l->words;

	if (l->count % JOURNAL_LOG_CHUNK != 0 || l->count / JOURNAL_LOG_PART != part ||
	    l->count % JOURNAL_LOG_PART / JOURNAL_LOG_CHUNK != chunk || records == 0 ||
	    records > JOURNAL_LOG_CHUNK || !open_chunk(l))
		return false;
	if (l->keys[l->keys_count - 1] < key)
		l->keys[l->keys_count - 1] = key;
	l->count += records;
	if (records == JOURNAL_LOG_CHUNK) { /* whole: never written again */
		l->starts_count--;
		return true;
	}
	if (!reserve(&p, &l->words_size, length / 8, sizeof(*l->words)))
		return false;
	l->words = p;
	l->words_count = length / 8;
	memcpy(l->words, blob, length);
	return true;
}

void
journal_log_restored(struct journal_log *l)
{
	l->saved = l->sent = l->count;
}
