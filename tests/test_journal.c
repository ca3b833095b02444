/* test_journal.c -- the label journal: what it promises about memory, disk, order and counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/label/journal_inside.h"
#include "tests/fixture.h"
#include "tests/journal_world.h"
#include "tests/tests.h"

static struct journal *
alone(uint32_t capacity, int64_t keep_ms) /* without a database */
{
	struct journal_config config = { .capacity = capacity, .keep_ms = keep_ms, .model_id = 1 };
	struct journal *j;

	assert_int_equal(journal_create(&j, &config, NULL), 0);
	return j;
}

static uint64_t
append(struct journal *j, uint64_t id, int64_t ts)
{
	struct journal_row row = { .id = id, .ts = ts, .klass = UINT16_MAX, .flags = JOURNAL_INTERVAL,
		                   .u.interval = { 1.5, 1.0, 2.0 } };

	return journal_append(j, &row, NULL, NULL);
}

static void
a_row_takes_at_most_64_bytes(void **state)
{
	struct journal *j = alone(1000000, 1);

	(void)state;
	for (uint64_t n = 0; n < 2100000; n++) {
		append(j, world_mix(n), 0);
		if (n % 25000 == 24999)
			assert_true(journal_bytes(j) <= 64 * (journal_end(j) - journal_first(j)));
	}
	journal_destroy(j);
}

static void
the_index_of_any_capacity_takes_at_most_8_bytes_a_row(void **state)
{
	static const uint32_t capacities[] = { 1000000, 4000000, 5592405, 12000000, 16777216,
		                               JOURNAL_CAPACITY_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
		struct journal_index x;

		journal_index_init(&x, capacities[i] + LIMIT_JOURNAL_BLOB_ROWS, capacities[i]);
		for (x.entries = 0; x.entries <= capacities[i] - 1; x.entries += capacities[i] / 1000) {
			uint32_t entries = x.entries;

			while (journal_index_is_full(&x)) {
				assert_true(journal_index_resize(&x, entries));
				x.entries = entries;
			}
			if (entries >= 100000)
				assert_true(journal_index_bytes(&x) <= (uint64_t)entries * 15 / 2);
		}
		assert_true(x.count <= capacities[i] / JOURNAL_BUCKET_LOAD + 1);
		journal_index_finish(&x);
	}
}

static void
the_oldest_block_leaves_by_capacity_and_is_counted(void **state)
{
	struct journal *j = alone(600000, 1);
	struct journal_counts c;

	(void)state;
	for (uint64_t n = 0; n < 600000; n++)
		assert_int_equal(append(j, world_mix(n), 0), n);
	for (uint64_t n = 0; n < 1000; n++)
		journal_done(j, journal_find(j, world_mix(n * 2)), 1.0, 0, 0);
	journal_counts(j, &c);
	assert_true(c.rows == 600000 && c.done == 1000 && c.waiting == 599000 && c.evicted == 0);
	assert_int_equal(append(j, 1, 0), 600000);
	journal_counts(j, &c);
	assert_int_equal(c.evicted, LIMIT_JOURNAL_BLOB_ROWS - 1000);
	assert_int_equal(c.rows, 600001 - LIMIT_JOURNAL_BLOB_ROWS);
	assert_int_equal(c.done, 0);
	assert_int_equal(journal_first(j), LIMIT_JOURNAL_BLOB_ROWS);
	assert_null(journal_get(j, LIMIT_JOURNAL_BLOB_ROWS - 1));
	assert_true(journal_find(j, world_mix(65535)) == UINT64_MAX);
	assert_int_equal(journal_find(j, world_mix(65536)), 65536);
	assert_int_equal(append(j, world_mix(7), 0), 600001); /* its id is free again */
	assert_int_equal(journal_find(j, world_mix(7)), 600001);
	journal_destroy(j);
}

static void
expiry_by_watermark(void **state)
{
	struct journal *j = alone(16 * 64, 1000);
	struct journal_counts c;

	(void)state;
	for (uint64_t n = 0; n < 100; n++) /* blocks of 128 */
		append(j, n, (int64_t)n);
	journal_done(j, 3, 0, 0, 0);
	journal_expire(j, INT64_MIN);
	journal_expire(j, 1099);
	journal_counts(j, &c);
	assert_true(c.rows == 100 && c.expired == 0); /* the row of 99 ms is not older than 99 */
	journal_expire(j, 1100);
	journal_counts(j, &c);
	assert_true(c.rows == 0 && c.expired == 99 && c.done == 0 && c.waiting == 0);
	assert_true(journal_find(j, 50) == UINT64_MAX);
	for (uint64_t n = 0; n < 200; n++) /* the numbers go on in the middle of the block */
		assert_int_equal(append(j, n, n == 10 ? 5000 : 2000), 100 + n);
	journal_expire(j, 3001);
	assert_int_equal(journal_first(j), 100); /* one row of the block is younger */
	journal_expire(j, 6001);
	journal_counts(j, &c);
	assert_true(c.rows == 0 && c.expired == 299 && journal_first(j) == 300);
	journal_expire(j, INT64_MAX);
	journal_destroy(j);
}

static void
an_orphan_meets_its_prediction(void **state)
{
	struct journal *j = alone(160, 1000);
	struct journal_counts c;
	struct orphan o = { .id = 42, .ts = 5, .label = 2.5, .is_class = 1 }, got;

	(void)state;
	assert_false(journal_orphan_take(j, 42, &got));
	assert_true(journal_orphan_add(j, &o));
	o.label = 9;
	assert_false(journal_orphan_add(j, &o)); /* the first one is kept */
	assert_true(journal_orphan_take(j, 42, &got));
	assert_true(got.id == 42 && got.ts == 5 && got.label == 2.5 && got.is_class == 1);
	assert_false(journal_orphan_take(j, 42, &got));
	for (uint64_t n = 0; n < 12; n++) { /* room for ten */
		o.id = n;
		o.ts = (int64_t)n;
		assert_true(journal_orphan_add(j, &o));
	}
	journal_counts(j, &c);
	assert_true(c.orphans == 10 && c.orphans_expired == 2);
	assert_false(journal_orphan_take(j, 1, &got));
	journal_expire(j, 1004);
	journal_counts(j, &c);
	assert_true(c.orphans == 8 && c.orphans_expired == 4);
	assert_true(journal_orphan_take(j, 4, &got));
	journal_destroy(j);
}

static void
a_label_keeps_the_predicted_value(void **state)
{
	struct journal *j = alone(100, 1);
	struct journal_row klass = { .id = 2, .klass = 3, .flags = JOURNAL_CLASS | JOURNAL_SET,
		                     .u.klass = { 5, 0.75, 0 } };
	const struct journal_row *r;

	(void)state;
	append(j, 1, 0);
	journal_append(j, &klass, NULL, NULL);
	journal_done(j, 0, 3.0, 60, JOURNAL_MISS | JOURNAL_ABOVE);
	journal_done(j, 1, 4.0, 61, JOURNAL_WRONG);
	r = journal_get(j, 0);
	assert_true(r->u.done.value == 1.5 && r->u.done.label == 3.0 && r->u.done.delay_ms == 60);
	assert_int_equal(r->flags, JOURNAL_INTERVAL | JOURNAL_DONE | JOURNAL_MISS | JOURNAL_ABOVE);
	journal_done(j, 0, 1.75, 90, 0); /* revised */
	journal_seen(j, 0);
	assert_true(r->u.done.value == 1.5 && r->u.done.label == 1.75 && r->u.done.delay_ms == 90);
	assert_int_equal(r->flags, JOURNAL_INTERVAL | JOURNAL_DONE | JOURNAL_SEEN);
	r = journal_get(j, 1);
	assert_true(r->u.done.value == 0.75 && r->klass == 3 && r->u.done.label == 4.0);
	journal_destroy(j);
}

static void
a_class_count_never_changes(void **state)
{
	struct journal *j = alone(100, 1);
	struct journal_row row = { .id = 9 };
	const double probs[2] = { 0.25, 0.75 };

	(void)state;
	append(j, 1, 0);
	assert_int_equal(journal_set_probs(j, 2), 0);
	assert_int_equal(journal_set_probs(j, 3), ERR_LIMIT);
	assert_int_equal(journal_append(j, &row, probs, NULL), 1);
	assert_null(journal_probs(j, 0));
	assert_memory_equal(journal_probs(j, 1), probs, sizeof probs);
	journal_destroy(j);
}

/* -- index ------------------------------------------------------------------------------------- */

static void
dropping_blocks_leaves_no_trace_in_the_index(void **state)
{
	enum { CAPACITY = 20000, CALLS = 400000 };
	struct journal *j = alone(CAPACITY, 1);

	(void)state;
	for (uint64_t n = 0; n < CALLS; n++) {
		uint64_t id = n % 3 == 0 ? n : world_mix(n % (2 * CAPACITY)); /* ids come again */

		if (journal_find(j, id) == UINT64_MAX)
			append(j, id, (int64_t)n);
		if (n % 50000 == 49999)
			journal_expire(j, (int64_t)n - CAPACITY / 4);
	}
	assert_int_equal(j->index.entries, journal_end(j) - journal_first(j));
	for (uint64_t n = journal_first(j); n < journal_end(j); n++)
		assert_int_equal(journal_find(j, journal_get(j, n)->id), n);
	journal_expire(j, INT64_MAX);
	assert_int_equal(j->index.entries, 0);
	for (uint32_t b = 0; b < j->index.count; b++) {
		assert_int_equal(j->index.buckets[b].passed, 0);
		for (unsigned i = 0; i < JOURNAL_BUCKET_ENTRIES; i++)
			assert_int_equal(j->index.buckets[b].entry[i], 0);
	}
	journal_destroy(j);
}

static void
ids_of_one_bucket_are_told_apart(void **state)
{
	/* 0x9E3779B97F4A7C15 * INVERSE = 1 modulo 2^64: the hash of n * INVERSE is n, bucket 0. */
	const uint64_t inverse = 0xF1DE83E19937733Du;
	struct journal *j = alone(2000, 1);

	(void)state;
	assert_true(inverse * 0x9E3779B97F4A7C15u == 1);
	for (uint64_t n = 1; n <= 3000; n++)
		append(j, n * inverse, 0);
	for (uint64_t n = 1; n <= 3000; n++) {
		uint64_t expected = n - 1 < journal_first(j) ? UINT64_MAX : n - 1;

		assert_true(journal_find(j, n * inverse) == expected);
	}
	journal_destroy(j);
}

/* -- disk -------------------------------------------------------------------------------------- */

static void
a_restart_continues_exactly(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct dump d = journal_naive_run(400u << seed % 3, seed, 12000, 500, true);

		free(d.bytes);
	}
}

static void
any_commit_schedule_gives_the_same_chunks(void **state)
{
	static const struct {
		uint32_t capacity;
		uint64_t calls;
	} sizes[] = { { 500, 10000 }, { 4096, 40000 }, { 37, 3000 }, { 6000, 330000 } };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint64_t calls = sizes[i].calls;
		struct dump once = journal_naive_run(sizes[i].capacity, 77, calls, 0, false);

		for (int k = 0; k < 2; k++) {
			struct dump other = journal_naive_run(sizes[i].capacity, 77, calls,
			                                      k ? calls / 100 : calls / 10, k);

			assert_int_equal(once.size, other.size);
			assert_memory_equal(once.bytes, other.bytes, once.size);
			free(other.bytes);
		}
		free(once.bytes);
	}
}

static void
a_failed_commit_is_written_again(void **state)
{
	struct world w;
	struct journal_counts c;
	struct orphan o = { .id = 77, .label = (double)NAN }, got;

	(void)state;
	world_begin(&w, 1000, 1);
	append(w.j, 1, 1);
	world_commit(&w);
	append(w.j, 2, 2);
	journal_done(w.j, 0, 5, 5, JOURNAL_MISS);
	journal_orphan_add(w.j, &o);
	world_fail_to_commit(&w);
	assert_true(journal_dirty_bytes(w.j) >= 56 + 24 + 32);
	world_fail_to_commit(&w);
	append(w.j, 3, 3);
	world_restart(&w);
	journal_counts(w.j, &c);
	assert_true(c.rows == 3 && c.done == 1 && c.orphans == 1);
	assert_int_equal(journal_get(w.j, 0)->flags, JOURNAL_INTERVAL | JOURNAL_DONE | JOURNAL_MISS);
	assert_int_equal(journal_find(w.j, 3), 2);
	assert_true(journal_orphan_take(w.j, 77, &got) && isnan(got.label));
	world_end(&w);
}

static void
numbers_go_on_after_everything_has_expired(void **state)
{
	struct world w;
	struct journal_counts c;

	(void)state;
	world_begin(&w, 20000, 1000);
	for (int64_t round = 0; round < 5; round++) {
		int64_t at = 10000 * round;
		uint64_t first = journal_end(w.j);

		for (uint64_t n = 0; n < 300; n++) /* the youngest row comes first */
			append(w.j, n, at + (n == 0 ? 50 : 0));
		journal_done(w.j, first + 299, 1, 1, 0);
		world_restart(&w);
		journal_expire(w.j, at + 1050);
		assert_int_equal(journal_first(w.j), first);
		journal_expire(w.j, at + 1051);
		assert_int_equal(journal_first(w.j), first + 300);
		if (round % 2)
			world_restart(&w);
		else
			world_commit(&w);
	}
	journal_counts(w.j, &c);
	assert_true(c.expired == 5 * 299 && c.rows == 0 && c.done == 0);
	world_end(&w);
}

static void
another_capacity_takes_the_rows_over(void **state)
{
	static const uint32_t capacities[] = { 20000, 300, 3000, 1000000, 64, 20000 };
	struct world w;
	uint64_t left = 0;

	(void)state;
	world_begin(&w, 1000, 1);
	for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
		struct journal_counts c;

		for (uint64_t n = 0; n < 777; n++) {
			uint64_t number = append(w.j, world_mix(journal_end(w.j)), 0);

			if (n % 3 == 0)
				journal_done(w.j, number - (n < 100 ? 0 : 7), (double)n, 1, 0);
		}
		world_commit(&w);
		left = journal_first(w.j);
		world_stop(&w);
		w.config.capacity = capacities[i];
		world_start(&w, STORE_APPEND);
		assert_int_equal(journal_first(w.j), left);
		world_restart(&w); /* all of it written anew, and read again */
		assert_int_equal(journal_first(w.j), left);
		for (uint64_t n = left; n < journal_end(w.j); n++)
			assert_int_equal(journal_find(w.j, world_mix(n)), n);
		append(w.j, world_mix(journal_end(w.j)), 0);
		journal_counts(w.j, &c);
		assert_true(c.rows <= capacities[i]);
	}
	world_end(&w);
}

static void
damage_is_an_error(void **state)
{
	static const char *const harm[] = {
		"DELETE FROM chunks WHERE owner = 'journal' AND chunk = 1",
		"DELETE FROM chunks WHERE owner = 'outcomes'",
		"DELETE FROM chunks WHERE owner = 'orphans'",
		"DELETE FROM chunks WHERE owner = 'journal-probs' AND part = 1",
		"DELETE FROM chunks WHERE owner = 'journal-bins'",
		"UPDATE chunks SET part = part + 9 WHERE owner = 'journal'",
		"UPDATE chunks SET owner = 'journal', part = 9 WHERE owner = 'outcomes'",
	};
	const double probs[2] = { 1, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
		struct world w;
		struct orphan o = { .id = 5 };
		struct journal *j;
		struct diag d = { "" };

		world_begin(&w, 20000, 1);
		journal_set_probs(w.j, 2);
		for (uint64_t n = 0; n < 3000; n++) {
			struct journal_row row = { .id = n, .bins = n == 100 ? 3 : 0 };

			journal_append(w.j, &row, n == 2500 ? probs : NULL, (const uint8_t *)"abc");
		}
		journal_done(w.j, 7, 1, 1, 0);
		journal_orphan_add(w.j, &o);
		world_commit(&w);
		assert_int_equal(sqlite3_exec(store_handle(w.store), harm[i], NULL, NULL, NULL), 0);
		assert_int_equal(sqlite3_changes(store_handle(w.store)) > 0, 1);
		assert_int_equal(journal_create(&j, &w.config, &d), 0);
		assert_int_equal(journal_load(j, w.store, &d), ERR_CORRUPT);
		assert_true(strlen(d.text) > 20);
		journal_destroy(j);
		world_end(&w);
	}
}

/* Rows whose bytes agree or differ by chance, from none to all of them. */
static void
a_packed_chunk_comes_back_as_it_was(void **state)
{
	static uint8_t rows[JOURNAL_CHUNK_ROWS * sizeof(struct journal_row)], back[sizeof rows];
	static uint8_t packed[JOURNAL_PACKED_MAX];
	uint64_t seed = 5;

	(void)state;
	for (int trial = 0; trial < 400; trial++) {
		size_t n = 1 + fixture_random(&seed) % JOURNAL_CHUNK_ROWS, width = sizeof(struct journal_row), length;
		uint64_t differ = fixture_random(&seed);

		differ = trial < 2 ? (uint64_t)0 - (uint64_t)trial : trial % 2 ? differ & fixture_random(&seed) : differ;
		for (size_t i = 0; i < n * width; i++)
			rows[i] = differ >> i % width & 1 ? (uint8_t)fixture_random(&seed) : (uint8_t)(i % width * 7);
		length = journal_pack_rows(packed, rows, n);
		assert_in_range(length, 8 + width, 8 + (n + 1) * width);
		memset(back, 0xee, sizeof back);
		assert_int_equal(journal_unpack_rows(back, packed, length), n);
		assert_memory_equal(back, rows, n * width);
		assert_int_equal(journal_unpack_rows(back, packed, length - 1), 0);
		assert_int_equal(journal_unpack_rows(back, packed, length + 1), 0);
	}
	for (size_t n = 1; n < 400; n++) {
		unsigned limit = 1u << (n % 9), length;

		for (size_t i = 0; i < n; i++)
			rows[i] = (uint8_t)(fixture_random(&seed) % limit);
		length = (unsigned)journal_pack_bins(packed, rows, n);
		assert_in_range(length, 1, n + 9);
		memset(back, 0xee, n + 1);
		assert_true(journal_unpack_bins(back, n, packed, length));
		assert_memory_equal(back, rows, n);
		assert_int_equal(back[n], 0xee);
		assert_false(journal_unpack_bins(back, n, packed, length + 1));
	}
	assert_false(journal_unpack_bins(back, 3, packed, 0));
}

extern const struct CMUnitTest journal_tests[];
const struct CMUnitTest journal_tests[] = {
	TEST("journal/a_row_takes_at_most_64_bytes", a_row_takes_at_most_64_bytes),
	TEST("journal/the_index_of_any_capacity_takes_at_most_8_bytes_a_row",
	     the_index_of_any_capacity_takes_at_most_8_bytes_a_row),
	TEST("journal/the_oldest_block_leaves_by_capacity_and_is_counted",
	     the_oldest_block_leaves_by_capacity_and_is_counted),
	TEST("journal/expiry_by_watermark", expiry_by_watermark),
	TEST("journal/an_orphan_meets_its_prediction", an_orphan_meets_its_prediction),
	TEST("journal/a_label_keeps_the_predicted_value", a_label_keeps_the_predicted_value),
	TEST("journal/a_class_count_never_changes", a_class_count_never_changes),
	TEST("journal/dropping_blocks_leaves_no_trace_in_the_index",
	     dropping_blocks_leaves_no_trace_in_the_index),
	TEST("journal/ids_of_one_bucket_are_told_apart", ids_of_one_bucket_are_told_apart),
	TEST("journal/a_restart_continues_exactly", a_restart_continues_exactly),
	TEST("journal/any_commit_schedule_gives_the_same_chunks",
	     any_commit_schedule_gives_the_same_chunks),
	TEST("journal/a_failed_commit_is_written_again", a_failed_commit_is_written_again),
	TEST("journal/numbers_go_on_after_everything_has_expired",
	     numbers_go_on_after_everything_has_expired),
	TEST("journal/another_capacity_takes_the_rows_over", another_capacity_takes_the_rows_over),
	TEST("journal/damage_is_an_error", damage_is_an_error),
	TEST("journal/a_packed_chunk_comes_back_as_it_was", a_packed_chunk_comes_back_as_it_was),
	TESTS_END,
};
