/* store.h -- everything that must survive a crash, in one SQLite file.
 *
 * One transaction (store_begin .. store_commit) holds offsets, states, statistics, alerts and outbox
 * rows; it lands whole or not at all, so a restart resumes at exactly the record after the last
 * committed one. One writer: a second process gets ERR_RUNNING from store_open (flock on PATH.lock).
 * Readers (sqlite3 CLI, `driftd status`) never block it and it never blocks them (WAL, persistent).
 *
 * A put that fails poisons the transaction: later puts do nothing, store_commit rolls back and returns
 * the first error, so callers check once. ERR_BUSY and ERR_FULL from store_commit: the
 * caller's state is intact and the whole transaction may be tried again; ERR_IO: exit, never retry in
 * process; ERR_CORRUPT: exit 65. Not thread-safe: the pipeline owns it. Prepared statements only.
 *
 * Text is (bytes, length): it may hold NULs and is bound with its length, invalid UTF-8 never gets here.
 * Doubles: NaN is stored as NULL. Times: epoch milliseconds UTC. Blobs of state carry magic, version,
 * length and CRC-32C (added and checked here; a mismatch is ERR_CORRUPT and names the row).
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/labels.h"
#include "storage/ood.h"

struct diag;
struct store;
struct sqlite3;

enum { STORE_SCHEMA_VERSION = 1, STORE_APPLICATION_ID = 0x44524654 /* "DRFT" */ };

enum store_mode {
	STORE_DAEMON, /* open or create; takes the lock; migrates */
	STORE_CREATE, /* must not exist (replay): ERR_INVALID if it does; takes the lock */
	STORE_APPEND, /* must exist; takes the lock */
};

/* ERR_RUNNING another instance (its pid is in the sentence); ERR_BUSY, ERR_FULL try again; ERR_CORRUPT
 * foreign or damaged file; ERR_NEWER newer schema; ERR_IO anything else. `id_hash_key`: 32 hex digits for a
 * new database, or NULL: drawn at random. Checks: application_id, user_version, WAL mode, quick_check after
 * an unclean stop. */
int store_open(struct store **out, const char *path, enum store_mode mode, const char *id_hash_key,
               struct diag *d);
/* Clean stop: wal_checkpoint(TRUNCATE), lock released. An open transaction is rolled back. NULL fine. */
void store_close(struct store *s);
/* Read-only connection for the CLI; same checks, no lock. Closed with sqlite3_close. */
int store_open_reader(struct sqlite3 **out, const char *path, struct diag *d);
struct sqlite3 *store_handle(struct store *s); /* for tests and for the parts of storage/ */
void store_id_hash_key(struct store *s, uint8_t key[16]); /* SipHash key of ids, from `meta` */

int store_begin(struct store *s, struct diag *d);
int store_commit(struct store *s, struct diag *d);
void store_rollback(struct store *s);
/* The database or its WAL was moved, replaced or unlinked while open (stat, never open): ERR_IO. */
int store_check_moved(struct store *s, struct diag *d);
int64_t store_wal_bytes(struct store *s);
/* How often the log was moved into the database so far; *seconds: how long it took last. */
uint64_t store_checkpoints(const struct store *s, double *seconds);
int64_t store_database_bytes(struct store *s);
/* Free bytes of its file system, for us; UINT64_MAX when that cannot be told. Below STORE_FREE_MIN_BYTES
 * (a few WALs) the disk counts as nearly full. */
enum { STORE_FREE_MIN_BYTES = 256 * 1024 * 1024 };
uint64_t store_free_bytes(const struct store *s);
uint64_t store_bytes_put(const struct store *s); /* bytes bound since store_begin: paces commits */

/* -- identity: ids are the database's own, assigned in order of first request, stable for ever ------ */
int store_model_id(struct store *s, const char *name, size_t length, int64_t first_ms, uint32_t *id);
struct stream_key {
	uint32_t model_id;
	const char *segment, *kind, *field, *version; /* '' where it does not apply */
	size_t segment_length, field_length, version_length;
};
/* type: "numeric", "binary", "categorical", "labels" (a row of label_statistics). */
int store_stream_id(struct store *s, const struct stream_key *key, const char *type, int64_t first_ms,
                    uint32_t *id);
/* The row of a detector whose id the caller makes of the stream's; its method may change. Inside a
 * transaction. */
int store_detector_id(struct store *s, uint32_t id, uint32_t stream_id, const char *method,
                      const char *role);
int store_drop_detector(struct store *s, uint32_t id); /* that the configuration no longer has */
/* Calls visit for every stream of a model, in id order (restart). */
struct stream_row {
	uint32_t stream_id;
	struct stream_key key;
	const char *type;
	int64_t first_ms;
};
int store_each_stream(struct store *s, uint32_t model_id,
                      int (*visit)(void *ctx, const struct stream_row *row), void *ctx);
int store_each_model(struct store *s,
                     int (*visit)(void *ctx, uint32_t model_id, const char *name, size_t length),
                     void *ctx);

/* -- offsets --------------------------------------------------------------------------------------- */
struct offset_row {
	const char *topic;
	int32_t partition;
	int64_t next_offset;    /* first record not yet processed (files: line number from 0) */
	int64_t anchor_offset;  /* last processed record, -1 none ... */
	uint64_t anchor_hash;   /* ... XXH64 of its key and value */
	int64_t end_offset;     /* high watermark when last seen, -1 unknown: view `lag` */
	uint32_t epoch;         /* how often the topic was found recreated */
};
int store_put_offset(struct store *s, const struct offset_row *row);
int store_each_offset(struct store *s, int (*visit)(void *ctx, const struct offset_row *row), void *ctx);
int store_put_gap(struct store *s, const char *topic, int32_t partition, int64_t from, int64_t to,
                  const char *reason, int64_t at_ms);

/* -- state, meta, counters ------------------------------------------------------------------------- */
int store_put_state(struct store *s, const char *owner, uint32_t id, const void *blob, size_t length);
/* *blob is malloc()ed for the caller; NULL and length 0 when there is none. */
int store_get_state(struct store *s, const char *owner, uint32_t id, uint8_t **blob, size_t *length,
                    struct diag *d);
int store_delete_state(struct store *s, const char *owner, uint32_t id);
int store_put_meta(struct store *s, const char *key, const char *value);
int store_put_meta_i64(struct store *s, const char *key, int64_t value);
int store_get_meta(struct store *s, const char *key, char *value, size_t size); /* ERR_MISSING */
/* Absolute value of a counter; model_id 0 = the whole process. View `joins` reads, a model: predictions,
 * label_lines, matched_ids, repeat_lines, repeat_other_label, labels_late, and from the journal waiting,
 * expired, evicted, orphans, orphans_expired. report_status adds `records` and `rejected_*`. View
 * `budget` reads meta budget_alarms, budget_period_ms, first_watermark_ms; it and `lag` watermark_ms. */
int store_put_counter(struct store *s, uint32_t model_id, const char *name, uint64_t n);
int store_each_counter(struct store *s,
                       int (*visit)(void *ctx, uint32_t model_id, const char *name, uint64_t n),
                       void *ctx);

/* -- append-only blobs in chunks: references and the label journal ---------------------------------- */
/* Table `chunks` (owner, id, part, chunk): a chunk is of fixed size and only the last one, while it fills, is
 * put again (replaced), so that what the table ends with does not depend on when commits happened. Owners in
 * use: "ref" (id = stream, part = 2 generation + warm-up), "windows", "journal", "journal-probs",
 * "journal-bins", "outcomes", "orphans", "probes" (id = model, part = block). */
int store_put_chunk(struct store *s, const char *owner, uint32_t id, uint32_t part, uint32_t chunk,
                    const void *blob, size_t length);
/* Visits the chunks of (owner, id) in order of (part, chunk); bytes are valid during the call. */
int store_each_chunk(struct store *s, const char *owner, uint32_t id,
                     int (*visit)(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob,
                                  size_t length),
                     void *ctx, struct diag *d);
/* *blob is malloc()ed for the caller; NULL: there is none. */
int store_get_chunk(struct store *s, const char *owner, uint32_t id, uint32_t part, uint32_t chunk,
                    uint8_t **blob, size_t *length, struct diag *d);
int store_delete_part(struct store *s, const char *owner, uint32_t id, uint32_t part);

/* -- references: one active row per (model, version) ------------------------------------------------ */
struct ref_row {
	uint32_t ref_id, model_id;
	const char *version;
	const char *source;       /* "fit", "first", "rebaseline" */
	uint64_t hash;
	int64_t from_ms, to_ms;
	uint64_t rows;
	double rate_per_s;
	bool active;
};
int store_put_ref(struct store *s, struct ref_row *row); /* ref_id 0: a new one, written back */
int store_each_ref(struct store *s, uint32_t model_id, int (*visit)(void *ctx, const struct ref_row *),
                   void *ctx);

/* -- statistics ------------------------------------------------------------------------------------- */
struct statistics_row {
	int64_t window_ms, width_ms; /* width 0: a window of records */
	uint32_t stream_id;
	uint64_t n, missing;         /* n: values present */
	double mean, sd, min, max;   /* sd: n-1; NaN where undefined */
	double q05, q25, q50, q75, q90, q95;
	double psi, psi_null95, sigma_shift;
	double statistic;            /* highest S in the window: share of the threshold (c = 1) used */
	const char *histogram;       /* JSON array of cell counts (cells: `reference_cells`), or NULL */
};
int store_put_statistics(struct store *s, const struct statistics_row *row);

struct reference_cell { /* one cell of a stream's reference */
	uint32_t cell;
	double above, upto;          /* numeric: (above, upto]; NaN: no bound, or categorical */
	const char *category;        /* categorical, may hold NULs; NULL: numeric */
	size_t category_length;
	uint64_t n;
};
/* The cells of a stream, instead of those that it had. */
int store_put_reference_cells(struct store *s, uint32_t stream_id, const struct reference_cell *cell,
                              uint32_t cells);
/* Rank correlation (NaN: none) of two streams of uncertainty over n records that are in both references. */
int store_put_separability(struct store *s, uint32_t stream_id, uint32_t other_id, double rank_correlation,
                           uint32_t n);

/* Two versions side by side in one figure. */
struct comparison_row {
	uint32_t model_id;
	const char *version, *other; /* the later one, the earlier one; may hold NULs */
	size_t version_length, other_length;
	const char *figure;
	bool paired;                 /* by id; else neighbours in time */
	bool relative;               /* difference in parts of the sum of both; else in points */
	uint64_t n, higher, lower;
	double mean, other_mean, difference, low, high, evidence; /* NaN: none */
	int64_t updated_ms;
};
int store_put_comparison(struct store *s, const struct comparison_row *row);
/* What a version says how unsure it is with. */
struct form_row {
	uint32_t model_id;
	const char *version;
	size_t version_length;
	const char *form;          /* "class members", "samples", ... */
	uint32_t members;          /* or samples; 0: it is made of none */
	double monte_carlo_error;  /* relative, of the spread of one record; NaN: it has none */
};
int store_put_form(struct store *s, const struct form_row *row);
/* Perturbed twins of one perturbation and severity whose prediction has its label. */
struct robustness_row {
	uint32_t stream_id, error_id; /* of flips; of errors, 0: none yet */
	uint64_t labelled, clean_right, right, both_right;
	double reference_flip_rate, reference_error; /* NaN: no reference yet */
};
int store_put_robustness(struct store *s, const struct robustness_row *row);

int store_put_label_row(struct store *s, const struct label_row *row);
/* The row of a day with what it knows beyond sums, NULL: nothing. */
int store_put_label_day(struct store *s, const struct label_row *row, const struct label_detail *detail);
/* A day's (window_ms INT64_MIN: everything's) detail alone; ERR_MISSING when there is none. */
int store_put_label_detail(struct store *s, int64_t window_ms, uint32_t stream_id,
                           const struct label_detail *d);
int store_get_label_detail(struct store *s, int64_t window_ms, uint32_t stream_id,
                           struct label_detail *out);
/* Areas under the ROC curves over everything, for view performance_total. */
int store_put_label_total(struct store *s, uint32_t stream_id, const struct label_detail *d);
/* ERR_MISSING when there is no such row. */
int store_get_label_row(struct store *s, int64_t window_ms, int64_t width_ms, uint32_t stream_id,
                        struct label_row *out);
/* What errors hang on, as the last labels show it (detectors/uncertainty/residuals.h). */
struct residual_row {
	uint32_t stream_id;         /* of the labels */
	const char *measure;        /* slope, intercept, autocorrelation, volatility; linear, groups, spread */
	const char *field;          /* name of the stream of a feature or output; "" */
	double n, value, statistic, p_value;
};
int store_clear_residuals(struct store *s, uint32_t stream_id);
int store_put_residual(struct store *s, const struct residual_row *row);
/* What recalibration would do, a day of arrivals and version a row. */
struct recalibration_row {
	int64_t day_ms;
	const char *method;         /* aci, dtaci */
	double nominal, level;      /* promised; to be asked for now, in [0, 1] */
	double adjustment;          /* to both ends of an interval, or the threshold on 1 - p; NaN: everything */
	uint64_t labels, covered, covered_adapted, everything; /* everything: labels with an infinite set */
};
int store_put_recalibration(struct store *s, uint32_t stream_id, const struct recalibration_row *row);
/* Does the delay of a model's labels tell their outcome? `taken`: how they reach the tests. */
struct label_link {
	uint32_t model_id;
	const char *taken;
	uint32_t labels;
	double correlation, p_value;
};
int store_put_label_link(struct store *s, const struct label_link *link);
/* Marks rows final whose window ends before `until_ms` (watermark - wait). */
int store_finish_label_rows(struct store *s, uint32_t model_id, int64_t until_ms);
/* Rolls statistics up (window -> hour -> day) and drops what is older than kept; at most `rows_max` rows
 * deleted (one stream's hour or day always), so a commit stays short. A pure function of the rows and of
 * now_ms: the watermark, or the begin of the oldest window that is still open if that is earlier (windows
 * of records may stay open for days; a row put into a rolled-up hour would be merged a second time). */
int store_retain(struct store *s, int64_t now_ms, int64_t keep_fine_ms, int64_t keep_hour_ms,
                 uint32_t rows_max);
/* The same for rows of one stream, in order of time, that were never put: in row[0..*n), in place,
 * whole hours (days) that store_retain would roll up at now_ms become one row. Only such as begin
 * after the hour (day) of `after_ms`, up to where rows of the stream were put before (INT64_MIN:
 * none), so that the tables end up as if every row had been put. Histograms are malloc()ed. ERR_IO:
 * out of memory. */
int store_roll_rows(struct statistics_row *row, size_t *n, int64_t now_ms, int64_t keep_fine_ms,
                    int64_t keep_hour_ms, int64_t after_ms);
/* Counts as a histogram, malloc()ed; NULL: out of memory. */
char *store_histogram_text(const uint64_t *count, size_t cells);

/* -- detectors, alerts, outbox ---------------------------------------------------------------------- */
struct detector_row { /* the present standing: drift_now, budget */
	uint32_t detector_id;
	const char *params;       /* JSON */
	uint64_t fingerprint;
	const char *promise;      /* promise_text() */
	double share;             /* alarms per budget period allowed to it; 0 for evidence */
	uint32_t step;            /* thinning or phases */
	uint64_t used;
	double statistic;
	double spent, spent_apart; /* certified; provisional or void */
	uint32_t alarms, alarms_apart;
	double effect, effect_low, effect_high;
	const char *effect_unit;  /* "sigma", "points", "tv" */
	int64_t since_ms;         /* estimated start of the effect; INT64_MIN none */
	double old_value, new_value;
	bool material;
	const char *season;       /* it compares phase by phase of the day, weekday, week; "" not */
};
int store_put_detector(struct store *s, const struct detector_row *row);

struct alert_row {
	char alert_id[33];       /* 32 hex digits */
	char episode_id[33];
	uint32_t stream_id;
	const char *kind;        /* drift, coverage, performance, quality, no_data, gap, system, ... */
	const char *severity;    /* info, warning, critical */
	const char *promise;
	const char *method;
	const char *state;       /* open, acknowledged, resolved */
	const char *resolved_by; /* NULL, evidence, command, removed, rebaseline */
	int64_t opened_ms, started_ms, updated_ms, resolved_ms; /* INT64_MIN = none */
	double statistic;
	double effect, effect_low, effect_high, old_value, new_value;
	const char *effect_unit;
	const char *promise_words, *dependence, *explanation /* JSON */, *harm, *text /* five lines */;
	const char *moved, *diagnosis; /* kinds of uncertainty: their names, and a sentence */
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *model;       /* of an alert without a stream, for its message alone; or NULL */
	uint32_t message;        /* its number then; 0: 1 */
};
int store_insert_alert(struct store *s, const struct alert_row *row); /* same id twice: an error */
/* NULL texts, NaN and INT64_MIN leave the column as it is; topic, partition and offset never change. */
int store_update_alert(struct store *s, const struct alert_row *row);
int store_put_alert_event(struct store *s, const char *alert_id, uint32_t sequence, const char *event,
                          int64_t at_ms, double statistic, double effect, const char *text);
/* Where the misses or errors of an alert concentrate: one place a row, the rank from 1. */
struct explanation_row {
	const char *phase;         /* "descriptive", "after the alert" */
	uint32_t stream_id;        /* of the feature or output that is split */
	const char *field, *place; /* its name; the range or category in words */
	double above, up_to;       /* above < value <= up_to; NaN: none */
	uint64_t n, hits;          /* outcomes in the place; misses or errors among them */
	double rate, rate_low, rate_high, outside_rate, old_rate, lift, hits_share, records_share;
	double p_value;            /* exact (Fisher), times searched */
	uint64_t records;          /* outcomes looked at */
	uint32_t searched;         /* places looked at: the limits are at level 1 - .05 / searched */
};
int store_put_explanation(struct store *s, const char *alert_id, uint32_t rank,
                          const struct explanation_row *row);
/* Drops places with a rank above `rank`: an earlier explanation had more. */
int store_cut_explanation(struct store *s, const char *alert_id, uint32_t rank);
/* `body`: JSON; the alert's present severity is put into it. `shadow`: kept, never delivered.
 * storage/outbox.h is the other end. */
int store_put_outbox(struct store *s, const char *alert_id, const char *event, const char *body, bool shadow);

/* -- rejected, runs, commands ------------------------------------------------------------------------ */
int store_put_rejected(struct store *s, uint64_t number, const char *topic, int32_t partition,
                       int64_t offset, const char *reason, const char *detail, const void *sample,
                       size_t sample_length); /* row number % LIMIT_REJECTED_ROWS */
int store_put_run(struct store *s, const char *event, const char *detail, int64_t wall_ms);
struct command_row {
	int64_t command_id;
	const char *command;   /* ack, resolve, rebaseline, expect */
	const char *target;    /* alert id (or its beginning), episode, model, or "" */
	const char *arguments; /* JSON object */
};
int store_each_command(struct store *s, int (*visit)(void *ctx, const struct command_row *), void *ctx);
/* Does a `resolve` concern more than streams: has it a verdict for an alert, or is the alert one of the
 * system? */
bool store_command_judges(struct store *s, int64_t command_id);
/* Then: writes the verdict, ends the alert, puts its end into the outbox. Does nothing for other commands. */
int store_judge(struct store *s, int64_t command_id);
/* Alerts of a model that are open; 0 also when they cannot be read. */
uint32_t store_model_alerts(struct store *s, uint32_t model_id);
/* They are resolved as `removed`, at the watermark; an episode that ends with them is told. */
int store_remove_alerts(struct store *s, uint32_t model_id);
/* Was the alert resolved so? */
bool store_alert_removed(struct store *s, const char *alert_id);
/* Alerts of an episode that are open. */
uint32_t store_episode_open(struct store *s, const char *episode_id);
/* `driftd forget`, inside a transaction: takes the id out of `rejected`, bodies of the outbox and the command
 * itself; `hashed` stands there instead. Adds what it found to *out. Free pages keep no copy. After the
 * commit store_forgotten() empties the write-ahead log and, where free space within pages still names one of
 * the `n` that were forgotten, writes the file anew (VACUUM). */
struct forgotten {
	uint32_t predictions, labels, rejected, extremes, messages;
};
int store_forget(struct store *s, int64_t command_id, const char *id, const char *hashed,
                 struct forgotten *out);
struct trace_of {
	uint64_t keyed; /* keyed hash of the id, as rows of the journal have it */
	const char *id; /* NULL: as before */
};
int store_forgotten(struct store *s, const struct trace_of *of, size_t n, struct diag *d);
int store_finish_command(struct store *s, int64_t command_id, const char *result, int64_t wall_ms);
/* From the CLI: its own short connection; waits for the writer at most 10 s. */
int store_insert_command(const char *path, const char *command, const char *target,
                         const char *arguments, int64_t wall_ms, int64_t *command_id, struct diag *d);

#endif
