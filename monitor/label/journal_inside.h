/* journal_inside.h -- what the files journal*.c share; nobody else includes it.
 *
 * journal.c          rows: a ring of blocks, allocated as rows come, dropped from the old end
 * journal_index.c    id -> 32-bit position, for rows and for orphans
 * journal_log.c      append-only records on disk (outcomes, orphans)
 * journal_orphans.c  labels that came before their prediction
 * journal_disk.c     save; journal_load.c: load; journal_pack.c: how chunks look on disk
 * journal_forget.c   takes out what belongs to one id
 *
 * On disk everything is cut by count, never by commit: chunk c of a part holds rows (or records)
 * c*K .. c*K+K-1, and the last, unfinished one is written again until it is full. So the tables
 * depend on the calls only, and two runs that committed at different moments end with equal bytes.
 */
#ifndef MONITOR_LABEL_JOURNAL_INSIDE_H
#define MONITOR_LABEL_JOURNAL_INSIDE_H

#include <endian.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/label/journal.h"

enum {
	/* Rows of a chunk: 14 KiB before they are packed, so a commit rewrites less than 7 KiB a model on
	 * average, and 10 million rows are 39 063 chunks, which SQLite reads as fast as larger ones. */
	JOURNAL_CHUNK_ROWS = 256,
	JOURNAL_LOG_CHUNK = 512,        /* records of a chunk of a log; 8 to 32 bytes each */
	JOURNAL_LOG_PART = 16384,       /* records of a part of a log, the unit of deletion */
	/* Doubles of a chunk of probabilities: 16 KiB. */
	JOURNAL_PROBS_CHUNK = 2048,
	JOURNAL_BUCKET_ENTRIES = 15,    /* a bucket of the index is one cache line: 15 and a count */
	JOURNAL_BUCKET_LOAD = 12,       /* entries a bucket on average before the index grows */
	JOURNAL_AHEAD = 16,             /* records between a prefetch and its use in our own loops */
	JOURNAL_OUTCOME = JOURNAL_WRONG | JOURNAL_MISS | JOURNAL_BELOW | JOURNAL_ABOVE |
	                  JOURNAL_SCORED,
};

/* -- pages ------------------------------------------------------------------------------------- */
/* Zeroed memory that costs nothing until it is touched. NULL: none. `huge` asks for 2 MiB pages. */
void *journal_pages_map(size_t bytes, bool huge);
void journal_pages_unmap(void *p, size_t bytes); /* NULL is fine */
size_t journal_pages_round(size_t bytes);

/* -- index ------------------------------------------------------------------------------------- */
struct journal_bucket {
	uint32_t entry[JOURNAL_BUCKET_ENTRIES]; /* tag bits above position + 1; 0 = free */
	uint32_t passed; /* entries kept further on because this bucket was full */
};
struct journal_index {
	struct journal_bucket *buckets;
	uint32_t count, count_max; /* buckets */
	uint32_t entries;
	uint32_t position_mask;
};
struct journal_probe { /* where a search stands */
	uint32_t bucket, tag, matches, left;
};

/* For positions below `positions`, at most `entries_max` of them at a time. Allocates nothing. */
void journal_index_init(struct journal_index *x, uint32_t positions, uint32_t entries_max);
void journal_index_finish(struct journal_index *x);
/* True: journal_index_resize() first, then insert everything again. */
bool journal_index_is_full(const struct journal_index *x);
/* Makes an empty index with room for `entries` and growth. False: no memory, nothing changed. */
bool journal_index_resize(struct journal_index *x, uint32_t entries);
void journal_index_insert(struct journal_index *x, uint64_t id, uint32_t position);
void journal_index_remove(struct journal_index *x, uint64_t id, uint32_t position);
void journal_index_prefetch(const struct journal_index *x, uint64_t id);
/* Positions that may hold `id`; the caller compares. UINT32_MAX: no more. */
struct journal_probe journal_index_start(const struct journal_index *x, uint64_t id);
uint32_t journal_index_next(const struct journal_index *x, struct journal_probe *p);
size_t journal_index_bytes(const struct journal_index *x);

/* -- logs -------------------------------------------------------------------------------------- */
/* A record is one to four 64-bit words. Its key says how long it is needed: until the caller's
 * `keep` passes it. Parts leave from the old end, when they are full and no record in them is
 * needed. */
struct journal_log {
	const char *owner;
	uint64_t count;             /* records ever appended */
	uint64_t saved, sent;       /* of these, committed; in the transaction under way */
	uint32_t front;             /* first part kept ... */
	uint32_t front_saved, front_sent;
	uint64_t *keys;             /* ... and the highest key + 1 of each part from there */
	size_t keys_count, keys_size;
	uint64_t *words;            /* records from the last chunk boundary at or before `saved` */
	size_t words_count, words_size;
	size_t *starts;             /* where each of these chunks begins in `words` */
	size_t starts_count, starts_size;
};
void journal_log_init(struct journal_log *l, const char *owner);
void journal_log_finish(struct journal_log *l);
bool journal_log_append(struct journal_log *l, const uint64_t *words, size_t n, uint64_t key);
int journal_log_save(struct journal_log *l, struct store *store, uint32_t id, uint64_t keep);
void journal_log_saved(struct journal_log *l);
void journal_log_unsave(struct journal_log *l);
uint64_t journal_log_dirty_bytes(const struct journal_log *l);
size_t journal_log_bytes(const struct journal_log *l);
/* Reading back: start, then every chunk in order, then finish. `records` and `key` (highest + 1)
 * come from the caller, who knows the records. False: out of order, or no memory. */
void journal_log_restart(struct journal_log *l, uint32_t front);
bool journal_log_restore(struct journal_log *l, uint32_t part, uint32_t chunk, const uint8_t *blob,
                         size_t length, uint32_t records, uint64_t key);
void journal_log_restored(struct journal_log *l);

/* -- orphans ----------------------------------------------------------------------------------- */
struct journal_orphan {
	uint64_t id;
	int64_t ts;
	double label;
	uint32_t is_class, live;
};
struct journal_orphans {
	struct journal_orphan *ring; /* orphan number n is at n % size; grown up to size_max */
	uint32_t size, size_max;
	uint64_t head, tail;         /* numbers; the one at head is held, or head == tail */
	uint64_t held, expired;
	struct journal_index index;
	struct journal_log log;
};
void journal_orphans_init(struct journal_orphans *o, uint32_t size_max);
void journal_orphans_finish(struct journal_orphans *o);
/* 1 added, 0 waits already, ERR_IO no memory. */
int journal_orphans_add(struct journal_orphans *o, const struct orphan *orphan);
int journal_orphans_take(struct journal_orphans *o, uint64_t id, struct orphan *out);
void journal_orphans_expire(struct journal_orphans *o, int64_t before_ms);
size_t journal_orphans_bytes(const struct journal_orphans *o);
/* Load: room for head .. tail, every record of the log, then the index. */
bool journal_orphans_restart(struct journal_orphans *o);
bool journal_orphans_replay(struct journal_orphans *o, const uint64_t *record);
bool journal_orphans_restored(struct journal_orphans *o);
static inline size_t
journal_orphans_words(uint64_t first_word) /* of the record that begins with it */
{
	return (first_word & 0xff) == 2 ? 1 : 4;
}

/* -- rows -------------------------------------------------------------------------------------- */
struct journal_block {
	struct journal_row *rows; /* NULL: none yet */
	double *probs;            /* K a row; NULL: no row of the block has any */
	uint8_t *bins;            /* bins_width a row, of which the row knows how many are its own */
	uint32_t bins_width;      /* grows with the widest row; 0: no row of the block has any */
	int64_t ts_max;
	uint32_t done;
};

/* A row as it was appended, kept while its chunk may still be written: what is on disk must not
 * depend on whether the label came before or after the commit. */
struct journal_original {
	uint64_t u[3];
	uint64_t flags;
};
struct journal_stash { /* of one chunk */
	uint64_t mask[JOURNAL_CHUNK_ROWS / 64];
	struct journal_original rows[JOURNAL_CHUNK_ROWS];
};

enum { JOURNAL_STATE_WORDS = 17, JOURNAL_STATE_VERSION = 3 };

struct journal_disk {
	uint64_t saved, sent;             /* rows below this number are committed; are being written */
	uint64_t first_saved, first_sent; /* the oldest row kept on disk */
	uint64_t stale_from, stale_to;    /* parts of another block size, to be deleted */
	struct journal_stash **stashes;   /* per chunk from the one that holds row max(saved, first) */
	size_t stashes_count, stashes_size;
	uint64_t stash_chunk;             /* number / chunk_rows of stashes[0] */
	bool sending;                     /* a save waits for saved() or unsave() */
	bool state_is_saved;
	uint64_t state_saved[JOURNAL_STATE_WORDS], state_sent[JOURNAL_STATE_WORDS];
};

struct journal {
	struct journal_config config;
	unsigned shift;               /* a block has 1 << shift rows */
	uint32_t chunk_rows;
	uint32_t ring;                /* blocks in the ring ... */
	uint32_t head;                /* ... and the place of the block of row `first` */
	struct journal_block *blocks;
	uint64_t first, end;
	uint64_t done, evicted, expired;
	uint64_t with_bins;           /* rows ever appended that have bins */
	bool failed;                  /* no memory in a call that cannot say so: the next save does */
	struct journal_index index;
	struct journal_log outcomes;
	struct journal_orphans orphans;
	struct journal_disk disk;
};

static inline uint32_t
journal_block_rows(const struct journal *j)
{
	return (uint32_t)1 << j->shift;
}

/* The block of row `number`, which is first .. end (end: the block to append to). */
static inline uint32_t
journal_ring_place(const struct journal *j, uint64_t number)
{
	uint64_t place = j->head + ((number >> j->shift) - (j->first >> j->shift));

	return (uint32_t)(place >= j->ring ? place - j->ring : place);
}

static inline struct journal_row *
journal_row_at(const struct journal *j, uint64_t number)
{
	return &j->blocks[journal_ring_place(j, number)].rows[number & (journal_block_rows(j) - 1)];
}

unsigned journal_shift(uint32_t capacity); /* block size of a capacity */
bool journal_ring_create(struct journal *j, uint64_t rows_max);
struct journal_block *journal_block_open(struct journal *j, uint64_t number, bool probs);
/* Room for `bins` bytes a row. False: no memory, nothing changed. */
bool journal_block_widen(struct journal *j, struct journal_block *b, uint32_t bins);
/* Indexes all rows again, with room for one more. */
bool journal_reindex(struct journal *j);
void journal_drop_block(struct journal *j, uint64_t *unlabelled);
/* The outcome itself, without writing it to the log. */
void journal_apply_done(struct journal *j, uint64_t number, double label, int64_t delay_ms,
                        uint16_t flags);
void journal_apply_seen(struct journal *j, uint64_t number);

void journal_rows_copy(void *to, const void *from, size_t rows); /* to little-endian form, and back */
/* Little-endian rows, 1 to JOURNAL_CHUNK_ROWS of them, as a chunk; returns its length. */
enum { JOURNAL_PACKED_MAX = 16 + (JOURNAL_CHUNK_ROWS + 1) * sizeof(struct journal_row) };
size_t journal_pack_rows(uint8_t *out, const void *rows, size_t n);
/* And back, into room for JOURNAL_CHUNK_ROWS: how many there are; 0: not such a chunk. */
size_t journal_unpack_rows(void *rows, const uint8_t *blob, size_t length);
/* n bins as a chunk of at most n + 9 bytes; returns its length. And back; false: not such a chunk. */
size_t journal_pack_bins(uint8_t *out, const uint8_t *bins, size_t n);
bool journal_unpack_bins(uint8_t *bins, size_t n, const uint8_t *blob, size_t length);
void journal_disk_finish(struct journal_disk *k);
/* The row as it was appended, where that is kept; NULL: it is not. */
struct journal_original *journal_disk_stashed(const struct journal_disk *k, uint32_t chunk_rows,
                                              uint64_t number);
void journal_disk_stash(struct journal *j, uint64_t number, const struct journal_row *row);
/* Rows of a chunk of probabilities. */
uint32_t journal_disk_probs_rows(uint32_t probs, uint32_t chunk_rows);
size_t journal_disk_bytes(const struct journal_disk *k);

static inline void
journal_le64_copy(void *to, const void *from, size_t words) /* either way */
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(to, from, 8 * words);
#else
	for (size_t i = 0; i < words; i++) {
		uint64_t v;

		memcpy(&v, (const char *)from + 8 * i, 8);
		v = htole64(v);
		memcpy((char *)to + 8 * i, &v, 8);
	}
#endif
}

static inline uint64_t
journal_word_of(double v)
{
	uint64_t word;

	memcpy(&word, &v, sizeof(word));
	return word;
}

static inline double
journal_double_of(uint64_t word)
{
	double v;

	memcpy(&v, &word, sizeof(v));
	return v;
}

#endif
