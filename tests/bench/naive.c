/* naive.c -- see naive.h. The bets are those of `tolerant` on x - d, but ranks are taken in a fixed
 * reference as if its quantiles were the law's: no margin. */
#include "tests/bench/naive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"

enum { BETS = 4 };
static const double exponent[BETS] = { 1.1, 1.3, 2, 4 }, forgiven = 0.1;

struct naive {
	uint32_t n;
	uint64_t seed, stream, used;
	double r[BETS];
	double sorted[];
};

static const struct option naive_options[] = { OPT_END };

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static size_t
naive_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	(void)options;
	(void)phases;
	return sizeof(struct naive) + (ref ? ref->n : 0) * sizeof(double);
}

static int
naive_create(void **out, const void *options, const struct reference *ref, uint32_t phases, uint64_t seed,
             uint64_t stream, struct diag *d)
{
	struct naive *self = calloc(1, naive_bytes(options, ref, phases));

	*out = self;
	if (!self)
		return diag_set(d, ERR_IO, "naive: out of memory");
	self->n = ref->n;
	self->seed = seed;
	self->stream = stream;
	memcpy(self->sorted, ref->value, ref->n * sizeof *self->sorted);
	qsort(self->sorted, ref->n, sizeof *self->sorted, compare);
	return 0;
}

static double
larger(const struct naive *self, double x)
{
	uint32_t low = 0, high = self->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (self->sorted[middle] > x)
			high = middle;
		else
			low = middle + 1;
	}
	return self->n - low;
}

static uint32_t
naive_update(void *instance, const struct column *column, uint32_t from, double threshold,
             struct reading *out)
{
	struct naive *self = instance;

	for (uint32_t i = from; i < column->n; i++) {
		double u = rng_uniform(self->seed, self->stream, ++self->used), sum = 0;
		double p = (larger(self, column->value[i] - forgiven) + u) / (self->n + 1.0);
		double g = column->gain ? column->gain[i] : 1;

		for (int k = 0; k < BETS; k++) {
			self->r[k] = (g + self->r[k]) * exponent[k] * pow(1 - p, exponent[k] - 1);
			sum += self->r[k];
		}
		out[i] = (struct reading){ .statistic = sum / BETS, .alarm = sum / BETS >= threshold };
		if (out[i].alarm)
			return i + 1;
	}
	return column->n;
}

static void
naive_reset(void *instance)
{
	struct naive *self = instance;

	memset(self->r, 0, sizeof self->r);
}

static void
naive_skip(void *instance, uint64_t n)
{
	((struct naive *)instance)->used += n;
}

const struct detector naive_detector = {
	.name = "naive",
	.summary = "a rank bet that takes its reference for the law",
	.source = "none: it is wrong on purpose",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_NEEDS_REFERENCE | DETECTOR_THINS | DETECTOR_METERED,
	.options = naive_options,
	.bytes = naive_bytes,
	.create = naive_create,
	.destroy = free,
	.update = naive_update,
	.reset = naive_reset,
	.skip = naive_skip,
};
