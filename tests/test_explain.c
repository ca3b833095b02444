/* test_explain.c -- where hits concentrate: the search, and the counts that it searches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/coverage/concentration.h"
#include "detectors/kit/codec.h"
#include "monitor/label/explain.h"
#include "tests/fixture.h"
#include "tests/tests.h"

extern const struct CMUnitTest explain_tests[];

static void
the_range_with_most_excess_is_found(void **state)
{
	const struct cell_count count[] = { { 100, 10 }, { 100, 11 }, { 100, 60 }, { 100, 55 }, { 100, 9 }, { 0, 0 } };
	struct concentration c;

	(void)state;
	assert_true(concentration_find(count, 6, true, &c));
	assert_true(c.first == 2 && c.last == 3 && c.n == 200 && c.hits == 115 && c.n_all == 500);
	assert_true(fabs(c.rate - 0.575) < 1e-15 && fabs(c.outside - 0.1) < 1e-15);
	assert_true(fabs(c.lift - 0.575 / 0.29) < 1e-12);
	/* log likelihood ratio of the two rates against one, by hand */
	assert_true(fabs(c.gain - (115 * log(.575) + 85 * log(.425) + 30 * log(.1) + 270 * log(.9) -
	                           145 * log(.29) - 355 * log(.71))) < 1e-9);
	concentration_limits(&c, 0.05, 16);
	assert_true(c.low > 0.45 && c.low < 0.5 && c.high > 0.65 && c.high < 0.7);
}

static void
categories_and_missing_values_form_no_ranges(void **state)
{
	const struct cell_count category[] = { { 100, 50 }, { 100, 50 }, { 100, 5 }, { 0, 0 } };
	const struct cell_count gap[] = { { 100, 5 }, { 100, 50 }, { 100, 50 } };
	struct concentration c;

	(void)state;
	assert_true(concentration_find(category, 4, false, &c));
	assert_true(c.first == c.last && c.n == 100);
	assert_true(concentration_find(gap, 3, true, &c));
	assert_true(c.first == c.last);
	assert_int_equal(concentration_searched(4, false), 4);
	assert_int_equal(concentration_searched(41, true), 821);
}

static void
nothing_is_found_where_all_is_alike(void **state)
{
	const struct cell_count alike[] = { { 100, 10 }, { 50, 5 }, { 200, 20 } }, none[] = { { 100, 0 }, { 50, 0 } };
	struct concentration c;

	(void)state;
	assert_false(concentration_find(alike, 3, true, &c));
	assert_false(concentration_find(none, 2, true, &c));
	assert_false(concentration_find(alike, 1, true, &c));
}

/* A place named at 95 % where nothing differs is a false one: at most 5 % of searches, exactly binomial. */
static void
a_place_is_named_by_chance_in_at_most_5_percent_of_searches(void **state)
{
	enum { SEARCHES = 600, CELLS = 20, RECORDS = 2000 };
	uint64_t seed = 11;
	uint32_t named = 0;

	(void)state;
	for (int i = 0; i < SEARCHES; i++) {
		struct cell_count count[CELLS + 1] = { { 0, 0 } };
		struct concentration c;

		for (int r = 0; r < RECORDS; r++) {
			uint32_t cell = (uint32_t)(fixture_random(&seed) % CELLS);

			count[cell].n++;
			count[cell].hits += fixture_random(&seed) % 10 == 0;
		}
		if (!concentration_find(count, CELLS + 1, true, &c))
			continue;
		concentration_limits(&c, 0.05, concentration_searched(CELLS + 1, true));
		named += c.p <= 0.05;
	}
	assert_true(named <= 43); /* P(Bin(600, .05) > 43) = .0087 */
}

static void
counts_survive_a_restart(void **state)
{
	struct explain *e = explain_create(6), *again = explain_create(6);
	uint8_t bytes[32768], twice[32768];
	struct codec out = { .data = bytes, .size = sizeof bytes }, in;
	struct codec out2 = { .data = twice, .size = sizeof twice };
	const uint16_t segment[2] = { 3, 0 };
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 1700; i++) {
		uint8_t bins[6] = { (uint8_t)(i % 7), EXPLAIN_MISSING, EXPLAIN_UNKNOWN, 79, (uint8_t)(i % 2), 5 };

		explain_add(e, (struct explain_row){ bins, i < 900 ? 5 : 6, segment, i % 2 ? 2 : 1 },
		            fixture_random(&seed) % 3 == 0);
	}
	assert_int_equal(explain_cells(e, EXPLAIN_BEFORE, 1)[EXPLAIN_MISSING].n, 1000);
	assert_int_equal(explain_cells(e, EXPLAIN_OLDER, 1)[EXPLAIN_MISSING].n, 500);
	assert_int_equal(explain_cells(e, EXPLAIN_NEWER, 1)[EXPLAIN_MISSING].n, 200);
	assert_int_equal(explain_cells(e, EXPLAIN_BEFORE, 2)[0].n, 0);
	explain_opened(e);
	for (int i = 1; i <= 900; i++)
		assert_int_equal(explain_add_after(e, (struct explain_row){ (const uint8_t[]){ 1, 2 }, 2, segment, 1 },
		                                   true), i == 200 || i == 800);
	assert_int_equal(e->segment[3][EXPLAIN_BEFORE].n, 1000);
	assert_int_equal(e->segment[0][EXPLAIN_NEWER].n, 100);
	assert_int_equal(e->segment[3][EXPLAIN_AFTER].hits, 900);
	explain_save(e, &out);
	in = (struct codec){ .data = bytes, .size = out.at };
	assert_true(explain_load(again, &in) && in.at == out.at);
	explain_save(again, &out2);
	assert_int_equal(out2.at, out.at);
	assert_memory_equal(bytes, twice, out.at);
	for (size_t cut = 0; cut < out.at; cut += 7) {
		struct explain *bad = explain_create(6);

		in = (struct codec){ .data = bytes, .size = cut };
		assert_false(explain_load(bad, &in));
		explain_destroy(bad);
	}
	explain_destroy(e);
	explain_destroy(again);
}

const struct CMUnitTest explain_tests[] = {
	TEST("explain/the_range_with_most_excess_is_found", the_range_with_most_excess_is_found),
	TEST("explain/categories_and_missing_values_form_no_ranges", categories_and_missing_values_form_no_ranges),
	TEST("explain/nothing_is_found_where_all_is_alike", nothing_is_found_where_all_is_alike),
	TEST("explain/a_place_is_named_by_chance_in_at_most_5_percent_of_searches",
	     a_place_is_named_by_chance_in_at_most_5_percent_of_searches),
	TEST("explain/counts_survive_a_restart", counts_survive_a_restart),
	TESTS_END,
};
