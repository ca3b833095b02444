/* discrepancy.h -- where the labels say that a model is wrong about itself: streams of the errors.
 *
 * Of each joined label: how far the prediction was off (bias), how the error grows with the prediction
 * (slope), whether the claimed scale is honest (scale: error squared over variance, 1 on average), the
 * shape of the probability integral transform (bias, spread, skew, tails: its Legendre polynomials, each 0
 * on average), and whether errors hang on features or on each other (detectors/uncertainty/residuals.h). A
 * class counts with the probability of the second of two classes, else with the highest one. Every stream
 * is compared with its reference.
 *
 * A model that is wrong and one that is miscalibrated look alike here (Brynjarsdottir, O'Hagan 2014):
 * nothing is calibrated and no correction follows; what is found is believed where labels have been, not
 * beyond.
 */
#ifndef MONITOR_LABEL_DISCREPANCY_H
#define MONITOR_LABEL_DISCREPANCY_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/stream/kind.h"

struct diag;
struct journal_row;
struct label_outcome;
struct labels;
struct model;
struct record;
struct row_facts;
struct store;
struct stream;
struct version;

enum discrepancy {
	DISCREPANCY_BIAS, DISCREPANCY_SLOPE, DISCREPANCY_SCALE,
	DISCREPANCY_PIT_BIAS, DISCREPANCY_PIT_SPREAD, DISCREPANCY_PIT_SKEW, DISCREPANCY_PIT_TAILS,
	/* kind `structure` */
	DISCREPANCY_FEATURES, DISCREPANCY_SPREAD, DISCREPANCY_AUTOCORRELATION, DISCREPANCY_VOLATILITY,
	DISCREPANCIES
};

enum stream_kind discrepancy_kind(enum discrepancy k);
const char *discrepancy_name(enum discrepancy k); /* field of its stream */
void discrepancy_none(double out[DISCREPANCIES]);
/* Of a row that has its label, in the order in which outcomes count; `bins` of its prediction (explain.h). */
void discrepancy_take(struct labels *l, struct version *v, uint64_t number, const uint8_t *bins, uint32_t n,
                      double out[DISCREPANCIES]);
/* Fit: of a record with its numeric label inside; what hangs on other labels is not known. */
void discrepancy_of_record(const struct record *r, double out[DISCREPANCIES]);
/* The version's streams that these make, and their values in row `at` (UINT32_MAX: none yet). */
void discrepancy_streams(struct labels *l, struct version *v, const double value[DISCREPANCIES]);
void discrepancy_put_row(struct version *v, uint32_t at, const double value[DISCREPANCIES]);
/* Streams of these kinds that a model with predictions makes. */
uint32_t discrepancy_expected(const struct model *m);
/* The groups of a column mean something else from now on. */
void discrepancy_forget(struct version *v, uint32_t column);

/* Inside the transaction: state, and the rows of table `residuals`. */
int discrepancy_put(struct labels *l, struct version *v, struct store *store);
int discrepancy_load(struct labels *l, struct version *v, struct store *store, struct diag *d);

#endif
