/* jackknife.h -- how far off are figures that were made of a few members or samples?
 *
 * Monte Carlo error: a figure of M members is an estimate of what infinitely many would tell. Its standard
 * error by the jackknife, with theta_m the figure without member m (Efron, Stein 1981, equation 1.2):
 *   se^2 = (M - 1) / M  sum_m (theta_m - mean theta)^2
 * which is exact for means (expected, var_aleatoric) and on average not too small for the others. It costs M
 * decompositions, so it belongs to `driftd uncertainty`, not to a stream.
 *
 * For all members of one size together: s^2 of M normal members has the relative standard error
 * sqrt(2 / (M - 1)), which uncertainty_relative_error() tells. It is what to expect of the epistemic
 * figures of a single record; a mean over many records is off by far less.
 */
#ifndef DETECTORS_UNCERTAINTY_JACKKNIFE_H
#define DETECTORS_UNCERTAINTY_JACKKNIFE_H

#include <stddef.h>

#include "detectors/uncertainty/uncertainty.h"

/* What a record was made of. */
struct uncertainty_draws {
	enum uncertainty_drawn { DRAWN_PROBS, DRAWN_LOGITS, DRAWN_NORMALS, DRAWN_NESTED, DRAWN_SAMPLES } kind;
	const double *row;      /* [members][columns]; columns 1: means, samples */
	const double *variance; /* DRAWN_NORMALS: [members] or NULL */
	size_t members, columns;
};

/* Doubles that uncertainty_jackknife() needs to work with. */
size_t uncertainty_jackknife_work(const struct uncertainty_draws *d);
/* NaN: a figure that the draws do not determine, or fewer than three of them. */
void uncertainty_jackknife(const struct uncertainty_draws *d, double *work,
                           double error[UNCERTAINTY_FIGURES]);

/* Of the spread of so many members or samples; NaN below 2. */
double uncertainty_relative_error(size_t members);
/* With fewer members or samples than this the spread of one record is off by more than half of itself. */
enum { UNCERTAINTY_MEMBERS_ENOUGH = 9 };

#endif
