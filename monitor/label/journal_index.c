/* journal_index.c -- where is the row with this id? A line of cache, then the row.
 *
 * Buckets of one cache line: 15 entries and a count of the entries that had to go on to a later
 * bucket because this one was full (F14 of Folly counts the same way). A search reads on while that
 * count is not 0; a removal walks the same way and counts down, so nothing is ever left behind and
 * a dropped block costs one line a row. An entry is position + 1 in the low bits and a piece of the
 * hash above: 8 bits for 12 million rows, so of 12 entries in a bucket 1 in 20 searches reads a row
 * in vain.
 *
 * Any number of buckets will do: the bucket is the high half of hash * count (Lemire 2019). Ids are
 * keyed hashes already; the multiplication here only keeps consecutive numbers apart.
 *
 * Memory: 64 bytes for at most 12 entries on average, at least 9.6 after growing by a quarter: 5.3
 * to 6.7 bytes a row.
 */
#include "monitor/label/journal_inside.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct journal_bucket) == 64, "a bucket is a cache line");

enum {
	BUCKETS_MIN = 16,
	PAGES_HUGE = 8 * 1024 * 1024, /* bytes from which on 2 MiB pages are asked for */
};

void *
journal_pages_map(size_t bytes, bool huge)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (huge)
		(void)madvise(p, bytes, MADV_HUGEPAGE); /* only faster; may be off in the kernel */
	return p;
}

void
journal_pages_unmap(void *p, size_t bytes)
{
	if (p != NULL)
		(void)munmap(p, bytes);
}

size_t
journal_pages_round(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static uint64_t
hash(uint64_t id)
{
	id *= 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio: Fibonacci hashing */
	return id ^ id >> 32;
}

static uint32_t
home(const struct journal_index *x, uint64_t h)
{
	return (uint32_t)((h >> 32) * x->count >> 32);
}

static uint32_t
next(const struct journal_index *x, uint32_t bucket)
{
	return bucket + 1 == x->count ? 0 : bucket + 1;
}

/* Bit i: entry i of the bucket equals `entry` under `mask`. No branches, so no mispredictions. */
static uint32_t
match(const struct journal_bucket *b, uint32_t entry, uint32_t mask)
{
	uint32_t found = 0;

	for (unsigned i = 0; i < JOURNAL_BUCKET_ENTRIES; i++)
		found |= (uint32_t)(((b->entry[i] ^ entry) & mask) == 0) << i;
	return found;
}

void
journal_index_init(struct journal_index *x, uint32_t positions, uint32_t entries_max)
{
	uint32_t mask = 1;

	while (mask < positions) /* position + 1 must fit */
		mask = mask << 1 | 1;
	*x = (struct journal_index){
		.count_max = entries_max / JOURNAL_BUCKET_LOAD + 1,
		.position_mask = mask,
	};
}

void
journal_index_finish(struct journal_index *x)
{
	journal_pages_unmap(x->buckets, x->count * sizeof(*x->buckets));
	x->buckets = NULL;
	x->count = x->entries = 0;
}

bool
journal_index_is_full(const struct journal_index *x)
{
	return x->entries >= (uint64_t)x->count * JOURNAL_BUCKET_LOAD;
}

bool
journal_index_resize(struct journal_index *x, uint32_t entries)
{
	uint64_t count = ((uint64_t)entries + entries / 4) / JOURNAL_BUCKET_LOAD + BUCKETS_MIN;
	uint64_t least = (uint64_t)entries / JOURNAL_BUCKET_LOAD + 1;
	struct journal_bucket *buckets;

	if (count > x->count_max)
		count = x->count_max > least ? x->count_max : least;
	buckets = journal_pages_map(count * sizeof(*buckets), count * sizeof(*buckets) >= PAGES_HUGE);
	if (buckets == NULL)
		return false;
	journal_index_finish(x); /* before the new pages are touched: the two never count together */
	x->buckets = buckets;
	x->count = (uint32_t)count;
	return true;
}

void
journal_index_insert(struct journal_index *x, uint64_t id, uint32_t position)
{
	uint64_t h = hash(id);
	uint32_t bucket = home(x, h);
	uint32_t entry = ((uint32_t)h & ~x->position_mask) | (position + 1);
	uint32_t free_entries;

	while ((free_entries = match(&x->buckets[bucket], 0, UINT32_MAX)) == 0) {
		x->buckets[bucket].passed++;
		bucket = next(x, bucket);
	}
	x->buckets[bucket].entry[__builtin_ctz(free_entries)] = entry;
	x->entries++;
}

void
journal_index_remove(struct journal_index *x, uint64_t id, uint32_t position)
{
	uint64_t h = hash(id);
	uint32_t bucket = home(x, h);
	uint32_t entry = ((uint32_t)h & ~x->position_mask) | (position + 1);
	uint32_t found;

	while ((found = match(&x->buckets[bucket], entry, UINT32_MAX)) == 0) {
		assert(x->buckets[bucket].passed > 0);
		x->buckets[bucket].passed--;
		bucket = next(x, bucket);
	}
	x->buckets[bucket].entry[__builtin_ctz(found)] = 0;
	x->entries--;
}

void
journal_index_prefetch(const struct journal_index *x, uint64_t id)
{
	if (x->count > 0)
		__builtin_prefetch(&x->buckets[home(x, hash(id))], 1);
}

struct journal_probe
journal_index_start(const struct journal_index *x, uint64_t id)
{
	struct journal_probe p = { 0 };
	uint64_t h = hash(id);

	if (x->count == 0)
		return p;
	p.bucket = home(x, h);
	p.tag = (uint32_t)h & ~x->position_mask;
	p.left = x->count;
	p.matches = match(&x->buckets[p.bucket], p.tag, ~x->position_mask);
	return p;
}

uint32_t
journal_index_next(const struct journal_index *x, struct journal_probe *p)
{
	if (p->left == 0)
		return UINT32_MAX;
	for (;;) {
		const struct journal_bucket *b = &x->buckets[p->bucket];

		while (p->matches != 0) {
			uint32_t position = b->entry[__builtin_ctz(p->matches)] & x->position_mask;

			p->matches &= p->matches - 1;
			if (position != 0) /* a free entry looks like tag 0 */
				return position - 1;
		}
		if (b->passed == 0 || --p->left == 0)
			return UINT32_MAX;
		p->bucket = next(x, p->bucket);
		p->matches = match(&x->buckets[p->bucket], p->tag, ~x->position_mask);
	}
}

size_t
journal_index_bytes(const struct journal_index *x)
{
	return journal_pages_round(x->count * sizeof(*x->buckets));
}
