/* space.h -- the coordinates in which a distance is taken: as they are, on the unit sphere (zero stays
 * zero), or standardised by the reference (sd divides by n; of a constant column 1). */
#ifndef DETECTORS_OOD_SPACE_H
#define DETECTORS_OOD_SPACE_H

#include <stdint.h>

#include "detectors/ood/score.h"

struct space {
	enum space_choice kind; /* not SPACE_AUTO */
	uint32_t columns;
	double *shift, *scale;  /* [columns] taken off, then divided by; after the norm of SPACE_UNIT */
};

/* 0 or ERR_IO; `rows` [n * columns]. */
int space_fit(struct space *s, enum space_choice kind, const double *rows, uint32_t n, uint32_t columns,
              struct diag *d);
/* shift += mean of the rows, which are in the space already, and are moved too. */
void space_centre(struct space *s, double *rows, uint32_t n);
void space_finish(struct space *s);
/* Rows in place; and a tile of TILE_ROWS rows: the same bits. */
void space_rows(const struct space *s, double *rows, uint32_t n);
void space_tile(const struct space *s, double *tile);

/* Several tiles of rows that panels pass over, so that a panel is read once for all of them. */
enum { TILES = SCORER_ROWS / TILE_ROWS };
/* rows [0, n <= SCORER_ROWS) as tiles in the space: tile t begins at tiles + t * columns * TILE_ROWS. */
void space_load(const struct space *s, const struct tile_kernel *k, const double *rows, uint32_t n,
                double *tiles);

#endif
