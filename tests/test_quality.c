/* test_quality.c -- faults of records as streams: silent where nothing happens, told as a person would where it
 * does, and the same whatever is committed when. */
#include <stdio.h>
#include <string.h>

#include "tests/history.h"
#include "tests/test_config.h"

extern const struct CMUnitTest quality_tests[];

enum { RECORDS = 12000, STEP_MS = 150000, CHANGE = 9000, LATE_MS = 6 * 3600000 };
enum fault { FAULT_NONE, FAULT_TYPE, FAULT_CLASSES, FAULT_LATE, FAULT_TWICE };

#define MODEL "id_hash_key: 000102030405060708090a0b0c0d0e0f\nalerts: {budget: 0.02 per day}\nmodels:\n  - name: m\n    reference: {records: 4000, span: 8d}\n"

static void
write_one(struct history *w, int i, enum fault fault, bool hit, uint64_t *seed)
{
	long long ts = 1700000000000LL + (long long)i * STEP_MS - (fault == FAULT_LATE && hit ? LATE_MS : 0);
	double p = history_uniform(seed);
	char age[40];

	snprintf(age, sizeof age, fault == FAULT_TYPE && hit ? "\"%.3f\"" : "%.3f", 40 + history_normal(seed));
	for (int k = 0; k < (fault == FAULT_TWICE && hit ? 2 : 1); k++)
		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"features\":{\"age\":%s,\"city\":\"%s\"},"
		        "\"prediction\":{\"probs\":[%.4f,%.4f%s]}}\n", i, ts, age, history_uniform(seed) < 0.4 ? "a" : "b",
		        p, 1 - p, fault == FAULT_CLASSES && hit ? ",0" : "");
}

/* Half a percent of the records have the fault all along, `after` from CHANGE on. */
static void
write_records(struct history *w, enum fault fault, double after)
{
	uint64_t seed = 7;

	for (int i = 0; i < RECORDS; i++)
		write_one(w, i, fault, history_uniform(&seed) < (i < CHANGE ? 0.005 : after), &seed);
}

static void
opens(enum fault fault, double after, const char *expected)
{
	struct history w;
	char text[1200];

	history_open(&w, "models: auto\n");
	write_records(&w, fault, after);
	history_replay(&w, MODEL);
	if (strcmp(history_text(&w, "SELECT coalesce(group_concat(name || ' ' || a.kind || ' ' || promise), '') FROM alerts a"
	                        " JOIN streams USING (stream_id)", text, sizeof text), expected))
		fail_msg("%s\n%s", text, history_text(&w, "SELECT group_concat(text, char(10)) FROM alerts", text, sizeof text));
	if (*expected) {
		assert_true(history_count(&w, "SELECT offset FROM alerts") > CHANGE);
		assert_true(history_count(&w, "SELECT offset FROM alerts") < CHANGE + 400);
	}
	history_close(&w);
}

static void
faults_that_stay_as_rare_are_silent(void **state)
{
	(void)state;
	opens(FAULT_NONE, 0.005, "");
	opens(FAULT_TYPE, 0.005, "");
	opens(FAULT_CLASSES, 0.005, "");
	opens(FAULT_LATE, 0.005, "");
	opens(FAULT_TWICE, 0.005, "");
}

/* Values that never change have a share of 1, and missing ones, too: nothing to bet on. */
static void
what_is_always_the_same_is_silent(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	for (int i = 0; i < 60000; i++)
		fprintf(w.records, "{\"ts\":%lld,\"model\":\"m\",\"features\":{\"city\":\"a\",\"age\":%s}}\n",
		        1700000000000LL + (long long)i * STEP_MS, i < 10 ? "1" : "null");
	history_replay(&w, "alerts: {budget: 1 per day}\nmodels:\n  - name: m\n    reference: {records: 4000, span: 8d}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 0);
	history_close(&w);
}

static void
predictions_told_twice_open_an_alert(void **state)
{
	(void)state;
	opens(FAULT_TWICE, 0.12, "quality:duplicates quality certified");
}

static void
records_that_come_late_open_an_alert(void **state)
{
	(void)state;
	opens(FAULT_LATE, 0.12, "quality:late quality certified");
}

static void
another_number_of_classes_opens_an_alert(void **state)
{
	(void)state;
	opens(FAULT_CLASSES, 0.12, "quality:class_count quality certified");
}

static void
an_alert_on_type_errors_names_the_field(void **state)
{
	struct history w;
	char text[2600];

	(void)state;
	history_open(&w, "models: auto\n");
	write_records(&w, FAULT_TYPE, 0.12);
	history_replay(&w, MODEL);
	history_text(&w, "SELECT text FROM alerts JOIN streams USING (stream_id) WHERE name = 'quality:type_errors'", text,
	             sizeof text);
	if (!strstr(text, "m type errors of `age` rose (quality, tolerant-categorical") ||
	    (!strstr(text, "size:  0.5") && !strstr(text, "size:  0.4") && !strstr(text, "size:  0.6")) ||
	    !strstr(text, " % -> "))
		fail_msg("%s", text);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE kind <> 'quality'"), 0);
	assert_true(history_real(&w, "SELECT effect_low FROM alerts JOIN streams USING (stream_id) WHERE name = "
	                         "'quality:type_errors'") > 0.01);
	history_close(&w);
}

static void
any_crash_history_gives_the_same_faults(void **state)
{
	struct history w;
	static struct tables expected;

	(void)state;
	history_open(&w, MODEL);
	write_records(&w, FAULT_TYPE, 0.12);
	history_written(&w);
	history_run(&w, 1, 997, 0, 0);
	history_tables(&w, &expected);
	history_run(&w, 5, 331, 30, 15);
	history_same(&w, &expected, 5);
	history_close(&w);
}

/* A field that begins with null, one that comes in the middle of a window, one of the prediction. */
static void
values_missing_before_the_first_are_counted(void **state)
{
	static struct tables expected;
	struct history w;
	char text[300];

	(void)state;
	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels:\n  - name: m\n"
	                 "    windows: {records: 50}\n    segments: {keys: [site], features: true}\n"
	                 "    segments_max: 2\n");
	for (int i = 0; i < 3000; i++)
		fprintf(w.records, "{\"id\":\"r%d\",\"ts\":%lld,\"segment\":{\"site\":\"%s\"},\"features\":{%s%s},"
		        "\"prediction\":{\"class\":\"a\"%s}}\n", i, 1700000000000LL + i * 60000LL, i % 2 ? "n" : "s",
		        i < 3 ? "\"x\":null" : i < 5 ? "\"y\":1" : "\"x\":2,\"y\":1",
		        i >= 60 ? ",\"city\":\"b\"" : "", i >= 20 ? ",\"score\":0.5" : "");
	history_written(&w);
	history_run(&w, 1, 997, 0, 0);
#define FIRST(stream) "SELECT group_concat(n || ' ' || missing, ', ') FROM (SELECT n, missing FROM statistics JOIN" \
	" streams USING (stream_id) WHERE name = '" stream "' AND segment = '' ORDER BY window_ms LIMIT 2)"
	assert_string_equal(history_text(&w, FIRST("feature:x"), text, sizeof text), "45 5, 50 0");
	assert_string_equal(history_text(&w, FIRST("feature:y"), text, sizeof text), "47 3, 50 0");
	assert_string_equal(history_text(&w, FIRST("feature:city"), text, sizeof text), "40 10, 50 0");
	assert_string_equal(history_text(&w, FIRST("prediction:score"), text, sizeof text), "30 20, 50 0");
	assert_string_equal(history_text(&w, FIRST("missing:x"), text, sizeof text), "50 0, 50 0");
#define MEAN(stream) "SELECT mean FROM statistics JOIN streams USING (stream_id) WHERE name = '" stream "'" \
	" AND segment = '' ORDER BY window_ms LIMIT 1"
	assert_float_equal(history_real(&w, MEAN("missing:x")), 0.1, 1e-12);
	assert_float_equal(history_real(&w, MEAN("missing:city")), 0.2, 1e-12);
	history_tables(&w, &expected);
	for (uint64_t seed = 2; seed < 4; seed++) {
		history_run(&w, seed, 7, 40, 15);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

const struct CMUnitTest quality_tests[] = {
	TEST("quality/values_missing_before_the_first_are_counted", values_missing_before_the_first_are_counted),
	TEST("quality/faults_that_stay_as_rare_are_silent", faults_that_stay_as_rare_are_silent),
	TEST("quality/what_is_always_the_same_is_silent", what_is_always_the_same_is_silent),
	TEST("quality/predictions_told_twice_open_an_alert", predictions_told_twice_open_an_alert),
	TEST("quality/records_that_come_late_open_an_alert", records_that_come_late_open_an_alert),
	TEST("quality/another_number_of_classes_opens_an_alert", another_number_of_classes_opens_an_alert),
	TEST("quality/an_alert_on_type_errors_names_the_field", an_alert_on_type_errors_names_the_field),
	TEST("quality/any_crash_history_gives_the_same_faults", any_crash_history_gives_the_same_faults),
	TESTS_END,
};
