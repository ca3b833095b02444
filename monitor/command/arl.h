/* arl.h -- `driftd arl`: from a threshold to the mean number of records to a false alarm (the ARL) and back,
 * and how long changes of given sizes take to be found.
 *
 * Control charts (cusum, ewma): exact, for independent normal values with known mean and sigma. Tests that
 * accumulate R <- (1 + R) L (sr-*): the bound ARL >= threshold, which holds whatever the dependence within
 * the null law, and the ARL and delays on independent records, simulated with their standard errors.
 */
#ifndef MONITOR_COMMAND_ARL_H
#define MONITOR_COMMAND_ARL_H

#include <stdint.h>

#include "config/option.h"
#include "detectors/run_length/paths.h"

struct diag;
struct filter;

/* What is asked beside the method's own parameters. */
struct arl_options {
	double arl;                /* NaN: the threshold is given */
	struct option_list change; /* one 0: the method's usual sizes */
	uint32_t before;           /* OPTION_AUTO: arl_before() */
	uint32_t paths, alarms;
	double threshold, sd;      /* sr-*; sd only sr-mean, NaN: values 0 and 1 */
	double k, h, lambda, l;    /* charts */
};

struct arl_change {
	double size;
	struct paths_length delay;   /* at `threshold`; an exact one has error NaN */
	struct paths_length average; /* at `threshold_average`; mean NaN where there is none */
};

/* NaN: does not apply. */
struct arl_answer {
	const char *law;           /* of the records for which the figures hold */
	const char *change_name;   /* what a size is */
	double threshold;
	double length, error;      /* mean records to a false alarm; standard error, NaN: exact */
	double length_bound;       /* never fewer, whatever the dependence within the null law */
	double length_renewal;     /* its renewal approximation */
	double length_upper;       /* of the upper side alone */
	double threshold_average;  /* at which the mean is about `threshold` records */
	uint32_t before;           /* records without an alarm before the change */
	uint32_t changes;
	struct arl_change change[OPTION_LIST_MAX];
};

struct arl_method {
	const char *name, *summary, *threshold_name;
	const struct option *options; /* of arl_options */
	/* 0, or ERR_INVALID with a sentence. `own`: the detector's own options; NULL for charts. */
	int (*answer)(const struct arl_method *m, const struct arl_options *o, const void *own,
	              uint64_t seed, struct arl_answer *out, struct diag *d);
};

/* As asked, else a tenth of the records to a false alarm, at most 1000: hardly any path alarms before. */
uint32_t arl_before(const struct arl_options *o, double length);
int arl_chart(const struct arl_method *m, const struct arl_options *o, const void *own, uint64_t seed,
              struct arl_answer *out, struct diag *d);
int arl_sr(const struct arl_method *m, const struct arl_options *o, const void *own, uint64_t seed,
           struct arl_answer *out, struct diag *d);

#endif
