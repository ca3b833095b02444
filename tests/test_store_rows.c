/* test_store_rows.c -- promises about what is put and read, and about others who use the file. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include "config/limits.h"
#include "tests/test_store.h"

void
store_a_damaged_file_is_refused_after_an_unclean_stop(void **state)
{
	struct scratch s;
	struct store *store;
	struct diag d;
	sqlite3 *db;
	char junk[3000];
	int64_t root;
	FILE *f;

	(void)state;
	scratch_open(&s);
	root = scratch_int(store_handle(s.store),
	                   "SELECT rootpage FROM sqlite_schema WHERE name = 'streams'");
	scratch_again(&s);
	store_close(s.store);
	s.store = NULL;
	memset(junk, 0x5a, sizeof junk);
	f = fopen(s.path, "r+b");
	fseek(f, (root - 1) * 4096, SEEK_SET);
	fwrite(junk, 1, sizeof junk, f);
	fclose(f);
	char lock[400];
	snprintf(lock, sizeof lock, "%s.lock", s.path);
	f = fopen(lock, "w"); /* as a killed process leaves it */
	fputs("1\n", f);
	fclose(f);
	assert_int_equal(store_open(&store, s.path, STORE_DAEMON, NULL, &d), ERR_CORRUPT);
	assert_non_null(strstr(d.text, "recover"));
	assert_int_equal(store_open(&store, s.path, STORE_DAEMON, NULL, &d), ERR_CORRUPT);
	if (!store_open_reader(&db, s.path, &d))
		sqlite3_close(db);
	scratch_close(&s);
}

void
store_a_moved_database_is_noticed(void **state)
{
	struct scratch s;
	struct diag d;
	char other[400], wal[400];

	(void)state;
	scratch_open(&s);
	snprintf(other, sizeof other, "%s/other.db", s.directory);
	snprintf(wal, sizeof wal, "%s-wal", s.path);
	assert_int_equal(store_check_moved(s.store, &d), 0);
	assert_int_equal(rename(s.path, other), 0);
	assert_int_equal(store_check_moved(s.store, &d), ERR_IO);
	assert_non_null(strstr(d.text, "t.db was moved"));
	assert_int_equal(rename(other, s.path), 0);
	assert_int_equal(store_check_moved(s.store, &d), 0);
	assert_int_equal(unlink(wal), 0);
	assert_int_equal(store_check_moved(s.store, &d), ERR_IO);
	assert_non_null(strstr(d.text, "t.db-wal"));
	scratch_close(&s);
}

void
store_a_reader_never_blocks_the_writer(void **state)
{
	struct scratch s;
	struct diag d;
	sqlite3 *reader;

	(void)state;
	scratch_open(&s);
	assert_int_equal(store_open_reader(&reader, s.path, &d), 0);
	assert_int_equal(sqlite3_exec(reader, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(scratch_int(reader, "SELECT count(*) FROM runs"), 0);
	for (int i = 0; i < 5; i++) {
		scratch_begin(&s);
		store_put_run(s.store, "start", "x", i);
		assert_int_equal(scratch_int(reader, "SELECT count(*) FROM runs"), 0);
		scratch_commit(&s);
	}
	assert_int_equal(scratch_int(reader, "SELECT count(*) FROM runs"), 0); /* its snapshot */
	sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL);
	assert_int_equal(scratch_int(reader, "SELECT count(*) FROM runs"), 5);
	assert_int_not_equal(sqlite3_exec(reader, "DELETE FROM runs", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(reader);
	scratch_close(&s);
}

void
store_a_foreign_write_lock_is_busy_and_nothing_is_lost(void **state)
{
	struct scratch s;
	struct diag d;
	sqlite3 *other;

	(void)state;
	scratch_open(&s);
	sqlite3_busy_timeout(store_handle(s.store), 10);
	assert_int_equal(sqlite3_open(s.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_begin(s.store, &d), ERR_BUSY);
	assert_non_null(strstr(d.text, "write lock"));
	sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(other);
	scratch_begin(&s);
	store_put_run(s.store, "start", NULL, 1);
	scratch_commit(&s);
	scratch_close(&s);
}

static struct alert_row
alert(const char *id, uint32_t stream)
{
	struct alert_row row = {
		.stream_id = stream, .kind = "drift", .severity = "warning", .promise = "certified",
		.method = "tolerant", .state = "open", .opened_ms = 1000, .started_ms = -5,
		.updated_ms = 1000, .resolved_ms = INT64_MIN, .statistic = 1.25, .effect = .5,
		.effect_low = .25, .effect_high = (double)NAN, .effect_unit = "sigma", .topic = "t",
	};

	snprintf(row.alert_id, sizeof row.alert_id, "%s", id);
	snprintf(row.episode_id, sizeof row.episode_id, "%s", id);
	return row;
}

void
store_an_alert_inserted_twice_is_an_error(void **state)
{
	struct scratch s;
	struct diag d;
	struct alert_row row;

	(void)state;
	scratch_open(&s);
	row = alert("0123456789abcdef0123456789abcdef", scratch_stream(&s, "feature", "a", "numeric"));
	scratch_begin(&s);
	assert_int_equal(store_insert_alert(s.store, &row), 0);
	store_put_alert_event(s.store, row.alert_id, 1, "opened", 1000, 1.25, .5, "");
	store_put_outbox(s.store, row.alert_id, "opened", "{}", false);
	scratch_commit(&s);
	scratch_begin(&s);
	store_put_run(s.store, "start", "", 1);
	assert_int_equal(store_insert_alert(s.store, &row), ERR_INVALID);
	assert_int_equal(store_put_run(s.store, "start", "", 2), ERR_INVALID); /* poisoned */
	assert_int_equal(store_commit(s.store, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "alerts.alert_id"));
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM runs"), 0);
	scratch_begin(&s);
	row.state = "resolved";
	row.resolved_by = "evidence";
	row.resolved_ms = 5000;
	assert_int_equal(store_update_alert(s.store, &row), 0);
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM alerts_open"), 0);
	row = alert("00000000000000000000000000000000", 1);
	scratch_begin(&s);
	assert_int_equal(store_update_alert(s.store, &row), ERR_INVALID);
	store_rollback(s.store);
	scratch_close(&s);
}

void
store_ids_survive_a_rollback(void **state)
{
	struct scratch s;
	uint32_t outside, inside;

	(void)state;
	scratch_open(&s);
	outside = scratch_stream(&s, "feature", "a", "numeric"); /* no transaction is open */
	scratch_begin(&s);
	inside = scratch_stream(&s, "feature", "b", "numeric");
	store_detector_id(s.store, 8 * inside, inside, "tolerant", "paging");
	store_rollback(s.store);
	assert_int_equal(scratch_stream(&s, "feature", "b", "numeric"), inside);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM streams"), 0);
	scratch_begin(&s);
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM streams"), 2);
	scratch_again(&s);
	assert_int_equal(scratch_stream(&s, "feature", "a", "numeric"), outside);
	assert_int_equal(scratch_stream(&s, "feature", "b", "numeric"), inside);
	scratch_begin(&s);
	store_detector_id(s.store, 8 * inside, inside, "tolerant", "paging");
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM detectors"), 1);
	assert_int_equal(scratch_stream(&s, "feature", "c", "numeric"), inside + 1);
	scratch_close(&s);
}

static int
visit_stream(void *ctx, const struct stream_row *row)
{
	int *seen = ctx;

	assert_int_equal(row->key.field_length, 3);
	assert_memory_equal(row->key.field, *seen ? "a\0c" : "a\0b", 3);
	assert_string_equal(row->type, "numeric");
	return ++*seen == 5;
}

void
store_names_may_hold_nuls(void **state)
{
	struct scratch s;
	struct stream_key key = { .segment = "", .kind = "feature", .field = "a\0b",
		                  .field_length = 3, .version = "" };
	uint32_t first, second, model;
	int seen = 0;

	(void)state;
	scratch_open(&s);
	scratch_begin(&s);
	store_model_id(s.store, "m\0x", 3, 0, &key.model_id);
	store_model_id(s.store, "m", 1, 0, &model);
	assert_int_not_equal(model, key.model_id);
	store_stream_id(s.store, &key, "numeric", 5, &first);
	key.field = "a\0c";
	store_stream_id(s.store, &key, "numeric", 5, &second);
	assert_int_not_equal(first, second);
	scratch_commit(&s);
	scratch_again(&s);
	assert_int_equal(store_each_stream(s.store, key.model_id, visit_stream, &seen), 0);
	assert_int_equal(seen, 2);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(DISTINCT name) FROM streams"),
	                 2);
	scratch_close(&s);
}

static int
visit_chunk(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	uint32_t *seen = ctx;

	assert_int_equal(part * 2 + chunk, *seen);
	assert_int_equal(length, 4);
	assert_int_equal(blob[0], (*seen)++);
	return 0;
}

static int
visit_offset(void *ctx, const struct offset_row *row)
{
	struct offset_row *out = ctx;

	*out = *row;
	out->topic = NULL;
	return 0;
}

static int
visit_counter(void *ctx, uint32_t model_id, const char *name, uint64_t n)
{
	assert_int_equal(model_id, 3);
	assert_string_equal(name, "late");
	*(uint64_t *)ctx = n;
	return 7;
}

void
store_what_was_put_is_read_back(void **state)
{
	struct scratch s;
	struct offset_row offset = { "topic", 3, 1ll << 60, -1, UINT64_MAX, -1, 2 };
	struct label_row row = { .window_ms = -300000, .width_ms = 300000, .stream_id = 4,
		                 .predictions = 9, .labelled = 5, .probs_n = 5,
		                 .nll_sum = 0x1.23456789abcdep-3, .ece_n = { 1, 0, 4 },
		                 .ece_correct = { 1, 0, 2 }, .ece_confidence = { .1, 0, 1. / 3 } };
	struct label_row read;
	struct diag d;
	uint32_t seen = 0;
	uint64_t n = 0;
	char text[64];

	(void)state;
	scratch_open(&s);
	scratch_begin(&s);
	store_put_offset(s.store, &offset);
	store_put_gap(s.store, "topic", 3, 5, 9, "retention", 1);
	store_put_meta(s.store, "a", "b");
	store_put_meta_i64(s.store, "i", INT64_MIN);
	store_put_counter(s.store, 3, "late", 1);
	store_put_counter(s.store, 3, "late", 1ull << 40);
	store_put_label_row(s.store, &row);
	for (uint8_t i = 4; i-- > 0;)
		store_put_chunk(s.store, "journal", 1, i / 2, i % 2, (uint8_t[4]){ i }, 4);
	store_put_chunk(s.store, "journal", 2, 0, 0, "other", 5);
	assert_true(store_bytes_put(s.store) > 100);
	scratch_commit(&s);
	scratch_again(&s);
	memset(&offset, 0, sizeof offset);
	assert_int_equal(store_each_offset(s.store, visit_offset, &offset), 0);
	assert_true(offset.anchor_hash == UINT64_MAX && offset.next_offset == 1ll << 60);
	assert_int_equal(store_get_meta(s.store, "i", text, sizeof text), 0);
	assert_string_equal(text, "-9223372036854775808");
	assert_int_equal(store_get_meta(s.store, "none", text, sizeof text), ERR_MISSING);
	assert_int_equal(store_each_counter(s.store, visit_counter, &n), 7); /* a visit may stop */
	assert_true(n == 1ull << 40);
	assert_int_equal(store_get_label_row(s.store, -300000, 300000, 4, &read), 0);
	assert_memory_equal(&read, &row, sizeof row);
	assert_int_equal(store_get_label_row(s.store, 0, 300000, 4, &read), ERR_MISSING);
	assert_int_equal(store_each_chunk(s.store, "journal", 1, visit_chunk, &seen, &d), 0);
	assert_int_equal(seen, 4);
	scratch_begin(&s);
	store_delete_part(s.store, "journal", 1, 0);
	store_delete_state(s.store, "detector", 1);
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM chunks"), 3);
	scratch_close(&s);
}

static int
count_active(void *ctx, const struct ref_row *row)
{
	uint32_t *active = ctx;

	*active = row->active ? *active * 10 + row->ref_id : *active;
	return 0;
}

void
store_one_reference_is_active(void **state)
{
	struct scratch s;
	struct ref_row first = { .model_id = 1, .version = "7", .source = "first", .from_ms = -1,
		                 .to_ms = INT64_MIN, .rate_per_s = (double)NAN, .active = true };
	struct ref_row second = first, other = first;
	uint32_t active = 0;

	(void)state;
	scratch_open(&s);
	other.version = "8";
	scratch_begin(&s);
	store_put_ref(s.store, &first);
	store_put_ref(s.store, &other);
	store_put_ref(s.store, &second);
	scratch_commit(&s);
	scratch_begin(&s);
	second.rows = 10;
	store_put_ref(s.store, &second);
	scratch_commit(&s);
	assert_int_equal(store_each_ref(s.store, 1, count_active, &active), 0);
	assert_int_equal(active, other.ref_id * 10 + second.ref_id);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT sum(rows) FROM refs"), 10);
	scratch_close(&s);
}

void
store_rejected_rows_are_bounded(void **state)
{
	struct scratch s;
	char text[512];

	(void)state;
	scratch_open(&s);
	scratch_begin(&s);
	for (uint64_t n = 0; n < LIMIT_REJECTED_ROWS + 10; n++)
		store_put_rejected(s.store, n, "t", 0, (int64_t)n, "json", "no object", "{\xff", 2);
	store_put_rejected(s.store, 5, "t", 0, 5, "json", NULL, "{\"a\":\xc3\xa9", 7);
	scratch_commit(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM rejected"),
	                 LIMIT_REJECTED_ROWS);
	assert_string_equal(scratch_text(store_handle(s.store),
	                                 "SELECT typeof(sample) FROM rejected WHERE slot = 5", text),
	                    "text");
	assert_string_equal(scratch_text(store_handle(s.store),
	                                 "SELECT typeof(sample) FROM rejected WHERE slot = 6", text),
	                    "blob");
	scratch_close(&s);
}

static int
visit_command(void *ctx, const struct command_row *row)
{
	*(int64_t *)ctx = row->command_id;
	assert_string_equal(row->command, "ack");
	assert_string_equal(row->target, "0123");
	assert_string_equal(row->arguments, "{\"by\":\"me\"}");
	return 0;
}

void
store_commands_wait_until_they_are_done(void **state)
{
	struct scratch s;
	struct diag d;
	int64_t id = 0;

	(void)state;
	scratch_open(&s);
	assert_int_equal(store_insert_command(s.path, "ack", "0123", "{\"by\":\"me\"}", 5, NULL, &d), 0);
	assert_int_equal(store_each_command(s.store, visit_command, &id), 0);
	assert_int_not_equal(id, 0);
	scratch_begin(&s);
	store_finish_command(s.store, id, "done", 6);
	scratch_commit(&s);
	id = 0;
	assert_int_equal(store_each_command(s.store, visit_command, &id), 0);
	assert_int_equal(id, 0);
	scratch_close(&s);
}
