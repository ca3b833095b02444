/* stream.h -- one stream: a named sequence of values of one model, its reference, its tests, the window it
 * is in, and the episode that may be open.
 */
#ifndef MONITOR_STREAM_STREAM_H
#define MONITOR_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "detectors/kit/cells.h"
#include "detectors/kit/learner.h"
#include "detectors/kit/summary.h"
#include "detectors/runner.h"
#include "monitor/alert/episode.h"
#include "monitor/stream/kind.h"
#include "monitor/stream/rows.h"
#include "monitor/stream/stream_season.h"

struct codec;
struct diag;
struct explain;
struct model;
struct outbound;
struct segment;
struct store;

enum stream_type { STREAM_NUMERIC, STREAM_BINARY, STREAM_CATEGORICAL };

struct test {
	struct stream *stream;
	const struct test_config *config;
	enum test_role role;
	uint32_t slot;          /* < LIMIT_TESTS, one of its own in the stream */
	struct runner *runner;  /* NULL: not started */
	const char *method;     /* as configured; sr-bernoulli in place of tolerant-binary for a known null */
	double centre, scale;   /* the values it sees are (value - centre) / scale; scale 0: as they are */
	bool keyed, unkeyed;    /* there is a season: it compares phase by phase; it cannot */
	bool tolerant;          /* what does not matter is inside its null: a crossing is material */
	uint64_t quiet_until;   /* unbudgeted: no other note before it has used so many records */
	double window_statistic; /* when the last window closed: what other streams may read of it, as it does
	                          * not depend on how far rows have gone through it; 0 before */
	double share;           /* alarms a budget period allowed to it; evidence: that of a paging test */
	uint32_t alarms;        /* opened by it */
	double spent_past, spent_past_apart; /* by runners that a rebaseline has ended */
	uint32_t detector_id;   /* database's; 0 before the first commit */
	struct learned *warmup; /* values of a warm-up that is over: its reference at a restart */
	uint32_t warmups;
	bool warmup_saved;
	bool warmup_dropped;    /* what the database holds of one is to be deleted */
	char params[320];       /* JSON, as created */
	uint64_t fingerprint;
};

/* Distinct categories of a stream in order of appearance; bounded. */
struct categories {
	uint32_t n;
	char **text;
	uint32_t *length;
	uint64_t *hash;
	uint32_t *slot;      /* open addressing by hash, 2 * LIMIT_CATEGORIES; code + 1 */
	uint32_t last;       /* most recent code: most records repeat */
	uint64_t overflow;   /* values that found no room */
};

/* Cells of values of the batch that somebody has looked up: those of rows from..to. */
struct known_cells {
	uint32_t serial, from, to;
	uint8_t cell[ROWS_MAX];
};

struct stream {
	struct model *model;
	struct segment *segment;      /* NULL: all records */
	enum stream_kind kind;
	enum stream_type type;
	char *field, *version, *name; /* name = kind:field@version (contract 1) */
	size_t field_length, version_length;
	uint64_t rng_stream;
	uint32_t id;                  /* database's; 0 before the first commit */
	uint32_t number;              /* in order of creation within the model */
	int64_t first_ms;             /* watermark at the first record */
	bool dirty;                   /* changed since the last commit */
	uint32_t latecomer;           /* 0: in the plan; else its number among those that came later */
	struct stream *source;        /* the stream whose gaps it counts, or whose limit it is */

	/* the rows being gathered: one of the two, aligned with the row set */
	double *value;
	uint32_t *code;
	double *vector;               /* joint: [ROWS_MAX][width] what its test sees instead of value */
	uint32_t width;
	double *gain;                 /* joint mean: [ROWS_MAX] g of its rows, known before them; else NULL */
	struct categories *categories;

	/* reference */
	bool learning;                /* the paging reference is still being collected */
	bool fitted;                  /* it came from a file */
	struct learner learner;
	uint32_t learn_records;       /* the reference is the next so many values; 0: as configured */
	struct learner *refit;        /* while a span of the past is read for it; else NULL */
	uint32_t generation;          /* counts rebaselines: part of the chunks in the database */
	uint32_t generation_saved;    /* chunks of those before it are not in the database any more */
	uint32_t log_saved;           /* entries of the learner's log that are in the database */
	struct learned *reference;    /* kept after it is complete: what rebuilds the tests at a restart */
	uint32_t references;
	uint32_t row_values;          /* of a warm-up, that showed how records hang together; 0: none were there */
	int64_t learn_from_ms;        /* watermark at which learning began */
	struct cells *cells;          /* NULL before there are any */
	uint32_t cells_serial;        /* another number after each stream_build_cells(), from 1 */
	struct known_cells *known;    /* NULL: nobody looks them up but the stream */
	bool cells_provisional;       /* from the first LIMIT_WARMUP values: no PSI */
	bool cells_saved;             /* they are in the database */
	double *warm;                 /* the first LIMIT_WARMUP values while there are no cells */
	uint32_t warms, warm_window;  /* how many; and at the beginning of the window */
	double baseline;              /* binary: rate in the reference; known null: p0 */
	uint32_t baseline_n;
	double known_p0;              /* coverage with a calibration size: p0 of contract 15, else NaN */
	double known_level;           /* the level that it belongs to */
	bool too_short;               /* joint: fewer days in the reference than a promise needs */
	bool window_alerted;          /* an episode was open when the last window closed */
	double standing_n, standing_sum; /* of stream_percentile: how many values, their mid-ranks */
	double pace, pace_windows;    /* of stream_pace: values and windows lately, as of window pace_serial */
	uint64_t pace_serial;
	bool dependent;               /* categorical: no step was found that makes its records independent */

	struct summary summary;       /* of the current window */
	uint64_t missed;              /* missing values of the windows that this process closed; for metrics */
	int64_t put_until_ms;         /* rows of windows before it may be in the database; INT64_MIN: none are */
	size_t waiting, waiting_at;   /* of pipeline_roll: rows of windows that wait, and where they begin */
	struct test *test;            /* [tests]; those that page come first */
	uint32_t tests, pagers;
	struct stream_season *season; /* found in the reference or declared; NULL: none */
	bool season_short;            /* the reference spans fewer than two of its cycles */
	uint32_t retired;             /* bits: slots whose tests the configuration no longer has */
	struct episode episode;
	struct explain *explain;    /* outcomes: where hits concentrate; NULL: not kept */
	/* what the news that are settled say (alert.h): */
	char episode_id[33];        /* of the open or last alert */
	bool settled_open;
	int64_t settled_ms;         /* its estimated start */
	int64_t settled_opened_ms;
	char settled_alert[33];
	double settled_effect;      /* last told */
	uint64_t settled_topic;     /* hash of the topic of its opening record */
};

struct stream *stream_create(struct model *m, struct segment *segment, enum stream_kind kind,
                             enum stream_type type, const char *field, size_t field_length,
                             const char *version, size_t version_length, int64_t watermark_ms);
void stream_destroy(struct stream *s);
size_t stream_bytes(const struct stream *s);
const char *stream_type_text(enum stream_type type);
/* Is it a group's coverage against the level promised? Its alert is a ticket: one a reference. */
bool stream_is_contract(const struct stream *s);
const char *stream_segment(const struct stream *s); /* key=value, "" for all */
/* Mean percentile in the reference of the last STREAM_STANDING values or so, as of the last window; 50: as in
 * the reference; NaN: too few, or no reference. */
enum { STREAM_STANDING = 100, STREAM_STANDING_MIN = 50 };
double stream_percentile(const struct stream *s);
/* Values a window over the last thousand or so windows; 0: too few windows to say. */
double stream_pace(const struct stream *s);
/* Unit of its effects: sigma, points (of a rate), tv (total variation). */
const char *stream_unit(const struct stream *s);

uint32_t categories_code(struct categories *c, const char *text, uint32_t length, uint64_t hash);
void categories_free(struct categories *c); /* NULL is fine */
/* Values that its reference needs at least. */
uint32_t stream_reference_min(const struct stream *s);
/* Code of a category (created while there is room), LIMIT_CATEGORIES when the table is full. */
uint32_t stream_category(struct stream *s, const char *text, uint32_t length, uint64_t hash);

/* The window had so many rows before the field of a new stream was first told: there it was missing. The
 * tests begin with the stream. */
void stream_precede(struct stream *s, uint32_t rows);
/* Rows [0, rows->n) of the stream's column: summary, learning, tests, episode. */
void stream_rows(struct stream *s, const struct rows *rows, struct outbound *out);
/* The window ends: puts its row and begins a new one. `keep`: put the row but go on (a clean stop). */
void stream_window(struct stream *s, int64_t window_ms, int64_t width_ms, bool keep,
                   struct outbound *out);

/* Fit: appends rows to the reference instead of judging them; stream_fitted() ends that. */
void stream_fit_rows(struct stream *s, const struct rows *rows);
int stream_fitted(struct stream *s, struct diag *d);
/* Makes the tests of a complete reference (or known null); called when it completes and after a restart. */
int stream_start_tests(struct stream *s, struct diag *d);
/* Closes the episode and learns anew from the next record on: the next `records` values, or 0: as many as
 * configured, spread over the configured span. */
void stream_rebaseline(struct stream *s, uint32_t records, int64_t watermark_ms, struct outbound *out);
/* A span of the past as the reference: between the two, rows that are fitted belong to it (while
 * common.refitting). False: it has too few values, and the stream is as it was. */
void stream_refit(struct stream *s);
bool stream_refitted(struct stream *s, int64_t watermark_ms, struct outbound *out);
/* `expect` begins or ends: evidence is kept, nothing evaluated. */
void stream_expect(struct stream *s, bool on);
/* What a test promises, the dependence of its stream considered; provisional before it starts. */
enum promise test_promise(const struct test *t);

/* The one test of a stream of the joint. */
const struct test_config *joint_test(bool mean);

/* Between the stream's own files. */
void stream_learned(struct stream *s); /* the paging reference is complete */
int stream_save_reference(struct stream *s, struct store *store);
/* stream_cells.c: cells anew from a reference; what is known of a batch. */
void stream_build_cells(struct stream *s, const struct reference *ref);
void stream_know_cells(struct stream *s, uint32_t from, uint32_t n, const uint32_t *cell);
const uint8_t *stream_known_cells(const struct stream *s, uint32_t from, uint32_t to); /* NULL: not all */
int stream_put_cells(const struct stream *s, struct store *store);
int stream_load_reference(struct stream *s, struct store *store, uint32_t logged, struct diag *d);
void stream_restore_cells(struct stream *s, bool had_cells); /* and tests, after a restart */
/* The rows gathered as the runners read them. */
void stream_records(const struct stream *s, const struct rows *rows, struct records *rec);
void stream_set_learner(struct stream *s, uint32_t capacity);
/* Rows [from, to) through what does not page; returns the row up to which they have been counted. */
uint32_t stream_evidence(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to,
                         struct outbound *out);
/* Rows [from, to) that no episode watches, into the window and what explains an alert. */
void stream_count(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to);
/* Rows [from, to) through the paging tests up to and with one at which one crosses; returns the row after
 * it. */
uint32_t stream_judge(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to,
                      struct test **crossed);
bool test_material(const struct test *t);
void stream_make_tests(struct stream *s); /* the list, before any has started */
void stream_stop_tests(struct stream *s);
void stream_meter(struct stream *s); /* the share of the budget becomes g */
void test_keep_warmup(struct test *t, const struct reference *ref);
void stream_suspend(struct stream *s, bool on);

/* The list of tests in the state, and each test's own. */
struct saved_tests {
	uint32_t n;
	struct test *now[LIMIT_TESTS]; /* where each saved one is now; NULL: no longer configured */
};
void stream_save_tests(const struct stream *s, struct codec *out);
int stream_load_tests(struct stream *s, struct codec *in, struct saved_tests *saved);
void test_save(const struct test *t, struct codec *out);
int test_load(struct stream *s, struct test *t, struct codec *in, struct diag *d);
int test_pass(struct stream *s, struct codec *in); /* one that is no longer there */

/* Everything that changes, as one blob; and back. */
void stream_save(const struct stream *s, struct codec *out);
int stream_load(struct stream *s, struct codec *in, struct store *store, struct diag *d);
/* The id in the database: asked for when the stream is made, so that ids go by order of appearance. */
int stream_identity(struct stream *s);
/* Inside the transaction: identity, and when dirty reference values, detectors' standing, state. */
int stream_put(struct stream *s, struct store *store);
void stream_reference_saved(struct stream *s); /* after it has landed */

#endif
