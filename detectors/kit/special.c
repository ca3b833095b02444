/* special.c -- incomplete beta and gamma functions and their inverses.
 *
 * I_x(a, b) = x^a (1-x)^b / B(a, b) times the continued fraction of DiDonato and Morris (1992, TOMS
 * algorithm 708, equation 9: the even part of DLMF 8.17.22), on the side of the mean where it
 * converges in O(sqrt(max(a, b))) steps. Unlike the plain fraction it subtracts nothing that
 * nearly cancels. The factor in front is what loses digits at large a and b: there it is taken
 * about the mean x0 = a / (a+b), where the first-order terms cancel exactly (Loader 2000), with
 * Stirling's series for the gamma functions (DLMF 5.11.1).
 *
 * Quantiles: the unknown is the smaller of x and 1 - x, the equation that of the smaller tail, in
 * logarithms, where both are nearly straight: Newton steps kept inside a bracket.
 */
#include "detectors/kit/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

static const double ln_sqrt_2pi = 0.91893853320467274178;
/* From here on Stirling's series with eight terms is exact to 1e-17. */
static const double stirling_from = 12.0;
enum { FRACTION_STEPS_MAX = 200000, SOLVE_STEPS_MAX = 200 };

/* lgamma(a) - ((a - 1/2) ln a - a + ln sqrt(2 pi)), a >= stirling_from. */
static double
stirling_rest(double a)
{
	double t = 1.0 / (a * a);

	return (1.0 / 12 + t * (-1.0 / 360 + t * (1.0 / 1260 + t * (-1.0 / 1680 + t * (1.0 / 1188
	        + t * (-691.0 / 360360 + t * (1.0 / 156 + t * (-3617.0 / 122400)))))))) / a;
}

static double
ln_gamma(double a)
{
	int sign;

	return lgamma_r(a, &sign);
}

double
special_ln_gamma(double x)
{
	return x > 0.0 ? ln_gamma(x) : (double)NAN;
}

/* psi(x) = psi(x + 1) - 1/x up to where the asymptotic series is exact (DLMF 5.5.2, 5.11.2). */
double
special_digamma(double x)
{
	double shift = 0.0, t;

	if (!(x > 0.0))
		return (double)NAN;
	for (; x < stirling_from; x += 1.0)
		shift += 1.0 / x;
	t = 1.0 / (x * x);
	return log(x) - 0.5 / x - shift
	       - t * (1.0 / 12 - t * (1.0 / 120 - t * (1.0 / 252 - t * (1.0 / 240 - t * (1.0 / 132
	       - t * (691.0 / 32760 - t * (1.0 / 12)))))));
}

/* ln(1 + u) - u without cancellation. */
static double
log1p_less(double u)
{
	double r, s, term, sum = 0.0;

	if (fabs(u) > 0.3)
		return log1p(u) - u;
	/* ln(1+u) = 2 atanh(r), r = u / (2+u); 2r - u = -r u. */
	r = u / (2.0 + u);
	s = r * r;
	term = s;
	for (int k = 3; k < 60; k += 2) {
		double next = sum + term / k;

		if (next == sum)
			break;
		sum = next;
		term *= s;
	}
	return 2.0 * r * sum - r * u;
}

double
special_ln_beta(double a, double b)
{
	double p = fmin(a, b), q = fmax(a, b);

	if (isnan(a) || isnan(b))
		return (double)NAN;
	if (p >= stirling_from)
		return ln_sqrt_2pi + stirling_rest(p) + stirling_rest(q) - stirling_rest(p + q)
		       - 0.5 * log(q) - (p - 0.5) * log1p(q / p) - q * log1p(p / q);
	if (q >= stirling_from)
		return ln_gamma(p) + stirling_rest(q) - stirling_rest(p + q) + p - p * log(q)
		       - (p + q - 0.5) * log1p(p / q);
	return ln_gamma(p) + ln_gamma(q) - ln_gamma(p + q);
}

/* x^a y^b / B(a, b), y = 1 - x. Both are given, so that neither loses digits. */
static double
beta_front(double x, double y, double a, double b)
{
	if (a >= stirling_from && b >= stirling_from) {
		double x0 = a / (a + b), y0 = b / (a + b);
		double d = x <= y ? x - x0 : y0 - y;

		return sqrt(x0 * b) * exp(a * log1p_less(d / x0) + b * log1p_less(-d / y0)
		                          - ln_sqrt_2pi - stirling_rest(a) - stirling_rest(b)
		                          + stirling_rest(a + b));
	}
	return exp(a * (x < 0.5 ? log(x) : log1p(-y)) + b * (y < 0.5 ? log(y) : log1p(-x))
	           - special_ln_beta(a, b));
}

/* The continued fraction behind x^a y^b / B(a, b), 0 < x <= a / (a+b); away = a - (a+b) x >= 0 is
 * what no other operation can recover once it is lost. */
static double
beta_fraction(double x, double y, double a, double b, double away)
{
	double c = 1.0 + away, c1 = 1.0 + 1.0 / a, s = a + 1.0, p = 1.0;
	double an = 0.0, bn = 1.0, an1 = 1.0, bn1 = c / c1, r = c1 / c;

	for (int n = 1; n <= FRACTION_STEPS_MAX; n++) {
		double t = n / a, w = n * (b - n) * x, e = a / s;
		double alpha = p * (p + b / a) * e * e * (w * x);
		double beta = n + w / s + (1.0 + t) / (c1 + 2.0 * t) * (c + n * (1.0 + y));
		double an2 = alpha * an + beta * an1, bn2 = alpha * bn + beta * bn1;
		double next = an2 / bn2;
		bool done = fabs(next - r) <= DBL_EPSILON * next;

		r = next;
		if (done)
			break;
		p = 1.0 + t;
		s += 2.0;
		an = an1 / bn2;
		bn = bn1 / bn2;
		an1 = r;
		bn1 = 1.0;
	}
	return r;
}

/* The series of positive terms (DLMF 8.17.8) behind x^a y^b / B(a, b). */
static double
beta_series(double x, double a, double b)
{
	double term = 1.0 / a, sum = term;

	for (int n = 1; n <= FRACTION_STEPS_MAX && term > sum * DBL_EPSILON / 4; n++) {
		term *= (a + b + n - 1.0) / (a + n) * x;
		sum += term;
	}
	return sum;
}

/* Is x at most three standard deviations above the mean of a law with small a? There the fraction
 * subtracts, the series does not. */
static bool
series_fits(double x, double a, double b)
{
	return a < 30.0 && x < 0.7 && (a + b) * x <= a + 3.0 * sqrt(a) + 1.0;
}

/* Both tails of the beta law at x, y = 1 - x; the smaller one is accurate. */
static void
beta_tails(double x, double y, double a, double b, double *lower, double *upper)
{
	double front, away = a <= b ? a - (a + b) * x : (a + b) * y - b;

	if (x <= 0.0 || y <= 0.0) {
		*lower = x <= 0.0 ? 0.0 : 1.0;
		*upper = 1.0 - *lower;
		return;
	}
	front = beta_front(x, y, a, b);
	if (a <= b && series_fits(x, a, b)) {
		*lower = fmin(1.0, front * beta_series(x, a, b));
		*upper = 1.0 - *lower;
	} else if (b < a && series_fits(y, b, a)) {
		*upper = fmin(1.0, front * beta_series(y, b, a));
		*lower = 1.0 - *upper;
	} else if (away >= 0.0) {
		*lower = fmin(1.0, front * beta_fraction(x, y, a, b, away));
		*upper = 1.0 - *lower;
	} else {
		*upper = fmin(1.0, front * beta_fraction(y, x, b, a, -away));
		*lower = 1.0 - *upper;
	}
}

double
special_beta_cdf(double x, double a, double b)
{
	double lower, upper;

	if (isnan(x) || isnan(a) || isnan(b))
		return (double)NAN;
	beta_tails(x, 1.0 - x, a, b, &lower, &upper);
	return lower;
}

/* A law on (0, inf) or (0, 1): both tails at z, and z times its density. */
typedef void tails_fn(const double law[2], double z, double *lower, double *upper, double *slope);

/* The z in [low, high] whose lower tail is p and upper tail q = 1 - p. */
static double
solve(tails_fn *tails, const double law[2], double p, double q, double low, double high, double z)
{
	for (int i = 0; i < SOLVE_STEPS_MAX; i++) {
		double lower, upper, slope, next, excess;

		tails(law, z, &lower, &upper, &slope);
		/* excess > 0: z is too large; in logarithms of the smaller tail. */
		excess = p <= q ? log(lower / p) * lower : -log(upper / q) * upper;
		if (p <= q ? lower == p : upper == q)
			return z;
		if (p <= q ? lower > p : upper < q)
			high = z;
		else
			low = z;
		next = slope > 0 ? z * exp(-excess / slope) : 0; /* a slope that underflows: bisection */
		if (!(next > low && next < high))
			next = sqrt(low) * sqrt(high);
		if (fabs(next - z) <= 2.0 * DBL_EPSILON * z
		    || high - low <= 2.0 * DBL_EPSILON * high)
			return next;
		z = next;
	}
	return z;
}

static void
tails_beta(const double law[2], double z, double *lower, double *upper, double *slope)
{
	beta_tails(z, 1.0 - z, law[0], law[1], lower, upper);
	*slope = beta_front(z, 1.0 - z, law[0], law[1]) / (1.0 - z);
}

double
special_beta_quantile(double p, double a, double b)
{
	double lower, upper, law[2] = { a, b }, swapped[2] = { b, a };
	double mean = a / (a + b);

	if (isnan(p) || isnan(a) || isnan(b))
		return (double)NAN;
	if (a <= 0.0 || p <= 0.0)
		return 0.0;
	if (b <= 0.0 || p >= 1.0)
		return 1.0;
	beta_tails(0.5, 0.5, a, b, &lower, &upper);
	if (p <= 0.5 ? lower >= p : upper <= 1.0 - p)
		return solve(tails_beta, law, p, 1.0 - p, DBL_MIN, 0.5, fmin(mean, 0.5));
	return 1.0 - solve(tails_beta, swapped, 1.0 - p, p, DBL_MIN, 0.5, fmin(1.0 - mean, 0.5));
}

/* x^a e^-x / Gamma(a). */
static double
gamma_front(double a, double x)
{
	if (a >= stirling_from)
		return sqrt(a) * exp(a * log1p_less((x - a) / a) - ln_sqrt_2pi - stirling_rest(a));
	return exp(a * log(x) - x - ln_gamma(a));
}

static void
gamma_tails(double a, double x, double *lower, double *upper)
{
	const double tiny = 1e-300;

	if (x <= 0.0 || isinf(x)) {
		*lower = x <= 0.0 ? 0.0 : 1.0;
	} else if (x < a + 1.0) {
		double sum = 1.0 / a, term = sum;

		for (int n = 1; n <= FRACTION_STEPS_MAX && term > sum * DBL_EPSILON / 4; n++) {
			term *= x / (a + n);
			sum += term;
		}
		*lower = fmin(1.0, gamma_front(a, x) * sum);
	} else {
		double b = x + 1.0 - a, c = 1.0 / tiny, d = 1.0 / b, h = d;

		for (int n = 1; n <= FRACTION_STEPS_MAX; n++) {
			double an = -n * (n - a);

			b += 2.0;
			d = an * d + b;
			c = b + an / c;
			d = 1.0 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			h *= d * c;
			if (fabs(d * c - 1.0) < DBL_EPSILON)
				break;
		}
		*upper = fmin(1.0, gamma_front(a, x) * h);
		*lower = 1.0 - *upper;
		return;
	}
	*upper = 1.0 - *lower;
}

static void
tails_gamma(const double law[2], double z, double *lower, double *upper, double *slope)
{
	gamma_tails(law[0], z, lower, upper);
	*slope = gamma_front(law[0], z);
}

double
special_gamma_p(double a, double x)
{
	double lower, upper;

	if (isnan(a) || isnan(x))
		return (double)NAN;
	gamma_tails(a, x, &lower, &upper);
	return lower;
}

double
special_gamma_q(double a, double x)
{
	double lower, upper;

	if (isnan(a) || isnan(x))
		return (double)NAN;
	gamma_tails(a, x, &lower, &upper);
	return upper;
}

double
special_chi2_tail(double x, double df)
{
	return special_gamma_q(0.5 * df, 0.5 * x);
}

double
special_chi2_quantile(double p, double df)
{
	double law[2] = { 0.5 * df, 0.0 };

	if (isnan(p) || isnan(df))
		return (double)NAN;
	if (p <= 0.0)
		return 0.0;
	if (p >= 1.0)
		return HUGE_VAL;
	return 2.0 * solve(tails_gamma, law, p, 1.0 - p, DBL_MIN, 1e300, law[0]);
}

double
special_normal_cdf(double z)
{
	return 0.5 * erfc(-z * 0.70710678118654752440);
}

double
special_normal_quantile(double p)
{
	double tail, t, z;

	if (isnan(p))
		return (double)NAN;
	if (p <= 0.0 || p >= 1.0)
		return p <= 0.0 ? -HUGE_VAL : HUGE_VAL;
	if (p == 0.5)
		return 0.0;
	/* Abramowitz and Stegun 26.2.23, then Newton on the logarithm of the smaller tail. */
	tail = p < 0.5 ? p : 1.0 - p;
	t = sqrt(-2.0 * log(tail));
	z = t - (2.515517 + t * (0.802853 + t * 0.010328))
	        / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
	for (int i = 0; i < 6; i++) {
		double f = special_normal_cdf(-z);
		double step = log(f / tail) * f / exp(-0.5 * z * z - ln_sqrt_2pi);

		z += step;
		if (fabs(step) <= DBL_EPSILON * fabs(z))
			break;
	}
	return p < 0.5 ? -z : z;
}

double
special_t_quantile(double p, double nu)
{
	double q = special_beta_quantile(2.0 * (1.0 - p), 0.5 * nu, 0.5);

	return sqrt(nu * (1.0 - q) / q);
}
