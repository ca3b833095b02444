/* distance_shift.c -- a PSI in the unit that people know: standard deviations of a normal mean
 * (contract 12, sigma_shift).
 *
 *   PSI(d) = sum_k (q_k - 1/K) ln(K q_k),  q_k = Phi(z_{k+1} - d) - Phi(z_k - d),  z_k =
 *   Phi^-1(k/K)
 *
 * grows from 0 at d = 0, so the root is unique. It is found by Newton's method from the leading
 * term slope d^2, slope = K sum (phi(z_k) - phi(z_{k+1}))^2, inside a bracket that falls back on
 * halving: about four passes of one erfc, exp and log a cell, against 200 for plain bisection.
 */
#include "detectors/distance/distance.h"

#include <math.h>
#include <stdbool.h>

#include "detectors/kit/special.h"

static const double inv_sqrt_2pi = 0.39894228040143267794;
static const double sqrt_half = 0.70710678118654752440;
/* Newton doubles the digits: a step this small leaves nothing to gain. */
static const double converged = 1e-10;
enum { STEPS_MAX = 200 };

/* Upper tail of N(0,1). */
static double
normal_tail(double z)
{
	return 0.5 * erfc(z * sqrt_half);
}

static double
normal_density(double z)
{
	return inv_sqrt_2pi * exp(-0.5 * z * z);
}

/* PSI and its derivative at shift d. Each cell is a difference of the tails on its own side of the
 * shifted mean, so that small cells keep their digits. */
static double
psi_at(const struct distance_table *t, double d, double *derivative)
{
	double p = 1.0 / t->cells, psi = 0.0, slope = 0.0;
	double tail = 1.0, density = 0.0; /* of the cell's lower edge */
	bool below = true;                /* tail is the lower one's complement: edge < d */

	for (uint32_t k = 0; k < t->cells; k++) {
		bool last = k + 1 == t->cells;
		double z = last ? 0.0 : t->edge[k] - d, q, next, next_density, growth;
		bool next_below = !last && z < 0.0;

		next = last ? 0.0 : normal_tail(fabs(z));
		next_density = last ? 0.0 : normal_density(z);
		if (k == 0)
			q = next_below ? next : 1.0 - next;
		else if (below && next_below)
			q = next - tail;
		else if (below)
			q = 1.0 - next - tail;
		else
			q = tail - next;
		growth = density - next_density;
		if (q > 0.0) {
			psi += (q - p) * log(q / p);
			slope += growth * (log(q / p) + 1.0 - p / q);
		}
		tail = next;
		density = next_density;
		below = next_below;
	}
	*derivative = slope;
	return psi;
}

void
distance_table_init(struct distance_table *t, uint32_t cells, double *edge)
{
	double density = 0.0, unused;

	*t = (struct distance_table){ .cells = cells, .edge = edge };
	for (uint32_t k = 0; k + 1 < cells; k++) {
		/* Taken from the lower half, so that the cells are exactly symmetric. */
		uint32_t low = k + 1 <= cells / 2 ? k + 1 : cells - k - 1;
		double z = 2 * low == cells ? 0.0 : special_normal_quantile((double)low / cells);

		edge[k] = low == k + 1 ? z : -z;
	}
	for (uint32_t k = 0; k < cells; k++) {
		double next = k + 1 < cells ? normal_density(edge[k]) : 0.0;

		t->slope += cells * (density - next) * (density - next);
		density = next;
	}
	t->chi2_95 = cells > 1 ? special_chi2_quantile(0.95, cells - 1) : 0.0;
	t->psi_max = psi_at(t, DISTANCE_SHIFT_MAX, &unused);
}

double
distance_psi_null95(const struct distance_table *t, double scale)
{
	return t->chi2_95 * scale;
}

double
distance_shift(const struct distance_table *t, double corrected)
{
	double low = 0.0, high = DISTANCE_SHIFT_MAX, d;

	if (isnan(corrected))
		return (double)NAN;
	if (corrected <= 0.0)
		return 0.0;
	if (corrected >= t->psi_max)
		return DISTANCE_SHIFT_MAX;
	d = fmin(sqrt(corrected / t->slope), 0.5 * DISTANCE_SHIFT_MAX);
	for (int step = 0; step < STEPS_MAX; step++) {
		double derivative, excess = psi_at(t, d, &derivative) - corrected, next;

		if (excess < 0.0)
			low = d;
		else
			high = d;
		next = d - excess / derivative;
		if (!(next > low && next < high))
			next = 0.5 * (low + high);
		if (fabs(next - d) <= converged * d)
			return next;
		d = next;
	}
	return d;
}
