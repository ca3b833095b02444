/* hddm_a.c -- Hoeffding's bound between a prefix and all of the stream (contract 8; HDDM_A,
 * Frias-Blanco et al. 2015), for values in [0, 1].
 *
 *   Z = mean of all n; X = mean of the prefix of length c that minimises X + sqrt(ln(1/drift)/(2c))
 *   up: alarm when Z - X >= sqrt(ln(2/drift) (n - c) / (2 c n)); down: the same on the prefix that
 *   maximises the mean less the bound. As in River and MOA the prefix is chosen with ln(1/drift)
 *   and tested with ln(2/drift). Then everything starts afresh.
 *
 * Statistic: the largest difference over its bound, 0 while the prefix is the present record.
 * Cost: three square roots a record.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

enum { SIDE_UP, SIDE_BOTH };
static const char name[] = "hddm-a";

struct hddm_a_options {
	double drift;
	int side;
};

struct prefix {
	double n, sum;
};

struct hddm_a {
	struct hddm_a_options o;
	double ln_cut, ln_test; /* ln(1/drift), ln(2/drift) */
	double low_bound, high_bound; /* mean of `low` plus its bound, of `high` less its bound; of the state */
	/* state */
	struct prefix all, low, high;
};

static const char *const sides[] = { "up", "both", NULL };

static const struct option options_table[] = {
	OPT_F64(struct hddm_a_options, drift, "drift", "0.001", 1e-300, 1.0,
	        "level of each of the many tests"),
	OPT_ENUM(struct hddm_a_options, side, "side", "up", sides,
	         "direction of the change: up or both"),
	OPT_END,
};

static void
begin(struct hddm_a *self, const struct hddm_a_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->ln_cut = -log(self->o.drift);
	self->ln_test = log(2.0) + self->ln_cut;
}

static double
mean(const struct prefix *p)
{
	return p->sum / p->n;
}

static double
radius(const struct hddm_a *self, double n)
{
	return sqrt(self->ln_cut / (2.0 * n));
}

/* (difference) / bound of one side; sets *alarm. */
static double
test(const struct hddm_a *self, const struct prefix *cut, double difference, bool *alarm)
{
	double n = self->all.n, bound;

	if (cut->n >= n)
		return 0.0;
	bound = sqrt((n - cut->n) / cut->n * (1.0 / n) / 2.0 * self->ln_test);
	*alarm = *alarm || difference >= bound;
	return difference / bound;
}

static void
step(void *instance, double value, double g, double threshold, struct reading *out)
{
	struct hddm_a *self = instance;
	double now, bound;

	(void)g;
	(void)threshold;
	self->all.n += 1.0;
	self->all.sum += plain_cut(value);
	now = mean(&self->all);
	bound = radius(self, self->all.n);
	if (self->low.n <= 0.0 || self->low_bound >= now + bound) {
		self->low = self->all;
		self->low_bound = now + bound;
	}
	if (self->high.n <= 0.0 || self->high_bound <= now - bound) {
		self->high = self->all;
		self->high_bound = now - bound;
	}
	out->statistic = test(self, &self->low, now - mean(&self->low), &out->alarm);
	if (self->o.side == SIDE_BOTH)
		out->statistic = fmax(out->statistic,
		                      test(self, &self->high,
		                           mean(&self->high) - now, &out->alarm));
}

PLAIN_DETECTOR(hddm_a)

static void
hddm_a_reset(void *instance)
{
	struct hddm_a *self = instance;

	self->all = self->low = self->high = (struct prefix){ 0.0, 0.0 };
}

static void
hddm_a_save(const void *instance, struct codec *out)
{
	const struct hddm_a *self = instance;

	codec_put_f64(out, self->all.n);
	codec_put_f64(out, self->all.sum);
	codec_put_f64(out, self->low.n);
	codec_put_f64(out, self->low.sum);
	codec_put_f64(out, self->high.n);
	codec_put_f64(out, self->high.sum);
}

/* A prefix is part of all values: at least one, as soon as there is one. */
static bool
possible(const struct prefix *p, const struct prefix *all)
{
	double most = p->n * PLAIN_VALUE_MAX;

	return plain_between(p->n, all->n > 0.0 ? 1.0 : 0.0, all->n) && p->n <= floor(p->n)
	       && plain_between(p->sum, -most, most);
}

static int
hddm_a_load(void *instance, struct codec *in, struct diag *d)
{
	struct hddm_a *self = instance;

	self->all.n = codec_get_f64(in);
	self->all.sum = codec_get_f64(in);
	self->low.n = codec_get_f64(in);
	self->low.sum = codec_get_f64(in);
	self->high.n = codec_get_f64(in);
	self->high.sum = codec_get_f64(in);
	if (self->low.n > 0.0)
		self->low_bound = mean(&self->low) + radius(self, self->low.n);
	if (self->high.n > 0.0)
		self->high_bound = mean(&self->high) - radius(self, self->high.n);
	return plain_loaded(!in->bad && plain_between(self->all.n, 0.0, 0x1p53)
	                            && possible(&self->all, &self->all)
	                            && possible(&self->low, &self->all)
	                            && possible(&self->high, &self->all),
	                    name, d);
}

const struct detector hddm_a_detector = {
	.name = name,
	.summary = "a rate that rises over the best prefix; compatible with River and MOA",
	.source = "contract 8; Frias-Blanco et al. 2015",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct hddm_a_options),
	.bytes = hddm_a_bytes,
	.create = hddm_a_create,
	.destroy = free,
	.update = hddm_a_update,
	.reset = hddm_a_reset,
	.skip = plain_skip,
	.save = hddm_a_save,
	.load = hddm_a_load,
};
