/* linear.c -- scatter, shrinkage and Cholesky (linear.h). All inner loops run along rows. */
#include "detectors/kit/linear.h"

#include <math.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/tile.h"

enum { BLOCK = 32 }; /* rows that stay in the cache while a row of the matrix is summed */

static void
mirror(double *s, uint32_t d)
{
	for (uint32_t i = 1; i < d; i++)
		for (uint32_t j = 0; j < i; j++)
			s[(size_t)i * d + j] = s[(size_t)j * d + i];
}

void
linear_scatter(const double *z, uint32_t n, uint32_t d, double *s)
{
	const struct tile_kernel *kernel = tile_kernel(TILE_BEST);

	memset(s, 0, (size_t)d * d * sizeof *s);
	for (uint32_t from = 0; from < n; from += BLOCK)
		for (uint32_t i = 0; i < d; i++)
			for (uint32_t r = from; r < n && r < from + BLOCK; r++) {
				const double *row = z + (size_t)r * d;

				kernel->axpy(s + (size_t)i * d + i, row[i], row + i, d - i);
			}
	for (size_t i = 0; i < (size_t)d * d; i++)
		s[i] /= (double)n;
	mirror(s, d);
}

static double
mean_of_diagonal(const double *s, uint32_t d)
{
	double sum = 0.0;

	for (uint32_t i = 0; i < d; i++)
		sum += s[(size_t)i * d + i];
	return sum / (double)d;
}

/* beta = (1 / (n d)) sum_ij (mean of z_i^2 z_j^2 - s_ij^2), where the sum of the first term is the mean of
 * |z|^4; delta = (1 / d) sum_ij (s - mu I)_ij^2. */
double
linear_ledoit_wolf(const double *z, uint32_t n, uint32_t d, double *s)
{
	double mu = mean_of_diagonal(s, d), fourth = 0.0, squares = 0.0, delta = 0.0, beta, w;

	for (uint32_t r = 0; r < n; r++) {
		double square = 0.0;

		for (uint32_t i = 0; i < d; i++)
			square += z[(size_t)r * d + i] * z[(size_t)r * d + i];
		fourth += square * square;
	}
	for (uint32_t i = 0; i < d; i++)
		for (uint32_t j = 0; j < d; j++) {
			double v = s[(size_t)i * d + j], off = i == j ? v - mu : v;

			squares += v * v;
			delta += off * off;
		}
	beta = (fourth / (double)n - squares) / ((double)n * (double)d);
	delta /= (double)d;
	beta = beta < delta ? beta : delta;
	w = beta > 0.0 ? beta / delta : 0.0;
	for (size_t i = 0; i < (size_t)d * d; i++)
		s[i] *= 1.0 - w;
	for (uint32_t i = 0; i < d; i++)
		s[(size_t)i * d + i] += w * mu;
	return w;
}

void
linear_ridge(double *s, uint32_t d, double share)
{
	double mu = mean_of_diagonal(s, d);

	for (uint32_t i = 0; i < d; i++)
		s[(size_t)i * d + i] += share * mu;
}

/* s = R'R with R upper: row k of R is final once the rows before it are taken off. */
static int
cholesky(double *s, uint32_t d, struct diag *diag)
{
	const struct tile_kernel *kernel = tile_kernel(TILE_BEST);
	double least = mean_of_diagonal(s, d) * (double)d * 0x1p-52;

	for (uint32_t k = 0; k < d; k++) {
		double *row = s + (size_t)k * d, pivot = row[k];

		if (!(pivot > least))
			return diag_set(diag, ERR_INVALID,
			                "the covariance is singular: its rows lie in fewer than %u of "
			                "%u directions", k + 1, d);
		pivot = sqrt(pivot);
		for (uint32_t j = k; j < d; j++)
			row[j] /= pivot;
		for (uint32_t i = k + 1; i < d; i++)
			kernel->axpy(s + (size_t)i * d + i, -row[i], row + i, d - i);
	}
	return 0;
}

int
linear_whiten(double *s, uint32_t d, double *out, struct diag *diag)
{
	const struct tile_kernel *kernel = tile_kernel(TILE_BEST);
	int err = cholesky(s, d, diag);

	if (err != 0)
		return err;
	/* out R' = I, row by row of out: row i = (e_i - sum_k<i R_ki out_k) / R_ii */
	memset(out, 0, (size_t)d * d * sizeof *out);
	for (uint32_t i = 0; i < d; i++) {
		double *row = out + (size_t)i * d, pivot = s[(size_t)i * d + i];

		for (uint32_t k = 0; k < i; k++)
			kernel->axpy(row, -s[(size_t)k * d + i], out + (size_t)k * d, k + 1);
		row[i] = 1.0;
		for (uint32_t j = 0; j <= i; j++)
			row[j] /= pivot;
	}
	return 0;
}
