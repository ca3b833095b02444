/* trial.h -- a detector of a benchmark, as the daemon runs it, with references of made-up streams. What cannot
 * be had (memory, an option) ends the process. */
#ifndef TESTS_BENCH_TRIAL_H
#define TESTS_BENCH_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/kit/reference.h"
#include "detectors/runner.h"
#include "tests/bench/stream.h"

struct trial_test {
	const char *label;
	const struct detector *detector;
	const char *params;    /* "name=value,..." or "" */
	uint32_t thin, phases; /* of runner_options */
	bool keyed;            /* by the hour of the day */
	bool paging;           /* raises alerts and spends budget; else evidence beside one that does */
};

/* `threshold` INFINITY: never an alarm by R. `ref` may be NULL. */
struct runner *trial_runner(const struct trial_test *t, const struct reference *ref, double threshold,
                            uint64_t seed);

struct trial_reference {
	struct reference ref;
	double *value;
	uint32_t *code, *day, *key;
	/* of a sampled kind: the stream's first values, as the daemon has them from the warm-up of its evidence */
	struct reference row;
	double *row_value;
};
/* The next n records of the stream, which is monitored from then on. */
void trial_reference_make(struct trial_reference *m, struct bench_stream *s, uint32_t n, bool keyed, bool days);
void trial_reference_free(struct trial_reference *m);
uint32_t trial_width(const struct bench_kind *k); /* values of a record */
void *trial_must(void *p);

#endif
