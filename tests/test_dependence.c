/* test_dependence.c -- how far apart records must be: the rule on values less the means of their days. */
#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "detectors/kit/dependence.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/runner.h"
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

/* The step that a tolerant test of a reference finds. */
static uint32_t
step_of(const struct reference *ref, enum promise *promise)
{
	const struct detector *det = detector_find("tolerant");
	struct runner_options o = { 0 };
	struct runner_status status;
	struct runner *runner;
	struct diag d = { "" };
	void *own = calloc(1, det->options_size + 1);

	assert_non_null(own);
	option_defaults(det->options, own);
	option_defaults(runner_option_table, &o);
	o.thin = OPTION_AUTO;
	o.ranks_within = true;
	if (runner_create(&runner, det, own, &o, ref, 1, 1, &d))
		fail_msg("%s", d.text);
	runner_status(runner, &status);
	*promise = status.promise;
	runner_destroy(runner);
	free(own);
	return status.step;
}

/* Every tenth value of an AR(1) looks almost independent; the records in between are not. */
static void
records_between_those_of_a_reference_count(void **state)
{
	struct series *s = malloc(sizeof *s), *thin = malloc(sizeof *thin);
	struct reference ref, row;
	enum promise promise;

	(void)state;
	assert_non_null(s);
	assert_non_null(thin);
	for (int dependent = 0; dependent < 2; dependent++) {
		row = make(s, dependent ? .7 : 0, 0, 0);
		row.n = 1000;
		row.day = NULL;
		row.days = 1;
		for (uint32_t i = 0; i < VALUES / 10; i++) {
			thin->value[i] = s->value[10 * i];
			thin->day[i] = s->day[10 * i];
		}
		ref = (struct reference){ .n = VALUES / 10, .value = thin->value, .day = thin->day, .days = DAYS,
			.keys = 1 };
		assert_in_range(step_of(&ref, &promise), 1, 2); /* as if they stood in a row */
		ref.spacing = 10;
		assert_in_range(step_of(&ref, &promise), 10, 20); /* nothing is known of what is between */
		assert_int_equal(promise, PROMISE_CERTIFIED);
		ref.row = &row;
		if (dependent)
			assert_in_range(step_of(&ref, &promise), 6, 20);
		else
			assert_int_equal(step_of(&ref, &promise), 1);
		assert_int_equal(promise, PROMISE_CERTIFIED);
	}
	free(s);
	free(thin);
}

extern const struct CMUnitTest dependence_tests[];
const struct CMUnitTest dependence_tests[] = {
	TEST("dependence/equal_values_do_not_hang_together_by_their_day",
	     equal_values_do_not_hang_together_by_their_day),
	TEST("dependence/what_hangs_together_within_a_day_is_found", what_hangs_together_within_a_day_is_found),
	TEST("dependence/what_a_whole_day_has_in_common_is_forgiven",
	     what_a_whole_day_has_in_common_is_forgiven),
	TEST("dependence/records_between_those_of_a_reference_count",
	     records_between_those_of_a_reference_count),
	TESTS_END,
};
