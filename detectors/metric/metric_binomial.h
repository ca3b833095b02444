/* metric_binomial.h -- limits for a coverage rate (contract 15): of a counted share, and of the
 * share that a split-conformal predictor of known calibration size promises. */
#ifndef DETECTORS_METRIC_METRIC_BINOMIAL_H
#define DETECTORS_METRIC_METRIC_BINOMIAL_H

/* Clopper-Pearson interval at 1 - alpha for k of n, 0 <= k <= n: lower is 0 at k = 0, upper 1 at k
 * = n. */
void metric_clopper_pearson_limits(double k, double n, double alpha, double *lower, double *upper);
/* P(at least k of n | p0) = I_p0(k, n - k + 1); 1 at k = 0. */
double metric_binomial_tail(double k, double n, double p0);
/* l = floor((n_cal + 1) alpha): calibration scores that the threshold leaves outside. */
double metric_p0_rank(double n_cal, double alpha);
/* The rate of misses that a split-conformal predictor at level 1 - alpha, calibrated on n_cal
 * scores, exceeds with probability at most delta / streams, plus the tolerance: Beta quantile(1 -
 * delta/streams; l, n_cal + 1 - l) + tolerance, the quantile being 0 at l = 0 (Vovk 2012, prop. 2).
 * So all `streams` coverage streams of one calibration stay below their p0 with probability 1 -
 * delta. */
double metric_p0_value(double n_cal, double alpha, double delta, double streams, double tolerance);

#endif
