/* ewma.c -- exponentially weighted moving average chart with known mean and sd (contract 8;
 * Roberts 1959, Lucas and Saccucci 1990).
 *
 *   z = (x - mu)/sigma;  Z <- (1 - lambda) Z + lambda z
 *   sd = sqrt(lambda/(2 - lambda)), exact limits: times sqrt(1 - (1 - lambda)^(2t))
 *   statistic |Z|/sd; alarm when it exceeds L
 *
 * lambda .1 and L 2.814: one false alarm in about 500 independent normal records. 4 ns a record.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/standard.h"
#include "detectors/registry.h"

enum { LIMITS_ASYMPTOTIC, LIMITS_EXACT };
static const char name[] = "ewma";

struct ewma_options {
	double lambda, l, mu, sigma;
	int limits;
};

struct ewma {
	struct ewma_options o;
	struct standard standard;
	double sd; /* asymptotic */
	/* state */
	double average, decay; /* Z, (1 - lambda)^(2t) */
};

static const char *const limits[] = { "asymptotic", "exact", NULL };

static const struct option options_table[] = {
	OPT_F64(struct ewma_options, lambda, "lambda", "0.1", 1e-9, 1.0,
	        "weight of the newest value"),
	OPT_F64(struct ewma_options, l, "L", "2.814", 0.0, 1e100,
	        "alarm above this many standard deviations"),
	OPT_ENUM(struct ewma_options, limits, "limits", "asymptotic", limits,
	         "standard deviation after many records (asymptotic), or of each (exact)"),
	STANDARD_OPTIONS(struct ewma_options),
	OPT_END,
};

static void
ewma_reset(void *instance)
{
	struct ewma *self = instance;

	self->average = 0.0;
	self->decay = 1.0;
}

static void
begin(struct ewma *self, const struct ewma_options *o, const struct reference *ref)
{
	self->o = *o;
	self->standard = standard_of(self->o.mu, self->o.sigma, ref);
	self->sd = sqrt(self->o.lambda / (2.0 - self->o.lambda));
	ewma_reset(self);
}

static void
step(void *instance, double x, double g, double threshold, struct reading *out)
{
	struct ewma *self = instance;
	double keep = 1.0 - self->o.lambda, sd = self->sd;

	(void)g;
	(void)threshold;
	self->average = keep * self->average + self->o.lambda * standard_z(&self->standard, x);
	self->decay *= keep * keep;
	if (self->o.limits == LIMITS_EXACT)
		sd *= sqrt(1.0 - self->decay);
	out->statistic = fabs(self->average) / sd;
	out->alarm = out->statistic > self->o.l;
}

PLAIN_DETECTOR(ewma)

static void
ewma_save(const void *instance, struct codec *out)
{
	const struct ewma *self = instance;

	codec_put_f64(out, self->average);
	codec_put_f64(out, self->decay);
}

static int
ewma_load(void *instance, struct codec *in, struct diag *d)
{
	struct ewma *self = instance;
	const double most = PLAIN_VALUE_MAX;

	self->average = codec_get_f64(in);
	self->decay = codec_get_f64(in);
	return plain_loaded(!in->bad && plain_between(self->average, -most, most)
	                            && plain_between(self->decay, 0.0, 1.0),
	                    name, d);
}

const struct detector ewma_detector = {
	.name = name,
	.summary = "a shift of a known mean, by a moving average",
	.source = "contract 8; Roberts 1959; Lucas and Saccucci 1990",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct ewma_options),
	.bytes = ewma_bytes,
	.create = ewma_create,
	.destroy = free,
	.update = ewma_update,
	.reset = ewma_reset,
	.skip = plain_skip,
	.save = ewma_save,
	.load = ewma_load,
};
