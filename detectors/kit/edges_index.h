/* edges_index.h -- edges laid out for the search of many values: a static B+ tree with nodes of sixteen keys,
 * each of which is a few vector comparisons (Schlegel, Gemulla, Lehner 2009). Results are edges_bin()'s. */
#ifndef DETECTORS_KIT_EDGES_INDEX_H
#define DETECTORS_KIT_EDGES_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/isa.h"

enum { EDGES_NODE = 16, EDGES_LEVELS = 4, EDGES_INDEX_MAX = 65535 };

struct edges_index {
	const double *level[EDGES_LEVELS]; /* [0] all edges, [i + 1] every sixteenth of [i]; infinities fill up */
	uint32_t n, levels;
	enum isa isa;
};

/* A multiple of 64; n <= EDGES_INDEX_MAX. */
size_t edges_index_bytes(uint32_t n);
/* Copies n ascending edges into `memory`, which has edges_index_bytes(n) and outlives the index; they may
 * be there already. */
void edges_index_init(struct edges_index *x, void *memory, const double *edge, uint32_t n);
/* bin[i] = how many edges lie strictly below value[i]; no NaN but for one: its bin is any. */
void edges_index_bins(const struct edges_index *x, const double *value, uint32_t rows, uint32_t *bin);

#endif
