/* aci.c -- adaptive conformal inference (contract 9; Gibbs and Candes 2021).
 *
 *   reads beta_t, the largest alpha whose prediction set misses nothing; value in force: a
 *   miss = beta_t < a (none at a <= 0, where the set is everything; always at a >= 1, where it is
 *   empty) a <- a + gamma (alpha - miss)
 *
 * For any sequence the share of misses tends to alpha: |mean miss - alpha| <= (max(a_1, 1 - a_1) +
 * gamma) / (T gamma). The reading is a, the alarm is the miss.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "aci";

struct aci_options {
	double alpha, gamma, start;
};

struct aci {
	struct aci_options o;
	/* state */
	double a;
};

static const struct option options_table[] = {
	OPT_F64(struct aci_options, alpha, "alpha", "0.1", 0.0, 1.0, "share of misses to reach"),
	OPT_F64(struct aci_options, gamma, "gamma", "0.005", 0.0, 1e6, "step"),
	OPT_AUTO_F64(struct aci_options, start, "start", "auto", -1e6, 1e6,
	             "level of the first record; auto: alpha"),
	OPT_END,
};

static void
begin(struct aci *self, const struct aci_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->a = isnan(self->o.start) ? self->o.alpha : self->o.start;
}

static void
step(void *instance, double beta, double g, double threshold, struct reading *out)
{
	struct aci *self = instance;

	(void)g;
	(void)threshold;
	out->statistic = self->a;
	out->alarm = self->a > 0.0 && (self->a >= 1.0 || beta < self->a);
	self->a += self->o.gamma * (self->o.alpha - (out->alarm ? 1.0 : 0.0));
}

PLAIN_DETECTOR(aci)

static void
aci_save(const void *instance, struct codec *out)
{
	codec_put_f64(out, ((const struct aci *)instance)->a);
}

static int
aci_load(void *instance, struct codec *in, struct diag *d)
{
	struct aci *self = instance;

	self->a = codec_get_f64(in);
	return plain_loaded(!in->bad && plain_between(self->a, -1e7, 1e7), name, d);
}

const struct detector aci_detector = {
	.name = name,
	.summary = "a level that is moved until the share of misses is right (recalibrator)",
	.source = "contract 9; Gibbs and Candes 2021",
	.kind = COLUMN_UNIT,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct aci_options),
	.bytes = aci_bytes,
	.create = aci_create,
	.destroy = free,
	.accepts = plain_is_probability,
	.update = aci_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = aci_save,
	.load = aci_load,
};
