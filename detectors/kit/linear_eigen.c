/* linear_eigen.c -- symmetric eigenvectors: Householder to tridiagonal form, then QL with implicit shifts
 * (Golub and Van Loan, 8.3; Wilkinson's shift). Vectors are kept as rows, so that a rotation runs along
 * memory. Cost: about 4 d^3.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/linear.h"
#include "detectors/kit/tile.h"

enum { SWEEPS_MAX = 64 };

static double
dot(const double *a, const double *b, uint32_t n)
{
	double sum = 0.0;

	for (uint32_t i = 0; i < n; i++)
		sum = fma(a[i], b[i], sum);
	return sum;
}

/* Column k below the diagonal becomes (beta, 0, ...): s <- H s H with H = I - tau v v'. v is left in row
 * k, behind the diagonal. Returns tau. `p`: [d]. */
static double
reflect(const struct tile_kernel *kernel, double *s, uint32_t d, uint32_t k, double *beta, double *p)
{
	double *v = s + (size_t)k * d + k + 1;
	uint32_t n = d - k - 1;
	double norm = sqrt(dot(v, v, n)), tau, half;

	*beta = v[0];
	if (n < 2 || !(norm > fabs(v[0])))
		return 0.0;
	*beta = v[0] > 0.0 ? -norm : norm;
	tau = (*beta - v[0]) / *beta;
	half = v[0] - *beta;
	for (uint32_t i = 1; i < n; i++)
		v[i] /= half;
	v[0] = 1.0;
	/* p = tau S v, q = p - (tau p'v / 2) v, S <- S - v q' - q v' */
	memset(p, 0, n * sizeof *p);
	for (uint32_t i = 0; i < n; i++)
		kernel->axpy(p, tau * v[i], s + (size_t)(k + 1 + i) * d + k + 1, n);
	kernel->axpy(p, -0.5 * tau * dot(p, v, n), v, n);
	for (uint32_t i = 0; i < n; i++) {
		double *row = s + (size_t)(k + 1 + i) * d + k + 1;

		kernel->axpy(row, -v[i], p, n);
		kernel->axpy(row, -p[i], v, n);
	}
	return tau;
}

/* diagonal and off-diagonal of the tridiagonal T = Q'sQ; rows of `vector` = Q'. */
static void
tridiagonal(const struct tile_kernel *kernel, double *s, uint32_t d, double *diagonal, double *off,
            double *vector)
{
	double *p = vector; /* room until the vectors are built */

	for (uint32_t k = 0; k < d; k++) {
		double beta = 0.0;

		diagonal[k] = s[(size_t)k * d + k];
		if (k + 1 < d) {
			double tau = reflect(kernel, s, d, k, &beta, p);

			/* below the diagonal nothing is read any more */
			s[(size_t)(k + 1) * d + k] = tau;
		}
		off[k] = beta;
	}
	memset(vector, 0, (size_t)d * d * sizeof *vector);
	for (uint32_t i = 0; i < d; i++)
		vector[(size_t)i * d + i] = 1.0;
	/* Q = H_0 H_1 ..., so Q' = ... H_1 H_0: from the last one, on the rows that it has filled */
	for (uint32_t k = d < 2 ? 0 : d - 1; k-- > 0;) {
		const double *v = s + (size_t)k * d + k + 1;
		double tau = s[(size_t)(k + 1) * d + k];
		uint32_t n = d - k - 1;

		for (uint32_t i = k + 1; i < d && tau > 0.0; i++) {
			double *row = vector + (size_t)i * d + k + 1;

			kernel->axpy(row, -tau * dot(row, v, n), v, n);
		}
	}
}

/* One QL step on rows low..high of T (Wilkinson's shift). */
static void
step(const struct tile_kernel *kernel, double *diagonal, double *off, double *vector, uint32_t d,
     uint32_t low, uint32_t high)
{
	double g = (diagonal[low + 1] - diagonal[low]) / (2.0 * off[low]), r = hypot(g, 1.0);
	double s = 1.0, c = 1.0, p = 0.0;

	g = diagonal[high] - diagonal[low] + off[low] / (g + (g < 0.0 ? -r : r));
	for (uint32_t i = high; i-- > low;) {
		double f = s * off[i], b = c * off[i];

		r = hypot(f, g);
		off[i + 1] = r;
		if (!(r > 0.0)) { /* T falls apart here */
			diagonal[i + 1] -= p;
			off[high] = 0.0;
			return;
		}
		s = f / r;
		c = g / r;
		g = diagonal[i + 1] - p;
		r = (diagonal[i] - g) * s + 2.0 * c * b;
		p = s * r;
		diagonal[i + 1] = g + p;
		g = c * r - b;
		kernel->rotate(vector + (size_t)i * d, vector + (size_t)(i + 1) * d, c, s, d);
	}
	diagonal[low] -= p;
	off[low] = g;
	off[high] = 0.0;
}

static void
sort(double *value, double *vector, uint32_t d)
{
	for (uint32_t i = 0; i + 1 < d; i++) {
		uint32_t least = i;
		double *a, *b;

		for (uint32_t j = i + 1; j < d; j++)
			if (value[j] < value[least])
				least = j;
		if (least == i)
			continue;
		a = vector + (size_t)i * d;
		b = vector + (size_t)least * d;
		for (uint32_t j = 0; j < d; j++) {
			double t = a[j];

			a[j] = b[j];
			b[j] = t;
		}
		double t = value[i];

		value[i] = value[least];
		value[least] = t;
	}
}

int
linear_eigen(double *s, uint32_t d, double *value, double *vector, double *work, struct diag *diag)
{
	const struct tile_kernel *kernel = tile_kernel(TILE_BEST);
	double *off = work, least = 0.0;

	tridiagonal(kernel, s, d, value, off, vector);
	/* what is lost in rounding against the largest: small eigenvalues may all be rounding */
	for (uint32_t i = 0; i < d; i++)
		least = fmax(least, DBL_EPSILON * (fabs(value[i]) + fabs(off[i])));
	for (uint32_t low = 0; low < d; low++)
		for (int sweep = 0;; sweep++) {
			uint32_t high = low;

			while (high + 1 < d && fabs(off[high]) > least)
				high++;
			if (high == low)
				break;
			if (sweep == SWEEPS_MAX)
				return diag_set(diag, ERR_INVALID,
				                "the eigenvectors of the covariance do not converge");
			step(kernel, value, off, vector, d, low, high);
		}
	sort(value, vector, d);
	return 0;
}
