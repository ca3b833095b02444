/* adwin.c -- adaptive window (contract 8; ADWIN2, Bifet and Gavalda 2007, as River 0.26.1 does it).
 *
 * The window is kept in buckets of 2^i values, at most `max_buckets` of each size; of a bucket the
 * sum u and the squares about its mean v. When a row is full its two oldest, of size s, merge:
 *   v = v1 + v2 + s/2 (u1/s - u2/s)^2
 * Every `clock` records, with W values in the window (W > grace), each boundary between buckets is
 * a cut into n0 older and n1 younger values (both >= min_window):
 *   dlt = ln(2 ln W / delta);  k = 1/(n0 - min_window + 1) + 1/(n1 - min_window + 1)
 *   eps = sqrt(2 k V/W dlt) + 2/3 dlt k;     change when |mean0 - mean1| > eps
 * and the oldest bucket is dropped until no cut is left. After a change everything starts afresh.
 * Statistic: mean of the window. Memory O(max_buckets log W); cost: 40 ns a record at clock 32.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

enum { ROWS = 48, BUCKETS_MAX = 64 }; /* 2^48 values are more than any stream has */
static const char name[] = "adwin";

struct adwin_options {
	double delta;
	uint32_t clock, max_buckets, min_window, grace;
};

struct bucket {
	double u, v;
};

struct adwin {
	struct adwin_options o;
	/* state */
	uint64_t clock; /* records since the start */
	double width, total, squares;
	uint32_t rows;  /* rows in use */
	uint32_t count[ROWS];
	struct bucket bucket[]; /* [ROWS][max_buckets + 1], oldest first */
};

static const struct option options_table[] = {
	OPT_F64(struct adwin_options, delta, "delta", "0.002", 1e-300, 1.0, "level of the cuts"),
	OPT_U32(struct adwin_options, clock, "clock", "32", 1, 1e9, "records between two checks"),
	OPT_U32(struct adwin_options, max_buckets, "max_buckets", "5", 1, BUCKETS_MAX,
	        "buckets of one size before two of them merge"),
	OPT_U32(struct adwin_options, min_window, "min_window", "5", 1, 1e9,
	        "values on each side of a cut"),
	OPT_U32(struct adwin_options, grace, "grace", "10", 1, 1e9,
	        "no check before the window holds more values than this"),
	OPT_END,
};

static struct bucket *
row(struct adwin *self, uint32_t i)
{
	return self->bucket + (size_t)i * (self->o.max_buckets + 1);
}

static size_t
adwin_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct adwin_options *o = options;

	(void)ref;
	(void)phases;
	return sizeof(struct adwin) + (size_t)ROWS * (o->max_buckets + 1) * sizeof(struct bucket);
}

static int
adwin_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
             uint64_t seed, uint64_t stream, struct diag *d)
{
	int err = plain_create(out, adwin_bytes(options, ref, phases), name, d);

	(void)seed;
	(void)stream;
	if (err == 0)
		((struct adwin *)*out)->o = *(const struct adwin_options *)options;
	return err;
}

static void
drop_oldest(struct adwin *self, uint32_t i, uint32_t buckets)
{
	struct bucket *b = row(self, i);

	for (uint32_t k = buckets; k < self->count[i]; k++)
		b[k - buckets] = b[k];
	self->count[i] -= buckets;
}

static void
insert(struct adwin *self, double x)
{
	double size = 1.0;

	self->width += 1.0;
	if (self->width > 1.0) {
		double away = x - self->total / (self->width - 1.0);

		self->squares += (self->width - 1.0) * away * away / self->width;
	}
	self->total += x;
	row(self, 0)[self->count[0]++] = (struct bucket){ x, 0.0 };
	self->rows = self->rows > 0 ? self->rows : 1;
	for (uint32_t i = 0; i + 1 < ROWS && self->count[i] > self->o.max_buckets; i++) {
		const struct bucket *a = row(self, i), *b = a + 1;
		double away = a->u / size - b->u / size;
		struct bucket both = { a->u + b->u, a->v + b->v + 0.5 * size * away * away };

		drop_oldest(self, i, 2);
		row(self, i + 1)[self->count[i + 1]++] = both;
		self->rows = self->rows > i + 1 ? self->rows : i + 2;
		size *= 2.0;
	}
	/* The last row is never full in practice; if it is, its oldest values are forgotten. */
	if (self->count[ROWS - 1] > self->o.max_buckets)
		drop_oldest(self, ROWS - 1, 1);
}

/* Is there a cut? */
static bool
cut(struct adwin *self)
{
	double level = log(2.0 * log(self->width) / self->o.delta), min = self->o.min_window;
	double variance = fmax(0.0, self->squares) / self->width;
	double n0 = 0.0, u0 = 0.0, size = (double)(UINT64_C(1) << (self->rows - 1));

	for (uint32_t i = self->rows; i-- > 0; size *= 0.5) {
		const struct bucket *b = row(self, i);

		for (uint32_t k = 0; k < self->count[i]; k++) {
			double n1, away, inverse;

			n0 += size;
			u0 += b[k].u;
			n1 = self->width - n0;
			if (n1 < min || n1 <= 0.0)
				return false;
			if (n0 < min)
				continue;
			away = fabs(u0 / n0 - (self->total - u0) / n1);
			inverse = 1.0 / (n0 - min + 1.0) + 1.0 / (n1 - min + 1.0);
			if (away > sqrt(2.0 * inverse * variance * level)
			                   + 2.0 / 3.0 * level * inverse)
				return true;
		}
	}
	return false;
}

static void
forget_oldest(struct adwin *self)
{
	uint32_t last = self->rows - 1;
	double size = (double)(UINT64_C(1) << last), away;
	struct bucket b = row(self, last)[0];

	self->width -= size;
	self->total -= b.u;
	away = b.u / size - self->total / self->width;
	self->squares -= b.v + size * self->width * away * away / (size + self->width);
	drop_oldest(self, last, 1);
	while (self->rows > 1 && self->count[self->rows - 1] == 0)
		self->rows--;
}

static void
step(void *instance, double value, double g, double threshold, struct reading *out)
{
	struct adwin *self = instance;

	(void)g;
	(void)threshold;
	self->clock++;
	insert(self, plain_cut(value));
	if (self->clock % self->o.clock == 0 && self->width > self->o.grace)
		while (self->width > 1.0 && cut(self)) {
			forget_oldest(self);
			out->alarm = true;
		}
	out->statistic = self->total / self->width;
}

static uint32_t
adwin_update(void *self, const struct column *column, uint32_t from, double threshold,
             struct reading *out)
{
	return plain_update(self, column, from, threshold, out, step);
}

static void
adwin_reset(void *instance)
{
	struct adwin *self = instance;

	self->clock = 0;
	self->width = self->total = self->squares = 0.0;
	self->rows = 0;
	for (uint32_t i = 0; i < ROWS; i++)
		self->count[i] = 0;
}

static void
adwin_save(const void *instance, struct codec *out)
{
	const struct adwin *self = instance;

	codec_put_u64(out, self->clock);
	codec_put_f64(out, self->total);
	codec_put_f64(out, self->squares);
	codec_put_u32(out, self->rows);
	for (uint32_t i = 0; i < self->rows; i++) {
		const struct bucket *b = self->bucket + (size_t)i * (self->o.max_buckets + 1);

		codec_put_u32(out, self->count[i]);
		for (uint32_t k = 0; k < self->count[i]; k++) {
			codec_put_f64(out, b[k].u);
			codec_put_f64(out, b[k].v);
		}
	}
}

static int
adwin_load(void *instance, struct codec *in, struct diag *d)
{
	struct adwin *self = instance;
	const double most = PLAIN_VALUE_MAX * 0x1p54;
	double size = 1.0, width = 0.0;
	bool fine;

	adwin_reset(self);
	self->clock = codec_get_u64(in);
	self->total = codec_get_f64(in);
	self->squares = codec_get_f64(in);
	self->rows = codec_get_u32(in);
	fine = !in->bad && self->rows <= ROWS && plain_between(self->total, -most, most)
	       && plain_between(self->squares, -most * PLAIN_VALUE_MAX, most * PLAIN_VALUE_MAX);
	for (uint32_t i = 0; fine && i < self->rows; i++, size *= 2.0) {
		uint32_t count = codec_get_u32(in);

		fine = !in->bad && count <= self->o.max_buckets
		       && (count > 0 || i + 1 < self->rows);
		self->count[i] = fine ? count : 0;
		for (uint32_t k = 0; fine && k < count; k++) {
			struct bucket *b = &row(self, i)[k];

			b->u = codec_get_f64(in);
			b->v = codec_get_f64(in);
			fine = plain_between(b->u, -most, most)
			       && plain_between(b->v, 0.0, most * PLAIN_VALUE_MAX);
			width += size;
		}
	}
	fine = fine && !in->bad && width <= (double)self->clock
	       && (self->rows > 0) == (self->clock > 0);
	self->width = width;
	return plain_loaded(fine, name, d);
}

const struct detector adwin_detector = {
	.name = name,
	.summary = "a mean that differs between two parts of an adaptive window; as in River",
	.source = "contract 8; Bifet and Gavalda 2007",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct adwin_options),
	.bytes = adwin_bytes,
	.create = adwin_create,
	.destroy = free,
	.update = adwin_update,
	.reset = adwin_reset,
	.skip = plain_skip,
	.save = adwin_save,
	.load = adwin_load,
};
