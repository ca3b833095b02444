/* effect.h -- how large is a change? What the sums since its start say.
 *
 * Numeric: a record adds its mid-rank in the reference, the mid-rank of its distance from the
 * reference median (both as far as its bin tells), and its value. A shift of d sigma of a normal law
 * moves the mean rank by d / (2 sqrt(pi)), so (mean rank - 1/2) 2 sqrt(pi) is in sigma-equivalents; the
 * larger one of place and spread is told. Binary and shares: points. */
#ifndef DETECTORS_KIT_EFFECT_H
#define DETECTORS_KIT_EFFECT_H

#include <stdint.h>

struct carve;
struct change;

/* Sums of values are of values cut to this, so that no sum of a stream overflows. */
#define EFFECT_VALUE_MAX 1e290

struct effect_ranks {
	double mean; /* of the reference */
	/* [edges + 1] for a value in that bin of the caller, 0..1: its mid-rank, and the mean mid-rank of the
	 * distance from the median of the reference values there */
	double (*rank)[2];
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
	for (uint32_t i = 0; i < rows; i++) {
		double v = x[i] < -EFFECT_VALUE_MAX ? -EFFECT_VALUE_MAX : x[i];

		add[i][0] = e->rank[bin[i]][0];
		add[i][1] = e->rank[bin[i]][1];
		add[i][2] = v > EFFECT_VALUE_MAX ? EFFECT_VALUE_MAX : v;
	}
}

/* Fill effect, low, high, old_value and new_value of out, whose `records` is set. */
void effect_numeric(const struct effect_ranks *e, const double since[3], struct change *out);
void effect_rate(double hits, double old_rate, struct change *out);

#endif
