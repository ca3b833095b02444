/* special.h -- special functions and quantiles. Pure; NaN in, NaN out; no errno, no globals.
 * Relative accuracy about 1e-13 unless a function says otherwise. */
#ifndef DETECTORS_KIT_SPECIAL_H
#define DETECTORS_KIT_SPECIAL_H

double special_ln_beta(double a, double b);
/* ln of the gamma function and its derivative psi, x > 0. */
double special_ln_gamma(double x);
double special_digamma(double x);
/* Regularised incomplete beta I_x(a, b), a, b > 0, x in [0, 1]. */
double special_beta_cdf(double x, double a, double b);
/* The x with I_x(a, b) = p. The limits of the contract: 0 at a = 0, 1 at b = 0. */
double special_beta_quantile(double p, double a, double b);
/* Regularised incomplete gamma P(a, x) and Q = 1 - P. */
double special_gamma_p(double a, double x);
double special_gamma_q(double a, double x);
/* Upper tail of chi-square with df > 0 degrees of freedom. */
double special_chi2_tail(double x, double df);
double special_chi2_quantile(double p, double df);
double special_normal_cdf(double z);
double special_normal_quantile(double p);
/* Quantile of Student's t with nu degrees of freedom, p in (.5, 1):
 * sqrt(nu (1-q)/q), q = Beta quantile(2 (1-p); nu/2, 1/2). */
double special_t_quantile(double p, double nu);

#endif
