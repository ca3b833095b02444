/* tolerant_share.c -- has a share moved by more than its tolerance? (contract 4b; 0/1, categories)
 *
 * Null: given the past, lo <= P(cell) <= hi for every cell of the key. Bets of each cell:
 *
 *     up    q = min(r hi, (1 + hi) / 2), r = 1.1 1.3 2 5:  L = q/hi on a hit, else (1-q)/(1-hi)
 *     down  q = r lo, r = .9 .7 .4:                        L = q/lo on a hit, else (1-q)/(1-lo)
 *     R <- (g + R) L for each,  S = mean of R,  alarm when S >= c
 *
 * E[alarms] <= E[sum g] / c while the null holds (Shiryaev-Roberts; contract 2). The tables are
 * built in tolerant_cells.c. Cost: 7 lanes a cell: 10 ns binary, 130 ns with 65 cells.
 */
#include <stdbool.h>
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
#include "detectors/registry.h"
#include "detectors/shift/tolerant.h"
#include "detectors/shift/tolerant_cells.h"

enum { CHUNK = 8 * LANES_BLOCK, BINARY_LANES = 8 };

static const char *const sides[] = { "both", "up", NULL };
static const char *const ceilings[] = { "cut", "leave", NULL };

#define MIN_EFFECT_OPTION                                                                          \
	OPT_F64(struct tolerant_share_options, min_effect, "min_effect", "0.1", 0, 1e6,            \
	        "Change of a share that is forgiven at least, in its standard deviations.")
#define CYCLE_OPTION                                                                               \
	OPT_U32(struct tolerant_share_options, cycle, "cycle", "1", 1, 366,                        \
	        "Days after which the seasonal keys recur: 1, or 7 for hours of the week.")
#define SIDE_OPTION                                                                                \
	OPT_ENUM(struct tolerant_share_options, side, "side", "both", sides,                       \
	         "Bet on falling shares too, or only on rising ones.")

#define CEILING_OPTION                                                                             \
	OPT_ENUM(struct tolerant_share_options, ceiling, "ceiling", "cut", ceilings,               \
	         "Shares that may be above .999: bet on a rise from there, or leave them out, as the daemon does.")

static const struct option binary_options[] = {
	MIN_EFFECT_OPTION,
	CYCLE_OPTION,
	SIDE_OPTION,
	CEILING_OPTION,
	OPT_END,
};
static const struct option categorical_options[] = {
	MIN_EFFECT_OPTION,
	CYCLE_OPTION,
	SIDE_OPTION,
	CEILING_OPTION,
	OPT_U32(struct tolerant_share_options, top, "top", "63", 1, 1024,
	        "Most frequent values that are watched one by one."),
	OPT_END,
};

struct share {
	struct tolerant_cells cells;
	struct lanes lanes;
};

/* Places of the tables and the lanes behind the struct itself. Categories need a sum for each lane:
 * how often its own cell was hit. */
static size_t
layout(uint8_t *base, const struct tolerant_share_options *o, const struct reference *ref,
       uint32_t phases, void *place[3])
{
	uint32_t lanes = tolerant_cells_lanes(o, ref);
	struct carve c = { base, 0 };

	carve_take(&c, sizeof(struct share));
	place[0] = carve_take(&c, tolerant_cells_bytes(o, ref));
	place[1] = carve_take(&c, lanes_bytes(lanes, phases));
	place[2] = carve_take(&c, lanes_own_bytes(lanes));
	return c.used;
}

static size_t
share_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	void *place[3];

	return layout(NULL, options, ref, phases, place);
}

static int
share_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
             uint64_t seed, uint64_t stream, struct diag *d)
{
	struct share *t;
	void *place[3];
	size_t bytes;
	int err;

	(void)seed; /* these bets draw no random numbers */
	(void)stream;
	*out = NULL;
	if (!ref || ref->n < 2)
		return diag_set(d, ERR_INVALID, "a reference of at least 2 values is needed");
	bytes = share_bytes(options, ref, phases);
	t = carve_memory(bytes);
	if (!t)
		return diag_set(d, ERR_IO, "no memory: %zu bytes", bytes);
	layout((uint8_t *)t, options, ref, phases, place);
	err = tolerant_cells_init(&t->cells, place[0], options, ref, d);
	if (err) {
		free(t);
		return err;
	}
	lanes_init(&t->lanes, place[1], t->cells.lanes, phases, t->cells.bets * t->cells.cells);
	t->lanes.bounded = true; /* odds, with both shares kept away from 0 and 1 */
	if (ref->code)
		lanes_own_init(&t->lanes, place[2]);
	*out = t;
	return 0;
}

static void
share_destroy(void *self)
{
	free(self);
}

static bool
binary_accepts(const void *options, double value)
{
	(void)options;
	return fabs(value - .5) >= .5 && fabs(value - .5) <= .5;
}

/* A record's row of factors: hit[key], or behind all of those miss[key]. */
static uint32_t
binary_update(void *self, const struct column *column, uint32_t from, double threshold,
              struct reading *out)
{
	struct share *t = self;
	double add[CHUNK][LANES_SUMS] = { { 0 } }, statistic[CHUNK];
	uint32_t pick[CHUNK], keys = t->cells.keys;

	while (from < column->n) {
		uint32_t rows = column->n - from < CHUNK ? column->n - from : CHUNK, done;
		struct lanes_rows in = {
			.factor = t->cells.hit,
			.stride = BINARY_LANES,
			.pick = pick,
			.gain = column->gain ? column->gain + from : NULL,
			.phase = column->phase ? column->phase + from : NULL,
			.time_ms = column->time_ms ? column->time_ms + from : NULL,
			.add = (const double(*)[LANES_SUMS])add,
		};

		for (uint32_t i = 0; i < rows; i++) {
			uint32_t hit = column->value[from + i] > .5;

			pick[i] = (column->key ? column->key[from + i] : 0) + (hit ? 0 : keys);
			add[i][0] = hit;
		}
		done = lanes_run(&t->lanes, &in, 0, rows, threshold, statistic);
		for (uint32_t i = 0; i < done; i++)
			out[from + i] = (struct reading){ statistic[i], 0, false };
		from += done;
		if (statistic[done - 1] >= threshold) {
			out[from - 1].alarm = true;
			break;
		}
	}
	return from;
}

/* All lanes miss but those of one cell: its L are put into the key's row of misses for one step. */
static uint32_t
categorical_update(void *self, const struct column *column, uint32_t from, double threshold,
                   struct reading *out)
{
	static const double nothing[LANES_SUMS];
	struct share *t = self;
	const struct tolerant_cells *c = &t->cells;
	bool alarm = false;

	for (; from < column->n && !alarm; from++) {
		size_t key = (size_t)(column->key ? column->key[from] : 0) * c->lanes;
		uint32_t code = column->code[from];
		uint32_t lane = (code < c->codes ? c->cell[code] : c->cells - 1) * c->bets;
		double *row = c->miss + key, saved[TOLERANT_UPS + TOLERANT_DOWNS], s;

		memcpy(saved, row + lane, c->bets * sizeof(double));
		memcpy(row + lane, c->hit + key + lane, c->bets * sizeof(double));
		s = lanes_step(&t->lanes, row, column->gain ? column->gain[from] : 1,
		               column->phase ? column->phase[from] : 0,
		               column->time_ms ? column->time_ms[from] : 0, nothing);
		memcpy(row + lane, saved, c->bets * sizeof(double));
		for (uint32_t i = 0; i < c->bets; i++)
			t->lanes.own[lane + i] += 1;
		s *= t->lanes.weight;
		alarm = s >= threshold;
		out[from] = (struct reading){ s, 0, alarm };
	}
	return from;
}

static void
share_reset(void *self)
{
	struct share *t = self;

	lanes_reset(&t->lanes);
}

static void
share_skip(void *self, uint64_t n)
{
	(void)self;
	(void)n;
}

static void
share_change(const void *self, struct change *out)
{
	const struct share *t = self;
	double since[LANES_SUMS];

	if (!detector_change_start(&t->lanes, since, out))
		return;
	out->up = out->cell % t->cells.bets < TOLERANT_UPS;
	out->cell /= t->cells.bets;
	effect_rate(since[0], t->cells.share[out->cell], out);
}

static void
share_save(const void *self, struct codec *out)
{
	const struct share *t = self;

	lanes_save(&t->lanes, out);
}

static int
share_load(void *self, struct codec *in, struct diag *d)
{
	struct share *t = self;

	if (lanes_load(&t->lanes, in))
		return diag_set(d, ERR_CORRUPT, "the saved state of a share detector is damaged");
	return 0;
}

static bool
share_use(void *self, enum isa isa)
{
	return lanes_use(&((struct share *)self)->lanes, isa);
}

#define SHARE_METHODS                                                                              \
	.source = "contract 4b",                                                                   \
	.options_size = sizeof(struct tolerant_share_options),                                     \
	.bytes = share_bytes,                                                                      \
	.create = share_create,                                                                    \
	.destroy = share_destroy,                                                                  \
	.reset = share_reset,                                                                      \
	.skip = share_skip,                                                                        \
	.change = share_change,                                                                    \
	.save = share_save,                                                                        \
	.load = share_load,                                                                      \
	.use = share_use

const struct detector tolerant_binary_detector = {
	.name = "tolerant-binary",
	.summary = "Has a rate moved by more than the tolerance?",
	.kind = COLUMN_BINARY,
	.flags = DETECTOR_NEEDS_REFERENCE | DETECTOR_THINS | DETECTOR_METERED | DETECTOR_KEYED,
	.options = binary_options,
	.accepts = binary_accepts,
	.update = binary_update,
	SHARE_METHODS,
};

const struct detector tolerant_categorical_detector = {
	.name = "tolerant-categorical",
	.summary = "Has the share of any category moved by more than the tolerance?",
	.kind = COLUMN_CATEGORY,
	.flags = DETECTOR_NEEDS_REFERENCE | DETECTOR_METERED | DETECTOR_KEYED,
	.options = categorical_options,
	.update = categorical_update,
	SHARE_METHODS,
};
