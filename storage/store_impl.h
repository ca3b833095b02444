/* store_impl.h -- what the files of storage/ share; nobody else includes it.
 *
 * SQL stands where its values are bound. A statement is prepared at its first use, kept in its slot
 * and reused until store_close.
 */
#ifndef STORAGE_STORE_IMPL_H
#define STORAGE_STORE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "storage/store.h"

enum {
	HOUR_MS = 3600 * 1000,
	DAY_MS = 24 * HOUR_MS,
};

enum slot {
	SLOT_BEGIN, SLOT_COMMIT, SLOT_ROLLBACK,
	SLOT_MODEL_GET, SLOT_MODEL_ADD, SLOT_MODEL_EACH,
	SLOT_STREAM_GET, SLOT_STREAM_ADD, SLOT_STREAM_EACH,
	SLOT_DETECTOR_ADD, SLOT_DETECTOR_PUT, SLOT_DETECTOR_DROP,
	SLOT_OFFSET_PUT, SLOT_OFFSET_EACH, SLOT_GAP_PUT,
	SLOT_STATE_PUT, SLOT_STATE_GET, SLOT_STATE_DELETE,
	SLOT_META_PUT, SLOT_META_GET, SLOT_COUNTER_PUT, SLOT_COUNTER_EACH,
	SLOT_CHUNK_PUT, SLOT_CHUNK_EACH, SLOT_CHUNK_GET, SLOT_PART_DELETE,
	SLOT_REF_PUT, SLOT_REF_RETIRE, SLOT_REF_EACH,
	SLOT_STATISTICS_PUT, SLOT_HISTOGRAM_PUT, SLOT_CELL_PUT, SLOT_CELL_DELETE,
	SLOT_LABEL_PUT, SLOT_LABEL_GET, SLOT_LABEL_FINISH, SLOT_LABEL_DAYS, SLOT_RECENT_PUT,
	SLOT_LINK_PUT, SLOT_RECALIBRATION_PUT, SLOT_SEPARABILITY_PUT, SLOT_COMPARISON_PUT,
	SLOT_ROBUSTNESS_PUT, SLOT_FORM_PUT,
	SLOT_RESIDUAL_PUT, SLOT_RESIDUALS_CLEAR,
	SLOT_DETAIL_PUT, SLOT_DETAIL_GET, SLOT_TOTAL_PUT, SLOT_LEVEL_PUT, SLOT_LEVEL_CLEAR, SLOT_QUANTILE_PUT,
	SLOT_QUANTILE_CLEAR,
	SLOT_ROLL_NEXT, SLOT_ROLL_NEXT_DAY, SLOT_ROLL_ROWS, SLOT_ROLL_ROWS_DAY,
	SLOT_ROLL_DELETE, SLOT_ROLL_COUNTS_DELETE,
	SLOT_LABEL_OLD, SLOT_LABEL_OLD_HOUR, SLOT_LABEL_DROP,
	SLOT_OOD_REF_PUT, SLOT_OOD_WINDOW_PUT, SLOT_OOD_EXTREME_PUT,
	SLOT_OOD_DROP_FINE, SLOT_OOD_DROP_HOUR, SLOT_OOD_DROP_EXTREMES,
	SLOT_FREE_PAGES, SLOT_VACUUM,
	SLOT_ALERT_ADD, SLOT_ALERT_UPDATE, SLOT_EVENT_ADD, SLOT_OUTBOX_ADD,
	SLOT_EXPLANATION_PUT, SLOT_EXPLANATION_CUT,
	SLOT_REJECTED_PUT, SLOT_RUN_ADD, SLOT_COMMAND_EACH, SLOT_COMMAND_FINISH,
	SLOT_COMMAND_JUDGES, SLOT_JUDGE_VERDICT, SLOT_JUDGE_EVENT, SLOT_JUDGE_OUTBOX, SLOT_JUDGE_RESOLVE,
	SLOT_REMOVED_COUNT, SLOT_REMOVED_OUTBOX, SLOT_REMOVED_EVENT, SLOT_REMOVED_RESOLVE, SLOT_REMOVED_ALERT,
	SLOT_REMOVED_EPISODE,
	SLOT_FORGET_REJECTED, SLOT_FORGET_OUTBOX, SLOT_FORGET_COMMAND, SLOT_FORGET_OOD,
	SLOTS
};

/* One bound value. Bytes belong to the caller until the statement has run. */
struct value {
	enum { VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_BLOB } type;
	int64_t integer;
	double real;
	const void *bytes;
	size_t length;
};
struct value value_int(int64_t v);
struct value value_count(uint64_t v); /* and hashes: the same 64 bits */
struct value value_time(int64_t ms);  /* INT64_MIN: NULL */
struct value value_real(double v);    /* NaN: NULL */
struct value value_text(const char *text);                /* NULL: NULL */
struct value value_bytes(const char *text, size_t length); /* text that may hold NULs */
struct value value_blob(const void *bytes, size_t length);
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct pending; /* an id that was given out and is not committed yet; store_identity.c */

struct store_file { /* to notice that it was moved */
	dev_t device;
	ino_t inode;
};

enum identity { IDENTITY_MODEL, IDENTITY_STREAM, IDENTITY_REF, IDENTITIES };

struct store {
	sqlite3 *db;
	char *path;             /* absolute, without symbolic links */
	char *wal_path;
	bool forgets;           /* this transaction leaves no copies in free pages */
	int lock;               /* descriptor of PATH.lock, -1 none */
	bool in_transaction;
	int error;              /* of the first put that failed in this transaction ... */
	struct diag diag;       /* ... and its sentence */
	uint64_t bytes_put;
	sqlite3_stmt *statement[SLOTS];
	uint8_t *scratch;       /* header and payload of a sealed blob */
	size_t scratch_size;
	struct pending *pending;
	size_t pendings, pendings_size;
	uint32_t last_id[IDENTITIES];
	uint32_t *recent;       /* streams whose days of labels were put: label_recent is due at the commit */
	size_t recents, recents_size;
	struct store_file database, wal;
	uint64_t checkpoints;
	double checkpoint_seconds;
};

/* Maps the last error of `db` to enum err and writes a sentence: "cannot DOING PATH: ...". */
int store_sqlite_error(sqlite3 *db, const char *doing, struct diag *d);
/* The statement of a slot with its values bound, before its first row; NULL on error (sentence in d). */
sqlite3_stmt *store_query(struct store *s, enum slot slot, const char *sql,
                          const struct value *value, size_t values, struct diag *d);
/* Ends a query: `step` is the last answer of sqlite3_step. 0, or the error with its sentence. */
int store_query_end(struct store *s, sqlite3_stmt *statement, int step, struct diag *d);
/* Binds ?1 .. ?values; an SQLite code. */
int store_bind(sqlite3_stmt *statement, const struct value *value, size_t values);
/* A checked connection that writes beside the daemon's, in short transactions. */
int store_open_beside(sqlite3 **out, const char *path, int busy_ms, struct diag *d);
/* A put: runs to its end, under the poison rule. */
int store_run(struct store *s, enum slot slot, const char *sql, const struct value *value,
              size_t values);
/* Poisons the transaction with an error whose sentence is in `d`; returns it. */
int store_poison(struct store *s, int err, const struct diag *d);
/* SQL text that needs no values, outside the slots. */
int store_exec(sqlite3 *db, const char *sql, struct diag *d);
/* First column of the first row as an integer. */
int store_scalar(sqlite3 *db, const char *sql, int64_t *value, struct diag *d);

/* Frames bytes as magic, version, length, CRC-32C, payload, in s->scratch. */
int store_seal(struct store *s, const void *bytes, size_t length, struct value *out);
/* Checks a frame; *payload points into it. `name` says which row, for the sentence. */
int store_unseal(const void *frame, size_t size, const uint8_t **payload, size_t *length,
                 const char *name, struct diag *d);

/* store_labels.c: label_recent of the streams in s->recent, once a transaction. */
int store_put_recent(struct store *s);

/* label_levels.c: parts of a day's detail, and the rows of label_levels and label_quantiles made of them;
 * those with window_ms INT64_MIN are of the recent days together, which replace what was there (NULL: by
 * nothing). */
struct codec;
void label_levels_add(struct label_detail *to, const struct label_detail *from);
void label_levels_save(const struct label_detail *d, struct codec *out);
bool label_levels_load(struct label_detail *d, struct codec *in); /* false: damaged */
int store_put_label_levels(struct store *s, uint32_t stream_id, int64_t window_ms,
                           const struct label_detail *d);
int store_put_recent_levels(struct store *s, uint32_t stream_id, const struct label_detail *d);

/* store_identity.c */
int store_identity_open(struct store *s, struct diag *d);
int store_identity_begin(struct store *s);  /* writes again what a rollback took away */
void store_identity_committed(struct store *s);
void store_identity_close(struct store *s);

/* Text of a column, never NULL; bytes by sqlite3_column_bytes. */
const char *store_column_text(sqlite3_stmt *statement, int column);
double store_column_real(sqlite3_stmt *statement, int column); /* NULL: NaN */
int64_t store_floor(int64_t ms, int64_t unit); /* towards minus infinity; stops at INT64_MIN */
int64_t store_ago(int64_t ms, int64_t span);   /* ms - span, stopping at INT64_MIN */

#endif
