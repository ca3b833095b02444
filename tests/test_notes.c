/* test_notes.c -- what is noted of a run is in table `runs` with the commit that lands. */
#include <string.h>

#include "monitor/notes.h"
#include "tests/test_store.h"

static void
notes_come_with_the_commit_that_lands(void **state)
{
	struct scratch s;
	struct notes n = { .n = 0 };

	(void)state;
	scratch_open(&s);
	notes_add(&n, "merge_stall", "%s/%d gave nothing", "topic", 7);
	scratch_begin(&s);
	assert_int_equal(notes_put(&n, s.store), 0);
	store_rollback(s.store); /* that transaction never was */
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM runs"), 0);
	scratch_begin(&s);
	assert_int_equal(notes_put(&n, s.store), 0);
	scratch_commit(&s);
	notes_landed(&n);
	scratch_begin(&s);
	assert_int_equal(notes_put(&n, s.store), 0);
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM runs WHERE event = 'merge_stall'"
	                             " AND detail = 'topic/7 gave nothing' AND wall_ms > 0"), 1);
	scratch_close(&s);
}

static void
more_notes_than_there_is_room_for_are_counted(void **state)
{
	struct scratch s;
	struct notes n = { .n = 0 };

	(void)state;
	scratch_open(&s);
	for (int i = 0; i < NOTES_MAX + 5; i++)
		notes_add(&n, "state_reset", "test %d", i);
	scratch_begin(&s);
	assert_int_equal(notes_put(&n, s.store), 0);
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM runs WHERE event ="
	                             " 'state_reset'"), NOTES_MAX);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM runs WHERE event = 'left_out' AND"
	                             " detail LIKE '5 more%'"), 1);
	scratch_close(&s);
}

const struct CMUnitTest notes_tests[] = {
	TEST("notes/notes_come_with_the_commit_that_lands", notes_come_with_the_commit_that_lands),
	TEST("notes/more_notes_than_there_is_room_for_are_counted", more_notes_than_there_is_room_for_are_counted),
	TESTS_END,
};
