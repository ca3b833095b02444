/* sr_mean.c -- Shiryaev-Roberts test of the mean of a bounded value (contract 3).
 *
 *   H0: mean <= m of x in [0, 1] (clamped), given the past; side=down: the same on 1-x and 1-m
 *   L = 1 + b (x/m - 1);  R <- (g + R) L for each bet b;  S = mean R.
 *
 * L >= 1 - b >= 0 and E[L] <= 1 under H0, so an alarm when S >= c keeps E[alarms] <= E[sum g] / c
 * (contract 2). Betting on bounded means: Waudby-Smith and Ramdas 2024; e-detectors: Shin et al.
 * 2024. Cost: about 20 ns a record.
 */
#include <math.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/known_null.h"
#include "detectors/registry.h"

enum side { SIDE_UP, SIDE_DOWN };
static const char *const sides[] = { "up", "down", NULL };

struct sr_mean_options {
	double m;
	struct option_list bets;
	int side;
};

struct sr_mean {
	struct known_null base;
	struct sr_mean_options options;
};

static const struct option options_table[] = {
	OPT_F64(struct sr_mean_options, m, "m", NULL, 0, 1, "the mean that is still fine"),
	OPTION_ROW(struct sr_mean_options, bets, "bets", OPTION_LIST, struct option_list,
	           ".1,.25,.5", 0, 1, NULL, "shares of the capital that are staked"),
	OPTION_ROW(struct sr_mean_options, side, "side", OPTION_ENUM, int, "up", 0, 0, sides,
	           "which side of m is bad"),
	OPT_END,
};

static double
clamp(double x)
{
	return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}

static double
sr_mean_ranked(const void *options, double value)
{
	(void)options;
	return clamp(value);
}

static void
fill(const struct known_null *base, const double *value, uint32_t rows, double *factor,
     double (*add)[LANES_SUMS])
{
	const struct sr_mean_options *o = &((const struct sr_mean *)base)->options;
	bool down = o->side == SIDE_DOWN;
	double m = down ? 1.0 - o->m : o->m;

	for (uint32_t i = 0; i < rows; i++) {
		double x = clamp(value[i]), excess = (down ? 1.0 - x : x) / m - 1.0;
		double *row = factor + (size_t)i * base->lanes.n;

		for (uint32_t k = 0; k < o->bets.n; k++)
			row[k] = 1.0 + o->bets.value[k] * excess;
		add[i][0] = x;
		add[i][1] = x * x;
		add[i][2] = 0.0;
	}
}

static size_t
sr_mean_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct sr_mean_options *o = options;

	(void)ref;
	return known_null_bytes(sizeof(struct sr_mean), o->bets.n, phases, 0);
}

static int
sr_mean_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
               uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct sr_mean_options *o = options;
	struct sr_mean *self;

	(void)ref;
	(void)seed;
	(void)stream;
	if (!(o->m > 0.0 && o->m < 1.0))
		return diag_set(d, ERR_INVALID, "sr-mean: m must be above 0 and below 1");
	self = known_null_create(sizeof *self, "sr-mean", fill, o->bets.n, phases, NULL, 0);
	if (!self)
		return diag_set(d, ERR_IO, "sr-mean: out of memory");
	self->options = *o;
	*out = self;
	return 0;
}

static void
sr_mean_change(const void *instance, struct change *out)
{
	const struct sr_mean *self = instance;
	double since[LANES_SUMS], n, mean, half;

	if (!detector_change_start(&self->base.lanes, since, out))
		return;
	out->cell = 0;
	out->up = self->options.side == SIDE_UP;
	n = (double)out->records;
	mean = since[0] / n;
	half = 1.95996398454005423552 * sqrt(fmax(0.0, since[1] / n - mean * mean) / n);
	out->old_value = self->options.m;
	out->new_value = mean;
	out->effect = mean - self->options.m;
	out->low = out->effect - half;
	out->high = out->effect + half;
}

const struct detector sr_mean_detector = {
	.name = "sr-mean",
	.summary = "the mean of a value in [0, 1] above (or below) a stated bound",
	.source = "contract 3; Waudby-Smith, Ramdas 2024 (betting); Shin et al. 2024 (e-detectors)",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_PHASES | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct sr_mean_options),
	.ranked = sr_mean_ranked,
	.bytes = sr_mean_bytes,
	.create = sr_mean_create,
	.destroy = free,
	.update = known_null_update,
	.reset = known_null_reset,
	.skip = known_null_skip,
	.change = sr_mean_change,
	.save = known_null_save,
	.load = known_null_load,
	.use = known_null_use,
};
