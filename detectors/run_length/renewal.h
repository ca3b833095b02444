/* renewal.h -- the renewal approximation of the run length of Shiryaev-Roberts tests. */
#ifndef DETECTORS_RUN_LENGTH_RENEWAL_H
#define DETECTORS_RUN_LENGTH_RENEWAL_H

#include <stdint.h>

/* zeta in (0, 1]: the limit of c / (mean records to a false alarm at threshold c) of the bet
 * L = exp(d z - d^2/2) on N(0, 1) values (Pollak 1987, Woodroofe 1982):
 * zeta = exp(-2 sum_{n>=1} Phi(-|d| sqrt(n) / 2) / n) / (d^2 / 2).  1 at d = 0. */
double renewal_zeta(double shift);
/* The same of the mean of the R of several bets: the mean of their zeta (Pollak 1987). */
double renewal_zeta_mixture(const double *shift, uint32_t shifts);

#endif
