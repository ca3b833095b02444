/* test_metrics.c -- forecast metrics against printed values and brute force; the reader of JSON
 * Lines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/rng.h"
#include "detectors/metric/metric.h"
#include "detectors/metric/metric_bootstrap.h"
#include "detectors/metric/metric_binomial.h"
#include "detectors/metric/metric_bins.h"
#include "detectors/metric/metric_crps.h"
#include "detectors/metric/metric_rank.h"
#include "detectors/metric/metric_winkler.h"
#include "monitor/decode/jsonl.h"
#include "tests/test_classic.h"
#include "tests/tests.h"

static void
assert_near(double got, double expected, double relative)
{
	if (!(fabs(got - expected) <= relative * fabs(expected) + 1e-12))
		fail_msg("got %.17g, expected %.17g", got, expected);
}

static void
every_metric_is_documented_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; metric_table[i] != NULL; i++) {
		const struct metric *m = metric_table[i];
		size_t fields = 0;

		assert_ptr_equal(metric_find(m->name), m);
		assert_true(strlen(m->summary) > 10 && strlen(m->source) > 5);
		assert_true(i == 0 || strcmp(metric_table[i - 1]->name, m->name) < 0);
		while (m->fields[fields].name != NULL)
			fields++;
		assert_in_range(fields, 1, METRIC_FIELDS_MAX);
		for (const struct option *o = m->options; o->name != NULL; o++)
			assert_true(strlen(o->help) > 5);
	}
	assert_null(metric_find("nope"));
}

/* A metric without a row must not divide by nothing. */
static void
every_metric_survives_no_rows(void **state)
{
	(void)state;
	for (size_t i = 0; metric_table[i] != NULL; i++) {
		_Alignas(max_align_t) unsigned char options[1024] = { 0 };
		const struct metric *m = metric_table[i];
		struct metric_value value[METRIC_VALUES_MAX];
		struct diag d;
		void *self;
		size_t n;

		option_defaults(m->options, options);
		assert_int_equal(m->create(&self, options, 1, &d), 0);
		n = m->values(self, value);
		assert_true(n <= METRIC_VALUES_MAX);
		m->destroy(self);
		m->destroy(NULL);
	}
}

static void
crps_gives_the_printed_values(void **state)
{
	static const double sample[5] = { -1.5, -0.2, 0.4, 0.4, 2.0 };
	static const double level[3] = { 0.1, 0.5, 0.9 }, value[3] = { -1.0, 0.0, 1.2 };
	double y = 0.3, fair, distance = 0.0, spread = 0.0;

	(void)state;
	/* (sqrt 2 - 1) / sqrt pi */
	assert_near(metric_crps_normal(0, 1, 0), 0.23369497725510915, 1e-12);
	assert_near(metric_crps_normal(2, 0, 5), 3.0, 1e-12);
	for (int i = 0; i < 5; i++) {
		distance += fabs(sample[i] - y) / 5;
		for (int j = 0; j < 5; j++)
			spread += fabs(sample[i] - sample[j]);
	}
	assert_near(metric_crps_samples(sample, 5, y, &fair), distance - spread / 50, 1e-12);
	assert_near(fair, distance - spread / 40, 1e-12);
	assert_near(metric_crps_samples(sample, 1, y, &fair), 1.8, 1e-12);
	assert_true(isnan(fair));
	assert_near(metric_crps_quantiles(level, value, 3, 0.7), 0.38, 1e-12);
}

static void
interval_score_charges_what_lies_outside(void **state)
{
	(void)state;
	assert_near(metric_winkler_score(1, 3, 2, 0.1), 2.0, 1e-12);
	assert_near(metric_winkler_score(1, 3, 1, 0.1), 2.0, 1e-12);
	assert_near(metric_winkler_score(1, 3, 0.5, 0.1), 12.0, 1e-12);
	assert_near(metric_winkler_score(1, 3, 4, 0.2), 12.0, 1e-12);
}

/* At the lower limit k or more has probability alpha/2, at the upper one k or fewer. */
static void
clopper_pearson_limits_have_their_tails(void **state)
{
	double lower, upper;

	(void)state;
	for (double n = 1; n < 2000; n = floor(n * 1.7) + 1)
		for (double k = 0; k <= n; k = floor(k * 1.4) + 1) {
			metric_clopper_pearson_limits(k, n, 0.1, &lower, &upper);
			assert_true(lower <= k / n && k / n <= upper);
			if (k > 0)
				assert_near(metric_binomial_tail(k, n, lower), 0.05, 1e-9);
			if (k < n)
				assert_near(1 - metric_binomial_tail(k + 1, n, upper), 0.05, 1e-9);
		}
	/* One in 1e15 is Poisson: the chi-square quantile(.975; 4) / 2. */
	metric_clopper_pearson_limits(1, 1e15, 0.05, &lower, &upper);
	assert_true(fabs(upper / 5.571643390938898e-15 - 1.0) < 1e-9);
	metric_clopper_pearson_limits(0, 0, 0.05, &lower, &upper);
	assert_near(lower, 0.0, 0.0);
	assert_near(upper, 1.0, 0.0);
}

static void
null_rate_of_coverage_grows_with_the_streams(void **state)
{
	(void)state;
	assert_near(metric_p0_rank(1000, 0.1), 100, 0.0);
	assert_near(metric_p0_value(1000, 0.1, 0.01, 1, 0), 0.12309211230141881, 1e-10);
	assert_near(metric_p0_value(1000, 0.1, 0.01, 20, 0), 0.13364488894618773, 1e-10);
	assert_near(metric_p0_value(1000, 0.1, 0.01, 1600, 0.01), 0.15600717426060245, 1e-10);
	assert_near(metric_p0_value(5, 0.1, 0.01, 1, 0.01), 0.01, 1e-12);
	assert_near(metric_p0_value(5, 1.0, 0.01, 1, 0), 1.0, 1e-12);
}

static void
bins_hold_their_edges(void **state)
{
	(void)state;
	assert_int_equal(metric_bin_of(0.0, 15), 0);
	assert_int_equal(metric_bin_of(1.0, 15), 14);
	assert_int_equal(metric_bin_of(0.5, 4), 2);
	assert_int_equal(metric_bin_of(nextafter(0.5, 0.0), 4), 1);
	assert_int_equal(metric_bin_of(1.0, 1), 0);
}

/* Bins of two halves of the data add up to those of the whole. */
static void
calibration_sums_can_be_added(void **state)
{
	struct metric_bin all[METRIC_BINS] = { { 0 } }, half[2][METRIC_BINS] = { { { 0 } } };
	struct metric_calibration a, b;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		double p = rng_uniform(1, 0, i), y = rng_uniform(1, 1, i) < p * p ? 1.0 : 0.0;

		metric_bin_add(all, METRIC_BINS, p, y);
		metric_bin_add(half[i % 2], METRIC_BINS, p, y);
	}
	for (int i = 0; i < METRIC_BINS; i++) {
		half[0][i].n += half[1][i].n;
		half[0][i].p += half[1][i].p;
		half[0][i].y += half[1][i].y;
	}
	metric_calibration(all, METRIC_BINS, &a);
	metric_calibration(half[0], METRIC_BINS, &b);
	assert_near(a.ece, b.ece, 1e-12);
	assert_near(a.reliability, b.reliability, 1e-12);
	assert_true(a.ece > 0.1 && a.mce >= a.ece && a.ece2_debiased < a.reliability);
	memset(all, 0, sizeof all);
	metric_calibration(all, METRIC_BINS, &a);
	assert_true(isnan(a.ece) && isnan(a.uncertainty));
}

static void
discoveries_are_counted_from_the_top(void **state)
{
	static const double p[6] = { 0.001, 0.02, 0.05, 0.065, 0.9, 1.0 };
	static const double e[5] = { 0.5, 1, 20, 30, 60 };

	(void)state;
	/* .05 <= .05 but .02 alone would also stop at 2: the largest k counts. */
	assert_int_equal(metric_bh_rejections(p, 6, 0.1), 4);
	assert_int_equal(metric_bh_rejections(p, 0, 0.1), 0);
	assert_int_equal(metric_bh_rejections(p + 4, 2, 0.1), 0);
	assert_int_equal(metric_e_bh_rejections(e, 5, 0.1), 3);
	assert_int_equal(metric_e_bh_rejections(e, 2, 0.1), 0);
	assert_int_equal(metric_e_bh_rejections(e, 0, 0.1), 0);
}

static void
bootstrap_run(const int *order, size_t n, double out[3])
{
	_Alignas(max_align_t) unsigned char options[1024] = { 0 };
	const struct metric *m = metric_find("bootstrap");
	struct metric_value value[METRIC_VALUES_MAX];
	struct metric_row row = { 0 };
	struct diag d;
	void *self;

	option_defaults(m->options, options);
	assert_int_equal(m->create(&self, options, 7, &d), 0);
	for (size_t i = 0; i < n; i++) {
		row.number = i + 1;
		row.in[0] = (struct metric_input){ .given = true, .number = order[i] % 13 };
		row.in[1] = (struct metric_input){ .given = true, .integer = order[i] };
		assert_int_equal(m->add(self, &row, &d), 0);
	}
	assert_int_equal(m->values(self, value), 3);
	assert_int_equal(m->values(self, value), 3);
	for (int i = 0; i < 3; i++)
		out[i] = value[i].value;
	m->destroy(self);
}

static void
bootstrap_depends_on_keys_not_on_order(void **state)
{
	int forward[100], backward[100];
	double a[3], b[3];

	(void)state;
	for (int i = 0; i < 100; i++) {
		forward[i] = i;
		backward[i] = 99 - i;
	}
	bootstrap_run(forward, 100, a);
	bootstrap_run(backward, 100, b);
	for (int i = 0; i < 3; i++)
		assert_near(a[i], b[i], 1e-12);
	assert_true(a[1] < a[0] && a[0] < a[2]);
}

/* By inversion, one draw at a time; keys enough that weights beyond the table of the kernels occur. */
static void
bootstrap_weights_are_the_same_on_every_processor(void **state)
{
	double weight[METRIC_REPLICAS], most = 0;

	(void)state;
	for (uint64_t key = 0; key < 2000; key++)
		for (enum isa isa = ISA_BEST; isa <= ISA_AVX512; isa++) {
			metric_bootstrap_weights(isa, 5, key * 0x9E3779B97F4A7C15u, weight);
			for (uint64_t b = 0; b < METRIC_REPLICAS; b++) {
				double u = rng_uniform(5, b + 1, key * 0x9E3779B97F4A7C15u);
				double p = 0.36787944117144232160, total = p, k = 0;

				for (; u > total; total += p)
					p /= ++k;
				assert_true(weight[b] >= k && weight[b] <= k);
				most = k > most ? k : most;
			}
		}
	assert_true(most >= 8);
}

/* A reader with one parsed line. */
static struct jsonl *
line(const char *text)
{
	struct jsonl *j = jsonl_create();
	struct diag d = { "" };

	assert_non_null(j);
	if (jsonl_parse(j, text, strlen(text), &d) != 0)
		fail_msg("%s: %s", text, d.text);
	return j;
}

static void
fields_are_read_by_type(void **state)
{
	struct jsonl *j = line("{\"a\":1.5,\"i\":-7,\"whole\":3.0,\"s\":\"x\\u0041\\u0000y\","
	                       "\"n\":null,\"b\":true,\"v\":[1,2.5,-3e2],\"m\":[[1,2],[3,4],[5,6]],"
	                       "\"q\":{\"0.1\":-1,\"0.9\":2},\"o\":{\"in\":4},\"o.x\":5}");
	struct jsonl_numbers x = { 0 }, y = { 0 };
	double number = 0.0;
	int64_t integer = 0;
	const char *text;
	size_t length, rows, columns;

	(void)state;
	assert_int_equal(jsonl_number(j, "a", &number), JSONL_FOUND);
	assert_near(number, 1.5, 0.0);
	assert_int_equal(jsonl_number(j, "i", &number), JSONL_FOUND);
	assert_int_equal(jsonl_integer(j, "i", &integer), JSONL_FOUND);
	assert_int_equal(integer, -7);
	assert_int_equal(jsonl_integer(j, "whole", &integer), JSONL_FOUND);
	assert_int_equal(integer, 3);
	assert_int_equal(jsonl_integer(j, "a", &integer), JSONL_WRONG);
	assert_int_equal(jsonl_number(j, "n", &number), JSONL_ABSENT);
	assert_int_equal(jsonl_number(j, "nothing", &number), JSONL_ABSENT);
	assert_int_equal(jsonl_number(j, "b", &number), JSONL_WRONG);
	assert_int_equal(jsonl_number(j, "s", &number), JSONL_WRONG);
	assert_int_equal(jsonl_string(j, "s", &text, &length), JSONL_FOUND);
	assert_int_equal(length, 4);
	assert_memory_equal(text, "xA\0y", 4);
	assert_int_equal(jsonl_array(j, "v", &x), JSONL_FOUND);
	assert_int_equal(x.n, 3);
	assert_near(x.value[2], -300.0, 0.0);
	assert_int_equal(jsonl_matrix(j, "m", &x, &rows, &columns), JSONL_FOUND);
	assert_true(rows == 3 && columns == 2);
	assert_near(x.value[5], 6.0, 0.0);
	assert_int_equal(jsonl_levels(j, "q", &x, &y), JSONL_FOUND);
	assert_true(x.n == 2 && y.n == 2);
	assert_near(x.value[1], 0.9, 0.0);
	assert_near(y.value[0], -1.0, 0.0);
	assert_int_equal(jsonl_number(j, "o.in", &number), JSONL_FOUND);
	assert_near(number, 4.0, 0.0);
	assert_int_equal(jsonl_number(j, "o.x", &number), JSONL_FOUND);
	assert_near(number, 5.0, 0.0);
	assert_int_equal(jsonl_number(j, "a.x", &number), JSONL_ABSENT);
	assert_int_equal(jsonl_number(j, "o.none", &number), JSONL_ABSENT);
	jsonl_numbers_finish(&x);
	jsonl_numbers_finish(&y);
	jsonl_destroy(j);
}

static void
misshapen_fields_are_told_apart_from_absent_ones(void **state)
{
	struct jsonl *j = line("{\"v\":[1,\"2\"],\"ragged\":[[1],[2,3]],\"flat\":[1],\"e\":[],"
	                       "\"ee\":[[],[]],\"q\":{\"x\":1},\"r\":{\"0.1\":\"1\"},"
	                       "\"big\":12345678901234567890}");
	struct jsonl_numbers x = { 0 }, y = { 0 };
	size_t rows, columns;
	int64_t integer;

	(void)state;
	assert_int_equal(jsonl_array(j, "v", &x), JSONL_WRONG);
	assert_int_equal(jsonl_array(j, "ragged", &x), JSONL_WRONG);
	assert_int_equal(jsonl_array(j, "e", &x), JSONL_FOUND);
	assert_int_equal(x.n, 0);
	assert_int_equal(jsonl_matrix(j, "ragged", &x, &rows, &columns), JSONL_WRONG);
	assert_int_equal(jsonl_matrix(j, "flat", &x, &rows, &columns), JSONL_WRONG);
	assert_int_equal(jsonl_matrix(j, "ee", &x, &rows, &columns), JSONL_FOUND);
	assert_true(rows == 2 && columns == 0);
	assert_int_equal(jsonl_levels(j, "q", &x, &y), JSONL_WRONG);
	assert_int_equal(jsonl_levels(j, "r", &x, &y), JSONL_WRONG);
	assert_int_equal(jsonl_levels(j, "flat", &x, &y), JSONL_WRONG);
	assert_int_equal(jsonl_integer(j, "big", &integer), JSONL_WRONG);
	jsonl_numbers_finish(&x);
	jsonl_numbers_finish(&y);
	jsonl_destroy(j);
}

static void
a_broken_line_leaves_no_fields_and_the_next_is_read(void **state)
{
	static const char *const broken[] = {
		"", "{", "[1]", "null", "{\"a\":}", "{\"a\":1}x", "{'a':1}", "{\"a\":1e999}",
		"\xff\xfe", "{\"a\":NaN}",
	};
	struct jsonl *j = jsonl_create();
	struct diag d;
	double value;
	char deep[600] = "{\"a\":";

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		d.text[0] = '\0';
		assert_int_equal(jsonl_parse(j, broken[i], strlen(broken[i]), &d), ERR_INVALID);
		assert_true(strlen(d.text) > 3);
		assert_int_equal(jsonl_number(j, "a", &value), JSONL_ABSENT);
	}
	memset(deep + 5, '[', 250);
	memset(deep + 255, ']', 250);
	strcpy(deep + 505, "}");
	assert_int_equal(jsonl_parse(j, deep, strlen(deep), &d), ERR_INVALID);
	assert_int_equal(jsonl_parse(j, "{\"a\":2,\"a\":3}", 13, &d), 0);
	assert_int_equal(jsonl_number(j, "a", &value), JSONL_FOUND);
	assert_near(value, 2.0, 0.0);
	jsonl_destroy(j);
	jsonl_destroy(NULL);
}

extern const struct CMUnitTest metrics_tests[];
const struct CMUnitTest metrics_tests[] = {
	TEST("metrics/every_metric_is_documented_and_found", every_metric_is_documented_and_found),
	TEST("metrics/every_metric_survives_no_rows", every_metric_survives_no_rows),
	TEST("metrics/crps_gives_the_printed_values", crps_gives_the_printed_values),
	TEST("metrics/interval_score_charges_what_lies_outside",
	     interval_score_charges_what_lies_outside),
	TEST("metrics/clopper_pearson_limits_have_their_tails",
	     clopper_pearson_limits_have_their_tails),
	TEST("metrics/null_rate_of_coverage_grows_with_the_streams",
	     null_rate_of_coverage_grows_with_the_streams),
	TEST("metrics/bins_hold_their_edges", bins_hold_their_edges),
	TEST("metrics/calibration_sums_can_be_added", calibration_sums_can_be_added),
	TEST("metrics/discoveries_are_counted_from_the_top", discoveries_are_counted_from_the_top),
	TEST("metrics/bootstrap_weights_are_the_same_on_every_processor",
	     bootstrap_weights_are_the_same_on_every_processor),
	TEST("metrics/bootstrap_depends_on_keys_not_on_order",
	     bootstrap_depends_on_keys_not_on_order),
	TEST("jsonl/fields_are_read_by_type", fields_are_read_by_type),
	TEST("jsonl/misshapen_fields_are_told_apart_from_absent_ones",
	     misshapen_fields_are_told_apart_from_absent_ones),
	TEST("jsonl/a_broken_line_leaves_no_fields_and_the_next_is_read",
	     a_broken_line_leaves_no_fields_and_the_next_is_read),
	TEST("classic/extreme_values_leave_states_that_load",
	     classic_extreme_values_leave_states_that_load),
	TEST("classic/ranks_equal_counting", classic_ranks_equal_counting),
	TEST("classic/focus_equals_trying_every_start", classic_focus_equals_trying_every_start),
	TEST("classic/mondrian_warm_up_survives_a_restart",
	     classic_mondrian_warm_up_survives_a_restart),
	TEST("classic/martingale_alarms_once_in_forms_that_never_reset",
	     classic_martingale_alarms_once_in_forms_that_never_reset),
	TEST("classic/confidence_sequences_narrow_and_hold",
	     classic_confidence_sequences_narrow_and_hold),
	TESTS_END,
};
