/* score_ew_maha.c -- Mahalanobis distance to a mean and covariance that forget; for streams without a
 * reference. A record is scored, then learnt:
 *
 *     y = x - mu,  score = y' S^-1 y,  mu += lambda y,  S <- (1 - lambda)(S + lambda y y')
 *
 * from mu = 0, S = I. The inverse P = S^-1 is kept (Sherman and Morrison 1950):
 * P <- (P - lambda P y y' P / (1 + lambda y'P y)) / (1 - lambda). Where a feature stops varying its P
 * grows without end; beyond PRECISION_MAX its row and column are scaled back, which keeps P positive
 * definite. Cost: d^2 multiplications, twice.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/ood/score.h"

static const double PRECISION_MAX = 1e15;

struct ew_maha {
	const struct tile_kernel *kernel;
	uint32_t d, stride;
	double lambda;
	double *mean, *y, *py; /* [stride] */
	double *precision;     /* [d * stride], symmetric, zeros beyond d */
};

static void
ew_maha_destroy(void *instance)
{
	struct ew_maha *self = instance;

	if (self == NULL)
		return;
	free(self->mean);
	free(self->precision);
	free(self);
}

static int
ew_maha_create(void **out, const struct score_options *o, const struct score_rows *fit, uint32_t d,
               struct diag *diag)
{
	struct ew_maha *self = calloc(1, sizeof *self);

	(void)fit;
	if (self == NULL)
		return score_no_memory(diag);
	self->kernel = tile_kernel(o->isa);
	self->d = d;
	self->lambda = o->lambda;
	self->stride = (d + TILE_STRIDE - 1) / TILE_STRIDE * TILE_STRIDE;
	self->mean = score_array(self->stride, 3);
	self->precision = score_array(d, self->stride);
	if (self->mean == NULL || self->precision == NULL) {
		ew_maha_destroy(self);
		return score_no_memory(diag);
	}
	self->y = self->mean + self->stride;
	self->py = self->y + self->stride;
	for (uint32_t i = 0; i < d; i++)
		self->precision[(size_t)i * self->stride + i] = 1.0;
	*out = self;
	return 0;
}

static void
scale_back(struct ew_maha *self, uint32_t i)
{
	double *p = self->precision;
	double f = sqrt(PRECISION_MAX / p[(size_t)i * self->stride + i]);

	for (uint32_t j = 0; j < self->d; j++) {
		p[(size_t)i * self->stride + j] *= f;
		p[(size_t)j * self->stride + i] *= f;
	}
}

static double
score_and_learn(struct ew_maha *self, const double *x)
{
	uint32_t d = self->d;
	double square = 0.0, root;

	for (uint32_t i = 0; i < d; i++)
		self->y[i] = x[i] - self->mean[i];
	self->kernel->symmetric(self->precision, d, self->stride, self->y, self->py);
	for (uint32_t i = 0; i < d; i++)
		square += self->py[i] * self->y[i];
	/* a value that overflows is told, and not learnt */
	if (!(fabs(square) < SCORE_FARTHEST))
		return SCORE_FARTHEST;
	root = sqrt(self->lambda / (1.0 + self->lambda * square) / (1.0 - self->lambda));
	for (uint32_t i = 0; i < d; i++)
		self->py[i] *= root;
	self->kernel->rank_one(self->precision, d, self->stride, 1.0 / (1.0 - self->lambda), self->py);
	for (uint32_t i = 0; i < d; i++)
		if (self->precision[(size_t)i * self->stride + i] > PRECISION_MAX)
			scale_back(self, i);
	for (uint32_t i = 0; i < d; i++)
		self->mean[i] += self->lambda * self->y[i];
	return square;
}

static void
ew_maha_run(void *instance, const struct score_rows *rows, double *out)
{
	struct ew_maha *self = instance;

	for (uint32_t r = 0; r < rows->n; r++)
		out[r] = score_and_learn(self, rows->feature + (size_t)r * self->d);
}

static const struct option options_table[] = {
	OPT_F64(struct score_options, lambda, "lambda", "0.001", 1e-9, 0.5, "share of a new record"),
	OPT_END,
};

const struct score ew_maha_score = {
	.name = "ew_maha",
	.summary = "Mahalanobis distance to a mean and covariance that forget",
	.source = "exponentially weighted covariance; Sherman, Morrison 1950",
	.flags = SCORE_FEATURES | SCORE_ADAPTIVE,
	.options = options_table,
	.create = ew_maha_create,
	.destroy = ew_maha_destroy,
	.run = ew_maha_run,
};
