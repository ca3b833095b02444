/* bench_uncertainty.c -- microseconds that telling the kinds of uncertainty of one record costs.
 *
 *	bench_uncertainty [RUNS]      minimum of 15 runs
 *
 * Four records in turn, which are as near to the processor as decoding has just left them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/uncertainty/uncertainty.h"

enum { RECORDS = 4, ROUNDS = 64, RUNS = 15 };

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
measure(const char *name, size_t members, size_t classes, int logits, int runs, double limit_us)
{
	size_t n = members * classes;
	double *row = calloc(n * RECORDS, sizeof *row), best = 1e300, sink = 0;
	double *work = calloc(uncertainty_work(members, classes), sizeof *work);

	if (!row || !work)
		exit(1);
	for (size_t i = 0; i < n * RECORDS; i++)
		row[i] = 2.0 * special_normal_quantile(rng_uniform(1, members, i + 1));
	if (!logits)
		for (size_t r = 0; r < members * RECORDS; r++) {
			double sum = 0;

			for (size_t c = 0; c < classes; c++)
				sum += row[r * classes + c] = rng_uniform(2, r, c + 1);
			for (size_t c = 0; c < classes; c++)
				row[r * classes + c] /= sum;
		}
	for (int run = 0; run < runs; run++) {
		double start = now_us();

		for (size_t i = 0; i < (size_t)RECORDS * ROUNDS; i++) {
			struct uncertainty u;

			uncertainty_members(row + i % RECORDS * n, members, classes, logits, work, &u);
			sink += u.value[UNCERTAINTY_MI];
		}
		double us = (now_us() - start) / (RECORDS * ROUNDS);
		best = us < best ? us : best;
	}
	printf("%-34s %8.3f us a record", name, best);
	if (limit_us > 0)
		printf("   (at most %g: %s)", limit_us, best <= limit_us ? "yes" : "NO");
	printf("%s\n", sink > 1e300 ? "!" : "");
	free(row);
	free(work);
}

int
main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : RUNS;

	measure("members probs, M = 5, C = 10", 5, 10, 0, runs, 0);
	measure("members probs, M = 20, C = 100", 20, 100, 0, runs, 3);
	measure("members logits, M = 20, C = 100", 20, 100, 1, runs, 3);
	measure("members probs, M = 20, C = 1000", 20, 1000, 0, runs, 0);
	return 0;
}
