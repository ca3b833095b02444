/* distance_ks.c -- the two-sample Kolmogorov-Smirnov test (contract 12).
 *
 *   D = max |F - G| = max over the pooled values of |i m - j n| / (n m)
 *
 * Exact p-value: under the null every order of the pooled sample is one lattice path from (0, 0)
 * to (n, m), all equally likely; p is the probability that the path touches |i m - j n| >= D n m.
 * The mass that touches is added up where it first touches, so small p-values keep all digits.
 * Limit: P(K > x) = 2 sum (-1)^(k-1) exp(-2 k^2 x^2), x = D sqrt(nm/(n+m)) (Kolmogorov 1933), and
 * 1 - sqrt(2 pi)/x sum exp(-(2k-1)^2 pi^2 / (8 x^2)) for small x.
 */
#include "detectors/distance/distance.h"

#include <math.h>

/* Both series need at most four terms on their side of this point. */
static const double series_switch = 1.0;

static double
limit_tail(double x)
{
	const double pi = 3.14159265358979323846;
	double sum = 0.0;

	if (x <= 0.0)
		return 1.0;
	if (x < series_switch) {
		for (int k = 1; k <= 7; k += 2)
			sum += exp(-k * k * pi * pi / (8.0 * x * x));
		return 1.0 - sqrt(2.0 * pi) / x * sum;
	}
	for (int k = 1; k <= 6; k++)
		sum += (k % 2 != 0 ? 2.0 : -2.0) * exp(-2.0 * k * k * x * x);
	return fmin(1.0, fmax(0.0, sum));
}

/* n <= m, mass[n + 1]; d = D n m. mass[i] is the probability that the path reaches (i, j) without
 * having touched. */
static double
exact_tail(int64_t n, int64_t m, int64_t d, double *mass)
{
	double touched = 0.0;

	if (d <= 0)
		return 1.0;
	for (int64_t j = 0; j <= m; j++) {
		for (int64_t i = 0; i <= n; i++) {
			double p = 0.0;
			int64_t lead = i * m - j * n;

			if (i == 0 && j == 0)
				p = 1.0;
			/* One more of the current sample, then one more of the reference. */
			if (j > 0)
				p += mass[i] * (double)(m - j + 1) / (double)(n + m - i - j + 1);
			if (i > 0)
				p += mass[i - 1] * (double)(n - i + 1)
				     / (double)(n + m - i - j + 1);
			if (lead >= d || -lead >= d) {
				touched += p;
				p = 0.0;
			}
			mass[i] = p;
		}
	}
	return fmin(touched, 1.0);
}

struct distance
distance_ks(const double *ref, uint32_t n, const double *cur, uint32_t m,
            double scratch[DISTANCE_KS_SCRATCH])
{
	uint32_t i = 0, j = 0;
	int64_t d = 0;
	double product = (double)n * m, value;

	if (n == 0 || m == 0)
		return (struct distance){ (double)NAN, (double)NAN };
	while (i < n && j < m) {
		double x = fmin(ref[i], cur[j]);
		int64_t lead;

		while (i < n && ref[i] <= x)
			i++;
		while (j < m && cur[j] <= x)
			j++;
		lead = (int64_t)i * m - (int64_t)j * n;
		d = lead > d ? lead : -lead > d ? -lead : d;
	}
	value = (double)d / product;
	if (product <= DISTANCE_KS_EXACT_MAX)
		return (struct distance){
			value,
			n <= m ? exact_tail(n, m, d, scratch) : exact_tail(m, n, d, scratch),
		};
	return (struct distance){ value, limit_tail(value * sqrt(product / ((double)n + m))) };
}
