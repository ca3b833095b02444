/* uncertainty.h -- how unsure is one prediction, and of which kind: the decomposition of what ensembles,
 * dropout, Bayesian and evidential networks, samplers and quantile regressions give with it.
 *
 * Each function reads one form of output and fills the figures that it determines; the others are NaN.
 * Nothing is invented: flat samples or quantiles tell the total alone. Entropies are in nats, variances
 * in squares of the unit of the value. Pure: no state; the result depends on the record alone.
 *
 * Classifier members p_m (M rows of C), q their mean, H entropy (Depeweg et al. 2018; Malinin, Gales 2021;
 * Schweighofer et al. 2025; variances by label: Sale et al. 2024):
 *   total = H(q)   expected = mean H(p_m)   mi = mean KL(p_m, q) = total - expected
 *   rmi = mean KL(q, p_m)   epkl = mi + rmi = mean of KL over all ordered pairs of members
 *   corrected: times M/(M-1), for the members are few
 *   var_total = sum q(1-q)   var_aleatoric = mean sum p(1-p)   var_epistemic = mean sum (p-q)^2
 *   zo_total = 1 - max q   zo_aleatoric = 1 - mean max p_m   zo_epistemic = their difference
 *   variation_ratio = 1 - votes of the mode / M   disagreement = share of unlike pairs of votes
 * Every probability is raised to 1e-12 and divided by the sum of its row first.
 */
#ifndef DETECTORS_UNCERTAINTY_UNCERTAINTY_H
#define DETECTORS_UNCERTAINTY_UNCERTAINTY_H

#include <stddef.h>
#include <stdint.h>

enum uncertainty_figure {
	UNCERTAINTY_TOTAL,
	UNCERTAINTY_EXPECTED,
	UNCERTAINTY_MI,
	UNCERTAINTY_MI_CORRECTED,
	UNCERTAINTY_RMI,
	UNCERTAINTY_EPKL,
	UNCERTAINTY_EPKL_CORRECTED,
	UNCERTAINTY_VAR_TOTAL,
	UNCERTAINTY_VAR_ALEATORIC,
	UNCERTAINTY_VAR_EPISTEMIC,
	UNCERTAINTY_ZO_TOTAL,
	UNCERTAINTY_ZO_ALEATORIC,
	UNCERTAINTY_ZO_EPISTEMIC,
	UNCERTAINTY_VARIATION_RATIO,
	UNCERTAINTY_DISAGREEMENT,
	UNCERTAINTY_VACUITY,
	UNCERTAINTY_DIFF_ENTROPY,
	UNCERTAINTY_FIGURES
};
extern const char *const uncertainty_names[UNCERTAINTY_FIGURES]; /* "total", "expected", ... */

/* Why a form cannot be read; nothing but NaN is written then. */
enum uncertainty_fault {
	UNCERTAINTY_FINE = 0,
	UNCERTAINTY_EMPTY,             /* no members, classes, samples, ... */
	UNCERTAINTY_PROB_NEGATIVE,
	UNCERTAINTY_PROB_NOTHING,      /* all probabilities of a row are zero */
	UNCERTAINTY_VARIANCE_NEGATIVE,
	UNCERTAINTY_CONCENTRATION,     /* an alpha of a Dirichlet is not above 0 */
	UNCERTAINTY_NIG,               /* nu, alpha or beta is not above 0 */
	UNCERTAINTY_LEVEL,             /* the level of a quantile is not between 0 and 1 */
	UNCERTAINTY_PAIR,              /* no two quantiles at levels q and 1 - q */
	UNCERTAINTY_CROSSED,           /* a lower quantile above an upper one */
	UNCERTAINTY_RANGE,             /* so large that squares overflow */
	UNCERTAINTY_FAULTS
};
const char *uncertainty_fault_text(enum uncertainty_fault f); /* a sentence without its full stop */

/* What is worth knowing about a form that could be read. */
enum uncertainty_note {
	UNCERTAINTY_ONE = 0,      /* one member, draw or sample: nothing is told about its spread */
	UNCERTAINTY_CLIPPED,      /* probabilities below 1e-12 were raised to it */
	UNCERTAINTY_INFINITE,     /* normal-inverse-gamma with alpha <= 1: the variance is infinite */
	UNCERTAINTY_NOTES
};
const char *uncertainty_note_text(enum uncertainty_note n);

struct uncertainty {
	double value[UNCERTAINTY_FIGURES]; /* NaN: the form does not determine it */
	double sum_error;  /* largest |sum - 1| of a row of probabilities as it came */
	uint32_t notes;    /* 1 << enum uncertainty_note */
};

/* Doubles that uncertainty_members() needs to work with; the memory may hold anything. */
size_t uncertainty_work(size_t members, size_t classes);
/* row[members][classes] of probabilities, or of logits, whose softmax is taken. All finite. */
enum uncertainty_fault uncertainty_members(const double *row, size_t members, size_t classes, int logits,
                                           double *work, struct uncertainty *out);
/* One row of them: total, var_total, zo_total. Works in uncertainty_work(1, classes). */
enum uncertainty_fault uncertainty_single(const double *row, size_t classes, int logits, double *work,
                                          struct uncertainty *out);
/* Means of regression members with their variances, by the law of total variance; variance NULL: the
 * members tell no noise, so var_epistemic alone. */
enum uncertainty_fault uncertainty_normals(const double *mu, const double *variance, size_t members,
                                           struct uncertainty *out);
/* Concentrations of a Dirichlet: prior networks, evidential classifiers (Malinin, Gales 2018; Sensoy,
 * Kaplan, Kandemir 2018). rmi = epkl - mi. */
enum uncertainty_fault uncertainty_dirichlet(const double *alpha, size_t classes, struct uncertainty *out);
/* Normal-inverse-gamma of evidential regression (Amini et al. 2020). */
enum uncertainty_fault uncertainty_nig(double nu, double alpha, double beta, struct uncertainty *out);
/* row[outer][inner]: `inner` outcomes drawn for each of `outer` draws of the parameters. */
enum uncertainty_fault uncertainty_nested(const double *row, size_t outer, size_t inner,
                                          struct uncertainty *out);
enum uncertainty_fault uncertainty_samples(const double *x, size_t n, struct uncertainty *out);
/* The widest pair at levels q and 1 - q, taken for that of a normal. */
enum uncertainty_fault uncertainty_quantiles(const double *level, const double *value, size_t n,
                                             struct uncertainty *out);
enum uncertainty_fault uncertainty_variance(double variance, struct uncertainty *out);

/* The instruction set of uncertainty_members(), for tests: every one gives the same bits. 0 best, 1 base,
 * 2 AVX2, 3 AVX-512; what the processor lacks becomes base. */
enum uncertainty_fault uncertainty_members_with(int isa, const double *row, size_t members, size_t classes,
                                                int logits, double *work, struct uncertainty *out);

#endif
