/* test_store.h -- what the tests of the database share: a directory of its own, one store in it. */
#ifndef TESTS_TEST_STORE_H
#define TESTS_TEST_STORE_H

#include <stdint.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "storage/store.h"
#include "tests/tests.h"

struct scratch {
	char directory[256];
	char path[300]; /* of the database */
	struct store *store;
};

/* A new directory under TMPDIR and a database with a known key in it. */
void scratch_open(struct scratch *s);
/* Closes and opens again. */
void scratch_again(struct scratch *s);
void scratch_close(struct scratch *s);
void scratch_begin(struct scratch *s);
void scratch_commit(struct scratch *s);
/* First column of the first row. */
int64_t scratch_int(sqlite3 *db, const char *sql);
double scratch_real(sqlite3 *db, const char *sql);
/* As text in `text`, which is returned; "NULL" for NULL, "-" for no row. */
const char *scratch_text(sqlite3 *db, const char *sql, char text[512]);
/* All tables but meta as one hash, by content. */
uint64_t scratch_hash(sqlite3 *db);

/* A row of statistics over x[0..n), with a histogram of three cells. */
void scratch_window(struct scratch *s, uint32_t stream, int64_t window_ms, int64_t width_ms,
                    const double *x, uint64_t n);
/* n labels with intervals, `covered` of them inside, the others below. */
struct label_row scratch_labels(uint32_t stream, int64_t window_ms, int64_t width_ms, uint64_t n,
                                uint64_t covered);
uint32_t scratch_stream(struct scratch *s, const char *kind, const char *field, const char *type);

/* clang-format off */
#define STORE_ROW_TESTS(X) \
	X(a_damaged_file_is_refused_after_an_unclean_stop) \
	X(a_moved_database_is_noticed) \
	X(a_reader_never_blocks_the_writer) \
	X(a_foreign_write_lock_is_busy_and_nothing_is_lost) \
	X(an_alert_inserted_twice_is_an_error) \
	X(ids_survive_a_rollback) \
	X(names_may_hold_nuls) \
	X(what_was_put_is_read_back) \
	X(one_reference_is_active) \
	X(rejected_rows_are_bounded) \
	X(commands_wait_until_they_are_done)
#define STORE_VIEW_TESTS(X) \
	X(every_view_column_is_documented) \
	X(times_before_1970_print_correctly) \
	X(coverage_limits_are_exact) \
	X(totals_come_from_sums_not_from_means) \
	X(the_present_looks_back_a_thousand_labels) \
	X(budget_and_lag_say_what_was_put) \
	X(reports_print_text_and_json) \
	X(reports_cannot_drive_a_terminal)
#define STORE_RETAIN_TESTS(X) \
	X(any_retention_cadence_gives_the_same_tables) \
	X(a_rollup_is_exactly_additive) \
	X(a_rollup_leaves_wider_windows_alone) \
	X(labels_that_may_still_come_keep_their_row)
/* clang-format on */

#define STORE_TEST_DECLARE(name) void store_##name(void **state);
STORE_ROW_TESTS(STORE_TEST_DECLARE)
STORE_VIEW_TESTS(STORE_TEST_DECLARE)
STORE_RETAIN_TESTS(STORE_TEST_DECLARE)

#endif
