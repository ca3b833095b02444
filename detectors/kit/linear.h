/* linear.h -- dense linear algebra of the fits: covariance, Cholesky, eigenvectors.
 *
 * Matrices are row by row, square ones [d * d]. Sums run in one fixed order, so that a fit is a
 * function of its rows. Not for the path of a record.
 */
#ifndef DETECTORS_KIT_LINEAR_H
#define DETECTORS_KIT_LINEAR_H

#include <stdint.h>

struct diag;

/* S0 = Z'Z / n of rows that are centred already, both triangles. */
void linear_scatter(const double *z, uint32_t n, uint32_t d, double *s);
/* Ledoit and Wolf 2004 (as scikit-learn with assume_centered): s becomes (1 - w) s + w mu I, where
 * s = linear_scatter(z). Returns w. */
double linear_ledoit_wolf(const double *z, uint32_t n, uint32_t d, double *s);
/* s + share mu I, mu the mean of the diagonal. */
void linear_ridge(double *s, uint32_t d, double share);
/* s (both triangles, destroyed) -> the inverse of its lower Cholesky factor, zeros above the diagonal:
 * x' s^-1 x = |out x|^2. ERR_INVALID when s is not positive definite. */
int linear_whiten(double *s, uint32_t d, double *out, struct diag *diag);
/* Eigenvalues in ascending order and, row by row, their unit eigenvectors; s is destroyed. `work`: [d].
 * ERR_INVALID when the iteration does not end (not seen on finite input). */
int linear_eigen(double *s, uint32_t d, double *value, double *vector, double *work, struct diag *diag);

#endif
