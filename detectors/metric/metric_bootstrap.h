/* metric_bootstrap.h -- the Poisson bootstrap in parts: weights of a row, limits of replica means.
 * Sums of replicas add, so they can be kept in a database and grow by one row at a time. */
#ifndef DETECTORS_METRIC_METRIC_BOOTSTRAP_H
#define DETECTORS_METRIC_METRIC_BOOTSTRAP_H

#include <stdint.h>

enum { METRIC_REPLICAS = 200 };

/* Poisson(1) weights of the row `key`, the same whenever asked: inversion of U(seed, b, key), b = 1 .. */
void metric_bootstrap_weights(uint64_t seed, uint64_t key, double weight[METRIC_REPLICAS]);
/* Sorts the replica values mean[0 .. n); lower and upper are the ordered ones number ceil(B alpha/2) and
 * ceil(B (1 - alpha/2)); NaN when there are too few. B: all replicas, n of which have a value. */
void metric_bootstrap_limits(double *mean, uint32_t n, uint32_t replicas, double alpha, double *lower,
                             double *upper);

#endif
