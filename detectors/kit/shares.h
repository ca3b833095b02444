/* shares.h -- the cells of a categorical stream (contract 5): the most frequent categories of a
 * sample, __other__ and __new__. */
#ifndef DETECTORS_KIT_SHARES_H
#define DETECTORS_KIT_SHARES_H

#include <stdint.h>

struct reference;

/* Chooses the `top` most frequent codes among ref's values number 0, step, 2 step, ... (ties in
 * byte order of the texts), then one cell for its other codes if there are any, then the new
 * cell. Writes cell_of[0 .. ref->categories) (a code beyond is in the last cell) and returns the
 * number of cells, or 0 when memory fails. `ref` may be NULL: one cell. */
uint32_t shares_cells(uint32_t *cell_of, const struct reference *ref, uint32_t step, uint32_t top);

#endif
