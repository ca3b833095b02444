/* e2.c -- do scores exceed their calibration quantiles too often? (contract 9) A fixed reference of
 * n scores, so bets depend on the record alone and dependent records can take turns (contract 11a).
 *
 *   for each level a: m = min(n-1, floor(a n + .5)), tau = the (m+1)-th largest score,
 *   pi = Beta quantile(1 - delta/#levels; m+1, n-m): an exceedance rate that the truth is below
 *   with probability 1 - delta; for each r: q = min(r pi, (1+pi)/2), L = q/pi if x > tau, else
 *   (1-q)/(1-pi) form=sr     R <- (g + R) L, S = mean R       form=ville  ln of the mean product,
 *   one alarm
 *
 * Split-conformal calibration (Vovk 2012) with step bets. Cost: 28 lanes a record.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/edges.h"
#include "detectors/kit/known_null.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/sort.h"
#include "detectors/kit/special.h"
#include "detectors/registry.h"

enum { FORM_SR, FORM_VILLE };
enum { RATIOS = 7 };
static const char name[] = "e2";
static const double ratios[RATIOS] = { 1.15, 1.3, 1.6, 2, 3, 5, 10 };

struct e2_options {
	struct option_list levels;
	double delta;
	int form;
};

struct level {
	double tau, pi;
};

struct e2 {
	struct known_null base;
	struct e2_options o;
	struct level level[OPTION_LIST_MAX];
	uint32_t bets;
	double *hit, *miss; /* [bets] factors */
	double mean;        /* of the reference */
	/* state, ville */
	double *product;    /* [bets] logarithms */
	bool alarmed;
};

static const char *const forms[] = { "sr", "ville", NULL };

static const struct option options_table[] = {
	OPT_LIST(struct e2_options, levels, "levels", ".10,.05,.02,.01", 1e-9, 1.0,
	         "shares of the reference above the thresholds"),
	OPT_F64(struct e2_options, delta, "delta", "0.005", 1e-12, 0.5,
	        "probability that the reference promises too little"),
	OPT_ENUM(struct e2_options, form, "form", "sr", forms,
	         "sr: alarms again and again; ville: once"),
	OPT_END,
};

static void
fill(const struct known_null *base, const double *value, uint32_t rows, double *factor,
     double (*add)[LANES_SUMS])
{
	const struct e2 *self = (const struct e2 *)base;

	for (uint32_t i = 0; i < rows; i++) {
		double *row = factor + (size_t)i * base->lanes.n;

		for (uint32_t k = 0; k < self->bets; k++)
			row[k] = value[i] > self->level[k / RATIOS].tau ? self->hit[k]
			                                                 : self->miss[k];
		add[i][0] = value[i] > self->level[0].tau ? 1.0 : 0.0;
		add[i][1] = plain_cut(value[i]);
		add[i][2] = 0.0;
	}
}

static size_t
e2_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct e2_options *o = options;

	(void)ref;
	return known_null_bytes(sizeof(struct e2), o->levels.n * RATIOS, phases, 3);
}

static void
place_bets(struct e2 *self, const double *sorted, uint32_t n)
{
	const struct option_list *levels = &self->o.levels;

	for (uint32_t k = 0; k < levels->n; k++) {
		double m = fmin(n - 1.0, floor(levels->value[k] * n + 0.5)), pi;
		struct level *level = &self->level[k];

		level->tau = sorted[n - 1 - (uint32_t)m];
		pi = special_beta_quantile(1.0 - self->o.delta / levels->n, m + 1.0, n - m);
		level->pi = pi;
		for (uint32_t r = 0; r < RATIOS; r++) {
			double q = fmin(ratios[r] * pi, (1.0 + pi) / 2.0);

			self->hit[k * RATIOS + r] = q / pi;
			self->miss[k * RATIOS + r] = pi < 1.0 ? (1.0 - q) / (1.0 - pi) : 1.0;
		}
	}
}

static int
e2_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
          uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct e2_options *o = options;
	uint32_t bets = o->levels.n * RATIOS;
	double *extra[3], *sorted;
	struct e2 *self;

	(void)seed;
	(void)stream;
	if (ref->n < 2)
		return diag_set(d, ERR_INVALID, "e2: the reference has fewer than 2 values");
	self = known_null_create(sizeof *self, name, fill, bets, phases, extra, 3);
	sorted = malloc(ref->n * sizeof *sorted);
	if (!self || !sorted) {
		free(self);
		free(sorted);
		return diag_set(d, ERR_IO, "e2: out of memory");
	}
	self->o = *o;
	self->bets = bets;
	self->hit = extra[0];
	self->miss = extra[1];
	self->product = extra[2];
	for (uint32_t i = 0; i < ref->n; i++) {
		sorted[i] = ref->value[i];
		self->mean += (plain_cut(ref->value[i]) - self->mean) / (i + 1.0);
	}
	sort_doubles(sorted, ref->n);
	place_bets(self, sorted, ref->n);
	free(sorted);
	*out = self;
	return 0;
}

static void
bet_ville(void *instance, double x, double g, double threshold, struct reading *out)
{
	struct e2 *self = instance;
	double largest = -HUGE_VAL, sum = 0.0;

	(void)g;
	self->base.n++;
	for (uint32_t k = 0; k < self->bets; k++) {
		self->product[k] += log(x > self->level[k / RATIOS].tau ? self->hit[k]
		                                                         : self->miss[k]);
		largest = fmax(largest, self->product[k]);
	}
	for (uint32_t k = 0; k < self->bets; k++)
		sum += exp(self->product[k] - largest);
	out->statistic = largest + log(sum / self->bets);
	out->alarm = !self->alarmed && out->statistic >= log(threshold);
	self->alarmed = self->alarmed || out->alarm;
}

static uint32_t
e2_update(void *instance, const struct column *column, uint32_t from, double threshold,
          struct reading *out)
{
	const struct e2 *self = instance;

	if (self->o.form == FORM_VILLE)
		return plain_update(instance, column, from, threshold, out, bet_ville);
	return known_null_update(instance, column, from, threshold, out);
}

static void
e2_reset(void *instance)
{
	const struct e2 *self = instance;

	if (self->o.form == FORM_SR)
		known_null_reset(instance);
}

static void
e2_change(const void *instance, struct change *out)
{
	const struct e2 *self = instance;
	double since[LANES_SUMS], n, rate, half;

	if (!detector_change_start(&self->base.lanes, since, out))
		return;
	out->cell = 0;
	out->up = true;
	n = (double)out->records;
	rate = since[0] / n;
	half = 1.95996398454005423552 * sqrt(rate * (1.0 - rate) / n);
	out->effect = rate - self->o.levels.value[0];
	out->low = out->effect - half;
	out->high = out->effect + half;
	out->old_value = self->mean;
	out->new_value = since[1] / n;
}

static void
e2_save(const void *instance, struct codec *out)
{
	const struct e2 *self = instance;

	known_null_save(instance, out);
	codec_put_f64s(out, self->product, self->bets);
	codec_put_u8(out, self->alarmed);
}

static int
e2_load(void *instance, struct codec *in, struct diag *d)
{
	struct e2 *self = instance;
	int err = known_null_load(instance, in, d);
	uint8_t alarmed;
	bool fine;

	if (err)
		return err;
	codec_get_f64s(in, self->product, self->bets);
	alarmed = codec_get_u8(in);
	self->alarmed = alarmed == 1;
	fine = !in->bad && alarmed <= 1;
	for (uint32_t k = 0; k < self->bets; k++)
		fine = fine && isfinite(self->product[k]);
	return plain_loaded(fine, name, d);
}

const struct detector e2_detector = {
	.name = name,
	.summary = "scores above their calibration quantiles too often",
	.source = "contract 9; Vovk 2012; Shin, Ramdas, Rinaldo 2024",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_NEEDS_REFERENCE | DETECTOR_PHASES | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct e2_options),
	.bytes = e2_bytes,
	.create = e2_create,
	.destroy = free,
	.update = e2_update,
	.reset = e2_reset,
	.skip = known_null_skip,
	.change = e2_change,
	.save = e2_save,
	.load = e2_load,
};
