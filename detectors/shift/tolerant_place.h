/* tolerant_place.h -- from the four searches of `tolerant` to one: the places of x between which none of
 * them changes its bin. At creation only. */
#ifndef DETECTORS_SHIFT_TOLERANT_PLACE_H
#define DETECTORS_SHIFT_TOLERANT_PLACE_H

#include <stdbool.h>
#include <stdint.h>

/* One search: how many of the edges lie strictly below x + shift, or below |x - median| + shift. */
struct tolerant_search {
	const double *edge; /* [edges] ascending, finite */
	uint32_t edges;
	bool spread;        /* of |x - median| */
	double median, shift;
};

uint32_t tolerant_search_bin(const struct tolerant_search *s, double x);
/* Most that a search can add: one for each edge, two with `spread`. */
static inline uint32_t
tolerant_search_most(const struct tolerant_search *s)
{
	return s->spread ? 2 * s->edges : s->edges;
}
/* Writes, in any order, all t for which the bins of t and of the next larger double differ; returns their
 * number. */
uint32_t tolerant_search_steps(const struct tolerant_search *s, double *t);

#endif
