/* e1.c -- are scores growing? Betting on conformal ranks among all scores so far (contract 9).
 *
 *   p = (#{s_i > s} + U (1 + #{s_i = s})) / (n + 1) over the reference and every earlier record;
 *   with `bins`, edges, counts and p of contract 4 instead of exact ranks
 *   f_k(p) = k p^(k-1) for each k of kappa
 *   form=sr     R_k <- (g + R_k) f_k, S = mean R_k, alarm when S >= c
 *   form=ville  ln of the mean of the running products, one alarm at ln threshold
 *
 * p is uniform and independent of the past for exchangeable scores (Vovk, Gammerman and Shafer
 * 2005; e-detectors: Shin, Ramdas and Rinaldo 2024). Cost: one logarithm and eight exponentials a
 * record.
 */
#include <assert.h>
#include <string.h>

#include "config/option.h"
#include "detectors/kit/bins.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/rank_change.h"
#include "detectors/kit/ranks.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/sort.h"
#include "detectors/registry.h"

enum { FORM_SR, FORM_VILLE };
enum { BINS_MAX = 4096, LANES_MAX = OPTION_LIST_MAX + 7 };
static const char name[] = "e1";
static const double factor_max = 1e300;

struct e1_options {
	struct option_list kappa;
	int form;
	uint32_t bins;
};

struct e1 {
	struct e1_options o;
	uint64_t seed, stream;
	double ln_kappa[OPTION_LIST_MAX];
	uint64_t reference_n; /* values that no stream can take away */
	/* state */
	uint64_t n;
	struct bins bins;                 /* with `bins` */
	struct ranks ranks;               /* without */
	struct lanes lanes;               /* sr */
	double product[OPTION_LIST_MAX];  /* ville: logarithms */
	bool alarmed;
};

static const char *const forms[] = { "sr", "ville", NULL };

static const struct option options_table[] = {
	OPT_LIST(struct e1_options, kappa, "kappa", ".3,.5,.7,.8,.9,.95,.98,.99", 1e-6, 1.0,
	         "powers of the bets: small ones bet on rare large scores"),
	OPT_ENUM(struct e1_options, form, "form", "sr", forms,
	         "sr: alarms again and again; ville: once"),
	OPT_U32(struct e1_options, bins, "bins", "0", 0, BINS_MAX,
	        "bins that stand for exact ranks; 0: exact"),
	OPT_END,
};

static uint32_t
padded(uint32_t bets)
{
	return (bets + 7) / 8 * 8;
}

static struct e1 *
layout(struct carve *c, const struct e1_options *o, struct bins *bins, void **lanes)
{
	struct e1 *self = carve_take(c, sizeof *self);

	if (o->bins > 0)
		bins_carve(bins, c, o->bins);
	*lanes = carve_take(c, lanes_bytes(padded(o->kappa.n), 1));
	return self;
}

static size_t
e1_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	struct carve c = { 0 };
	struct bins bins;
	void *lanes;

	(void)phases;
	layout(&c, options, &bins, &lanes);
	/* Exact ranks: what the reference takes, half full at worst. */
	return c.used + (ref ? ref->n : 0) * 2 * sizeof(double);
}

static void
e1_destroy(void *instance)
{
	struct e1 *self = instance;

	if (!self)
		return;
	ranks_finish(&self->ranks);
	free(self);
}

/* Exact ranks of the whole reference, or contract 4's bins: odd values are edges, even ones counts.
 * */
static int
learn(struct e1 *self, const struct reference *ref)
{
	uint32_t n = ref ? ref->n : 0, odd = (n + 1) / 2;
	double *scratch;

	if (self->o.bins == 0) {
		for (uint32_t i = 0; i < n; i++)
			if (!ranks_add(&self->ranks, ref->value[i]))
				return ERR_IO;
		self->reference_n = n;
		return 0;
	}
	scratch = malloc((odd + (size_t)1) * sizeof *scratch);
	if (!scratch)
		return ERR_IO;
	for (uint32_t i = 0; i < odd; i++)
		scratch[i] = ref->value[2 * (size_t)i];
	sort_doubles(scratch, odd);
	bins_init(&self->bins, self->o.bins, scratch, odd);
	for (uint32_t i = 1; i < n; i += 2)
		bins_add(&self->bins, bins_find(&self->bins, ref->value[i]), 1);
	self->reference_n = self->bins.total;
	free(scratch);
	return 0;
}

static int
e1_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
          uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct e1_options *o = options;
	struct bins bins = { 0 };
	struct carve c = { 0 };
	struct e1 *self;
	void *lanes;

	if (o->bins == 1)
		return diag_set(d, ERR_INVALID, "e1: bins is 0 or 2 to %d", BINS_MAX);
	assert(phases == 1);
	layout(&c, o, &bins, &lanes);
	c = (struct carve){ carve_memory(c.used), 0 };
	if (!c.base)
		return diag_set(d, ERR_IO, "e1: out of memory");
	self = layout(&c, o, &bins, &lanes);
	self->o = *o;
	self->seed = seed;
	self->stream = stream;
	self->bins = bins;
	for (uint32_t k = 0; k < o->kappa.n; k++)
		self->ln_kappa[k] = log(o->kappa.value[k]);
	lanes_init(&self->lanes, lanes, padded(o->kappa.n), 1, o->kappa.n);
	if (learn(self, ref)) {
		e1_destroy(self);
		return diag_set(d, ERR_IO, "e1: out of memory");
	}
	*out = self;
	return 0;
}

/* The record's p; then the record is one of the earlier ones. */
static double
rank(struct e1 *self, double x)
{
	double u = rng_uniform(self->seed, self->stream, ++self->n), p;
	uint64_t larger, equal;
	uint32_t bin;

	if (self->o.bins > 0) {
		bin = bins_find(&self->bins, x);
		p = bins_p(&self->bins, bin, u);
		bins_grow(&self->bins, bin, 0);
		return p;
	}
	ranks_count(&self->ranks, x, &larger, &equal);
	p = ((double)larger + u * (1.0 + (double)equal)) / ((double)self->ranks.n + 1.0);
	/* A set that stopped growing would break the promise: rather stop the program. */
	bool grown = ranks_add(&self->ranks, x);
	assert(grown);
	(void)grown;
	return p;
}

static void
bet_sr(struct e1 *self, double p, double x, double g, int64_t time_ms, double threshold,
       struct reading *out)
{
	double add[LANES_SUMS] = { p, plain_cut(x), 0.0 }, ln_p = log(p);
	_Alignas(64) double factor[LANES_MAX] = { 0 };

	for (uint32_t k = 0; k < self->o.kappa.n; k++)
		factor[k] = fmin(exp(self->ln_kappa[k] + (self->o.kappa.value[k] - 1.0) * ln_p),
		                 factor_max);
	out->statistic = lanes_step(&self->lanes, factor, g, 0, time_ms, add)
	                 * self->lanes.weight;
	out->alarm = out->statistic >= threshold;
}

static void
bet_ville(struct e1 *self, double p, double threshold, struct reading *out)
{
	double largest = -HUGE_VAL, sum = 0.0, ln_p = log(p);

	for (uint32_t k = 0; k < self->o.kappa.n; k++) {
		self->product[k] += self->ln_kappa[k] + (self->o.kappa.value[k] - 1.0) * ln_p;
		largest = fmax(largest, self->product[k]);
	}
	for (uint32_t k = 0; k < self->o.kappa.n; k++)
		sum += exp(self->product[k] - largest);
	out->statistic = largest + log(sum / self->o.kappa.n);
	out->alarm = !self->alarmed && out->statistic >= log(threshold);
	self->alarmed = self->alarmed || out->alarm;
}

static uint32_t
e1_update(void *instance, const struct column *column, uint32_t from, double threshold,
          struct reading *out)
{
	struct e1 *self = instance;

	for (uint32_t i = from; i < column->n; i++) {
		double p = rank(self, column->value[i]);

		out[i] = (struct reading){ .upper = (double)NAN };
		if (self->o.form == FORM_VILLE)
			bet_ville(self, p, threshold, &out[i]);
		else
			bet_sr(self, p, column->value[i], column->gain ? column->gain[i] : 1.0,
			       column->time_ms ? column->time_ms[i] : 0, threshold, &out[i]);
		if (out[i].alarm)
			return i + 1;
	}
	return column->n;
}

static void
e1_reset(void *instance)
{
	struct e1 *self = instance;

	if (self->o.form == FORM_SR)
		lanes_reset(&self->lanes);
}

static void
e1_skip(void *instance, uint64_t n)
{
	((struct e1 *)instance)->n += n;
}

static void
e1_change(const void *instance, struct change *out)
{
	const struct e1 *self = instance;
	double since[LANES_SUMS];

	if (!detector_change_start(&self->lanes, since, out))
		return;
	out->cell = 0;
	rank_change(since[0], out);
	out->up = true;
	out->old_value = (double)NAN;
	out->new_value = since[1] / (double)out->records;
}

static void
e1_save(const void *instance, struct codec *out)
{
	const struct e1 *self = instance;

	codec_put_u64(out, self->n);
	if (self->o.bins > 0)
		bins_save(&self->bins, out);
	else
		ranks_save(&self->ranks, out);
	lanes_save(&self->lanes, out);
	codec_put_f64s(out, self->product, self->o.kappa.n);
	codec_put_u8(out, self->alarmed);
}

static int
e1_load(void *instance, struct codec *in, struct diag *d)
{
	struct e1 *self = instance;
	uint64_t held;
	uint8_t alarmed;
	bool fine;

	ranks_finish(&self->ranks);
	self->n = codec_get_u64(in);
	fine = self->o.bins > 0 ? bins_load(&self->bins, in) : ranks_load(&self->ranks, in);
	fine = lanes_load(&self->lanes, in) == 0 && fine;
	codec_get_f64s(in, self->product, self->o.kappa.n);
	alarmed = codec_get_u8(in);
	self->alarmed = alarmed == 1;
	held = self->o.bins > 0 ? self->bins.total : self->ranks.n;
	fine = fine && alarmed <= 1 && held >= self->reference_n
	       && held - self->reference_n <= self->n && self->lanes.records <= self->n;
	for (uint32_t k = 0; k < self->o.kappa.n; k++)
		fine = fine && isfinite(self->product[k]);
	return plain_loaded(fine && !in->bad, name, d);
}

const struct detector e1_detector = {
	.name = name,
	.summary = "scores that grow, by their ranks among all scores so far",
	.source = "contract 9; Vovk, Gammerman, Shafer 2005; Shin, Ramdas, Rinaldo 2024",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct e1_options),
	.bytes = e1_bytes,
	.create = e1_create,
	.destroy = e1_destroy,
	.update = e1_update,
	.reset = e1_reset,
	.skip = e1_skip,
	.change = e1_change,
	.save = e1_save,
	.load = e1_load,
};
