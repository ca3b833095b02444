/* metric_bootstrap.h -- the Poisson bootstrap in parts: weights of a row, limits of replica means.
 * Sums of replicas add, so they can be kept in a database and grow by one row at a time. */
#ifndef DETECTORS_METRIC_METRIC_BOOTSTRAP_H
#define DETECTORS_METRIC_METRIC_BOOTSTRAP_H

#include <stdint.h>

#include "detectors/kit/isa.h"

enum { METRIC_REPLICAS = 200 };

/* Poisson(1) weights of the row `key`, the same whenever asked: inversion of U(seed, b, key), b = 1 ..
 * ISA_BEST but in tests: all give the same bits, and a processor without one uses the next below. */
void metric_bootstrap_weights(enum isa isa, uint64_t seed, uint64_t key, double weight[METRIC_REPLICAS]);
/* sum[b] += weight[b] x. */
void metric_bootstrap_add(const double weight[METRIC_REPLICAS], double x, double sum[METRIC_REPLICAS]);
/* Sorts the replica values mean[0 .. n); lower and upper are the ordered ones number ceil(B alpha/2) and
 * ceil(B (1 - alpha/2)); NaN when there are too few. B: all replicas, n of which have a value. */
void metric_bootstrap_limits(double *mean, uint32_t n, uint32_t replicas, double alpha, double *lower,
                             double *upper);

#endif
