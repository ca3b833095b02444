/* journal.h -- predictions that wait for their labels.
 *
 * One journal a model. Rows are appended in merged order and never move: row number = count of rows ever
 * appended. In memory 56 bytes a row in blocks of LIMIT_JOURNAL_BLOB_ROWS plus a 4-byte open-addressing
 * index (load <= 3/4), so at most 64 bytes a waiting prediction, blocks allocated as they are needed.
 * Beside its row a prediction may have K probabilities (doubles) and any number of bins (bytes): what an
 * explanation of its miss will be counted by.
 * On disk: table `chunks`, owner "journal" (rows, appended at each commit), "journal-probs", "journal-bins",
 * "outcomes" (labels taken, appended; replaces the done-bitmaps: fewer bytes when labels come in random
 * order), "orphans"; state "journal".
 * A matched row stays, marked done, until its block goes: by capacity (oldest block first; its unlabelled
 * rows count as `evicted`) or when the watermark passes the ts of all its rows + wait + lateness (`expired`).
 * Everything is a function of the calls in order, the tables too: commits, failed commits and restarts
 * at any moment end with the same bytes. So journal_expire() must be called at moments that follow from
 * the records (each advance of the watermark is cheap enough), not where a batch happens to be cut.
 */
#ifndef MONITOR_LABEL_JOURNAL_H
#define MONITOR_LABEL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct journal;
struct store;

enum journal_flags {
	JOURNAL_DONE = 1 << 0,     /* label taken */
	JOURNAL_INTERVAL = 1 << 1, /* a, b, c = value, lower, upper (numeric label) */
	JOURNAL_VALUE = 1 << 2,    /* a = value only (b, c NaN) */
	JOURNAL_CLASS = 1 << 3,    /* klass is the predicted class */
	JOURNAL_SET = 1 << 4,      /* set[] is the prediction set */
	JOURNAL_PROBS = 1 << 5,    /* payload holds K probabilities */
	JOURNAL_SEEN = 1 << 6,     /* done, and its outcome was already handed on to the detectors */
	JOURNAL_WRONG = 1 << 7,    /* outcome bits, valid when done: */
	JOURNAL_MISS = 1 << 8,
	JOURNAL_BELOW = 1 << 9,
	JOURNAL_ABOVE = 1 << 10,
	JOURNAL_SCORED = 1 << 11,  /* judged by a nonconformity score, which is in the place of the label */
};

struct journal_row { /* 56 bytes; also the form on disk (little-endian, through codec) */
	uint64_t id;              /* keyed hash */
	int64_t ts;
	union {
		struct { double value, lower, upper; } interval; /* waiting, numeric; JOURNAL_VALUE: lower NaN, upper
		                                                  * the threshold of its score */
		struct { uint64_t set; double top, threshold; } klass; /* waiting, classes 0..63 of the set;
		                                                           * larger sets are payload */
		struct { double label, value; int64_t delay_ms; } done; /* done: numeric label or class
		                                                         * index as double; predicted value,
		                                                         * of classes `top` */
	} u;
	uint32_t window;          /* the caller's number of the prediction's window */
	uint16_t group;           /* (version, segment) of the caller */
	uint16_t klass;           /* predicted class, UINT16_MAX none */
	uint16_t level;           /* index into the caller's levels */
	uint16_t flags;
	uint16_t bins;            /* bytes of bins */
	uint16_t segments;        /* combination of segments of the caller (segment.h) */
};
_Static_assert(sizeof(struct journal_row) == 56, "64 bytes a waiting prediction with its index");

enum { JOURNAL_CAPACITY_MAX = 1 << 30 }; /* 32-bit positions, with room for a tag */

struct journal_config {
	uint32_t capacity;        /* rows kept; default 4 000 000. Below 524 288 the blocks are smaller: the
	                           * largest power of two that is at most capacity / 8 */
	uint32_t probs;           /* K doubles of payload a row; 0 = none. Set at the first record with probs
	                           * by journal_set_probs; rows appended before have none */
	bool probs_fixed;         /* journal_fix_probs */
	int64_t keep_ms;          /* wait + lateness */
	uint32_t model_id;        /* of the store */
};

int journal_create(struct journal **out, const struct journal_config *config, struct diag *d);
void journal_destroy(struct journal *j); /* NULL is fine */
/* The store's id of the model may be known only at the first commit: set before save and load. */
void journal_set_model(struct journal *j, uint32_t model_id);
/* K probabilities a row from now on. ERR_LIMIT when K differs from an earlier call (class count changed). */
int journal_set_probs(struct journal *j, uint32_t probs);
/* Before journal_load: so many from now on, whatever rows in the database have. Those lose what is beyond,
 * and have NaN for what they lack; with 0 they have none. Where no row has had any, none are set. */
void journal_fix_probs(struct journal *j, uint32_t probs);
uint32_t journal_probs_width(const struct journal *j); /* K; 0: none are set */

/* Is a row with this id in the journal (waiting or done)? UINT64_MAX = no. */
uint64_t journal_find(const struct journal *j, uint64_t id);
/* Prefetches what journal_find(id) will touch: call it some records ahead. */
void journal_prefetch(const struct journal *j, uint64_t id);
/* A second step, some records after the first: prefetches the row too. */
void journal_prefetch_row(const struct journal *j, uint64_t id);
/* Appends; returns its number. `probs` NULL or K doubles, `bins` row->bins bytes or NULL: the caller writes
 * them into journal_bins_room() before anybody reads or saves them. The id must not be in the
 * journal. May evict the oldest block. ERR_IO (memory) is reported as UINT64_MAX. */
uint64_t journal_append(struct journal *j, const struct journal_row *row, const double *probs,
                        const uint8_t *bins);
/* Row by number; NULL when it has left. The pointer is valid until the next append. */
const struct journal_row *journal_get(const struct journal *j, uint64_t number);
const double *journal_probs(const struct journal *j, uint64_t number); /* NULL: none */
/* The row's bins, row->bins of them; NULL: none. Valid until the next append. */
const uint8_t *journal_bins(const struct journal *j, uint64_t number);
uint8_t *journal_bins_room(struct journal *j, uint64_t number); /* likewise, to be written */
/* Takes a label: fills u.done (value kept, label, delay) and the outcome flags, which the caller computed
 * (JOURNAL_SEEN may be among them). Again for the same row: replaces label, delay and outcome. */
void journal_done(struct journal *j, uint64_t number, double label, int64_t delay_ms, uint16_t outcome_flags);
/* The outcome of a done row was handed to the detectors (matured windows). Persisted like an outcome. */
void journal_seen(struct journal *j, uint64_t number);
/* Drops blocks, oldest first, whose every row is older than watermark - keep_ms; of the youngest one what
 * there is (numbers go on). Then orphans that are older, from the oldest arrival up to the first that is
 * not. A few nanoseconds when nothing expires. */
void journal_expire(struct journal *j, int64_t watermark_ms);
uint64_t journal_first(const struct journal *j); /* number of the oldest row kept ... */
uint64_t journal_end(const struct journal *j);   /* ... and of the next one to be appended */

/* Orphans: labels whose prediction has not been seen; a ring of capacity / 16, the oldest one leaves
 * (counted `orphans_expired`). */
struct orphan {
	uint64_t id;
	int64_t ts;
	double label;      /* number, or the caller's class index */
	uint8_t is_class;  /* enum orphan_is */
};
enum orphan_is { ORPHAN_NUMBER, ORPHAN_CLASS, ORPHAN_SCORE };
/* False: the id already waits as an orphan (a repeat; the first one is kept). */
bool journal_orphan_add(struct journal *j, const struct orphan *o);
/* Takes the orphan with this id out; false when there is none. */
bool journal_orphan_take(struct journal *j, uint64_t id, struct orphan *out);

struct journal_counts {
	uint64_t rows, waiting, done;           /* now in the journal */
	uint64_t evicted, expired;              /* unlabelled rows that left by capacity, by time */
	uint64_t orphans, orphans_expired;      /* held now; left without a prediction */
};
void journal_counts(const struct journal *j, struct journal_counts *out);
size_t journal_bytes(const struct journal *j);

/* Appends what is new since the last call to the open transaction of `store` (rows, outcomes, orphans,
 * dropped blocks). After a failed commit journal_unsave() makes the next call write it again; after a
 * successful one call journal_saved(). ERR_IO also when an earlier call that cannot say so had no memory:
 * the process must end. */
int journal_save(struct journal *j, struct store *store);
void journal_saved(struct journal *j);
void journal_unsave(struct journal *j);
/* Takes out the row and the orphan of an id: neither is found again, their values are gone. Its number
 * (UINT64_MAX: there was no row), and whether it had an orphan. What was saved before is rewritten by
 * journal_forget_put, in the transaction of the next journal_save and after it, as often as that has to be
 * tried again. */
uint64_t journal_forget(struct journal *j, uint64_t id, bool *orphan);
int journal_forget_put(const struct journal *j, struct store *store, uint64_t id, uint64_t number);
uint64_t journal_dirty_bytes(const struct journal *j);
/* Reads everything back into a journal that was just created: 10 million rows in at most 5 s. Another
 * capacity than before is fine (everything may be written anew at the next save). ERR_CORRUPT: what is in
 * the database does not fit together; the journal can only be destroyed. */
int journal_load(struct journal *j, struct store *store, struct diag *d);

#endif
