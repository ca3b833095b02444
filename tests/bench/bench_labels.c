/* bench_labels.c -- labels through the whole pipeline, with commits on disk, while many predictions wait.
 *
 *	bench_labels FOLDER [WAITING]                      default 10 000 000
 *
 * WAITING predictions come; then a label, of a random one of them, with every new prediction, WAITING / 10
 * times; then the program starts again on that database. At last EXPLAINED records with 20 features come,
 * then their labels, each of which ends in coverage, performance and the counts of explanations. The time that
 * the making of messages takes is measured apart and left out; so is the broker's part.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"
#include "tests/bench/records.h"

enum { EXPLAINED = 200000, BATCH = 256, STEP = 65536, CAPACITY_MAX = 12000000, STEP_OF_LABELS = 7368787 /* a prime */ };

struct made {
	struct source base;
	uint64_t waiting, pairs, at, end;
	uint32_t profile;
	bool explained;       /* records with features, then their labels in order */
	double cpu_s, wall_s; /* of making messages */
	char text[BATCH][BENCH_RECORD_BYTES];
};

static size_t
made_take(struct source *base, uint32_t partition, struct message *out, size_t max,
          enum partition_state *state)
{
	struct made *s = (struct made *)base;
	double cpu = bench_cpu_s(), wall = bench_wall_s();
	size_t n = 0;

	for (; n < max && n < BATCH && s->at < s->end; n++, s->at++) {
		uint64_t pair = s->at < s->waiting ? 0 : s->at - s->waiting;
		uint64_t newest = s->at < s->waiting ? s->at : s->waiting + pair / 2;
		size_t length = pair % 2 ? bench_label(s->text[n], pair / 2 * STEP_OF_LABELS % s->waiting, newest)
		                         : bench_prediction(s->text[n], newest);

		if (s->explained)
			length = s->at < s->waiting ? bench_record(s->text[n], s->at)
			                            : bench_label(s->text[n], pair, s->waiting + pair);
		out[n] = (struct message){ .value = (const uint8_t *)s->text[n], .value_length = length - 1,
			                   .offset = (int64_t)s->at, .kafka_ms = INT64_MIN,
			                   .partition = partition, .profile = s->profile };
	}
	*state = s->at == s->end ? PARTITION_END : PARTITION_PENDING;
	s->cpu_s += bench_cpu_s() - cpu;
	s->wall_s += bench_wall_s() - wall;
	return n;
}

static void
made_wait(struct source *base, int timeout_ms, int wake_fd)
{
	(void)base;
	(void)timeout_ms;
	(void)wake_fd;
}

static bool
made_event(struct source *base, struct source_event *out)
{
	(void)base;
	(void)out;
	return false;
}

static uint32_t
made_partitions(const struct source *base)
{
	(void)base;
	return 1;
}

static const char *
made_topic(const struct source *base, uint32_t partition, int32_t *number)
{
	(void)base;
	*number = (int32_t)partition;
	return "made";
}

static int64_t
made_position(const struct source *base, uint32_t partition)
{
	(void)partition;
	return (int64_t)((const struct made *)base)->at;
}

static uint32_t
made_epoch(const struct source *base, uint32_t partition)
{
	(void)base;
	(void)partition;
	return 0;
}

static const struct source_vtable made_vtable = {
	.take = made_take, .wait = made_wait, .event = made_event, .partitions = made_partitions,
	.topic = made_topic, .position = made_position, .end_offset = made_position, .epoch = made_epoch,
};

static void
run_to(struct pipeline *p, struct made *s, uint64_t end, const char *what)
{
	double cpu = bench_cpu_s() - s->cpu_s, wall = bench_wall_s() - s->wall_s, longest = 0;
	double n = (double)(end - s->at);
	int64_t committed = clock_monotonic_ms();
	struct diag d = { "" };
	enum pipeline_step step;

	s->end = end;
	do {
		step = pipeline_step(p, STEP, 0);
		if (clock_monotonic_ms() - committed >= 1000 || step == PIPELINE_END) {
			double start = bench_wall_s();

			if (pipeline_commit(p, &d))
				bench_die("commit", d.text);
			committed = clock_monotonic_ms();
			start = bench_wall_s() - start;
			longest = start > longest ? start : longest;
		}
	} while (step != PIPELINE_END);
	cpu = bench_cpu_s() - s->cpu_s - cpu;
	wall = bench_wall_s() - s->wall_s - wall;
	printf("%-32s %9.0f messages a second, %.0f by processor time; longest commit %.2f s\n", what, n / wall,
	       n / cpu, longest);
}

static struct pipeline *
start(const struct config *config, struct store **store, const char *db, enum store_mode mode)
{
	struct pipeline *p;
	struct diag d = { "" };

	if (store_open(store, db, mode, NULL, &d) || pipeline_create(&p, config, *store, &d))
		bench_die(db, d.text);
	return p;
}

/* From arrival to updated coverage, performance and explanation. */
static void
run_explained(const struct config *config, const char *db)
{
	static struct made s;
	struct store *store;
	struct pipeline *p;
	struct diag d = { "" };
	double cpu;

	s = (struct made){ .base.vtable = &made_vtable, .waiting = EXPLAINED, .explained = true };
	p = start(config, &store, db, STORE_CREATE);
	s.profile = decoder_profile(pipeline_decoder(p), "made");
	if (pipeline_attach(p, &s.base, &d))
		bench_die("source", d.text);
	run_to(p, &s, s.waiting, "records with 20 features");
	cpu = bench_cpu_s() - s.cpu_s;
	run_to(p, &s, 2 * s.waiting, "their labels");
	cpu = bench_cpu_s() - s.cpu_s - cpu;
	printf("a label                          %9.0f ns of processor time, reading and writing too (aim 2000)\n",
	       1e9 * cpu / EXPLAINED);
	pipeline_destroy(p);
	store_close(store);
	bench_remove(db);
}

int
main(int argc, char **argv)
{
	static struct made s;
	char config_path[4096], db[4096];
	struct config *config;
	struct store *store;
	struct pipeline *p;
	struct diag d = { "" };
	FILE *f;
	double before, grown, took;

	s.base.vtable = &made_vtable;
	s.waiting = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
	s.pairs = s.waiting / 10;
	if (argc < 2 || s.waiting < 10000 || s.waiting + s.pairs > CAPACITY_MAX) {
		fputs("usage: bench_labels FOLDER [WAITING]      10 000 .. 10 900 000\n", stderr);
		return 64;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(config_path, sizeof config_path, "%s/labels.yaml", argv[1]);
	snprintf(db, sizeof db, "%s/labels.db", argv[1]);
	f = fopen(config_path, "w");
	if (!f || fputs(bench_config, f) < 0 || fclose(f) || config_load(&config, config_path, stderr, &d))
		bench_die(config_path, "cannot be used");
	bench_remove(db);
	p = start(config, &store, db, STORE_CREATE);
	s.profile = decoder_profile(pipeline_decoder(p), "made");
	if (pipeline_attach(p, &s.base, &d))
		bench_die("source", d.text);
	run_to(p, &s, s.waiting / 100, "the first predictions");
	before = bench_rss();
	run_to(p, &s, s.waiting, "predictions");
	grown = bench_rss() - before;
	run_to(p, &s, s.waiting + 2 * s.pairs, "a prediction, a label, ... (aim 200000)");
	pipeline_destroy(p);
	store_close(store);
	took = bench_wall_s();
	p = start(config, &store, db, STORE_APPEND);
	took = bench_wall_s() - took;
	printf("memory                           %9.1f bytes resident for a waiting prediction (aim 68)\n",
	       grown / ((double)s.waiting * 0.99));
	printf("restart                          %9.2f s (aim 5)\n", took);
	pipeline_destroy(p);
	store_close(store);
	bench_remove(db);
	run_explained(config, db);
	remove(config_path);
	config_free(config);
	return 0;
}
