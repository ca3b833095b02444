/* edges.c -- equal-mass bins with atoms (contract of the detectors, section 4).
 *
 *   e_b = A[ceil(b n / B) - 1], b = 1..B-1; distinct values, increasing;
 *   v occurs at least twice among the e_b:  insert nextafter(v, -inf) too, if finite and not there.
 */
#include "detectors/kit/edges.h"

#include <math.h>

uint32_t
edges_fill(double *edge, uint32_t bins, const double *sorted, uint32_t n)
{
	uint32_t count = 0, run = 0; /* run: how often the last edge occurred among the e_b */

	for (uint32_t b = 1; b < bins; b++) {
		uint64_t rank = ((uint64_t)b * n + bins - 1) / bins;
		double value = sorted[rank - 1], below;

		if (count == 0 || value != edge[count - 1]) {
			edge[count++] = value;
			run = 1;
			continue;
		}
		if (++run != 2)
			continue;
		below = nextafter(value, -HUGE_VAL);
		if (!isfinite(below) || (count >= 2 && edge[count - 2] == below))
			continue;
		edge[count - 1] = below;
		edge[count++] = value;
	}
	return count;
}
