/* threshold.c -- see threshold.h. Source: order statistics of a uniform sample; Vovk 2012, proposition 2a. */
#include "detectors/ood/threshold.h"

#include <math.h>

#include "detectors/kit/special.h"

static struct threshold
at(const struct calibration *c, uint32_t m)
{
	return (struct threshold){
		.possible = true,
		.m = m,
		.score = c->score[c->n - 1 - m],
		.low = special_beta_quantile(0.025, m + 1.0, (double)(c->n - m)),
		.high = special_beta_quantile(0.975, m + 1.0, (double)(c->n - m)),
	};
}

struct threshold
threshold_nominal(const struct calibration *c, double alpha)
{
	uint32_t m = (uint32_t)floor(alpha * (double)c->n + 0.5);

	if (m >= c->n)
		return (struct threshold){ .possible = false };
	return at(c, m);
}

/* Is the share at most alpha with probability 1 - delta? */
static bool
holds(const struct calibration *c, uint32_t m, double alpha, double delta)
{
	return special_beta_quantile(1.0 - delta, m + 1.0, (double)(c->n - m)) <= alpha;
}

struct threshold
threshold_pac(const struct calibration *c, double alpha, double delta)
{
	uint32_t low = 0, high = c->n; /* holds at low, not at high */

	if (c->n == 0 || !holds(c, 0, alpha, delta))
		return (struct threshold){ .possible = false };
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (holds(c, middle, alpha, delta))
			low = middle;
		else
			high = middle;
	}
	return at(c, low);
}
