/* metric_rank.h -- how many of many tests may be called discoveries (contract 15). */
#ifndef DETECTORS_METRIC_METRIC_RANK_H
#define DETECTORS_METRIC_METRIC_RANK_H

#include <stddef.h>

/* Benjamini-Hochberg: the largest k with sorted[k-1] <= alpha k / n; p-values ascending. False
 * discoveries are at most a share alpha in expectation (independent or positively dependent tests).
 * */
size_t metric_bh_rejections(const double *sorted, size_t n, double alpha);
/* e-BH: the largest k whose k-th largest e-value is at least n / (alpha k); e-values ascending. Any
 * dependence (Wang and Ramdas 2022). */
size_t metric_e_bh_rejections(const double *sorted, size_t n, double alpha);

#endif
