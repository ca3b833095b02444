/* tolerant.c -- has a number moved by more than its tolerance d? (contract 4b; numeric streams)
 *
 * Null: given the past, F(x - d) <= law of the next value <= F(x + d), F the law of its key's
 * reference, and the same within d' for the distance |x - m| from the key's median. Twenty bets on
 * each of the two:
 *
 *     up    bin of x - d:  p = (G + U (E + 1)) / (N + 1)        down  bin of x + d:  1 - p of it
 *     four densities b (1-p)^(b-1), b = 1.1 1.3 2 4, less 3 standard errors of the reference
 *     six steps: x - d (x + d) in the tail of alpha = .5 .1 .02, or not, at odds 1.5 and 3
 *     R <- (g + R) L for each of the 40,  S = mean of R,  alarm when S >= c
 *
 * E[alarms] <= E[sum g] / c while the null holds (Shiryaev-Roberts; contract 2). The tables are
 * built in tolerant_law.c, where the four searches become one. Cost: that search and 40 lanes.
 */
#include "detectors/shift/tolerant.h"

#include <math.h>
#include <stdlib.h>
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
#include "detectors/shift/tolerant_law.h"

#define SIGMA_PER_RANK 3.5449077018110318 /* 2 sqrt(pi): slope of the normal quantile at .5 */
#define INTERVAL_Z 1.959963984540054
enum { SHORT_DAYS = 6, SHORT_VALUES = 200, CHUNK = 2 * LANES_BLOCK };

static const struct option tolerant_options[] = {
	OPT_F64(struct tolerant_options, min_effect, "min_effect", "0.1", 0, 1e6,
	        "Shift that is forgiven at least, in standard deviations of the reference."),
	OPT_U32(struct tolerant_options, bins, "bins", "256", 2, 4096,
	        "Bins of equal mass that the reference is cut into."),
	OPT_U32(struct tolerant_options, cycle, "cycle", "1", 1, 366,
	        "Days after which the seasonal keys recur: 1, or 7 for hours of the week."),
	OPT_END,
};

struct tolerant {
	uint64_t seed, stream;
	uint64_t drawn; /* records that had a p-value, or were skipped (contract 1) */
	struct tolerant_law law;
	struct lanes lanes;
};

/* What a chunk of records gives to the lanes. */
struct chunk {
	_Alignas(64) double factor[CHUNK][TOLERANT_LANES];
	double add[CHUNK][LANES_SUMS];
	double statistic[CHUNK];
	uint32_t place[CHUNK];
};

bool
tolerant_short(const struct reference *thinned, uint32_t cycle)
{
	return thinned->days < cycle + SHORT_DAYS || thinned->n < SHORT_VALUES;
}

/* Places of the tables and the lanes behind the struct itself. */
static size_t
layout(uint8_t *base, const struct tolerant_options *o, const struct reference *ref,
       uint32_t phases, void **law, void **lanes)
{
	struct carve c = { base, 0 };

	carve_take(&c, sizeof(struct tolerant));
	*law = carve_take(&c, tolerant_law_bytes(o, ref));
	*lanes = carve_take(&c, lanes_bytes(TOLERANT_LANES, phases));
	return c.used;
}

static size_t
tolerant_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	void *law, *lanes;

	return layout(NULL, options, ref, phases, &law, &lanes);
}

static int
tolerant_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                uint64_t seed, uint64_t stream, struct diag *d)
{
	struct tolerant *t;
	void *law, *lanes;
	size_t bytes;
	int err;

	*out = NULL;
	if (!ref || ref->n < 2)
		return diag_set(d, ERR_INVALID, "tolerant needs a reference of at least 2 values");
	bytes = tolerant_bytes(options, ref, phases);
	t = carve_memory(bytes);
	if (!t)
		return diag_set(d, ERR_IO, "no memory: %zu bytes", bytes);
	layout((uint8_t *)t, options, ref, phases, &law, &lanes);
	t->seed = seed;
	t->stream = stream;
	err = tolerant_law_init(&t->law, law, options, ref, d);
	if (err) {
		free(t);
		return err;
	}
	lanes_init(&t->lanes, lanes, TOLERANT_LANES, phases, TOLERANT_LANES);
	t->lanes.bounded = true; /* densities up to 4, odds up to 3 */
	*out = t;
	return 0;
}

static void
tolerant_destroy(void *self)
{
	free(self);
}

/* Four doubles, as one or two vectors. */
typedef double quad __attribute__((vector_size(32), may_alias, aligned(8)));

static inline __attribute__((always_inline)) void
copy_row(double *to, const double *from, uint32_t n)
{
#pragma GCC unroll 4
	for (uint32_t i = 0; i < n; i += 4)
		*(quad *)(to + i) = *(const quad *)(from + i);
}

/* The 40 factors of each record, and its mid-ranks: of x, of |x - m|, and x. The first 16 factors are the
 * densities of the four searches, then come their steps. */
static inline __attribute__((always_inline)) void
look_up(const struct tolerant *t, const uint32_t *k, const double *x, uint32_t rows, struct chunk *c)
{
	const struct tolerant_law *law = &t->law;
	const quad scale = *(const quad *)law->scale;

	for (uint32_t i = 0; i < rows; i++) {
		const struct tolerant_key *key = &law->key[k ? k[i] : 0];
		const struct tolerant_place *place = &key->place[c->place[i]];
		double u = rng_uniform(t->seed, t->stream, t->drawn + i + 1);
		double *density = c->factor[i], *step = density + TOLERANT_SEARCHES * TOLERANT_BETAS;

#pragma GCC unroll 2
		for (uint32_t v = 0; v < TOLERANT_VARIABLES; v++) {
			const struct tolerant_bin *up = key->bin[v] + place->bin[2 * v];
			const struct tolerant_bin *down = key->bin[v] + place->bin[2 * v + 1];
			double p = up->above + u * up->equal;
			double q = TOLERANT_CELLS - (down->above + u * down->equal);
			double both = (up->above + down->above) + .5 * (up->equal + down->equal);

			*(quad *)(density + 8 * v) = *(const quad *)law->density[(uint32_t)(int32_t)p] * scale;
			*(quad *)(density + 8 * v + 4) =
				*(const quad *)law->density[(uint32_t)(int32_t)q] * scale;
			copy_row(step + 2 * TOLERANT_STEPS * v, key->step[v][place->step[v]],
			         2 * TOLERANT_STEPS);
			c->add[i][v] = key->rank[0] - key->rank[1] * both;
		}
		c->add[i][2] = x[i] > EFFECT_VALUE_MAX ? EFFECT_VALUE_MAX
		               : x[i] < -EFFECT_VALUE_MAX ? -EFFECT_VALUE_MAX : x[i];
	}
}

static void
look_up_base(const struct tolerant *t, const uint32_t *k, const double *x, uint32_t rows, struct chunk *c)
{
	look_up(t, k, x, rows, c);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
look_up_avx2(const struct tolerant *t, const uint32_t *k, const double *x, uint32_t rows, struct chunk *c)
{
	look_up(t, k, x, rows, c);
}
#endif

/* The places of a chunk's values, and what follows from them. */
static void
prepare(const struct tolerant *t, const uint32_t *k, const double *x, uint32_t rows, struct chunk *c)
{
	if (!k)
		edges_index_bins(&t->law.key->index, x, rows, c->place);
	for (uint32_t i = 0; k && i < rows; i++)
		edges_index_bins(&t->law.key[k[i]].index, &x[i], 1, &c->place[i]);
#if defined(__x86_64__)
	if (t->law.key->index.isa >= ISA_AVX2) {
		look_up_avx2(t, k, x, rows, c);
		return;
	}
#endif
	look_up_base(t, k, x, rows, c);
}

static uint32_t
tolerant_update(void *self, const struct column *column, uint32_t from, double threshold,
                struct reading *out)
{
	struct tolerant *t = self;
	struct chunk chunk;

	while (from < column->n) {
		uint32_t rows = column->n - from < CHUNK ? column->n - from : CHUNK, done;
		const uint32_t *k = column->key ? column->key + from : NULL;
		struct lanes_rows in = {
			.factor = chunk.factor[0],
			.stride = TOLERANT_LANES,
			.gain = column->gain ? column->gain + from : NULL,
			.phase = column->phase ? column->phase + from : NULL,
			.time_ms = column->time_ms ? column->time_ms + from : NULL,
			.add = (const double(*)[LANES_SUMS])chunk.add,
		};

		prepare(t, k, column->value + from, rows, &chunk);
		done = lanes_run(&t->lanes, &in, 0, rows, threshold, chunk.statistic);
		for (uint32_t i = 0; i < done; i++)
			out[from + i] = (struct reading){ chunk.statistic[i], 0, false };
		t->drawn += done;
		from += done;
		if (chunk.statistic[done - 1] >= threshold) {
			out[from - 1].alarm = true;
			break;
		}
	}
	return from;
}

static void
tolerant_reset(void *self)
{
	struct tolerant *t = self;

	lanes_reset(&t->lanes);
}

static void
tolerant_skip(void *self, uint64_t n)
{
	struct tolerant *t = self;

	t->drawn += n;
}

/* Which of the four searches a lane belongs to. */
static uint32_t
lane_search(uint32_t lane)
{
	uint32_t densities = TOLERANT_SEARCHES * TOLERANT_BETAS;

	return lane < densities ? lane / TOLERANT_BETAS : (lane - densities) / TOLERANT_STEPS;
}

static void
tolerant_change(const void *self, struct change *out)
{
	const struct tolerant *t = self;
	double since[LANES_SUMS], n, half, of_x, of_spread;

	if (!detector_change_start(&t->lanes, since, out))
		return;
	n = (double)out->records;
	out->up = lane_search(out->cell) % 2 == 0;
	out->cell = 0;
	of_x = (since[0] / n - .5) * SIGMA_PER_RANK;
	of_spread = (since[1] / n - .5) * SIGMA_PER_RANK;
	half = INTERVAL_Z * SIGMA_PER_RANK * sqrt(1 / (12 * n));
	out->effect = fabs(of_x) >= fabs(of_spread) ? of_x : of_spread;
	out->low = out->effect - half;
	out->high = out->effect + half;
	out->old_value = t->law.mean;
	out->new_value = since[2] / n;
}

static void
tolerant_save(const void *self, struct codec *out)
{
	const struct tolerant *t = self;

	codec_put_u64(out, t->drawn);
	lanes_save(&t->lanes, out);
}

static int
tolerant_load(void *self, struct codec *in, struct diag *d)
{
	struct tolerant *t = self;

	t->drawn = codec_get_u64(in);
	if (lanes_load(&t->lanes, in) || t->drawn < t->lanes.records)
		return diag_set(d, ERR_CORRUPT, "the saved state of tolerant is damaged");
	return 0;
}

static bool
tolerant_use(void *self, enum isa isa)
{
	struct tolerant *t = self;

	for (uint32_t k = 0; k < t->law.keys; k++)
		t->law.key[k].index.isa = isa;
	return lanes_use(&t->lanes, isa);
}

const struct detector tolerant_detector = {
	.name = "tolerant",
	.summary = "Has a number moved by more than the tolerance, in level or in spread?",
	.source = "contract 4b",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_NEEDS_REFERENCE | DETECTOR_THINS | DETECTOR_METERED | DETECTOR_KEYED,
	.options = tolerant_options,
	.options_size = sizeof(struct tolerant_options),
	.bytes = tolerant_bytes,
	.create = tolerant_create,
	.destroy = tolerant_destroy,
	.update = tolerant_update,
	.reset = tolerant_reset,
	.skip = tolerant_skip,
	.change = tolerant_change,
	.save = tolerant_save,
	.load = tolerant_load,
	.use = tolerant_use,
};
