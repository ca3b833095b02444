/* summary.h -- what a window says of one stream: count, missing, moments, extremes, cells.
 * The result does not depend on where batches are cut: everything is added record by record. */
#ifndef DETECTORS_KIT_SUMMARY_H
#define DETECTORS_KIT_SUMMARY_H

#include <stdint.h>

#include "detectors/kit/cells.h"

struct codec;

struct summary {
	uint64_t n, missing;
	double shift;        /* the window's first value: sums are taken about it */
	double sum, squares; /* of value - shift */
	double min, max;
	uint64_t count[CELLS_MAX]; /* by cell, when there are cells */
	/* the last thousand or so values by cell, over windows: halved every SUMMARY_HALVE values */
	uint32_t recent[CELLS_MAX], recent_n;
};
enum { SUMMARY_HALVE = 512 };

/* A new window; `recent` stays. */
void summary_clear(struct summary *s);
/* Values [0, n), NaN = missing; cells may be NULL. */
void summary_add(struct summary *s, const struct cells *c, const double *value, uint32_t n);
/* The same of values whose cells are known: cell[i] is that of value[i], any for NaN. */
void summary_add_known(struct summary *s, const uint8_t *cell, const double *value, uint32_t n);
/* Codes, UINT32_MAX = missing. */
void summary_add_codes(struct summary *s, const struct cells *c, const uint32_t *code, uint32_t n);
double summary_mean(const struct summary *s); /* NaN when empty */
double summary_sd(const struct summary *s);   /* n - 1; NaN below two values */
void summary_save(const struct summary *s, struct codec *out);
void summary_load(struct summary *s, struct codec *in);

#endif
