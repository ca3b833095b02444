/* sf_ogd.c -- scale-free online gradient descent on the quantile of scores (contract 9; Orabona and
 * Pal 2018, Bhatnagar et al. 2023).
 *
 *   value in force: q;  miss = s > q;  g = [s <= q] - (1 - alpha);  q <- q - D g / sqrt(3 sum g^2)
 *
 * The sum includes this g. The reading is q, the alarm is the miss. D is the scale of the scores.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "sf-ogd";

struct sf_ogd_options {
	double alpha, d, start;
};

struct sf_ogd {
	struct sf_ogd_options o;
	/* state */
	double q, squares;
};

static const struct option options_table[] = {
	OPT_F64(struct sf_ogd_options, alpha, "alpha", "0.1", 0.0, 1.0, "share of misses to reach"),
	OPT_F64(struct sf_ogd_options, d, "D", "1", 0.0, 1e100, "scale of the scores"),
	OPT_F64(struct sf_ogd_options, start, "start", "0", -1e100, 1e100,
	        "threshold of the first record"),
	OPT_END,
};

static void
begin(struct sf_ogd *self, const struct sf_ogd_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->q = self->o.start;
}

static void
step(void *instance, double score, double g, double threshold, struct reading *out)
{
	struct sf_ogd *self = instance;
	double slope;

	(void)g;
	(void)threshold;
	out->statistic = self->q;
	out->alarm = score > self->q;
	slope = (out->alarm ? 0.0 : 1.0) - (1.0 - self->o.alpha);
	self->squares += slope * slope;
	if (self->squares > 0.0)
		self->q -= self->o.d * slope / sqrt(3.0 * self->squares);
}

PLAIN_DETECTOR(sf_ogd)

static void
sf_ogd_save(const void *instance, struct codec *out)
{
	const struct sf_ogd *self = instance;

	codec_put_f64(out, self->q);
	codec_put_f64(out, self->squares);
}

static int
sf_ogd_load(void *instance, struct codec *in, struct diag *d)
{
	struct sf_ogd *self = instance;
	const double most = PLAIN_VALUE_MAX * 0x1p64;

	self->q = codec_get_f64(in);
	self->squares = codec_get_f64(in);
	return plain_loaded(!in->bad && plain_between(self->q, -most, most)
	                            && plain_between(self->squares, 0.0, 0x1p64),
	                    name, d);
}

const struct detector sf_ogd_detector = {
	.name = name,
	.summary = "a score threshold that learns its quantile without a step size (recalibrator)",
	.source = "contract 9; Orabona and Pal 2018; Bhatnagar et al. 2023",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct sf_ogd_options),
	.bytes = sf_ogd_bytes,
	.create = sf_ogd_create,
	.destroy = free,
	.update = sf_ogd_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = sf_ogd_save,
	.load = sf_ogd_load,
};
