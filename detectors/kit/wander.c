/* wander.c -- the wander W of contract 4b: one-way random effects of days, Student-widened.
 *
 *     nu = D - cycle,  n0 = (n - sum n_g^2 / n) / (D - 1)
 *     tau^2 = max(0, (sum n_g m_g^2 / nu - sum of squares about m_g / (n - D)) / n0)
 *     W = max(3.3, t sqrt(1 + 1/D)) tau,  t = .995 quantile of Student's t, nu degrees of freedom
 *
 * It is 0 when nu < 1 or n <= D. Cost: two passes, at creation only.
 */
#include "detectors/kit/wander.h"

#include <math.h>
#include <string.h>

#include "detectors/kit/special.h"

#define WANDER_FACTOR_MIN 3.3 /* standard deviations of a day that are forgiven at least */
#define WANDER_LEVEL .995

static uint32_t
group_means(const double *z, uint32_t n, const uint32_t *group, uint32_t groups, double *mean,
            double *count)
{
	uint32_t present = 0, at = 0;
	double sum = 0, members = 0; /* of group `at`: neighbours are mostly of one group */

	memset(mean, 0, groups * sizeof(double));
	memset(count, 0, groups * sizeof(double));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t g = group ? group[i] : 0;

		if (g != at) {
			mean[at] = sum;
			count[at] = members;
			at = g;
			sum = mean[at];
			members = count[at];
		}
		sum += z[i];
		members += 1;
	}
	if (n) {
		mean[at] = sum;
		count[at] = members;
	}
	for (uint32_t g = 0; g < groups; g++) {
		if (count[g] > 0) {
			mean[g] /= count[g];
			present++;
		}
	}
	return present;
}

uint32_t
wander_center(double *z, uint32_t n, const uint32_t *group, uint32_t groups, double *sum,
              double *count)
{
	uint32_t present = group_means(z, n, group, groups, sum, count);

	for (uint32_t i = 0; i < n; i++)
		z[i] -= sum[group ? group[i] : 0];
	return present;
}

double
wander(const double *z, uint32_t n, const uint32_t *day, uint32_t days, uint32_t cycle,
       double *sum, double *count)
{
	uint32_t present = group_means(z, n, day, days, sum, count);
	double between = 0, within = 0, squares = 0, nu, n0, tau, factor;

	if (present <= cycle || present < 2 || n <= present)
		return 0;
	nu = present - cycle;
	for (uint32_t g = 0; g < days; g++) {
		between += count[g] * sum[g] * sum[g];
		squares += count[g] * count[g];
	}
	for (uint32_t i = 0; i < n; i++) {
		double off = z[i] - sum[day ? day[i] : 0];

		within += off * off;
	}
	n0 = (n - squares / n) / (present - 1);
	tau = (between / nu - within / (n - present)) / n0;
	if (!(tau > 0))
		return 0;
	factor = special_t_quantile(WANDER_LEVEL, nu) * sqrt(1 + 1.0 / present);
	return fmax(WANDER_FACTOR_MIN, factor) * sqrt(tau);
}
