/* test_kit.c -- sorting and searching of doubles: what tables of detectors are made of and read with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/edges.h"
#include "detectors/kit/edges_index.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/rank_correlation.h"
#include "detectors/kit/sort.h"
#include "detectors/shift/tolerant_place.h"
#include "tests/tests.h"

enum { VALUES = 3000 };

/* Many equal ones, both signs, every magnitude, both zeros and infinities. */
static double
value_at(uint32_t i)
{
	double u = rng_uniform(3, 5, i + 1), v = rng_uniform(3, 6, i + 1);

	switch (i % 5) {
	case 0: return floor(20 * u) - 10;
	case 1: return ldexp(u - .5, (int)(2000 * v) - 1050);
	case 2: return i % 2 ? 0.0 : -0.0;
	case 3: return i % 3 ? HUGE_VAL : -HUGE_VAL;
	default: return u - .5;
	}
}

static void
sorted_ascending(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 2, 255, 256, 257, VALUES };
	static double value[VALUES], sorted[VALUES];
	static uint32_t index[VALUES];
	static bool seen[VALUES];

	(void)state;
	for (uint32_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		uint32_t n = sizes[k];

		memset(seen, 0, sizeof seen);
		for (uint32_t i = 0; i < n; i++)
			value[i] = sorted[i] = value_at(i);
		sort_doubles(sorted, n);
		assert_true(sort_indices(value, n, index));
		for (uint32_t i = 0; i < n; i++) {
			assert_memory_equal(&sorted[i], &value[index[i]], sizeof *sorted);
			assert_false(seen[index[i]]);
			seen[index[i]] = true;
			if (i == 0)
				continue;
			assert_true(sorted[i - 1] <= sorted[i]);
			assert_false(signbit(sorted[i]) && !signbit(sorted[i - 1]));
			if (memcmp(&sorted[i - 1], &sorted[i], sizeof *sorted) == 0)
				assert_true(index[i - 1] < index[i]);
		}
	}
}

static void
ranks_correlate(void **state)
{
	/* by hand: ranks 1 2.5 2.5 4 5 and 2 1 3 4 5 */
	static const double x[5] = { -3, 0, 0, 7, 9 }, y[5] = { 2, 1, 3, 10, 11 };
	static const double down[5] = { 5, 4, 3, 2, 1 }, up[5] = { 1, 2, 4, 8, 16 }, flat[5] = { 1, 1, 1, 1, 1 };

	(void)state;
	assert_true(fabs(rank_correlation(x, y, 5) - 8 / sqrt(9.5 * 10)) < 1e-12);
	assert_true(fabs(rank_correlation(down, up, 5) + 1) < 1e-12);
	assert_true(fabs(rank_correlation(up, up, 5) - 1) < 1e-12);
	assert_true(isnan(rank_correlation(up, flat, 5)));
	assert_true(isnan(rank_correlation(up, up, 1)));
}

/* Where values may fall: on edges, just beside them, anywhere. */
static double
probe_at(const double *edge, uint32_t n, uint32_t i)
{
	double at = n ? edge[i / 3 % n] : 0;

	if (i % 7 == 6)
		return value_at(i);
	return i % 3 == 0 ? at : nextafter(at, i % 3 == 1 ? HUGE_VAL : -HUGE_VAL);
}

static void
index_finds_the_bin(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 15, 16, 17, 31, 255, 256, 257, 1530, 4096, 4097, 9000, 65535 };
	static double edge[EDGES_INDEX_MAX], value[VALUES];
	static uint32_t bin[VALUES];

	(void)state;
	for (uint32_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		uint32_t n = sizes[k];
		void *memory = aligned_alloc(64, (edges_index_bytes(n) + 63) / 64 * 64);
		struct edges_index index;

		assert_non_null(memory);
		for (uint32_t i = 0; i < n; i++)
			edge[i] = i + rng_uniform(4, k, i + 1) - n / 2;
		for (uint32_t i = 0; i < VALUES; i++)
			value[i] = probe_at(edge, n, i * (n / VALUES + 1));
		edges_index_init(&index, memory, edge, n);
		for (enum isa isa = ISA_BEST; isa <= ISA_AVX512; isa++) {
			index.isa = isa;
			if (!isa_choose(&index.isa))
				continue;
			memset(bin, 0xff, sizeof bin);
			edges_index_bins(&index, value, VALUES, bin);
			for (uint32_t i = 0; i < VALUES; i++)
				assert_int_equal(bin[i], edges_bin(edge, n, value[i]));
		}
		free(memory);
	}
}

/* Between two of its steps a search never changes its bin, to the last bit of x. */
static void
steps_are_all_changes(void **state)
{
	static double edge[60], step[120];
	static uint32_t bin[121];

	(void)state;
	for (uint32_t trial = 0; trial < 300; trial++) {
		double scale = trial % 4 == 3 ? ldexp(1, (int)(trial * 7) - 1020) : 1, unit = trial % 2 ? 1 : .1;
		struct tolerant_search s = { .edge = edge, .spread = trial % 3 > 0 };
		uint32_t n;

		s.shift = (trial % 5 ? rng_uniform(trial, 1, 1) - .5 : trial % 10 ? unit : 0) * scale;
		s.median = (trial % 7 ? floor(10 * rng_uniform(trial, 1, 2)) * unit : 0) * scale;
		for (uint32_t i = 0; i < 30; i++) { /* about half of them atoms: an edge just below */
			double at = (i + floor(3 * rng_uniform(trial, 2, i + 1)) / 4) * unit * scale;

			at = s.spread ? fabs(at - s.median) : at;
			if (i % 2)
				edge[s.edges++] = nextafter(at, -HUGE_VAL);
			edge[s.edges++] = at;
		}
		sort_doubles(edge, s.edges);
		n = tolerant_search_steps(&s, step);
		assert_true(n <= tolerant_search_most(&s));
		sort_doubles(step, n);
		for (uint32_t k = 0; k <= n; k++)
			bin[k] = tolerant_search_bin(&s, k < n ? step[k] : HUGE_VAL);
		for (uint32_t i = 0; i < 900; i++) {
			double away = probe_at(edge, s.edges, i) - s.shift;
			double x = i % 5 == 4   ? 40 * (rng_uniform(trial, 3, i + 1) - .3) * unit * scale
			           : i % 2      ? probe_at(step, n, i)
			           : i % 4 == 0 ? away
			                        : s.median + (i % 8 ? 1 : -1) * away;

			if (isfinite(x))
				assert_int_equal(tolerant_search_bin(&s, x), bin[edges_bin(step, n, x)]);
		}
	}
}

const struct CMUnitTest kit_tests[] = {
	TEST("kit/ranks_correlate", ranks_correlate),
	TEST("kit/doubles_are_sorted_and_equal_ones_stay_in_order", sorted_ascending),
	TEST("kit/an_index_of_edges_finds_the_bin_on_every_processor", index_finds_the_bin),
	TEST("kit/a_search_changes_its_bin_at_its_steps_alone", steps_are_all_changes),
	TESTS_END,
};
