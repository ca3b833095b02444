/* incidents.h -- how a replay and rules of thumb would have done on incidents that are known. */
#ifndef STORAGE_INCIDENTS_H
#define STORAGE_INCIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct diag;
struct sqlite3;

struct incident {
	int64_t start_ms, end_ms; /* event time; the end is the first instant after it */
	char model[64];           /* '': of any */
	char name[64];
};
/* A rule of thumb about every window of every numeric feature and output, one alarm a model and window,
 * again only after a window without. psi: population stability index at or above the threshold; ks: p-value
 * of the two-sample Kolmogorov-Smirnov test at or below it, by its limit law, on the cells of the reference
 * (D is then a lower bound). */
enum naive { NAIVE_PSI, NAIVE_KS };
struct naive_rule {
	enum naive rule;
	double threshold;
	char name[32]; /* "psi=0.2" */
};

/* For each incident and each of driftd (messages that would have been sent) and the rules: found, that is,
 * with an alarm after its start and up to its end, and how long after its start; then alarms a week outside
 * of all incidents. The database must hold the rows of its windows as they were written. Uses temporary
 * tables. */
int incidents_report(struct sqlite3 *db, FILE *out, const struct incident *incident, size_t incidents,
                     const struct naive_rule *rule, size_t rules, bool json, struct diag *d);

#endif
