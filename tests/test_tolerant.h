/* test_tolerant.h -- the tests of test_tolerant_lanes.c, for the table of test_tolerant.c. */
#ifndef TESTS_TEST_TOLERANT_H
#define TESTS_TEST_TOLERANT_H

#include "tests/tests.h"

void tolerant_lanes_same_bits(void **state);
void tolerant_lanes_bounded_same_bits(void **state);
void tolerant_lanes_run_is_steps(void **state);
void tolerant_lanes_dates_the_start(void **state);
void tolerant_lanes_refuse_garbage(void **state);
void tolerant_wander_by_hand(void **state);

#endif
