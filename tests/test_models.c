/* test_models.c -- models by globs, by mapping, let in up to a limit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "monitor/stream/plan.h"
#include "tests/history.h"
#include "tests/test_config.h"

extern const struct CMUnitTest models_tests[];

static const char *
chosen(const struct config *c, const char *name)
{
	const struct model_config *m = config_model_for(c, name, strlen(name));

	return !m ? "none" : !m->name ? "defaults" : m->name;
}

static void
the_most_specific_name_holds(void **state)
{
	struct config *c = config_accept("defaults: {min_effect: 0.3}\nmodels:\n  \"fraud-*\": {thin: 2}\n"
	                                 "  fraud-eu: {thin: 3}\n  \"*-eu\": {}\n  \"fraud-?u*\":\n  \"b*\": {}\n  \"*b\": {}\n");

	(void)state;
	assert_false(c->models_auto);
	assert_int_equal(c->models, 1);
	assert_int_equal(c->patterns, 5);
	assert_string_equal(chosen(c, "fraud-eu"), "fraud-eu");
	assert_string_equal(chosen(c, "fraud-au1"), "fraud-?u*");
	assert_string_equal(chosen(c, "fraud-ab"), "fraud-*");
	assert_string_equal(chosen(c, "churn-eu"), "*-eu");
	assert_string_equal(chosen(c, "bb"), "*b"); /* as specific as b*: the first in byte order */
	assert_string_equal(chosen(c, "credit"), "none");
	assert_null(config_model_for(c, "fraud-\0x", 8));
	assert_int_equal(config_model_for(c, "fraud-ab", 8)->thin, 2);
	assert_true(config_model_for(c, "fraud-ab", 8)->min_effect > 0.29);
	assert_null(config_model(c, "fraud-ab", 8));
	config_free(c);
	c = config_accept("models: auto\n");
	assert_string_equal(chosen(c, "credit"), "defaults");
	config_free(c);
	c = config_accept("models: [{name: 'a*'}, {name: b}]\n");
	assert_string_equal(chosen(c, "ab"), "a*");
	assert_string_equal(c->model[0].name, "b");
	config_free(c);
}

static void
mistakes_in_globs_are_found_where_they_stand(void **state)
{
	(void)state;
	config_refuse("models: {\"a*\": {thim: 2}}", "f:1:17: unknown key 'thim' in 'a*' (did you mean 'thin'?)");
	config_refuse("models: {a: {name: b}}", "f:1:14: unknown key 'name' in 'a'");
	config_refuse("models: {a: 3}", "f:1:13: a: expected keys with values");
	config_refuse("models: {}", "f:1:9: models: expected `auto`, or a list");
	config_refuse("models_max: 1\nmodels: {a: {}, b: {}}", "f:2:9: models: 2 models; `models_max` is 1");
	config_refuse("models_max: 0", "f:1:13: models_max");
}

enum { MODELS = 7, RECORDS = 40, STEP_MS = 60000 };

/* Records and labels of MODELS models in turn; "m6" is first heard of by a label. */
static void
write_models(struct history *w)
{
	for (int i = 0; i < RECORDS * MODELS; i++) {
		long long ts = 1700000000000LL + (long long)i * STEP_MS;

		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m%d\",\"features\":{\"x\":%d},\"y_pred\":\"a\"}\n", i,
		        ts, i % MODELS, i % 5);
		fprintf(w->labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m%d\",\"label\":\"a\"}\n", i, ts + 1000, i % MODELS);
	}
}

static void
further_models_are_counted_and_left_out(void **state)
{
	struct history w;
	char text[200];

	(void)state;
	history_open(&w, "models_max: 4\nmodels: {\"m6\": {}, \"*\": {}}\n");
	write_models(&w);
	history_written(&w);
	history_run(&w, 1, 64, 100, 0);
	/* three places besides that of m6, which its name keeps free */
	assert_string_equal(history_text(&w, "SELECT group_concat(name, ' ') FROM (SELECT name FROM models ORDER BY "
	                                     "model_id)", text, sizeof text), "m0 m1 m2 m6");
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'rejected_models_max'"),
	                 2 * 3 * RECORDS);
	assert_int_equal(history_count(&w, "SELECT sum(n) FROM counters WHERE name = 'matched_ids'"), 4 * RECORDS);
	assert_string_equal(history_text(&w, "SELECT detail FROM rejected ORDER BY rowid LIMIT 1", text, sizeof text),
	                    "m3: 4 models are watched already");
	history_close(&w);
}

static void
who_is_let_in_does_not_depend_on_crashes(void **state)
{
	struct history w;
	static struct tables expected;

	(void)state;
	history_open(&w, "models_max: 4\nmodels: auto\nid_hash_key: 00112233445566778899aabbccddeeff\n");
	write_models(&w);
	history_written(&w);
	history_run(&w, 1, 64, 100, 0);
	history_tables(&w, &expected);
	for (uint64_t seed = 2; seed < 6; seed++) {
		history_run(&w, seed, 7, 30, 20);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

/* Models of a glob share one part of the budget, a listed one has its own; all together never have more. */
static void
globs_share_one_part_of_the_budget(void **state)
{
	static const struct { const char *text; uint32_t parts; } cases[] = {
		{ "models: auto\n", 1 }, { "models: {a: {}}\n", 1 }, { "models: {a: {}, \"b*\": {}, \"c*\": {}}\n", 2 },
		{ "models: {\"b*\": {}}\n", 1 },
	};
	double sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *c = config_accept(cases[i].text);

		assert_int_equal(plan_models(c), cases[i].parts);
		config_free(c);
	}
	for (uint32_t i = 1; i <= LIMIT_MODELS; i++)
		sum += plan_model(i);
	assert_true(sum > 0.99 && sum < 1);
}

/* Model b leaves the configuration with alerts open, and comes back. */
#define BOTH "id_hash_key: 000102030405060708090a0b0c0d0e0f\nwindows: {width: 4h}\n" \
	"alerts: {budget: 0.5 per day, send: all}\n" \
	"defaults: {joint: {projections: 0}, reference: {from: first, records: 1000, span: 2d}}\n"
enum { LONG = 9000, LEFT = 6000, CHANGED = 3000 };

static void
write_changes(struct history *w)
{
	uint64_t seed = 5;

	for (int i = 0; i < LONG; i++)
		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"%s\",\"features\":{\"x\":%.6f}}\n", i,
		        1700000000000LL + (long long)i * 120000, i % 2 ? "a" : "b",
		        history_normal(&seed) + (i >= CHANGED && i % 2 == 0 ? 2 : 0));
}

static void
alerts_of_a_removed_model_are_resolved(void **state)
{
	static const char of_b[] = "SELECT count(*) FROM alerts_open WHERE model = 'b'";
	struct history w;
	struct running r;

	(void)state;
	history_open(&w, BOTH "models: [{name: a}, {name: b}]\n");
	write_changes(&w);
	history_written(&w);
	history_start(&r, &w, true);
	for (int i = 0; i < LEFT; i += 1000)
		history_step(&r, 1000);
	history_commit(&r);
	history_drop(&r);
	assert_int_equal(history_count(&w, of_b), 1);
	history_configure(&w, BOTH "models: [{name: a}]\n");
	for (int i = 0; i < 2; i++) { /* once, however often it starts */
		history_start(&r, &w, false);
		history_drop(&r);
		assert_int_equal(history_count(&w, of_b), 0);
		assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE resolved_by = 'removed'"), 1);
		assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox WHERE event = 'resolved'"), 1);
	}
	/* the message is the next one of the alert that was announced */
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox o JOIN outbox r ON r.alert_id = o.alert_id"
	                 " AND o.event = 'open' AND r.event = 'resolved' AND json_extract(r.body, '$.stream') ="
	                 " json_extract(o.body, '$.stream') AND json_extract(r.body, '$.id') ="
	                 " json_extract(r.body, '$.episode') || '-' || (SELECT count(*) FROM outbox c WHERE c.alert_id ="
	                 " r.alert_id)"), 1);
	history_configure(&w, BOTH "models: [{name: a}, {name: b}]\n");
	history_start(&r, &w, false);
	history_end(&r);
	history_drop(&r);
	/* it is judged again, against the same reference: the change has lasted */
	assert_int_equal(history_count(&w, of_b), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts_history WHERE model = 'b'"), 2);
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT json_extract(body, '$.id')) = count(*) FROM outbox"), 1);
	history_close(&w);
}

const struct CMUnitTest models_tests[] = {
	TEST("models/the_most_specific_name_holds", the_most_specific_name_holds),
	TEST("models/mistakes_in_globs_are_found_where_they_stand", mistakes_in_globs_are_found_where_they_stand),
	TEST("models/further_models_are_counted_and_left_out", further_models_are_counted_and_left_out),
	TEST("models/who_is_let_in_does_not_depend_on_crashes", who_is_let_in_does_not_depend_on_crashes),
	TEST("models/globs_share_one_part_of_the_budget", globs_share_one_part_of_the_budget),
	TEST("models/alerts_of_a_removed_model_are_resolved", alerts_of_a_removed_model_are_resolved),
	TESTS_END,
};
