/* model.h -- one model: how the fields of its records become streams, the window it is in, and its labels.
 */
#ifndef MONITOR_STREAM_MODEL_H
#define MONITOR_STREAM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "detectors/runner.h"
#include "detectors/uncertainty/uncertainty.h"
#include "monitor/alert/episodes.h"
#include "monitor/alert/outbound.h"
#include "monitor/label/discrepancy.h"
#include "monitor/label/limited.h"
#include "monitor/notes.h"
#include "monitor/stream/joint.h"
#include "monitor/stream/own.h"
#include "monitor/stream/plan.h"
#include "monitor/stream/quality.h"
#include "monitor/stream/rows.h"
#include "monitor/stream/segment.h"
#include "monitor/stream/silence.h"
#include "monitor/stream/stream.h"

struct cell;
struct comparisons;
struct confidence;
struct decoder;
struct ood;
struct labels;
struct pipeline;
struct recalibration;
struct explain_row;
struct verdict_out;
struct record;
struct residuals;

/* What all models share; owned by the pipeline. */
struct common {
	const struct config *config;
	struct store *store;          /* ids are asked for in the order of the records, whenever commits are */
	struct decoder *decoder;
	struct plan plan;
	struct runner_scratch *scratch;
	uint32_t scratch_width;
	double missing[ROWS_MAX];     /* the column of the STREAM_MISSING that is being judged */
	bool missing_any;             /* not all of it is 0 */
	double column[ROWS_MAX];      /* a column as one test sees it */
	uint32_t key[ROWS_MAX];       /* of its season */
	struct outbound outbound;
	struct episodes episodes;
	struct notes notes;
	struct model *const *model;   /* [models], NULL where one has not been seen: the pipeline's */
	size_t models;
	double *sort;                 /* room to sort references: grows */
	size_t sort_capacity;
	uint8_t *bytes;               /* room to encode states: grows */
	size_t bytes_capacity;
	bool fitting;                 /* records go into references instead of being judged */
	bool refitting;               /* likewise, of streams that exist: they were judged before */
	int64_t first_watermark_ms;   /* INT64_MIN before the first record */
	int64_t watermark_ms;
	uint64_t sequence;            /* records taken so far, in merged order */
	uint32_t partition;           /* where the record that is being taken is from */
	int64_t offset;
	uint32_t row;                 /* of its batch */
	int64_t at_ms;                /* watermark of the row that is being judged */
	/* topic and number of a partition of the source, for texts and ids of alerts */
	const char *(*topic)(const void *context, uint32_t partition, int32_t *number);
	const void *context;
	/* each out-of-distribution verdict as soon as it is there; NULL: nobody wants them */
	void (*verdict)(void *context, const struct verdict_out *v);
	void *verdict_context;
	struct trace *trace;          /* of one test; NULL: nobody wants one */
};

enum counter {
	COUNT_RECORDS,            /* accepted records with features or a prediction */
	COUNT_PREDICTIONS,
	COUNT_PROBES,
	COUNT_PROBES_UNPAIRED,    /* their prediction is not in the journal, or a class is missing */
	COUNT_DUPLICATE_PREDICTIONS,
	COUNT_TWINS,              /* predictions of another version for an id that waits (twins.h) */
	COUNT_MISSING_ID,         /* predictions that cannot be joined */
	COUNT_TIMESTAMP_RANGE,
	COUNT_LATE,               /* older than the current window */
	COUNT_FIELDS_UNKNOWN,
	COUNT_FIELDS_TYPE,
	COUNT_FIELDS_NONFINITE,
	COUNT_PROB_SUM,
	COUNT_PROB_RANGE,
	COUNT_CLASS_COUNT,        /* probabilities of another length than before */
	COUNT_FORECAST_CHANGED,   /* forecasts of another shape than the first one's: not scored */
	COUNT_SCORES_UNJUDGED,    /* nonconformity scores without a threshold, or beside an interval or a set */
	COUNT_SET_UNKNOWN,        /* sets with classes beyond the 64th: not judged */
	COUNT_CATEGORY_OVERFLOW,
	COUNT_UNCERTAINTY_RAGGED, /* members or lists of different lengths, or not all numbers */
	COUNT_UNCERTAINTY_EMPTY,
	COUNT_UNCERTAINTY_RANGE,  /* negative probabilities or variances, concentrations not above 0, ... */
	COUNT_UNCERTAINTY_CHANGED, /* another form or number of members than before: left out */
	COUNT_UNCERTAINTY_ONE,    /* one member or sample: no spread */
	COUNT_UNCERTAINTY_CLIPPED, /* probabilities of members raised to 1e-12 */
	COUNT_UNCERTAINTY_INFINITE, /* normal-inverse-gamma without a variance */
	COUNT_LOGITS_CHANGED,     /* another number of logits than before: left out */
	COUNT_EMBEDDING_TYPE,     /* in the order of enum embedding_fault */
	COUNT_EMBEDDING_LENGTH,
	COUNT_EMBEDDING_NONFINITE,
	COUNT_EMBEDDING_ZERO,
	COUNT_EMBEDDING_CHANGED,  /* another dimension than before: left out */
	COUNT_OOD_REFUSED,        /* of versions beyond LIMIT_OOD_LEARNING or _VERSIONS: not scored */
	COUNT_OOD_INCOMPLETE,     /* lacks something that its version is scored by */
	COUNT_STREAMS_REFUSED,    /* fields beyond the limit of streams */
	/* labels; names as in the label join */
	COUNT_LABEL_LINES,
	COUNT_MATCHED_IDS,
	COUNT_REPEAT_LINES,
	COUNT_REPEAT_OTHER_LABEL,
	COUNT_REVISED,            /* `revision: last`: labels that replaced another */
	COUNT_ORPHAN_ADDED,       /* label before its prediction, or of an unknown id */
	COUNT_ORPHAN_MATCHED,
	COUNT_LABELS_LATE,        /* label.ts - prediction.ts > wait: counted, not judged */
	COUNT_LABELS_OUTSIDE,     /* none of the model's classes */
	COUNT_LABEL_TYPE,         /* a label that does not fit its prediction */
	COUNTERS
};
const char *counter_text(enum counter c);

/* Perturbed twins of one perturbation and severity (stream/version_probe.h, label/probes.h). */
struct probe_family {
	struct stream *flips, *errors; /* errors NULL: no label yet */
	uint64_t labelled, clean_right, right, both_right; /* of those whose prediction has its label */
	bool put;                  /* table robustness has the row with ... */
	uint64_t put_labelled;
	double put_flips, put_errors; /* ... these, and these rates in the references */
};

/* One version's outputs. Created when the version is first seen. */
struct version {
	struct segment *segment;   /* NULL: all records */
	char *text;
	size_t length;
	uint16_t number;           /* index in the model: the journal's group */
	struct rows *rows;         /* predictions */
	struct rows *outcomes;     /* labels */
	struct stream *value, *width, *set_size, *score, *klass; /* NULL before they are seen */
	struct rows *probes;       /* perturbed twins; NULL before the first */
	struct probe_family *probe; /* [LIMIT_PROBES] likewise */
	uint32_t probe_families;
	struct stream *uncertainty[UNCERTAINTY_FIGURES]; /* those of its form */
	uint8_t form;              /* enum uncertainty_form of its first record that has one */
	uint32_t members, columns; /* as in that record */
	uint32_t draws;            /* fewest that a record's figures were made of; 0: of none */
	bool form_put;             /* the database has them */
	struct stream *energy;     /* of the logits */
	struct ood *ood;           /* out-of-distribution scores; NULL: none yet */
	uint32_t logits;           /* of its first record that has some; 0: none yet */
	uint32_t paired[6];        /* references whose separability is in the database, 0: not yet */
	struct stream *limited[LIMITED]; /* figures with a stated limit */
	struct stream *coverage, *below, *above, *error; /* below, above: the two tails of an interval */
	struct stream *label_score; /* of its forecasts (enum label_score); NULL: none yet */
	struct stream *contract;   /* of a group: its coverage against the level promised; NULL: no such test */
	struct stream *discrepancy[DISCREPANCIES];
	struct residuals *residuals; /* NULL: no error yet */
	bool residuals_dirty;
	struct label_detail *total_detail; /* of all its labels; NULL: none yet, or not in memory */
	bool total_changed;
	struct confidence *confidence; /* accuracy by confidence alone; NULL: no probabilities yet */
	struct stream *below_confidence; /* NULL while its threshold is learnt */
	struct recalibration *recalibration; /* NULL: off, or no label yet */
	double n_cal;              /* conformal.n_cal last seen; NaN */
	double level;              /* last seen; NaN */
	uint32_t label_stream_id;  /* database's, for label_statistics; 0 before the first commit */
};

struct model {
	struct common *common;
	const struct model_config *config;
	char *name;
	size_t name_length;
	uint32_t number;            /* the decoder's */
	uint32_t rank;              /* i-th model that a glob or `models: auto` let in; listed by name: 0 */
	uint32_t id;                /* the database's; 0 before the first commit */
	int64_t first_ms;

	struct stream **stream;     /* all of them, in order of creation */
	uint32_t streams;
	size_t stream_capacity;
	struct stream **slot;       /* feature stream of a decoder slot, NULL: not yet, or ignored */
	size_t slots, slot_capacity;
	bool slots_bound;           /* every feature stream has its slot */
	struct rows *features;
	struct rows *own;           /* own streams (own.h) */
	struct stream **own_stream; /* [config->owns] NULL: not yet */
	struct rows *arrivals;      /* faults of records (quality.h) */
	struct stream *quality[QUALITY_FAULTS]; /* NULL: not yet */
	struct stream *wrong_type;  /* of the present record: first stream with a value of another type */
	struct rows *records;       /* of the shares of segments; NULL: no segments */
	struct segments *segments;  /* NULL: none */
	uint16_t combination;       /* segments of the record that is being taken */
	uint32_t features_at;       /* row of the present record in them, UINT32_MAX: it has no features */
	struct version **version;
	uint32_t versions;
	size_t version_capacity;
	struct version *last_version;
	struct comparisons *comparisons; /* of versions; NULL: there is one at most */

	bool window_open;
	int64_t window_ms;          /* begin of the current window */
	int64_t window_previous_ms; /* of the one before (windows of records) */
	uint32_t window_records;
	uint64_t window_serial;     /* windows begun so far */

	char harm[160];             /* what the labels said when the current window began */

	int64_t expect_from_ms, expect_to_ms; /* `expect`: nothing is judged in between; equal: none */
	char expect_glob[64];       /* streams it is about */
	bool expecting;

	int64_t plan_ms;            /* streams first seen at a watermark before this are in the plan */
	struct ref_row ref;         /* the reference as a whole; rows 0: none yet */
	uint32_t refs;              /* references so far: their ids do not depend on commits */
	char ref_source[16];
	bool ref_dirty;
	struct silence silence;
	struct labels *labels;      /* NULL: `labels: off` */
	struct joint *joint;        /* NULL: not begun */
	uint64_t counter[COUNTERS], counter_saved[COUNTERS];
	bool dirty;
};

/* The begin of the step that ms lies in; also before 1970. */
static inline int64_t
floor_to(int64_t ms, int64_t step)
{
	int64_t rest = ms % step;

	return ms - (rest < 0 ? rest + step : rest);
}

struct model *model_create(struct common *common, uint32_t number, struct diag *d);
void model_destroy(struct model *m);
/* A record of this model (not refused): into the rows, the journal, the labels. */
void model_record(struct model *m, const struct record *r);
/* Before a fit: the values of its segments are counted. */
void model_count_record(struct model *m, const struct record *r);
/* Fit: the record's values go into references, nothing is judged, counted or journalled. */
void model_fit_record(struct model *m, const struct record *r);
/* A label that stands alone; called in order of ts, ties by the hash of the id. */
struct label_event {
	uint64_t id_keyed, id_order;
	int64_t ts;
	double number;              /* NaN unless numeric */
	double score;               /* of nonconformity, without a label; NaN */
	char text[260];
	uint32_t text_length;
	uint32_t partition, model;
	int64_t offset;
	uint64_t sequence;
	int64_t watermark_ms;
};
void model_label(struct model *m, const struct label_event *e);
/* A cell as the row's value of a feature or own stream. */
void model_cell(struct model *m, struct stream *s, uint32_t at, const struct record *r, const struct cell *c);
/* All rows gathered so far go through their streams. */
void model_flush(struct model *m);
/* Records that wait for their out-of-distribution verdict have it. */
void model_flush_verdicts(struct model *m);
void rows_flush(struct model *m, struct rows *rows);
/* Appends a row; the set is flushed first when it is full. Returns its index. */
struct row_facts {
	int64_t watermark_ms, time_ms, offset;
	uint64_t sequence, order;
	uint32_t partition, row;
	bool late;
	const uint8_t *bins;        /* of an outcome; NULL: none are known */
	uint32_t bins_n;
	uint16_t combination;       /* beside bins: of the prediction's segments, 0 none */
};
uint32_t rows_append(struct model *m, struct rows *rows, const struct row_facts *f);
/* What outcome i of the rows is counted by where hits are looked for; its segments go into `segment`. */
struct explain_row rows_explained(const struct model *m, const struct rows *rows, uint32_t i,
                                  uint16_t segment[SEGMENT_KEYS_MAX]);
/* A new stream of the model with its column in `rows` (flushed before). NULL when there are too many. */
struct stream *model_stream(struct model *m, struct rows *rows, enum stream_kind kind,
                            enum stream_type type, const char *field, size_t field_length,
                            const struct version *v);
/* Made when it is first seen; NULL while refitting: that version was never judged. */
struct version *model_version(struct model *m, struct segment *segment, const char *text, size_t length);
/* The watermark has passed a tick: windows that it has passed are closed, labels mature, rows expire. */
void model_advance(struct model *m);
/* The window of the next record: closes the last one where it is over. */
void model_enter_window(struct model *m, int64_t ts);
/* `expect` begins or ends where the watermark says so. */
void model_expect(struct model *m);
/* A clean end: the open window's rows are put as they stand; it stays open. */
void model_put_open_window(struct model *m);
/* Share of the budget for a stream whose paging test starts at this watermark. A function of the records
 * alone: the plan is made of the streams that were seen before plan_ms, latecomers have their number. */
double model_share(struct model *m, const struct stream *s, int64_t watermark_ms);
void model_reference(struct model *m, const char *source);
size_t model_bytes(const struct model *m);
/* Begins a fit: existing references are put away. Ends it: the new ones become active. */
void model_refit(struct model *m);
int model_fitted(struct model *m, struct diag *d);

int model_put(struct model *m, struct store *store);   /* inside the transaction */
void model_saved(struct model *m, bool landed);        /* after it */
int model_load(struct model *m, struct store *store, struct diag *d);
/* Room for packing rows of so many values. */
void common_scratch(struct common *c, uint32_t width);
/* Room for a sort of n doubles. */
double *common_sort(struct common *c, size_t n);
/* Room for n bytes of a state; valid until the next call. */
uint8_t *common_bytes(struct common *c, size_t n);

#endif
