/* dependence.h -- how far apart must records be to be treated as independent (contract 11)? */
#ifndef DETECTORS_KIT_DEPENDENCE_H
#define DETECTORS_KIT_DEPENDENCE_H

#include <stdbool.h>
#include <stdint.h>

struct reference;

/* The step k of rules 1-3 for the series value[0..n): k >= 1. *dependent is set when no step was
 * found (then k = 1). Allocates and frees scratch; only for use while something is created.
 * Deterministic; O(n log n + n h). Returns 1 with *dependent = true when memory fails. */
uint32_t dependence_step(const double *value, uint32_t n, bool *dependent);
/* The same for what `tolerant*` thins (4b): values less the mean of their key, then less the mean of their
 * day (of day NULL: not); or their ranks treated so. Where values repeat, the former hang together though
 * records do not: 0 less the mean of its day is another number on every day, and the same one all day. */
enum within { WITHIN_VALUES, WITHIN_RANKS };
uint32_t dependence_step_within_days(const struct reference *ref, enum within within, bool *dependent);

#endif
