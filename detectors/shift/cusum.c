/* cusum.c -- two-sided CUSUM chart with known mean and sd (contract 8; Page 1954).
 *
 *   z = (x - mu)/sigma;  C+ <- max(0, C+ + z - k);  C- <- max(0, C- - z - k);  alarm when either >
 *   h
 *
 * Best for a shift of 2k sigma. With `arl` = A, h is such that one record in A alarms on normal
 * values: Siegmund's (1985) two-sided A = (exp(2 k b) - 2 k b - 1) / (2 k^2) / 2, b = h + 1.166
 * (b^2 / 2 at k = 0), by 200 bisection steps on [0, 100]. That holds for known mu and sigma only. 8
 * ns a record.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/standard.h"
#include "detectors/registry.h"

static const char name[] = "cusum";
static const double limit_max = 100.0, siegmund_excess = 1.166;
enum { STEPS = 200 };

struct cusum_options {
	double k, h, arl, mu, sigma;
};

struct cusum {
	struct standard standard;
	double k, h;
	/* state */
	double up, down;
};

static const struct option options_table[] = {
	OPT_F64(struct cusum_options, k, "k", "0.5", 0.0, 1e6, "slack in sigma: half the shift"),
	OPT_F64(struct cusum_options, h, "h", "5", 0.0, 1e100, "alarm above this, in sigma"),
	OPT_AUTO_F64(struct cusum_options, arl, "arl", "auto", 1.0, 1e300,
	             "records between two false alarms, instead of h; auto: h as given"),
	STANDARD_OPTIONS(struct cusum_options),
	OPT_END,
};

static double
two_sided_arl(double k, double h)
{
	double b = h + siegmund_excess;

	if (k <= 0.0)
		return 0.5 * b * b;
	return 0.5 * (expm1(2.0 * k * b) - 2.0 * k * b) / (2.0 * k * k);
}

static double
limit_for(double k, double arl)
{
	double low = 0.0, high = limit_max;

	for (int i = 0; i < STEPS; i++) {
		double middle = 0.5 * (low + high);

		if (two_sided_arl(k, middle) < arl)
			low = middle;
		else
			high = middle;
	}
	return 0.5 * (low + high);
}

static void
begin(struct cusum *self, const struct cusum_options *o, const struct reference *ref)
{
	self->standard = standard_of(o->mu, o->sigma, ref);
	self->k = o->k;
	self->h = isnan(o->arl) ? o->h : limit_for(o->k, o->arl);
}

static void
step(void *instance, double x, double g, double threshold, struct reading *out)
{
	struct cusum *self = instance;
	double z = standard_z(&self->standard, x);

	(void)g;
	(void)threshold;
	self->up = fmax(0.0, self->up + z - self->k);
	self->down = fmax(0.0, self->down - z - self->k);
	out->statistic = fmax(self->up, self->down);
	out->alarm = out->statistic > self->h;
}

PLAIN_DETECTOR(cusum)

static void
cusum_reset(void *instance)
{
	struct cusum *self = instance;

	self->up = self->down = 0.0;
}

static void
cusum_save(const void *instance, struct codec *out)
{
	const struct cusum *self = instance;

	codec_put_f64(out, self->up);
	codec_put_f64(out, self->down);
}

static int
cusum_load(void *instance, struct codec *in, struct diag *d)
{
	struct cusum *self = instance;
	const double most = PLAIN_VALUE_MAX * 0x1p64;

	self->up = codec_get_f64(in);
	self->down = codec_get_f64(in);
	return plain_loaded(!in->bad && plain_between(self->up, 0.0, most)
	                            && plain_between(self->down, 0.0, most),
	                    name, d);
}

const struct detector cusum_detector = {
	.name = name,
	.summary = "a shift of a known mean, by cumulative sums",
	.source = "contract 8; Page 1954; Siegmund 1985",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct cusum_options),
	.bytes = cusum_bytes,
	.create = cusum_create,
	.destroy = free,
	.update = cusum_update,
	.reset = cusum_reset,
	.skip = plain_skip,
	.save = cusum_save,
	.load = cusum_load,
};
