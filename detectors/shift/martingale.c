/* martingale.c -- conformal martingales over a stream of p-values (contract 6, audit mode).
 *
 *   simple jumper    C_e <- (1-J) C_e + J/3 sum C, then C_e <- C_e (1 + e (p - 1/2)), e = -1, 0, 1
 *   composite        the mean of five simple jumpers, J = 1e-4 .. 1;  C = capital, r = C_n /
 *   C_{n-1} form=sr          R <- (g + R) r        cusum     G <- max(G, 1) r         alarm at the
 *   threshold form=ville       ln C                  harmonic  A <- r (A + 1/(n (n+1))), ln(A +
 *   1/(n+1))
 *
 * Vovk, Nouretdinov and Gammerman 2003; Vovk et al. 2021 (sr, cusum; alarms at most once in
 * `threshold` records). ville and harmonic are bounded by the threshold with probability 1 -
 * 1/threshold for ever (Ville 1939), so they alarm once. Cost: 15 ns a record, composite 150 ns.
 */
#include <math.h>
#include <string.h>

#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

enum { BETS = 3, JUMPERS_MAX = 5 };
enum form { FORM_SR, FORM_CUSUM, FORM_VILLE, FORM_HARMONIC };
enum { JUMPER_SIMPLE, JUMPER_COMPOSITE };

static const char name[] = "martingale";
static const double rates[JUMPERS_MAX] = { 1e-4, 1e-3, 1e-2, 1e-1, 1.0 };
static const double accumulator_max = 1e300; /* contract 2 */
/* A is kept as a 2^(block * blocks): it grows without end. */
#define BLOCK 0x1p512
static const double ln_block = 512 * 0.69314718055994530942;

struct martingale_options {
	int form, jumper;
	double jump;
};

struct martingale {
	struct martingale_options o;
	uint32_t jumpers;
	double rate[JUMPERS_MAX];
	/* state */
	uint64_t n;
	double weight[JUMPERS_MAX][BETS]; /* of one jumper's bets; sum 1 */
	double ln_capital[JUMPERS_MAX];   /* composite: of each jumper */
	double ln_total;                  /* composite: of their mean; simple: of the capital */
	double accumulator;               /* R, G or a */
	uint32_t blocks;
	bool alarmed;
};

static const char *const forms[] = { "sr", "cusum", "ville", "harmonic", NULL };
static const char *const jumpers[] = { "simple", "composite", NULL };

static const struct option options_table[] = {
	OPT_ENUM(struct martingale_options, form, "form", "sr", forms,
	         "what is made of the capital: sr, cusum, ville or harmonic"),
	OPT_ENUM(struct martingale_options, jumper, "jumper", "simple", jumpers,
	         "simple (rate `jump`), or composite: five rates together"),
	OPT_F64(struct martingale_options, jump, "jump", "0.01", 0.0, 1.0,
	        "how readily the simple jumper changes its bet"),
	OPT_END,
};

static void
restart(struct martingale *self)
{
	for (uint32_t j = 0; j < self->jumpers; j++) {
		for (int e = 0; e < BETS; e++)
			self->weight[j][e] = 1.0 / BETS;
		self->ln_capital[j] = 0.0;
	}
	self->ln_total = 0.0;
	self->accumulator = 0.0;
}

static void
begin(struct martingale *self, const struct martingale_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->jumpers = self->o.jumper == JUMPER_COMPOSITE ? JUMPERS_MAX : 1;
	memcpy(self->rate, rates, sizeof rates);
	if (self->jumpers == 1)
		self->rate[0] = self->o.jump;
	restart(self);
}

/* One jumper's ratio of capitals. */
static double
jump(double weight[BETS], double rate, double p)
{
	double sum = 0.0;

	for (int e = 0; e < BETS; e++) {
		weight[e] = (1.0 - rate) * weight[e] + rate / BETS;
		weight[e] *= 1.0 + (e - 1) * (p - 0.5);
		sum += weight[e];
	}
	for (int e = 0; e < BETS; e++)
		weight[e] /= sum;
	return sum;
}

/* r_n = C_n / C_{n-1}; moves the capital. */
static double
ratio(struct martingale *self, double p)
{
	double largest = -HUGE_VAL, sum = 0.0, total;

	if (self->jumpers == 1) {
		double r = jump(self->weight[0], self->rate[0], p);

		self->ln_total += log(r);
		return r;
	}
	for (uint32_t j = 0; j < self->jumpers; j++) {
		self->ln_capital[j] += log(jump(self->weight[j], self->rate[j], p));
		largest = fmax(largest, self->ln_capital[j]);
	}
	for (uint32_t j = 0; j < self->jumpers; j++)
		sum += exp(self->ln_capital[j] - largest);
	total = largest + log(sum / self->jumpers);
	sum = exp(total - self->ln_total);
	self->ln_total = total;
	return sum;
}

/* ln(A + 1/(n+1)) after A <- r (A + 1/(n (n+1))). */
static double
harmonic(struct martingale *self, double r)
{
	double n = (double)self->n, scale = 1.0;

	for (uint32_t b = 0; b < self->blocks && b < 3; b++)
		scale /= BLOCK;
	self->accumulator = r * (self->accumulator + scale / (n * (n + 1.0)));
	if (self->accumulator > BLOCK) {
		self->accumulator /= BLOCK;
		scale /= BLOCK;
		self->blocks++;
	} else if (self->blocks > 0 && self->accumulator < 1.0 / BLOCK) {
		self->accumulator *= BLOCK;
		scale *= BLOCK;
		self->blocks--;
	}
	return log(self->accumulator + scale / (n + 1.0)) + self->blocks * ln_block;
}

static void
step(void *instance, double p, double g, double threshold, struct reading *out)
{
	struct martingale *self = instance;
	double r = ratio(self, p);

	self->n++;
	switch ((enum form)self->o.form) {
	case FORM_SR:
		self->accumulator = fmin((g + self->accumulator) * r, accumulator_max);
		break;
	case FORM_CUSUM:
		self->accumulator = fmin(fmax(self->accumulator, 1.0) * r, accumulator_max);
		break;
	case FORM_VILLE:
		out->statistic = self->ln_total;
		break;
	case FORM_HARMONIC:
		out->statistic = harmonic(self, r);
		break;
	}
	if (self->o.form == FORM_SR || self->o.form == FORM_CUSUM) {
		out->statistic = self->accumulator;
		out->alarm = self->accumulator >= threshold;
		return;
	}
	out->alarm = !self->alarmed && out->statistic >= log(threshold);
	self->alarmed = self->alarmed || out->alarm;
}

PLAIN_DETECTOR(martingale)

static void
martingale_reset(void *instance)
{
	struct martingale *self = instance;

	if (self->o.form == FORM_SR || self->o.form == FORM_CUSUM)
		restart(self);
}

static bool
martingale_accepts(const void *options, double value)
{
	(void)options;
	return value > 0.0 && value <= 1.0;
}

static void
martingale_save(const void *instance, struct codec *out)
{
	const struct martingale *self = instance;

	codec_put_u64(out, self->n);
	codec_put_f64s(out, self->weight[0], (size_t)self->jumpers * BETS);
	codec_put_f64s(out, self->ln_capital, self->jumpers);
	codec_put_f64(out, self->ln_total);
	codec_put_f64(out, self->accumulator);
	codec_put_u32(out, self->blocks);
	codec_put_u8(out, self->alarmed);
}

static int
martingale_load(void *instance, struct codec *in, struct diag *d)
{
	struct martingale *self = instance;
	uint8_t alarmed;
	bool fine = true;

	self->n = codec_get_u64(in);
	codec_get_f64s(in, self->weight[0], (size_t)self->jumpers * BETS);
	codec_get_f64s(in, self->ln_capital, self->jumpers);
	self->ln_total = codec_get_f64(in);
	self->accumulator = codec_get_f64(in);
	self->blocks = codec_get_u32(in);
	alarmed = codec_get_u8(in);
	self->alarmed = alarmed == 1;
	for (uint32_t j = 0; j < self->jumpers; j++) {
		const double *w = self->weight[j];

		for (int e = 0; e < BETS; e++)
			fine = fine && plain_between(w[e], 0.0, 1.0);
		fine = fine && plain_between(w[0] + w[1] + w[2], 0.999, 1.001)
		       && isfinite(self->ln_capital[j]);
	}
	fine = fine && isfinite(self->ln_total) && self->blocks <= self->n && alarmed <= 1
	       && plain_between(self->accumulator, 0.0, accumulator_max);
	return plain_loaded(fine && !in->bad, name, d);
}

const struct detector martingale_detector = {
	.name = name,
	.summary = "p-values that are not uniform and independent, by betting against them",
	.source = "contract 6; Vovk, Nouretdinov, Gammerman 2003; Vovk et al. 2021",
	.kind = COLUMN_UNIT,
	.flags = DETECTOR_METERED | DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct martingale_options),
	.bytes = martingale_bytes,
	.create = martingale_create,
	.destroy = free,
	.accepts = martingale_accepts,
	.update = martingale_update,
	.reset = martingale_reset,
	.skip = plain_skip,
	.save = martingale_save,
	.load = martingale_load,
};
