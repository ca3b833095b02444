/* rank_correlation.h -- Spearman's rank correlation. */
#ifndef DETECTORS_KIT_RANK_CORRELATION_H
#define DETECTORS_KIT_RANK_CORRELATION_H

#include <stdint.h>

/* Of n pairs of finite numbers, ties at mid-ranks; in [-1, 1], NaN when n < 2, when all of one are equal, or
 * when memory fails. */
double rank_correlation(const double *x, const double *y, uint32_t n);

#endif
