/* recalibrate.h -- beside the monitor: the level that would restore coverage, in table `recalibration`.
 *
 * `coverage: {recalibrate: aci|dtaci}`. Each label gives the score of its prediction (intervals: how
 * far the label lies outside, max(lower - y, y - upper), negative inside, Romano et al. 2019; sets
 * with probabilities: 1 - p of the label) and with it beta, its rank among the last RECALIBRATE_SCORES
 * scores: the largest alpha whose set would have held it. The recalibrator (detectors/coverage) turns
 * the betas into the alpha to ask for; the quantile of the scores at that alpha is what is to be added
 * to both ends of an interval, or the threshold on 1 - p. Labels count in order of arrival, with the
 * alpha in force when they arrive. The coverage streams go on judging the sets as they were made: a
 * recalibrated one would hide the change to be found.
 */
#ifndef MONITOR_LABEL_RECALIBRATE_H
#define MONITOR_LABEL_RECALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct labels;
struct outcome;
struct recalibration;
struct store;
struct version;

enum { RECALIBRATE_SCORES = 1000, RECALIBRATE_WARMUP = 100 /* scores before the first beta */ };

/* A label was judged; `level` NaN: not known, nothing is done. */
void recalibrate_label(struct labels *l, struct version *v, const struct outcome *o, double level);
void recalibration_destroy(struct recalibration *r); /* NULL is fine */
size_t recalibration_bytes(const struct recalibration *r);
int recalibration_put(const struct labels *l, const struct version *v, struct store *store);
void recalibration_saved(struct recalibration *r);
int recalibration_load(struct labels *l, struct version *v, struct store *store, struct diag *d);

#endif
