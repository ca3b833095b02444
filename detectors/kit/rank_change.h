/* rank_change.h -- what conformal p-values since the start of a change say about its size: without
 * a change their mean is 1/2, and a shift of d sigma of a normal law moves it by d / (2 sqrt(pi)).
 * */
#ifndef DETECTORS_KIT_RANK_CHANGE_H
#define DETECTORS_KIT_RANK_CHANGE_H

#include <math.h>

#include "detectors/detector.h"

#define RANK_CHANGE_SIGMA 3.54490770181103205460 /* 2 sqrt(pi) */

/* Fills effect, low, high and up from the sum of out->records p-values (small p = large value). */
static inline void
rank_change(double sum, struct change *out)
{
	const double sigma_of_rank = RANK_CHANGE_SIGMA;
	double n = (double)out->records;
	double half = 1.95996398454005423552 * sigma_of_rank / sqrt(12.0 * n);

	out->effect = (0.5 - sum / n) * sigma_of_rank;
	out->low = out->effect - half;
	out->high = out->effect + half;
	out->up = out->effect > 0.0;
}

#endif
