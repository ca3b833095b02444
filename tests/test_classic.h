/* test_classic.h -- tests of the known charts, martingales and recalibrators; listed in
 * test_metrics.c. */
#ifndef TESTS_TEST_CLASSIC_H
#define TESTS_TEST_CLASSIC_H

void classic_extreme_values_leave_states_that_load(void **state);
void classic_ranks_equal_counting(void **state);
void classic_focus_equals_trying_every_start(void **state);
void classic_mondrian_warm_up_survives_a_restart(void **state);
void classic_martingale_alarms_once_in_forms_that_never_reset(void **state);
void classic_confidence_sequences_narrow_and_hold(void **state);

#endif
