/* sort.h -- ascending order of many doubles, for tables that are made at creation. */
#ifndef DETECTORS_KIT_SORT_H
#define DETECTORS_KIT_SORT_H

#include <stdbool.h>
#include <stdint.h>

/* Sorts in place; no NaN. -0 stands before 0. */
void sort_doubles(double *value, uint32_t n);
/* index[i] = number of the i-th smallest value; equal values (-0 before 0) in order of their numbers.
 * False when memory fails. */
bool sort_indices(const double *value, uint32_t n, uint32_t *index);

#endif
