/* page_hinkley.c -- has the mean moved away from the running mean? (contract 8; Page 1954, Hinkley
 * 1971)
 *
 *   n <- n + 1;  m <- m + (x - m)/n
 *   up    S <- max(0, alpha S + (x - m - delta))      down  S <- max(0, alpha S - (x - m + delta))
 *   alarm when S > lambda and n >= min; then everything starts afresh
 *
 * lambda is in the unit of x and promises no rate of false alarms. Cost: 5 ns a record, 32 bytes.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

enum { SIDE_UP, SIDE_DOWN, SIDE_BOTH };
static const char name[] = "page-hinkley";

struct page_hinkley_options {
	double delta, lambda, alpha;
	uint32_t min;
	int side;
};

struct page_hinkley {
	struct page_hinkley_options o;
	/* state */
	uint64_t n;
	double mean, up, down;
};

static const char *const sides[] = { "up", "down", "both", NULL };

static const struct option options_table[] = {
	OPT_F64(struct page_hinkley_options, delta, "delta", "0.005", 0.0, 1e100,
	        "a change of the mean smaller than this is ignored"),
	OPT_F64(struct page_hinkley_options, lambda, "lambda", "50", 0.0, 1e100,
	        "alarm when the excursion exceeds this, in the unit of the values"),
	OPT_F64(struct page_hinkley_options, alpha, "alpha", "0.9999", 0.0, 1.0,
	        "share of the excursion that is kept from record to record"),
	OPT_U32(struct page_hinkley_options, min, "min", "30", 0, 1e9,
	        "records before the first alarm"),
	OPT_ENUM(struct page_hinkley_options, side, "side", "up", sides,
	         "direction of the change: up, down or both"),
	OPT_END,
};

static void
begin(struct page_hinkley *self, const struct page_hinkley_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
}

static void
step(void *instance, double value, double g, double threshold, struct reading *out)
{
	struct page_hinkley *self = instance;
	double x = plain_cut(value), away, up, down;

	(void)g;
	(void)threshold;
	self->n++;
	self->mean += (x - self->mean) / (double)self->n;
	away = x - self->mean;
	up = self->o.alpha * self->up + (away - self->o.delta);
	down = self->o.alpha * self->down - (away + self->o.delta);
	self->up = up > 0.0 ? up : 0.0; /* all are finite: not fmax(), which costs a call */
	self->down = down > 0.0 ? down : 0.0;
	out->statistic = self->o.side == SIDE_UP || (self->o.side == SIDE_BOTH && self->up > self->down)
	                         ? self->up : self->down;
	out->alarm = out->statistic > self->o.lambda && self->n >= self->o.min;
}

PLAIN_DETECTOR(page_hinkley)

static void
page_hinkley_reset(void *instance)
{
	struct page_hinkley *self = instance;

	self->n = 0;
	self->mean = self->up = self->down = 0.0;
}

static void
page_hinkley_save(const void *instance, struct codec *out)
{
	const struct page_hinkley *self = instance;

	codec_put_u64(out, self->n);
	codec_put_f64(out, self->mean);
	codec_put_f64(out, self->up);
	codec_put_f64(out, self->down);
}

static int
page_hinkley_load(void *instance, struct codec *in, struct diag *d)
{
	struct page_hinkley *self = instance;
	double most = 2.0 * PLAIN_VALUE_MAX;

	self->n = codec_get_u64(in);
	self->mean = codec_get_f64(in);
	self->up = codec_get_f64(in);
	self->down = codec_get_f64(in);
	most *= (double)self->n + 1.0;
	return plain_loaded(!in->bad && self->n < UINT64_MAX
	                            && plain_between(self->mean, -PLAIN_VALUE_MAX, PLAIN_VALUE_MAX)
	                            && plain_between(self->up, 0.0, most)
	                            && plain_between(self->down, 0.0, most),
	                    name, d);
}

const struct detector page_hinkley_detector = {
	.name = name,
	.summary = "a mean that leaves its running mean; compatible with River and MOA",
	.source = "contract 8; Page 1954; Hinkley 1971",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct page_hinkley_options),
	.bytes = page_hinkley_bytes,
	.create = page_hinkley_create,
	.destroy = free,
	.update = page_hinkley_update,
	.reset = page_hinkley_reset,
	.skip = plain_skip,
	.save = page_hinkley_save,
	.load = page_hinkley_load,
};
