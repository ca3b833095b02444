/* test_dependence.c -- how far apart records must be: the rule on values less the means of their days. */
#include <math.h>
#include <stdlib.h>

#include "detectors/kit/dependence.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "tests/tests.h"

enum { VALUES = 8000, DAYS = 14 };

struct series {
	double value[VALUES];
	uint32_t day[VALUES];
};

/* A normal AR(1) with coefficient ar, above the quantile of `rate`; rate 0: itself. Day effects of day_sd. */
static struct reference
make(struct series *s, double ar, double rate, double day_sd)
{
	double x = 0;

	for (uint32_t i = 0; i < VALUES; i++) {
		uint32_t day = i / (VALUES / DAYS + 1);
		double effect = day_sd * special_normal_quantile(rng_uniform(5, 2, day + 1));

		x = ar * x + sqrt(1 - ar * ar) * special_normal_quantile(rng_uniform(5, 1, i + 1));
		s->value[i] = x + effect;
		if (rate > 0)
			s->value[i] = s->value[i] > special_normal_quantile(1 - rate);
		s->day[i] = day;
	}
	return (struct reference){ .n = VALUES, .value = s->value, .day = s->day, .days = DAYS, .keys = 1 };
}

/* Taking the mean of its day off a 0 gives another number each day; that must not look like dependence. */
static void
equal_values_do_not_hang_together_by_their_day(void **state)
{
	static const double rate[] = { .001, .02, .1, .5, .9 };
	struct series *s = malloc(sizeof *s);
	bool dependent;

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < sizeof rate / sizeof rate[0]; i++) {
		struct reference ref = make(s, 0, rate[i], 0);

		assert_in_range(dependence_step_within_days(&ref, WITHIN_RANKS, &dependent), 1, 2);
		assert_false(dependent);
	}
	free(s);
}

static void
what_hangs_together_within_a_day_is_found(void **state)
{
	static const double rate[] = { 0, .1, .5 };
	struct series *s = malloc(sizeof *s);
	bool dependent;

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < sizeof rate / sizeof rate[0]; i++) {
		struct reference ref = make(s, .6, rate[i], 0);

		assert_in_range(dependence_step_within_days(&ref, WITHIN_RANKS, &dependent), 4, 32);
		assert_false(dependent);
	}
	free(s);
}

static void
what_a_whole_day_has_in_common_is_forgiven(void **state)
{
	struct series *s = malloc(sizeof *s);
	struct reference ref;
	bool dependent;

	(void)state;
	assert_non_null(s);
	ref = make(s, 0, 0, .3);
	assert_in_range(dependence_step_within_days(&ref, WITHIN_RANKS, &dependent), 1, 2);
	assert_false(dependent);
	ref.day = NULL; /* and without its days it is not */
	assert_true(dependence_step_within_days(&ref, WITHIN_RANKS, &dependent) > 8 || dependent);
	free(s);
}

extern const struct CMUnitTest dependence_tests[];
const struct CMUnitTest dependence_tests[] = {
	TEST("dependence/equal_values_do_not_hang_together_by_their_day",
	     equal_values_do_not_hang_together_by_their_day),
	TEST("dependence/what_hangs_together_within_a_day_is_found", what_hangs_together_within_a_day_is_found),
	TEST("dependence/what_a_whole_day_has_in_common_is_forgiven",
	     what_a_whole_day_has_in_common_is_forgiven),
	TESTS_END,
};
