/* tolerant_cells.h -- the tables of `tolerant-binary` and `tolerant-categorical`. */
#ifndef DETECTORS_SHIFT_TOLERANT_CELLS_H
#define DETECTORS_SHIFT_TOLERANT_CELLS_H

#include <stddef.h>
#include <stdint.h>

struct diag;
struct reference;

enum { TOLERANT_UPS = 4, TOLERANT_DOWNS = 3 };

struct tolerant_share_options {
	double min_effect;
	uint32_t cycle;
	uint32_t top; /* values with a cell of their own; unused by tolerant-binary */
	int side;     /* enum tolerant_side */
	int ceiling;  /* enum tolerant_ceiling */
};
enum tolerant_side { TOLERANT_BOTH, TOLERANT_UP };
/* Shares that the reference lets be above .999: taken as .999, which bounds nothing where they are
 * above it, or not bet to rise. */
enum tolerant_ceiling { TOLERANT_CUT, TOLERANT_LEAVE };

/* Lane of a bet = bets * cell + bet; the first TOLERANT_UPS of a cell bet on more of it. */
struct tolerant_cells {
	uint32_t cells, keys, codes;
	enum tolerant_ceiling ceiling;
	uint32_t bets;    /* of a cell: TOLERANT_UPS, or with TOLERANT_DOWNS */
	uint32_t lanes;   /* bets * cells, padded to a multiple of 8 */
	uint32_t *cell;   /* [codes] cell of a code; codes beyond are the last cell, __new__ */
	double *share;    /* [cells] in the whole reference */
	double *hit;      /* [keys][lanes] L when the lane's cell was hit ... */
	double *miss;     /* [keys][lanes] ... and when another was; padding 0. Binary: follows hit at once */
};

/* Lanes at most; NULL reference: all cells that the options allow. */
uint32_t tolerant_cells_lanes(const struct tolerant_share_options *o, const struct reference *ref);
/* Bytes of the tables, a multiple of 64. */
size_t tolerant_cells_bytes(const struct tolerant_share_options *o, const struct reference *ref);
/* Fills the tables; `memory` has tolerant_cells_bytes() zeroed bytes, aligned to 64. The reference
 * has codes (categorical) or values 0 and 1 (binary). */
int tolerant_cells_init(struct tolerant_cells *c, void *memory,
                        const struct tolerant_share_options *o, const struct reference *ref,
                        struct diag *d);

#endif
