/* sr_normal.c -- Shiryaev-Roberts test of a normal law with known mean and sigma (contract 3).
 *
 *   H0: N(mu, sigma), z = (x - mu) / sigma
 *   L = exp(d z - d^2 / 2), 1e300 when the exponent is 700 or more;  R <- (g + R) L for each
 * shift d
 *   S = mean R; an alarm when S >= c keeps E[alarms] <= E[sum g] / c (contract 2).
 * Shiryaev 1963; Pollak 1985 (mixtures).
 * Cost: one exp a shift, about 60 ns a record with the ten default shifts.
 */
#include <math.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/effect.h"
#include "detectors/kit/known_null.h"
#include "detectors/registry.h"

struct sr_normal_options {
	double mu, sigma;
	struct option_list shifts;
};

struct sr_normal {
	struct known_null base;
	struct sr_normal_options options;
};

static const double exponent_max = 700.0, factor_max = 1e300, z_max = 1e300;

static const struct option options_table[] = {
	OPT_F64(struct sr_normal_options, mu, "mu", "0", -1e300, 1e300, "mean of the law"),
	OPT_F64(struct sr_normal_options, sigma, "sigma", "1", 1e-300, 1e300,
	        "standard deviation of the law"),
	OPTION_ROW(struct sr_normal_options, shifts, "shifts", OPTION_LIST, struct option_list,
	           "-2,-1,-.5,-.25,-.125,.125,.25,.5,1,2", -1e6, 1e6, NULL,
	           "shifts of the mean to bet on, in sigma"),
	OPT_END,
};

static void
fill(const struct known_null *base, const double *value, uint32_t rows, double *factor,
     double (*add)[LANES_SUMS])
{
	const struct sr_normal *self = (const struct sr_normal *)base;
	const struct option_list *shifts = &self->options.shifts;

	for (uint32_t i = 0; i < rows; i++) {
		double z = (value[i] - self->options.mu) / self->options.sigma;
		double *row = factor + (size_t)i * base->lanes.n;

		z = z < -z_max ? -z_max : z > z_max ? z_max : z;
		for (uint32_t k = 0; k < shifts->n; k++) {
			double d = shifts->value[k], exponent = d * z - d * d / 2.0;

			row[k] = exponent < exponent_max ? exp(exponent) : factor_max;
		}
		z = z < -EFFECT_VALUE_MAX ? -EFFECT_VALUE_MAX : z;
		add[i][0] = z > EFFECT_VALUE_MAX ? EFFECT_VALUE_MAX : z;
		add[i][1] = add[i][2] = 0.0;
	}
}

static size_t
sr_normal_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct sr_normal_options *o = options;

	(void)ref;
	return known_null_bytes(sizeof(struct sr_normal), o->shifts.n, phases, 0);
}

static int
sr_normal_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                 uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct sr_normal_options *o = options;
	struct sr_normal *self;

	(void)ref;
	(void)seed;
	(void)stream;
	self = known_null_create(sizeof *self, "sr-normal", fill, o->shifts.n, phases, NULL, 0);
	if (!self)
		return diag_set(d, ERR_IO, "sr-normal: out of memory");
	self->options = *o;
	*out = self;
	return 0;
}

static void
sr_normal_change(const void *instance, struct change *out)
{
	const struct sr_normal *self = instance;
	double since[LANES_SUMS], half;

	if (!detector_change_start(&self->base.lanes, since, out))
		return;
	out->up = self->options.shifts.value[out->cell] >= 0.0;
	out->cell = 0;
	half = 1.95996398454005423552 / sqrt((double)out->records);
	out->effect = since[0] / (double)out->records;
	out->low = out->effect - half;
	out->high = out->effect + half;
	out->old_value = self->options.mu;
	out->new_value = self->options.mu + self->options.sigma * out->effect;
}

const struct detector sr_normal_detector = {
	.name = "sr-normal",
	.summary = "the mean of a normal law whose mean and sigma are known",
	.source = "contract 3; Shiryaev 1963; Pollak 1985 (mixtures)",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_PHASES | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct sr_normal_options),
	.bytes = sr_normal_bytes,
	.create = sr_normal_create,
	.destroy = free,
	.update = known_null_update,
	.reset = known_null_reset,
	.skip = known_null_skip,
	.change = sr_normal_change,
	.save = known_null_save,
	.load = known_null_load,
	.use = known_null_use,
};
