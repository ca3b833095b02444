/* metric_crps.h -- continuous ranked probability score of one forecast (contract 15); in the unit
 * of y, lower is better. */
#ifndef DETECTORS_METRIC_METRIC_CRPS_H
#define DETECTORS_METRIC_METRIC_CRPS_H

#include <stddef.h>

/* Of an ensemble, `sorted` ascending, n >= 1. fair: unbiased for the distribution that the members
 * are drawn from; NaN at n = 1. */
double metric_crps_samples(const double *sorted, size_t n, double y, double *fair);
/* Of N(mu, sigma), sigma >= 0. */
double metric_crps_normal(double mu, double sigma, double y);
/* Twice the mean pinball loss of n >= 1 quantiles. */
double metric_crps_quantiles(const double *level, const double *value, size_t n, double y);

#endif
