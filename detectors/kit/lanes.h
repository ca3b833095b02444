/* lanes.h -- all bets of a detector side by side, so that one record is one pass of SIMD.
 *
 * Each lane is a Shiryaev-Roberts accumulator R <- min((g + R) L, 1e300) (contract 2) and a
 * CUSUM-like G that dates the change: G <- max(G, 1) L, in blocks of LANES_BLOCK
 * records: P is the product of L over the present block; at its end G <- max(G, 1) P, and where G
 * fell below 1 before, the lane starts anew at the block's first record (its record number, time
 * and sums are copied). So a start is exact to LANES_BLOCK records.
 *
 * The sum of R is always taken in the same order (eight partial sums by lane index modulo 8, then
 * those four apart, two apart and one apart), so the result does not depend on the instruction set.
 *
 * A lane's start is the number of used records before its first one: `records - start` records have
 * been seen since, the first included. A reset starts a new block and empties the sums.
 */
#ifndef DETECTORS_KIT_LANES_H
#define DETECTORS_KIT_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/isa.h"

struct codec;

enum { LANES_BLOCK = 16, LANES_SUMS = 3 };
#define LANES_FACTOR_MAX 1e18

/* Running sums of the stream, whose difference since a lane's start tells the effect.
 * What they hold is the detector's choice (numeric: rank of x, rank of |x - m|, x). */
struct lanes {
	const struct lanes_kernel *kernel; /* the loops for this processor */
	uint32_t n;          /* lanes, a multiple of 8: pad with L = 0 */
	uint32_t phases;     /* copies of R; G is over all records */
	double *r;           /* [phases][n] */
	double *p, *g;       /* [n] */
	double *start;       /* [n] used records before the lane's first record */
	double *start_ms;    /* [n] its event time */
	double *snap[LANES_SUMS]; /* [n] sums before that record */
	uint64_t records;    /* used records so far */
	double sum[LANES_SUMS];   /* running */
	/* at the first record of the present block: */
	double block_start, block_ms, block_sum[LANES_SUMS];
	uint32_t block_n;    /* records in the present block, < LANES_BLOCK; 0 = it has not begun */
	uint32_t real;       /* lanes that are not padding */
	double weight;       /* 1 / real */
	/* The caller's word, after lanes_init(), that no factor exceeds LANES_FACTOR_MAX: no P of a block can
	 * reach the clamp, so blocks of records are computed without (the same bits, in half the time). */
	bool bounded;
	double *before;      /* [2 n] R and P as they were before a block */
	/* NULL, or [n] a running sum of each lane's own: the caller adds to it between records. It
	 * takes the place of sum[0] (categories: how often the lane's cell was hit). */
	double *own, *own_block;
};

/* Many records: row i has factor[k * stride .. + n) with k = pick[i] (NULL = i), gain[i] (NULL = 1), phase[i]
 * (NULL = 0), time_ms[i] (NULL = 0) and the addends add[i] (NULL = 0). Fastest when factor is aligned
 * to 64 bytes and stride is a multiple of 8. */
struct lanes_rows {
	const double *factor;
	size_t stride;
	const uint32_t *pick;
	const double *gain;
	const uint32_t *phase;
	const int64_t *time_ms;
	const double (*add)[LANES_SUMS];
};

size_t lanes_bytes(uint32_t n, uint32_t phases);
/* `memory` has lanes_bytes() zeroed bytes, aligned to 64, and outlives the struct. */
void lanes_init(struct lanes *l, void *memory, uint32_t n, uint32_t phases, uint32_t real);
/* Gives the lanes sums of their own; `memory` has lanes_own_bytes() zeroed bytes, aligned to 64. */
size_t lanes_own_bytes(uint32_t n);
void lanes_own_init(struct lanes *l, void *memory);
/* Chooses the instruction set; false when the processor lacks it. Only tests need this. */
bool lanes_use(struct lanes *l, enum isa isa);
/* One record: L[n], gain g, copy `phase`, event time, addends of the sums. Returns the sum of R
 * over all lanes of that copy (times no weight). */
double lanes_step(struct lanes *l, const double *factor, double g, uint32_t phase, int64_t time_ms,
                  const double add[LANES_SUMS]);
/* Rows [from, n): writes statistic[row] = weight times the sum of R of the row's copy, until it is
 * >= threshold. Returns the next row: n, or the row after the crossing. The same as lanes_step. */
uint32_t lanes_run(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t n,
                   double threshold, double *statistic);
void lanes_reset(struct lanes *l);
/* The lane with the largest G (ties: lowest lane), its G with the present block's P in it, the used
 * records before its first record, that record's time and the sums since then; returns UINT32_MAX
 * (and writes nothing) when no lane has G > 1. */
uint32_t lanes_best(const struct lanes *l, double *g, double *start, int64_t *start_ms,
                    double since[LANES_SUMS]);
void lanes_save(const struct lanes *l, struct codec *out);
/* Accepts what lanes_save can write for these n and phases, else ERR_CORRUPT; *l is then
 * undefined. */
int lanes_load(struct lanes *l, struct codec *in);

#endif
