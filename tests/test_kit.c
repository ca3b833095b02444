/* test_kit.c -- sorting and searching of doubles: what tables of detectors are made of and read with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/rng.h"
#include "detectors/kit/sort.h"
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

const struct CMUnitTest kit_tests[] = {
	TEST("kit/doubles_are_sorted_and_equal_ones_stay_in_order", sorted_ascending),
	TESTS_END,
};
