/* projections.h -- what the joint stream of a model asks its detector beside the statistic. */
#ifndef DETECTORS_SHIFT_PROJECTIONS_H
#define DETECTORS_SHIFT_PROJECTIONS_H

#include <stdint.h>

/* Directions, and the norm where it is one of the scores. */
uint32_t projections_scores(const void *instance);
/* Mid-rank 0..1 of a row in the reference along `cell` of a struct change (small = large value, or more
 * spread): without a change its mean is 1/2. */
double projections_rank(void *instance, const double *x, uint32_t cell);
/* Weight of a column, in standard deviations, in the direction of the cell; 0 for the norm. */
double projections_weight(const void *instance, uint32_t cell, uint32_t column);

#endif
