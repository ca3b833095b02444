/* conformal.c -- binned conformal test with a growing reference (contract 4): does the law of a
 * number change, in any way that moves its rank?
 *
 *   p = (G + U (E + 1)) / (N + 1)           G values in higher bins, E in the same, N in all
 *   L_k = average of the density of Beta bet k over cell floor(1024 p), k = 1..10
 *   J: w_e <- .99 w_e + .01/3, L_J = sum w_e (1 + e (p - .5)), w_e <- w_e (1 + e (p - .5)) / L_J
 *   R <- (g + R) L for each; S = .5 mean_k R_k + .5 R_J; then x joins its bin.
 *
 * Odd-numbered reference values fix the edges, even-numbered ones fill the counts. R_J is kept in
 * ten equal lanes, so that S is one equal-weight sum. An alarm when S >= c keeps E[alarms] <=
 * E[sum g] / c for exchangeable records. Vovk, Gammerman, Shafer 2005 (conformal p-values); Vovk
 * et al. 2021 (simple jumper); contract 2 (Shiryaev-Roberts).
 * Cost at 256 bins: one search, one histogram update, 24 lanes.
 */
#include <assert.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/bets.h"
#include "detectors/kit/bins.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/effect.h"
#include "detectors/kit/lanes.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/sort.h"
#include "detectors/registry.h"

struct conformal_options {
	uint32_t bins, cap;
};

struct conformal {
	struct conformal_options options;
	uint64_t seed, stream;
	const bets_row *table;
	struct effect_ranks ranks;
	uint32_t reference_total; /* N at creation */
	/* state */
	struct bins bins;
	struct jumper jumper;
	struct lanes lanes;
	uint64_t n; /* contract 1 */
};

static const struct option options_table[] = {
	OPT_U32(struct conformal_options, bins, "bins", "256", 2, 4096,
	        "equal-mass bins of the reference"),
	OPT_U32(struct conformal_options, cap, "cap", "0", 0, 4294967295.0,
	        "the reference grows up to this many values; 0: without end"),
	OPT_END,
};

static struct conformal *
layout(struct carve *c, const struct conformal_options *o, struct bins *bins,
       struct effect_ranks *ranks, void **lanes)
{
	struct conformal *self = carve_take(c, sizeof *self);

	bins_carve(bins, c, o->bins);
	effect_carve(ranks, c, o->bins);
	*lanes = carve_take(c, lanes_bytes(BETS_LANES, 1));
	return self;
}

static size_t
conformal_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	struct carve c = { 0 };
	struct bins bins;
	struct effect_ranks ranks;
	void *lanes;

	(void)ref;
	(void)phases;
	layout(&c, options, &bins, &ranks, &lanes);
	return c.used;
}

/* Edges, counts and ranks from the reference; scratch[n]. */
static void
learn(struct conformal *self, const struct reference *ref, double *scratch)
{
	uint32_t n = ref ? ref->n : 0, odd = (n + 1) / 2;

	for (uint32_t i = 0; i < odd; i++)
		scratch[i] = ref->value[2 * i];
	sort_doubles(scratch, odd);
	bins_init(&self->bins, self->options.bins, scratch, odd);
	for (uint32_t i = 1; i < n; i += 2)
		bins_add(&self->bins, bins_find(&self->bins, ref->value[i]), 1);
	self->reference_total = self->bins.total;
	if (n)
		memcpy(scratch, ref->value, n * sizeof *scratch);
	sort_doubles(scratch, n);
	effect_init(&self->ranks, self->bins.edge, self->bins.edges, scratch, n);
}

static int
conformal_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                 uint64_t seed, uint64_t stream, struct diag *d)
{
	struct carve c = { carve_memory(conformal_bytes(options, ref, phases)), 0 };
	double *scratch = malloc(((ref ? ref->n : 0) + (size_t)1) * sizeof *scratch);
	struct bins bins;
	struct effect_ranks ranks;
	struct conformal *self;
	void *lanes;

	assert(phases == 1);
	if (!c.base || !scratch) {
		free(c.base);
		free(scratch);
		return diag_set(d, ERR_IO, "conformal: out of memory");
	}
	self = layout(&c, options, &bins, &ranks, &lanes);
	self->options = *(const struct conformal_options *)options;
	self->seed = seed;
	self->stream = stream;
	self->table = bets_table();
	self->bins = bins;
	self->ranks = ranks;
	learn(self, ref, scratch);
	jumper_reset(&self->jumper);
	lanes_init(&self->lanes, lanes, BETS_LANES, 1, BETS_REAL);
	self->lanes.bounded = true; /* densities of 1024 cells, and the jumper's 3/2 */
	free(scratch);
	*out = self;
	return 0;
}

/* One block of rows before the lanes: everything of a row that the next row needs. */
struct block {
	_Alignas(64) double factor[LANES_BLOCK][BETS_LANES];
	double add[LANES_BLOCK][LANES_SUMS], statistic[LANES_BLOCK];
	double p[LANES_BLOCK];
	uint32_t bin[LANES_BLOCK];
	bool grown[LANES_BLOCK];
};

/* Ranks first: their divisions then do not wait for the jumper. */
static inline __attribute__((always_inline)) void
rank_and_bet(struct conformal *self, struct block *b, uint32_t rows)
{
	struct jumper jumper = self->jumper;

	for (uint32_t i = 0; i < rows; i++) {
		double u = rng_uniform(self->seed, self->stream, self->n + i + 1);

		b->p[i] = bins_p(&self->bins, b->bin[i], u);
		b->grown[i] = bins_grow(&self->bins, b->bin[i], self->options.cap);
	}
	for (uint32_t i = 0; i < rows; i++)
		bets_factors(self->table, b->p[i], jumper_step(&jumper, b->p[i]), b->factor[i]);
	self->jumper = jumper;
}

static void
rank_and_bet_base(struct conformal *self, struct block *b, uint32_t rows)
{
	rank_and_bet(self, b, rows);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
rank_and_bet_avx2(struct conformal *self, struct block *b, uint32_t rows)
{
	rank_and_bet(self, b, rows);
}
#endif

static void
prepare(struct conformal *self, struct block *b, const double *value, uint32_t rows)
{
	edges_index_bins(&self->bins.index, value, rows, b->bin);
	effect_adds(&self->ranks, b->bin, value, rows, b->add);
#if defined(__x86_64__)
	if (self->bins.index.isa >= ISA_AVX2) {
		rank_and_bet_avx2(self, b, rows);
		return;
	}
#endif
	rank_and_bet_base(self, b, rows);
}

static uint32_t
conformal_update(void *instance, const struct column *column, uint32_t from, double threshold,
                 struct reading *out)
{
	struct conformal *self = instance;
	struct jumper before;
	struct block b;

	while (from < column->n) {
		uint32_t rows = LANES_BLOCK - self->lanes.block_n, done;
		struct lanes_rows in = { .factor = b.factor[0], .stride = BETS_LANES,
			.gain = column->gain ? column->gain + from : NULL,
			.time_ms = column->time_ms ? column->time_ms + from : NULL,
			.add = (const double (*)[LANES_SUMS])b.add };

		rows = rows < column->n - from ? rows : column->n - from;
		if (self->lanes.block_n == 0)
			jumper_scale(&self->jumper);
		before = self->jumper;
		prepare(self, &b, column->value + from, rows);
		done = lanes_run(&self->lanes, &in, 0, rows, threshold, b.statistic);
		for (uint32_t i = 0; i < done; i++)
			out[from + i] = (struct reading){ .statistic = b.statistic[i],
				.alarm = b.statistic[i] >= threshold };
		/* What the rows after an alarm changed is taken back. */
		for (uint32_t i = rows; i-- > done;)
			if (b.grown[i])
				bins_add(&self->bins, b.bin[i], UINT32_MAX);
		if (done < rows) {
			self->jumper = before;
			for (uint32_t i = 0; i < done; i++)
				jumper_step(&self->jumper, b.p[i]);
		}
		self->n += done;
		from += done;
		if (out[from - 1].alarm)
			break;
	}
	return from;
}

static void
conformal_reset(void *instance)
{
	struct conformal *self = instance;

	lanes_reset(&self->lanes);
	jumper_reset(&self->jumper);
}

static void
conformal_skip(void *instance, uint64_t n)
{
	((struct conformal *)instance)->n += n;
}

static void
conformal_change(const void *instance, struct change *out)
{
	const struct conformal *self = instance;
	double since[LANES_SUMS];
	int direction;

	if (!detector_change_start(&self->lanes, since, out))
		return;
	direction = bets_direction(out->cell);
	out->cell = 0;
	effect_numeric(&self->ranks, since, out);
	out->up = direction ? direction > 0 : out->effect > 0.0;
}

static void
conformal_save(const void *instance, struct codec *out)
{
	const struct conformal *self = instance;

	codec_put_u64(out, self->n);
	bins_save(&self->bins, out);
	jumper_save(&self->jumper, out);
	lanes_save(&self->lanes, out);
}

static int
conformal_load(void *instance, struct codec *in, struct diag *d)
{
	struct conformal *self = instance;
	bool ok;

	self->n = codec_get_u64(in);
	ok = bins_load(&self->bins, in);
	ok = jumper_load(&self->jumper, in) && ok;
	if (lanes_load(&self->lanes, in) || !ok || self->lanes.records > self->n
	    || self->bins.total < self->reference_total
	    || self->bins.total - self->reference_total > self->lanes.records)
		return diag_set(d, ERR_CORRUPT, "conformal: impossible state");
	return 0;
}

static bool
conformal_use(void *instance, enum isa isa)
{
	struct conformal *self = instance;

	self->bins.index.isa = isa;
	return lanes_use(&self->lanes, isa);
}

const struct detector conformal_detector = {
	.name = "conformal",
	.summary = "any change of the law of a number, by growing conformal ranks",
	.source = "contract 4; Vovk, Gammerman, Shafer 2005; Vovk et al. 2021 (simple jumper)",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_WARMS_UP | DETECTOR_THINS | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct conformal_options),
	.bytes = conformal_bytes,
	.create = conformal_create,
	.destroy = free,
	.update = conformal_update,
	.reset = conformal_reset,
	.skip = conformal_skip,
	.change = conformal_change,
	.save = conformal_save,
	.load = conformal_load,
	.use = conformal_use,
};
