/* bench_ood.c -- cost of the out-of-distribution scores: microseconds a record, one core, batches of 4096.
 *
 *     bench_ood [LARGE]        LARGE 1: also the reference of 50 000 rows (600 MB)
 *
 * Each line: the work, ours with the best instructions of this processor and with AVX2, the figure to reach
 * (float32 with AVX2 and FMA, record by record, same kind of machine), and ours / that figure. A score is
 * timed as the daemon runs it: rows to lanes, normalising, all of it, in double. Exit status 1 when a ratio
 * is above 1.3.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/rng.h"
#include "detectors/ood/panel.h"

enum { ROWS = 4096, REPEATS = 3 };
static const double bar = 1.3, least_seconds = 0.05;
static bool failed;

struct job {
	const char *text, *score;
	uint32_t columns, reference, classes; /* width, rows to fit, labels (0: none) */
	double target;                        /* microseconds */
};

static const struct job jobs[] = {
	{ "gen, 100 classes", "gen", 100, 0, 0, 0.31 },
	{ "gen, the 100 largest of 1000 classes", "gen", 1000, 0, 0, 22.0 },
	{ "mds, 64 columns, one mean", "mds", 64, 400, 0, 1.0 },
	{ "mds, 128 columns, one mean", "mds", 128, 400, 0, 2.7 },
	{ "mds, 256 columns, one mean", "mds", 256, 400, 0, 5.4 },
	{ "mds, 512 columns, one mean", "mds", 512, 400, 0, 16.8 },
	{ "mds, 768 columns, one mean", "mds", 768, 400, 0, 35.8 },
	{ "mds, 1024 columns, one mean", "mds", 1024, 400, 0, 58.9 },
	{ "mds, 2048 columns, one mean", "mds", 2048, 400, 0, 225.0 },
	{ "mds, 512 columns, 100 means", "mds", 512, 1200, 100, 16.8 + 3.1 },
	{ "mds, 2048 columns, 100 means", "mds", 2048, 1200, 100, 225.0 + 8.7 },
	{ "mds, 512 columns, 1000 means", "mds", 512, 3000, 1000, 16.8 + 38.0 },
	{ "knn, 1000 rows, 512 columns", "knn", 512, 1000, 0, 47.0 },
	{ "knn, 1000 rows, 2048 columns", "knn", 2048, 1000, 0, 117.0 },
	{ "knn, 5000 rows, 512 columns", "knn", 512, 5000, 0, 210.0 },
	{ "knn, 5000 rows, 2048 columns", "knn", 2048, 5000, 0, 821.0 },
	{ "ecod, 10 features, 4096 values each", "ecod", 10, 4096, 0, 0.26 },
	{ "ecod, 50 features, 4096 values each", "ecod", 50, 4096, 0, 2.3 },
	{ "ecod, 200 features, 4096 values each", "ecod", 200, 4096, 0, 9.8 },
	{ "ew_maha, 10 features", "ew_maha", 10, 0, 0, 0.07 },
	{ "ew_maha, 50 features", "ew_maha", 50, 0, 0, 0.55 },
	{ "ew_maha, 200 features", "ew_maha", 200, 0, 0, 9.0 },
	{ "hst, 25 trees of depth 8", "hst", 10, 0, 0, 0.7 },
};

static const struct job large = { "knn, 50000 rows, 512 columns", "knn", 512, 50000, 0, 4931.0 };

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double *
numbers(size_t n, uint64_t seed)
{
	double *v = score_array(n, 1);

	if (v == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		v[i] = rng_uniform(seed, 0, i + 1);
	return v;
}

static struct score_rows
rows_of(const struct score *s, double *v, uint32_t n, uint32_t columns)
{
	struct score_rows rows = { .n = n };

	if (s->flags & (SCORE_LOGITS | SCORE_SHARES)) {
		rows.logits = v;
		rows.classes = columns;
	} else if (s->flags & SCORE_FEATURES) {
		rows.feature = v;
		rows.features = columns;
	} else {
		rows.embedding = v;
		rows.dimension = columns;
	}
	return rows;
}

static double
time_scorers(struct scorer *s, const struct score_rows *rows, double *const *out)
{
	double best = 1e9;

	for (int repeat = 0; repeat < REPEATS; repeat++) {
		double begin = seconds(), end;
		uint32_t passes = 0;

		do {
			scorer_run(s, rows, out);
			passes++;
			end = seconds();
		} while (end - begin < least_seconds);
		end = (end - begin) / passes / rows->n;
		best = end < best ? end : best;
	}
	return best * 1e6;
}

static void
line(const char *text, double best, double avx2, double target)
{
	bool over = !(best <= bar * target) || (avx2 > 0.0 && !(avx2 <= bar * target));

	failed = failed || over;
	printf("%-40s %10.3f %10.3f %10.3f %7.2f %7.2f%s\n", text, best, avx2, target, best / target,
	       avx2 / target, over ? "  above 1.3" : "");
	fflush(stdout);
}

/* The records of a job once with each instruction set. */
static void
run(const struct job *j)
{
	static const enum tile_isa isa[] = { TILE_BEST, TILE_AVX2 };
	const struct score *s = score_find(j->score);
	uint32_t n = j->reference > 10000 ? 512 : ROWS;
	double *v = numbers((size_t)n * j->columns, 1), *out = score_array(ROWS, 1), cost[2] = { 0 };
	double *reference = numbers((size_t)j->reference * j->columns, 2);
	struct score_rows rows = rows_of(s, v, n, j->columns);
	struct score_rows fit = rows_of(s, reference, j->reference, j->columns);
	uint32_t *label = calloc(j->reference + 1, sizeof *label);
	struct score_options o;
	struct scorer scorer;
	struct diag d;

	memset(&o, 0, sizeof o);
	for (size_t i = 0; score_table[i] != NULL; i++)
		option_defaults(score_table[i]->options, &o);
	for (uint32_t r = 0; j->classes > 0 && r < j->reference; r++)
		label[r] = r % j->classes;
	fit.label = j->classes > 0 ? label : NULL;
	for (int k = 0; k < 2; k++) {
		o.isa = isa[k];
		if (tile_kernel(o.isa) == NULL)
			continue;
		if (scorer_init(&scorer, &s, 1, &o, j->reference > 0 ? &fit : NULL, &rows, &d) != 0) {
			fprintf(stderr, "%s\n", d.text);
			exit(1);
		}
		cost[k] = time_scorers(&scorer, &rows, &out);
		scorer_finish(&scorer);
	}
	line(j->text, cost[0], cost[1], j->target);
	free(v);
	free(reference);
	free(label);
	free(out);
}

/* The five scores that one pass over the logits gives. */
static void
run_five(uint32_t classes, double target)
{
	const struct score *five[] = { score_find("msp"), score_find("maxlogit"), score_find("energy"),
		                       score_find("entropy"), score_find("margin") };
	static const enum tile_isa isa[] = { TILE_BEST, TILE_AVX2 };
	double *v = numbers((size_t)ROWS * classes, 3), *out[5], cost[2] = { 0 };
	struct score_rows rows = { .n = ROWS, .classes = classes, .logits = v };
	struct score_options o = { .temperature = 1.0 };
	struct scorer scorer;
	struct diag d;
	char text[64];

	for (int i = 0; i < 5; i++)
		out[i] = score_array(ROWS, 1);
	for (int k = 0; k < 2; k++) {
		o.isa = isa[k];
		if (tile_kernel(o.isa) == NULL || scorer_init(&scorer, five, 5, &o, NULL, &rows, &d) != 0)
			continue;
		cost[k] = time_scorers(&scorer, &rows, out);
		scorer_finish(&scorer);
	}
	snprintf(text, sizeof text, "msp+maxlogit+energy+entropy+margin, %u", classes);
	line(text, cost[0], cost[1], target);
	for (int i = 0; i < 5; i++)
		free(out[i]);
	free(v);
}

static void
run_p(void)
{
	double *score = numbers(10000, 4), *asked = numbers(ROWS, 5), best = 1e9, sum = 0.0;
	struct calibration c;

	calibration_init(&c, score, 10000);
	for (int repeat = 0; repeat < 50; repeat++) {
		double begin = seconds(), cost;

		for (uint32_t i = 0; i < ROWS; i++)
			sum += calibration_p(&c, asked[i]);
		cost = (seconds() - begin) / ROWS * 1e6;
		best = cost < best ? cost : best;
	}
	line(sum > 0.0 ? "p-value among 10000" : "", best, best, 0.08);
	calibration_finish(&c);
	free(asked);
}

int
main(int argc, char **argv)
{
	printf("microseconds a record, one core, batch of %d; best: %s\n\n", ROWS, tile_kernel(TILE_BEST)->name);
	printf("%-40s %10s %10s %10s %7s %7s\n", "work", "best", "avx2", "to reach", "ratio", "avx2");
	run_five(10, 0.03);
	run_five(100, 0.16);
	run_five(1000, 1.6);
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
		run(&jobs[i]);
	if (argc > 1 && strcmp(argv[1], "1") == 0)
		run(&large);
	run_p();
	return failed;
}
