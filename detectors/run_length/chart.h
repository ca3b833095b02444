/* chart.h -- run lengths of control charts on independent normal values with known mean and sigma.
 *
 * The integral equation of the run length (Page 1954; Crowder 1987 for EWMA), discretised on
 * Gauss-Legendre nodes (Nystrom) and solved as the absorbing Markov chain that it then is (Brook and
 * Evans 1972), without a subtraction (Grassmann, Taksar, Heyman 1985). So the relative error stays
 * near 1e-10 also where one record in 1e15 alarms. Lengths are mean numbers of records, the alarming
 * one included. Memory is allocated and freed inside; NaN = out of memory, or a limit so wide in the
 * unit of the kernel that CHART_NODES_MAX do not resolve it.
 */
#ifndef DETECTORS_RUN_LENGTH_CHART_H
#define DETECTORS_RUN_LENGTH_CHART_H

#include <stdint.h>

enum chart_kind {
	CHART_CUSUM, /* C <- max(0, C + z - weight), alarm above `limit`; and the same of -z */
	CHART_EWMA,  /* Z <- (1 - weight) Z + weight z, alarm when |Z| > limit sqrt(weight/(2-weight)) */
};
enum { CHART_NODES_MAX = 1500 };
#define CHART_WEIGHT_MIN 1e-3 /* of an EWMA; below, the nodes do not suffice */
#define CHART_ARL_MAX 1e15

struct chart {
	enum chart_kind kind;
	double weight; /* k of a CUSUM, >= 0; lambda of an EWMA, CHART_WEIGHT_MIN..1 */
	double limit;  /* h, L > 0 */
};

/* From the start of the chart, when every value is N(shift, 1). Two-sided. */
double chart_length(const struct chart *c, double shift);
/* The same of the upper side of a CUSUM alone. */
double chart_length_upper(const struct chart *c, double shift);
/* From the first N(shift, 1) value, after `before` values of N(0, 1) without an alarm. For a CUSUM the two
 * sides are combined by 1/length = 1/upper + 1/lower, which is exact for before = 0 and otherwise errs
 * by the little that the side away from the shift contributes. */
double chart_delay(const struct chart *c, double shift, uint32_t before);
/* The limit with chart_length(c, 0) = length; c->limit is not read. NaN: no such limit. */
double chart_limit(const struct chart *c, double length);

#endif
