/* test_own.c -- streams of the user's own: where they are read, what their limits promise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "tests/history.h"
#include "tests/test_config.h"

extern const struct CMUnitTest own_tests[];

#define S "defaults: {streams: "

static void
mistakes_in_streams_are_found_where_they_stand(void **state)
{
	(void)state;
	config_refuse(S "{x: {type: numeric}}}", "f:1:25: streams: 'x' without a `path`");
	config_refuse(S "{x: {path: a.b, at_mots: 1}}}", "f:1:37: unknown key 'at_mots' in 'streams' (did you mean "
	              "'at_most'?)");
	config_refuse(S "{x: {path: a.b, at_most: 1}}}", "f:1:25: streams: a limit needs `range:");
	config_refuse(S "{x: {path: a.b, at_most: 3, range: [0, 1]}}}", "f:1:25: streams: a limit lies between");
	config_refuse(S "{x: {path: a.b, range: [1, 0]}}}", "f:1:44: range: the first number");
	config_refuse(S "{x: a..b}}", "f:1:25: streams: 'a..b' has an empty key");
	config_refuse(S "[a]}", "f:1:21: streams: expected names with paths");
}

enum { RECORDS = 16000, STEP_MS = 120000, CHANGE = 9000 };

/* `deep.est.cost` moves from .2 to .2 + shift; `mode` is a category; features stay. */
static void
write_records(struct history *w, double shift)
{
	uint64_t seed = 21;

	for (int i = 0; i < RECORDS; i++) {
		double cost = 0.2 + 0.1 * history_normal(&seed) + (i >= CHANGE ? shift : 0);

		fprintf(w->records, "{\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%.5f},\"deep\":{\"other\":[1,{}],\"est\":"
		        "{\"cost\":%.5f,\"mode\":\"%s\",\"extra\":null}}}\n", 1700000000000LL + (long long)i * STEP_MS,
		        history_normal(&seed), cost, history_uniform(&seed) < 0.3 ? "a" : "b");
		if (i % 10 == 0) /* alone, in a record without features */
			fprintf(w->records, "{\"ts\":%lld,\"model\":\"m\",\"sales\":%d}\n", 1700000000000LL +
			        (long long)i * STEP_MS, 100 + i % 70);
	}
}

#define MODEL "alerts: {budget: 0.02 per day}\nmodels:\n  - name: m\n    reference: {records: 4000, span: 8d}\n" \
	"    streams: "

static void
values_anywhere_are_streams(void **state)
{
	struct history w;
	char text[400];

	(void)state;
	history_open(&w, "models: auto\n");
	write_records(&w, 0.1);
	history_replay(&w, MODEL "{cost: deep.est.cost, mode: deep.est.mode, sales: sales, never: not.there}\n");
	assert_string_equal(history_text(&w, "SELECT group_concat(stream || ' ' || type || ' ' || n || ' ' || missing,"
	                    " ', ') FROM (SELECT * FROM statistics_total WHERE stream LIKE 'own:%' OR stream LIKE"
	                    " 'feature:%' ORDER BY stream)", text, sizeof text),
	                    "feature:x numeric 16000 0, own:cost numeric 16000 1600, own:mode categorical 16000 1600, "
	                    "own:sales numeric 1600 15999");
	assert_string_equal(history_text(&w, "SELECT group_concat(name || ' ' || a.kind || ' ' || promise) FROM alerts a"
	                    " JOIN streams USING (stream_id)", text, sizeof text), "own:cost drift certified");
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'fields_unknown'"), 32000);
	history_close(&w);
}

static void
a_limit_is_judged_from_the_first_value_on(void **state)
{
	struct history w;
	char text[600], again[600];
	const char *sql = "SELECT group_concat(name || ' ' || role || ' ' || method || ' ' || promise ||"
	                  " printf(' %.9g %d', statistic, used), ', ') FROM (SELECT d.*, s.name FROM detectors d"
	                  " JOIN streams s USING (stream_id) WHERE s.kind LIKE 'at_%' ORDER BY detector_id)";

	(void)state;
	history_open(&w, "models: auto\n");
	write_records(&w, 0.2);
	history_replay(&w, MODEL "{cost: {path: deep.est.cost, at_most: 0.3, at_least: 0.1, range: [-1, 1]}}\n");
	assert_string_equal(history_text(&w, "SELECT group_concat(name || ' ' || a.kind || ' ' || a.method || ' ' ||"
	                    " promise) FROM alerts a JOIN streams USING (stream_id)", text, sizeof text),
	                    "at_most:cost performance sr-mean certified");
	assert_true(history_count(&w, "SELECT offset FROM alerts") > CHANGE + CHANGE / 10);
	assert_true(fabs(history_real(&w, "SELECT old_value FROM alerts") - 0.65) < 1e-9);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors JOIN streams USING (stream_id) WHERE kind ="
	                            " 'own'"), 0);
	if (!strstr(history_text(&w, "SELECT text FROM alerts", text, sizeof text), "limit 0.3, now 0.39"))
		fail_msg("%s", text);
	history_text(&w, sql, text, sizeof text);
	history_replay_with(&w, MODEL "{cost: {path: deep.est.cost, at_most: 0.3, at_least: 0.1, range: [-1, 1]}}\n",
	                MODEL "{cost: {path: deep.est.cost, at_most: 0.3, at_least: 0.1, range: [-1, 1]}}\n", 12000);
	assert_string_equal(history_text(&w, sql, again, sizeof again), text);
	history_close(&w);
}

static void
a_mean_within_its_limit_is_silent(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_records(&w, 0.2);
	history_replay(&w, MODEL "{cost: {path: deep.est.cost, at_most: 0.45, at_least: 0.1, range: [-1, 1]}}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors JOIN streams USING (stream_id) WHERE"
	                            " kind LIKE 'at_%' AND role = 'paging' AND promise = 'certified' AND spent > 0"),
	                 2);
	history_close(&w);
}

const struct CMUnitTest own_tests[] = {
	TEST("own/mistakes_in_streams_are_found_where_they_stand", mistakes_in_streams_are_found_where_they_stand),
	TEST("own/values_anywhere_are_streams", values_anywhere_are_streams),
	TEST("own/a_limit_is_judged_from_the_first_value_on", a_limit_is_judged_from_the_first_value_on),
	TEST("own/a_mean_within_its_limit_is_silent", a_mean_within_its_limit_is_silent),
	TESTS_END,
};
