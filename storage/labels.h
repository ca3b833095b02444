/* labels.h -- a row of label_statistics: sums that labels add to, and figures that follow from them.
 *
 * Sums add: a row of a day is the sum of the rows of its windows. Figures are computed from the sums alone,
 * whenever a row is written. The lists below name every column once, for the struct, SQL and the code.
 */
#ifndef STORAGE_LABELS_H
#define STORAGE_LABELS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LABEL_BINS = 15,    /* of the highest probability, equal width */
	LABEL_CLASSES = 32, /* classes that are told apart in precision and recall; later ones are not */
	LABEL_PIT_BINS = 10, /* of the probability integral transform, equal width */
	LABEL_LEVELS = 128, /* quantiles of a forecast; levels of intervals that are told apart */
};

/* Counts: predictions; of these labelled, and within an hour, a day, a week of the prediction; intervals
 * and sets with a label, those that hold it, labels below and above, empty sets; numeric labels; classes
 * compared, and right; labels of predictions with probabilities; predictions with them; labels of forecasts
 * (quantiles, samples, a normal), and of these quantiles; of intervals and sets those with a finite width,
 * with a Winkler score, and without end. */
#define LABEL_COUNTS(X)                                                                             \
	X(predictions) X(labelled) X(within_hour) X(within_day) X(within_week) X(intervals) X(covered) \
	X(below) X(above) X(empty_sets) X(errors_n) X(class_n) X(correct) X(probs_n) X(scored) \
	X(forecasts) X(quantiles) X(widths) X(winklers) X(infinite)
/* Sums: delay in seconds; width (size of sets) over `widths`, Winkler score over `winklers`; label -
 * prediction, its size and square, label and square over `errors_n`; highest probability (confidence), its
 * square, confidence of right classes, Brier score, negative log likelihood over `probs_n`; CRPS, probability
 * integral transform (PIT) and its Legendre polynomials over `forecasts`; mean pinball loss over
 * `quantiles`. */
#define LABEL_SUMS(X)                                                                               \
	X(delay_sum) X(width_sum) X(winkler_sum) X(error_sum) X(abs_error_sum) X(sq_error_sum) X(label_sum) \
	X(label_sq_sum) X(confidence_sum) X(confidence_sq_sum) X(right_confidence_sum) X(brier_sum) X(nll_sum) \
	X(crps_sum) X(pit_sum) X(pit1_sum) X(pit2_sum) X(pit3_sum) X(pit4_sum) X(pinball_sum)
/* JSON arrays: labels by bin of confidence; by class true positives, false positives, false negatives;
 * predictions by bin of confidence; labels by bin of PIT. */
#define LABEL_ARRAYS(X)                                                                             \
	X(ece_n) X(ece_correct) X(ece_confidence) X(class_tp) X(class_fp) X(class_fn) X(scored_n) \
	X(pit_n)
/* What people read; sentences in documentation.c. */
#define LABEL_FIGURES(X)                                                                            \
	X(labelled_share) X(mean_delay_s) X(coverage) X(coverage_low) X(coverage_high)              \
	X(coverage_anytime_low) X(coverage_anytime_high) X(coverage_worst)                          \
	X(coverage_best) X(below_share) X(above_share) X(mean_width) X(winkler) X(bias) X(mae) X(rmse) X(r2) \
	X(error_rate) X(accuracy) X(accuracy_low) X(accuracy_high) X(precision) X(recall) X(f1)     \
	X(precision_macro) X(recall_macro) X(f1_macro) X(mean_confidence) X(brier) X(nll) X(ece15)  \
	X(ece_debiased) X(mce) X(reliability) X(resolution) X(uncertainty)                          \
	X(auroc) X(error_auroc) X(bias_low) X(bias_high) X(mae_low) X(mae_high) X(rmse_low) X(rmse_high) \
	X(brier_low) X(brier_high) X(nll_low) X(nll_high) X(winkler_low) X(winkler_high)            \
	X(crps) X(crps_low) X(crps_high) X(pinball) X(pit_mean) X(pit_bias) X(pit_spread) X(pit_skew) \
	X(pit_tails) X(pit_p_value) X(ece_adaptive)

struct label_row { /* one model, version, segment and window; sums are absolute */
	int64_t window_ms, width_ms;  /* the window, and its hour and day: three rows in all */
	uint32_t stream_id;           /* a stream of type "labels" */
	bool final;
#define X(name) uint64_t name;
	LABEL_COUNTS(X)
#undef X
#define X(name) double name;
	LABEL_SUMS(X)
#undef X
	uint32_t ece_n[LABEL_BINS], ece_correct[LABEL_BINS], scored_n[LABEL_BINS];
	double ece_confidence[LABEL_BINS];
	/* by index of the class; the positive class of `precision`, `recall` and `f1` is the second of two */
	uint32_t class_tp[LABEL_CLASSES], class_fp[LABEL_CLASSES], class_fn[LABEL_CLASSES];
	uint32_t pit_n[LABEL_PIT_BINS];
};

struct label_figures { /* NaN: not defined */
#define X(name) double name;
	LABEL_FIGURES(X)
#undef X
};

/* Accuracy by bin of confidence in `past`; where it says nothing, the middle of the bin. */
void label_calibrator(const struct label_row *past, double accuracy[LABEL_BINS]);
/* Expected accuracy of all predictions of a row, labelled or not; NaN without probabilities (CBPE). */
double label_estimated_accuracy(const struct label_row *row, const double accuracy[LABEL_BINS]);
/* Days: counts of labels by score, for areas under ROC curves, and sums over Poisson bootstrap replicas. */
enum { LABEL_AUC_BINS = 8192, LABEL_REPLICAS = 200 };
enum label_replica { /* a weight, then what is weighted by it */
	REPLICA_ERRORS, REPLICA_ERROR, REPLICA_ABS_ERROR, REPLICA_SQ_ERROR,
	REPLICA_PROBS, REPLICA_BRIER, REPLICA_NLL, REPLICA_INTERVALS, REPLICA_WINKLER,
	REPLICA_FORECASTS, REPLICA_CRPS, REPLICA_SUMS
};
/* Intervals (central pairs of quantiles too) and sets of one level. */
struct label_interval {
	double level;
	uint32_t n, covered, below, above;
	double width_sum, winkler_sum; /* NaN Winkler: sets */
};
/* One quantile of the forecasts. */
struct label_quantile {
	double level;
	uint32_t n, below;          /* labels; of these below it */
	double pinball_sum;
};
struct label_detail {
	uint32_t right[LABEL_AUC_BINS], wrong[LABEL_AUC_BINS];       /* by confidence */
	uint32_t positive[LABEL_AUC_BINS], negative[LABEL_AUC_BINS]; /* by probability of the second of two */
	double replica[REPLICA_SUMS][LABEL_REPLICAS];
	uint32_t intervals, quantiles;
	struct label_interval interval[LABEL_LEVELS]; /* [intervals] in order of appearance */
	struct label_quantile quantile[LABEL_LEVELS]; /* [quantiles] */
};
/* The entry of a level, a new one where there is room; NULL. */
struct label_interval *label_interval(struct label_detail *d, double level);
struct label_quantile *label_quantile(struct label_detail *d, double level);
void label_detail_add(struct label_detail *to, const struct label_detail *from);
/* Fills the figures that need it; the others stay as they are. */
void label_detail_figures(const struct label_detail *d, const struct label_row *row,
                          struct label_figures *out);
void label_figures(const struct label_row *row, struct label_figures *out);
/* Adds the sums of `from`. */
void label_row_add(struct label_row *row, const struct label_row *from);

#endif
