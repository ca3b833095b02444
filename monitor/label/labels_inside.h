/* labels_inside.h -- what the files labels*.c share. */
#ifndef MONITOR_LABEL_LABELS_INSIDE_H
#define MONITOR_LABEL_LABELS_INSIDE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/limits.h"
#include "monitor/label/explain.h"
#include "monitor/label/forecast.h"
#include "monitor/label/journal.h"
#include "monitor/label/labels.h"
#include "monitor/label/probes.h"
#include "monitor/label/recalibrate.h"
#include "monitor/label/twins.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

struct cell;
struct record;

enum { RECENT_LABELS = 1000, LEVELS_MAX = 64, WINDOWS_PART = 1024 };

/* Texts of classes in order of appearance. */
struct classes {
	uint32_t n;
	char *text[LIMIT_CLASSES];
	uint32_t length[LIMIT_CLASSES];
	uint32_t last;
};

/* A window that still has predictions in the journal. */
struct label_window {
	int64_t window_ms, end_ms;  /* end INT64_MAX while it is the current one (records) */
	uint64_t first_row;
	uint32_t predictions, labelled;
	bool closed, taken;
};

/* One row of label_statistics in memory: written whole at each commit that follows a change. */
struct label_entry {
	bool used, dirty;
	uint16_t group;
	struct label_detail *detail; /* of a day; NULL: not in memory */
	struct label_row row;
};

struct labels {
	struct model *model;
	struct journal *journal;
	struct classes classes;
	uint32_t probs;                     /* K; 0 before the first record with probs */
	uint16_t prob_class[LIMIT_CLASSES]; /* class of position k */
	uint16_t class_prob[LIMIT_CLASSES + 1u]; /* position of a class, UINT16_MAX none */
	struct forecast_shape forecast;     /* of what a row keeps in the place of probabilities */
	double *prob_scratch;
	double level[LEVELS_MAX];
	uint32_t levels;

	struct label_window *window;        /* [windows], serial window_base + i */
	uint64_t window_base;
	size_t windows, window_capacity;
	uint64_t mature_serial;             /* windows before it are past `wait` */
	uint64_t saved_serial;              /* windows before it are in the database as they are */
	uint64_t deleted_part, deleting_part; /* parts of windows that have left the database */
	int64_t width_ms;

	struct label_entry *entry;          /* open addressing, power of two */
	uint32_t entries, entry_capacity;
	uint32_t details;                   /* of these that have one */

	/* the last RECENT_LABELS outcomes that were handed on, in a ring */
	struct recent { double delay; int64_t arrival_ms; uint8_t miss, wrong, has_miss, has_wrong; }
		recent[RECENT_LABELS];
	uint32_t recent_at, recents, since_tested;
	bool arrival_order;                 /* outcomes go on as they arrive */
	double volume_ms;                   /* time that RECENT_LABELS arrivals took when that began */

	struct explain_columns explained;   /* what the bins of a row mean */
	struct explain_rows *explain_rows;  /* bins that are not written yet */

	uint16_t twin[TWINS_MAX];           /* versions that told ids that another one had told */
	uint32_t twins;
	struct probes *twins_waiting;       /* perturbed ones (probes.h); NULL: none yet */

	/* the event being worked on: where outcomes come from */
	uint32_t partition;
	int64_t offset;
	uint32_t row;
	struct store *store;                /* to read rows that have left memory */
};

/* labels_rows.c */
/* Of a group, and of its version in the segments of a combination (segment.h). */
void label_rows_prediction(struct labels *l, uint16_t group, uint16_t combination,
                           const struct label_window *w, double confidence);
struct outcome {
	uint16_t flags;
	double width, winkler, error;       /* NaN: none */
	double confidence, brier, nll;
	bool classes, correct;              /* a predicted class was compared; and was right */
	bool outside;                       /* the label is none of the model's classes */
	double score;                       /* of nonconformity (recalibrate.h); NaN: none */
	double positive;                    /* probability of the second of two classes; NaN */
	double label;                       /* numeric; NaN: none */
	uint16_t predicted, actual;         /* classes that were compared */
	int64_t delay_ms;
	double level;                       /* of the interval or set; NaN: not known */
	struct forecast_score forecast;
	const double *quantile;             /* [labels.forecast.n] while it is worked on; NULL: none */
};
/* `key`: of the prediction, from its content (label_row_key); -1: takes it out again. */
void label_rows_add(struct labels *l, uint16_t group, uint16_t combination, const struct label_window *w,
                    const struct outcome *o, uint64_t key, int sign);
/* labels_detail.c */
/* The same whenever and in whatever order records are read: time and prediction. */
uint64_t label_row_key(const struct journal_row *row);
struct label_detail *label_detail_of(struct labels *l, struct label_entry *e);
void label_detail_outcome(struct labels *l, struct label_entry *e, const struct outcome *o, uint64_t key,
                          int sign);
void label_details_forget(struct labels *l);
int label_rows_put(struct labels *l, struct store *store);
void label_rows_saved(struct labels *l, bool landed);

/* labels.c */
/* False: there is nothing in the record that a label could be compared with. */
bool labels_fill_row(struct labels *l, struct version *v, const struct record *r, struct journal_row *row);
uint32_t labels_cell_class(struct labels *l, const struct record *r, const struct cell *c);

/* labels_arrive.c */
/* What comes for a prediction. */
struct arrival {
	double label;          /* NaN unless numeric */
	double score;          /* of nonconformity, where there is no label; NaN */
	uint32_t class;        /* LIMIT_CLASSES when it is to be made of the text or the number */
	const char *text;
	uint32_t length;
	int64_t ts;
};
/* For row `number` of a prediction with this id. */
void labels_take(struct labels *l, uint64_t id, uint64_t number, const struct arrival *a);

/* labels_mature.c */
struct label_window *label_window(struct labels *l, uint64_t serial); /* NULL: it has left */
/* A label was taken for row `number` of the window. */
void labels_arrived(struct labels *l, struct label_window *w, uint64_t number);
void labels_mature(struct labels *l, int64_t watermark_ms);
int labels_put_link(const struct labels *l, struct store *store);
void labels_forget(struct labels *l); /* windows whose rows have left the journal */

#define NOTHING ((double)NAN)
#define OUTCOME_NONE { .width = NOTHING, .winkler = NOTHING, .error = NOTHING, .confidence = NOTHING, \
	               .brier = NOTHING, .nll = NOTHING, .score = NOTHING, .positive = NOTHING, \
	               .label = NOTHING, .predicted = UINT16_MAX, .actual = UINT16_MAX, .level = NOTHING, \
	               .forecast = { NOTHING, NOTHING, NOTHING } }
double labels_row_level(const struct labels *l, const struct journal_row *row);
/* `payload`: what the journal keeps beside the row; NULL: nothing. */
void labels_judge_number(const struct labels *l, const struct journal_row *row, const double *payload,
                         double y, struct outcome *o);
void labels_judge_class(const struct labels *l, const struct journal_row *row, const double *probs,
                        uint32_t class, struct outcome *o);
void labels_flags_outcome(uint16_t kind, uint16_t flags, struct label_outcome *o);
/* The payload as probabilities, as numbers of a forecast; NULL: it has none. */
static inline const double *
labels_payload_probs(const struct labels *l, const double *payload)
{
	return payload && l->probs && !isnan(payload[0]) ? payload : NULL;
}
static inline const double *
labels_payload_forecast(const struct labels *l, const double *payload)
{
	return payload && l->forecast.kind && !isnan(payload[0]) ? payload : NULL;
}
/* The same of a record with its label inside, for a fit. */
void labels_record_score(const struct labels *l, const struct record *r, const struct outcome *judged,
                         struct label_outcome *o);
/* `revision: last`: doubles of payload behind these; their content; a correction. */
enum { KEPT = 2 };
static inline uint32_t
labels_kept(const struct labels *l)
{
	return l->model->config->revision == REVISION_LAST ? KEPT : 0;
}
static inline uint32_t
labels_payload(const struct labels *l) /* doubles before those */
{
	return l->probs + l->forecast.n;
}
void labels_keep(const struct labels *l, const struct journal_row *row, double *payload);
void labels_revise(struct labels *l, uint64_t number, double label, int64_t ts);
/* Of a row that has its label. */
void labels_row_outcome(const struct labels *l, uint64_t number, struct label_outcome *o);

/* Windows that ended before it have had their wait; INT64_MIN before the first record. */
static inline int64_t
labels_deadline(const struct labels *l)
{
	int64_t now = l->model->common->watermark_ms;

	return now == INT64_MIN ? now : now - l->model->config->labels_wait_ms;
}

/* labels_state.c is declared in labels.h */
struct version *labels_version(struct labels *l, uint16_t group);

#endif
