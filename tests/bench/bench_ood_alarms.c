/* bench_ood_alarms.c -- e1 and e2 on streams of scores: false alarms where nothing changes, and records to the
 * alarm where a share of the records is out of distribution, beside the figures to reach.
 *
 *     bench_ood_alarms [RUNS]     runs of a line; 300
 *
 * Alarms are at 1 / .01, once. "e1 binned" ranks scores in 4096 bins whose edges cost half of the reference;
 * the figures are those of exact ranks. Exit status 1 when more runs alarm than the promise allows (a chance
 * below .001), or a median delay of exact ranks or of e2 is more than a quarter above its figure.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/score_runs.h"

enum { RUNS_MAX = 10000, NULL_RECORDS = 100000, DELAY_RUNS = 100 };
static bool failed;
static double delay[RUNS_MAX];

static uint32_t
first_alarm(const char *name, const struct score_run *run)
{
	return name != NULL ? score_run_detector(name, run) : score_run_naive(run);
}

static void
false_alarms(const char *name, uint32_t n, uint32_t runs, double promise, double known)
{
	uint32_t seen = 0;
	bool over;

	for (uint32_t run = 0; run < runs; run++) {
		struct score_run r = { .seed = 1000 + run, .n = n, .records = NULL_RECORDS };

		seen += first_alarm(name, &r) > 0;
	}
	over = name != NULL && binomial_tail(runs, promise, seen) < 0.001;
	failed = failed || over;
	printf("%-24s %6u %8.3f", name != NULL ? name : "fixed reference (wrong)", n, (double)seen / runs);
	if (name != NULL)
		printf(" %9.3f%s\n", promise, over ? "  above the promise" : "");
	else
		printf(" %9s  known to be near %.2f\n", "0.010", known);
	fflush(stdout);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct line {
	uint32_t n;
	double share, auroc, shift; /* shift = sqrt 2 times the normal quantile of the AUROC */
	double e2, e1;              /* median to reach; 0: half of the runs do not alarm */
};

static const struct line lines[] = {
	{ 500, 0.2, 0.9, 1.8124, 235, 80 },
	{ 2000, 0.05, 0.9, 1.8124, 4830, 1250 },
	{ 2000, 0.2, 0.9, 1.8124, 110, 50 },
	{ 2000, 0.05, 0.998, 4.0703, 265, 110 },
	{ 10000, 0.05, 0.9, 1.8124, 1315, 730 },
	{ 10000, 0.2, 0.9, 1.8124, 95, 50 },
	{ 10000, 0.01, 0.998, 4.0703, 6325, 2780 },
	{ 10000, 0.05, 0.998, 4.0703, 220, 90 },
	{ 500, 0.05, 0.9, 1.8124, 0, 0 },
};

static void
delays(const char *name, const char *bins, const struct line *l, uint32_t records, double target)
{
	uint32_t seen = 0;
	double median;
	bool slow;

	for (uint32_t run = 0; run < DELAY_RUNS; run++) {
		struct score_run r = { 5000 + run, l->n, records, l->share, l->shift, bins };
		uint32_t at = first_alarm(name, &r);

		seen += at > 0;
		delay[run] = at > 0 ? at : (double)INFINITY;
	}
	qsort(delay, DELAY_RUNS, sizeof *delay, ascending);
	median = (delay[DELAY_RUNS / 2 - 1] + delay[DELAY_RUNS / 2]) / 2;
	slow = target > 0.0 && bins != NULL && !(median <= 1.25 * target);
	failed = failed || slow;
	printf("%-9s %6u %6.2f %6.3f %9.0f %9.2f", bins != NULL ? name : "e1 binned", l->n, l->share, l->auroc, median,
	       (double)seen / DELAY_RUNS);
	if (target > 0.0)
		printf(" %9.0f %6.2f%s\n", target, median / target, slow ? "  more than a quarter slower" : "");
	else
		printf(" %9s\n", "never");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	long asked = argc > 1 ? strtol(argv[1], NULL, 10) : 300;
	uint32_t runs = asked < 1 || asked > RUNS_MAX ? 300 : (uint32_t)asked;

	printf("false alarms: share of %u runs of %d records without change\n", runs, NULL_RECORDS);
	printf("%-24s %6s %8s %9s\n", "", "n", "share", "promise");
	for (uint32_t n = 500; n <= 10000; n *= 20) {
		false_alarms("e1", n, runs, SCORE_RUN_ALPHA, 0);
		false_alarms("e2", n, runs, SCORE_RUN_ALPHA + 0.005, 0);
	}
	false_alarms(NULL, 500, runs, 0, 0.40);
	false_alarms(NULL, 10000, runs, 0, 0.16);
	printf("\nrecords to the alarm: median of %d runs, a share of records out of distribution\n", DELAY_RUNS);
	printf("%-9s %6s %6s %6s %9s %9s %9s %6s\n", "", "n", "share", "auroc", "median", "detected",
	       "to reach", "ratio");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		delays("e2", "", &lines[i], 100000, lines[i].e2);
		delays("e1", "0", &lines[i], 20000, lines[i].e1);
		delays("e1", NULL, &lines[i], 20000, lines[i].e1);
	}
	return failed;
}
