/* uncertainty.c -- names, faults and notes; the forms that are told by a few lines: variances of
 * regression, Dirichlet and normal-inverse-gamma parameters, samples, quantiles. See uncertainty.h. */
#include "detectors/uncertainty/uncertainty.h"

#include <math.h>

#include "detectors/kit/special.h"
#include "detectors/uncertainty/uncertainty_inside.h"

const char *const uncertainty_names[UNCERTAINTY_FIGURES] = {
	[UNCERTAINTY_TOTAL] = "total",
	[UNCERTAINTY_EXPECTED] = "expected",
	[UNCERTAINTY_MI] = "mi",
	[UNCERTAINTY_MI_CORRECTED] = "mi_corrected",
	[UNCERTAINTY_RMI] = "rmi",
	[UNCERTAINTY_EPKL] = "epkl",
	[UNCERTAINTY_EPKL_CORRECTED] = "epkl_corrected",
	[UNCERTAINTY_VAR_TOTAL] = "var_total",
	[UNCERTAINTY_VAR_ALEATORIC] = "var_aleatoric",
	[UNCERTAINTY_VAR_EPISTEMIC] = "var_epistemic",
	[UNCERTAINTY_ZO_TOTAL] = "zo_total",
	[UNCERTAINTY_ZO_ALEATORIC] = "zo_aleatoric",
	[UNCERTAINTY_ZO_EPISTEMIC] = "zo_epistemic",
	[UNCERTAINTY_VARIATION_RATIO] = "variation_ratio",
	[UNCERTAINTY_DISAGREEMENT] = "disagreement",
	[UNCERTAINTY_VACUITY] = "vacuity",
	[UNCERTAINTY_DIFF_ENTROPY] = "diff_entropy",
};

const char *
uncertainty_fault_text(enum uncertainty_fault f)
{
	static const char *const text[UNCERTAINTY_FAULTS] = {
		[UNCERTAINTY_FINE] = "nothing is wrong",
		[UNCERTAINTY_EMPTY] = "there are no numbers in it",
		[UNCERTAINTY_PROB_NEGATIVE] = "a probability is below 0",
		[UNCERTAINTY_PROB_NOTHING] = "all probabilities of a member are 0",
		[UNCERTAINTY_VARIANCE_NEGATIVE] = "a variance is below 0",
		[UNCERTAINTY_CONCENTRATION] = "a concentration of the Dirichlet is not above 0",
		[UNCERTAINTY_NIG] = "nu, alpha and beta of a normal-inverse-gamma must be above 0",
		[UNCERTAINTY_LEVEL] = "the level of a quantile is not between 0 and 1",
		[UNCERTAINTY_PAIR] = "no two quantiles have levels q and 1 - q",
		[UNCERTAINTY_CROSSED] = "a lower quantile is above an upper one",
		[UNCERTAINTY_RANGE] = "the numbers are too large to be squared",
	};

	return text[f];
}

const char *
uncertainty_note_text(enum uncertainty_note n)
{
	static const char *const text[UNCERTAINTY_NOTES] = {
		[UNCERTAINTY_ONE] = "one member, draw or sample tells no spread: those columns are empty",
		[UNCERTAINTY_CLIPPED] = "probabilities below 1e-12 were raised to it",
		[UNCERTAINTY_INFINITE] = "a normal-inverse-gamma with alpha of 1 or less has no variance",
	};

	return text[n];
}

void
uncertainty_none(struct uncertainty *out)
{
	for (int i = 0; i < UNCERTAINTY_FIGURES; i++)
		out->value[i] = (double)NAN;
	out->sum_error = 0.0;
	out->notes = 0;
}

/* Variances that overflow are no figures. */
static enum uncertainty_fault
finish_variances(struct uncertainty *out)
{
	for (int i = UNCERTAINTY_VAR_TOTAL; i <= UNCERTAINTY_VAR_EPISTEMIC; i++)
		if (isinf(out->value[i])) {
			uncertainty_none(out);
			return UNCERTAINTY_RANGE;
		}
	return UNCERTAINTY_FINE;
}

static double
mean_of(const double *x, size_t n)
{
	double sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return sum / (double)n;
}

/* With n - 1; NaN for one. */
static double
variance_of(const double *x, size_t n)
{
	double mean = mean_of(x, n), sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return n > 1 ? sum / (double)(n - 1) : (double)NAN;
}

enum uncertainty_fault
uncertainty_normals(const double *mu, const double *variance, size_t members, struct uncertainty *out)
{
	double *v = out->value;

	uncertainty_none(out);
	if (members == 0)
		return UNCERTAINTY_EMPTY;
	for (size_t i = 0; variance && i < members; i++)
		if (variance[i] < 0.0)
			return UNCERTAINTY_VARIANCE_NEGATIVE;
	v[UNCERTAINTY_VAR_EPISTEMIC] = variance_of(mu, members);
	if (variance) {
		v[UNCERTAINTY_VAR_ALEATORIC] = mean_of(variance, members);
		v[UNCERTAINTY_VAR_TOTAL] = v[UNCERTAINTY_VAR_ALEATORIC] + v[UNCERTAINTY_VAR_EPISTEMIC];
	}
	out->notes = members == 1 ? 1u << UNCERTAINTY_ONE : 0;
	return finish_variances(out);
}

/* H of the mean; expected entropy sum m_c (psi(s+1) - psi(alpha_c+1)). */
enum uncertainty_fault
uncertainty_dirichlet(const double *alpha, size_t classes, struct uncertainty *out)
{
	double *v = out->value, s = 0.0, k = (double)classes, total = 0.0, expected = 0.0, spread = 0.0;
	double ln_beta = 0.0, entropy, psi;

	uncertainty_none(out);
	if (classes == 0)
		return UNCERTAINTY_EMPTY;
	for (size_t c = 0; c < classes; c++) {
		if (!(alpha[c] > 0.0))
			return UNCERTAINTY_CONCENTRATION;
		s += alpha[c];
	}
	if (!(s < 1e300))
		return UNCERTAINTY_RANGE;
	psi = special_digamma(s);
	entropy = (s - k) * psi;
	for (size_t c = 0; c < classes; c++) {
		double m = alpha[c] / s, psi_c = special_digamma(alpha[c]);

		total -= m > 0.0 ? m * log(m) : 0.0;
		/* psi(x + 1) = psi(x) + 1/x; m/alpha = 1/s cancels with its like in psi(s + 1) but once. */
		expected += m * (psi - psi_c);
		spread += m * (1.0 - m);
		ln_beta += special_ln_gamma(alpha[c]);
		entropy -= (alpha[c] - 1.0) * psi_c;
	}
	expected += (1.0 - k) / s;
	v[UNCERTAINTY_TOTAL] = total;
	v[UNCERTAINTY_EXPECTED] = expected;
	v[UNCERTAINTY_MI] = fmax(total - expected, 0.0);
	v[UNCERTAINTY_EPKL] = (k - 1.0) / s;
	v[UNCERTAINTY_RMI] = fmax(v[UNCERTAINTY_EPKL] - v[UNCERTAINTY_MI], 0.0);
	v[UNCERTAINTY_VAR_TOTAL] = spread;
	v[UNCERTAINTY_VAR_EPISTEMIC] = spread / (s + 1.0);
	v[UNCERTAINTY_VAR_ALEATORIC] = spread - v[UNCERTAINTY_VAR_EPISTEMIC];
	v[UNCERTAINTY_VACUITY] = k / s;
	v[UNCERTAINTY_DIFF_ENTROPY] = ln_beta - special_ln_gamma(s) + entropy;
	return UNCERTAINTY_FINE;
}

enum uncertainty_fault
uncertainty_nig(double nu, double alpha, double beta, struct uncertainty *out)
{
	double *v = out->value;

	uncertainty_none(out);
	if (!(nu > 0.0 && alpha > 0.0 && beta > 0.0))
		return UNCERTAINTY_NIG;
	if (alpha <= 1.0) {
		out->notes = 1u << UNCERTAINTY_INFINITE;
		return UNCERTAINTY_FINE;
	}
	v[UNCERTAINTY_VAR_ALEATORIC] = beta / (alpha - 1.0);
	v[UNCERTAINTY_VAR_EPISTEMIC] = beta / (nu * (alpha - 1.0));
	v[UNCERTAINTY_VAR_TOTAL] = v[UNCERTAINTY_VAR_ALEATORIC] + v[UNCERTAINTY_VAR_EPISTEMIC];
	return finish_variances(out);
}

/* The variance of the rows' means holds 1/inner of the noise, which is taken off. */
enum uncertainty_fault
uncertainty_nested(const double *row, size_t outer, size_t inner, struct uncertainty *out)
{
	double *v = out->value, mean = 0.0, within = 0.0, between = 0.0;

	uncertainty_none(out);
	if (outer == 0 || inner == 0)
		return UNCERTAINTY_EMPTY;
	if (outer == 1 || inner == 1)
		out->notes = 1u << UNCERTAINTY_ONE;
	if (inner == 1)
		return UNCERTAINTY_FINE;
	for (size_t i = 0; i < outer; i++) {
		mean += mean_of(row + i * inner, inner);
		within += variance_of(row + i * inner, inner);
	}
	mean /= (double)outer;
	for (size_t i = 0; i < outer; i++) {
		double off = mean_of(row + i * inner, inner) - mean;

		between += off * off;
	}
	v[UNCERTAINTY_VAR_ALEATORIC] = within / (double)outer;
	if (outer > 1) {
		between /= (double)(outer - 1);
		v[UNCERTAINTY_VAR_EPISTEMIC] = fmax(between - v[UNCERTAINTY_VAR_ALEATORIC] / (double)inner, 0.0);
		v[UNCERTAINTY_VAR_TOTAL] = v[UNCERTAINTY_VAR_ALEATORIC] + v[UNCERTAINTY_VAR_EPISTEMIC];
	}
	return finish_variances(out);
}

enum uncertainty_fault
uncertainty_samples(const double *x, size_t n, struct uncertainty *out)
{
	uncertainty_none(out);
	if (n == 0)
		return UNCERTAINTY_EMPTY;
	out->notes = n == 1 ? 1u << UNCERTAINTY_ONE : 0;
	out->value[UNCERTAINTY_VAR_TOTAL] = variance_of(x, n);
	return finish_variances(out);
}

/* Levels that were written in decimal: 0.05 belongs to 0.95 whatever 1 - 0.95 is in binary. */
static const double level_tolerance = 1e-9;

enum uncertainty_fault
uncertainty_quantiles(const double *level, const double *value, size_t n, struct uncertainty *out)
{
	double best = 0.5, width = (double)NAN, sd;

	uncertainty_none(out);
	if (n == 0)
		return UNCERTAINTY_EMPTY;
	for (size_t i = 0; i < n; i++)
		if (!(level[i] > 0.0 && level[i] < 1.0))
			return UNCERTAINTY_LEVEL;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n && level[i] < best - level_tolerance; j++)
			if (fabs(level[i] + level[j] - 1.0) <= level_tolerance) {
				best = level[i];
				width = value[j] - value[i];
			}
	if (isnan(width))
		return UNCERTAINTY_PAIR;
	if (width < 0.0)
		return UNCERTAINTY_CROSSED;
	sd = width / (2.0 * special_normal_quantile(1.0 - best));
	out->value[UNCERTAINTY_VAR_TOTAL] = sd * sd;
	return finish_variances(out);
}

enum uncertainty_fault
uncertainty_variance(double variance, struct uncertainty *out)
{
	uncertainty_none(out);
	if (variance < 0.0)
		return UNCERTAINTY_VARIANCE_NEGATIVE;
	out->value[UNCERTAINTY_VAR_TOTAL] = variance;
	return UNCERTAINTY_FINE;
}
