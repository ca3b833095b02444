/* tolerant.h -- what the detectors of contract 4b share. */
#ifndef DETECTORS_SHIFT_TOLERANT_H
#define DETECTORS_SHIFT_TOLERANT_H

#include <stdbool.h>
#include <stdint.h>

struct reference;

/* `void: short`: fewer than cycle + 6 days or fewer than 200 values in the thinned reference. */
bool tolerant_short(const struct reference *thinned, uint32_t cycle);

#endif
