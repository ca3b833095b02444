/* binary.c -- step bets on a rate with an estimated baseline (contract 5): did ones become more
 * frequent (ratios above 1) or rarer (below 1)?
 *
 *   theta = (a_1 + .5) / (a + 1)                       odd-numbered reference values: a_1 ones of a
 *   p = U (c + 1) / (N + 1)  if x = 1, else  (c + U (N - c + 1)) / (N + 1)      c ones of N so far
 *   q = min(r theta, (1 + theta) / 2);  L = q/theta if p < theta, else (1-q)/(1-theta)
 *   R <- (g + R) L for each ratio r;  S = mean R;  then c += x, N += 1.
 *
 * The even-numbered reference values start c and N. p is uniform for exchangeable records, so
 * E[L] = 1 whatever theta is. An alarm when S >= c keeps E[alarms] <= E[sum g] / c.
 * Cost: about 18 ns a record with the five default ratios.
 */
#include <assert.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/effect.h"
#include "detectors/kit/lanes.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/registry.h"

enum { ROWS = 8 * LANES_BLOCK };

struct binary_options {
	struct option_list ratios;
	uint32_t cap;
};

struct binary {
	struct binary_options options;
	uint64_t seed, stream;
	uint64_t reference_total; /* N at creation */
	uint64_t reference_ones;  /* c at creation */
	double theta;             /* of the odd-numbered values, the baseline of the bets */
	double rate;              /* of all reference values */
	double *factor[2];        /* [lanes] L after a miss (p >= theta) and, right behind it, a hit */
	/* state */
	uint64_t ones, total;     /* c, N */
	struct lanes lanes;
	uint64_t n;               /* contract 1 */
};

static const struct option options_table[] = {
	OPTION_ROW(struct binary_options, ratios, "ratios", OPTION_LIST, struct option_list,
	           "1.2,1.5,2,3,5", 1e-6, 1e6, NULL, "ratios new rate / old rate to bet on"),
	OPT_U32(struct binary_options, cap, "cap", "0", 0, 4294967295.0,
	        "the reference grows up to this many values; 0: without end"),
	OPT_END,
};

static uint32_t
lane_count(const struct binary_options *o)
{
	return (o->ratios.n + 7) / 8 * 8;
}

static struct binary *
layout(struct carve *c, const struct binary_options *o, double *factor[2], void **lanes)
{
	struct binary *self = carve_take(c, sizeof *self);

	factor[0] = carve_take(c, 2 * lane_count(o) * sizeof(double));
	factor[1] = factor[0] ? factor[0] + lane_count(o) : NULL;
	*lanes = carve_take(c, lanes_bytes(lane_count(o), 1));
	return self;
}

static size_t
binary_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	struct carve c = { 0 };
	double *factor[2];
	void *lanes;

	(void)ref;
	(void)phases;
	layout(&c, options, factor, &lanes);
	return c.used;
}

static void
learn(struct binary *self, const struct reference *ref)
{
	uint64_t a = 0, a1 = 0;

	for (uint32_t i = 0; ref && i < ref->n; i++) {
		uint64_t one = ref->value[i] > 0.5 ? 1 : 0;

		a += i % 2 == 0 ? 1 : 0;
		a1 += i % 2 == 0 ? one : 0;
		self->total += i % 2;
		self->ones += i % 2 ? one : 0;
	}
	self->reference_total = self->total;
	self->reference_ones = self->ones;
	self->theta = ((double)a1 + 0.5) / ((double)a + 1.0);
	self->rate = a ? (double)(a1 + self->ones) / (double)(a + self->total) : self->theta;
	for (uint32_t k = 0; k < self->options.ratios.n; k++) {
		double theta = self->theta, q = self->options.ratios.value[k] * theta;

		q = q < (1.0 + theta) / 2.0 ? q : (1.0 + theta) / 2.0;
		self->factor[0][k] = (1.0 - q) / (1.0 - theta);
		self->factor[1][k] = q / theta;
	}
}

static int
binary_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
              uint64_t seed, uint64_t stream, struct diag *d)
{
	struct carve c = { carve_memory(binary_bytes(options, ref, phases)), 0 };
	struct binary *self;
	double *factor[2];
	void *lanes;

	assert(phases == 1);
	if (!c.base)
		return diag_set(d, ERR_IO, "binary: out of memory");
	self = layout(&c, options, factor, &lanes);
	self->options = *(const struct binary_options *)options;
	self->seed = seed;
	self->stream = stream;
	memcpy(self->factor, factor, sizeof factor);
	learn(self, ref);
	lanes_init(&self->lanes, lanes, lane_count(&self->options), 1, self->options.ratios.n);
	self->lanes.bounded = true; /* at most the largest ratio */
	*out = self;
	return 0;
}

static bool
binary_accepts(const void *options, double value)
{
	(void)options;
	return !(value < 0.0) && !(value > 1.0) && (value <= 0.0 || value >= 1.0);
}

/* Many rows before the lanes. */
struct block {
	double add[ROWS][LANES_SUMS], statistic[ROWS];
	uint32_t pick[ROWS];
};

/* Fills the block; moves c and N on, so that an alarm must put back what they were. */
static void
prepare(struct binary *self, struct block *b, const double *value, uint32_t rows)
{
	uint64_t ones = self->ones, total = self->total;

	for (uint32_t i = 0; i < rows; i++) {
		double u = rng_uniform(self->seed, self->stream, self->n + i + 1);
		double c = (double)(int64_t)ones, n = (double)(int64_t)total;
		bool one = value[i] > 0.5;
		double p = (one ? u * (c + 1.0) : c + u * (n - c + 1.0)) / (n + 1.0);
		bool grows = !self->options.cap || total < self->options.cap;

		b->pick[i] = p < self->theta;
		b->add[i][0] = one;
		b->add[i][1] = b->add[i][2] = 0.0;
		ones += grows && one;
		total += grows;
	}
	self->ones = ones;
	self->total = total;
}

static uint32_t
binary_update(void *instance, const struct column *column, uint32_t from, double threshold,
              struct reading *out)
{
	struct binary *self = instance;
	struct block b;

	while (from < column->n) {
		uint32_t rows = column->n - from < ROWS ? column->n - from : ROWS, done;
		uint64_t ones = self->ones, total = self->total;
		struct lanes_rows in = { .factor = self->factor[0], .stride = self->lanes.n, .pick = b.pick,
			.gain = column->gain ? column->gain + from : NULL,
			.time_ms = column->time_ms ? column->time_ms + from : NULL,
			.add = (const double (*)[LANES_SUMS])b.add };

		prepare(self, &b, column->value + from, rows);
		done = lanes_run(&self->lanes, &in, 0, rows, threshold, b.statistic);
		for (uint32_t i = 0; i < done; i++)
			out[from + i] = (struct reading){ .statistic = b.statistic[i],
				.alarm = b.statistic[i] >= threshold };
		if (done < rows) {
			self->ones = ones;
			self->total = total;
			prepare(self, &b, column->value + from, done);
		}
		self->n += done;
		from += done;
		if (out[from - 1].alarm)
			break;
	}
	return from;
}

static void
binary_reset(void *instance)
{
	lanes_reset(&((struct binary *)instance)->lanes);
}

static void
binary_skip(void *instance, uint64_t n)
{
	((struct binary *)instance)->n += n;
}

static void
binary_change(const void *instance, struct change *out)
{
	const struct binary *self = instance;
	double since[LANES_SUMS];

	if (!detector_change_start(&self->lanes, since, out))
		return;
	out->up = self->options.ratios.value[out->cell] >= 1.0;
	out->cell = 0;
	effect_rate(since[0], self->rate, out);
}

static void
binary_save(const void *instance, struct codec *out)
{
	const struct binary *self = instance;

	codec_put_u64(out, self->n);
	codec_put_u64(out, self->ones);
	codec_put_u64(out, self->total);
	lanes_save(&self->lanes, out);
}

static int
binary_load(void *instance, struct codec *in, struct diag *d)
{
	struct binary *self = instance;
	uint64_t grown;

	self->n = codec_get_u64(in);
	self->ones = codec_get_u64(in);
	self->total = codec_get_u64(in);
	grown = self->total - self->reference_total;
	if (lanes_load(&self->lanes, in) || self->lanes.records > self->n
	    || self->total < self->reference_total || grown > self->lanes.records
	    || self->ones < self->reference_ones || self->ones - self->reference_ones > grown)
		return diag_set(d, ERR_CORRUPT, "binary: impossible state");
	return 0;
}

static bool
binary_use(void *instance, enum isa isa)
{
	return lanes_use(&((struct binary *)instance)->lanes, isa);
}

const struct detector binary_detector = {
	.name = "binary",
	.summary = "a rate that changes, against a growing estimate of it",
	.source = "contract 5 (step bets on conformal p-values of an indicator)",
	.kind = COLUMN_BINARY,
	.flags = DETECTOR_WARMS_UP | DETECTOR_THINS | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct binary_options),
	.bytes = binary_bytes,
	.create = binary_create,
	.destroy = free,
	.accepts = binary_accepts,
	.update = binary_update,
	.reset = binary_reset,
	.skip = binary_skip,
	.change = binary_change,
	.save = binary_save,
	.load = binary_load,
	.use = binary_use,
};
