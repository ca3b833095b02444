/* test_store_views.c -- promises of the views, of retention and of the reports. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/report.h"
#include "tests/test_store.h"

enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };

/* cmocka's own compares floats. */
static void
near(double got, double expected, double tolerance)
{
	if (!(fabs(got - expected) <= tolerance))
		fail_msg("%.17g is not %.17g", got, expected);
}

void
store_every_view_column_is_documented(void **state)
{
	struct scratch s;
	sqlite3 *db;
	char text[512];

	(void)state;
	scratch_open(&s);
	db = store_handle(s.store);
	/* Every table, view and column has a sentence, and every sentence has its column. */
	assert_string_equal(
		scratch_text(db, "SELECT t.name || '.' || c.name FROM sqlite_schema t,"
		                 " pragma_table_xinfo(t.name) c WHERE t.type IN ('table', 'view')"
		                 " AND t.name NOT LIKE 'sqlite%' AND NOT EXISTS (SELECT 1 FROM"
		                 " documentation d WHERE d.name = t.name AND d.column = c.name)", text),
		"-");
	assert_string_equal(
		scratch_text(db, "SELECT name FROM sqlite_schema t WHERE type IN ('table', 'view')"
		                 " AND name NOT LIKE 'sqlite%' AND NOT EXISTS (SELECT 1 FROM"
		                 " documentation d WHERE d.name = t.name AND d.column = '')", text),
		"-");
	assert_true(scratch_int(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'view'") >= 25);
	assert_true(scratch_int(db, "SELECT count(*) FROM documentation WHERE name = 'drift_now'") >
	            15);
	/* Times are text and no view shows epoch numbers or ids of tables. */
	assert_string_equal(
		scratch_text(db, "SELECT t.name || '.' || c.name FROM sqlite_schema t,"
		                 " pragma_table_xinfo(t.name) c WHERE t.type = 'view' AND (c.name LIKE"
		                 " '%\\_ms' ESCAPE '\\' OR c.name IN ('stream_id', 'model_id'))", text),
		"-");
	/* Every view runs on an empty database. */
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'view'", -1, &q, NULL);
	while (sqlite3_step(q) == SQLITE_ROW) {
		char sql[100];

		snprintf(sql, sizeof sql, "SELECT count(*) FROM %s",
		         (const char *)sqlite3_column_text(q, 0));
		scratch_int(db, sql);
		snprintf(sql, sizeof sql, "SELECT * FROM %s", (const char *)sqlite3_column_text(q, 0));
		scratch_text(db, sql, text);
	}
	sqlite3_finalize(q);
	scratch_close(&s);
}

void
store_times_before_1970_print_correctly(void **state)
{
	struct scratch s;
	uint32_t stream;
	char text[512];
	double one = 1;

	(void)state;
	scratch_open(&s);
	stream = scratch_stream(&s, "feature", "a", "numeric");
	scratch_begin(&s);
	scratch_window(&s, stream, -1, 0, &one, 1);
	scratch_window(&s, stream, -2208988800000 + 7, 300000, &one, 1);
	scratch_window(&s, stream, 1767323045678, 300000, &one, 1);
	scratch_commit(&s);
	sqlite3 *db = store_handle(s.store);
	assert_string_equal(scratch_text(db, "SELECT group_concat(DISTINCT window) FROM"
	                                     " (SELECT window FROM statistics_long ORDER BY window)",
	                                 text),
	                    "1900-01-01T00:00:00.007Z,1969-12-31T23:59:59.999Z,"
	                    "2026-01-02T03:04:05.678Z");
	assert_string_equal(scratch_text(db, "SELECT group_concat(day) FROM (SELECT day FROM"
	                                     " drift_daily ORDER BY day)", text),
	                    "1900-01-01,1969-12-31,2026-01-02");
	scratch_close(&s);
}

void
store_coverage_limits_are_exact(void **state)
{
	struct scratch s;
	uint32_t stream;
	struct label_row row;

	(void)state;
	scratch_open(&s);
	stream = scratch_stream(&s, "labels", "", "labels");
	scratch_begin(&s);
	row = scratch_labels(stream, 0, HOUR, 100, 90);
	store_put_label_row(s.store, &row);
	row = scratch_labels(stream, HOUR, HOUR, 10, 10);
	store_put_label_row(s.store, &row);
	row = scratch_labels(stream, 2 * HOUR, HOUR, 10, 0);
	store_put_label_row(s.store, &row);
	scratch_commit(&s);
	sqlite3 *db = store_handle(s.store);
	/* From the binomial sums, by bisection. */
	near(scratch_real(db, "SELECT coverage_low FROM coverage_hourly WHERE n = 100"),
	                   .8237774022599689, 1e-12);
	near(scratch_real(db, "SELECT coverage_high FROM coverage_hourly WHERE n = 100"),
	                   .9509953107785137, 1e-12);
	near(scratch_real(db, "SELECT min(coverage_low) FROM coverage_hourly"), 0, 0);
	near(scratch_real(db, "SELECT max(coverage_high) FROM coverage_hourly"), 1, 0);
	near(scratch_real(db, "SELECT coverage_high FROM coverage_hourly"
	                                    " WHERE coverage = 0"), .30849710781876083, 1e-12);
	scratch_close(&s);
}

void
store_totals_come_from_sums_not_from_means(void **state)
{
	struct scratch s;
	uint32_t stream;
	struct label_row row;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	stream = scratch_stream(&s, "labels", "", "labels");
	scratch_begin(&s);
	for (int day = 0; day < 2; day++) {
		row = scratch_labels(stream, (int64_t)day * DAY, DAY, day ? 300 : 100, day ? 240 : 100);
		row.sq_error_sum = day ? 0 : 6400;
		row.probs_n = row.class_n = row.labelled;
		row.correct = day ? 150 : 60;
		row.ece_n[14] = (uint32_t)row.labelled;
		row.ece_correct[14] = (uint32_t)row.correct;
		row.ece_confidence[14] = day ? 140 : 90; /* gaps of opposite sign cancel in a bin */
		store_put_label_row(s.store, &row);
	}
	scratch_commit(&s);
	db = store_handle(s.store);
	near(scratch_real(db, "SELECT rmse FROM performance_total"), 4, 1e-14);
	near(scratch_real(db, "SELECT coverage FROM performance_total"), .85, 1e-14);
	near(scratch_real(db, "SELECT accuracy FROM performance_total"), .525, 1e-14);
	near(scratch_real(db, "SELECT ece15 FROM performance_total"), .05, 1e-14);
	near(scratch_real(db, "SELECT winkler FROM performance_total"), 3, 1e-14);
	near(scratch_real(db, "SELECT labelled_share FROM performance_total"), .5,
	                   1e-14);
	assert_int_equal(scratch_int(db, "SELECT n FROM performance_now"), 400);
	scratch_close(&s);
}

void
store_the_present_looks_back_a_thousand_labels(void **state)
{
	struct scratch s;
	uint32_t stream;
	struct label_row row;
	sqlite3 *db;
	char text[512];

	(void)state;
	scratch_open(&s);
	stream = scratch_stream(&s, "labels", "", "labels");
	scratch_begin(&s);
	for (int day = 0; day < 10; day++) {
		row = scratch_labels(stream, (int64_t)day * DAY, DAY, 400, day < 5 ? 100 : 360);
		store_put_label_row(s.store, &row);
	}
	scratch_commit(&s);
	db = store_handle(s.store);
	assert_int_equal(scratch_int(db, "SELECT n FROM coverage_now"), 1200);
	assert_string_equal(scratch_text(db, "SELECT since FROM coverage_now", text),
	                    "1970-01-08T00:00:00.000Z");
	near(scratch_real(db, "SELECT coverage FROM coverage_now"), .9, 1e-14);
	near(scratch_real(db, "SELECT coverage_low FROM coverage_now"), .8816168457656629, 1e-12);
	scratch_begin(&s); /* a late label of an old day changes nothing, one of a recent day does */
	row = scratch_labels(stream, 0, DAY, 401, 101);
	store_put_label_row(s.store, &row);
	row = scratch_labels(stream, 7ll * DAY, DAY, 401, 361);
	store_put_label_row(s.store, &row);
	scratch_commit(&s);
	assert_int_equal(scratch_int(db, "SELECT n FROM coverage_now"), 1201);
	assert_int_equal(scratch_int(db, "SELECT n FROM performance_now"), 1201);
	scratch_close(&s);
}

/* A model with an open alert, a void stream, offsets and a budget. */
static void
put_present(struct scratch *s)
{
	uint32_t stream = scratch_stream(s, "feature", "inc\x1b[31mome", "numeric");
	struct alert_row alert = { .alert_id = "abcd00000000000000000000000000ef",
		                   .episode_id = "e", .stream_id = stream, .kind = "drift",
		                   .severity = "warning", .promise = "certified", .state = "open",
		                   .opened_ms = 1000, .started_ms = -1, .updated_ms = 1000,
		                   .resolved_ms = INT64_MIN, .statistic = 1.5, .effect = .25,
		                   .effect_low = (double)NAN, .effect_high = (double)INFINITY,
		                   .text = "line one\nline \"two\"\t\x7f" };
	struct detector_row row = { .params = "{}", .promise = "certified", .share = .5,
		                    .statistic = .9, .spent = .25, .spent_apart = .5, .alarms = 1,
		                    .effect_unit = "sigma", .since_ms = INT64_MIN };
	struct offset_row offset = { "t", 0, 100, 99, 1, 130, 0 };

	scratch_begin(s);
	store_insert_alert(s->store, &alert);
	store_put_alert_event(s->store, alert.alert_id, 1, "opened", 1000, 1.5, .25, "x");
	memcpy(alert.alert_id, "abce", 4);
	alert.state = "resolved";
	store_insert_alert(s->store, &alert);
	row.detector_id = 8 * stream;
	store_detector_id(s->store, row.detector_id, stream, "tolerant", "paging");
	store_put_detector(s->store, &row);
	store_detector_id(s->store, ++row.detector_id, stream, "conformal", "evidence");
	row.promise = "void: dependent";
	row.spent = 0;
	row.spent_apart = 2;
	row.statistic = 3;
	row.alarms = 0;
	row.alarms_apart = 4;
	store_put_detector(s->store, &row);
	store_put_offset(s->store, &offset);
	offset.partition = 1;
	offset.end_offset = -1;
	store_put_offset(s->store, &offset);
	store_put_gap(s->store, "t", 1, 10, 15, "retention", 5);
	store_put_meta(s->store, "budget_alarms", "2");
	store_put_meta_i64(s->store, "budget_period_ms", 7ll * DAY);
	store_put_meta_i64(s->store, "first_watermark_ms", -7ll * DAY);
	store_put_meta_i64(s->store, "watermark_ms", 7ll * DAY);
	store_put_counter(s->store, 1, "records", 12000);
	store_put_counter(s->store, 2, "records", 345);
	store_put_counter(s->store, 0, "rejected_json_syntax", 6);
	store_put_counter(s->store, 0, "rejected_missing_model", 1);
	store_put_counter(s->store, 1, "waiting", 3);
	store_put_counter(s->store, 1, "expired", 4);
	scratch_commit(s);
}

void
store_budget_and_lag_say_what_was_put(void **state)
{
	struct scratch s;
	sqlite3 *db;
	char text[512];

	(void)state;
	scratch_open(&s);
	put_present(&s);
	db = store_handle(s.store);
	assert_string_equal(scratch_text(db, "SELECT printf('%g %g %g %g %d %g %d %g %d', promised,"
	                                     " period_days, allowance, spent, alarms, provisional,"
	                                     " provisional_alarms, void, void_alarms) FROM budget",
	                                 text), "2 7 4 0.25 1 0.5 0 2 4");
	assert_string_equal(scratch_text(db, "SELECT group_concat(ifnull(lag, 'unknown') || ' ' || lost)"
	                                     " FROM lag", text), "30 0,unknown 5");
	assert_string_equal(scratch_text(db, "SELECT group_concat(method || ' ' || promise || ' ' || why)"
	                                     " FROM drift_now", text),
	                    "conformal void dependent,tolerant certified ");
	assert_int_equal(scratch_int(db, "SELECT never_arrived FROM joins"), 7);
	scratch_close(&s);
}

static char *
report(struct scratch *s, const struct alert_query *query, bool json, int expected)
{
	struct diag d = { "" };
	sqlite3 *db;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int err = store_open_reader(&db, s->path, &d);

	assert_int_equal(err, 0);
	err = query ? report_alerts(db, out, query, json, &d) : report_status(db, out, json, &d);
	fclose(out);
	if (err != expected)
		fail_msg("%d: %s", err, d.text);
	sqlite3_close(db);
	return text;
}

void
store_reports_print_text_and_json(void **state)
{
	static const struct {
		struct alert_query query;
		int err;
		const char *text, *path, *value; /* in the text; in the JSON */
	} cases[] = {
		{ { false, false, NULL }, 0, "abcd0000", "$[0].severity", "warning" },
		{ { true, true, NULL }, 0, "resolved", "$[1].state", "resolved" },
		{ { false, false, "ABCD" }, 0, "line one\n", "$.events[0].event", "opened" },
		{ { false, false, "abc" }, ERR_INVALID, NULL, NULL, NULL },
		{ { false, false, "ff" }, ERR_MISSING, NULL, NULL, NULL },
		{ { false, false, "no" }, ERR_INVALID, NULL, NULL, NULL },
	};
	struct scratch s;
	char got[512], *text;

	(void)state;
	scratch_open(&s);
	free(report(&s, NULL, false, 0)); /* an empty database has reports as well */
	put_present(&s);
	text = report(&s, NULL, false, 0);
	assert_non_null(strstr(text, "12345"));
	assert_non_null(strstr(text, "dependent"));
	free(text);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		text = report(&s, &cases[i].query, false, cases[i].err);
		if (cases[i].text)
			assert_non_null(strstr(text, cases[i].text));
		free(text);
		text = report(&s, &cases[i].query, true, cases[i].err);
		if (cases[i].path) {
			char *quoted = sqlite3_mprintf("SELECT json_extract(%Q, %Q)", text, cases[i].path);

			assert_string_equal(scratch_text(store_handle(s.store), quoted, got),
			                    cases[i].value);
			sqlite3_free(quoted);
		}
		free(text);
	}
	text = report(&s, NULL, true, 0);
	char *quoted = sqlite3_mprintf("SELECT json_extract(%Q, '$.budget.allowance')", text);
	near(scratch_real(store_handle(s.store), quoted), 4, 0);
	sqlite3_free(quoted);
	quoted = sqlite3_mprintf("SELECT json_extract(%Q, '$.summary.rejected')", text);
	assert_int_equal(scratch_int(store_handle(s.store), quoted), 7);
	sqlite3_free(quoted);
	free(text);
	scratch_close(&s);
}

void
store_reports_cannot_drive_a_terminal(void **state)
{
	static const struct alert_query one = { false, false, "abcd" };
	struct scratch s;
	char *text;

	(void)state;
	scratch_open(&s);
	put_present(&s);
	for (int i = 0; i < 4; i++) {
		text = report(&s, i / 2 ? &one : NULL, i % 2, 0);
		assert_null(strchr(text, 0x1b));
		assert_null(strchr(text, 0x7f));
		free(text);
	}
	scratch_close(&s);
}
