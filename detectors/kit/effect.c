/* effect.c -- see effect.h. */
#include "detectors/kit/effect.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "detectors/detector.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/edges.h"
#include "detectors/kit/sort.h"

static const double two_sqrt_pi = 3.54490770181103205460;
static const double normal_975 = 1.95996398454005423552;

void
effect_carve(struct effect_ranks *e, struct carve *c, uint32_t bins)
{
	e->rank = carve_take(c, (EDGES_MAX(bins) + 1) * sizeof *e->rank);
}

/* rank[i] = mid-rank of value[i] among the n, 0..1. */
static void
mid_ranks(double *rank, const double *value, const uint32_t *order, uint32_t n)
{
	for (uint32_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && !(value[order[to]] > value[order[from]]);)
			to++;
		for (uint32_t i = from; i < to; i++)
			rank[order[i]] = .5 * ((double)from + to) / n;
	}
}

void
effect_init(struct effect_ranks *e, const double *edge, uint32_t edges, double *sorted, uint32_t n)
{
	double *spread = malloc((n + (size_t)1) * sizeof *spread), median = n ? sorted[(n - 1) / 2] : 0;
	uint32_t *order = malloc((n + (size_t)1) * sizeof *order), at = 0;
	bool ranked = false;

	e->mean = 0;
	for (uint32_t b = 0; b <= edges; b++) { /* what lies below, and half of what is inside */
		uint32_t from = at;

		while (at < n && (b == edges || sorted[at] <= edge[b]))
			at++;
		e->rank[b][0] = n ? (from + .5 * (at - from)) / n : .5;
		e->rank[b][1] = at - from; /* for now */
	}
	for (uint32_t i = 0; i < n; i++) {
		e->mean += sorted[i] / n;
		sorted[i] = fmin(fabs(sorted[i] - median), DBL_MAX);
	}
	if (spread && order && sort_indices(sorted, n, order)) {
		mid_ranks(spread, sorted, order, n);
		ranked = true;
	}
	at = 0;
	for (uint32_t b = 0; b <= edges; b++) {
		uint32_t inside = (uint32_t)e->rank[b][1];
		double sum = 0;

		for (uint32_t i = 0; ranked && i < inside; i++)
			sum += spread[at++];
		/* a bin without values is like the one below it */
		e->rank[b][1] = ranked && inside ? sum / inside : b && ranked ? e->rank[b - 1][1] : .5;
	}
	free(spread);
	free(order);
}

void
effect_numeric(const struct effect_ranks *e, const double since[3], struct change *out)
{
	double n = (double)out->records;
	double place = (since[0] / n - 0.5) * two_sqrt_pi;
	double spread = (since[1] / n - 0.5) * two_sqrt_pi;
	double half = normal_975 * sqrt(1.0 / 12.0 / n) * two_sqrt_pi;

	out->effect = fabs(place) >= fabs(spread) ? place : spread;
	out->low = out->effect - half;
	out->high = out->effect + half;
	out->old_value = e->mean;
	out->new_value = since[2] / n;
}

void
effect_rate(double hits, double old_rate, struct change *out)
{
	double n = (double)out->records, rate = hits / n, smooth = (hits + 0.5) / (n + 1.0);
	double half = normal_975 * sqrt(smooth * (1.0 - smooth) / n);

	out->effect = rate - old_rate;
	out->low = out->effect - half;
	out->high = out->effect + half;
	out->old_value = old_rate;
	out->new_value = rate;
}
