/* concentration.h -- where hits (misses, errors) concentrate among the cells of one variable. Pure.
 *
 * The cells are searched for the range (a variable with an order) or the single cell (a category) in which
 * the rate of hits exceeds the rate outside by most, as measured by the likelihood ratio of two rates against
 * one (Kulldorff 1997, Bernoulli scan statistic). A search always finds something: what it found is to be
 * believed on other records, or at the level divided by everything that was searched.
 */
#ifndef DETECTORS_COVERAGE_CONCENTRATION_H
#define DETECTORS_COVERAGE_CONCENTRATION_H

#include <stdbool.h>
#include <stdint.h>

struct cell_count {
	uint32_t n, hits; /* hits <= n */
};

struct concentration {
	uint32_t first, last;  /* cells of the range */
	uint64_t n, hits;      /* inside */
	uint64_t n_all, hits_all;
	double gain;           /* log likelihood ratio; 0 when nothing was found */
	double rate, low, high; /* of hits inside, with its exact limits (concentration_limits) */
	double outside;        /* rate outside */
	double p;              /* concentration_limits: chance of as many hits inside, were all alike */
	double lift;           /* rate / rate over everything */
};

/* The last cell is that of missing values: it belongs to no range. */
/* Ranges (or single cells) among `cells` cells: what a search looks at. */
uint32_t concentration_searched(uint32_t cells, bool ordered);
/* False: no range has a higher rate than the rest (no hits, or alike everywhere). limits: NaN. */
bool concentration_find(const struct cell_count *count, uint32_t cells, bool ordered,
                        struct concentration *out);
/* Clopper-Pearson limits at level 1 - alpha / searched, and the exact p-value (Fisher's test, one-sided)
 * times `searched`: Bonferroni. p <= alpha: the chance that a search names any place where all are alike is
 * at most alpha. */
void concentration_limits(struct concentration *c, double alpha, double searched);

#endif
