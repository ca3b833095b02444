/* bins.h -- a growing histogram over fixed edges that answers "how many are larger, how many are in
 * the same bin?" in a few SIMD operations (contract 4).
 *
 * Counts are kept in blocks of BINS_BLOCK, with the number of values in all higher blocks beside
 * each. u32: growth stops at 2^32 - 1 values. Empty reference: no edge, one bin. */
#ifndef DETECTORS_KIT_BINS_H
#define DETECTORS_KIT_BINS_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/kit/edges.h"
#include "detectors/kit/edges_index.h"

struct carve;
struct codec;

enum { BINS_BLOCK = 16, BINS_BLOCK_GROUP = 8 };

struct bins {
	uint32_t edges;  /* bins = edges + 1 */
	uint32_t room;   /* blocks that there is room for, a multiple of BINS_BLOCK_GROUP */
	uint32_t blocks; /* in use; likewise */
	uint32_t total;  /* N, the sum of the counts */
	double *edge;    /* [edges] */
	struct edges_index index; /* of the edges; edge is its lowest level */
	uint32_t *count; /* [room * BINS_BLOCK], zero beyond the bins */
	uint32_t *above; /* [room] values in higher blocks */
};

/* Takes room for any edges that `bins` bins can give. */
void bins_carve(struct bins *b, struct carve *c, uint32_t bins);
/* Edges from `sorted` (n may be 0), counts empty. */
void bins_init(struct bins *b, uint32_t bins, const double *sorted, uint32_t n);
void bins_save(const struct bins *b, struct codec *out);
/* False unless the counts are possible; then *b is undefined. */
bool bins_load(struct bins *b, struct codec *in);

static inline uint32_t
bins_find(const struct bins *b, double x)
{
	uint32_t bin;

	edges_index_bins(&b->index, &x, 1, &bin);
	return bin;
}

/* Four counts side by side. */
typedef uint32_t bins_vec __attribute__((vector_size(16), may_alias));

/* *larger = values in higher bins, *equal = values in this bin. */
static inline void
bins_rank(const struct bins *b, uint32_t bin, uint32_t *larger, uint32_t *equal)
{
	const bins_vec *count = (const bins_vec *)(b->count + bin / BINS_BLOCK * BINS_BLOCK);
	bins_vec at = (bins_vec){ 0 } + bin % BINS_BLOCK, place = { 0, 1, 2, 3 }, sum;

	sum = count[0] & (bins_vec)(place > at);
	sum += count[1] & (bins_vec)(place + 4 > at);
	sum += count[2] & (bins_vec)(place + 8 > at);
	sum += count[3] & (bins_vec)(place + 12 > at);
	*larger = b->above[bin / BINS_BLOCK] + sum[0] + sum[1] + sum[2] + sum[3];
	*equal = b->count[bin];
}

/* Adds `by` (1, or UINT32_MAX to take one back) to a bin. */
static inline void
bins_add(struct bins *b, uint32_t bin, uint32_t by)
{
	bins_vec *above = (bins_vec *)b->above, place = { 0, 1, 2, 3 };
	bins_vec block = (bins_vec){ 0 } + bin / BINS_BLOCK, add = (bins_vec){ 0 } + by;

	for (uint32_t k = 0; k < b->blocks / 4; k += 2) {
		above[k] += add & (bins_vec)(place < block);
		above[k + 1] += add & (bins_vec)(place + 4 < block);
		place += BINS_BLOCK_GROUP;
	}
	b->count[bin] += by;
	b->total += by;
}

/* p = (G + U (E + 1)) / (N + 1). */
static inline double
bins_p(const struct bins *b, uint32_t bin, double u)
{
	uint32_t larger, equal;

	bins_rank(b, bin, &larger, &equal);
	return (larger + u * (equal + 1.0)) / (b->total + 1.0);
}

/* Growth (contract 4): false when `cap` (0 = none) or the width of the counts forbids it. */
static inline bool
bins_grow(struct bins *b, uint32_t bin, uint32_t cap)
{
	if ((cap && b->total >= cap) || b->total == UINT32_MAX)
		return false;
	bins_add(b, bin, 1);
	return true;
}

#endif
