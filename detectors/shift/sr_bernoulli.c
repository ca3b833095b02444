/* sr_bernoulli.c -- Shiryaev-Roberts test of a rate against a stated bound (contract 3).
 *
 *   H0: mean <= p0 (side=down: >= p0) of x in {0, 1}, given the past.
 *   p1 = min(r p0, (1 + p0) / 2) upwards, r p0 downwards
 *   L = p1/p0 if x = 1, else (1-p1)/(1-p0);  R <- (g + R) L for each ratio r;  S = mean R.
 *
 * Each L has mean <= 1 under H0, so an alarm when S >= c keeps E[alarms] <= E[sum g] / c whatever
 * the dependence within H0 (contract 2). Shiryaev 1963, Roberts 1966; e-detectors: Shin, Ramdas,
 * Rinaldo 2024. Cost: about 15 ns a record.
 */
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/effect.h"
#include "detectors/kit/known_null.h"
#include "detectors/registry.h"

enum side { SIDE_UP, SIDE_DOWN };
static const char *const sides[] = { "up", "down", NULL };

struct sr_bernoulli_options {
	double p0;
	struct option_list ratios;
	int side;
};

struct sr_bernoulli {
	struct known_null base;
	double p0;
	bool up;
	double *factor[2]; /* [lanes] L at x = 0 and x = 1 */
};

static const struct option options_table[] = {
	OPT_F64(struct sr_bernoulli_options, p0, "p0", NULL, 0, 1, "the rate that is still fine"),
	OPTION_ROW(struct sr_bernoulli_options, ratios, "ratios", OPTION_LIST, struct option_list,
	           "0", 0, 1e12, NULL,
	           "rates to bet on, as multiples of p0; 0: 1.2,1.5,2,3,5 upwards, "
	           ".8,.5,.25 downwards"),
	OPTION_ROW(struct sr_bernoulli_options, side, "side", OPTION_ENUM, int, "up", 0, 0, sides,
	           "which side of p0 is bad"),
	OPT_END,
};

static struct option_list
ratios(const struct sr_bernoulli_options *o)
{
	if (o->ratios.n > 1 || o->ratios.value[0] > 0.0)
		return o->ratios;
	if (o->side == SIDE_DOWN)
		return (struct option_list){ 3, { .8, .5, .25 } };
	return (struct option_list){ 5, { 1.2, 1.5, 2, 3, 5 } };
}

static void
fill(const struct known_null *base, const double *value, uint32_t rows, double *factor,
     double (*add)[LANES_SUMS])
{
	const struct sr_bernoulli *self = (const struct sr_bernoulli *)base;
	uint32_t lanes = base->lanes.n;

	for (uint32_t i = 0; i < rows; i++) {
		bool one = value[i] > 0.5;

		memcpy(factor + (size_t)i * lanes, self->factor[one], lanes * sizeof(double));
		add[i][0] = one;
		add[i][1] = add[i][2] = 0.0;
	}
}

static size_t
sr_bernoulli_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	(void)ref;
	return known_null_bytes(sizeof(struct sr_bernoulli), ratios(options).n, phases, 2);
}

static int
sr_bernoulli_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                    uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct sr_bernoulli_options *o = options;
	struct option_list list = ratios(o);
	struct sr_bernoulli *self;
	double *factor[2], p0 = o->p0;
	bool up = o->side == SIDE_UP;

	(void)ref;
	(void)seed;
	(void)stream;
	if (!(p0 > 0.0 && p0 < 1.0))
		return diag_set(d, ERR_INVALID, "sr-bernoulli: p0 must be above 0 and below 1");
	for (uint32_t k = 0; k < list.n; k++)
		if (up ? list.value[k] <= 1.0 : list.value[k] >= 1.0 || list.value[k] <= 0.0)
			return diag_set(d, ERR_INVALID, "sr-bernoulli: ratios must be %s",
			                up ? "above 1 with side=up" : "in (0, 1) with side=down");
	self = known_null_create(sizeof *self, "sr-bernoulli", fill, list.n, phases, factor, 2);
	if (!self)
		return diag_set(d, ERR_IO, "sr-bernoulli: out of memory");
	self->base.lanes.bounded = p0 > 1 / LANES_FACTOR_MAX && 1 - p0 > 1 / LANES_FACTOR_MAX;
	self->p0 = p0;
	self->up = up;
	for (uint32_t k = 0; k < list.n; k++) {
		double p1 = list.value[k] * p0, most = (1.0 + p0) / 2.0;

		p1 = up && p1 > most ? most : p1;
		factor[0][k] = (1.0 - p1) / (1.0 - p0);
		factor[1][k] = p1 / p0;
	}
	memcpy(self->factor, factor, sizeof factor);
	*out = self;
	return 0;
}

static bool
sr_bernoulli_accepts(const void *options, double value)
{
	(void)options;
	return !(value < 0.0) && !(value > 1.0) && (value <= 0.0 || value >= 1.0);
}

static void
sr_bernoulli_change(const void *instance, struct change *out)
{
	const struct sr_bernoulli *self = instance;
	double since[LANES_SUMS];

	if (!detector_change_start(&self->base.lanes, since, out))
		return;
	out->cell = 0;
	out->up = self->up;
	effect_rate(since[0], self->p0, out);
}

const struct detector sr_bernoulli_detector = {
	.name = "sr-bernoulli",
	.summary = "a rate above (or below) a stated bound",
	.source = "contract 3; Shiryaev 1963, Roberts 1966; Shin et al. 2024 (e-detectors)",
	.kind = COLUMN_BINARY,
	.flags = DETECTOR_PHASES | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct sr_bernoulli_options),
	.bytes = sr_bernoulli_bytes,
	.create = sr_bernoulli_create,
	.destroy = free,
	.accepts = sr_bernoulli_accepts,
	.update = known_null_update,
	.reset = known_null_reset,
	.skip = known_null_skip,
	.change = sr_bernoulli_change,
	.save = known_null_save,
	.load = known_null_load,
	.use = known_null_use,
};
