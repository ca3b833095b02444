/* tolerant_law.h -- the tables of `tolerant`: tolerances, bins and bets of every seasonal key. */
#ifndef DETECTORS_SHIFT_TOLERANT_LAW_H
#define DETECTORS_SHIFT_TOLERANT_LAW_H

#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/edges_index.h"

struct reference;
struct diag;

enum {
	TOLERANT_VARIABLES = 2, /* x, and its distance |x - m| from the key's median */
	TOLERANT_SEARCHES = 4,  /* x - d (up), x + d (down), the same of |x - m| with d' */
	TOLERANT_BETAS = 4,     /* density bets of a search */
	TOLERANT_ALPHAS = 3,    /* step bets of a search: three tails with two ratios each */
	TOLERANT_STEPS = 2 * TOLERANT_ALPHAS,
	TOLERANT_LEVELS = TOLERANT_ALPHAS + 1,
	TOLERANT_LANES = TOLERANT_SEARCHES * (TOLERANT_BETAS + TOLERANT_STEPS),
	TOLERANT_CELLS = 1024,  /* of the densities (contract 4) */
};

struct tolerant_options {
	double min_effect;
	uint32_t bins;
	uint32_t cycle;
};

/* One bin of one variable, for p times TOLERANT_CELLS: G and E + 1, times TOLERANT_CELLS / (N + 1). */
struct tolerant_bin {
	double above, equal;
};

/* Between two neighbouring places of x no search changes its bin. */
struct tolerant_place {
	uint16_t bin[TOLERANT_SEARCHES];
	uint16_t step[TOLERANT_VARIABLES]; /* row of the step bets of both searches of a variable */
};

/* One key's reference law. */
struct tolerant_key {
	/* [level of up * TOLERANT_LEVELS + level of down]: how many of the nested tails the bins are in */
	_Alignas(64) double step[TOLERANT_VARIABLES][TOLERANT_LEVELS * TOLERANT_LEVELS][2 * TOLERANT_STEPS];
	struct edges_index index;           /* of x */
	const struct tolerant_place *place; /* [index.n + 1] */
	const struct tolerant_bin *bin[TOLERANT_VARIABLES];
	/* mid-rank of a variable = rank[0] - rank[1] * (above + equal / 2 of both its bins) */
	double rank[2];
};

struct tolerant_law {
	double distance[TOLERANT_VARIABLES]; /* d, d' */
	double mean;                         /* of the reference */
	/* L of the density bets: [TOLERANT_CELLS + 1], the last twice, times scale[] */
	const double (*density)[TOLERANT_BETAS];
	double scale[TOLERANT_BETAS];
	struct tolerant_key *key;            /* [keys] */
	uint32_t keys;
};

/* Bytes of the tables, a multiple of 64; NULL reference: one key, all bins. */
size_t tolerant_law_bytes(const struct tolerant_options *o, const struct reference *ref);
/* Fills the tables; `memory` has tolerant_law_bytes() zeroed bytes, aligned to 64. */
int tolerant_law_init(struct tolerant_law *law, void *memory, const struct tolerant_options *o,
                      const struct reference *ref, struct diag *d);

#endif
