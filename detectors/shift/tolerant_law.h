/* tolerant_law.h -- the tables of `tolerant`: tolerances, bins and bets of every seasonal key. */
#ifndef DETECTORS_SHIFT_TOLERANT_LAW_H
#define DETECTORS_SHIFT_TOLERANT_LAW_H

#include <stddef.h>
#include <stdint.h>

struct reference;
struct diag;

enum {
	TOLERANT_VARIABLES = 2, /* x, and its distance |x - m| from the key's median */
	TOLERANT_SEARCHES = 4,  /* x - d (up), x + d (down), the same of |x - m| with d' */
	TOLERANT_BETAS = 4,     /* density bets of a search */
	TOLERANT_ALPHAS = 3,    /* step bets of a search: three tails with two ratios each */
	TOLERANT_STEPS = 2 * TOLERANT_ALPHAS,
	TOLERANT_LANES = TOLERANT_SEARCHES * (TOLERANT_BETAS + TOLERANT_STEPS),
	TOLERANT_CELLS = 1024,  /* of the densities (contract 4) */
};

struct tolerant_options {
	double min_effect;
	uint32_t bins;
	uint32_t cycle;
};

/* One bin of one variable: G, E + 1 of contract 4 and how many of the nested tails it is in. */
struct tolerant_bin {
	double above, equal;
	uint32_t up, down;
};

/* One key's reference law. */
struct tolerant_key {
	_Alignas(64) double step[TOLERANT_SEARCHES][TOLERANT_ALPHAS + 1][TOLERANT_STEPS];
	/* Ascending, padded with infinities to 2 * half - 1 edges. */
	const double *edge[TOLERANT_VARIABLES];
	struct tolerant_bin *bin[TOLERANT_VARIABLES];
	uint32_t half;
	double median;
	double n;       /* N + 1 */
	double rank;    /* 1 / (2 N) */
};

struct tolerant_law {
	double distance[TOLERANT_VARIABLES]; /* d, d' */
	double mean;                         /* of the reference */
	double (*density)[TOLERANT_BETAS];   /* [TOLERANT_CELLS] L of the density bets */
	struct tolerant_key *key;            /* [keys] */
	uint32_t keys;
};

/* Bytes of the tables, a multiple of 64; NULL reference: one key, all bins. */
size_t tolerant_law_bytes(const struct tolerant_options *o, const struct reference *ref);
/* Fills the tables; `memory` has tolerant_law_bytes() zeroed bytes, aligned to 64. */
int tolerant_law_init(struct tolerant_law *law, void *memory, const struct tolerant_options *o,
                      const struct reference *ref, struct diag *d);

#endif
