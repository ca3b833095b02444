/* test_silence.c -- the alarm on silence: after how long, once, and over with the next record. The clock is the
 * test's own. */
#include <stdio.h>

#include "config/config.h"
#include "monitor/pipeline.h"
#include "monitor/stream/silence.h"
#include "tests/history.h"
#include "tests/test_config.h"

extern const struct CMUnitTest silence_tests[];

#define MINUTE 60000LL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Every minute from 8 to 18 o'clock, five days a week. */
static int64_t
office_hours(struct silence *s, int from_day, int to_day)
{
	int64_t last = 0;

	for (int day = from_day; day < to_day; day++)
		for (int minute = 0; minute < 600 && day % 7 < 5; minute++)
			silence_arrival(s, last = day * DAY + 8 * HOUR + minute * MINUTE);
	return last;
}

static void
nights_and_weekends_are_no_silence(void **state)
{
	struct silence s;

	(void)state;
	silence_init(&s);
	office_hours(&s, 0, 7);
	assert_true(silence_allowed(&s, NO_DATA_AUTO) == INT64_MAX); /* no weekend yet */
	office_hours(&s, 7, 9);
	assert_true(silence_allowed(&s, NO_DATA_AUTO) == 3 * (2 * DAY + 14 * HOUR + MINUTE));
	assert_true(silence_allowed(&s, 0) == INT64_MAX);
	assert_true(silence_allowed(&s, HOUR) == HOUR);
}

static void
one_outage_is_not_usual(void **state)
{
	struct silence s;
	int64_t at = 0;

	(void)state;
	silence_init(&s);
	for (int i = 0; i < 20000; i++)
		silence_arrival(&s, at += 5 * MINUTE);
	assert_true(silence_allowed(&s, NO_DATA_AUTO) == 15 * MINUTE);
	silence_arrival(&s, at += 9 * DAY);
	assert_true(silence_allowed(&s, NO_DATA_AUTO) == 45 * MINUTE);
	for (int i = 0; i < 12000; i++) /* forgotten after two periods */
		silence_arrival(&s, at += 5 * MINUTE);
	assert_true(silence_allowed(&s, NO_DATA_AUTO) == 15 * MINUTE);
	silence_arrival(&s, INT64_MIN);
	silence_arrival(&s, at - HOUR);
	assert_true(silence_allowed(&s, NO_DATA_AUTO) == 15 * MINUTE);
}

enum { RECORDS = 200, HALF = 100 };

static void
open_history(struct history *w)
{
	history_open(w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nno_data: 30m\nmodels: auto\n");
	for (int i = 0; i < RECORDS; i++)
		fprintf(w->records, "{\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%d}}\n", 1700000000000LL + i * MINUTE,
		        i % 7);
	history_written(w);
}

static int64_t
alerts(const struct history *w, const char *state)
{
	char sql[120];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM alerts WHERE kind = 'no_data' AND state = '%s'", state);
	return history_count(w, sql);
}

static void
silence_opens_once_and_the_next_record_ends_it(void **state)
{
	struct history w;
	struct running r;
	char text[900];

	(void)state;
	open_history(&w);
	history_start(&r, &w, true);
	history_step(&r, HALF);
	pipeline_silence(r.pipeline, 5 * HOUR, true, false);
	pipeline_silence(r.pipeline, 5 * HOUR + 29 * MINUTE, true, false);
	pipeline_silence(r.pipeline, 5 * HOUR + 31 * MINUTE, false, false); /* something is not read yet */
	history_commit(&r);
	assert_int_equal(alerts(&w, "open"), 0);
	pipeline_silence(r.pipeline, 5 * HOUR + 32 * MINUTE, true, false);
	history_drop(&r); /* before it was written */
	history_start(&r, &w, false);
	pipeline_silence(r.pipeline, 0, true, false);
	pipeline_silence(r.pipeline, HOUR, true, false);
	history_commit(&r);
	assert_int_equal(alerts(&w, "open"), 1);
	history_drop(&r);
	history_start(&r, &w, false);
	pipeline_silence(r.pipeline, 0, true, false);
	pipeline_silence(r.pipeline, 9 * HOUR, true, false);
	history_commit(&r);
	assert_int_equal(alerts(&w, "open"), 1);
	assert_int_equal(history_count(&w, "SELECT offset FROM alerts"), HALF - 1);
	assert_string_equal(history_text(&w, "SELECT substr(text, 1, instr(text, char(10)) - 1) FROM alerts", text,
	                                 sizeof text),
	                    "what:  no records of m for 30 minutes (no_data, outside the budget)");
	history_end(&r);
	history_drop(&r);
	assert_int_equal(alerts(&w, "open"), 0);
	assert_int_equal(alerts(&w, "resolved"), 1);
	assert_string_equal(history_text(&w, "SELECT group_concat(json_extract(body, '$.id') || ' ' || event || ' ' ||"
	                                 " json_extract(body, '$.model'), ', ') FROM outbox JOIN alerts USING (alert_id)"
	                                 " WHERE json_extract(body, '$.id') = alert_id || '-1'", text, sizeof text) + 33,
	                    "1 open m");
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT json_extract(body, '$.id')) FROM outbox"), 2);
	history_close(&w);
}

static void
a_broker_that_is_away_is_no_silence(void **state)
{
	struct history w;
	struct running r;

	(void)state;
	open_history(&w);
	history_start(&r, &w, true);
	history_step(&r, HALF);
	pipeline_silence(r.pipeline, 0, true, false);
	pipeline_silence(r.pipeline, 2 * HOUR, true, true);
	pipeline_silence(r.pipeline, 3 * HOUR, true, false); /* back: the clock begins */
	pipeline_silence(r.pipeline, 3 * HOUR + 29 * MINUTE, true, false);
	history_end(&r);
	history_drop(&r);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 0);
	history_close(&w);
}

const struct CMUnitTest silence_tests[] = {
	TEST("silence/nights_and_weekends_are_no_silence", nights_and_weekends_are_no_silence),
	TEST("silence/one_outage_is_not_usual", one_outage_is_not_usual),
	TEST("silence/opens_once_and_the_next_record_ends_it", silence_opens_once_and_the_next_record_ends_it),
	TEST("silence/a_broker_that_is_away_is_no_silence", a_broker_that_is_away_is_no_silence),
	TESTS_END,
};
