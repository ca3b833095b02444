/* delay_tables.h -- the delays that another implementation measured, group by group. */
#ifndef TESTS_BENCH_DELAY_TABLES_H
#define TESTS_BENCH_DELAY_TABLES_H

#include "tests/bench/delay_group.h"

/* Fills at most `room` groups (runs and seed are left to the caller); their number. */
uint32_t delay_tables(struct delay_group *out, uint32_t room);

#endif
