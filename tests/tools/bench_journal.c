/* bench_journal.c -- the label journal by itself: speed, memory, disk.
 *
 *	bench_journal [ROWS [CAPACITY [FILE]]]     10 000 000, 12 000 000, /tmp/bench_journal.db
 *
 * Rows come until ROWS wait; half of them are labelled in random order; everything is read back;
 * then a label in random order with every new row; then only rows, while the oldest blocks leave by
 * capacity. A commit every 100 000 calls, timed apart. Every id is looked up before it is appended,
 * as the pipeline does it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/diag.h"
#include "monitor/label/journal.h"
#include "storage/store.h"

enum { AHEAD = 24, AHEAD_ROW = 12, COMMIT_ROWS = 100000 };

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
cpu_s(void) /* the machine may have other work: rates by processor time are shown too */
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
rss_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size = 0, resident = 0;

	if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f != NULL)
		fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static uint64_t
id_of(uint64_t n) /* SplitMix64: as good as the keyed hash of an id */
{
	uint64_t z = (n + 1) * 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* A permutation of 0 .. rows-1: walks 0 .. 2^k-1 in hashed order and skips what is too large. */
struct shuffle {
	uint64_t rows, mask, at;
};

static uint64_t
shuffle_next(struct shuffle *s)
{
	for (;;) {
		uint64_t z = s->at++ & s->mask;

		for (int i = 0; i < 3; i++) { /* each step is a bijection of k bits */
			z = z * 0x9E3779B97F4A7C15u & s->mask;
			z ^= z >> 11;
		}
		if (z < s->rows)
			return z;
	}
}

static struct shuffle
shuffle_of(uint64_t rows)
{
	struct shuffle s = { rows, 1, 0 };

	while (s.mask < rows)
		s.mask = s.mask << 1 | 1;
	return s;
}

static _Noreturn void
die(const char *what, const struct diag *d)
{
	fprintf(stderr, "bench_journal: %s: %s\n", what, d->text);
	exit(1);
}

static void
append(struct journal *j, uint64_t n)
{
	struct journal_row row = {
		.id = id_of(n), .ts = (int64_t)n, .klass = UINT16_MAX, .flags = JOURNAL_INTERVAL,
		.window = (uint32_t)(n >> 16), .u.interval = { 1.0, 0.5, 1.5 },
	};

	journal_prefetch(j, id_of(n + AHEAD));
	if (journal_find(j, row.id) != UINT64_MAX || journal_append(j, &row, NULL, NULL) == UINT64_MAX)
		abort();
}

/* Labels in random order, their ids known some records ahead. */
struct labels {
	struct shuffle s;
	uint64_t ahead[AHEAD];
	uint64_t at;
};

static void
labels_begin(struct labels *l, const struct journal *j, uint64_t rows)
{
	l->s = shuffle_of(rows);
	l->at = 0;
	for (int i = 0; i < AHEAD; i++) {
		l->ahead[i] = id_of(shuffle_next(&l->s));
		journal_prefetch(j, l->ahead[i]);
	}
}

static void
label(struct labels *l, struct journal *j)
{
	uint64_t id = l->ahead[l->at % AHEAD];
	uint64_t n;

	l->ahead[l->at % AHEAD] = id_of(shuffle_next(&l->s));
	journal_prefetch(j, l->ahead[l->at % AHEAD]);
	journal_prefetch_row(j, l->ahead[(l->at + AHEAD_ROW) % AHEAD]);
	l->at++;
	n = journal_find(j, id);
	if (n == UINT64_MAX)
		abort();
	journal_done(j, n, 1.25, 1000, JOURNAL_MISS);
}

static void
memory(const struct journal *j, double rss_before)
{
	struct journal_counts c;

	journal_counts(j, &c);
	printf("memory       %10.2f bytes a row resident, %.2f journal_bytes (%llu rows, %llu waiting)\n",
	       (rss_bytes() - rss_before) / (double)c.rows, (double)journal_bytes(j) / (double)c.rows,
	       (unsigned long long)c.rows, (unsigned long long)c.waiting);
}

/* One part of the run: what the journal took, and what the commits took. */
struct part {
	struct journal *j;
	struct store *s;
	double start, cpu, saving, saving_cpu, longest;
	uint64_t bytes, calls;
};

static void
commit(struct part *p)
{
	struct diag d = { "" };
	double before = now_s(), cpu = cpu_s(), took;

	p->bytes += journal_dirty_bytes(p->j);
	if (store_begin(p->s, &d) != 0 || journal_save(p->j, p->s) != 0 || store_commit(p->s, &d) != 0)
		die("commit", &d);
	journal_saved(p->j);
	took = now_s() - before;
	p->saving += took;
	p->saving_cpu += cpu_s() - cpu;
	if (took > p->longest)
		p->longest = took;
}

static void
tick(struct part *p)
{
	if (++p->calls % COMMIT_ROWS == 0)
		commit(p);
}

static void
report(struct part *p, const char *what)
{
	double all = now_s() - p->start, cpu = cpu_s() - p->cpu, n = (double)p->calls;

	printf("%-12s %10.0f /s, %.0f /s with commits (by processor time %.0f and %.0f)\n", what,
	       n / (all - p->saving), n / all, n / (cpu - p->saving_cpu), n / cpu);
	printf("%-12s %10.1f MB/s, longest commit %.3f s\n", "  save", (double)p->bytes / p->saving / 1e6,
	       p->longest);
}

static void
fill(struct journal *j, struct store *s, uint64_t rows)
{
	struct part p = { .j = j, .s = s, .start = now_s(), .cpu = cpu_s() };
	double rss = rss_bytes();

	for (uint64_t n = 0; n < rows; n++) {
		append(j, n);
		tick(&p);
	}
	report(&p, "append");
	commit(&p);
	puts("             (resident for the first time here: the page cache of SQLite)");
	memory(j, rss);
}

static void
take_labels(struct labels *l, struct journal *j, struct store *s, uint64_t labels)
{
	struct part p = { .j = j, .s = s, .start = now_s(), .cpu = cpu_s() };

	for (uint64_t n = 0; n < labels; n++) {
		label(l, j);
		tick(&p);
	}
	report(&p, "done");
	commit(&p);
}

static void
pairs(struct labels *l, struct journal *j, struct store *s, uint64_t from, uint64_t count)
{
	struct part p = { .j = j, .s = s, .start = now_s(), .cpu = cpu_s() };

	for (uint64_t n = 0; n < count; n++) {
		append(j, from + n);
		label(l, j);
		tick(&p);
	}
	report(&p, "append+done");
	commit(&p);
}

static void
turn_over(struct journal *j, struct store *s, uint64_t from, uint64_t rows)
{
	struct part p = { .j = j, .s = s, .start = now_s(), .cpu = cpu_s() };

	for (uint64_t n = 0; n < rows; n++) {
		append(j, from + n);
		tick(&p);
	}
	report(&p, "turn over"); /* by capacity: the oldest blocks leave */
	commit(&p);
}

static void
run(const struct journal_config *config, uint64_t rows, const char *path)
{
	struct labels *l = malloc(sizeof(*l));
	struct journal *j;
	struct store *s;
	struct diag d = { "" };
	double start, rss;

	if (l == NULL || store_open(&s, path, STORE_CREATE, NULL, &d) != 0)
		die(path, &d);
	if (journal_create(&j, config, &d) != 0)
		die("create", &d);
	fill(j, s, rows);
	labels_begin(l, j, rows);
	take_labels(l, j, s, rows / 2);
	journal_destroy(j);
	rss = rss_bytes();
	start = now_s();
	if (journal_create(&j, config, &d) != 0 || journal_load(j, s, &d) != 0)
		die(path, &d);
	printf("load         %10.2f s\n", now_s() - start);
	memory(j, rss);
	if (rows + rows / 5 <= config->capacity)
		pairs(l, j, s, rows, rows / 5);
	turn_over(j, s, 2 * rows, config->capacity / 2);
	memory(j, rss);
	journal_destroy(j);
	store_close(s);
	free(l);
}

static void
remove_database(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
	char name[512];

	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

int
main(int argc, char **argv)
{
	uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	struct journal_config config = {
		.capacity = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 12000000,
		.keep_ms = INT64_MAX / 4,
		.model_id = 1,
	};
	const char *path = argc > 3 ? argv[3] : "/tmp/bench_journal.db";

	if (rows < 1000 || rows > config.capacity) {
		fprintf(stderr, "bench_journal: ROWS must be 1000 .. CAPACITY\n");
		return 64;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	remove_database(path);
	run(&config, rows, path);
	remove_database(path);
	return 0;
}
