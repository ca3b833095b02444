/* cs_mean.c -- confidence sequence for the mean of values in [0, 1], whatever their law (contract
 * 7): predictable empirical Bernstein, Waudby-Smith and Ramdas 2024. One side at level a = alpha/2:
 *
 *   m_t = (1/2 + sum x) / (t+1)         s2_t = (1/4 + sum (x_i - m_i)^2) / (t+1), s2_0 = 1/4
 *   lambda_t = min(1/2, sqrt(2 ln(1/a) / (t ln(1+t) s2_{t-1})))
 *   v_t = (x_t - mean_{t-1})^2, mean_0 = 0          psi(l) = -ln(1-l) - l
 *   lower = max(0, (sum lambda x - ln(1/a) - sum v psi(lambda)) / sum lambda)
 *
 * The upper bound is 1 less the lower bound of 1 - x, whose m, s2 and lambda are the same; only v_1
 * differs. Cost: two logarithms and a square root a record.
 */
#include <math.h>

#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "cs-mean";

struct cs_mean_options {
	double alpha, target;
};

struct cs_mean {
	struct cs_mean_options o;
	double ln_limit; /* ln(1/a) */
	/* state */
	double n, sum;          /* of x */
	double squares;         /* sum (x_i - m_i)^2 */
	double lambda, moved;   /* sum lambda, sum lambda x */
	double spent[2];        /* sum v psi(lambda) of x and of 1 - x */
};

static const struct option options_table[] = {
	OPT_F64(struct cs_mean_options, alpha, "alpha", "0.05", 1e-12, 0.999999,
	        "probability that any interval misses the mean"),
	OPT_AUTO_F64(struct cs_mean_options, target, "target", "auto", 0.0, 1.0,
	             "alarm on every record whose interval does not hold this mean; auto: never"),
	OPT_END,
};

static void
begin(struct cs_mean *self, const struct cs_mean_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	self->ln_limit = -log(0.5 * self->o.alpha);
}

static void
step(void *instance, double value, double g, double threshold, struct reading *out)
{
	struct cs_mean *self = instance;
	double x = fmin(fmax(value, 0.0), 1.0), t = self->n + 1.0, lambda, cost, centre, mean, v;

	(void)g;
	(void)threshold;
	lambda = fmin(0.5, sqrt(2.0 * self->ln_limit
	                        / (t * log1p(t) * ((0.25 + self->squares) / t))));
	cost = -log1p(-lambda) - lambda;
	mean = self->n > 0.0 ? self->sum / self->n : 0.0;
	v = (x - mean) * (x - mean);
	self->spent[0] += v * cost;
	self->spent[1] += (self->n > 0.0 ? v : (1.0 - x) * (1.0 - x)) * cost;
	self->lambda += lambda;
	self->moved += lambda * x;
	self->n = t;
	self->sum += x;
	centre = (0.5 + self->sum) / (t + 1.0);
	self->squares += (x - centre) * (x - centre);
	out->statistic = fmax(0.0, (self->moved - self->ln_limit - self->spent[0]) / self->lambda);
	out->upper = fmin(1.0, (self->moved + self->ln_limit + self->spent[1]) / self->lambda);
	out->alarm = self->o.target < out->statistic || self->o.target > out->upper;
}

PLAIN_DETECTOR(cs_mean)

static void
cs_mean_save(const void *instance, struct codec *out)
{
	const struct cs_mean *self = instance;

	codec_put_f64(out, self->n);
	codec_put_f64(out, self->sum);
	codec_put_f64(out, self->squares);
	codec_put_f64(out, self->lambda);
	codec_put_f64(out, self->moved);
	codec_put_f64s(out, self->spent, 2);
}

static int
cs_mean_load(void *instance, struct codec *in, struct diag *d)
{
	struct cs_mean *self = instance;
	double most;

	self->n = codec_get_f64(in);
	self->sum = codec_get_f64(in);
	self->squares = codec_get_f64(in);
	self->lambda = codec_get_f64(in);
	self->moved = codec_get_f64(in);
	codec_get_f64s(in, self->spent, 2);
	most = self->n;
	return plain_loaded(!in->bad && plain_between(most, 0.0, 0x1p53)
	                            && plain_between(self->sum, 0.0, most)
	                            && plain_between(self->squares, 0.0, most)
	                            && plain_between(self->lambda, 0.0, most)
	                            && plain_between(self->moved, 0.0, self->lambda)
	                            && plain_between(self->spent[0], 0.0, most)
	                            && plain_between(self->spent[1], 0.0, most)
	                            && (most > 0.0) == (self->lambda > 0.0),
	                    name, d);
}

const struct detector cs_mean_detector = {
	.name = name,
	.summary = "interval for the mean of values in [0, 1] that holds at all times at once",
	.source = "contract 7; Waudby-Smith and Ramdas 2024 (predictable empirical Bernstein)",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_INTERVAL | DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct cs_mean_options),
	.bytes = cs_mean_bytes,
	.create = cs_mean_create,
	.destroy = free,
	.update = cs_mean_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = cs_mean_save,
	.load = cs_mean_load,
};
