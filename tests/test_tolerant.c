/* test_tolerant.c -- the detectors of contract 4b. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/shift/tolerant.h"
#include "tests/test_tolerant.h"

extern const struct CMUnitTest tolerant_tests[];
extern const struct detector tolerant_detector, tolerant_binary_detector,
	tolerant_categorical_detector;

enum { N = 1024, M = 2000, SAVED_MAX = 1 << 16 };

static const struct detector *const detectors[] = { &tolerant_detector, &tolerant_binary_detector,
	                                            &tolerant_categorical_detector };

/* Pure functions of (seed, i), so that tests pass in any order. */
static double
uniform(uint64_t seed, uint64_t i)
{
	return rng_uniform(seed, 77, i + 1);
}

static double
normal(uint64_t seed, uint64_t i)
{
	return sqrt(-2 * log(uniform(seed, 2 * i))) *
	       cos(6.283185307179586 * uniform(seed, 2 * i + 1));
}

/* Categories 0 .. most-1, the first ones more often. The tenth is in no reference. */
static uint32_t
category(uint64_t seed, uint64_t i, uint32_t most)
{
	double u = uniform(seed, i);

	return (uint32_t)(u * u * most);
}

/* The smallest k with P(Poisson(mean) > k) <= 1e-6. */
static uint64_t
poisson_limit(double mean)
{
	uint64_t k = 0;

	while (special_gamma_p((double)k + 1, mean) > 1e-6)
		k++;
	return k;
}

/* A reference and a stream for any of the three; the stream changes half-way. */
struct world {
	double value[M], x[N];
	uint32_t code[M], c[N], day[M], key[M], k[N], length[10];
	int64_t ms[N];
	const char *text[10];
	struct reference ref;
	struct column column;
};

static struct world *
world_create(const struct detector *det, uint64_t seed, double change)
{
	static const char letters[] = "abcdefghij";
	struct world *w = calloc(1, sizeof(*w));
	bool codes = det->kind == COLUMN_CATEGORY, bits = det->kind == COLUMN_BINARY;

	assert_non_null(w);
	for (uint32_t i = 0; i < 10; i++) {
		w->text[i] = letters + i;
		w->length[i] = 1;
	}
	for (uint32_t i = 0; i < M; i++) {
		w->key[i] = i % 3;
		w->day[i] = i / 150;
		w->value[i] = bits ? uniform(seed, i) < .1 : normal(seed, i) + w->key[i];
		w->code[i] = category(seed, i, 9);
	}
	for (uint32_t i = 0; i < N; i++) {
		double moved = i >= N / 2 ? change : 0;

		w->k[i] = i % 3;
		w->ms[i] = 1000 * (int64_t)i;
		w->x[i] = bits ? uniform(seed + 1, i) < .1 + moved / 4
		               : normal(seed + 1, i) + w->k[i] + moved;
		w->c[i] = uniform(seed + 2, i) < moved / 4 ? 9 : category(seed + 1, i, 9);
	}
	w->ref = (struct reference){ .n = M, .value = codes ? NULL : w->value,
		                     .code = codes ? w->code : NULL, .day = w->day, .key = w->key,
		                     .days = M / 150 + 1, .keys = 3, .categories = codes ? 10 : 0,
		                     .text = w->text, .text_len = w->length };
	w->column = (struct column){ N, 1, codes ? NULL : w->x, codes ? w->c : NULL, w->k, NULL,
		                     NULL, w->ms };
	return w;
}

static void *
detector_create(const struct detector *det, const struct reference *ref, const char *min_effect)
{
	_Alignas(16) char options[256] = { 0 };
	struct diag d = { { 0 } };
	void *self = NULL;

	assert_true(det->options_size <= sizeof(options));
	option_defaults(det->options, options);
	if (min_effect)
		assert_int_equal(option_set(option_find(det->options, "min_effect"), options,
		                            min_effect, &d), 0);
	assert_int_equal(det->create(&self, options, ref, 1, 1, 0, &d), 0);
	return self;
}

/* All of a column, reset after each alarm, cut every `cut` rows. Returns the alarms. */
static uint32_t
run(const struct detector *det, void *self, struct column c, double threshold, uint32_t cut,
    struct reading *out)
{
	uint32_t n = c.n, alarms = 0, from = 0;

	while (from < n) {
		c.n = from + cut < n ? from + cut : n;
		while (from < c.n) {
			from = det->update(self, &c, from, threshold, out);
			assert_true(isfinite(out[from - 1].statistic));
			if (out[from - 1].alarm) {
				det->reset(self);
				alarms++;
			}
		}
	}
	return alarms;
}

static size_t
save(const struct detector *det, const void *self, uint8_t *bytes)
{
	struct codec c = { .data = bytes, .size = SAVED_MAX };

	det->save(self, &c);
	assert_false(c.bad);
	return c.at;
}

static int
load(const struct detector *det, void *self, uint8_t *bytes, size_t n)
{
	struct codec c = { .data = bytes, .size = n };
	struct diag d;

	return det->load(self, &c, &d);
}

static void
cuts_do_not_matter(void **state)
{
	static const uint32_t cuts[] = { 1, 7, 16, 333 };

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		const struct detector *det = detectors[d];
		struct world *w = world_create(det, 11, 1);
		static struct reading whole[N], cut[N];
		void *self = detector_create(det, &w->ref, NULL);

		assert_true(run(det, self, w->column, 200, N, whole) > 1);
		det->destroy(self);
		for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
			self = detector_create(det, &w->ref, NULL);
			run(det, self, w->column, 200, cuts[i], cut);
			det->destroy(self);
			for (uint32_t row = 0; row < N; row++) {
				assert_memory_equal(&whole[row].statistic, &cut[row].statistic, 8);
				assert_int_equal(whole[row].alarm, cut[row].alarm);
			}
		}
		free(w);
	}
}

/* At every record the state goes through bytes into a fresh instance. */
static void
saving_continues_equally(void **state)
{
	static uint8_t bytes[SAVED_MAX], again[SAVED_MAX];
	static struct reading whole[N], parts[N];

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		const struct detector *det = detectors[d];
		struct world *w = world_create(det, 12, 1);
		void *self = detector_create(det, &w->ref, NULL);
		void *two[2] = { detector_create(det, &w->ref, NULL),
			         detector_create(det, &w->ref, NULL) };
		struct change a, b;
		size_t n = 0;

		run(det, self, w->column, 200, N, whole);
		for (uint32_t row = 0; row < N; row++) {
			struct column c = w->column;

			c.n = row + 1;
			det->update(two[row % 2], &c, row, 200, parts);
			if (parts[row].alarm)
				det->reset(two[row % 2]);
			n = save(det, two[row % 2], bytes);
			assert_int_equal(load(det, two[1 - row % 2], bytes, n), 0);
			assert_int_equal(save(det, two[1 - row % 2], again), n);
			assert_memory_equal(bytes, again, n);
			assert_memory_equal(&whole[row].statistic, &parts[row].statistic, 8);
		}
		det->change(self, &a);
		det->change(two[N % 2], &b);
		assert_true(a.records == b.records && a.start_ms == b.start_ms && a.cell == b.cell);
		assert_memory_equal(&a.effect, &b.effect, 8);
		det->destroy(self);
		det->destroy(two[0]);
		det->destroy(two[1]);
		free(w);
	}
}

/* Damaged bytes are refused, or are a state that update() could have left. */
static void
load_refuses_garbage(void **state)
{
	static uint8_t bytes[SAVED_MAX], broken[SAVED_MAX], again[SAVED_MAX];
	static struct reading out[N];

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		const struct detector *det = detectors[d];
		struct world *w = world_create(det, 13, 0);
		void *self = detector_create(det, &w->ref, NULL);
		void *other = detector_create(det, &w->ref, NULL);
		struct change change;
		size_t n, refused = 0;

		w->column.n = 100;
		run(det, self, w->column, HUGE_VAL, N, out);
		n = save(det, self, bytes);
		for (uint64_t i = 0; i < 2000; i++) {
			size_t at = (size_t)(uniform(14, 2 * i) * (double)n);
			unsigned bit = (unsigned)(uniform(14, 2 * i + 1) * 8);

			memcpy(broken, bytes, n);
			broken[at] = (uint8_t)(broken[at] ^ 1u << bit);
			if (load(det, other, broken, n)) {
				refused++;
				continue;
			}
			assert_int_equal(save(det, other, again), n);
			assert_memory_equal(broken, again, n);
			det->update(other, &w->column, 90, HUGE_VAL, out);
			assert_true(out[99].statistic >= 0 && isfinite(out[99].statistic));
			det->change(other, &change);
			assert_true(isfinite(change.effect) && change.records <= UINT64_MAX / 2);
		}
		assert_true(refused > 100);
		for (size_t cut = 0; cut < n; cut += 13)
			assert_int_equal(load(det, other, bytes, cut), ERR_CORRUPT);
		det->destroy(self);
		det->destroy(other);
		free(w);
	}
}

/* Nothing but one value, ever; with no tolerance at all, and a key that has no values left. */
static void
constant_reference(void **state)
{
	static struct reading out[N];

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		const struct detector *det = detectors[d];
		struct world *w = world_create(det, 15, 0);
		void *self;

		for (uint32_t i = 0; i < M; i++) {
			w->value[i] = 1;
			w->code[i] = 0;
		}
		for (uint32_t i = 0; i < N; i++) {
			w->x[i] = i % 2;
			w->c[i] = i % 10;
			w->k[i] = i % 4;
		}
		w->ref.keys = 4;
		self = detector_create(det, &w->ref, "0");
		assert_true(run(det, self, w->column, 1e4, N, out) > 0);
		det->destroy(self);
		free(w);
	}
}

static void
largest_numbers(void **state)
{
	static const double wild[] = { DBL_MAX, -DBL_MAX, 0, 1e300, -1e300, DBL_MIN };
	static struct reading out[N];
	static uint8_t bytes[SAVED_MAX];
	struct world *w = world_create(&tolerant_detector, 16, 0);
	struct change change;
	void *self;
	size_t n;

	(void)state;
	for (uint32_t i = 0; i < M; i++)
		w->value[i] = wild[i % 6];
	for (uint32_t i = 0; i < N; i++)
		w->x[i] = wild[i % 4];
	self = detector_create(&tolerant_detector, &w->ref, NULL);
	run(&tolerant_detector, self, w->column, 1e4, N, out);
	tolerant_detector.change(self, &change);
	assert_true(isfinite(change.effect) && isfinite(change.new_value));
	n = save(&tolerant_detector, self, bytes);
	assert_int_equal(load(&tolerant_detector, self, bytes, n), 0);
	tolerant_detector.destroy(self);
	free(w);
}

enum { EDGE_WORLDS = 12, EDGE_PARTS = 4, EDGE_THRESHOLD = 1000 };

/* Alarms over EDGE_WORLDS references and EDGE_PARTS * N records each, all of them .3 standard
 * deviations up (the same as ever for categories). */
static uint64_t
edge_alarms(size_t d, const char *min_effect)
{
	static struct reading out[N];
	const struct detector *det = detectors[d];
	uint64_t alarms = 0;

	for (uint64_t seed = 300; seed < 300 + 3 * EDGE_WORLDS; seed += 3) {
		struct world *w = world_create(det, seed, 0);
		void *self = detector_create(det, &w->ref, min_effect);

		for (uint64_t part = 0; part < EDGE_PARTS; part++) {
			for (uint32_t i = 0; i < N; i++) {
				uint64_t at = part * N + i;
				double u = uniform(seed + 1, at), z = normal(seed + 1, at);

				w->x[i] = d ? u < .1 + .3 * .3 : z + w->k[i] + .3;
				w->c[i] = category(seed + 1, at, 9);
			}
			alarms += run(det, self, w->column, EDGE_THRESHOLD, N, out);
		}
		det->destroy(self);
		free(w);
	}
	return alarms;
}

/* Threshold c, g = 1, n records within the tolerance: at most n / c alarms are expected, over
 * references too. Without the tolerance there are more, so the limit can fail. */
static void
edge_of_the_null(void **state)
{
	uint64_t limit = poisson_limit(EDGE_WORLDS * EDGE_PARTS * (double)N / EDGE_THRESHOLD);

	(void)state;
	for (size_t d = 0; d < 3; d++)
		assert_true(edge_alarms(d, d == 2 ? NULL : "0.3") <= limit);
	for (size_t d = 0; d < 2; d++)
		assert_true(edge_alarms(d, "0") > limit);
}

/* One standard deviation up at record 512: found soon, dated and sized. */
static void
change_is_told(void **state)
{
	static struct reading out[N];

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		const struct detector *det = detectors[d];
		struct world *w = world_create(det, 17, 1);
		void *self = detector_create(det, &w->ref, NULL);
		struct change change;
		uint32_t row = det->update(self, &w->column, 0, 1e4, out), first;

		assert_true(row > N / 2 && row < N / 2 + 300 && out[row - 1].alarm);
		det->change(self, &change);
		first = row - (uint32_t)change.records;
		assert_true(first + 3 * 16 > N / 2 && first < N / 2 + 64);
		assert_true(change.start_ms == 1000 * (int64_t)first && change.log_evidence > 5);
		assert_true(change.up && change.low < change.effect && change.effect < change.high);
		if (d == 0)
			assert_true(fabs(change.effect - 1) < .4 && change.new_value > 1.5);
		if (d == 1)
			assert_true(change.low < .25 && change.high > .25);
		if (d == 2) /* __new__ after the nine that are known */
			assert_true(change.cell == 9 && change.old_value <= 0 && change.low > 0);
		det->destroy(self);
		free(w);
	}
}

static void
skip_moves_numbers(void **state)
{
	static struct reading a[N], b[N];
	struct world *w = world_create(&tolerant_detector, 18, 0);
	void *one = detector_create(&tolerant_detector, &w->ref, NULL);
	void *two = detector_create(&tolerant_detector, &w->ref, NULL);

	(void)state;
	(tolerant_detector.skip)(one, 300); /* cmocka has a macro of this name */
	tolerant_detector.update(one, &w->column, 300, HUGE_VAL, a);
	tolerant_detector.update(two, &w->column, 0, HUGE_VAL, b);
	tolerant_detector.destroy(two);
	two = detector_create(&tolerant_detector, &w->ref, NULL);
	w->column.n = 300;
	tolerant_detector.update(two, &w->column, 0, HUGE_VAL, b);
	tolerant_detector.reset(two);
	w->column.n = N;
	tolerant_detector.update(two, &w->column, 300, HUGE_VAL, b);
	for (uint32_t i = 300; i < N; i++)
		assert_memory_equal(&a[i].statistic, &b[i].statistic, 8);
	tolerant_detector.destroy(one);
	tolerant_detector.destroy(two);
	free(w);
}

static void
short_reference(void **state)
{
	struct reference ref = { .n = 200, .days = 7 };

	(void)state;
	assert_false(tolerant_short(&ref, 1));
	assert_true(tolerant_short(&ref, 2));
	ref.days = 13;
	assert_false(tolerant_short(&ref, 7));
	ref.n = 199;
	assert_true(tolerant_short(&ref, 7));
}

static void
refuses_tiny_references(void **state)
{
	(void)state;
	for (size_t d = 0; d < 3; d++) {
		const struct detector *det = detectors[d];
		struct world *w = world_create(det, 19, 0);
		_Alignas(16) char options[256] = { 0 };
		struct diag diag = { { 0 } };
		void *self = w;

		option_defaults(det->options, options);
		w->ref.n = 1;
		assert_int_equal(det->create(&self, options, &w->ref, 1, 1, 0, &diag), ERR_INVALID);
		assert_null(self);
		assert_int_equal(det->create(&self, options, NULL, 1, 1, 0, &diag), ERR_INVALID);
		assert_true(strlen(diag.text) > 0);
		assert_true(det->bytes(options, NULL, 1) > 0);
		det->destroy(NULL);
		free(w);
	}
}

const struct CMUnitTest tolerant_tests[] = {
	TEST("lanes/any_instruction_set_gives_the_same_bits", tolerant_lanes_same_bits),
	TEST("lanes/blocks_without_clamps_give_the_same_bits", tolerant_lanes_bounded_same_bits),
	TEST("lanes/a_run_is_the_same_as_its_steps", tolerant_lanes_run_is_steps),
	TEST("lanes/the_best_bet_dates_the_change_to_a_block", tolerant_lanes_dates_the_start),
	TEST("lanes/a_damaged_state_is_refused", tolerant_lanes_refuse_garbage),
	TEST("wander/the_formula_by_hand", tolerant_wander_by_hand),
	TEST("tolerant/any_cut_of_a_batch_gives_the_same_bits", cuts_do_not_matter),
	TEST("tolerant/saving_at_every_record_continues_equally", saving_continues_equally),
	TEST("tolerant/a_damaged_state_is_refused", load_refuses_garbage),
	TEST("tolerant/a_constant_reference_never_divides_by_zero", constant_reference),
	TEST("tolerant/the_largest_numbers_stay_finite", largest_numbers),
	TEST("tolerant/the_edge_of_the_null_keeps_its_promise", edge_of_the_null),
	TEST("tolerant/a_change_is_found_dated_and_sized", change_is_told),
	TEST("tolerant/a_skipped_record_moves_only_the_random_numbers", skip_moves_numbers),
	TEST("tolerant/a_short_reference_is_void", short_reference),
	TEST("tolerant/a_reference_of_one_value_is_an_error", refuses_tiny_references),
	TESTS_END,
};
