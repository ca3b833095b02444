/* distance_sample.c -- distances of two sorted samples (contract 12), by one merge of both.
 *
 *   F, G          share of the reference, of the current sample, at most x
 *   wasserstein   integral |F - G| dx
 *   energy        sqrt(2 integral (F - G)^2 dx)
 *   cvm           T = U/(nm(n+m)) - (4nm - 1)/(6(n+m)), U = n sum (r_i - i)^2 + m sum (s_j - j)^2,
 *                 r, s midranks in the pooled sample (Anderson 1962). p-value: distribution of the
 *                 limit at 1/6 + (T - E T)/sqrt(45 Var T) (Csorgo and Faraway 1996, eq. 1.3),
 *                 summed until a term is below 1e-7, as SciPy does
 *   ad            A^2 of Scholz and Stephens 1987 (eq. 7, k = 2, midranks), less 1, over its sd
 */
#include "detectors/distance/distance.h"

#include <math.h>
#include <stdbool.h>

/* A walk over the distinct values of both samples. */
struct merge {
	const double *ref, *cur;
	uint32_t n, m;
	uint32_t i, j;          /* values at most `value` */
	uint32_t ties_i, ties_j; /* values equal to it */
	double value;
};

static bool
merge_next(struct merge *w)
{
	uint32_t i = w->i, j = w->j;

	if (i == w->n && j == w->m)
		return false;
	if (j == w->m || (i < w->n && w->ref[i] <= w->cur[j]))
		w->value = w->ref[i];
	else
		w->value = w->cur[j];
	while (i < w->n && w->ref[i] <= w->value)
		i++;
	while (j < w->m && w->cur[j] <= w->value)
		j++;
	w->ties_i = i - w->i;
	w->ties_j = j - w->j;
	w->i = i;
	w->j = j;
	return true;
}

/* Integral of |F - G|^power, power 1 or 2. */
static double
integral(const double *ref, uint32_t n, const double *cur, uint32_t m, int power)
{
	struct merge w = { .ref = ref, .cur = cur, .n = n, .m = m };
	double sum = 0.0, last = 0.0, gap = 0.0;

	if (n == 0 || m == 0)
		return (double)NAN;
	while (merge_next(&w)) {
		/* No gap before the first value nor between equal steps: not even an infinite one.
		 * */
		if (gap > 0.0)
			sum += (w.value - last) * gap;
		gap = fabs((double)w.i / n - (double)w.j / m);
		if (power == 2)
			gap *= gap;
		last = w.value;
	}
	return sum;
}

double
distance_wasserstein(const double *ref, uint32_t n, const double *cur, uint32_t m)
{
	return integral(ref, n, cur, m, 1);
}

double
distance_energy(const double *ref, uint32_t n, const double *cur, uint32_t m)
{
	return sqrt(2.0 * integral(ref, n, cur, m, 2));
}

/* exp(-q) K_{1/4}(q) = integral_0^inf exp(-q (1 + cosh t)) cosh(t/4) dt. The integrand is analytic
 * and decays twice exponentially, so the trapezoidal rule with this step is exact to rounding. */
static double
bessel_term(double q)
{
	const double step = 0.1;
	double sum = 0.5 * exp(-2.0 * q);

	for (int i = 1; i < 4000; i++) {
		double t = step * i, exponent = q * (1.0 + cosh(t));

		if (exponent > 800.0)
			break;
		sum += exp(-exponent) * cosh(0.25 * t);
	}
	return step * sum;
}

/* Distribution function of the limit of T. */
static double
cvm_limit(double x)
{
	const double term_min = 1e-7;
	const double pi = 3.14159265358979323846;
	double ratio = sqrt(pi); /* Gamma(k + 1/2) / Gamma(k + 1) */
	double sum = 0.0, term;
	uint32_t k = 0;

	do {
		double y = 4.0 * k + 1.0, q = y * y / (16.0 * x);

		/* Beyond q = 40 the term is below e^-80. */
		term = q > 40.0 ? 0.0 : ratio / (pi * sqrt(pi * x)) * sqrt(y) * bessel_term(q);
		sum += term;
		ratio *= (k + 0.5) / (k + 1.0);
		k++;
	} while (term >= term_min);
	return sum;
}

struct distance
distance_cvm(const double *ref, uint32_t n, const double *cur, uint32_t m)
{
	struct merge w = { .ref = ref, .cur = cur, .n = n, .m = m };
	double size = (double)n + m, product = (double)n * m, u = 0.0, t, mean, variance, x;
	struct distance out = { (double)NAN, (double)NAN };

	if (n == 0 || m == 0)
		return out;
	while (merge_next(&w)) {
		double ties = (double)w.ties_i + w.ties_j;
		double rank = (double)w.i + w.j - 0.5 * (ties - 1.0), d;

		for (uint32_t i = w.i - w.ties_i; i < w.i; i++) {
			d = rank - ((double)i + 1.0);
			u += n * d * d;
		}
		for (uint32_t j = w.j - w.ties_j; j < w.j; j++) {
			d = rank - ((double)j + 1.0);
			u += m * d * d;
		}
	}
	t = u / (product * size) - (4.0 * product - 1.0) / (6.0 * size);
	mean = (1.0 + 1.0 / size) / 6.0;
	variance = (size + 1.0)
	           * (4.0 * product * size - 3.0 * ((double)n * n + (double)m * m) - 2.0 * product)
	           / (45.0 * size * size * 4.0 * product);
	out = (struct distance){ t, 1.0 };
	if (variance <= 0.0) /* n = m = 1 */
		return out;
	x = 1.0 / 6.0 + (t - mean) / sqrt(45.0 * variance);
	if (x >= 0.003) /* below, the distribution function is under 1e-17 */
		out.p_value = fmin(1.0, fmax(0.0, 1.0 - cvm_limit(x)));
	return out;
}

/* Variance of A^2 for two samples (Scholz and Stephens 1987, eq. 4). */
static double
ad_variance(double n, double m)
{
	double size = n + m, sum = 1.0 / n + 1.0 / m, h = 1.0, g = 0.0, a, b, c, d;

	/* h = sum_{i=1}^{N-1} 1/i,  g = sum_{i<j<N} 1/((N-i) j), both run from i = N-1 down. */
	h = 0.0;
	for (double i = 2.0; i < size; i += 1.0) {
		h += 1.0 / (size + 1.0 - i);
		g += h / i;
	}
	h += 1.0;
	a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * sum;
	b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * sum - 8.0 * h + 4.0 * g
	    - 6.0;
	c = (6.0 * h + 2.0 * g - 2.0) * 4.0 + (4.0 * h - 4.0 * g + 6.0) * 2.0
	    + (2.0 * h - 6.0) * sum + 4.0 * h;
	d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
	return (((a * size + b) * size + c) * size + d)
	       / ((size - 1.0) * (size - 2.0) * (size - 3.0));
}

double
distance_ad(const double *ref, uint32_t n, const double *cur, uint32_t m)
{
	struct merge w = { .ref = ref, .cur = cur, .n = n, .m = m };
	double size = (double)n + m, a = 0.0;
	uint32_t distinct = 0;

	if (n == 0 || m == 0 || size <= 2.0)
		return (double)NAN;
	while (merge_next(&w)) {
		double ties = (double)w.ties_i + w.ties_j;
		double below = (double)w.i + w.j - 0.5 * ties;
		double share_i = size * (w.i - 0.5 * w.ties_i) - below * n;
		double share_j = size * (w.j - 0.5 * w.ties_j) - below * m;
		double weight = below * (size - below) - 0.25 * size * ties;

		distinct++;
		if (ties == size)
			break;
		a += ties / size * (share_i * share_i / n + share_j * share_j / m) / weight;
	}
	if (distinct < 2)
		return (double)NAN;
	if (size <= 3.0) /* the variance is unbounded */
		return 0.0;
	return (a * (size - 1.0) / size - 1.0) / sqrt(ad_variance(n, m));
}
