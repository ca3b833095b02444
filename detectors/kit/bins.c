/* bins.c -- see bins.h. */
#include "detectors/kit/bins.h"

#include <string.h>

#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"

void
bins_carve(struct bins *b, struct carve *c, uint32_t bins)
{
	uint32_t most = EDGES_MAX(bins) + 1, blocks = (most + BINS_BLOCK - 1) / BINS_BLOCK;

	b->room = b->blocks = (blocks + BINS_BLOCK_GROUP - 1) / BINS_BLOCK_GROUP * BINS_BLOCK_GROUP;
	b->edge = carve_take(c, edges_index_bytes(most - 1));
	b->count = carve_take(c, (size_t)b->room * BINS_BLOCK * sizeof *b->count);
	b->above = carve_take(c, b->room * sizeof *b->above);
}

void
bins_init(struct bins *b, uint32_t bins, const double *sorted, uint32_t n)
{
	b->edges = n ? edges_fill(b->edge, bins, sorted, n) : 0;
	edges_index_init(&b->index, b->edge, b->edge, b->edges);
	b->blocks = (b->edges / BINS_BLOCK / BINS_BLOCK_GROUP + 1) * BINS_BLOCK_GROUP;
	b->total = 0;
	memset(b->count, 0, (size_t)b->room * BINS_BLOCK * sizeof *b->count);
	memset(b->above, 0, b->room * sizeof *b->above);
}

void
bins_save(const struct bins *b, struct codec *out)
{
	codec_put_u32s(out, b->count, b->edges + 1);
}

bool
bins_load(struct bins *b, struct codec *in)
{
	uint64_t total = 0;

	codec_get_u32s(in, b->count, b->edges + 1);
	for (uint32_t k = b->blocks; k-- > 0;) {
		b->above[k] = (uint32_t)total;
		for (uint32_t j = 0; j < BINS_BLOCK; j++)
			total += b->count[k * BINS_BLOCK + j];
		if (total > UINT32_MAX)
			return false;
	}
	b->total = (uint32_t)total;
	return !in->bad;
}
