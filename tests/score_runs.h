/* score_runs.h -- streams of scores through e1, e2 and a bet that is not valid: when is the first alarm? */
#ifndef TESTS_SCORE_RUNS_H
#define TESTS_SCORE_RUNS_H

#include <stdint.h>

#define SCORE_RUN_ALPHA 0.01 /* alarms are at 1 / alpha, once (form=ville) */

/* The reference and the records of a run are a pure function of this. */
struct score_run {
	uint64_t seed;
	uint32_t n;        /* reference scores */
	uint32_t records;  /* at most */
	double share;      /* of the records that are N(shift, 1), the others N(0, 1); 0: uniform scores, which
	                    * stand for every law where only ranks count */
	double shift;
	const char *bins;  /* of e1: "0" for exact ranks; NULL: 4096, as the daemon has it */
};

/* The record at which e1 or e2 alarms, from 1; 0: it does not. */
uint32_t score_run_detector(const char *name, const struct score_run *run);
/* The mixture of power bets on p-values of a fixed reference. Its capital is no martingale: given the reference
 * the p-values are not uniform, and a fine mixture learns by how much. */
uint32_t score_run_naive(const struct score_run *run);
/* P(X >= k) of a binomial law. */
double binomial_tail(uint32_t n, double p, uint32_t k);

#endif
