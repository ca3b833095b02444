/* edges.h -- equal-mass bins with atoms (contract 4): the cells of every binned detector. */
#ifndef DETECTORS_KIT_EDGES_H
#define DETECTORS_KIT_EDGES_H

#include <stdint.h>

/* Most edges that `bins` bins can give: one per inner quantile, doubled by atoms. */
#define EDGES_MAX(bins) (2 * (bins) - 2)

/* Writes the edges of `sorted` (ascending, n >= 1 finite values) for `bins` >= 2 into edge[], in
 * increasing order, and returns their number (<= EDGES_MAX(bins)):
 * e_b = sorted[ceil(b n / bins) - 1], distinct; a value that occurs at least twice among the e_b is
 * an atom and gets the largest double below it as one more edge. */
uint32_t edges_fill(double *edge, uint32_t bins, const double *sorted, uint32_t n);

/* Bin of x: how many edges lie strictly below x (0..n). Branch-free. */
static inline uint32_t
edges_bin(const double *edge, uint32_t n, double x)
{
	const double *base = edge;
	uint32_t left = n;

	if (left == 0)
		return 0;
	while (left > 1) {
		uint32_t half = left / 2;

		/* A mask: of ?: compilers make a jump. */
		base += half & -(uint32_t)(base[half - 1] < x);
		left -= half;
	}
	return (uint32_t)(base - edge) + (base[0] < x);
}

#endif
