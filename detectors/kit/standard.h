/* standard.h -- z = (x - mu)/sigma of the control charts (contract 8): mu and sigma are given, or
 * the mean and sd (n-1) of the reference, or 0 and 1; sigma is 1 where it would be 0 or undefined.
 * */
#ifndef DETECTORS_KIT_STANDARD_H
#define DETECTORS_KIT_STANDARD_H

#include "config/option.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/reference.h"

struct standard {
	double mu, sigma; /* NaN: not given */
};

/* The two rows of the option table of a struct S with the fields mu and sigma. */
#define STANDARD_OPTIONS(S)                                                                        \
	OPT_AUTO_F64(S, mu, "mu", "auto", -1e100, 1e100,                                           \
	             "mean; auto: of the reference, else 0"),                                      \
	OPT_AUTO_F64(S, sigma, "sigma", "auto", 1e-100, 1e100,                                     \
	             "standard deviation; auto: of the reference, else 1")

static inline struct standard
standard_of(double mu, double sigma, const struct reference *ref)
{
	struct standard s = { isnan(mu) ? 0.0 : mu, isnan(sigma) ? 1.0 : sigma };
	double mean = 0.0, squares = 0.0;

	if (!ref || ref->n == 0)
		return s;
	/* Welford: no cancellation, no overflow. */
	for (uint32_t i = 0; i < ref->n; i++) {
		double x = plain_cut(ref->value[i]), away = x - mean;

		mean += away / (i + 1.0);
		squares += away * (x - mean);
	}
	if (isnan(mu))
		s.mu = mean;
	if (isnan(sigma) && ref->n > 1 && squares > 0.0)
		s.sigma = sqrt(squares / (ref->n - 1.0));
	return s;
}

static inline double
standard_z(const struct standard *s, double x)
{
	return plain_cut((plain_cut(x) - s->mu) / s->sigma);
}

#endif
