/* test_merge.c -- one sequence out of many partitions, whatever the arrival. */
#include <time.h>

#include "config/limits.h"
#include "monitor/source/merge.h"
#include "monitor/source/source.h"
#include "tests/fake_source.h"
#include "tests/fixture.h"

enum { DAY_MS = 86400000 };

struct run {
	uint64_t hash, records, waits;
	int64_t watermark;
	size_t bytes_max;
};

static uint64_t
mix(uint64_t hash, const struct source *s, const struct record *r)
{
	int32_t number;
	const char *topic = s->vtable->topic(s, r->partition, &number);
	const int64_t part[3] = { number, r->offset, r->ts };

	return XXH64(part, sizeof part, XXH64(topic, strlen(topic), hash));
}

/* Runs a merge to its end. `most` > 0 stops after so many records. */
static struct run
run_merge(struct merge *m, struct fake *s, uint64_t most)
{
	struct run r = { 0 };
	const struct record *record, *later;

	while (!most || r.records < most) {
		const enum merge_result result = merge_next(m, 0, &record, &r.watermark);
		if (result == MERGE_END)
			break;
		if (result == MERGE_WAIT) {
			fake_wait(&s->base, 0, -1);
			continue;
		}
		r.hash = mix(r.hash, &s->base, record);
		later = merge_later(m, 1);
		if (later) {
			assert_int_equal(later->partition, record->partition);
			assert_int_equal(later->offset, record->offset + 1);
		}
		if (r.records++ % 1024 == 0 && merge_bytes(m) > r.bytes_max)
			r.bytes_max = merge_bytes(m);
	}
	r.waits = s->waits;
	return r;
}

static struct run
merge_all(const struct fixture *f, struct fake *s)
{
	struct merge *m;

	assert_int_equal(merge_create(&m, &s->base, f->decoder, 0, NULL), 0);
	const struct run r = run_merge(m, s, 0);
	merge_destroy(m);
	return r;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
four_partitions_a_day_apart(void **state)
{
	enum { N = 20000, PARTITIONS = 4 };
	struct fixture f;
	static int64_t all[PARTITIONS * N];
	const int64_t *ts[PARTITIONS], *one[1] = { all };
	struct fake s;
	struct fake_partition p[PARTITIONS];
	struct merge *m;
	const struct record *r;
	int64_t watermark, before = INT64_MIN;
	size_t bytes = 0;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < PARTITIONS * N; i++) /* partition 3 is the oldest */
		all[i] = (PARTITIONS - 1 - i / N) * (int64_t)DAY_MS + (i % N) * 4;
	for (int i = 0; i < PARTITIONS; i++)
		ts[i] = all + i * N;

	fake_open(&s, p, 1, one, PARTITIONS * N);
	double t = seconds();
	const struct run single = merge_all(&f, &s);
	const double alone = seconds() - t;
	assert_int_equal(single.records, PARTITIONS * N);

	fake_open(&s, p, PARTITIONS, ts, N);
	assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
	t = seconds();
	for (int i = 0; i < PARTITIONS * N;) {
		const enum merge_result result = merge_next(m, 0, &r, &watermark);
		assert_int_not_equal(result, MERGE_END);
		if (result == MERGE_WAIT) {
			fake_wait(&s.base, 0, -1);
			continue;
		}
		assert_true(r->ts >= before);
		assert_int_equal(r->ts, watermark);
		before = r->ts;
		if (i++ % 1000 == 0 && merge_bytes(m) > bytes)
			bytes = merge_bytes(m);
	}
	const double together = seconds() - t;
	assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_END);
	assert_in_range(bytes, 1, 16 * 1024 * 1024);
	print_message("four partitions a day apart: %.2f of one partition's throughput, %zu KiB\n",
	              alone / together, bytes / 1024);
	merge_destroy(m);
	fixture_close(&f);
}

/* Times that wander: mostly forward, some backward, some equal, some records refused. */
static void
wander(int64_t *ts, int n, uint64_t *seed)
{
	int64_t now = 1000;

	for (int i = 0; i < n; i++) {
		const uint64_t x = fixture_random(seed);
		now += (int64_t)(x % 7);
		ts[i] = x % 31 == 0 ? REFUSED : x % 13 == 0 ? now - (int64_t)(x % 500) : now;
	}
}

/* The definition, record by record: partition of the next record. */
static uint32_t
by_definition(const struct fake_partition *p, uint32_t n, const int64_t *at)
{
	uint32_t best = UINT32_MAX;
	int64_t best_key = 0;

	for (uint32_t i = 0; i < n; i++) {
		int64_t key = INT64_MAX;
		int usable = 0;
		for (int64_t k = at[i]; k < p[i].count && k < at[i] + MERGE_WINDOW; k++)
			if (usable < LIMIT_LOOKAHEAD && p[i].ts[k] != REFUSED) {
				usable++;
				key = p[i].ts[k] < key ? p[i].ts[k] : key;
			}
		if (!usable)
			key = INT64_MIN;
		if (at[i] < p[i].count && (best == UINT32_MAX || key < best_key)) {
			best = i;
			best_key = key;
		}
	}
	return best;
}

static void
the_definition(void **state)
{
	enum { N = 400, PARTITIONS = 7 };
	struct fixture f;
	static int64_t all[PARTITIONS][N];
	const int64_t *ts[PARTITIONS];
	struct fake s;
	struct fake_partition p[PARTITIONS];
	struct merge *m;
	const struct record *r;
	int64_t watermark, at[PARTITIONS] = { 0 };
	uint64_t seed = 99;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < PARTITIONS; i++) {
		wander(all[i], N, &seed);
		ts[i] = all[i];
	}
	for (int i = 50; i < 250; i++)
		all[3][i] = all[5][i + 20] = REFUSED;
	fake_open(&s, p, PARTITIONS, ts, N);
	s.seed = 1;
	assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
	for (int i = 0; i < N * PARTITIONS;) {
		if (merge_next(m, 0, &r, &watermark) != MERGE_RECORD) {
			fake_wait(&s.base, 0, -1);
			continue;
		}
		const uint32_t expected = by_definition(p, PARTITIONS, at);
		assert_int_equal(r->partition, expected);
		assert_int_equal(r->offset, at[expected]);
		at[expected]++;
		i++;
	}
	merge_destroy(m);
	fixture_close(&f);
}

static void
any_arrival_order(void **state)
{
	enum { N = 700, PARTITIONS = 9 };
	struct fixture f;
	static int64_t all[PARTITIONS][N];
	const int64_t *ts[PARTITIONS];
	struct fake s;
	struct fake_partition p[PARTITIONS];
	uint64_t seed = 20240501;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < PARTITIONS; i++) {
		wander(all[i], N, &seed);
		ts[i] = all[i];
	}
	for (int i = 100; i < 300; i++) /* more refused records together than a window holds */
		all[4][i] = REFUSED;
	fake_open(&s, p, PARTITIONS, ts, N);
	const struct run expected = merge_all(&f, &s);
	assert_int_equal(expected.records, PARTITIONS * N);
	for (uint64_t k = 1; k <= 40; k++) {
		fake_open(&s, p, PARTITIONS, ts, N);
		s.seed = k;
		if (k % 2) /* found in another order, too */
			for (int i = 0; i < PARTITIONS / 2; i++) {
				const struct fake_partition swap = p[i];
				p[i] = p[PARTITIONS - 1 - i];
				p[PARTITIONS - 1 - i] = swap;
			}
		const struct run got = merge_all(&f, &s);
		assert_int_equal(got.records, expected.records);
		assert_int_equal(got.hash, expected.hash);
	}
	fixture_close(&f);
}

/* Stops anywhere, goes on from merge_position and the watermark: the same sequence. */
static void
a_restart_changes_nothing(void **state)
{
	enum { N = 300, PARTITIONS = 5 };
	struct fixture f;
	static int64_t all[PARTITIONS][N];
	const int64_t *ts[PARTITIONS];
	struct fake s;
	struct fake_partition p[PARTITIONS];
	struct merge *m;
	uint64_t seed = 7;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < PARTITIONS; i++) {
		wander(all[i], N, &seed);
		ts[i] = all[i];
	}
	for (int i = 10; i < 150; i++)
		all[2][i] = REFUSED;
	fake_open(&s, p, PARTITIONS, ts, N);
	const struct run expected = merge_all(&f, &s);

	struct run got = { 0 };
	uint64_t hash = 0, records = 0;
	int64_t watermark = INT64_MIN, position[PARTITIONS] = { 0 };
	while (records < expected.records) {
		fake_open(&s, p, PARTITIONS, ts, N);
		s.seed = records + 1;
		for (int i = 0; i < PARTITIONS; i++)
			p[i].taken = p[i].arrived = position[i];
		assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
		merge_set_watermark(m, watermark);
		const uint64_t most = 1 + fixture_random(&seed) % 60;
		const struct record *r;
		for (uint64_t i = 0; i < most && records < expected.records;) {
			if (merge_next(m, 0, &r, &watermark) != MERGE_RECORD) {
				fake_wait(&s.base, 0, -1);
				continue;
			}
			hash = mix(hash, &s.base, r);
			records++;
			i++;
		}
		for (uint32_t i = 0; i < PARTITIONS; i++)
			position[i] = merge_position(m, i);
		merge_destroy(m);
	}
	got.hash = hash;
	assert_int_equal(got.hash, expected.hash);
	for (int i = 0; i < PARTITIONS; i++)
		assert_int_equal(position[i], N);
	fixture_close(&f);
}

static void
one_wrong_clock(void **state)
{
	enum { N = 200 };
	struct fixture f;
	static int64_t a[N], b[N];
	const int64_t *ts[2] = { a, b };
	struct fake s;
	struct fake_partition p[2];
	struct merge *m;
	const struct record *r;
	int64_t watermark = 0;
	int seen[2] = { 0, 0 };

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < N; i++)
		a[i] = b[i] = 1000 + i;
	a[20] = 4000000000000; /* a clock far ahead */
	fake_open(&s, p, 2, ts, N);
	assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
	for (int i = 0; i < 2 * N - 2;) {
		if (merge_next(m, 0, &r, &watermark) != MERGE_RECORD) {
			fake_wait(&s.base, 0, -1);
			continue;
		}
		assert_true(watermark < 2000);
		seen[r->partition]++;
		assert_in_range(seen[0] - seen[1] + 2, 0, 4); /* neither waits for the other */
		i++;
	}
	merge_destroy(m);
	fixture_close(&f);
}

static void
ties(void **state)
{
	enum { N = 50, PARTITIONS = 4 };
	static const struct { const char *topic; int32_t number; } name[PARTITIONS] = {
		{ "tb", 0 }, { "ta", 10 }, { "ta", 9 }, { "t", 77 },
	};
	static const uint32_t order[PARTITIONS] = { 3, 2, 1, 0 };
	struct fixture f;
	static int64_t same[N];
	const int64_t *ts[PARTITIONS] = { same, same, same, same };
	struct fake s;
	struct fake_partition p[PARTITIONS];
	struct merge *m;
	const struct record *r;
	int64_t watermark;

	(void)state;
	fixture_open(&f, NULL);
	fake_open(&s, p, PARTITIONS, ts, N);
	for (int i = 0; i < PARTITIONS; i++) {
		snprintf(p[i].topic, sizeof p[i].topic, "%s", name[i].topic);
		p[i].number = name[i].number;
	}
	assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
	for (int i = 0; i < N * PARTITIONS;) {
		if (merge_next(m, 0, &r, &watermark) != MERGE_RECORD) {
			fake_wait(&s.base, 0, -1);
			continue;
		}
		assert_int_equal(r->partition, order[i / N]);
		assert_int_equal(r->offset, i % N);
		i++;
	}
	merge_destroy(m);
	fixture_close(&f);
}

static void
a_stalled_partition(void **state)
{
	enum { N = 100 };
	struct fixture f;
	static int64_t a[N], b[N];
	const int64_t *ts[2] = { a, b };
	struct fake s;
	struct fake_partition p[2];
	struct merge *m;
	const struct record *r;
	int64_t watermark;
	int n = 0;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < N; i++) {
		a[i] = 1000 + i;
		b[i] = 2000 + i;
	}
	fake_open(&s, p, 2, ts, N);
	p[0].silent = true;
	p[0].count = 0;
	assert_int_equal(merge_create(&m, &s.base, f.decoder, 30000, NULL), 0);
	fake_wait(&s.base, 0, -1);
	assert_int_equal(merge_next(m, 5000, &r, &watermark), MERGE_WAIT);
	assert_int_equal(merge_next(m, 34999, &r, &watermark), MERGE_WAIT);
	assert_int_equal(merge_stalled(m), UINT32_MAX);
	assert_int_equal(merge_next(m, 35000, &r, &watermark), MERGE_RECORD);
	assert_int_equal(merge_stalled(m), 0);
	assert_int_equal(merge_stalled(m), UINT32_MAX);
	while (merge_next(m, 36000, &r, &watermark) == MERGE_RECORD)
		n++;
	assert_int_equal(n, N - 1);
	assert_int_equal(merge_next(m, 36000, &r, &watermark), MERGE_WAIT); /* stalled is not ended */

	p[0].silent = false; /* it is back: what it has is given, and the end is an end */
	p[0].count = p[0].arrived = N;
	for (n = 0; merge_next(m, 37000, &r, &watermark) == MERGE_RECORD; n++)
		assert_int_equal(r->partition, 0);
	assert_int_equal(n, N);
	assert_int_equal(watermark, 2000 + N - 1);
	assert_int_equal(merge_next(m, 37000, &r, &watermark), MERGE_END);
	assert_int_equal(merge_stalled(m), UINT32_MAX);
	merge_destroy(m);
	fixture_close(&f);
}

static void
live_records_and_new_partitions(void **state)
{
	struct fixture f;
	static int64_t a[40], b[40];
	const int64_t *ts[2] = { a, b };
	struct fake s;
	struct fake_partition p[2];
	struct merge *m;
	const struct record *r;
	int64_t watermark;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < 40; i++)
		a[i] = b[i] = i;
	fake_open(&s, p, 2, ts, 0);
	s.partitions = 0;
	assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
	assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_WAIT); /* none known is not an end */
	s.partitions = 1;
	assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_END);
	p[0].count = p[0].arrived = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_RECORD);
	assert_int_equal(merge_position(m, 0), 3);
	assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_END);
	s.partitions = 2;
	p[1].count = p[1].arrived = 40;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(merge_position(m, 1), i ? i : -1);
		assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_RECORD);
		assert_int_equal(r->partition, 1);
	}
	assert_int_equal(merge_next(m, 0, &r, &watermark), MERGE_END);
	merge_destroy(m);
	fixture_close(&f);
}

static void
the_most_partitions(void **state)
{
	enum { N = 60 };
	struct fixture f;
	static int64_t all[N];
	static const int64_t *ts[LIMIT_PARTITIONS];
	static struct fake_partition p[LIMIT_PARTITIONS];
	struct fake s;

	(void)state;
	fixture_open(&f, NULL);
	for (int i = 0; i < N; i++)
		all[i] = i * 10;
	for (int i = 0; i < LIMIT_PARTITIONS; i++)
		ts[i] = all;
	fake_open(&s, p, LIMIT_PARTITIONS, ts, N);
	const struct run r = merge_all(&f, &s);
	assert_int_equal(r.records, N * LIMIT_PARTITIONS);
	assert_in_range(r.bytes_max, 1, (size_t)512 * 1024 * 1024);
	fixture_close(&f);
}

/* Messages decoded ahead on another thread: the same records, and the same positions wherever it stops. */
static void
ahead_changes_nothing(void **state)
{
	enum { N = 3000, LANES = 4 };
	static int64_t all[LANES * N];
	const int64_t *ts[LANES];
	struct source_vtable ahead;
	struct fixture f;

	(void)state;
	fixture_open(&f, NULL);
	for (uint64_t trial = 0; trial < 12; trial++) {
		uint64_t seed = trial + 1, most = trial % 3 ? trial * 701 : 0;
		uint32_t lanes = 1 + trial % LANES;
		struct run r[2];
		int64_t position[2][LANES];

		wander(all, LANES * N, &seed);
		for (uint32_t i = 0; i < LANES; i++)
			ts[i] = all + i * N;
		for (int k = 0; k < 2; k++) {
			struct fake_partition p[LANES];
			struct fake s;
			struct merge *m;

			fake_open(&s, p, lanes, ts, N);
			s.seed = trial % 2 ? trial : 0;
			ahead = *s.base.vtable;
			ahead.ahead = true;
			if (k == 1)
				s.base.vtable = &ahead;
			assert_int_equal(merge_create(&m, &s.base, f.decoder, 0, NULL), 0);
			r[k] = run_merge(m, &s, most);
			for (uint32_t i = 0; i < lanes; i++)
				position[k][i] = merge_position(m, i);
			merge_destroy(m);
		}
		assert_int_equal(r[0].records, r[1].records);
		assert_int_equal(r[0].hash, r[1].hash);
		assert_int_equal(r[0].watermark, r[1].watermark);
		assert_memory_equal(position[0], position[1], lanes * sizeof(int64_t));
	}
	fixture_close(&f);
}

const struct CMUnitTest merge_tests[] = {
	TEST("merge/four_partitions_a_day_apart_are_one_sequence", four_partitions_a_day_apart),
	TEST("merge/the_sequence_is_the_one_of_the_definition", the_definition),
	TEST("merge/any_arrival_order_gives_the_same_sequence", any_arrival_order),
	TEST("merge/a_restart_changes_nothing", a_restart_changes_nothing),
	TEST("merge/one_wrong_clock_moves_nothing", one_wrong_clock),
	TEST("merge/ties_go_by_topic_partition_offset", ties),
	TEST("merge/a_stalled_partition_is_reported", a_stalled_partition),
	TEST("merge/live_records_and_new_partitions_join", live_records_and_new_partitions),
	TEST("merge/memory_is_bounded_at_the_most_partitions", the_most_partitions),
	TEST("merge/decoding_ahead_changes_nothing", ahead_changes_nothing),
	TESTS_END,
};
