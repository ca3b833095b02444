/* paths.h -- run lengths of any detector by simulation: mean records to a false alarm, and from a change
 * to its alarm. A pure function of the caller's draws.
 */
#ifndef DETECTORS_RUN_LENGTH_PATHS_H
#define DETECTORS_RUN_LENGTH_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/detector.h"

enum {
	PATHS_THRESHOLDS_MAX = 16,
	PATHS_ROWS = 64,         /* records are drawn so many at a time */
	PATHS_HOPELESS = 3,      /* when so many first paths miss the lowest threshold, so will most */
};

/* The next `rows` <= PATHS_ROWS records, before the change or after it, into whichever the detector reads. */
typedef void paths_draw(void *context, bool changed, uint32_t rows, double *value, uint32_t *code);

/* A detector with what feeds it. It must be one whose alarm is statistic >= threshold. */
struct paths {
	const struct detector *detector;
	void *self; /* its state is moved */
	paths_draw *draw;
	void *context;
};

struct paths_length {
	double mean, error; /* records, and standard error; NaN where most paths do not arrive */
	uint32_t paths;     /* that the mean is over */
	uint32_t missed;    /* of them, not arrived within records_max; counted as that */
};

/* Delays: each of `paths` paths starts afresh, takes `before` records and then changed ones until
 * statistic >= threshold[i] (rising), at most records_max. A path that crosses threshold[i] before the
 * change does not count for i. */
void paths_delay(const struct paths *p, uint32_t before, uint32_t paths, uint32_t records_max,
                 const double *threshold, uint32_t thresholds, struct paths_length *out);

/* False alarms of a detector with R <- (1 + R) L, E[L] = 1 (under draw(.., false, ..)): R - n is then a
 * martingale, so the mean number of records to an alarm is the mean of the statistic at the alarm, which
 * varies far less. From that of `alarms` alarms, a reset after each. */
struct paths_length paths_martingale_length(const struct paths *p, double threshold, uint32_t alarms);

#endif
