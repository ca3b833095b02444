/* metric_pit.h -- the probability integral transform u = F(y) of one forecast, and what its shape is told by
 * (contract 15). u is uniform when forecasts are what they say; where F has steps or gaps a uniform number
 * fills them, so that this stays exact (Czado, Gneiting, Held 2009). */
#ifndef DETECTORS_METRIC_METRIC_PIT_H
#define DETECTORS_METRIC_METRIC_PIT_H

#include <stddef.h>

enum { METRIC_PIT_ORDER = 4 };

/* Of a sample of n: (#{v < y} + uniform (#{v = y} + 1)) / (n + 1). */
double metric_pit_samples(const double *value, size_t n, double y, double uniform);
/* Of N(mu, sigma), sigma > 0. */
double metric_pit_normal(double mu, double sigma, double y);
/* Of n quantiles, levels ascending: uniform between the levels around y; quantiles that cross count as if
 * they were in order (Chernozhukov, Fernandez-Val, Galichon 2010). */
double metric_pit_quantiles(const double *level, const double *value, size_t n, double y, double uniform);
/* Orthonormal Legendre polynomials 1 .. 4 of u on [0, 1]: their sums over n forecasts / sqrt n are Neyman's
 * components psi1 (bias) .. psi4, each N(0, 1) under uniformity. */
void metric_pit_polynomials(double u, double out[METRIC_PIT_ORDER]);

#endif
