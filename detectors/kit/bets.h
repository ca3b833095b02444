/* bets.h -- what conformal p-values are bet against (contract 4): ten Beta bets averaged over 1024
 * cells, and the simple jumper. Small p = large value. */
#ifndef DETECTORS_KIT_BETS_H
#define DETECTORS_KIT_BETS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct codec;

enum { BETS_BETA = 10, BETS_CELLS = 1024 };
/* Lanes of one p-value: the ten, and the jumper as often, so that it weighs one half. */
enum { BETS_REAL = 2 * BETS_BETA, BETS_LANES = 24 };

/* Which way a bet points: 1 larger values, -1 smaller ones, 0 neither (lane < BETS_REAL). */
int bets_direction(uint32_t lane);

/* The table L[cell][bet]: computed at the first call (ten thousand incomplete beta functions, 10
 * ms), constant from then on and shared by all instances. */
typedef double bets_row[BETS_BETA];
const bets_row *bets_table(void);

static inline uint32_t
bets_cell(double p)
{
	uint32_t cell = (uint32_t)(BETS_CELLS * p);

	return cell < BETS_CELLS ? cell : BETS_CELLS - 1;
}

/* Simple jumper over e in {-1, 0, 1}: the weights up to a common factor. Only ratios matter, so the
 * division by their sum, which every step would wait for, is left out and made good now and then by
 * jumper_scale(). */
struct jumper {
	double w[3], sum;
};

static inline void
jumper_reset(struct jumper *j)
{
	j->w[0] = j->w[1] = j->w[2] = 1.0 / 3.0;
	j->sum = 1.0;
}

/* Makes the weights sum to one; at least every 100 steps, always at the same records. */
static inline void
jumper_scale(struct jumper *j)
{
	double scale = 1.0 / j->sum;

	for (int e = 0; e < 3; e++)
		j->w[e] *= scale;
	j->sum = 1.0;
}

/* One p-value: moves the weights, returns L. */
static inline double
jumper_step(struct jumper *j, double p)
{
	double jump = 0.01 / 3.0 * j->sum, factor;
	double down = (0.99 * j->w[0] + jump) * (1.0 - (p - 0.5));
	double still = 0.99 * j->w[1] + jump;
	double up = (0.99 * j->w[2] + jump) * (1.0 + (p - 0.5));
	double sum = (down + up) + still;

	factor = sum / j->sum;
	j->w[0] = down;
	j->w[1] = still;
	j->w[2] = up;
	j->sum = sum;
	return factor;
}

void jumper_save(const struct jumper *j, struct codec *out);
bool jumper_load(struct jumper *j, struct codec *in); /* false: impossible weights */

/* All lanes of one p-value. */
static inline __attribute__((always_inline)) void
bets_factors(const bets_row *table, double p, double jump, double factor[BETS_LANES])
{
	typedef double two __attribute__((vector_size(16), may_alias, aligned(8)));
	typedef double four __attribute__((vector_size(32), may_alias, aligned(8)));
	const double *row = table[bets_cell(p)];
	four all = (four){ 0 } + jump;

	*(four *)factor = *(const four *)row;
	*(four *)(factor + 4) = *(const four *)(row + 4);
	*(two *)(factor + 8) = *(const two *)(row + 8);
	*(two *)(factor + 10) = (two){ 0 } + jump;
	*(four *)(factor + 12) = *(four *)(factor + 16) = all;
	*(four *)(factor + 20) = (four){ 0 };
}

#endif
