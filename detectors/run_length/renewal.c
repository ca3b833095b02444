/* renewal.c -- see renewal.h. */
#include "detectors/run_length/renewal.h"

#include <math.h>

#include "detectors/kit/special.h"

static const double small_shift = 0.1, siegmund_half_excess = 0.58259716;

double
renewal_zeta(double shift)
{
	double d = fabs(shift), sum = 0, term = 1;

	/* zeta(d) = exp(-.583 d) + O(d^3) (Siegmund 1985, 10.38): here the sum would be long. */
	if (d < small_shift)
		return exp(-siegmund_half_excess * d);
	for (double n = 1; term > 1e-14 * sum; n++) {
		term = special_normal_cdf(-0.5 * d * sqrt(n)) / n;
		sum += term;
		if (sum <= 0)
			break; /* a shift so large that the first tail underflows */
	}
	return exp(-2 * sum) / (0.5 * d * d);
}

double
renewal_zeta_mixture(const double *shift, uint32_t shifts)
{
	double sum = 0;

	for (uint32_t i = 0; i < shifts; i++)
		sum += renewal_zeta(shift[i]);
	return sum / shifts;
}
