/* bench_records.c -- processor time of a record of 20 features, against what any consumer must spend.
 *
 *	bench_records DRIFTD FOLDER [RECORDS [RUNS]]      default 300 000 records, minimum of 5 runs
 *
 * Floor: lines of a file, every key and value by simdjson On-Demand. All variants read the same file, so
 * the broker's part is in none of them (librdkafka adds about 0.5 us a record to each). References are
 * fitted from a file of their own, outside the measured time; commits are inside it.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/pipeline_inside.h"
#include "storage/store.h"
#include "tests/bench/floor.h"
#include "tests/bench/records.h"

enum { REFERENCE = 10000, READ_BYTES = 1 << 18, STEP = 65536 };

static char records_path[4096], reference_path[4096], config_path[4096], db_path[4096];

static double
floor_run(void)
{
	struct floor_parser *p = floor_create();
	char *bytes = malloc(READ_BYTES);
	FILE *f = fopen(records_path, "r");
	double start = bench_cpu_s(), sum = 0;
	size_t held = 0, got;

	if (!p || !bytes || !f)
		bench_die(records_path, "cannot be read");
	while ((got = fread(bytes + held, 1, READ_BYTES - held, f)) > 0) {
		const char *at = bytes, *end = bytes + held + got, *line_end;

		while ((line_end = memchr(at, '\n', (size_t)(end - at)))) {
			sum += floor_parse(p, at, (size_t)(line_end - at));
			at = line_end + 1;
		}
		held = (size_t)(end - at);
		memmove(bytes, at, held);
	}
	start = bench_cpu_s() - start;
	fclose(f);
	free(bytes);
	floor_destroy(p);
	if (isnan(sum))
		bench_die(records_path, "is no JSON");
	return start;
}

/* The bench's own switch: what is left are reading, statistics and the journal. */
static void
without_tests(struct pipeline *p)
{
	for (size_t i = 0; i < p->models; i++)
		for (uint32_t k = 0; p->model[i] && k < p->model[i]->streams; k++)
			stream_stop_tests(p->model[i]->stream[k]);
}

static double
pipeline_run(bool tests)
{
	struct config *config;
	struct store *store;
	struct pipeline *p;
	struct source *source;
	struct diag d = { "" };
	char *reference[] = { reference_path }, *file[] = { records_path };
	int64_t committed = clock_monotonic_ms();
	enum pipeline_step step;
	double start;

	bench_remove(db_path);
	if (config_load(&config, config_path, stderr, &d) ||
	    store_open(&store, db_path, STORE_CREATE, NULL, &d) ||
	    pipeline_create(&p, config, store, &d) || pipeline_fit(p, reference, 1, NULL, NULL, &d) ||
	    source_file_open(&source, file, 1, pipeline_decoder(p), NULL, 0, &d) ||
	    pipeline_attach(p, source, &d))
		bench_die("set-up", d.text);
	if (!tests)
		without_tests(p);
	start = bench_cpu_s();
	do {
		step = pipeline_step(p, STEP, 0);
		if (clock_monotonic_ms() - committed >= 1000 || step == PIPELINE_END) {
			if (pipeline_commit(p, &d))
				bench_die("commit", d.text);
			committed = clock_monotonic_ms();
		}
	} while (step == PIPELINE_MORE || step == PIPELINE_WAIT);
	start = bench_cpu_s() - start;
	pipeline_destroy(p);
	source->vtable->close(source);
	store_close(store);
	config_free(config);
	bench_remove(db_path);
	return start;
}

/* Processor time; *wall_s keeps the least time on the clock. */
static double
replay_run(const char *driftd, double *wall_s)
{
	const int64_t began_ms = clock_monotonic_ms();
	struct rusage before, after;
	int status;
	pid_t pid;

	bench_remove(db_path);
	getrusage(RUSAGE_CHILDREN, &before);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		execl(driftd, driftd, "replay", config_path, records_path, "--reference", reference_path, "-o",
		      db_path, "--quiet", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		bench_die(driftd, "replay failed");
	*wall_s = fmin(*wall_s, 1e-3 * (double)(clock_monotonic_ms() - began_ms));
	getrusage(RUSAGE_CHILDREN, &after);
	bench_remove(db_path);
	return (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
	       1e-6 * (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
	       (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
	       1e-6 * (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec);
}

int
main(int argc, char **argv)
{
	uint64_t records = argc > 3 ? strtoull(argv[3], NULL, 10) : 300000;
	int runs = argc > 4 ? atoi(argv[4]) : 5;
	double best[4] = { INFINITY, INFINITY, INFINITY, INFINITY }, wall_s = INFINITY;
	double us = 1e6 / (double)records;
	FILE *f;

	if (argc < 3 || records < 1000 || runs < 1) {
		fputs("usage: bench_records DRIFTD FOLDER [RECORDS [RUNS]]\n", stderr);
		return 64;
	}
	snprintf(records_path, sizeof records_path, "%s/records.jsonl", argv[2]);
	snprintf(reference_path, sizeof reference_path, "%s/reference.jsonl", argv[2]);
	snprintf(config_path, sizeof config_path, "%s/bench.yaml", argv[2]);
	snprintf(db_path, sizeof db_path, "%s/bench.db", argv[2]);
	bench_write(reference_path, 0, REFERENCE);
	bench_write(records_path, REFERENCE, records);
	f = fopen(config_path, "w");
	if (!f || fputs(bench_config, f) < 0 || fclose(f))
		bench_die(config_path, "cannot be written");
	for (int i = 0; i < runs; i++) { /* in turns: what else the machine does meets all of them */
		best[0] = fmin(best[0], floor_run());
		best[1] = fmin(best[1], pipeline_run(false));
		best[2] = fmin(best[2], pipeline_run(true));
		best[3] = fmin(best[3], replay_run(argv[1], &wall_s));
	}
	printf("floor: read a file, iterate every key    %6.3f us a record\n", best[0] * us);
	printf("reading, statistics, journal             %6.3f us a record  %5.2f x floor (aim 1.5)\n",
	       best[1] * us, best[1] / best[0]);
	printf("with default detectors on 20 features    %6.3f us a record  %5.2f x floor (aim 3.0)\n",
	       best[2] * us, best[2] / best[0]);
	printf("driftd replay, fit and start included    %6.3f us a record  %.0f records a second of"
	       " processor time (aim 150000)\n", best[3] * us, (double)records / best[3]);
	printf("  by the clock, reading ahead in a thread %27.0f records a second (aim 250000)\n",
	       (double)records / wall_s);
	unlink(records_path);
	unlink(reference_path);
	unlink(config_path);
	return 0;
}
