/* test_tolerant_lanes.c -- what the detectors of contract 4b stand on: lanes of bets, wander. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/lanes.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/wander.h"
#include "tests/test_tolerant.h"

enum { SAVED_MAX = 1 << 16 };

/* A pure function, so that tests pass in any order. */
static double
uniform(uint64_t seed, uint64_t i)
{
	return rng_uniform(seed, 77, i + 1);
}

struct lane_world {
	double *factor, *gain;
	uint32_t *phase;
	void *memory;
	struct lanes lanes;
	struct lanes_rows rows;
	bool ran; /* the processor has the instructions */
};

enum { LANES = 64, REAL = 61, PHASES = 3, ROWS = 500 };

static void
lane_world_init(struct lane_world *w)
{
	w->factor = aligned_alloc(64, sizeof(double) * LANES * ROWS);
	w->gain = calloc(ROWS, sizeof(double));
	w->phase = calloc(ROWS, sizeof(uint32_t));
	w->memory = aligned_alloc(64, lanes_bytes(LANES, PHASES));
	assert_true(w->factor && w->gain && w->phase && w->memory);
	memset(w->memory, 0, lanes_bytes(LANES, PHASES));
	lanes_init(&w->lanes, w->memory, LANES, PHASES, REAL);
	for (uint32_t i = 0; i < ROWS * LANES; i++) {
		double u = uniform(5, i);

		w->factor[i] = i % LANES >= REAL ? 0 : u < .001 ? 1e300 : exp(.5 * (u - .52));
	}
	for (uint32_t i = 0; i < ROWS; i++) {
		w->gain[i] = uniform(6, i);
		w->phase[i] = i % 7 % PHASES;
	}
	w->ran = true;
	w->rows = (struct lanes_rows){ w->factor, LANES, NULL, w->gain, w->phase, NULL, NULL };
}

static void
lane_world_finish(struct lane_world *w)
{
	free(w->factor);
	free(w->gain);
	free(w->phase);
	free(w->memory);
}

/* Contract 2, one number at a time. */
static void
scalar_lanes(const struct lane_world *w, double *sum)
{
	static double r[PHASES][LANES];

	memset(r, 0, sizeof(r));
	for (uint32_t row = 0; row < ROWS; row++) {
		double part[8] = { 0 }, *own = r[w->phase[row]];

		for (uint32_t i = 0; i < LANES; i++) {
			own[i] = (own[i] + w->gain[row]) * w->factor[row * LANES + i];
			if (own[i] > 1e300)
				own[i] = 1e300;
			part[i % 8] += own[i];
		}
		sum[row] = ((part[0] + part[4]) + (part[2] + part[6])) +
		           ((part[1] + part[5]) + (part[3] + part[7]));
	}
}

void
tolerant_lanes_same_bits(void **state)
{
	double expect[ROWS], got[ROWS];
	uint32_t ran = 0;

	(void)state;
	for (enum isa isa = ISA_BEST; isa <= ISA_AVX512; isa++) {
		struct lane_world w;

		lane_world_init(&w);
		scalar_lanes(&w, expect);
		if (lanes_use(&w.lanes, isa)) {
			for (uint32_t i = 0; i < ROWS; i++)
				expect[i] *= w.lanes.weight;
			assert_int_equal(lanes_run(&w.lanes, &w.rows, 0, ROWS, HUGE_VAL, got),
			                 ROWS);
			assert_memory_equal(expect, got, sizeof(got));
			ran++;
		}
		lane_world_finish(&w);
	}
	assert_true(ran >= 2);
}

/* Factors that make R grow to the clamp, with crossings on the way. */
static void
bounded_world_init(struct lane_world *w, uint32_t lanes, enum isa isa, bool bounded)
{
	lane_world_init(w);
	lanes_init(&w->lanes, w->memory, lanes, 1, lanes - 1);
	w->lanes.bounded = bounded;
	w->rows.phase = NULL;
	w->rows.stride = LANES;
	for (uint32_t i = 0; i < ROWS * LANES; i++) {
		double u = uniform(9, i);

		w->factor[i] = i % LANES >= lanes - 1 ? 0 : u > .99 ? 1e18 : exp(8 * (u - .3));
	}
	w->ran = lanes_use(&w->lanes, isa);
}

/* Blocks without clamps give what the row by row loop gives, whatever the instruction set, the number of
 * lanes and where the rows are cut. */
void
tolerant_lanes_bounded_same_bits(void **state)
{
	static const uint32_t lanes[] = { 8, 16, 24, 32, 40, 48, 64 };
	static const double threshold[] = { 1e3, 1e280, HUGE_VAL };
	static uint8_t one[SAVED_MAX], all[SAVED_MAX];
	bool clamped = false;

	(void)state;
	for (uint32_t k = 0; k < 3 * 7 * 3; k++) {
		struct codec a = { .data = one, .size = SAVED_MAX }, b = { .data = all, .size = SAVED_MAX };
		struct lane_world w, v;
		double c = threshold[k % 3], expect[ROWS], got[ROWS];

		bounded_world_init(&w, lanes[k / 3 % 7], ISA_BASE, false);
		bounded_world_init(&v, lanes[k / 3 % 7], ISA_BASE + k / 21, true);
		for (uint32_t at = 0, to = 0; v.ran && at < ROWS;) {
			if (at == to)
				to = at + 1 + (uint32_t)(30 * uniform(10, at));
			to = to < ROWS ? to : ROWS;
			uint32_t same = lanes_run(&w.lanes, &w.rows, at, to, c, expect);

			at = lanes_run(&v.lanes, &v.rows, at, to, c, got);
			assert_int_equal(at, same);
			if (got[at - 1] >= c) {
				lanes_reset(&w.lanes);
				lanes_reset(&v.lanes);
			}
			clamped |= w.lanes.r[0] >= 1e300;
		}
		if (v.ran) {
			assert_memory_equal(expect, got, sizeof(got));
			lanes_save(&w.lanes, &a);
			lanes_save(&v.lanes, &b);
			assert_memory_equal(one, all, a.at);
		}
		lane_world_finish(&w);
		lane_world_finish(&v);
	}
	assert_true(clamped);
}

void
tolerant_lanes_run_is_steps(void **state)
{
	static uint8_t one[SAVED_MAX], all[SAVED_MAX];
	static const double none[LANES_SUMS];
	struct codec a = { .data = one, .size = SAVED_MAX }, b = { .data = all, .size = SAVED_MAX };
	struct lane_world w, v;
	double got[ROWS];

	(void)state;
	lane_world_init(&w);
	lane_world_init(&v);
	lanes_run(&w.lanes, &w.rows, 0, 100, HUGE_VAL, got);
	lanes_run(&w.lanes, &w.rows, 100, ROWS, HUGE_VAL, got);
	for (uint32_t i = 0; i < ROWS; i++) {
		double s = v.lanes.weight * lanes_step(&v.lanes, v.factor + i * LANES, v.gain[i],
		                                       v.phase[i], 0, none);

		assert_memory_equal(&s, &got[i], sizeof(s));
	}
	lanes_save(&w.lanes, &a);
	lanes_save(&v.lanes, &b);
	assert_true(!a.bad && a.at == b.at);
	assert_memory_equal(one, all, a.at);
	lane_world_finish(&w);
	lane_world_finish(&v);
}

/* One bet pays from record 300 on, first at 1.5 a record; all others lose. */
void
tolerant_lanes_dates_the_start(void **state)
{
	_Alignas(64) double factor[8], g, start, since[LANES_SUMS], add[LANES_SUMS] = { 1, 2, 3 };
	_Alignas(64) double memory[8 * (1 + 4 + LANES_SUMS + 2)] = { 0 };
	struct lanes l;
	int64_t ms;

	(void)state;
	lanes_init(&l, memory, 8, 1, 8);
	assert_int_equal(lanes_best(&l, &g, &start, &ms, since), UINT32_MAX);
	for (uint32_t i = 0; i < 325; i++) {
		for (uint32_t k = 0; k < 8; k++)
			factor[k] = k == 5 && i >= 300 ? 1.5 : .9;
		lanes_step(&l, factor, 1, 0, 1000 * (int64_t)i, add);
	}
	assert_int_equal(lanes_best(&l, &g, &start, &ms, since), 5);
	assert_true(start >= 300 - LANES_BLOCK && start <= 300 + LANES_BLOCK);
	assert_true(ms == 1000 * (int64_t)start);
	assert_true(fabs(since[1] - 2 * (325 - start)) < 1e-9);
	assert_true(fabs(log(g) - (25 * log(1.5) + (300 - start) * log(.9))) < 1e-9);
	lanes_reset(&l);
	assert_int_equal(lanes_best(&l, &g, &start, &ms, since), UINT32_MAX);
}

void
tolerant_lanes_refuse_garbage(void **state)
{
	static const double bad[] = { -1, (double)NAN, HUGE_VAL, 1.1e300, .5 };
	static uint8_t bytes[SAVED_MAX];
	struct codec out = { .data = bytes, .size = SAVED_MAX };
	struct lane_world w, v;
	double got[ROWS];
	size_t r = 8 + 4 + 2 * 8 + 2 * LANES_SUMS * 8, start = r + (PHASES + 2) * LANES * 8;

	(void)state;
	lane_world_init(&w);
	lane_world_init(&v);
	lanes_run(&w.lanes, &w.rows, 0, ROWS, HUGE_VAL, got);
	lanes_save(&w.lanes, &out);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct codec in = { .data = bytes, .size = out.at };
		size_t at = i < 4 ? r : start; /* half a record is no start */
		uint8_t kept[8];

		assert_int_equal(lanes_load(&v.lanes, &in), 0);
		memcpy(kept, bytes + at, 8);
		memcpy(bytes + at, &bad[i], 8);
		in.at = 0;
		assert_int_equal(lanes_load(&v.lanes, &in), ERR_CORRUPT);
		memcpy(bytes + at, kept, 8);
	}
	for (size_t n = 0; n < out.at; n += 97) {
		struct codec in = { .data = bytes, .size = n };

		assert_int_equal(lanes_load(&v.lanes, &in), ERR_CORRUPT);
	}
	lane_world_finish(&w);
	lane_world_finish(&v);
}

void
tolerant_wander_by_hand(void **state)
{
	double z[] = { -3, -1, 1, 3 }, sum[4], count[4];
	uint32_t day[] = { 0, 0, 1, 1 };

	(void)state;
	/* between 16 / 1, within 4 / 2, n0 2: tau^2 7; t with one degree of freedom 63.6567 */
	assert_true(fabs(wander(z, 4, day, 2, 1, sum, count) -
	                 63.65674116287158 * sqrt(1.5) * sqrt(7)) < 1e-8);
	assert_true(wander(z, 4, day, 2, 2, sum, count) <= 0);  /* no degree of freedom */
	assert_true(wander(z, 4, NULL, 1, 1, sum, count) <= 0); /* one day */
	assert_true(wander(z, 2, day, 2, 1, sum, count) <= 0);  /* all in the first day */
	assert_int_equal(wander_center(z, 4, day, 4, sum, count), 2);
	assert_true(wander(z, 4, day, 2, 1, sum, count) <= 0);  /* days alike */
}
