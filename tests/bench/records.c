/* records.c -- deterministic records, and the clocks of the benchmarks. See records.h. */
#include "tests/bench/records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char bench_config[] =
	"models:\n"
	"  - name: bench\n"
	"    labels: {capacity: 12000000}\n";

static const int64_t start_ms = 1700000000000;

static uint64_t
mix(uint64_t n) /* SplitMix64 */
{
	uint64_t z = (n + 1) * 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* About normal: four uniform numbers of 16 bits, to unit variance. */
static double
normal(uint64_t n)
{
	uint64_t z = mix(n);
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (double)(z >> 16 * i & 0xffff) / 65536;
	return (sum - 2) * 1.7320508075688772;
}

static int
prediction(char *out, size_t size, uint64_t n)
{
	double value = 10 + normal(32 * n + 30);

	return snprintf(out, size, "\"prediction\":{\"value\":%.6f,\"lower\":%.6f,\"upper\":%.6f,"
	                           "\"level\":0.9}}\n", value, value - 1.645, value + 1.645);
}

size_t
bench_record(char out[BENCH_RECORD_BYTES], uint64_t n)
{
	size_t at = (size_t)snprintf(out, BENCH_RECORD_BYTES,
	                             "{\"id\":\"r%" PRIu64 "\",\"ts\":%" PRId64 ",\"model\":\"bench\","
	                             "\"features\":{", n, start_ms + (int64_t)n * 1000 / BENCH_RATE);

	for (uint64_t i = 0; i < BENCH_FEATURES; i++)
		at += (size_t)snprintf(out + at, BENCH_RECORD_BYTES - at, "\"feature_%02d\":%.6f%s", (int)i,
		                       normal(32 * n + i), i + 1 < BENCH_FEATURES ? "," : "},");
	return at + (size_t)prediction(out + at, BENCH_RECORD_BYTES - at, n);
}

size_t
bench_prediction(char out[BENCH_RECORD_BYTES], uint64_t n)
{
	int at = snprintf(out, BENCH_RECORD_BYTES, "{\"id\":\"r%" PRIu64 "\",\"ts\":%" PRId64
	                  ",\"model\":\"bench\",", n, start_ms + (int64_t)n * 1000 / BENCH_RATE);

	return (size_t)(at + prediction(out + at, BENCH_RECORD_BYTES - (size_t)at, n));
}

size_t
bench_label(char out[BENCH_RECORD_BYTES], uint64_t n, uint64_t at)
{
	double truth = 10 + normal(32 * n + 30) + normal(32 * n + 31);

	return (size_t)snprintf(out, BENCH_RECORD_BYTES, "{\"id\":\"r%" PRIu64 "\",\"ts\":%" PRId64
	                        ",\"model\":\"bench\",\"label\":%.6f}\n", n,
	                        start_ms + (int64_t)at * 1000 / BENCH_RATE, truth);
}

void
bench_write(const char *path, uint64_t from, uint64_t n)
{
	FILE *f = fopen(path, "w");
	char line[BENCH_RECORD_BYTES];

	if (!f)
		bench_die(path, strerror(errno));
	for (uint64_t i = from; i < from + n; i++)
		fwrite(line, 1, bench_record(line, i), f);
	if (fclose(f))
		bench_die(path, strerror(errno));
}

static double
clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double
bench_cpu_s(void)
{
	return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

double
bench_wall_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

double
bench_rss(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size = 0, resident = 0;

	if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

void
bench_die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

void
bench_remove(const char *path)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	char name[4096];

	for (size_t i = 0; i < sizeof suffix / sizeof suffix[0]; i++) {
		snprintf(name, sizeof name, "%s%s", path, suffix[i]);
		unlink(name);
	}
}
