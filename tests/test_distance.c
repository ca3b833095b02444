/* test_distance.c -- distances between two samples: printed values, enumeration, symmetry, limits.
 * */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "detectors/distance/distance.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "tests/tests.h"

static void
assert_near(double got, double expected, double relative)
{
	if (!(fabs(got - expected) <= relative * fabs(expected) + 1e-12))
		fail_msg("got %.17g, expected %.17g", got, expected);
}

static const uint64_t ref_counts[10] = { 120, 95, 100, 88, 102, 97, 110, 91, 99, 98 };
static const uint64_t cur_counts[10] = { 10, 12, 9, 8, 11, 10, 13, 7, 9, 11 };

/* Values from NumPy and SciPy, as printed in the notes on distances. */
static void
counts_give_the_printed_distances(void **state)
{
	struct distance d[DISTANCE_CELL_METRICS];

	(void)state;
	distance_cells(ref_counts, cur_counts, 10, d);
	assert_near(d[DISTANCE_PSI].value, 0.020925326685, 1e-10);
	assert_near(d[DISTANCE_JS].value, 0.064477276637, 1e-10);
	assert_near(d[DISTANCE_JS_NATS].value, 0.053680853979, 1e-10);
	assert_near(d[DISTANCE_HELLINGER].value, 0.053704064506, 1e-10);
	assert_near(d[DISTANCE_TV].value, 0.068, 1e-10);
	assert_near(d[DISTANCE_KL].value, 0.010448829712, 1e-10);
	assert_near(d[DISTANCE_CHI2].value, 2.09757597, 1e-8);
	assert_near(d[DISTANCE_CHI2].p_value, 0.98982882, 1e-7);
	assert_near(d[DISTANCE_G].value, 2.09514207, 1e-8);
	assert_near(d[DISTANCE_G].p_value, 0.98987206, 1e-7);
	assert_true(isnan(d[DISTANCE_TV].p_value));
}

static void
samples_give_the_printed_distances(void **state)
{
	static const double x[] = { 0.12, 0.5, 0.77, 1.3, 1.9, 2.2, 2.8, 3.1 };
	static const double y[] = { 0.4, 1.1, 1.9, 2.5, 3.3, 3.9 };
	double scratch[DISTANCE_KS_SCRATCH];
	struct distance ks = distance_ks(x, 8, y, 6, scratch), cvm = distance_cvm(x, 8, y, 6);

	(void)state;
	assert_near(ks.value, 1.0 / 3, 1e-12);
	assert_near(ks.p_value, 0.7838827839, 1e-9);
	assert_near(cvm.value, 0.0944940476, 1e-8);
	assert_near(cvm.p_value, 0.69939230882, 1e-9);
	assert_near(distance_ad(x, 8, y, 6), -0.4985062339, 1e-9);
	assert_near(distance_wasserstein(x, 8, y, 6), 0.6054166667, 1e-9);
	assert_near(distance_energy(x, 8, y, 6), 0.4799811912, 1e-8);
}

/* Every order of n + m distinct values is equally likely: count those that are at least as far. */
static void
exact_ks_equals_counting_all_orders(void **state)
{
	enum { N = 5, M = 7 };
	double scratch[DISTANCE_KS_SCRATCH], all_value[1 << (N + M)], all_p[1 << (N + M)];
	int orders = 0;

	(void)state;
	for (unsigned mask = 0; mask < 1u << (N + M); mask++) {
		double x[N + M], y[N + M];
		uint32_t n = 0, m = 0;

		for (int i = 0; i < N + M; i++) {
			if (mask >> i & 1)
				x[n++] = i;
			else
				y[m++] = i;
		}
		if (n == N) {
			struct distance d = distance_ks(x, n, y, m, scratch);

			all_value[orders] = d.value;
			all_p[orders++] = d.p_value;
		}
	}
	assert_int_equal(orders, 792);
	for (int i = 0; i < orders; i++) {
		int further = 0;

		for (int j = 0; j < orders; j++)
			further += all_value[j] >= all_value[i] - 1e-12;
		assert_near(all_p[i], (double)further / orders, 1e-12);
	}
}

static void
exact_and_limit_ks_meet(void **state)
{
	double x[101], y[101], scratch[DISTANCE_KS_SCRATCH];
	struct distance exact, limit;

	(void)state;
	for (int i = 0; i < 101; i++) {
		x[i] = i;
		y[i] = i + 8.5;
	}
	exact = distance_ks(x, 100, y, 100, scratch);
	limit = distance_ks(x, 101, y, 101, scratch);
	assert_true(exact.p_value > 0.8 && exact.p_value < 0.9);
	assert_near(limit.p_value, exact.p_value, 0.05);
	for (int i = 0; i < 100; i++)
		y[i] = i + 1000.0;
	/* 2 / C(200, 100): the smallest tail there is keeps its digits. */
	exact = distance_ks(x, 100, y, 100, scratch);
	assert_true(exact.p_value > 2.2e-59 && exact.p_value < 2.3e-59);
}

/* 200 halvings with the cells computed from scratch: the definition itself. */
static double
shift_by_definition(double psi, uint32_t cells)
{
	double low = 0.0, high = DISTANCE_SHIFT_MAX;

	for (int step = 0; step < 200; step++) {
		double d = 0.5 * (low + high), sum = 0.0;

		for (uint32_t k = 0; k < cells; k++) {
			double p = 1.0 / cells, q, a = -HUGE_VAL, b = HUGE_VAL;

			if (k > 0)
				a = special_normal_quantile(k * p) - d;
			if (k + 1 < cells)
				b = special_normal_quantile((k + 1) * p) - d;
			q = a > 0.0 ? special_normal_cdf(-a) - special_normal_cdf(-b)
			            : special_normal_cdf(b) - special_normal_cdf(a);
			sum += (q - p) * log(q / p);
		}
		if (sum < psi)
			low = d;
		else
			high = d;
	}
	return 0.5 * (low + high);
}

static void
shift_is_the_root_that_bisection_finds(void **state)
{
	static const uint32_t cells[] = { 2, 3, 5, 10, 19, 40, 256 };
	double edge[256];
	struct distance_table t;

	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		distance_table_init(&t, cells[i], edge);
		for (double psi = 1e-4; psi < 12.0; psi *= 1.9)
			assert_near(distance_shift(&t, psi), shift_by_definition(psi, cells[i]),
			            1e-9);
	}
}

static void
shift_is_0_without_excess_and_at_most_5(void **state)
{
	double edge[9];
	struct distance_table t;

	(void)state;
	distance_table_init(&t, 10, edge);
	assert_true(distance_shift(&t, 0.0) <= 0.0);
	assert_true(distance_shift(&t, -0.3) <= 0.0);
	assert_true(distance_shift(&t, -HUGE_VAL) <= 0.0);
	assert_near(distance_shift(&t, HUGE_VAL), 5.0, 0.0);
	assert_near(distance_shift(&t, 1e300), 5.0, 0.0);
	assert_true(isnan(distance_shift(&t, (double)NAN)));
	assert_near(distance_psi_null95(&t, 0.006), 0.006 * 16.918977604620448, 1e-9);
	distance_table_init(&t, 1, NULL);
	assert_true(distance_shift(&t, 0.0) <= 0.0);
	assert_true(distance_psi_null95(&t, 0.006) <= 0.0);
}

static void
psi_of_a_window_equals_that_of_the_table(void **state)
{
	uint64_t ref[12] = { 0 }, cur[12] = { 0 };
	struct distance_psi plain, padded;
	struct distance d[DISTANCE_CELL_METRICS];

	(void)state;
	/* Cells empty in both samples are no cells. */
	for (int i = 0; i < 10; i++) {
		ref[i + 1] = ref_counts[i];
		cur[i + 1] = cur_counts[i];
	}
	distance_psi(ref_counts, cur_counts, 10, &plain);
	distance_psi(ref, cur, 12, &padded);
	distance_cells(ref, cur, 12, d);
	assert_int_equal(padded.cells, 10);
	assert_near(padded.psi, plain.psi, 0.0);
	assert_near(padded.corrected, plain.corrected, 0.0);
	assert_near(plain.psi, d[DISTANCE_PSI].value, 0.0);
	assert_near(plain.tv, d[DISTANCE_TV].value, 0.0);
	assert_near(plain.corrected, plain.psi - plain.scale * 9, 1e-12);
	assert_near(d[DISTANCE_PSI_CORRECTED].value, plain.corrected, 0.0);
}

static void
swapping_the_samples_changes_no_symmetric_distance(void **state)
{
	double x[60], y[45], scratch[DISTANCE_KS_SCRATCH];
	struct distance a[DISTANCE_CELL_METRICS], b[DISTANCE_CELL_METRICS];
	struct distance ks, swapped;

	(void)state;
	for (int i = 0; i < 60; i++)
		x[i] = floor(i * 0.4);
	for (int i = 0; i < 45; i++)
		y[i] = floor(i * 0.7);
	ks = distance_ks(x, 60, y, 45, scratch);
	swapped = distance_ks(y, 45, x, 60, scratch);
	assert_near(ks.value, swapped.value, 1e-12);
	assert_near(ks.p_value, swapped.p_value, 1e-12);
	assert_near(distance_wasserstein(x, 60, y, 45), distance_wasserstein(y, 45, x, 60), 1e-12);
	assert_near(distance_energy(x, 60, y, 45), distance_energy(y, 45, x, 60), 1e-12);
	assert_near(distance_ad(x, 60, y, 45), distance_ad(y, 45, x, 60), 1e-12);
	assert_near(distance_cvm(x, 60, y, 45).value, distance_cvm(y, 45, x, 60).value, 1e-12);
	distance_cells(ref_counts, cur_counts, 10, a);
	distance_cells(cur_counts, ref_counts, 10, b);
	for (int i = 0; i < DISTANCE_CELL_METRICS; i++)
		if (i != DISTANCE_KL)
			assert_near(a[i].value, b[i].value, 1e-12);
}

static void
an_empty_sample_has_no_distance(void **state)
{
	static const double x[3] = { 1, 2, 3 };
	static const uint64_t none[2] = { 0, 0 }, some[2] = { 3, 4 };
	double scratch[DISTANCE_KS_SCRATCH];
	struct distance d[DISTANCE_CELL_METRICS];
	struct distance_psi psi;

	(void)state;
	assert_true(isnan(distance_ks(x, 3, x, 0, scratch).value));
	assert_true(isnan(distance_wasserstein(x, 0, x, 3)));
	assert_true(isnan(distance_energy(x, 0, x, 0)));
	assert_true(isnan(distance_cvm(x, 3, x, 0).p_value));
	assert_true(isnan(distance_ad(x, 0, x, 3)));
	distance_cells(none, some, 2, d);
	for (int i = 0; i < DISTANCE_CELL_METRICS; i++)
		assert_true(isnan(d[i].value) && isnan(d[i].p_value));
	distance_psi(some, none, 2, &psi);
	assert_true(isnan(psi.psi) && isnan(psi.tv));
	distance_psi(NULL, NULL, 0, &psi);
	assert_true(isnan(psi.psi));
}

static void
one_cell_is_no_evidence(void **state)
{
	static const uint64_t ref[1] = { 9 }, cur[1] = { 5 };
	struct distance d[DISTANCE_CELL_METRICS];

	(void)state;
	distance_cells(ref, cur, 1, d);
	for (int i = 0; i < DISTANCE_CELL_METRICS; i++) {
		assert_near(d[i].value, 0.0, 0.0);
		assert_true(isnan(d[i].p_value) || d[i].p_value >= 1.0);
	}
}

static void
equal_samples_are_at_distance_0_and_huge_ones_do_no_harm(void **state)
{
	static const double same[4] = { 2, 2, 2, 2 };
	static const double huge[4] = { -1.7e308, -1.0, 1.0, 1.7e308 };
	double scratch[DISTANCE_KS_SCRATCH];

	(void)state;
	assert_near(distance_ks(same, 4, same, 4, scratch).value, 0.0, 0.0);
	assert_near(distance_ks(same, 4, same, 4, scratch).p_value, 1.0, 0.0);
	assert_near(distance_wasserstein(same, 4, same, 4), 0.0, 0.0);
	assert_near(distance_energy(same, 4, same, 4), 0.0, 0.0);
	assert_near(distance_cvm(same, 4, same, 4).p_value, 1.0, 0.0);
	assert_true(isnan(distance_ad(same, 4, same, 4)));
	assert_near(distance_wasserstein(huge, 4, huge, 4), 0.0, 0.0);
	assert_true(distance_wasserstein(huge, 4, same, 4) > 1e307);
	assert_near(distance_ks(huge, 4, same, 4, scratch).value, 0.75, 1e-12);
}

/* Without a change the corrected PSI is 0 on average and exceeds its limit in one window of twenty.
 * */
static void
psi_keeps_its_promise_without_a_change(void **state)
{
	enum { WINDOWS = 4000, CELLS = 10, N = 2000, M = 400 };
	double edge[CELLS - 1], sum = 0.0;
	struct distance_table t;
	int above = 0;

	(void)state;
	distance_table_init(&t, CELLS, edge);
	for (uint64_t w = 0; w < WINDOWS; w++) {
		uint64_t ref[CELLS] = { 0 }, cur[CELLS] = { 0 };
		struct distance_psi psi;

		for (uint64_t i = 1; i <= N; i++)
			ref[(int)(CELLS * rng_uniform(1, 2 * w, i))]++;
		for (uint64_t i = 1; i <= M; i++)
			cur[(int)(CELLS * rng_uniform(1, 2 * w + 1, i))]++;
		distance_psi(ref, cur, CELLS, &psi);
		sum += psi.corrected;
		above += psi.psi > distance_psi_null95(&t, psi.scale);
	}
	assert_true(fabs(sum / WINDOWS) < 5e-4);
	/* Binomial(4000, .05): 200 +- 5 sd. */
	assert_in_range(above, 130, 270);
}

extern const struct CMUnitTest distance_tests[];
const struct CMUnitTest distance_tests[] = {
	TEST("distance/counts_give_the_printed_distances", counts_give_the_printed_distances),
	TEST("distance/samples_give_the_printed_distances", samples_give_the_printed_distances),
	TEST("distance/exact_ks_equals_counting_all_orders", exact_ks_equals_counting_all_orders),
	TEST("distance/exact_and_limit_ks_meet", exact_and_limit_ks_meet),
	TEST("distance/shift_is_the_root_that_bisection_finds",
	     shift_is_the_root_that_bisection_finds),
	TEST("distance/shift_is_0_without_excess_and_at_most_5",
	     shift_is_0_without_excess_and_at_most_5),
	TEST("distance/psi_of_a_window_equals_that_of_the_table",
	     psi_of_a_window_equals_that_of_the_table),
	TEST("distance/swapping_the_samples_changes_no_symmetric_distance",
	     swapping_the_samples_changes_no_symmetric_distance),
	TEST("distance/an_empty_sample_has_no_distance", an_empty_sample_has_no_distance),
	TEST("distance/one_cell_is_no_evidence", one_cell_is_no_evidence),
	TEST("distance/equal_samples_are_at_distance_0_and_huge_ones_do_no_harm",
	     equal_samples_are_at_distance_0_and_huge_ones_do_no_harm),
	TEST("distance/psi_keeps_its_promise_without_a_change",
	     psi_keeps_its_promise_without_a_change),
	TESTS_END,
};
