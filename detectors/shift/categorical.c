/* categorical.c -- step bets on the share of every category, with estimated baselines (contract 5).
 *
 *   theta_k = (a_k + .5) / (a + .5 K)         odd-numbered reference values: a_k of a in cell k
 *   p_k = U (c_k + 1) / (N + 1)  if x is in cell k, else  (c_k + U (N - c_k + 1)) / (N + 1)
 *   q = min(r theta_k, (1 + theta_k) / 2);  L = q/theta_k if p_k < theta_k, else (1-q)/(1-theta_k)
 *   R <- (g + R) L for each cell and ratio;  S = mean R;  then c_x += 1, N += 1.
 *
 * Cells: the `top` most frequent categories of the odd half, __other__ if it has more, __new__.
 * One U serves all cells. The even half starts c and N. An alarm when S >= c keeps E[alarms] <=
 * E[sum g] / c for each bet alone; of the mean it is approximate under joint stopping (contract 2).
 * Cost: about 1.1 ns per cell and ratio: 85 ns for 13 cells with the six default ratios.
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
#include "detectors/kit/shares.h"
#include "detectors/registry.h"

struct categorical_options {
	struct option_list ratios;
	uint32_t top, cap;
};

struct categorical {
	struct categorical_options options;
	uint64_t seed, stream;
	uint32_t cells, codes;    /* K; codes known to cell_of */
	uint32_t *cell_of;        /* [codes] */
	double *theta, *share;    /* [K] of the odd half; of the whole reference */
	double *factor[2];        /* [lanes] L after a miss and a hit; lane cell * ratios + ratio */
	double *row;              /* [LANES_BLOCK][lanes] scratch of an update */
	uint64_t *reference_count; /* [K] c at creation */
	/* state */
	uint64_t *count, total;   /* c_k, N */
	struct lanes lanes;       /* own sums: how often the lane's cell was hit */
	uint64_t n;               /* contract 1 */
};

static const struct option options_table[] = {
	OPTION_ROW(struct categorical_options, ratios, "ratios", OPTION_LIST, struct option_list,
	           ".5,.8,1.25,1.5,2,5", 1e-6, 1e6, NULL, "ratios new share / old share to bet on"),
	OPT_U32(struct categorical_options, top, "top", "63", 1, 1024,
	        "categories that get a cell of their own, by frequency"),
	OPT_U32(struct categorical_options, cap, "cap", "0", 0, 4294967295.0,
	        "the reference grows up to this many values; 0: without end"),
	OPT_END,
};

/* Room is taken for as many cells as there can be. */
static uint32_t
cells_max(const struct categorical_options *o, const struct reference *ref)
{
	uint32_t categories = ref ? ref->categories : 0;

	return (categories < o->top ? categories : o->top) + 2;
}

static struct categorical *
layout(struct carve *c, const struct categorical_options *o, const struct reference *ref,
       struct categorical *at, void *memory[2])
{
	struct categorical *self = carve_take(c, sizeof *self);
	uint32_t cells = cells_max(o, ref), lanes = (cells * o->ratios.n + 7) / 8 * 8;

	at->cell_of = carve_take(c, (ref ? ref->categories : 0) * sizeof *at->cell_of);
	at->theta = carve_take(c, cells * sizeof(double));
	at->share = carve_take(c, cells * sizeof(double));
	at->factor[0] = carve_take(c, lanes * sizeof(double));
	at->factor[1] = carve_take(c, lanes * sizeof(double));
	at->row = carve_take(c, (size_t)LANES_BLOCK * lanes * sizeof(double));
	at->reference_count = carve_take(c, cells * sizeof *at->reference_count);
	at->count = carve_take(c, cells * sizeof *at->count);
	memory[0] = carve_take(c, lanes_bytes(lanes, 1));
	memory[1] = carve_take(c, lanes_own_bytes(lanes));
	return self;
}

static size_t
categorical_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	struct carve c = { 0 };
	struct categorical at = { 0 };
	void *memory[2];

	(void)phases;
	layout(&c, options, ref, &at, memory);
	return c.used;
}

static inline uint32_t
cell_of(const struct categorical *self, uint32_t code)
{
	return code < self->codes ? self->cell_of[code] : self->cells - 1;
}

static void
learn(struct categorical *self, const struct reference *ref)
{
	uint32_t n = ref ? ref->n : 0, ratios = self->options.ratios.n;
	double a = (n + 1) / 2, k_half = 0.5 * self->cells;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t cell = cell_of(self, ref->code[i]);

		self->share[cell] += 1.0;
		self->theta[cell] += i % 2 == 0 ? 1.0 : 0.0;
		self->count[cell] += i % 2;
		self->total += i % 2;
	}
	for (uint32_t cell = 0; cell < self->cells; cell++) {
		double theta = (self->theta[cell] + 0.5) / (a + k_half);

		self->reference_count[cell] = self->count[cell];
		self->theta[cell] = theta;
		self->share[cell] = n ? self->share[cell] / n : theta;
		for (uint32_t r = 0; r < ratios; r++) {
			double q = self->options.ratios.value[r] * theta;

			q = q < (1.0 + theta) / 2.0 ? q : (1.0 + theta) / 2.0;
			/* One cell that holds everything is always hit. */
			self->factor[0][cell * ratios + r] =
				theta < 1.0 ? (1.0 - q) / (1.0 - theta) : 0.0;
			self->factor[1][cell * ratios + r] = q / theta;
		}
	}
}

static int
categorical_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                   uint64_t seed, uint64_t stream, struct diag *d)
{
	struct carve c = { carve_memory(categorical_bytes(options, ref, phases)), 0 };
	struct categorical *self, at = { .options = *(const struct categorical_options *)options };
	void *memory[2];
	uint32_t real;

	assert(phases == 1);
	if (!c.base)
		return diag_set(d, ERR_IO, "categorical: out of memory");
	self = layout(&c, options, ref, &at, memory);
	*self = at;
	self->seed = seed;
	self->stream = stream;
	self->codes = ref ? ref->categories : 0;
	self->cells = shares_cells(self->cell_of, ref, 2, self->options.top);
	if (!self->cells) {
		free(self);
		return diag_set(d, ERR_IO, "categorical: out of memory");
	}
	learn(self, ref);
	real = self->cells * self->options.ratios.n;
	lanes_init(&self->lanes, memory[0], (real + 7) / 8 * 8, 1, real);
	self->lanes.bounded = true; /* at most the largest ratio */
	lanes_own_init(&self->lanes, memory[1]);
	*out = self;
	return 0;
}

/* L of all lanes for one record in cell x. */
static void
fill_row(const struct categorical *self, double *row, uint32_t x, double u)
{
	uint32_t ratios = self->options.ratios.n;
	double n = (double)self->total, scale = 1.0 / (n + 1.0);

	for (uint32_t cell = 0; cell < self->cells; cell++) {
		double c = (double)self->count[cell];
		double p = cell == x ? u * (c + 1.0) * scale : (c + u * (n - c + 1.0)) * scale;
		const double *from = self->factor[p < self->theta[cell]] + cell * ratios;

		for (uint32_t r = 0; r < ratios; r++)
			row[cell * ratios + r] = from[r];
	}
}

static bool
grow(struct categorical *self, uint32_t cell)
{
	if (self->options.cap && self->total >= self->options.cap)
		return false;
	self->count[cell]++;
	self->total++;
	return true;
}

static uint32_t
categorical_update(void *instance, const struct column *column, uint32_t from, double threshold,
                   struct reading *out)
{
	struct categorical *self = instance;
	uint32_t ratios = self->options.ratios.n, cell[LANES_BLOCK];
	double statistic[LANES_BLOCK];
	bool grown[LANES_BLOCK];

	while (from < column->n) {
		uint32_t rows = LANES_BLOCK - self->lanes.block_n, done;
		struct lanes_rows in = { .factor = self->row, .stride = self->lanes.n,
			.gain = column->gain ? column->gain + from : NULL,
			.time_ms = column->time_ms ? column->time_ms + from : NULL };

		rows = rows < column->n - from ? rows : column->n - from;
		for (uint32_t i = 0; i < rows; i++) {
			cell[i] = cell_of(self, column->code[from + i]);
			fill_row(self, self->row + (size_t)i * self->lanes.n, cell[i],
			         rng_uniform(self->seed, self->stream, self->n + i + 1));
			grown[i] = grow(self, cell[i]);
		}
		done = lanes_run(&self->lanes, &in, 0, rows, threshold, statistic);
		for (uint32_t i = 0; i < done; i++) {
			out[from + i] = (struct reading){ .statistic = statistic[i],
				.alarm = statistic[i] >= threshold };
			for (uint32_t r = 0; r < ratios; r++)
				self->lanes.own[cell[i] * ratios + r] += 1.0;
		}
		/* What the rows after an alarm changed is taken back. */
		for (uint32_t i = done; i < rows; i++)
			if (grown[i]) {
				self->count[cell[i]]--;
				self->total--;
			}
		self->n += done;
		from += done;
		if (out[from - 1].alarm)
			break;
	}
	return from;
}

static void
categorical_reset(void *instance)
{
	lanes_reset(&((struct categorical *)instance)->lanes);
}

static void
categorical_skip(void *instance, uint64_t n)
{
	((struct categorical *)instance)->n += n;
}

static void
categorical_change(const void *instance, struct change *out)
{
	const struct categorical *self = instance;
	double since[LANES_SUMS];
	uint32_t ratio;

	if (!detector_change_start(&self->lanes, since, out))
		return;
	ratio = out->cell % self->options.ratios.n;
	out->cell /= self->options.ratios.n;
	out->up = self->options.ratios.value[ratio] >= 1.0;
	effect_rate(since[0], self->share[out->cell], out);
}

static void
categorical_save(const void *instance, struct codec *out)
{
	const struct categorical *self = instance;

	codec_put_u64(out, self->n);
	for (uint32_t k = 0; k < self->cells; k++)
		codec_put_u64(out, self->count[k]);
	lanes_save(&self->lanes, out);
}

static int
categorical_load(void *instance, struct codec *in, struct diag *d)
{
	struct categorical *self = instance;
	uint64_t grown = 0;
	bool ok = true;

	self->n = codec_get_u64(in);
	self->total = 0;
	for (uint32_t k = 0; k < self->cells; k++) {
		self->count[k] = codec_get_u64(in);
		ok = ok && self->count[k] >= self->reference_count[k]
		     && self->count[k] - self->reference_count[k] <= self->n - grown;
		if (ok)
			grown += self->count[k] - self->reference_count[k];
		self->total += self->count[k];
	}
	if (lanes_load(&self->lanes, in) || !ok || self->lanes.records > self->n
	    || grown > self->lanes.records)
		return diag_set(d, ERR_CORRUPT, "categorical: impossible state");
	return 0;
}

static bool
categorical_use(void *instance, enum isa isa)
{
	return lanes_use(&((struct categorical *)instance)->lanes, isa);
}

const struct detector categorical_detector = {
	.name = "categorical",
	.summary = "shares of categories that change, against growing estimates of them",
	.source = "contract 5 (step bets on conformal p-values of every cell's indicator)",
	.kind = COLUMN_CATEGORY,
	.flags = DETECTOR_WARMS_UP | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct categorical_options),
	.bytes = categorical_bytes,
	.create = categorical_create,
	.destroy = free,
	.update = categorical_update,
	.reset = categorical_reset,
	.skip = categorical_skip,
	.change = categorical_change,
	.save = categorical_save,
	.load = categorical_load,
	.use = categorical_use,
};
