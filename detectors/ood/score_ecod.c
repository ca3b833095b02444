/* score_ecod.c -- empirical cumulative outlier detection (Li et al. 2022), on a frozen reference.
 *
 *     sum over features of max(-ln F(x), -ln F'(x)),
 *     F = (#{v <= x} + 1) / (n + 1),  F' = (#{v >= x} + 1) / (n + 1)
 *
 * v are the n reference values, or `quantiles` of them when there are more. The tail that the paper
 * chooses by skewness is one of the two, so it never matters. Cost: a binary search a feature.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/ood/score.h"

struct ecod {
	uint32_t n, features; /* of the table */
	double *value;        /* [features][n] ascending */
	double *surprise;     /* [n + 1] -ln((k + 1) / (n + 1)) */
	double *tiles;        /* [SCORER_ROWS * features] */
	const struct tile_kernel *kernel;
};

static void
ecod_destroy(void *instance)
{
	struct ecod *self = instance;

	if (self == NULL)
		return;
	free(self->value);
	free(self->surprise);
	free(self->tiles);
	free(self);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
ecod_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t features,
            struct diag *d)
{
	struct ecod *self = calloc(1, sizeof *self);
	double *column = score_array(rows->n, 1);

	if (self == NULL || column == NULL)
		goto failed;
	self->n = rows->n < o->quantiles ? rows->n : o->quantiles;
	self->features = features;
	self->value = score_array(features, self->n);
	self->surprise = score_array((size_t)self->n + 1, 1);
	self->kernel = tile_kernel(o->isa);
	self->tiles = score_array(SCORER_ROWS, features);
	if (self->value == NULL || self->surprise == NULL || self->tiles == NULL)
		goto failed;
	for (uint32_t f = 0; f < features; f++) {
		double *to = self->value + (size_t)f * self->n;

		for (uint32_t r = 0; r < rows->n; r++)
			column[r] = rows->feature[(size_t)r * features + f];
		qsort(column, rows->n, sizeof *column, ascending);
		for (uint32_t i = 0; i < self->n; i++)
			to[i] = self->n == rows->n ? column[i]
			        : column[(2 * (uint64_t)i + 1) * rows->n / (2 * (uint64_t)self->n)];
	}
	for (uint32_t k = 0; k <= self->n; k++)
		self->surprise[k] = -log(((double)k + 1.0) / ((double)self->n + 1.0));
	free(column);
	*out = self;
	return 0;
failed:
	free(column);
	ecod_destroy(self);
	return score_no_memory(d);
}

/* Values at or below each number of a tile's row, side by side, so that their steps overlap; without
 * branches. */
static void
search(const double *value, uint32_t n, const double *x, uint32_t *found)
{
	uint32_t at[TILE_ROWS] = { 0 };

	while (n > 1) {
		uint32_t half = n / 2;

		for (int s = 0; s < TILE_ROWS; s++)
			at[s] += half & (0u - (uint32_t)(value[at[s] + half - 1] <= x[s]));
		n -= half;
	}
	for (int s = 0; s < TILE_ROWS; s++)
		found[s] = at[s] + (value[at[s]] <= x[s]);
}

/* Values below x among the first `up`, which are at or below it. */
static uint32_t
below(const double *value, uint32_t up, double x)
{
	uint32_t low = 0;

	/* ties are rare: most records need no other search */
	if (up == 0 || value[up - 1] < x)
		return up;
	while (low < up) {
		uint32_t middle = low + (up - low) / 2;

		if (value[middle] < x)
			low = middle + 1;
		else
			up = middle;
	}
	return low;
}

uint32_t
score_ecod_reason(const void *instance, const double *row)
{
	const struct ecod *self = instance;
	uint32_t reason = 0;
	double most = -1.0;

	for (uint32_t f = 0; f < self->features; f++) {
		const double *value = self->value + (size_t)f * self->n;
		uint32_t low = 0, high = self->n, up;
		double left, right;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (value[middle] <= row[f])
				low = middle + 1;
			else
				high = middle;
		}
		up = low;
		left = self->surprise[up];
		right = self->surprise[self->n - below(value, up, row[f])];
		if (fmax(left, right) > most) {
			most = fmax(left, right);
			reason = f;
		}
	}
	return reason;
}

/* Feature by feature, so that a table is in the cache for all rows. */
static void
ecod_run(void *instance, const struct score_rows *rows, double *out)
{
	const struct ecod *self = instance;
	uint32_t up[TILE_ROWS], width = self->features * TILE_ROWS;

	for (uint32_t r = 0; r < rows->n; r += TILE_ROWS)
		self->kernel->load(rows->feature + (size_t)r * self->features, self->features,
		                   rows->n - r < TILE_ROWS ? rows->n - r : TILE_ROWS, self->features,
		                   self->tiles + (size_t)(r / TILE_ROWS) * width);
	for (uint32_t r = 0; r < rows->n; r++)
		out[r] = 0.0;
	for (uint32_t f = 0; f < self->features; f++) {
		const double *value = self->value + (size_t)f * self->n;

		for (uint32_t from = 0; from < rows->n; from += TILE_ROWS) {
			const double *x = self->tiles + (size_t)(from / TILE_ROWS) * width + f * TILE_ROWS;

			search(value, self->n, x, up);
			for (uint32_t s = 0; s < TILE_ROWS && from + s < rows->n; s++) {
				double left = self->surprise[up[s]];
				double right = self->surprise[self->n - below(value, up[s], x[s])];

				out[from + s] += left > right ? left : right;
			}
		}
	}
}

static const struct option options_table[] = {
	OPT_U32(struct score_options, quantiles, "quantiles", "4096", 2, 1000000,
	        "reference values kept of a feature"),
	OPT_END,
};

const struct score ecod_score = {
	.name = "ecod",
	.summary = "how far out in its reference each feature is, summed",
	.source = "Li, Zhao, Hu, Botta, Ionescu, Chen 2022, eqs. 4-7",
	.flags = SCORE_FEATURES | SCORE_FITTED,
	.options = options_table,
	.create = ecod_create,
	.destroy = ecod_destroy,
	.run = ecod_run,
};
