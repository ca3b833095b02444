/* delay.h -- how long a change of a given size takes to be found: the product's own tests, run on
 * made-up records.
 *
 * The mean number of used records from the change to the alarm, over DELAY_PATHS paths that begin
 * with the change and no evidence. Approximate: the reference is an ideal one (quantiles of the
 * law) without wander from day to day, records are independent, and a real stream's tolerance may be
 * wider. Against measured delays (random references, evidence from 1000 earlier records) it is
 * within 20 %, for known rates up to 35 % too long. Repeatable.
 */
#ifndef MONITOR_COMMAND_DELAY_H
#define MONITOR_COMMAND_DELAY_H

#include <stddef.h>
#include <stdint.h>

struct diag;

enum {
	DELAY_PATHS = 40,
	DELAY_RECORDS_MAX = 50000,   /* longer is told as "more than" */
	DELAY_REFERENCE_MAX = 20000, /* larger references hardly change a delay */
	DELAY_GRID = 10,             /* thresholds 1e3, 1e4 .. 1e12 */
};

enum delay_kind {
	DELAY_SHIFT,      /* `tolerant`: a normal law moves by `to` standard deviations */
	DELAY_RATE,       /* `tolerant-binary`: a rate goes from `from` to `to` */
	DELAY_CATEGORY,   /* `tolerant-categorical`: of five categories (1, 1/2, .. 1/5) the most frequent
	                   * keeps `to` of its share, the others take the rest in proportion */
	DELAY_KNOWN_RATE, /* `sr-bernoulli`: the bound is `from`, the rate is `to` */
};

struct delay_case {
	enum delay_kind kind;
	double from, to;
	double min_effect;   /* of the tolerant ones */
	uint32_t reference;  /* values in it */
};

/* records[i] is at the threshold 10^(3 + i); NaN: more than DELAY_RECORDS_MAX on most paths. */
struct delay_table {
	struct delay_case of;
	double records[DELAY_GRID];
};
int delay_fill(struct delay_table *t, const struct delay_case *c, struct diag *d);
/* The delay at threshold 1 / g, linear in its logarithm, also beyond the grid; at least 1. */
double delay_at(const struct delay_table *t, double threshold);

#endif
