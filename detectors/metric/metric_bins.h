/* metric_bins.h -- calibration of probabilities of a binary outcome in equal-width bins: sums that
 * can be kept in a database and added, and what follows from them (contract 15). */
#ifndef DETECTORS_METRIC_METRIC_BINS_H
#define DETECTORS_METRIC_METRIC_BINS_H

#include <stdint.h>

enum { METRIC_BINS = 15, METRIC_BINS_MAX = 1024 };

/* Sums of one bin. Addition of two bins is addition of their fields. */
struct metric_bin {
	double n, p, y; /* records, sum of probabilities, number of outcomes 1 */
};

/* The bin of p in [0, 1]: floor(p bins), the last one closed at 1. */
uint32_t metric_bin_of(double p, uint32_t bins);
/* One record: y is 0 or 1. */
void metric_bin_add(struct metric_bin *bin, uint32_t bins, double p, double y);

struct metric_calibration {
	double ece;            /* sum n_b/n |pbar_b - ybar_b| */
	double mce;            /* largest |pbar_b - ybar_b| */
	double ece2_debiased;  /* sum n_b/n (gap^2 - ybar (1-ybar)/(n_b-1)) over n_b > 1 */
	double reliability;    /* sum n_b/n (pbar_b - ybar_b)^2 */
	double resolution;     /* sum n_b/n (ybar_b - ybar)^2 */
	double uncertainty;    /* ybar (1 - ybar) */
};
/* All NaN without records. */
void metric_calibration(const struct metric_bin *bin, uint32_t bins,
                        struct metric_calibration *out);

#endif
