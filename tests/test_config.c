/* test_config.c -- suite `config`: what the configuration promises to people who write it. */
#include "tests/test_config.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/option.h"

extern const struct CMUnitTest config_tests[];

struct config *
config_accept(const char *text)
{
	struct config *c = NULL;
	struct diag d = { "" };

	if (config_parse(&c, text, strlen(text), "f", stderr, &d))
		fail_msg("refused: %s", d.text);
	return c;
}

/* All messages; freed by the caller. */
char *
config_refusal(const char *text)
{
	struct config *c = (void *)&c;
	struct diag d = { "" };
	char *messages = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&messages, &bytes);

	assert_non_null(out);
	int err = config_parse(&c, text, strlen(text), "f", out, &d);
	fclose(out);
	if (!err)
		fail_msg("accepted: %s", text);
	assert_null(c);
	assert_memory_equal(messages, d.text, strlen(d.text));
	return messages;
}

void
config_refuse(const char *text, const char *expected)
{
	char *messages = config_refusal(text);

	if (strncmp(messages, expected, strlen(expected)))
		fail_msg("'%s' instead of '%s'", messages, expected);
	free(messages);
}

uint64_t
config_hash(const char *text)
{
	struct config *c = config_accept(text);
	uint64_t h = c->hash;

	config_free(c);
	return h;
}

static void
nothing_needs_to_be_said(void **state)
{
	struct config *c = config_accept("{}");

	(void)state;
	assert_string_equal(c->database, "driftd.db");
	assert_string_equal(c->kafka.brokers, "embedded");
	assert_string_equal(c->kafka.group, "driftd");
	assert_int_equal(c->kafka.embedded_partitions, 1);
	assert_string_equal(c->topics_records.text[0], "inference.*");
	assert_string_equal(c->topics_labels.text[0], "labels.*");
	assert_true(c->budget_alarms >= 1 && c->budget_alarms <= 1);
	assert_true(c->budget_period_ms == 604800000);
	assert_int_equal(c->send, SEND_CERTIFIED);
	assert_true(c->merge_stall_ms == 30000);
	assert_true(c->seed == 1);
	assert_null(c->id_hash_key);
	assert_false(c->on_gap_stop);
	assert_true(c->keep_fine_ms == 2 * INT64_C(86400000));
	assert_true(c->keep_hour_ms == 30 * INT64_C(86400000));
	assert_true(c->models_auto);
	const struct model_config *m = &c->defaults;
	assert_null(m->name);
	assert_true(m->ts_unit_ms >= 1 && m->ts_unit_ms <= 1);
	assert_true(m->min_effect >= 0.1 && m->min_effect <= 0.1);
	assert_int_equal(m->resolve_after, 0);
	assert_true(m->thin == OPTION_AUTO);
	assert_null(m->reference_file);
	assert_int_equal(m->reference_records, 10000);
	assert_true(m->reference_span_ms == 14 * INT64_C(86400000));
	assert_true(isnan(m->coverage_level));
	assert_true(m->coverage_tolerance >= 0.01 && m->coverage_tolerance <= 0.01);
	assert_true(m->coverage_calibration == CALIBRATION_FROM_RECORD);
	assert_true(m->labels_enabled);
	assert_true(m->labels_wait_ms == 60 * INT64_C(86400000));
	assert_true(m->labels_lateness_ms == 365 * INT64_C(86400000));
	assert_int_equal(m->labels_capacity, 4000000);
	assert_int_equal(m->revision, REVISION_FIRST);
	assert_true(m->windows.width_ms == 300000);
	assert_int_equal(m->windows.records, 0);
	config_free(c);
	config_free(NULL);
}

static void
every_key_reaches_its_field(void **state)
{
	struct config *c = config_accept(
		"database: x.db\n"
		"kafka: {brokers: 'a:1,[::1]:2', group: g, embedded_partitions: 4}\n"
		"topics: {records: ['*', p-?], labels: []}\n"
		"alerts: {budget: 0.5 per 10d, send: all}\n"
		"retention: {window: 1d, hour: 3d, day: forever}\n"
		"merge_stall: 5s\nseed: 9007199254740992\non_gap: stop\n"
		"id_hash_key: 00112233445566778899aabbccddeeff\n"
		"models:\n"
		"  - labels: {wait: 1h, lateness: 0s, capacity: 5000, revision: last}\n"
		"    name: credit\n"
		"    topics: {records: [a], labels: [b, c]}\n"
		"    classes: [NO, 'SE', 1]\n"
		"    features: {x: numeric, y: categorical, z: ignore, w: auto}\n"
		"    segments: [country]\n    ts_unit: us\n    min_effect: .2\n    resolve_after: 7\n"
		"    thin: 3\n    reference: {from: first, records: 500, span: 1w}\n"
		"    coverage: {level: 0.9, tolerance: 0.02, calibration: 1000}\n"
		"    windows: {records: 1000}\n");
	const struct model_config *m = config_model(c, "creditX", 6);

	(void)state;
	assert_string_equal(c->database, "x.db");
	assert_string_equal(c->kafka.brokers, "a:1,[::1]:2");
	assert_int_equal(c->kafka.embedded_partitions, 4);
	assert_int_equal(c->topics_labels.n, 0);
	assert_true(c->budget_period_ms == 10 * INT64_C(86400000));
	assert_int_equal(c->send, SEND_ALL);
	assert_true(c->on_gap_stop && !c->models_auto);
	assert_true(c->seed == UINT64_C(9007199254740992));
	assert_string_equal(c->id_hash_key, "00112233445566778899aabbccddeeff");
	assert_null(config_model(c, "credi", 5));
	assert_non_null(m);
	assert_int_equal(m->line, 11);
	assert_int_equal(m->topics_labels.n, 2);
	assert_string_equal(m->classes.text[0], "NO");
	assert_string_equal(m->classes.text[2], "1");
	assert_int_equal(m->features, 4);
	assert_false(m->features_only_listed);
	assert_int_equal(m->feature[2].type, FEATURE_IGNORE);
	assert_int_equal(m->feature[3].type, FEATURE_FROM_JSON);
	assert_true(m->ts_unit_ms >= 0.001 && m->ts_unit_ms <= 0.001);
	assert_int_equal(m->thin, 3);
	assert_true(m->coverage_calibration == 1000);
	assert_int_equal(m->revision, REVISION_LAST);
	assert_int_equal(m->labels_lateness_ms, 0);
	assert_int_equal(m->windows.records, 1000);
	assert_int_equal(m->windows.width_ms, 0);
	config_free(c);
}

static void
defaults_are_inherited_and_overruled(void **state)
{
	struct config *c = config_accept(
		"models:\n  - name: a\n  - name: b\n    min_effect: 0.3\n    windows: {records: 10}\n"
		"    reference: {records: 200}\n    labels: {wait: 2d}\n    features: {x: numeric}\n"
		"    fields: {label: mine, id: key}\n"
		"defaults: {min_effect: 0.2, reference: {file: r.jsonl}, labels: off, features: [p, q],\n"
		"  fields: {score: s}}\n"
		"windows: {width: 1h}\nfields: {label: 'out.y\\.z', ts: when}\n");
	const struct model_config *a = config_model(c, "a", 1), *b = config_model(c, "b", 1);

	(void)state;
	assert_true(a->min_effect >= 0.2 && a->min_effect <= 0.2);
	assert_true(b->min_effect >= 0.3 && b->min_effect <= 0.3);
	assert_true(a->windows.width_ms == 3600000 && a->windows.records == 0);
	assert_true(b->windows.width_ms == 0 && b->windows.records == 10);
	assert_string_equal(a->reference_file, "r.jsonl");
	assert_null(b->reference_file);
	assert_int_equal(b->reference_records, 200);
	assert_true(!a->labels_enabled && b->labels_enabled);
	assert_true(a->features_only_listed && a->features == 2);
	assert_true(!b->features_only_listed && b->features == 1);
	assert_int_equal(a->fields, 3);
	assert_string_equal(a->field[0].name, "label");
	assert_int_equal(a->field[0].path.n, 2);
	assert_string_equal(a->field[0].path.text[1], "y.z");
	assert_string_equal(a->field[2].name, "score");
	assert_int_equal(b->fields, 4);
	assert_string_equal(b->field[0].path.text[0], "mine");
	assert_string_equal(c->defaults.reference_file, "r.jsonl");
	config_free(c);
}

static void
an_unknown_key_names_the_nearest_one(void **state)
{
	(void)state;
	config_refuse("databse: x\n", "f:1:1: unknown key 'databse' (did you mean 'database'?)\n");
	config_refuse("topics:\n  recrods: [a]\n",
	       "f:2:3: unknown key 'recrods' in 'topics' (did you mean 'records'?)\n");
	config_refuse("models:\n  - name: a\n    coverage: {tolerence: 0.1}\n",
	       "f:3:16: unknown key 'tolerence' in 'coverage' (did you mean 'tolerance'?)\n");
	config_refuse("min_effect: 1\n",
	              "f:1:1: unknown key 'min_effect' (there is 'defaults.min_effect')\n");
	config_refuse("defaults: {name: x}\n", "f:1:12: unknown key 'name' in 'defaults'");
	config_refuse("fields: {lable: y}\n",
	              "f:1:10: unknown key 'lable' in 'fields' (did you mean 'label'?)");
	config_refuse("alerts: {sink: []}\n", "f:1:10: unknown key 'sink' in 'alerts' (did you mean 'sinks'?)\n");
	config_refuse("htp: {listen: x}\n", "f:1:1: unknown key 'htp' (did you mean 'http'?)\n");
	config_refuse("models: [{name: a, odd: {panel: auto}}]\n",
	              "f:1:20: unknown key 'odd' in 'models' (did you mean 'ood'?)\n");
	config_refuse("models: [{name: a, ood: {panel: [hst]}}]\n",
	              "f:1:33: panel: 'hst' is no score with a reference");
	config_refuse("models: [{name: a, ood: {panel: some}}]\n", "f:1:33: panel: expected auto, off or a list");
}

static void
every_mistake_says_where_it_stands(void **state)
{
	static const char *const cases[][2] = {
		{ "", "f:1:1: the file is empty" },
		{ "---\n", "f:2:1: the file is empty" },
		{ "[a]", "f:1:1: expected keys with values, found a list" },
		{ "kafka: x", "f:1:8: kafka: expected keys with values, found a single value" },
		{ "database: [x]", "f:1:11: database: found a list where one value stands (text)" },
		{ "database:\n", "f:1:10: database: no value" },
		{ "database: ''", "f:1:11: database: an empty text" },
		{ "database: \"a\\nb\"", "f:1:11: database: a control character" },
		{ "database: ${ENV:HOME}", "f:1:11: database: ${ENV:..} and ${FILE:..} are replaced in" },
		{ "seed: '1'", "f:1:7: seed: '1' is a text; write it without quotes" },
		{ "seed: -1", "f:1:7: seed: -1 is out of range" },
		{ "seed: 99999999999999999999", "f:1:7: seed: 99999999999999999999 is too large" },
		{ "merge_stall: 30", "f:1:14: merge_stall: '30' is not a duration" },
		{ "on_gap: halt", "f:1:9: on_gap: unknown word 'halt' (known: continue, stop)" },
		{ "id_hash_key: secretsecret", "f:1:14: id_hash_key: expected 32 hexadecimal digits\n" },
		{ "windows: {width: 5m, records: 10}", "f:1:10: windows: either `width` or `records`" },
		{ "windows: {width: 0s}", "f:1:18: width: 0s is out of range (1s to 1d)" },
		{ "retention: {window: 40d}", "f:1:12: retention: `hour` is shorter than `window`" },
		{ "topics: {records: inference}", "f:1:19: records: expected a list" },
		{ "topics: {records: []}", "f:1:19: records: an empty list" },
		{ "topics: {records: [a b]}", "f:1:20: records: 'a b' cannot be a topic" },
		{ "topics: {labels: [a, a]}", "f:1:22: labels: 'a' twice" },
		{ "kafka: {brokers: 'a:1,,b'}", "f:1:18: brokers: 'a:1,,b' is not `embedded` or" },
		{ "kafka: {brokers: 'a:99999'}", "f:1:18: brokers: 'a:99999' has no port" },
		{ "fields: {label: a..b}", "f:1:17: fields: 'a..b' has an empty key" },
		{ "fields: {label: 'a\\n'}", "f:1:17: fields: 'a\\n' has a \\ before" },
		{ "models: all", "f:1:9: models: expected `auto`, or a list" },
		{ "models: []", "f:1:9: models: expected `auto`, or a list" },
		{ "models: [credit]", "f:1:10: models: expected `- name: NAME`" },
		{ "models: [{thin: 2}]", "f:1:10: models: a model without `name`" },
		{ "models:\n  - name: a\n  - min_effect: 1\n    name: a\n",
		  "f:4:11: name: the model 'a' stands here twice; first in line 2" },
		{ "defaults: {thin: 0}", "f:1:18: thin: 0 is out of range (1 to 1000000)" },
		{ "defaults: {ts_unit: m}", "f:1:21: ts_unit: unknown word 'm' (known: s, ms, us, ns)" },
		{ "defaults: {labels: no}", "f:1:20: labels: expected `off`, or keys" },
		{ "defaults: {labels: {revision: newest}}", "f:1:31: revision: unknown word 'newest'" },
		{ "defaults: {features: []}", "f:1:22: features: expected names" },
		{ "defaults: {features: [a, a]}", "f:1:26: features: 'a' twice" },
		{ "defaults: {features: {a: number}}", "f:1:26: features: unknown word 'number'" },
		{ "defaults: {classes: [a]}", "f:1:21: classes: an empty list" },
		{ "defaults: {reference: {file: x, span: 1d}}", "f:1:23: reference: either `file`, or" },
		{ "defaults: {reference: {from: last}}", "f:1:30: from: unknown word 'last'" },
		{ "defaults: {coverage: {level: 1}}", "f:1:30: level: 1 is out of range" },
		{ "defaults: {coverage: {level: '0.9'}}", "f:1:30: level: '0.9' is a text" },
		{ "defaults: {coverage: {calibration: 0}}", "f:1:36: calibration: 0 is out of range" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		config_refuse(cases[i][0], cases[i][1]);
}

static void
budgets_are_read_as_spoken(void **state)
{
	static const struct {
		const char *text;
		double alarms;
		int64_t ms;
	} good[] = { { "1 per week", 1, 604800000 }, { "2.5 per day", 2.5, 86400000 },
		{ "1 per minute", 1, 60000 }, { "3 per hour", 3, 3600000 },
		{ "1 per month", 1, INT64_C(2592000000) }, { "12 per year", 12, INT64_C(31536000000) },
		{ "1  per  10d", 1, 864000000 } };
	static const char *const bad[][2] = { { "''", "budget: an empty text" },
		{ "", "budget: no value" }, { "1", "budget: '1' is not like" },
		{ "1 per", "budget: '1 per' is not like" },
		{ "1 per week or so", "budget: '1 per week or" },
		{ "0 per week", "budget: 0 is out of range" }, { "-1 per week", "budget: -1 is out of" },
		{ "one per week", "budget: 'one' is not a decimal number" },
		{ "1 per weak", "budget: unknown period 'weak' (did you mean 'week'?)" },
		{ "1 per fortnight", "budget: unknown period 'fortnight' (minute" },
		{ "1 per 0s", "budget: 0s is out of range" }, { "1 a week", "budget: '1 a week' is not" } };
	char text[120], expected[120];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		snprintf(text, sizeof text, "alerts: {budget: %s}", good[i].text);
		struct config *c = config_accept(text);
		assert_true(c->budget_alarms >= good[i].alarms && c->budget_alarms <= good[i].alarms);
		assert_true(c->budget_period_ms == good[i].ms);
		config_free(c);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "alerts:\n  budget: %s\n", bad[i][0]);
		snprintf(expected, sizeof expected, "f:2:%d: %s", *bad[i][0] ? 11 : 10, bad[i][1]);
		config_refuse(text, expected);
	}
}

static void
all_mistakes_are_told_up_to_twenty(void **state)
{
	char text[2000] = "", *messages = config_refusal("seed: x\nfoo: 1\nmerge_stall: 1\n");
	unsigned lines = 0;

	(void)state;
	assert_non_null(strstr(messages, "f:1:7: seed"));
	assert_non_null(strstr(messages, "f:2:1: unknown key 'foo'"));
	assert_non_null(strstr(messages, "f:3:14: merge_stall"));
	free(messages);
	for (int i = 0; i < 30; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "unknown%d: 1\n", i);
	messages = config_refusal(text);
	for (const char *p = messages; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 21);
	assert_non_null(strstr(messages, "f: more than 20 mistakes"));
	free(messages);
	/* A mistake in `defaults` is told once, however many models inherit it. */
	messages = config_refusal("defaults: {thin: 0}\nmodels: [{name: a}, {name: b}]\n");
	assert_null(strstr(strchr(messages, '\n'), "thin"));
	free(messages);
}

static void
messages_cannot_steer_the_terminal(void **state)
{
	char *messages = config_refusal("\"a\\eb\": 1\n");

	(void)state;
	assert_null(strchr(messages, 27));
	free(messages);
}

static void
the_hash_sees_meaning_alone(void **state)
{
	uint64_t h = config_hash("windows: {width: 5m}\nseed: 1\n"
	                         "models: [{name: a}, {name: b, thin: 2}]\n");

	(void)state;
	assert_true(config_hash("# a comment\nmodels:\n- {thin: 2, name: b}\n- name: 'a'\n"
	                        "windows: {width: 300s}\n") == h);
	assert_true(config_hash("windows: {width: 6m}\nmodels: [{name: a}, {name: b, thin: 2}]\n") !=
	            h);
	assert_true(config_hash("models: [{name: a}, {name: b, thin: 3}]\n") != h);
	assert_true(config_hash("{}") != h);
	assert_true(config_hash("defaults: {features: [a]}") !=
	            config_hash("defaults: {features: {a: auto}}"));
	assert_true(config_hash("topics: {records: [a, b]}") != config_hash("topics: {records: [ab]}"));
	assert_true(config_hash("kafka: {properties: {client.id: a, client.rack: b}}") ==
	            config_hash("kafka: {properties: {client.rack: b, client.id: a}}"));
}

static char *
explanation(const char *key, int expected, struct diag *d)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(config_explain(out, key, d), expected);
	fclose(out);
	return text;
}

static void
the_explanation_is_a_file_that_changes_nothing(void **state)
{
	char *text = explanation(NULL, 0, NULL);

	(void)state;
	assert_true(config_hash(text) == config_hash("{}"));
	free(text);
}

static void
one_key_is_explained_by_its_path(void **state)
{
	struct diag d;
	char *text = explanation("models.coverage.tolerance", 0, &d);

	(void)state;
	assert_non_null(strstr(text, "number, 0 to 0.5; default 0.01"));
	assert_non_null(strstr(text, "\ntolerance: 0.01\n"));
	free(text);
	text = explanation("models.labels", 0, &d);
	assert_non_null(strstr(text, "  wait: 60d\n"));
	free(text);
	free(explanation("defaults.windows.width", 0, &d));
	text = explanation("models.covrage.level", ERR_MISSING, &d);
	assert_non_null(strstr(d.text, "did you mean 'models.coverage'?"));
	free(text);
	free(explanation("tolerance", ERR_MISSING, &d));
	assert_non_null(strstr(d.text, "did you mean 'defaults.coverage.tolerance'?"));
	free(explanation("seed.x", ERR_MISSING, &d));
	free(explanation("", ERR_MISSING, &d));
	free(explanation("kafka.", ERR_MISSING, &d));
}

static void
files_are_loaded_and_missed(void **state)
{
	char path[] = "/tmp/driftd-config-XXXXXX";
	int fd = mkstemp(path);
	struct config *c;
	struct diag d;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "seed: 7\n", 8), 8);
	close(fd);
	assert_int_equal(config_load(&c, path, NULL, &d), 0);
	assert_true(c->seed == 7);
	assert_string_equal(c->path, path);
	config_free(c);
	unlink(path);
	assert_int_equal(config_load(&c, path, NULL, &d), ERR_MISSING);
	assert_null(c);
	assert_int_equal(config_load(&c, "/", NULL, &d), ERR_IO);
}

static void
globs_match_whole_names(void **state)
{
	char a[200], pattern[200];

	(void)state;
	assert_true(config_glob("inference.*", "inference.credit"));
	assert_true(config_glob("inference.*", "inference."));
	assert_false(config_glob("inference.*", "inference"));
	assert_false(config_glob("inference", "inference.x"));
	assert_true(config_glob("*", ""));
	assert_true(config_glob("", ""));
	assert_false(config_glob("", "a"));
	assert_false(config_glob("?", ""));
	assert_true(config_glob("a?c", "abc"));
	assert_true(config_glob("*b*c", "abcbc"));
	assert_false(config_glob("*b*d", "abcbc"));
	assert_true(config_glob("a**", "a"));
	/* The classic of exponential matchers. */
	memset(a, 'a', sizeof a - 1);
	a[sizeof a - 1] = '\0';
	for (size_t i = 0; i < sizeof pattern - 2; i += 2)
		memcpy(pattern + i, "a*", 2);
	memcpy(pattern + sizeof pattern - 2, "b", 2);
	assert_false(config_glob(pattern, a));
}

#define ENTRY(f) TEST("config/" #f, f),
const struct CMUnitTest config_tests[] = {
	CONFIG_OPTION_TESTS(ENTRY)
	CONFIG_YAML_TESTS(ENTRY)
	CONFIG_KAFKA_TESTS(ENTRY)
	CONFIG_SINK_TESTS(ENTRY)
	ENTRY(nothing_needs_to_be_said)
	ENTRY(every_key_reaches_its_field)
	ENTRY(defaults_are_inherited_and_overruled)
	ENTRY(an_unknown_key_names_the_nearest_one)
	ENTRY(every_mistake_says_where_it_stands)
	ENTRY(budgets_are_read_as_spoken)
	ENTRY(all_mistakes_are_told_up_to_twenty)
	ENTRY(messages_cannot_steer_the_terminal)
	ENTRY(the_hash_sees_meaning_alone)
	ENTRY(the_explanation_is_a_file_that_changes_nothing)
	ENTRY(one_key_is_explained_by_its_path)
	ENTRY(files_are_loaded_and_missed)
	ENTRY(globs_match_whole_names)
	TESTS_END,
};
