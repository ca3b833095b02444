/* effect.c -- see effect.h. */
#include "detectors/kit/effect.h"

#include <float.h>
#include <math.h>

#include "detectors/detector.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/sort.h"

static const double two_sqrt_pi = 3.54490770181103205460;
static const double normal_975 = 1.95996398454005423552;

void
effect_carve(struct effect_ranks *e, struct carve *c, uint32_t bins)
{
	e->mid = carve_take(c, (EDGES_MAX(bins) + 1) * sizeof *e->mid);
	e->spread_edge = carve_take(c, EDGES_MAX(EFFECT_SPREAD_BINS) * sizeof *e->spread_edge);
	e->spread_mid = carve_take(c, (EDGES_MAX(EFFECT_SPREAD_BINS) + 1) * sizeof *e->spread_mid);
}

/* mid[b] = (values in lower bins + half of those in b) / n. */
static void
mid_ranks(double *mid, const double *edge, uint32_t edges, const double *sorted, uint32_t n)
{
	uint32_t at = 0;

	for (uint32_t b = 0; b <= edges; b++) {
		uint32_t from = at;

		while (at < n && (b == edges || sorted[at] <= edge[b]))
			at++;
		mid[b] = n ? (from + 0.5 * (at - from)) / n : 0.5;
	}
}

void
effect_init(struct effect_ranks *e, const double *edge, uint32_t edges, double *sorted, uint32_t n)
{
	e->mean = 0.0;
	for (uint32_t i = 0; i < n; i++)
		e->mean += sorted[i] / n;
	e->median = n ? sorted[(n - 1) / 2] : 0.0;
	mid_ranks(e->mid, edge, edges, sorted, n);
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = fmin(fabs(sorted[i] - e->median), DBL_MAX);
	sort_doubles(sorted, n);
	e->spread_edges = n ? edges_fill(e->spread_edge, EFFECT_SPREAD_BINS, sorted, n) : 0;
	mid_ranks(e->spread_mid, e->spread_edge, e->spread_edges, sorted, n);
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
