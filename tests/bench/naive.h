/* naive.h -- a detector that is wrong on purpose, so that bench-honesty can show that it would notice. */
#ifndef TESTS_BENCH_NAIVE_H
#define TESTS_BENCH_NAIVE_H

struct detector;
extern const struct detector naive_detector;

#endif
