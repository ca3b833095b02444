/* rank_correlation.c -- see rank_correlation.h. Allocates while it runs: it is asked once a reference. */
#include "detectors/kit/rank_correlation.h"

#include <math.h>
#include <stdlib.h>

#include "detectors/kit/sort.h"

/* rank[i] = mid-rank of value[i] less the mean rank; the sum of their squares. NaN: no memory. */
static double
centred_ranks(const double *value, uint32_t n, uint32_t *order, double *rank)
{
	double squares = 0.0;

	if (!sort_indices(value, n, order))
		return (double)NAN;
	for (uint32_t i = 0, end; i < n; i = end) {
		double mid;

		for (end = i + 1; end < n && value[order[end]] <= value[order[i]]; end++)
			;
		mid = 0.5 * ((double)i + (double)end - (double)n);
		for (uint32_t k = i; k < end; k++)
			rank[order[k]] = mid;
		squares += mid * mid * (double)(end - i);
	}
	return squares;
}

double
rank_correlation(const double *x, const double *y, uint32_t n)
{
	double *rank = calloc(2 * (size_t)n + 1, sizeof *rank), of_x, of_y, product = 0.0;
	uint32_t *order = calloc((size_t)n + 1, sizeof *order);
	double result = (double)NAN;

	if (rank && order && n > 1) {
		of_x = centred_ranks(x, n, order, rank);
		of_y = centred_ranks(y, n, order, rank + n);
		for (uint32_t i = 0; i < n; i++)
			product += rank[i] * rank[n + i];
		if (of_x > 0.0 && of_y > 0.0)
			result = product / sqrt(of_x * of_y);
	}
	free(rank);
	free(order);
	return result;
}
