/* bench_detectors.c -- nanoseconds that a value costs in every detector, and in the default numeric stream.
 *
 *	bench_detectors [RUNS]      minimum of 15 runs
 *
 * Each detector runs through its runner with its default options, a reference of 10 000 values where it
 * takes one, and a metered budget where it has one; alarms are reset. A record of `categorical` and
 * `tolerant-categorical` has 13 cells, one of `projections` ten numbers. `plain` are figures
 * of straightforward implementations of the method alone, in C on one core of about 2.6 GHz.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/cells.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/kit/summary.h"
#include "detectors/metric/metric_bootstrap.h"
#include "detectors/runner.h"
#include "tests/bench/records.h"

enum { REFERENCE = 10000, DAYS = 14, ROWS = 1024, BLOCKS = 32, WIDTH = 10, CATEGORIES = 12, RUNS = 15 };

/* Rows of every kind; one block of ROWS is what a stream gets at once. */
static double number[REFERENCE * WIDTH], unit[REFERENCE], hit[REFERENCE], zero[REFERENCE];
static uint32_t code[REFERENCE], day[REFERENCE];
static int64_t watermark_ms[ROWS * BLOCKS];
static double advance_ms[ROWS];
static const char *const category_text[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
static const uint32_t category_length[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

/* ns a record; projections: 64 directions of ten numbers. categorical: a cell. */
static const struct figure {
	const char *method;
	double ns;
} figures[] = {
	{ "aci", 5 }, { "adwin", 37.9 }, { "categorical", 6 * (CATEGORIES + 1) }, { "conformal", 44 },
	{ "cs-bernoulli", 60 }, { "cs-mean", 60 }, { "cusum", 8.6 }, { "decaying", 5 }, { "dtaci", 60 },
	{ "ewma", 4 }, { "focus", 60 }, { "hddm-a", 12.5 }, { "mondrian", 44 }, { "page-hinkley", 5.3 },
	{ "projections", 2300 }, { "sf-ogd", 5 }, { "sr-bernoulli", 10 }, { "sr-mean", 20.5 },
	{ "sr-normal", 20.5 },
};

static void
draw(void)
{
	for (uint32_t i = 0; i < REFERENCE * WIDTH; i++)
		number[i] = special_normal_quantile(rng_uniform(1, 1, i + 1));
	for (uint32_t i = 0; i < REFERENCE; i++) {
		double u = rng_uniform(1, 2, i + 1);

		unit[i] = u;
		hit[i] = u < .1;
		code[i] = (uint32_t)(CATEGORIES * u * sqrt(u));
		day[i] = i * DAYS / REFERENCE;
	}
	for (uint32_t i = 0; i < ROWS * BLOCKS; i++)
		watermark_ms[i] = 1700000000000 + i;
	for (uint32_t i = 0; i < ROWS; i++)
		advance_ms[i] = 1;
}

static bool
is(const struct detector *det, const char *name)
{
	return strcmp(det->name, name) == 0;
}

/* What a detector of this name and kind reads. */
static struct records
records_of(const struct detector *det)
{
	bool shares = det->kind == COLUMN_UNIT || is(det, "sr-mean") || is(det, "cs-mean") || is(det, "hddm-a");
	struct records rec = { .n = ROWS, .width = det->kind == COLUMN_VECTOR ? WIDTH : 1,
		               .value = shares ? unit : det->kind == COLUMN_BINARY ? hit : number };

	if (det->kind != COLUMN_CATEGORY)
		return rec;
	rec.value = NULL;
	rec.code = code;
	rec.categories = CATEGORIES;
	rec.text = category_text;
	rec.text_len = category_length;
	return rec;
}

static struct reference
reference_of(const struct records *rec)
{
	return (struct reference){ .n = REFERENCE, .value = rec->value, .code = rec->code, .day = day,
		                   .days = DAYS, .keys = 1, .width = rec->width, .categories = CATEGORIES,
		                   .text = category_text, .text_len = category_length };
}

static struct runner *
make(const struct detector *det, const struct records *rec, bool references)
{
	static const struct { const char *name, *value; } required[] = {
		{ "p0", "0.1" }, { "m", "0.5" }, { "target", "0.5" },
	};
	const struct meter meter = { 1.0 / 604800000, 604800000 / 50 };
	struct reference ref = reference_of(rec);
	void *own = calloc(1, det->options_size + 1);
	struct runner_options o = { 0 };
	struct runner *r = NULL;
	struct diag d = { "" };

	if (!own)
		bench_die(det->name, "out of memory");
	option_defaults(runner_option_table, &o);
	option_defaults(det->options, own);
	for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
		const struct option *row = option_find(det->options, required[i].name);

		if (row && !row->fallback && option_set(row, own, required[i].value, &d))
			bench_die(det->name, d.text);
	}
	if (runner_create(&r, det, own, &o, references ? &ref : NULL, 1, 2, &d))
		bench_die(det->name, d.text);
	if (det->flags & DETECTOR_METERED)
		runner_set_meter(r, &meter);
	option_finish(det->options, own);
	free(own);
	return r;
}

/* A block of rows; the values of the next one are others. */
static void
block(struct runner *r, struct records rec, uint32_t b, struct runner_scratch *s)
{
	uint32_t first = b * 257 % (REFERENCE - ROWS);
	bool alarm;

	rec.watermark_ms = watermark_ms + (size_t)ROWS * b;
	rec.advance_ms = advance_ms;
	rec.value = rec.value ? rec.value + (size_t)first * rec.width : NULL;
	rec.code = rec.code ? rec.code + first : NULL;
	for (uint32_t from = 0; from < rec.n;) {
		from = runner_update(r, &rec, from, s, NULL, &alarm);
		if (alarm)
			runner_reset(r);
	}
}

static double
detector_run(const struct detector *det, struct runner_scratch *s)
{
	struct records rec = records_of(det);
	bool references = det->flags & (DETECTOR_NEEDS_REFERENCE | DETECTOR_WARMS_UP | DETECTOR_KEYED) ||
	                  is(det, "cusum") || is(det, "e1");
	struct runner *r = make(det, &rec, references);
	uint32_t blocks = det->kind == COLUMN_VECTOR ? BLOCKS / 16 : BLOCKS;
	double start;

	block(r, rec, 0, s);
	start = bench_cpu_s();
	for (uint32_t b = 0; b < blocks; b++)
		block(r, rec, b, s);
	start = bench_cpu_s() - start;
	runner_destroy(r);
	return 1e9 * start / ROWS / blocks;
}

/* A numeric feature as the daemon watches it: tolerant and conformal on the value, tolerant-binary and
 * binary on whether it is missing, the statistics of both. */
static double
stream_run(struct runner_scratch *s)
{
	static const char *const method[] = { "tolerant", "conformal", "tolerant-binary", "binary" };
	static struct cells cells;
	static struct summary summary[2];
	static double sort[REFERENCE], missing[ROWS];
	struct records rec[2] = { { .n = ROWS, .width = 1, .value = number },
		                  { .n = ROWS, .width = 1, .value = zero } };
	struct runner *r[4];
	struct reference ref = reference_of(&rec[0]);
	double start = 0;

	for (int i = 0; i < 4; i++)
		r[i] = make(detector_find(method[i]), &rec[i / 2], true);
	cells_build(&cells, &ref, sort);
	summary_clear(&summary[0]);
	summary_clear(&summary[1]);
	for (uint32_t b = 0; b <= BLOCKS; b++) { /* the first is not measured */
		const double *value = number + b % BLOCKS * 257 % (REFERENCE - ROWS);

		if (b == 1)
			start = bench_cpu_s();
		for (uint32_t i = 0; i < ROWS; i++)
			missing[i] = isnan(value[i]);
		for (int i = 0; i < 4; i++)
			block(r[i], rec[i / 2], b % BLOCKS, s);
		summary_add(&summary[0], &cells, value, ROWS);
		summary_add(&summary[1], NULL, missing, ROWS);
	}
	start = bench_cpu_s() - start;
	for (int i = 0; i < 4; i++)
		runner_destroy(r[i]);
	return 1e9 * start / ROWS / BLOCKS;
}

/* The mean of one figure with its Poisson bootstrap: weights of the row, their sum and that of the values. */
static double
bootstrap_run(void)
{
	enum { RECORDS = 4096 };
	static double sum[2][METRIC_REPLICAS];
	double weight[METRIC_REPLICAS], start = bench_cpu_s();

	for (uint32_t i = 0; i < RECORDS; i++) {
		metric_bootstrap_weights(ISA_BEST, 1, i, weight);
		metric_bootstrap_add(weight, 1.0, sum[0]);
		metric_bootstrap_add(weight, number[i], sum[1]);
	}
	return 1e9 * (bench_cpu_s() - start) / RECORDS;
}

static double
figure_of(const char *method)
{
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
		if (strcmp(figures[i].method, method) == 0)
			return figures[i].ns;
	return (double)NAN;
}

int
main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : RUNS;
	struct runner_scratch *s = runner_scratch_create(ROWS, WIDTH);
	double best[64], stream = HUGE_VAL, bootstrap = HUGE_VAL;
	size_t n = 0;

	if (argc > 2 || runs < 1 || !s) {
		fputs("usage: bench_detectors [RUNS]\n", stderr);
		return 64;
	}
	draw();
	while (detector_table[n] && n < sizeof best / sizeof *best)
		best[n++] = HUGE_VAL;
	for (int run = 0; run < runs; run++) { /* in turns: what else the machine does meets all of them */
		for (size_t i = 0; i < n; i++)
			best[i] = fmin(best[i], detector_run(detector_table[i], s));
		stream = fmin(stream, stream_run(s));
		bootstrap = fmin(bootstrap, bootstrap_run());
	}
	printf("%-22s %9s %10s %6s\n", "detector", "ns", "plain", "ratio");
	for (size_t i = 0; i < n; i++) {
		double figure = figure_of(detector_table[i]->name);

		printf("%-22s %9.1f", detector_table[i]->name, best[i]);
		if (!isnan(figure))
			printf(" %10.1f %6.2f", figure, best[i] / figure);
		putchar('\n');
	}
	printf("default numeric stream: tolerant, conformal, missing values, statistics: %.1f ns a value"
	       " (aim 120)\n", stream);
	printf("Poisson bootstrap of a mean, %d replicas: %.0f ns a record (aim 200)\n",
	       (int)METRIC_REPLICAS, bootstrap);
	runner_scratch_destroy(s);
	return 0;
}
