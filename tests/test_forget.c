/* test_forget.c -- `driftd forget` in the journal: nothing of an id is left, everything else is as it was. */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "tests/journal_world.h"
#include "tests/tests.h"

enum { ROWS = 1500, ORPHANS = 40, PROBS = 3, BINS = 5, SAVED = 1300 };

static uint64_t
orphan_id(uint64_t n)
{
	return world_mix(1000000 + n);
}

/* Every third row has a label, every second one probabilities and bins, of which each number tells its row. */
static void
add_rows(struct world *w, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n < to; n++) {
		struct journal_row row = { .id = world_mix(n), .ts = (int64_t)n, .klass = UINT16_MAX,
			                   .flags = JOURNAL_INTERVAL, .bins = n % 2 ? BINS : 0,
			                   .u.interval = { 1.5 + (double)n, 1.0, 2.0 } };
		double probs[PROBS] = { (double)n, (double)n, 1 };
		uint8_t bins[BINS];

		memset(bins, (int)(n % 250) + 1, sizeof bins);
		assert_true(journal_append(w->j, &row, n % 2 ? probs : NULL, n % 2 ? bins : NULL) == n);
		if (n % 3 == 0)
			journal_done(w->j, n, 7000.25 + (double)n, 5, JOURNAL_MISS);
	}
}

static void
add_orphans(struct world *w)
{
	for (uint64_t n = 0; n < ORPHANS; n++) {
		struct orphan o = { orphan_id(n), (int64_t)n, 9000.5, 0 }, out;

		assert_true(journal_orphan_add(w->j, &o));
		if (n % 4 == 1)
			assert_true(journal_orphan_take(w->j, o.id, &out));
	}
}

static bool
holds(const struct dump *d, uint64_t id)
{
	for (size_t i = 0; i + sizeof id <= d->size; i++)
		if (!memcmp(d->bytes + i, &id, sizeof id))
			return true;
	return false;
}

static uint64_t
forget(struct world *w, uint64_t id, bool fail_once)
{
	struct diag d;
	bool orphan;
	uint64_t number = journal_forget(w->j, id, &orphan);

	for (int attempt = fail_once ? 0 : 1; attempt < 2; attempt++) {
		assert_int_equal(store_begin(w->store, &d), 0);
		assert_int_equal(journal_save(w->j, w->store), 0);
		assert_int_equal(journal_forget_put(w->j, w->store, id, number), 0);
		if (attempt) {
			assert_int_equal(store_commit(w->store, &d), 0);
			journal_saved(w->j);
		} else {
			store_rollback(w->store);
			journal_unsave(w->j);
		}
	}
	return number;
}

static void
check_rows(struct world *w, const uint64_t *gone, size_t gones)
{
	for (uint64_t n = 0; n < ROWS; n++) {
		bool is_gone = false;
		const struct journal_row *row = journal_get(w->j, n);

		for (size_t i = 0; i < gones; i++)
			is_gone |= gone[i] == n;
		assert_true((journal_find(w->j, world_mix(n)) == UINT64_MAX) == is_gone);
		assert_int_equal(row->bins, n % 2 ? BINS : 0);
		if (n % 2) {
			assert_true(journal_probs(w->j, n)[0] == (is_gone ? 0 : (double)n));
			assert_int_equal(journal_bins(w->j, n)[BINS - 1], is_gone ? 0 : n % 250 + 1);
		}
		if (is_gone) {
			assert_true(row->flags & JOURNAL_DONE && row->flags & JOURNAL_SEEN);
			assert_true(row->u.done.label == 0 && row->u.done.value == 0);
		} else if (n % 3 == 0) {
			assert_true(row->u.done.label == 7000.25 + (double)n);
		}
	}
}

static void
nothing_of_the_id_is_left(void **state)
{
	/* saved, with label and without; in a chunk that is not whole; not saved yet */
	static const uint64_t gone[] = { 3, 4, 300, SAVED - 1, SAVED + 1, ROWS - 1 };
	struct world w;
	struct journal_counts before, after;
	struct dump d;
	(void)state;

	world_begin(&w, 100000, 1000000);
	assert_int_equal(journal_set_probs(w.j, PROBS), 0);
	add_rows(&w, 0, SAVED);
	add_orphans(&w);
	world_commit(&w);
	add_rows(&w, SAVED, ROWS);
	journal_counts(w.j, &before);
	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
		assert_true(forget(&w, world_mix(gone[i]), i % 2) == gone[i]);
	assert_true(forget(&w, orphan_id(0), false) == UINT64_MAX); /* waits */
	assert_true(forget(&w, orphan_id(1), true) == UINT64_MAX);  /* was taken, its record is on disk */
	d = world_dump(&w);
	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
		assert_false(holds(&d, world_mix(gone[i])));
	assert_false(holds(&d, orphan_id(0)) || holds(&d, orphan_id(1)));
	assert_true(holds(&d, world_mix(5)) && holds(&d, orphan_id(2)));
	free(d.bytes);
	check_rows(&w, gone, sizeof gone / sizeof gone[0]);
	journal_counts(w.j, &after);
	assert_int_equal(after.orphans, before.orphans - 1);
	assert_int_equal(after.rows, before.rows);
	world_restart(&w);
	check_rows(&w, gone, sizeof gone / sizeof gone[0]);
	journal_counts(w.j, &before);
	assert_memory_equal(&before, &after, sizeof after);
	world_end(&w);
}

static void
blocks_with_forgotten_rows_leave_like_others(void **state)
{
	struct world w;
	struct journal_counts c;
	(void)state;

	world_begin(&w, 100000, 10);
	assert_int_equal(journal_set_probs(w.j, PROBS), 0);
	add_rows(&w, 0, ROWS);
	forget(&w, world_mix(4), false);
	journal_expire(w.j, 1000000);
	journal_counts(w.j, &c);
	assert_int_equal(c.rows, 0);
	assert_int_equal(c.expired, ROWS - (ROWS + 2) / 3 - 1);
	world_commit(&w);
	world_restart(&w);
	world_end(&w);
}

const struct CMUnitTest forget_tests[] = {
	TEST("forget/nothing_of_the_id_is_left", nothing_of_the_id_is_left),
	TEST("forget/blocks_with_forgotten_rows_leave_like_others", blocks_with_forgotten_rows_leave_like_others),
	TESTS_END,
};
