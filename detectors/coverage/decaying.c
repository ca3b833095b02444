/* decaying.c -- a score threshold with decaying steps (contract 9; Angelopoulos, Barber and Bates
 * 2024).
 *
 *   value in force: q;  miss = s > q;  q <- q + c t^(-1/2-eps) (miss - alpha),  t = 1, 2, ..
 *
 * Covers adversarial sequences, and converges to the quantile of independent ones. The reading is
 * q, the alarm is the miss. c is the scale of the scores.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "decaying";

struct decaying_options {
	double alpha, c, eps, start;
};

struct decaying {
	struct decaying_options o;
	/* state */
	double q;
	uint64_t t;
};

static const struct option options_table[] = {
	OPT_F64(struct decaying_options, alpha, "alpha", "0.1", 0.0, 1.0,
	        "share of misses to reach"),
	OPT_F64(struct decaying_options, c, "c", "1", 0.0, 1e100, "scale of the scores"),
	OPT_F64(struct decaying_options, eps, "eps", "0.1", -0.5, 10.0,
	        "how much faster than 1/sqrt(t) the steps decay"),
	OPT_F64(struct decaying_options, start, "start", "0", -1e100, 1e100,
	        "threshold of the first record"),
	OPT_END,
};

static void
begin(struct decaying *self, const struct decaying_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->q = self->o.start;
}

static void
step(void *instance, double score, double g, double threshold, struct reading *out)
{
	struct decaying *self = instance;
	double size;

	(void)g;
	(void)threshold;
	out->statistic = self->q;
	out->alarm = score > self->q;
	self->t++;
	size = self->o.c * exp(-(0.5 + self->o.eps) * log((double)self->t));
	self->q += size * ((out->alarm ? 1.0 : 0.0) - self->o.alpha);
}

PLAIN_DETECTOR(decaying)

static void
decaying_save(const void *instance, struct codec *out)
{
	const struct decaying *self = instance;

	codec_put_f64(out, self->q);
	codec_put_u64(out, self->t);
}

static int
decaying_load(void *instance, struct codec *in, struct diag *d)
{
	struct decaying *self = instance;
	const double most = PLAIN_VALUE_MAX * 0x1p64;

	self->q = codec_get_f64(in);
	self->t = codec_get_u64(in);
	return plain_loaded(!in->bad && plain_between(self->q, -most, most)
	                            && self->t < UINT64_MAX,
	                    name, d);
}

const struct detector decaying_detector = {
	.name = name,
	.summary = "a score threshold that learns its quantile with decaying steps (recalibrator)",
	.source = "contract 9; Angelopoulos, Barber, Bates 2024",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct decaying_options),
	.bytes = decaying_bytes,
	.create = decaying_create,
	.destroy = free,
	.update = decaying_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = decaying_save,
	.load = decaying_load,
};
