/* dependence.c -- the thinning rule (contract 11): the step k at which a series may be treated as
 * independent, from the autocorrelation a_h of its mid-ranks (mean 0, variance 1) and from the
 * variance of block sums of the thinned series.
 *
 *   1. a_1 < max(.02, 2/sqrt n): k = 1; else k = 2h, h the smallest lag <= n/10 with a_h < .1.
 *   2. while floor(n/k) >= 100: r_1, r_{k+1}, .. (m values); for b = 2, 4, 8, .. with
 *      nb = floor(m/b) >= 8: mean over blocks of (block sum)^2 / b <= 1 + 3 sqrt(2/nb).
 *      All hold: k. Otherwise k <- 2k.
 *   3. none, or n < 100: dependent.
 */
#include "detectors/kit/dependence.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/reference.h"
#include "detectors/kit/sort.h"

enum { VALUES_MIN = 100, BLOCKS_MIN = 8 };

/* rank[i] = mid-rank of value[i] less their mean; false when memory fails. */
static bool
middle_ranks(double *rank, const double *value, uint32_t n)
{
	uint32_t *order = malloc((n + (size_t)1) * sizeof *order);
	double middle = (n + 1.0) / 2.0;
	bool sorted = order && sort_indices(value, n, order);

	for (uint32_t from = 0, to; sorted && from < n; from = to) {
		for (to = from + 1; to < n && !(value[order[to]] > value[order[from]]);)
			to++;
		for (uint32_t i = from; i < to; i++)
			rank[order[i]] = (from + to + 1.0) / 2.0 - middle;
	}
	free(order);
	return sorted;
}

/* To variance 1; false when there is none. */
static bool
scale_ranks(double *rank, uint32_t n)
{
	double squares = 0.0, scale;

	for (uint32_t i = 0; i < n; i++)
		squares += rank[i] * rank[i];
	if (!(squares > 1e-9 * n))
		return false;
	scale = 1.0 / sqrt(squares / n);
	for (uint32_t i = 0; i < n; i++)
		rank[i] *= scale;
	return true;
}

static double
autocorrelation(const double *r, uint32_t n, uint32_t lag)
{
	double sum = 0.0;

	for (uint32_t i = 0; i + lag < n; i++)
		sum += r[i] * r[i + lag];
	return sum / n;
}

/* Rule 1; 0 = none. */
static uint32_t
first_step(const double *r, uint32_t n)
{
	if (autocorrelation(r, n, 1) < fmax(0.02, 2.0 / sqrt(n)))
		return 1;
	for (uint32_t h = 1; h <= n / 10; h++)
		if (autocorrelation(r, n, h) < 0.1)
			return 2 * h;
	return 0;
}

/* Rule 2 for one k. */
static bool
blocks_fit(const double *r, uint32_t n, uint32_t k)
{
	uint32_t m = (n - 1) / k + 1;

	for (uint32_t b = 2; m / b >= BLOCKS_MIN; b *= 2) {
		uint32_t blocks = m / b;
		double mean = 0.0;

		for (uint32_t i = 0; i < blocks; i++) {
			double sum = 0.0;

			for (uint32_t j = 0; j < b; j++)
				sum += r[(size_t)k * ((size_t)i * b + j)];
			mean += sum * sum / b;
		}
		if (mean / blocks > 1.0 + 3.0 * sqrt(2.0 / blocks))
			return false;
	}
	return true;
}

/* The step for ranks with mean 0. */
static uint32_t
step_of_ranks(double *rank, uint32_t n, bool *dependent)
{
	*dependent = scale_ranks(rank, n);
	if (!*dependent || n < VALUES_MIN)
		return 1;
	for (uint32_t k = first_step(rank, n); k > 0 && n / k >= VALUES_MIN; k *= 2)
		if (blocks_fit(rank, n, k)) {
			*dependent = false;
			return k;
		}
	return 1;
}

uint32_t
dependence_step(const double *value, uint32_t n, bool *dependent)
{
	double *rank = malloc((n + (size_t)1) * sizeof *rank);
	uint32_t step = 1;

	*dependent = true;
	if (rank && n >= 2 && middle_ranks(rank, value, n))
		step = step_of_ranks(rank, n, dependent);
	free(rank);
	return step;
}

/* value[i] -= mean of its group. Group `groups` is that of phases without a reference: `sum` and `count` have
 * room for it. */
static void
subtract_means(double *value, const uint32_t *group, uint32_t groups, uint32_t n, double *sum,
               double *count)
{
	for (uint32_t g = 0; g <= groups; g++)
		sum[g] = count[g] = 0.0;
	for (uint32_t i = 0; i < n; i++) {
		sum[group ? group[i] : 0] += value[i];
		count[group ? group[i] : 0] += 1.0;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t g = group ? group[i] : 0;

		value[i] -= sum[g] / count[g];
	}
}

uint32_t
dependence_step_within_days(const struct reference *ref, enum within within, bool *dependent)
{
	uint32_t days = ref->day ? ref->days : 1, keys = ref->key ? ref->keys : 1, n = ref->n;
	size_t groups = (days > keys ? days : keys) + (size_t)1;
	double *left = malloc((n + (size_t)1) * sizeof *left);
	double *sum = malloc(groups * sizeof *sum), *count = malloc(groups * sizeof *count);
	uint32_t step = 1;
	bool ok = left && sum && count && n >= 2;

	*dependent = true;
	if (ok && within == WITHIN_VALUES)
		memcpy(left, ref->value, n * sizeof *left);
	else
		ok = ok && middle_ranks(left, ref->value, n);
	if (ok) {
		subtract_means(left, ref->key, keys, n, sum, count);
		subtract_means(left, ref->day, days, n, sum, count);
		step = within == WITHIN_VALUES ? dependence_step(left, n, dependent) :
			step_of_ranks(left, n, dependent);
	}
	free(left);
	free(sum);
	free(count);
	return step;
}
