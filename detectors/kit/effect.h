/* effect.h -- how large is a change? What the sums since its start say.
 *
 * Numeric: a record adds its mid-rank in the reference, the mid-rank of its distance from the
 * reference median, and its value. A shift of d sigma of a normal law moves the mean rank by
 * d / (2 sqrt(pi)), so (mean rank - 1/2) 2 sqrt(pi) is in sigma-equivalents; the larger one of
 * place and spread is told. Binary and shares: points. */
#ifndef DETECTORS_KIT_EFFECT_H
#define DETECTORS_KIT_EFFECT_H

#include <stdint.h>

#include "detectors/kit/edges.h"

struct carve;
struct change;

enum { EFFECT_SPREAD_BINS = 64 };
/* Sums of values are of values cut to this, so that no sum of a stream overflows. */
#define EFFECT_VALUE_MAX 1e290

struct effect_ranks {
	double mean, median;   /* of the reference */
	uint32_t spread_edges;
	double *mid;           /* [edges + 1] mid-rank 0..1 of a value in that bin of the caller */
	double *spread_edge;   /* [spread_edges] of |x - median| */
	double *spread_mid;    /* [spread_edges + 1] */
};

/* Room for the caller's `bins` bins (of which there may be EDGES_MAX + 1). */
void effect_carve(struct effect_ranks *e, struct carve *c, uint32_t bins);
/* From all n reference values, of which `sorted` is a sorted copy that is overwritten; n may be
 * 0. */
void effect_init(struct effect_ranks *e, const double *edge, uint32_t edges, double *sorted,
                 uint32_t n);
/* The addends of many records. */
static inline void
effect_adds(const struct effect_ranks *e, const uint32_t *bin, const double *x, uint32_t rows,
            double (*add)[3])
{
	enum { TILE = 16 };
	double distance[TILE];
	uint32_t spread[TILE];

	for (uint32_t from = 0; from < rows; from += TILE) {
		uint32_t n = rows - from < TILE ? rows - from : TILE;

		for (uint32_t i = 0; i < n; i++) {
			double d = x[from + i] - e->median;

			distance[i] = d < 0.0 ? -d : d;
		}
		edges_bins(e->spread_edge, e->spread_edges, distance, n, spread);
		for (uint32_t i = 0; i < n; i++) {
			double v = x[from + i];

			add[from + i][0] = e->mid[bin[from + i]];
			add[from + i][1] = e->spread_mid[spread[i]];
			v = v < -EFFECT_VALUE_MAX ? -EFFECT_VALUE_MAX : v;
			add[from + i][2] = v > EFFECT_VALUE_MAX ? EFFECT_VALUE_MAX : v;
		}
	}
}
/* The addends of one record that is in the caller's bin. */
static inline void
effect_add(const struct effect_ranks *e, uint32_t bin, double x, double add[3])
{
	double distance = x > e->median ? x - e->median : e->median - x;

	add[0] = e->mid[bin];
	add[1] = e->spread_mid[edges_bin(e->spread_edge, e->spread_edges, distance)];
	add[2] = x < -EFFECT_VALUE_MAX ? -EFFECT_VALUE_MAX
	         : x > EFFECT_VALUE_MAX ? EFFECT_VALUE_MAX : x;
}

/* Fill effect, low, high, old_value and new_value of out, whose `records` is set. */
void effect_numeric(const struct effect_ranks *e, const double since[3], struct change *out);
void effect_rate(double hits, double old_rate, struct change *out);

#endif
