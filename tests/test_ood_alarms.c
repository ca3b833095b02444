/* test_ood_alarms.c -- suite `ood_alarms`: alarms on streams of scores in which nothing changes, and why there
 * is no bet on p-values of a fixed reference. `make bench-ood-alarms` has longer runs, and delays.
 */
#include "tests/score_runs.h"
#include "tests/tests.h"

/* More alarms than the promise allows must be improbable: the tail beyond them stays above .001. */
static void
within(const char *name, double promise, uint32_t n, uint32_t runs, uint32_t records)
{
	uint32_t seen = 0;

	for (uint32_t run = 0; run < runs; run++)
		seen += score_run_detector(name, &(struct score_run){ .seed = run, .n = n, .records = records }) > 0;
	if (binomial_tail(runs, promise, seen) < 0.001)
		fail_msg("%s: %u of %u runs alarm, and the promise is %g", name, seen, runs, promise);
}

static void
e1_keeps_its_promise_on_streams_without_change(void **state)
{
	(void)state;
	within("e1", SCORE_RUN_ALPHA, 500, 200, 20000);
	within("e1", SCORE_RUN_ALPHA, 10000, 40, 20000);
}

/* Its thresholds come from the reference, with a chance of delta = .005 that they are wrong. */
static void
e2_keeps_its_promise_on_streams_without_change(void **state)
{
	(void)state;
	within("e2", SCORE_RUN_ALPHA + 0.005, 500, 200, 20000);
	within("e2", SCORE_RUN_ALPHA + 0.005, 10000, 40, 20000);
}

/* At n = 500 it alarms in more than 20 % of the runs where 1 % are promised: so many would have a chance below
 * .001 at 20 %. */
static void
a_bet_on_a_fixed_reference_does_not_keep_it(void **state)
{
	enum { RUNS = 120 };
	uint32_t seen = 0;

	(void)state;
	for (uint32_t run = 0; run < RUNS; run++)
		seen += score_run_naive(&(struct score_run){ .seed = run, .n = 500, .records = 100000 }) > 0;
	if (binomial_tail(RUNS, 0.2, seen) >= 0.001)
		fail_msg("%u of %d runs alarm: the flaw is hidden, not cured", seen, RUNS);
}

extern const struct CMUnitTest ood_alarms_tests[];
const struct CMUnitTest ood_alarms_tests[] = {
	TEST("ood_alarms/e1_keeps_its_promise_on_streams_without_change",
	     e1_keeps_its_promise_on_streams_without_change),
	TEST("ood_alarms/e2_keeps_its_promise_on_streams_without_change",
	     e2_keeps_its_promise_on_streams_without_change),
	TEST("ood_alarms/a_bet_on_a_fixed_reference_does_not_keep_it", a_bet_on_a_fixed_reference_does_not_keep_it),
	TESTS_END,
};
