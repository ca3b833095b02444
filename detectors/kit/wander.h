/* wander.h -- how far the daily level of a stream wanders in its reference (contract 4b). Pure. */
#ifndef DETECTORS_KIT_WANDER_H
#define DETECTORS_KIT_WANDER_H

#include <stdint.h>

/* Takes off z[i] the mean of its group[i] < groups; group NULL = one group. sum, count: [groups]
 * scratch. Returns the number of groups that have values. */
uint32_t wander_center(double *z, uint32_t n, const uint32_t *group, uint32_t groups, double *sum,
                       double *count);

/* The wander W >= 0 of residuals z over days: a bound for how far one day's level is from the mean.
 * day NULL = one day. 0 without enough days to tell. sum, count: [days] scratch. cycle >= 1. */
double wander(const double *z, uint32_t n, const uint32_t *day, uint32_t days, uint32_t cycle,
              double *sum, double *count);

#endif
