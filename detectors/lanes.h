/* lanes.h -- all bets of a detector side by side, so that one record is one pass of SIMD.
 *
 * Each lane is a Shiryaev-Roberts accumulator R <- min((g + R) L, 1e300) (contract 2) and a CUSUM-like
 * G that dates the change (semantics 9): G <- max(G, 1) L, kept in blocks of LANES_BLOCK records: P is
 * the product of L over the present block; at its end G <- max(G, 1) P, and where G fell below 1
 * before, the lane starts anew at the block's first record (its record number, time and sums are
 * copied). So a start is exact to LANES_BLOCK records.
 *
 * The sum of R is always taken in the same order (eight partial sums by lane index modulo 8, then
 * pairwise), so the result does not depend on the instruction set.
 */
#ifndef DETECTORS_LANES_H
#define DETECTORS_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;

enum { LANES_BLOCK = 16, LANES_SUMS = 3 };

/* Running sums of the stream, whose difference since a lane's start tells the effect.
 * What they hold is the detector's choice (numeric: rank of x, rank of |x - m|, x). */
struct lanes {
	uint32_t n;          /* lanes, a multiple of 8: pad with L = 0 */
	uint32_t phases;     /* copies of R; G is over all records */
	double *r;           /* [phases][n] */
	double *p, *g;       /* [n] */
	double *start;       /* [n] used-record number of the lane's first record */
	double *start_ms;    /* [n] its event time */
	double *snap[LANES_SUMS]; /* [n] sums before that record */
	uint64_t records;    /* used records so far */
	double sum[LANES_SUMS];   /* running */
	/* at the first record of the present block: */
	double block_start, block_ms, block_sum[LANES_SUMS];
	double weight;       /* 1 / number of real lanes */
};

size_t lanes_bytes(uint32_t n, uint32_t phases);
/* `memory` has lanes_bytes() zeroed bytes, aligned to 64, and outlives the struct. */
void lanes_init(struct lanes *l, void *memory, uint32_t n, uint32_t phases, uint32_t real);
/* One record: L[n], gain g, copy `phase`, event time, addends of the sums. Returns the sum of R over
 * all lanes of that copy (times no weight). */
double lanes_step(struct lanes *l, const double *factor, double g, uint32_t phase, int64_t time_ms,
                  const double add[LANES_SUMS]);
void lanes_reset(struct lanes *l);
/* The lane with the largest G (ties: lowest lane), its G, and the record number, time and sums of its
 * start; returns UINT32_MAX when no lane has G > 1. */
uint32_t lanes_best(const struct lanes *l, double *g, double *start, int64_t *start_ms,
                    double since[LANES_SUMS]);
void lanes_save(const struct lanes *l, struct codec *out);
int lanes_load(struct lanes *l, struct codec *in); /* 0 or ERR_CORRUPT: not finite, negative */

#endif
