/* cs_bernoulli.c -- confidence sequence for a rate: intervals that all hold the true rate at once
 * with probability 1 - alpha, however often they are looked at (contract 7).
 *
 *   e(p) = B(a + S, b + n - S) / B(a, b) / (p^S (1-p)^(n-S));   the set {p: e(p) < 1/alpha}
 *
 * Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021 (beta-binomial mixture). ln e is convex, falls
 * up to S/n and rises after it, so each bound is found by Halley's steps from the one of the record before,
 * inside a bracket that is halved whenever a step leaves it. Cost: about 10 logarithms a record.
 */
#include <math.h>

#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/special.h"
#include "detectors/registry.h"
#include "detectors/shift/cs_bernoulli.h"

enum { STEPS = 200 };
/* A step this small, beside the distances to S/n and to the end of [0, 1], leaves its cube as error. */
static const double step_min = 1e-5;
static const char name[] = "cs-bernoulli";

struct cs_bernoulli_options {
	double a, b, alpha, target;
};

struct cs_bernoulli {
	struct cs_bernoulli_options o;
	double ln_prior, ln_limit; /* ln B(a, b), ln(1/alpha) */
	/* state */
	double n, ones, lower, upper;
};

static const struct option options_table[] = {
	OPT_F64(struct cs_bernoulli_options, a, "a", "0.5", 1e-6, 1e6, "prior Beta(a, b)"),
	OPT_F64(struct cs_bernoulli_options, b, "b", "0.5", 1e-6, 1e6, "prior Beta(a, b)"),
	OPT_F64(struct cs_bernoulli_options, alpha, "alpha", "0.05", 1e-12, 0.999999,
	        "probability that any interval misses the rate"),
	OPT_AUTO_F64(struct cs_bernoulli_options, target, "target", "auto", 0.0, 1.0,
	             "alarm on every record whose interval does not hold this rate; auto: never"),
	OPT_END,
};

static void
begin(struct cs_bernoulli *self, const struct cs_bernoulli_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->ln_prior = special_ln_beta(self->o.a, self->o.b);
	self->ln_limit = -log(self->o.alpha);
	self->upper = 1.0;
}

/* The bound between `outside`, which is not in the set, and S/n, which is; `at` is a guess. */
static double
bound(const struct cs_bernoulli *self, double evidence, double outside, double at)
{
	const double rate = self->ones / self->n, misses = self->n - self->ones;
	double inside = rate;

	for (int i = 0; i < STEPS; i++) {
		double ln_e = evidence - self->ln_limit, slope, curve, turn, next;

		if (!(at > fmin(inside, outside) && at < fmax(inside, outside)))
			at = 0.5 * (inside + outside);
		if (!(at > fmin(inside, outside) && at < fmax(inside, outside)))
			break;
		if (self->ones > 0.0)
			ln_e -= self->ones * log(at);
		if (misses > 0.0)
			ln_e -= misses * log1p(-at);
		if (ln_e < 0.0)
			inside = at;
		else
			outside = at;
		slope = misses / (1.0 - at) - self->ones / at;
		curve = misses / ((1.0 - at) * (1.0 - at)) + self->ones / at / at; /* at * at may vanish */
		turn = 2.0 * slope * slope - ln_e * curve;
		next = turn > 0.0 ? at - 2.0 * ln_e * slope / turn : rate; /* which halves the bracket */
		if (fabs(next - at) <= step_min * fmin(fabs(at - rate), at < rate ? at : 1.0 - at))
			return next > 0.0 && next < 1.0 ? next : at;
		at = next;
	}
	return at;
}

/* The interval after self->ones of self->n. */
static void
interval(struct cs_bernoulli *self)
{
	double evidence = special_ln_beta(self->o.a + self->ones, self->o.b + self->n - self->ones)
	                  - self->ln_prior;

	self->lower = self->ones > 0.0 ? bound(self, evidence, 0.0, self->lower) : 0.0;
	self->upper = self->ones < self->n ? bound(self, evidence, 1.0, self->upper) : 1.0;
}

void
cs_bernoulli_limits(double ones, double n, double alpha, double *lower, double *upper)
{
	const struct cs_bernoulli_options o = { .a = 0.5, .b = 0.5, .alpha = alpha };
	struct cs_bernoulli self = { 0 };

	begin(&self, &o, NULL);
	self.n = n;
	self.ones = ones;
	interval(&self);
	*lower = self.lower;
	*upper = self.upper;
}

static void
step(void *instance, double x, double g, double threshold, struct reading *out)
{
	struct cs_bernoulli *self = instance;

	(void)g;
	(void)threshold;
	self->n += 1.0;
	self->ones += x;
	interval(self);
	out->statistic = self->lower;
	out->upper = self->upper;
	out->alarm = self->o.target < out->statistic || self->o.target > out->upper;
}

PLAIN_DETECTOR(cs_bernoulli)

static bool
cs_bernoulli_accepts(const void *options, double value)
{
	(void)options;
	return (value >= 0.0 && value <= 0.0) || (value >= 1.0 && value <= 1.0);
}

static void
cs_bernoulli_save(const void *instance, struct codec *out)
{
	const struct cs_bernoulli *self = instance;

	codec_put_f64(out, self->n);
	codec_put_f64(out, self->ones);
	codec_put_f64(out, self->lower);
	codec_put_f64(out, self->upper);
}

static int
cs_bernoulli_load(void *instance, struct codec *in, struct diag *d)
{
	struct cs_bernoulli *self = instance;

	self->n = codec_get_f64(in);
	self->ones = codec_get_f64(in);
	self->lower = codec_get_f64(in);
	self->upper = codec_get_f64(in);
	return plain_loaded(!in->bad && plain_between(self->n, 0.0, 0x1p53)
	                            && plain_between(self->ones, 0.0, self->n)
	                            && self->n <= floor(self->n) && self->ones <= floor(self->ones)
	                            && plain_between(self->lower, 0.0, 1.0)
	                            && plain_between(self->upper, self->lower, 1.0),
	                    name, d);
}

const struct detector cs_bernoulli_detector = {
	.name = name,
	.summary = "interval for a rate that holds at all times at once",
	.source = "contract 7; Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021",
	.kind = COLUMN_BINARY,
	.flags = DETECTOR_INTERVAL | DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct cs_bernoulli_options),
	.bytes = cs_bernoulli_bytes,
	.create = cs_bernoulli_create,
	.destroy = free,
	.accepts = cs_bernoulli_accepts,
	.update = cs_bernoulli_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = cs_bernoulli_save,
	.load = cs_bernoulli_load,
};
