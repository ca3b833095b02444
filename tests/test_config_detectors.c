/* test_config_detectors.c -- `detectors:` in the configuration: what is refused, what holds for which stream,
 * and what the tests then do with records. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "tests/history.h"
#include "tests/test_config.h"

extern const struct CMUnitTest config_detectors_tests[];

#define D "defaults: {detectors: "

static void
mistakes_are_found_where_they_stand(void **state)
{
	(void)state;
	config_refuse(D "{numeric: [tolerent]}}", "f:1:34: detectors: unknown method 'tolerent' (did you mean "
	              "'tolerant'?)");
	config_refuse(D "{\"feature:x\": [{method: adwin, delte: 0.1}]}}", "f:1:54: unknown option 'delte' of "
	              "adwin (did you mean 'delta'?)");
	config_refuse(D "{\"feature:x\": [{method: adwin, delta: 7}]}}", "f:1:61: delta: ");
	config_refuse(D "{\"feature:x\": [{delta: 7}]}}", "f:1:38: detectors: a test without `method`");
	config_refuse(D "{binary: [tolerant]}}", "f:1:33: detectors: tolerant is not for a stream of this type");
	config_refuse(D "{\"missing:*\": [tolerant-binary, tolerant]}}", "f:1:55: detectors: tolerant is not for");
	config_refuse(D "{\"own:x\": [sr-mean]}}", "f:1:34: sr-mean: needs `m`");
	config_refuse(D "{\"own:x\": [{method: adwin, role: paging}]}}", "f:1:34: adwin: no budget bounds");
	config_refuse(D "{\"own:x\": [{method: tolerant, role: unbudgeted}]}}", "f:1:34: tolerant: the budget "
	              "bounds");
	config_refuse(D "{\"own:x\": [{method: martingale, form: ville, role: paging}]}}",
	              "f:1:34: martingale: no budget bounds");
	config_refuse(D "{\"own:x\": tolerant}}", "f:1:33: detectors: expected a list");
}

static const char *
methods(const struct model_config *m, const char *stream, const char *type, char *out)
{
	const struct tests_config *list = config_stream_tests(m, stream, type);

	*out = 0;
	for (size_t i = 0; list && i < list->tests; i++)
		sprintf(out + strlen(out), "%s %s;", list->test[i].method.name,
		        test_role_text(list->test[i].role));
	return out;
}

static void
the_last_matching_glob_rules_then_the_type(void **state)
{
	struct config *c = config_accept(
		D "{\"feature:*\": [tolerant], numeric: [conformal], \"feature:in*\": [conformal, cusum]}}\n"
		"models:\n  - name: a\n    detectors: {\"feature:*\": [], \"*:q\": [{method: conformal, "
		"role: evidence}, tolerant]}\n  - name: b\n");
	const struct model_config *a = &c->model[0], *b = &c->model[1];
	char text[400];

	(void)state;
	assert_string_equal(methods(b, "feature:x", "numeric", text), "tolerant paging;");
	assert_string_equal(methods(b, "feature:income", "numeric", text), "conformal paging;cusum unbudgeted;");
	assert_string_equal(methods(b, "prediction:value@1", "numeric", text), "conformal paging;");
	assert_string_equal(methods(b, "missing:x", "binary", text), "tolerant-binary paging;binary evidence;");
	assert_string_equal(methods(a, "feature:x", "numeric", text), "");
	assert_string_equal(methods(a, "feature:income", "numeric", text), "conformal paging;cusum unbudgeted;");
	assert_string_equal(methods(a, "feature:q", "numeric", text), "conformal evidence;tolerant paging;");
	config_free(c);
}

static void
the_hash_sees_options_and_roles(void **state)
{
	uint64_t hash = config_hash(D "{numeric: [tolerant]}}");

	(void)state;
	assert_true(hash != config_hash(D "{numeric: [conformal]}}"));
	assert_true(hash != config_hash(D "{numeric: [{method: tolerant, bins: 64}]}}"));
	assert_true(hash != config_hash(D "{numeric: [tolerant, cusum]}}"));
	assert_true(hash == config_hash(D "{numeric: [{method: tolerant, bins: 256}]}}"));
}

/* -- what they do ----------------------------------------------------------------------------------- */

enum { RECORDS = 12000, STEP_MS = 120000, CHANGE = 8000 };
static const long long begin_ms = 1700000000000;

/* x moves by `x` standard deviations and y by `y` at the same record. */
static void
write_shift(struct history *w, double x, double y)
{
	uint64_t seed = 11;

	for (int i = 0; i < RECORDS; i++)
		fprintf(w->records, "{\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%.6f,\"y\":%.6f}}\n",
		        begin_ms + (long long)i * STEP_MS, history_normal(&seed) + (i >= CHANGE ? x : 0),
		        history_normal(&seed) + (i >= CHANGE ? y : 0));
}

#define MODEL "alerts: {budget: 0.02 per day}\nmodels:\n  - name: m\n    reference: {records: 4000, span: 8d}\n    joint: {projections: 0}\n" \
	"    detectors: "

static void
conformal_in_place_of_tolerant_pages_when_it_matters(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_shift(&w, 1, 0);
	history_replay(&w, MODEL "{numeric: [{method: conformal, bins: 128}]}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts a JOIN streams USING (stream_id) WHERE"
	                            " field = 'x' AND a.method = 'conformal' AND a.promise = 'certified'"
	                            " AND severity <> 'info' AND effect >= 0.1"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors WHERE role = 'paging' AND"
	                            " json_extract(params, '$.bins') = 128 AND spent > 0"), 2);
	history_close(&w);
}

static void
evidence_that_does_not_matter_is_shown_and_sends_nothing(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_shift(&w, 0.4, 0.4);
	history_replay(&w, "defaults: {min_effect: 2}\n" MODEL "{numeric: [conformal]}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM drift_now WHERE stream LIKE 'feature%' AND statistic"
	                            " >= 1 AND material = 0 AND effect BETWEEN 0.2 AND 0.6"
	                            " AND effect_low < effect AND effect < effect_high"), 2);
	history_close(&w);
}

static void
alarms_that_no_budget_covers_are_noted_and_stop_nothing(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_shift(&w, 1, 1);
	history_replay(&w, MODEL "{\"feature:x\": [tolerant, {method: cusum, h: 4}], \"feature:y\": [adwin]}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE method = 'adwin' AND severity = 'info'"
	                            " AND promise = 'unbudgeted' AND state = 'resolved' AND promise_words LIKE"
	                            " '%no budget%'") >= 1, 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE method = 'tolerant'"
	                            " AND severity <> 'info'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox JOIN alerts USING (alert_id)"
	                            " WHERE method <> 'tolerant'"), 0);
	assert_true(history_count(&w, "SELECT alarms_apart FROM detectors WHERE method = 'cusum'") >
	            history_count(&w, "SELECT count(*) FROM alerts WHERE method = 'cusum'"));
	assert_int_equal(history_count(&w, "SELECT provisional_alarms + void_alarms FROM budget"), 0);
	history_close(&w);
}

static void
paging_tests_of_a_stream_share_its_part_of_the_budget(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_shift(&w, 0, 0);
	history_replay(&w, MODEL "{\"feature:x\": [tolerant, {method: conformal, role: paging}]}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM drift_now WHERE stream = 'feature:x'"
	                            " AND role = 'paging' AND abs(2 * share - (SELECT share FROM drift_now WHERE"
	                            " stream = 'feature:y' AND role = 'paging')) < 1e-12"), 2);
	history_close(&w);
}

static void
tests_keep_state_and_slot_when_the_list_changes(void **state)
{
	struct history w;
	double spent;
	int64_t slot;

	(void)state;
	history_open(&w, "models: auto\n");
	write_shift(&w, 0, 0);
	history_replay(&w, MODEL "{\"feature:x\": [tolerant, cusum]}\n");
	spent = history_real(&w, "SELECT spent FROM detectors WHERE method = 'tolerant' ORDER BY 1 LIMIT 1");
	history_replay_with(&w, MODEL "{\"feature:x\": [tolerant, cusum]}\n",
	                MODEL "{\"feature:x\": [ewma, tolerant, focus]}\n", 9000);
	slot = history_count(&w, "SELECT detector_id % 8 FROM detectors JOIN streams USING (stream_id)"
	                  " WHERE kind = 'feature' AND field = 'x' AND method = 'tolerant'");
	assert_int_equal(slot, 0);
	assert_true(fabs(history_real(&w, "SELECT spent FROM detectors WHERE method = 'tolerant' ORDER BY 1 LIMIT 1")
	                 - spent) < 1e-12);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors WHERE method = 'cusum'"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors WHERE role = 'unbudgeted'"), 2);
	history_close(&w);
}

const struct CMUnitTest config_detectors_tests[] = {
	TEST("detectors_config/mistakes_are_found_where_they_stand", mistakes_are_found_where_they_stand),
	TEST("detectors_config/the_last_matching_glob_rules_then_the_type",
	     the_last_matching_glob_rules_then_the_type),
	TEST("detectors_config/the_hash_sees_options_and_roles", the_hash_sees_options_and_roles),
	TEST("detectors_config/conformal_in_place_of_tolerant_pages_when_it_matters",
	     conformal_in_place_of_tolerant_pages_when_it_matters),
	TEST("detectors_config/evidence_that_does_not_matter_is_shown_and_sends_nothing",
	     evidence_that_does_not_matter_is_shown_and_sends_nothing),
	TEST("detectors_config/alarms_that_no_budget_covers_are_noted_and_stop_nothing",
	     alarms_that_no_budget_covers_are_noted_and_stop_nothing),
	TEST("detectors_config/paging_tests_of_a_stream_share_its_part_of_the_budget",
	     paging_tests_of_a_stream_share_its_part_of_the_budget),
	TEST("detectors_config/tests_keep_state_and_slot_when_the_list_changes",
	     tests_keep_state_and_slot_when_the_list_changes),
	TESTS_END,
};
