/* test_classic.c -- charts, martingales, confidence sequences and recalibrators (contract 6 to 11).
 * */
#include "tests/test_classic.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/ranks.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "tests/tests.h"

enum { ROWS = 400, STATE_BYTES = 1 << 20 };

/* One instance with the given parameters (NULL-terminated name, value pairs). */
static void *
instance(const struct detector *det, const char *const *params, const struct reference *ref)
{
	_Alignas(max_align_t) unsigned char options[2048] = { 0 };
	struct diag d = { "" };
	void *self = NULL;

	assert_true(det->options_size <= sizeof options);
	option_defaults(det->options, options);
	for (; params && *params; params += 2) {
		const struct option *row = option_find(det->options, params[0]);

		assert_non_null(row);
		assert_int_equal(option_set(row, options, params[1], &d), 0);
	}
	if (det->create(&self, options, ref, 1, 1, 0, &d) != 0)
		fail_msg("%s: %s", det->name, d.text);
	return self;
}

static struct reading
feed(const struct detector *det, void *self, double x, uint32_t key, double threshold)
{
	struct column c = { .n = 1, .width = 1, .value = &x, .key = &key };
	struct reading out;

	assert_int_equal(det->update(self, &c, 0, threshold, &out), 1);
	if (out.alarm)
		det->reset(self);
	return out;
}

static size_t
save(const struct detector *det, const void *self, uint8_t *bytes)
{
	struct codec c = { .data = bytes, .size = STATE_BYTES };

	det->save(self, &c);
	assert_false(c.bad);
	return c.at;
}

static void
load(const struct detector *det, void *self, uint8_t *bytes, size_t size)
{
	struct codec c = { .data = bytes, .size = size };
	struct diag d = { "" };

	if (det->load(self, &c, &d) != 0)
		fail_msg("%s: %s", det->name, d.text);
	assert_int_equal(c.at, size);
}

/* Whatever update() can make of finite values is finite, and load() takes it back unchanged. */
static void
extreme(const char *name, const char *const *params)
{
	static const double values[] = { 0.0,    1.0,     1e308, -1e308, 1e308,
		                         5e-324, -5e-324, 1e154, 0.5 };
	static const double ref_values[] = { 0.1, 0.4, 0.2, 0.9, 0.5, 0.3 };
	const struct reference ref = { .n = 6, .value = ref_values, .days = 1, .keys = 1 };
	const struct detector *det = detector_find(name);
	const bool unit = det->kind == COLUMN_UNIT || det->kind == COLUMN_BINARY;
	void *self = instance(det, params, &ref), *other = instance(det, params, &ref);
	uint8_t *a = malloc(STATE_BYTES), *b = malloc(STATE_BYTES);

	assert_non_null(det);
	for (uint64_t i = 0; i < 300; i++) {
		double x = values[i * i % 9];
		size_t size;
		struct reading r;

		if (unit)
			x = det->kind == COLUMN_BINARY ? (double)(i % 2) : i % 3 ? 5e-324 : 1.0;
		r = feed(det, self, x, 0, 1e6);
		assert_true(isnan(r.statistic) || isfinite(r.statistic));
		size = save(det, self, a);
		load(det, other, a, size);
		assert_int_equal(save(det, other, b), size);
		assert_memory_equal(a, b, size);
	}
	det->destroy(self);
	det->destroy(other);
	free(a);
	free(b);
}

void
classic_extreme_values_leave_states_that_load(void **state)
{
	static const char *const names[] = {
		"aci", "adwin", "bh", "cs-bernoulli", "cs-mean", "cusum", "decaying", "dtaci",
		"e1", "e2", "ewma", "focus", "hddm-a", "martingale", "mondrian", "page-hinkley",
		"sf-ogd", "window-p",
	};
	static const char *const ville[] = { "form", "ville", NULL };
	static const char *const composite[] = { "form", "ville", "jumper", "composite", NULL };
	static const char *const harmonic[] = { "form", "harmonic", NULL };
	static const char *const cusum[] = { "form", "cusum", "jumper", "composite", NULL };
	static const char *const bins[] = { "bins", "16", NULL };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		extreme(names[i], NULL);
	extreme("martingale", ville);
	extreme("martingale", composite);
	extreme("martingale", harmonic);
	extreme("martingale", cusum);
	extreme("e1", ville);
	extreme("e1", bins);
	extreme("e2", ville);
}

void
classic_ranks_equal_counting(void **state)
{
	enum { N = 3000 };
	static double value[N];
	struct ranks r = { 0 }, back = { 0 };
	uint8_t *bytes = malloc(STATE_BYTES);
	struct codec c = { .data = bytes, .size = STATE_BYTES };

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		double x = floor(400.0 * rng_uniform(1, 0, i + 1)) - (i % 5 == 0 ? 1e9 : 0.0);
		uint64_t larger, equal, above = 0, same = 0;

		for (uint64_t k = 0; k < i; k++) {
			above += value[k] > x;
			same += value[k] >= x && value[k] <= x;
		}
		ranks_count(&r, x, &larger, &equal);
		assert_int_equal(larger, above);
		assert_int_equal(equal, same);
		assert_true(ranks_add(&r, x));
		value[i] = x;
	}
	ranks_save(&r, &c);
	c.size = c.at;
	c.at = 0;
	assert_true(ranks_load(&back, &c));
	assert_int_equal(back.n, N);
	ranks_finish(&r);
	ranks_finish(&back);
	free(bytes);
}

void
classic_focus_equals_trying_every_start(void **state)
{
	static const char *const params[] = { "threshold", "1e300", NULL };
	const struct detector *det = detector_find("focus");
	void *self = instance(det, params, NULL);
	double sum[ROWS + 1] = { 0.0 };

	(void)state;
	for (uint64_t i = 0; i < ROWS; i++) {
		/* Bursts up and down, and spans of equal values, so that hulls have many vertices.
		 * */
		double x = i % 90 < 30 ? 0.02 * (double)(i % 90) : rng_uniform(3, 0, i + 1) - 0.5;
		double best = 0.0, got = feed(det, self, i > 200 ? -x : x, 0, 1.0).statistic;

		sum[i + 1] = sum[i] + (i > 200 ? -x : x);
		for (uint64_t tau = 0; tau <= i; tau++) {
			double rise = sum[i + 1] - sum[tau];

			best = fmax(best, rise * rise / (2.0 * (double)(i + 1 - tau)));
		}
		if (!(fabs(got - best) <= 1e-9 * best + 1e-12))
			fail_msg("record %d: %.17g, not %.17g", (int)i, got, best);
	}
	det->destroy(self);
}

void
classic_mondrian_warm_up_survives_a_restart(void **state)
{
	static const char *const params[] = { "warmup", "120", "bins", "8", NULL };
	const struct detector *det = detector_find("mondrian");
	void *whole = instance(det, params, NULL), *cut = instance(det, params, NULL);
	uint8_t *bytes = malloc(STATE_BYTES);
	uint32_t empty = 0;

	(void)state;
	for (uint64_t i = 0; i < ROWS; i++) {
		/* Key 200 is more than the warm-up has tables for. */
		uint32_t key = i % 50 == 7 ? 200 : (uint32_t)(i % 6);
		double x = rng_uniform(5, 0, i + 1) + key + (i > 250 ? 0.5 : 0.0);
		struct reading a = feed(det, whole, x, key, 50.0);
		struct reading b = feed(det, cut, x, key, 50.0);
		size_t size = save(det, cut, bytes);

		assert_memory_equal(&a.statistic, &b.statistic, sizeof a.statistic);
		empty += isnan(a.statistic) ? 1 : 0;
		det->destroy(cut);
		cut = instance(det, params, NULL);
		load(det, cut, bytes, size);
	}
	assert_int_equal(empty, 120);
	det->destroy(whole);
	det->destroy(cut);
	free(bytes);
}

void
classic_martingale_alarms_once_in_forms_that_never_reset(void **state)
{
	static const char *const forms[] = { "sr", "cusum", "ville", "harmonic" };
	const struct detector *det = detector_find("martingale");

	(void)state;
	for (int f = 0; f < 4; f++) {
		const char *const params[] = { "form", forms[f], NULL };
		void *self = instance(det, params, NULL);
		uint32_t alarms = 0;

		for (int i = 0; i < 3000; i++) {
			struct reading r = feed(det, self, 1e-6, 0, 100.0);

			alarms += r.alarm;
			assert_true(isfinite(r.statistic));
		}
		if (f < 2)
			assert_true(alarms > 100);
		else
			assert_int_equal(alarms, 1);
		det->destroy(self);
	}
}

/* Rate and mean .3: every interval holds it (seeds are fixed), and the last one is narrow. */
void
classic_confidence_sequences_narrow_and_hold(void **state)
{
	static const char *const names[] = { "cs-bernoulli", "cs-mean" };

	(void)state;
	for (int k = 0; k < 2; k++) {
		const struct detector *det = detector_find(names[k]);
		void *self = instance(det, NULL, NULL);
		struct reading r = { 0 };

		for (uint64_t i = 1; i <= 2000; i++) {
			double u = rng_uniform(11, 0, i);

			r = feed(det, self, k == 0 ? (u < 0.3 ? 1.0 : 0.0) : 0.6 * u, 0, 1.0);
			assert_true(r.statistic <= 0.3 && 0.3 <= r.upper);
			assert_true(r.statistic >= 0.0 && r.upper <= 1.0 && !r.alarm);
		}
		assert_true(r.upper - r.statistic < 0.09);
		det->destroy(self);
	}
}
