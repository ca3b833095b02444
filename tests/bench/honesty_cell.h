/* honesty_cell.h -- one cell of bench-honesty: one detector on one stream with references of one size at one
 * budget, through the daemon's runner and meter. */
#ifndef TESTS_BENCH_HONESTY_CELL_H
#define TESTS_BENCH_HONESTY_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/stream.h"
#include "tests/bench/trial.h"

struct honesty_cell {
	const struct trial_test *test;
	const struct bench_kind *kind;
	uint32_t n_ref;
	double gamma;       /* mean records between allowed false alarms */
	double expected;    /* allowed alarms to watch for */
	uint32_t references; /* to spread them over, at least */
	double target;      /* ratio measured elsewhere; NaN */
	bool control;       /* must be caught */
	uint64_t seed;
	/* results */
	uint64_t alarms, records;
	double spent;
	uint32_t used, dependent, is_short; /* references that were certified, void */
	uint32_t step_min, step_max;
};

enum honesty_verdict {
	HONESTY_OK,    /* not significantly above what was spent */
	HONESTY_VOID,  /* the daemon makes no promise here */
	HONESTY_OVER,
	HONESTY_WORSE, /* within the promise, but significantly above what was measured elsewhere: a margin is gone */
};

void honesty_cell_run(struct honesty_cell *c);
/* Exact Poisson limits of alarms / spent, each side wrong with probability `tail`. */
void honesty_cell_limits(const struct honesty_cell *c, double tail, double *low, double *high);
enum honesty_verdict honesty_cell_verdict(const struct honesty_cell *c);

#endif
