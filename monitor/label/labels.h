/* labels.h -- joins labels with predictions and says what came of them.
 *
 * The journal (journal.h) remembers predictions; this decides the outcome of each label (miss, below,
 * above, wrong), adds it to the rows of label_statistics of the prediction's window, hour and day, and
 * hands outcomes to the coverage and error streams: window by window as they mature (95 % labelled, or
 * `wait`), or in order of arrival once the delay of a label says nothing about its outcome.
 */
#ifndef MONITOR_LABEL_LABELS_H
#define MONITOR_LABEL_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/label/discrepancy.h"
#include "monitor/label/limited.h"

struct diag;
struct journal;
struct label_event;
struct labels;
struct model;
struct record;
struct row_facts;
struct store;
struct version;

int labels_create(struct labels **out, struct model *m, struct diag *d);
void labels_destroy(struct labels *l);
/* The highest probability of a record; NaN: it has none that can be used. */
double labels_confidence(const struct record *r);
/* Its nonconformity score; NAN: none. */
double labels_score(const struct record *r);
/* A prediction of the current window, no duplicate; `key` of twins.h. */
void labels_prediction(struct labels *l, struct version *v, const struct record *r, uint64_t key);
/* A label record in the order that counts. */
void labels_label(struct labels *l, const struct label_event *e);
/* A label inside its prediction's record: taken after labels_prediction. */
void labels_inline(struct labels *l, const struct record *r, uint64_t key);
/* What a label says of its prediction: 0 or 1, NAN where the question does not arise. */
/* The score of a labelled prediction that is a stream, where what it needs is still there when a window of
 * labels is complete: CRPS of a forecast; a nonconformity score in the place of a label; the Winkler score of
 * an interval only with `revision: last`, which keeps both ends. */
enum label_score { SCORE_NONE, SCORE_CRPS, SCORE_NONCONFORMITY, SCORE_WINKLER };
struct label_outcome {
	double miss, below, above; /* outside the set or interval; on which side */
	double wrong;              /* the class */
	double loss[LIMITED];      /* of figures with a limit */
	enum label_score score_of;
	double score;              /* NAN: SCORE_NONE */
	double discrepancy[DISCREPANCIES]; /* what it says of the prediction's honesty; any number */
};
/* Fit: the outcome of an inline label, without any trace in the journal. */
void labels_outcome(struct labels *l, struct version *v, const struct record *r,
                    struct label_outcome *o);
/* Appends it to the version's outcome rows; streams are made when their first outcome comes. */
void labels_outcome_row(struct labels *l, struct version *v, const struct row_facts *f,
                        const struct label_outcome *o, double level);
/* The same for the segments of the version's records. */
void labels_outcome_segments(struct labels *l, const struct version *v, uint16_t combination,
                             const struct row_facts *f, const struct label_outcome *o, double level);
/* A window of predictions begins. */
void labels_window(struct labels *l, int64_t window_ms, int64_t width_ms, uint64_t serial);
/* The current window was closed at this watermark; what has matured goes to the streams. */
void labels_advance(struct labels *l, int64_t watermark_ms);
/* The keys under which the journal has an id: its own first, then those of its twins. */
enum { LABELS_KEYS = 10 };
uint32_t labels_forget_keys(const struct labels *l, uint64_t id_keyed, uint64_t key[LABELS_KEYS]);
/* Takes out what waits or was joined under a key: journal_forget(), journal_forget_put(). */
void labels_forget_id(struct labels *l, uint64_t id_keyed, uint64_t *number, bool *orphan);
int labels_forget_put(const struct labels *l, struct store *store, uint64_t id_keyed, uint64_t number);
struct explain_columns;
const struct explain_columns *labels_explained(const struct labels *l);
/* May outcomes have a score that is a stream? */
bool labels_have_scores(const struct labels *l);
/* A record with this id comes soon (`row`: very soon): has the memory that it needs fetched. */
void labels_prefetch(const struct labels *l, uint64_t id_keyed, bool row);
/* Rows of the model's batches are about to leave: what a prediction keeps of them is written. */
void labels_batch_ends(struct labels *l);
const struct journal *labels_journal(const struct labels *l);
/* Index of a class by its text: configured ones first, then as they appear; LIMIT_CLASSES when full. */
uint32_t labels_class(struct labels *l, const char *text, uint32_t length);
size_t labels_bytes(const struct labels *l);
/* Coverage and error over the last labels, for the `harm` line of an alert. */
void labels_harm(const struct labels *l, char *out, size_t size);

/* The id of the version's rows in label_statistics. */
int labels_identity(struct labels *l, struct version *v);
int labels_put(struct labels *l, struct store *store);
void labels_saved(struct labels *l, bool landed);
int labels_load(struct labels *l, struct store *store, struct diag *d);

#endif
