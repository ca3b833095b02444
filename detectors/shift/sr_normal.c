/* sr_normal.c -- Shiryaev-Roberts test of a normal law with known mean and sigma (contract 3).
 *
 *   H0: N(mu, sigma), z = (x - mu) / sigma
 *   L = exp(d z - d^2 / 2), 1e300 when the exponent is 700 or more;  R <- (g + R) L for each
 * shift d
 *   S = mean R; an alarm when S >= c keeps E[alarms] <= E[sum g] / c (contract 2).
 * Shiryaev 1963; Pollak 1985 (mixtures).
 * L below exp(-708) is taken as 0. Cost: one exp a shift, eight of them at once; about 30 ns a record with
 * the ten default shifts.
 */
#include <math.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/effect.h"
#include "detectors/kit/known_null.h"
#include "detectors/kit/vector_exp.h"
#include "detectors/registry.h"

struct sr_normal_options {
	double mu, sigma;
	struct option_list shifts;
};

struct sr_normal {
	struct known_null base;
	struct sr_normal_options options;
	enum isa isa;
	double *shift, *half; /* [lanes] d and d^2 / 2; of padding 0 and what makes L = 0 */
};

static const double exponent_max = 700.0, exponent_min = -708.0, factor_max = 1e300, z_max = 1e300;

static const struct option options_table[] = {
	OPT_F64(struct sr_normal_options, mu, "mu", "0", -1e300, 1e300, "mean of the law"),
	OPT_F64(struct sr_normal_options, sigma, "sigma", "1", 1e-300, 1e300,
	        "standard deviation of the law"),
	OPTION_ROW(struct sr_normal_options, shifts, "shifts", OPTION_LIST, struct option_list,
	           "-2,-1,-.5,-.25,-.125,.125,.25,.5,1,2", -1e6, 1e6, NULL,
	           "shifts of the mean to bet on, in sigma"),
	OPT_END,
};

/* factor[row][k] = L of bet k for z[row]; n, the bets with their padding, is a multiple of eight. */
typedef void factors_fn(const struct sr_normal *self, const double *z, uint32_t rows, double *factor);

#define SR_NORMAL_FACTORS(name, target, width)                                                     \
	target static void name(const struct sr_normal *self, const double *z, uint32_t rows, double *factor) \
	{                                                                                          \
		typedef double vec __attribute__((vector_size(8 * (width)), may_alias, aligned(8))); \
		typedef uint64_t bits __attribute__((vector_size(8 * (width)), may_alias, aligned(8))); \
		const vec most = (vec){ 0 } + factor_max;                                          \
		const uint32_t n = self->base.lanes.n;                                             \
                                                                                                   \
		for (uint32_t i = 0; i < rows; i++)                                                \
			for (uint32_t k = 0; k < n; k += (width)) {                                \
				vec x = *(const vec *)(self->shift + k) * z[i];                    \
				bits low, high;                                                    \
				vec y;                                                             \
                                                                                                   \
				x -= *(const vec *)(self->half + k);                               \
				low = (bits)(x < exponent_min);                                    \
				high = (bits)(x >= exponent_max);                                  \
				VECTOR_EXP(vec, bits, x, y);                                       \
				y = (vec)(((bits)y & ~(low | high)) | ((bits)most & high));        \
				*(vec *)(factor + (size_t)i * n + k) = y;                          \
			}                                                                          \
	}

SR_NORMAL_FACTORS(base_factors, , 2)
#if defined(__x86_64__)
SR_NORMAL_FACTORS(avx2_factors, __attribute__((target("avx2"))), 4)
SR_NORMAL_FACTORS(avx512_factors, __attribute__((target("avx512f"))), 8)
#endif

static void
fill(const struct known_null *base, const double *value, uint32_t rows, double *factor,
     double (*add)[LANES_SUMS])
{
	const struct sr_normal *self = (const struct sr_normal *)base;
	factors_fn *factors = base_factors;
	double z[LANES_BLOCK];

	for (uint32_t i = 0; i < rows; i++) {
		double away = (value[i] - self->options.mu) / self->options.sigma;

		z[i] = away < -z_max ? -z_max : away > z_max ? z_max : away;
		away = away < -EFFECT_VALUE_MAX ? -EFFECT_VALUE_MAX : away;
		add[i][0] = away > EFFECT_VALUE_MAX ? EFFECT_VALUE_MAX : away;
		add[i][1] = add[i][2] = 0.0;
	}
#if defined(__x86_64__)
	factors = self->isa == ISA_AVX512 ? avx512_factors : self->isa == ISA_AVX2 ? avx2_factors : factors;
#endif
	factors(self, z, rows, factor);
}

static bool
sr_normal_use(void *instance, enum isa isa)
{
	struct sr_normal *self = instance;

	if (!isa_choose(&isa) || !known_null_use(instance, isa))
		return false;
	self->isa = isa;
	return true;
}

static size_t
sr_normal_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct sr_normal_options *o = options;

	(void)ref;
	return known_null_bytes(sizeof(struct sr_normal), o->shifts.n, phases, 2);
}

static int
sr_normal_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                 uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct sr_normal_options *o = options;
	struct sr_normal *self;
	double *extra[2];

	(void)ref;
	(void)seed;
	(void)stream;
	self = known_null_create(sizeof *self, "sr-normal", fill, o->shifts.n, phases, extra, 2);
	if (!self)
		return diag_set(d, ERR_IO, "sr-normal: out of memory");
	self->options = *o;
	isa_choose(&self->isa);
	self->shift = extra[0];
	self->half = extra[1];
	for (uint32_t k = 0; k < self->base.lanes.n; k++) {
		self->shift[k] = k < o->shifts.n ? o->shifts.value[k] : 0.0;
		self->half[k] = k < o->shifts.n ? self->shift[k] * self->shift[k] / 2.0 : -2.0 * exponent_min;
	}
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
	.use = sr_normal_use,
};
