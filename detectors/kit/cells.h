/* cells.h -- the reference of a stream as a few equal-mass cells: histograms, PSI, quantiles, effects.
 *
 * Numeric: CELLS_BINS equal-mass bins of the whole reference (edges.h), of which every fourth edge also
 * bounds one of the ten bins of PSI; and the same for the distance |x - m| from the median m, so that a
 * change of spread has an effect too. Categorical: the most frequent CELLS_CATEGORIES categories, all
 * other known ones together, and one cell for what the reference never saw.
 * Immutable once made; points into itself, so it is not copied.
 */
#ifndef DETECTORS_KIT_CELLS_H
#define DETECTORS_KIT_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/distance/distance.h"
#include "detectors/kit/edges.h"
#include "detectors/kit/edges_index.h"

struct reference;

enum { CELLS_BINS = 40, CELLS_PSI_BINS = 10, CELLS_CATEGORIES = 63, CELLS_MAX = 80 };

struct cells {
	bool categorical;
	uint32_t n;                  /* cells, <= CELLS_MAX */
	uint32_t edges;              /* numeric: n - 1 */
	double edge[EDGES_MAX(CELLS_BINS)];
	struct edges_index index;    /* of them, in index_level */
	double index_level[CELLS_MAX + EDGES_NODE];
	uint32_t count[CELLS_MAX];   /* of the reference */
	double mid[CELLS_MAX];       /* mid-rank of a value in the cell, 0..1 */
	uint32_t psi_cells;          /* cells of PSI ... */
	uint8_t psi_of[CELLS_MAX];   /* ... and which one a cell belongs to */
	uint64_t psi_count[CELLS_MAX]; /* of the reference, by cell of PSI */
	/* for K = psi_cells and psi_cells - 1 (the cell for what the reference never saw stays empty) */
	struct distance_table table[2];
	double table_edge[2][CELLS_MAX];
	uint32_t total;              /* reference values */
	double mean, sd, low, high;  /* of the reference; low, high: smallest and largest value */
	double median;               /* lower median */
	uint32_t spread_edges;       /* the same of |x - median| */
	double spread_edge[EDGES_MAX(CELLS_BINS)];
	double spread_mid[CELLS_MAX];
	/* categorical: cell of a code; codes >= codes are new (the last cell) */
	uint32_t codes;
	uint16_t cell_of[1024 + 1];
};

/* `scratch` has room for reference->n doubles. The reference has at least one value. */
void cells_build(struct cells *c, const struct reference *ref, double *scratch);
static inline uint32_t
cells_of_value(const struct cells *c, double x)
{
	return edges_bin(c->edge, c->edges, x);
}
static inline uint32_t
cells_of_code(const struct cells *c, uint32_t code)
{
	return code < c->codes ? c->cell_of[code] : c->n - 1;
}
/* PSI of counts against the reference on its psi_cells (contract 12: + .5), its 95 % quantile when nothing
 * has changed, and the equivalent shift in sigma of the excess. NaN without counts. */
void cells_psi(const struct cells *c, const uint64_t *count, double *psi, double *null95,
               double *sigma_shift);
/* Quantile q of counts, by interpolation inside the cell between its bounds (min and max at the ends). */
double cells_quantile(const struct cells *c, const uint64_t *count, double min, double max, double q);

/* How far a sample is from the reference. Numeric: mean mid-rank of x and of |x - m|, in
 * sigma-equivalents (a shift of d sigma of a normal moves its mean rank by d / (2 sqrt pi)), the larger
 * of the two. Binary (0/1 as numbers with `rate` set) and categorical: share of one cell less its share
 * in the reference, in points; `standard` divides it by sqrt(p (1 - p)) of the reference. */
struct gauge {
	uint64_t n;
	double rank, spread, sum; /* sums of mid-ranks and of values */
	uint64_t hits;            /* records in the watched cell, or ones */
	double expected;          /* the hits that the reference has at these phases of a season */
};
struct effect {
	double size;              /* signed, in `unit` of the kind */
	double low, high;         /* 95 % interval */
	double standard;          /* |size| in sigma-equivalents: what is compared with min_effect */
	double old_value, new_value;
};
void gauge_add(struct gauge *g, const struct cells *c, double value);
void gauge_add_code(struct gauge *g, const struct cells *c, uint32_t code, uint32_t cell);
/* A loss in [0, 1] whose mean is compared with a stated one, in points: `sum`, and squares in `spread`. */
void gauge_add_loss(struct gauge *g, double loss);
void gauge_loss_effect(const struct gauge *g, double stated, struct effect *out);
void gauge_effect(const struct gauge *g, const struct cells *c, struct effect *out);
void gauge_rate_effect(const struct gauge *g, double reference_rate, uint32_t reference_n,
                       struct effect *out);

#endif
