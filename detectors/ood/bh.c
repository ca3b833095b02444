/* bh.c -- Benjamini-Hochberg in tumbling windows of p-values (contract 9; Benjamini and Hochberg
 * 1995).
 *
 * On a window's last record the statistic is the largest k with p_(k) <= alpha k / window, and the
 * alarm says that it is positive; of the records it points at, a share alpha at most are false in
 * expectation. Other records are empty. Cost: one insertion a record.
 */
#include <string.h>

#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/metric/metric_rank.h"
#include "detectors/registry.h"

enum { WINDOW_MAX = 100000 };
static const char name[] = "bh";

struct bh_options {
	double alpha;
	uint32_t window;
};

struct bh {
	struct bh_options o;
	/* state */
	uint32_t n;  /* of the present window */
	double p[];  /* [window] ascending */
};

static const struct option options_table[] = {
	OPT_U32(struct bh_options, window, "window", "1000", 1, WINDOW_MAX, "p-values of a window"),
	OPT_F64(struct bh_options, alpha, "alpha", "0.1", 1e-12, 1.0,
	        "expected share of false discoveries"),
	OPT_END,
};

static size_t
bh_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct bh_options *o = options;

	(void)ref;
	(void)phases;
	return sizeof(struct bh) + o->window * sizeof(double);
}

static int
bh_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
          uint64_t seed, uint64_t stream, struct diag *d)
{
	int err = plain_create(out, bh_bytes(options, ref, phases), name, d);

	(void)seed;
	(void)stream;
	if (err == 0)
		((struct bh *)*out)->o = *(const struct bh_options *)options;
	return err;
}

static void
insert(struct bh *self, double p)
{
	uint32_t low = 0, high = self->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (self->p[middle] < p)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(self->p + low + 1, self->p + low, (self->n - low) * sizeof *self->p);
	self->p[low] = p;
	self->n++;
}

static void
step(void *instance, double x, double g, double threshold, struct reading *out)
{
	struct bh *self = instance;

	(void)g;
	(void)threshold;
	insert(self, x);
	if (self->n < self->o.window)
		return;
	out->statistic = (double)metric_bh_rejections(self->p, self->n, self->o.alpha);
	out->alarm = out->statistic > 0.0;
	self->n = 0;
}

static uint32_t
bh_update(void *self, const struct column *column, uint32_t from, double threshold,
          struct reading *out)
{
	return plain_update(self, column, from, threshold, out, step);
}

static void
bh_save(const void *instance, struct codec *out)
{
	const struct bh *self = instance;

	codec_put_u32(out, self->n);
	codec_put_f64s(out, self->p, self->n);
}

static int
bh_load(void *instance, struct codec *in, struct diag *d)
{
	struct bh *self = instance;
	uint32_t n = codec_get_u32(in);
	bool fine = !in->bad && n < self->o.window;

	self->n = fine ? n : 0;
	codec_get_f64s(in, self->p, self->n);
	for (uint32_t i = 0; i < self->n; i++)
		fine = fine && plain_between(self->p[i], i > 0 ? self->p[i - 1] : 0.0, 1.0);
	return plain_loaded(fine && !in->bad, name, d);
}

const struct detector bh_detector = {
	.name = name,
	.summary = "discoveries among the p-values of each window",
	.source = "contract 9; Benjamini and Hochberg 1995",
	.kind = COLUMN_UNIT,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct bh_options),
	.bytes = bh_bytes,
	.create = bh_create,
	.destroy = free,
	.accepts = plain_is_probability,
	.update = bh_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = bh_save,
	.load = bh_load,
};
