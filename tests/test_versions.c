/* test_versions.c -- two versions of a model side by side: on the same ids, and on neighbours in time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/history.h"
#include "tests/test_config.h"

extern const struct CMUnitTest versions_tests[];

enum { RECORDS = 4000, STEP_MS = 60000, DELAY = 50 };
static const long long begin_ms = 1700000000000LL;

static void
put_class(struct history *w, int i, const char *version, const char *class, double score)
{
	fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%s\",\"features\":{\"x\":%d},"
	        "\"prediction\":{\"class\":\"%s\",\"probs\":{\"%s\":%.4f,\"%s\":%.4f}}}\n", i, begin_ms + (long long)i * STEP_MS,
	        version, i % 7, class, class, score, *class == 'a' ? "b" : "a", 1 - score);
}

static void
put_label(struct history *w, int i)
{
	fprintf(w->labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"label\":\"a\"}\n", i,
	        begin_ms + (long long)(i + DELAY) * STEP_MS);
}

/* Versions 1 and 2 tell each id: 2 is wrong as often as 1 + `worse`. Labels of every id but each 10th. */
static void
write_shadow(struct history *w, double worse)
{
	uint64_t seed = 5;

	for (int i = 0; i < RECORDS; i++) {
		bool hard = history_uniform(&seed) < 0.1, slip = history_uniform(&seed) < worse;

		put_class(w, i, "1", hard ? "b" : "a", 0.8 + 0.1 * history_uniform(&seed));
		put_class(w, i, "2", hard || slip ? "b" : "a", 0.8 + 0.1 * history_uniform(&seed));
		if (i % 10)
			put_label(w, i);
	}
}

#define CONFIGURATION "id_hash_key: 00112233445566778899aabbccddeeff\nmodels: auto\n"
#define ROW(what, figure) "SELECT " what " FROM versions_now WHERE figure = '" figure "' AND matched = 'id'"

static void
shadow(struct history *w, double worse)
{
	history_open(w, CONFIGURATION);
	write_shadow(w, worse);
	history_written(w);
	history_run(w, 1, 512, 100, 0);
}

static void
a_shadow_that_errs_more_is_told_by_ids(void **state)
{
	struct history w;
	char text[100];

	(void)state;
	shadow(&w, 0.03);
	assert_string_equal(history_text(&w, ROW("verdict", "error"), text, sizeof text), "higher");
	assert_string_equal(history_text(&w, ROW("version || other", "error"), text, sizeof text), "21");
	assert_int_equal(history_count(&w, ROW("n", "error")), RECORDS * 9 / 10);
	assert_int_equal(history_count(&w, ROW("lower", "error")), 0);
	assert_true(history_real(&w, ROW("evidence", "error")) > 1e6);
	assert_true(history_real(&w, ROW("abs(mean - other_mean - difference)", "error")) < 1e-9);
	/* what differs, differs before any label comes */
	assert_int_equal(history_count(&w, ROW("n", "disagreement")), RECORDS);
	assert_true(history_real(&w, ROW("difference", "disagreement")) > 0.02);
	assert_string_equal(history_text(&w, ROW("verdict", "score"), text, sizeof text), "undecided");
	/* inputs are counted once, outputs for each version; every prediction has its label */
	assert_int_equal(history_count(&w, "SELECT n + missing FROM statistics_total WHERE stream = 'feature:x'"), RECORDS);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'twins'"), RECORDS);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'matched_ids'"), 2 * RECORDS * 9 / 10);
	assert_int_equal(history_count(&w, "SELECT n FROM performance_total WHERE version = '2'"), RECORDS * 9 / 10);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM counters WHERE name = 'duplicate_predictions' AND n"), 0);
	history_close(&w);
}

static void
a_shadow_that_errs_alike_is_undecided(void **state)
{
	struct history w;

	(void)state;
	shadow(&w, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM versions_now WHERE verdict <> 'undecided'"), 0);
	assert_int_equal(history_count(&w, ROW("higher + lower", "error")), 0);
	assert_true(history_real(&w, ROW("difference_high", "error")) < 0.05);
	history_close(&w);
}

static void
the_comparison_does_not_depend_on_crashes(void **state)
{
	struct history w;
	static struct tables expected;

	(void)state;
	shadow(&w, 0.03);
	history_tables(&w, &expected);
	for (uint64_t seed = 2; seed < 5; seed++) {
		history_run(&w, seed, 61, 20, 10);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

/* A canary: every tenth record goes to version 2, whose intervals are `wider`. The inputs have a season. */
static void
canary(struct history *w, double wider)
{
	uint64_t seed = 9;

	history_open(w, CONFIGURATION);
	for (int i = 0; i < 3 * RECORDS; i++) {
		bool two = history_uniform(&seed) < 0.1;
		double width = (2 + sin(i / 200.0)) * (two ? wider : 1) * exp(0.3 * history_normal(&seed));

		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%d\",\"prediction\":{\"value\":10,"
		        "\"lower\":%.5f,\"upper\":%.5f}}\n", i, begin_ms + (long long)i * STEP_MS, two ? 2 : 1, 10 - width,
		        10 + width);
		fprintf(w->labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"label\":%.5f}\n", i,
		        begin_ms + (long long)(i + DELAY) * STEP_MS, 10 + 1.5 * history_normal(&seed));
	}
	history_written(w);
	history_run(w, 1, 512, 100, 0);
}

#define NEIGHBOUR(what, figure) "SELECT " what " FROM versions_now WHERE figure = '" figure "' AND matched = 'neighbour'"

static void
a_canary_with_wider_intervals_is_told_by_neighbours(void **state)
{
	struct history w;
	char text[100];

	(void)state;
	canary(&w, 1.5);
	assert_string_equal(history_text(&w, NEIGHBOUR("verdict", "width"), text, sizeof text), "higher");
	assert_true(fabs(history_real(&w, NEIGHBOUR("difference", "width")) - 0.2) < 0.03); /* (1.5 - 1) / 2.5 */
	assert_true(history_count(&w, NEIGHBOUR("n", "miss")) > 900);
	assert_true(history_real(&w, NEIGHBOUR("difference", "miss")) < 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM versions_now WHERE matched = 'id'"), 0);
	history_close(&w);
	canary(&w, 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM versions_now WHERE verdict <> 'undecided'"), 0);
	history_close(&w);
}

/* A label that comes between the two predictions, twice the same version, and more versions than there is room. */
static void
twins_come_late_twice_and_in_numbers(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, CONFIGURATION);
	put_class(&w, 1, "1", "a", 0.9);
	put_label(&w, 1);
	fprintf(w.records, "{\"id\":\"r1\",\"ts\":%lld,\"model\":\"m\",\"version\":\"2\",\"prediction\":{\"class\":\"b\"}}\n",
	        begin_ms + 1000LL * STEP_MS);
	put_class(&w, 2000, "1", "a", 0.9);
	for (int i = 0; i < 12; i++) {
		char version[8];

		snprintf(version, sizeof version, "%d", i / 2 + 3);
		put_class(&w, 2000, version, "b", 0.9);
	}
	for (int i = 0; i < 4; i++) {
		char version[8];

		snprintf(version, sizeof version, "%d", i + 20);
		put_class(&w, 2000, version, "b", 0.9);
	}
	history_written(&w);
	history_run(&w, 1, 1, 100, 0);
	/* version 2 had its label at once */
	assert_int_equal(history_count(&w, "SELECT n FROM versions_now WHERE version = '2' AND figure = 'error'"), 1);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'matched_ids'"), 2);
	/* 2 and seven more are twins (eight in all); each of 3 to 8 came twice, three found no room */
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'twins'"), 1 + 6 + 1);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'duplicate_predictions'"), 6 + 3);
	history_close(&w);
}

const struct CMUnitTest versions_tests[] = {
	TEST("versions/a_shadow_that_errs_more_is_told_by_ids", a_shadow_that_errs_more_is_told_by_ids),
	TEST("versions/a_shadow_that_errs_alike_is_undecided", a_shadow_that_errs_alike_is_undecided),
	TEST("versions/the_comparison_does_not_depend_on_crashes", the_comparison_does_not_depend_on_crashes),
	TEST("versions/a_canary_with_wider_intervals_is_told_by_neighbours",
	     a_canary_with_wider_intervals_is_told_by_neighbours),
	TEST("versions/twins_come_late_twice_and_in_numbers", twins_come_late_twice_and_in_numbers),
	TESTS_END,
};
