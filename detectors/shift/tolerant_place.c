/* tolerant_place.c -- where a search changes its bin, to the last bit.
 *
 * An edge lies below x + shift from some x on, whatever the roundings, since they are monotone; below
 * |x - m| + shift up to some x <= m, and from some x >= m on. That x is found by bisection over the
 * doubles in their order, from e - shift or m +- (e - shift), which is rarely more than a few of them
 * away.
 */
#include "detectors/shift/tolerant_place.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "detectors/kit/edges.h"

static double
target(const struct tolerant_search *s, double x)
{
	return (s->spread ? fabs(x - s->median) : x) + s->shift;
}

uint32_t
tolerant_search_bin(const struct tolerant_search *s, double x)
{
	return edges_bin(s->edge, s->edges, target(s, x));
}

/* Doubles as unsigned integers of the same order; both zeros are one. */
static uint64_t
number_of(double x)
{
	int64_t n;

	memcpy(&n, &x, sizeof n);
	return (uint64_t)(n < 0 ? INT64_MIN - n : n) ^ (uint64_t)1 << 63;
}

static double
double_of(uint64_t number)
{
	int64_t n = (int64_t)(number ^ (uint64_t)1 << 63);
	double x;

	n = n < 0 ? INT64_MIN - n : n;
	memcpy(&x, &n, sizeof x);
	return x;
}

/* Is the edge below the target of the n-th double? Of the falling half, where it is not: so that both halves
 * go from false to true. */
static bool
passed(const struct tolerant_search *s, double edge, bool falls, uint64_t n)
{
	return (edge < target(s, double_of(n))) != falls;
}

/* The last n of [low, high] that is not passed; false when all are, or none is. */
static bool
last_not_passed(const struct tolerant_search *s, double edge, bool falls, uint64_t low, uint64_t high,
                double guess, double *t)
{
	uint64_t at, step = 1;

	if (passed(s, edge, falls, low) || !passed(s, edge, falls, high))
		return false;
	at = isnan(guess) ? low : number_of(guess);
	at = at < low ? low : at > high ? high : at;
	if (passed(s, edge, falls, at)) {
		high = at;
		while (step < high - low && passed(s, edge, falls, high - step)) {
			high -= step;
			step *= 2;
		}
		low = step < high - low ? high - step : low;
	} else {
		low = at;
		while (step < high - low && !passed(s, edge, falls, low + step)) {
			low += step;
			step *= 2;
		}
		high = step < high - low ? low + step : high;
	}
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		*(passed(s, edge, falls, middle) ? &high : &low) = middle;
	}
	*t = double_of(low);
	return true;
}

uint32_t
tolerant_search_steps(const struct tolerant_search *s, double *t)
{
	const uint64_t first = number_of(-DBL_MAX), last = number_of(DBL_MAX);
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->edges; i++) {
		double edge = s->edge[i], away = edge - s->shift;

		if (!s->spread) {
			n += last_not_passed(s, edge, false, first, last, away, &t[n]);
			continue;
		}
		n += last_not_passed(s, edge, true, first, number_of(s->median), s->median - away, &t[n]);
		n += last_not_passed(s, edge, false, number_of(s->median), last, s->median + away, &t[n]);
	}
	return n;
}
