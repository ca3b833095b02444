/* test_residuals.c -- what errors hang on: the sums of residuals.h, and the streams and view that they make. */
#include "detectors/uncertainty/residuals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/codec.h"
#include "tests/history.h"
#include "tests/tests.h"

enum { LABELS = 900, COLUMNS = 3, HOUR_MS = 3600000 };

/* Errors of standard deviation 1 that hang on column 0 by `linear`, and on the one before by `memory`. */
static void
add_labels(struct residuals *r, uint64_t *seed, int from, int to, double linear, double memory, double *last,
           double product[RESIDUAL_PRODUCTS])
{
	for (int i = from; i < to; i++) {
		uint8_t group[COLUMNS];
		double x, noise = history_normal(seed);
		struct residual label = { .prediction = history_normal(seed), .weight = 1,
			                  .ts = (int64_t)i * HOUR_MS, .delay_ms = 0, .group = group, .columns = COLUMNS };

		for (int k = 0; k < COLUMNS; k++)
			group[k] = (uint8_t)(history_uniform(seed) * RESIDUALS_GROUPS);
		x = (group[0] - 3.5) / 2.2912878474779199; /* of variance 1 */
		noise = memory * *last + sqrt(1 - memory * memory) * noise;
		*last = noise;
		label.error = label.standard = linear * x + sqrt(1 - linear * linear) * noise;
		residuals_add(r, &label, product);
	}
}

static struct residuals *
run(uint64_t seed, double linear, double memory)
{
	struct residuals *r = residuals_create(COLUMNS);
	double last = 0, product[RESIDUAL_PRODUCTS];

	assert_non_null(r);
	add_labels(r, &seed, 0, LABELS, linear, memory, &last, product);
	return r;
}

static void
dependence_is_found_on_the_column_that_has_it(void **state)
{
	struct residuals *r = run(3, .5, 0);
	struct residual_figure f = residuals_linear(r, 0);
	(void)state;

	assert_true(f.n == LABELS - RESIDUALS_WARMUP);
	assert_true(fabs(f.value - .5) < .12); /* clipped, and scaled by errors nearby: four standard errors */
	assert_true(f.p_value < 1e-20);
	f = residuals_groups(r, 0, false);
	assert_true(fabs(f.value - .25) < .12 && f.p_value < 1e-20);
	for (uint32_t k = 1; k < COLUMNS; k++)
		assert_true(residuals_linear(r, k).p_value > .001 && residuals_groups(r, k, false).p_value > .001);
	assert_true(residuals_lagged(r, false).p_value > .001);
	residuals_destroy(r);
}

static void
errors_that_follow_each_other_are_found_and_nothing_else(void **state)
{
	struct residuals *r = run(5, 0, .6);
	(void)state;

	assert_true(residuals_lagged(r, false).value > .4);
	assert_true(residuals_lagged(r, false).p_value < 1e-20);
	for (uint32_t k = 0; k < COLUMNS; k++)
		assert_true(residuals_groups(r, k, false).p_value > .001);
	residuals_destroy(r);
}

/* Exact binomial limit: of 200 p-values at .05, more than 24 have probability below 1e-4. */
static void
p_values_of_nothing_are_small_as_often_as_they_say(void **state)
{
	int small[4] = { 0 };
	(void)state;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct residuals *r = run(seed, 0, 0);

		small[0] += residuals_linear(r, 1).p_value < .05;
		small[1] += residuals_groups(r, 2, false).p_value < .05;
		small[2] += residuals_lagged(r, false).p_value < .05;
		small[3] += residuals_slope(r).p_value < .05;
		residuals_destroy(r);
	}
	for (int k = 0; k < 4; k++)
		assert_in_range(small[k], 0, 24);
}

static void
recalibration_is_that_of_least_squares(void **state)
{
	struct residuals *r = residuals_create(0);
	double product[RESIDUAL_PRODUCTS], x = 0, xx = 0, y = 0, xy = 0, n = 0, slope;
	uint64_t seed = 9;
	(void)state;

	for (int i = 0; i < LABELS; i++) {
		struct residual label = { .prediction = fmin(fmax(history_normal(&seed), -2), 2), .weight = 1,
			                  .ts = i, .delay_ms = 0 };
		double truth = .3 + .8 * label.prediction + .1 * history_normal(&seed);

		label.error = label.standard = truth - label.prediction;
		residuals_add(r, &label, product);
		if (i < RESIDUALS_WARMUP)
			continue;
		n += 1;
		x += label.prediction;
		xx += label.prediction * label.prediction;
		y += truth;
		xy += label.prediction * truth;
	}
	slope = (xy - x * y / n) / (xx - x * x / n);
	assert_true(fabs(residuals_slope(r).value - slope) < 1e-9);
	assert_true(fabs(residuals_intercept(r).value - (y - slope * x) / n) < 1e-9);
	assert_true(residuals_slope(r).p_value < 1e-20);
	residuals_destroy(r);
}

static void
errors_go_on_where_they_were_saved(void **state)
{
	uint8_t bytes[65536];
	(void)state;

	for (int at = 50; at < LABELS; at += 170) {
		struct residuals *a = residuals_create(COLUMNS), *b = residuals_create(COLUMNS);
		uint64_t seed = 7, again;
		double last = 0, kept, product[RESIDUAL_PRODUCTS], same[RESIDUAL_PRODUCTS];
		struct codec out = { .data = bytes, .size = sizeof bytes }, in;

		add_labels(a, &seed, 0, at, .3, .3, &last, product);
		residuals_save(a, &out);
		assert_false(out.bad);
		in = (struct codec){ .data = bytes, .size = out.at };
		assert_true(residuals_load(b, &in));
		assert_int_equal(in.at, out.at);
		again = seed;
		kept = last;
		add_labels(a, &seed, at, LABELS, .3, .3, &last, product);
		add_labels(b, &again, at, LABELS, .3, .3, &kept, same);
		assert_memory_equal(product, same, sizeof same);
		/* cut anywhere it is refused, not read past */
		for (size_t cut = 0; cut < out.at; cut += 97) {
			in = (struct codec){ .data = bytes, .size = cut };
			assert_false(residuals_load(b, &in));
		}
		residuals_destroy(a);
		residuals_destroy(b);
	}
}

static void
one_huge_error_is_soon_forgotten(void **state)
{
	static const double huge[] = { 1e308, -1e99, 1e30, (double)INFINITY, (double)NAN };
	(void)state;

	for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
		struct residuals *r = residuals_create(COLUMNS);
		double last = 0, product[RESIDUAL_PRODUCTS];
		struct residual bad = { .error = huge[i], .standard = huge[i], .prediction = 1, .weight = 1, .ts = 1 };
		uint64_t seed = 5;

		add_labels(r, &seed, 0, 150, 0, .6, &last, product);
		residuals_add(r, &bad, product);
		add_labels(r, &seed, 150, LABELS, 0, .6, &last, product);
		assert_true(residuals_lagged(r, false).value > .4);
		assert_true(fabs(product[RESIDUAL_FEATURES]) < 1e6);
		residuals_destroy(r);
	}
}

/* -- through the daemon ------------------------------------------------------------------------------- */

static void
write_labelled(struct history *w, int i, bool late, uint64_t *seed)
{
	long long ts = 1700000000000LL + (long long)i * 600000;
	double x = history_normal(seed), z = history_normal(seed), error = history_normal(seed);

	if (late)
		error = .8 * z + .6 * error;
	fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%.6f,\"z\":%.6f},"
	        "\"prediction\":{\"value\":%.6f,\"sd\":1}}\n", i, ts, x, z, 2 * x);
	fprintf(w->labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"label\":%.6f}\n", i, ts + 7200000,
	        2 * x + error);
}

static void
a_feature_that_the_model_misses_is_named(void **state)
{
	struct history w;
	uint64_t seed = 4;
	char text[640];
	(void)state;

	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nalerts: {budget: 1 per day}\n"
	                 "models:\n  - name: m\n    reference: {from: first, records: 600, span: 8d}\n");
	for (int i = 0; i < 3600; i++)
		write_labelled(&w, i, i >= 2300, &seed);
	history_written(&w);
	history_run(&w, 3, 50, 20, 10);
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT name) FROM streams WHERE kind IN ('discrepancy',"
	                                   " 'structure')"), 11);
	history_text(&w, "SELECT field FROM residual_structure WHERE measure = 'linear' ORDER BY p_adjusted LIMIT 1", text,
	             sizeof text);
	assert_string_equal(text, "feature:z");
	assert_true(history_real(&w, "SELECT value FROM residual_structure WHERE measure = 'linear' AND field ="
	                             " 'feature:z'") > .6);
	assert_true(history_real(&w, "SELECT p_adjusted FROM residual_structure WHERE measure = 'linear' AND field ="
	                             " 'feature:x'") > .001);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts_history WHERE kind = 'discrepancy' AND"
	                              " stream = 'structure:features'") >= 1);
	history_text(&w, "SELECT moved FROM alerts_history WHERE stream = 'structure:features' ORDER BY opened LIMIT 1",
	             text, sizeof text);
	assert_string_equal(text, "structure");
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT kind) FROM uncertainty_now WHERE kind IN"
	                                   " ('discrepancy', 'structural', 'distributional')"), 3);
	/* an honest scale: 1; a PIT without a shape: 0 */
	assert_true(fabs(history_real(&w, "SELECT sum(n * level) / sum(n) FROM uncertainty_daily WHERE stream ="
	                                  " 'discrepancy:scale' AND day < '2023-11-30'") - 1) < .12);
	assert_true(fabs(history_real(&w, "SELECT sum(n * level) / sum(n) FROM uncertainty_daily WHERE stream ="
	                                  " 'discrepancy:pit_spread' AND day < '2023-11-30'")) < .09);
	history_close(&w);
}

extern const struct CMUnitTest residuals_tests[];
const struct CMUnitTest residuals_tests[] = {
	TEST("residuals/dependence_is_found_on_the_column_that_has_it", dependence_is_found_on_the_column_that_has_it),
	TEST("residuals/errors_that_follow_each_other_are_found_and_nothing_else",
	     errors_that_follow_each_other_are_found_and_nothing_else),
	TEST("residuals/p_values_of_nothing_are_small_as_often_as_they_say",
	     p_values_of_nothing_are_small_as_often_as_they_say),
	TEST("residuals/recalibration_is_that_of_least_squares", recalibration_is_that_of_least_squares),
	TEST("residuals/errors_go_on_where_they_were_saved", errors_go_on_where_they_were_saved),
	TEST("residuals/one_huge_error_is_soon_forgotten", one_huge_error_is_soon_forgotten),
	TEST("residuals/a_feature_that_the_model_misses_is_named", a_feature_that_the_model_misses_is_named),
	TESTS_END,
};
