/* test_run_length.c -- run lengths against published and independently computed tables. */
#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "detectors/kit/special.h"
#include "detectors/run_length/chart.h"
#include "detectors/run_length/renewal.h"
#include "monitor/command/arl.h"
#include "tests/tests.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
assert_within(const char *what, double got, double expected, double relative)
{
	if (!(fabs(got - expected) <= relative * fabs(expected)))
		fail_msg("%s: got %.10g, expected %.10g", what, got, expected);
}

/* One-sided ARL in control, two-sided ARL, two-sided ARL at the shift 2k; 0: not in the table. */
static void
cusum_has_the_lengths_of_the_tables(void **state)
{
	static const struct { double k, h, upper, both, shifted; } table[] = {
		{ .25, 8, 736.8, 368.4, 0 }, { .5, 4, 335.4, 167.7, 8.38 }, { .5, 4.77, 737, 368.5, 0 },
		{ .5, 5, 930.9, 465.4, 10.38 }, { .5, 8, 18966, 9483, 16.37 }, { .5, 10, 140265, 70133, 0 },
		{ .5, 12, 1.0366e6, 5.18e5, 0 }, { 1, 2.5, 716, 358, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct chart c = { CHART_CUSUM, table[i].k, table[i].h };

		assert_within("upper", chart_length_upper(&c, 0), table[i].upper, 6e-4);
		assert_within("both", chart_length(&c, 0), table[i].both, 6e-4);
		if (table[i].shifted > 0)
			assert_within("shifted", chart_length(&c, 2 * table[i].k), table[i].shifted, 6e-4);
	}
}

static void
cusum_has_the_limits_of_the_tables(void **state)
{
	static const struct { double length, half, quarter; } table[] = {
		{ 370, 4.774, 8.008 }, { 500, 5.071, 8.585 }, { 1e3, 5.757, 9.931 }, { 1e4, 8.053, 14.492 },
		{ 1e5, 10.355, 19.091 }, { 1e6, 12.657, 23.695 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct chart half = { CHART_CUSUM, .5, 0 }, quarter = { CHART_CUSUM, .25, 0 };

		assert_true(fabs(chart_limit(&half, table[i].length) - table[i].half) < 6e-4);
		assert_true(fabs(chart_limit(&quarter, table[i].length) - table[i].quarter) < 6e-4);
	}
}

/* Lucas and Saccucci (1990), and the limits for one false alarm in 10000. */
static void
ewma_has_the_lengths_of_the_tables(void **state)
{
	static const double shift[] = { .25, .5, 1, 2, 3 };
	static const struct { double lambda, limit, length[COUNT(shift)]; } table[] = {
		{ .05, 2.615, { 84.0, 28.8, 11.4, 5.22, 3.50 } }, { .1, 2.814, { 106.3, 31.3, 10.3, 4.36, 2.87 } },
		{ .2, 2.962, { 150, 41.8, 10.5, 3.74, 2.38 } }, { .25, 2.998, { 170, 48.3, 11.1, 3.61, 2.26 } },
		{ .4, 3.054, { 224, 71.2, 14.3, 3.52, 2.02 } },
	};
	static const struct { double lambda, limit; } rare[] = { { .05, 3.627 }, { .1, 3.749 }, { .2, 3.834 } };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct chart c = { CHART_EWMA, table[i].lambda, table[i].limit };

		assert_within("in control", chart_length(&c, 0), 500, 2e-3);
		for (size_t j = 0; j < COUNT(shift); j++)
			assert_within("shifted", chart_length(&c, shift[j]), table[i].length[j], 5e-3);
	}
	for (size_t i = 0; i < COUNT(rare); i++) {
		struct chart c = { CHART_EWMA, rare[i].lambda, 0 };

		assert_true(fabs(chart_limit(&c, 1e4) - rare[i].limit) < 6e-4);
	}
}

/* With lambda 1 every value stands alone: the length is 1 / P(|z| > L), known to the last digit. */
static void
a_chart_of_single_values_is_exact_far_out(void **state)
{
	(void)state;
	for (double limit = 1; limit <= 7.9; limit += 0.7) {
		struct chart c = { CHART_EWMA, 1, limit };
		double expected = 0.5 / special_normal_cdf(-limit);

		assert_within("length", chart_length(&c, 0), expected, 1e-10);
		assert_within("limit", chart_limit(&c, expected), limit, 1e-10);
	}
}

/* A limit found for a length has that length, also where the length is near 1 / epsilon. */
static void
limits_and_lengths_are_inverse(void **state)
{
	static const double length[] = { 2, 50, 1e6, 1e12, 1e15 };

	(void)state;
	for (size_t i = 0; i < COUNT(length); i++)
		for (int kind = 0; kind < 2; kind++) {
			struct chart c = { kind ? CHART_EWMA : CHART_CUSUM, kind ? .1 : .4, 0 };

			c.limit = chart_limit(&c, length[i]);
			assert_within("length", chart_length(&c, 0), length[i], 1e-9);
		}
	assert_true(isnan(chart_limit(&(struct chart){ CHART_CUSUM, .5, 0 }, 1e16)));
}

/* Delays after 1000 records without an alarm, simulated elsewhere with about 2 %: within 6 %. */
static void
charts_have_the_delays_of_simulations(void **state)
{
	static const double shift[] = { .25, .5, 1, 2 };
	static const struct { enum chart_kind kind; double weight, delay[COUNT(shift)]; } table[] = {
		{ CHART_CUSUM, .5, { 760, 79.7, 15.5, 5.7 } }, { CHART_CUSUM, .25, { 228, 50.5, 18.1, 8.1 } },
		{ CHART_CUSUM, .125, { 158, 57.8, 25.4, 12.1 } }, { CHART_EWMA, .05, { 340, 57.8, 17.2, 7.3 } },
		{ CHART_EWMA, .1, { 707, 86.8, 16.5, 5.9 } }, { CHART_EWMA, .2, { 1455, 199, 20.7, 5.2 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct chart c = { table[i].kind, table[i].weight, 0 };

		c.limit = chart_limit(&c, 1e4);
		for (size_t j = 0; j < COUNT(shift); j++)
			assert_within("delay", chart_delay(&c, shift[j], 1000), table[i].delay[j], 0.06);
	}
}

static void
renewal_constants_are_the_exact_ones(void **state)
{
	(void)state;
	assert_within(".1", renewal_zeta(.1), .943, 1e-3);
	assert_within(".5", renewal_zeta(.5), .747, 1e-3);
	assert_within("1", renewal_zeta(-1), .560, 1e-3);
	assert_within("the expansion meets the sum", renewal_zeta(.0999999), renewal_zeta(.1), 1e-3);
	assert_true(renewal_zeta(0) >= 1 && renewal_zeta(40) > 0);
}

static void
ask(const char *name, void *own, const struct arl_options *o, struct arl_answer *a)
{
	struct arl_method m = { .name = name };
	struct diag d = { "" };

	if (arl_sr(&m, o, own, 1, a, &d))
		fail_msg("%s: %s", name, d.text);
}

/* Delays and lengths of Shiryaev-Roberts mixtures at 1e4, simulated elsewhere. */
static void
shiryaev_roberts_has_the_delays_of_the_tables(void **state)
{
	static const double normal[] = { 180, 57.6, 18.3, 5.9 }, normal_average[] = { 169, 54.7, 17.5, 5.8 },
		rate[] = { 1215, 328, 120, 43 }, rate_average[] = { 1097, 308, 113, 41 };
	struct arl_options o = { .arl = (double)NAN, .change = { 4, { .25, .5, 1, 2 } }, .before = 1000,
		.paths = 400, .alarms = 100, .threshold = 1e4, .sd = (double)NAN };
	const struct detector *det = detector_find("sr-normal");
	void *own = calloc(1, det->options_size + 1);
	struct arl_answer a;

	(void)state;
	assert_non_null(own);
	option_defaults(det->options, own);
	ask("sr-normal", own, &o, &a);
	assert_within("renewal", a.length_renewal, 14900, 0.03);
	assert_true(fabs(a.length - 14900) < 4 * a.error && a.error < 0.2 * a.length);
	for (uint32_t i = 0; i < 4; i++) {
		assert_within("sr-normal", a.change[i].delay.mean, normal[i], 0.1);
		assert_within("sr-normal on average", a.change[i].average.mean, normal_average[i], 0.1);
	}
	free(own);
	det = detector_find("sr-bernoulli");
	own = calloc(1, det->options_size + 1);
	assert_non_null(own);
	option_defaults(det->options, own);
	assert_int_equal(option_set(option_find(det->options, "p0"), own, "0.1", NULL), 0);
	o.change = (struct option_list){ 4, { .12, .15, .2, .3 } };
	o.paths = 2000;
	o.alarms = 2000;
	ask("sr-bernoulli", own, &o, &a);
	assert_true(a.length > 1e4 && a.length_bound >= 1e4 && a.length_bound <= 1e4);
	assert_within("ARL", a.length, 13200, 0.06);
	for (uint32_t i = 0; i < 4; i++) {
		assert_within("sr-bernoulli", a.change[i].delay.mean, rate[i], 0.1);
		assert_within("sr-bernoulli on average", a.change[i].average.mean, rate_average[i], 0.1);
	}
	free(own);
}

extern const struct CMUnitTest run_length_tests[];
const struct CMUnitTest run_length_tests[] = {
	TEST("run_length/cusum_has_the_lengths_of_the_tables", cusum_has_the_lengths_of_the_tables),
	TEST("run_length/cusum_has_the_limits_of_the_tables", cusum_has_the_limits_of_the_tables),
	TEST("run_length/ewma_has_the_lengths_of_the_tables", ewma_has_the_lengths_of_the_tables),
	TEST("run_length/a_chart_of_single_values_is_exact_far_out", a_chart_of_single_values_is_exact_far_out),
	TEST("run_length/limits_and_lengths_are_inverse", limits_and_lengths_are_inverse),
	TEST("run_length/charts_have_the_delays_of_simulations", charts_have_the_delays_of_simulations),
	TEST("run_length/renewal_constants_are_the_exact_ones", renewal_constants_are_the_exact_ones),
	TEST("run_length/shiryaev_roberts_has_the_delays_of_the_tables",
	     shiryaev_roberts_has_the_delays_of_the_tables),
	TESTS_END,
};
