/* test_segments.c -- the values of a key are families of streams, chosen by how frequent they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/pipeline.h"
#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest segments_tests[];

enum { RECORDS = 16000, STEP_MS = 60000, CHANGE = 9000 };
#define BEGIN_MS 1700000000000LL

#define HEAD "id_hash_key: 000102030405060708090a0b0c0d0e0f\n" \
	"alerts: {budget: 0.05 per day, send: all}\nwindows: {width: 1h}\n" \
	"models:\n  - name: m\n    joint: {projections: 0}\n    labels: {wait: 1d, lateness: 1d, explain: 0}\n" \
	"    reference: {from: first, records: 2000, span: 3d}\n"
static const char configuration[] = HEAD "    segments: [country]\n    segments_max: 4\n";
static const char with_features[] = HEAD "    segments: {keys: [country], features: true}\n    segments_max: 4\n";
static const char with_groups[] = HEAD "    segments: [country]\n    segments_max: 4\n"
	"    coverage: {groups: [class]}\n";

static const char *
country(uint64_t *seed)
{
	static const char *const name[] = { "DE", "NL", "FR", "BE", "LU", "MT" };
	double u = history_uniform(seed);

	return name[u < 0.3 ? 0 : u < 0.55 ? 1 : u < 0.75 ? 2 : u < 0.9 ? 3 : u < 0.96 ? 4 : 5];
}

/* Five groups, of which one (FR) loses its coverage at CHANGE, its labels `spread` times as wide as before; its
 * feature and prediction move, too, where `moves` says so. */
static void
write_history(struct history *w, const char *config, bool moves, double spread)
{
	uint64_t seed = 31;

	history_open(w, config);
	for (int i = 0; i < RECORDS; i++) {
		const char *c = country(&seed);
		bool bad = i >= CHANGE && !strcmp(c, "FR");
		double y = history_normal(&seed), x = history_normal(&seed) + (bad && moves ? 1.5 : 0);
		long long ts = BEGIN_MS + (long long)i * STEP_MS;

		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%.5f},\"segment\":{\"country\":"
		        "\"%s\"},\"prediction\":{\"value\":%.5f,\"lower\":%.5f,\"upper\":%.5f,\"level\":0.9}}\n", i, ts, x, c,
		        0.0 + (bad && moves ? 1.5 : 0), -1.645, 1.645);
		fprintf(w->labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"label\":%.5f}\n", i, ts + 30000,
		        y * (bad ? spread : 1));
	}
	history_written(w);
}

static void
the_most_frequent_values_are_watched_and_the_rest_together(void **state)
{
	struct history w;
	char text[400];

	(void)state;
	write_history(&w, configuration, false, 1.7);
	history_run(&w, 1, 4096, 0, 0);
	history_text(&w, "SELECT group_concat(segment, ' ') FROM (SELECT DISTINCT segment FROM streams WHERE segment <> ''"
	             " ORDER BY segment)", text, sizeof text);
	assert_string_equal(text, "country=BE country=DE country=FR country=NL country=__other__");
	history_text(&w, "SELECT group_concat(name, ' ') FROM (SELECT DISTINCT name FROM streams WHERE segment <> ''"
	             " ORDER BY name)", text, sizeof text);
	assert_string_equal(text, "coverage: coverage:above coverage:below labels: missing:value prediction:value"
	                    " prediction:width");
	/* its shares of the records are a stream of the model */
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE kind = 'segment' AND field = 'country' AND"
	                               " type = 'categorical' AND segment = ''"), 1);
	/* the figures of the segments sum to those of all, but for the records before the values were chosen */
	assert_int_equal(history_count(&w, "SELECT (SELECT sum(l.covered) FROM label_statistics l JOIN streams USING"
	                               " (stream_id) WHERE width_ms = 86400000 AND segment = '' AND window_ms > 1700100000000) -"
	                               " (SELECT sum(l.covered) FROM label_statistics l JOIN streams USING (stream_id)"
	                               " WHERE width_ms = 86400000 AND segment <> '' AND window_ms > 1700100000000)"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM coverage_by_segment"), 5);
	history_close(&w);
}

static void
the_group_that_loses_coverage_is_alerted_alone(void **state)
{
	struct history w;
	char text[200];

	(void)state;
	write_history(&w, configuration, false, 1.7);
	history_run(&w, 1, 4096, 0, 0);
	history_text(&w, "SELECT group_concat(DISTINCT segment) FROM alerts JOIN streams USING (stream_id) WHERE segment <> ''"
	             " AND alerts.kind = 'coverage'", text, sizeof text);
	assert_string_equal(text, "country=FR");
	history_text(&w, "SELECT json_extract(body, '$.segment') FROM outbox WHERE json_extract(body, '$.segment') <> ''",
	             text, sizeof text);
	assert_string_equal(text, "country=FR");
	history_close(&w);
}

/* The alert of all records says in which segment the misses are, before and after a crash. */
static void
an_explanation_names_the_segment(void **state)
{
	struct history w;
	char text[600];

	(void)state;
	write_history(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	              "alerts: {budget: 0.05 per day, send: all}\nwindows: {width: 1h}\n"
	              "models:\n  - name: m\n    joint: {projections: 0}\n    labels: {wait: 1d, lateness: 1d}\n"
	              "    reference: {from: first, records: 2000, span: 3d}\n    segments: [country]\n"
	              "    segments_max: 4\n", false, 4);
	history_run(&w, 1, 3000, 30, 15);
	history_text(&w, "SELECT group_concat(phase || ': ' || place || ' of ' || s.segment, ', ') FROM explanations e"
	             " JOIN streams s USING (stream_id) JOIN alerts a USING (alert_id) WHERE a.stream_id IN (SELECT"
	             " stream_id FROM streams WHERE segment = '' AND name = 'coverage:')", text, sizeof text);
	assert_string_equal(text, "after the alert: country = FR of country=FR");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM explanations WHERE place = 'country = FR' AND"
	                               " old_rate BETWEEN 0.07 AND 0.13 AND rate BETWEEN 0.6 AND 0.75 AND"
	                               " rate_low < rate AND outside_rate BETWEEN 0.07 AND 0.13 AND lift > 1.8"), 1);
	history_text(&w, "SELECT text FROM alerts_history WHERE kind = 'coverage' AND segment = ''", text, sizeof text);
	assert_non_null(strstr(text, "who:   model m; country = FR (2"));
	history_close(&w);
}

/* One group has never had the level promised, and does not change: it has a ticket, once, and nobody else. */
static void
a_group_that_never_had_its_level_has_one_ticket(void **state)
{
	struct history w;
	uint64_t seed = 12;
	char text[2000];

	(void)state;
	history_open(&w, HEAD "    segments: [country]\n    segments_max: 4\n");
	for (int i = 0; i < RECORDS; i++) {
		const char *c = country(&seed);
		double y = history_normal(&seed);
		long long ts = BEGIN_MS + (long long)i * STEP_MS;

		fprintf(w.records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"segment\":{\"country\":\"%s\"},\"conformal\":"
		        "{\"n_cal\":5000},\"prediction\":{\"value\":0,\"lower\":-1.8,\"upper\":1.8,\"level\":0.9}}\n", i, ts, c);
		fprintf(w.labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"label\":%.5f}\n", i, ts + 30000,
		        y * (strcmp(c, "FR") ? .9 : 1.4));
	}
	history_written(&w);
	history_run(&w, 1, 3000, 30, 15);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE kind = 'coverage' AND field = 'contract'"), 5);
	history_text(&w, "SELECT group_concat(segment || ' ' || s.field || ' ' || a.severity || ' ' || a.state) FROM alerts a"
	             " JOIN streams s USING (stream_id) WHERE a.kind = 'coverage'", text, sizeof text);
	assert_string_equal(text, "country=FR contract warning open");
	history_text(&w, "SELECT text FROM alerts_open WHERE kind = 'coverage'", text, sizeof text);
	assert_non_null(strstr(text, "coverage:contract is below the level promised"));
	assert_non_null(strstr(text, "size:  coverage 0.8"));
	assert_non_null(strstr(text, "segment country=FR"));
	history_close(&w);
}

static void
features_are_watched_by_segment_when_asked(void **state)
{
	struct history w;

	(void)state;
	write_history(&w, with_features, true, 1.7);
	history_run(&w, 1, 4096, 0, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE segment <> '' AND kind = 'feature'"), 5);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id) WHERE segment ="
	                               " 'country=FR' AND streams.name = 'feature:x'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id) WHERE segment NOT IN"
	                               " ('country=FR', '')"), 0);
	history_close(&w);
}

/* A fit counts its records first, so its own first records count, too. */
static void
a_fitted_segment_has_the_reference_of_its_rows(void **state)
{
	char *const file[1] = { NULL };
	struct diag d = { "" };
	struct history w;
	struct running r;

	(void)state;
	(void)file;
	write_history(&w, configuration, false, 1.7);
	history_start(&r, &w, true);
	if (pipeline_fit(r.pipeline, (char *const[]){ w.record }, 1, NULL, NULL, &d))
		fail_msg("%s", d.text);
	history_commit(&r);
	history_drop(&r);
	assert_int_equal(history_count(&w, "SELECT (SELECT sum(n) FROM reference_cells JOIN streams USING (stream_id) WHERE"
	                               " segment <> '' AND name = 'prediction:value') - 16000"), 0);
	history_close(&w);
}

static void
crashes_change_nothing(void **state)
{
	static struct tables expected;
	struct history w;

	(void)state;
	write_history(&w, with_features, true, 1.7);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_tables(&w, &expected);
	for (uint64_t seed = 2; seed < 4; seed++) {
		history_run(&w, seed, 1500, 40, 15);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

/* A key that goes keeps its streams; when it comes back they go on. */
static void
keys_come_and_go(void **state)
{
	struct history w;
	struct running r;
	int64_t streams;

	(void)state;
	write_history(&w, configuration, false, 1.7);
	history_start(&r, &w, true);
	history_step(&r, 8000);
	history_commit(&r);
	history_drop(&r);
	streams = history_count(&w, "SELECT count(*) FROM streams");
	history_configure(&w, HEAD);
	history_start(&r, &w, false);
	history_step(&r, 8000);
	history_commit(&r);
	history_drop(&r);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams"), streams);
	history_configure(&w, with_groups);
	history_start(&r, &w, false);
	history_end(&r);
	history_drop(&r);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams"), streams);
	history_close(&w);
}

#define PROMISE(name) TEST("segments/" #name, name)

const struct CMUnitTest segments_tests[] = {
	PROMISE(the_most_frequent_values_are_watched_and_the_rest_together),
	PROMISE(the_group_that_loses_coverage_is_alerted_alone),
	TEST("segments/an_explanation_names_the_segment", an_explanation_names_the_segment),
	TEST("segments/a_group_that_never_had_its_level_has_one_ticket", a_group_that_never_had_its_level_has_one_ticket),
	PROMISE(features_are_watched_by_segment_when_asked),
	PROMISE(a_fitted_segment_has_the_reference_of_its_rows),
	PROMISE(crashes_change_nothing),
	PROMISE(keys_come_and_go),
	TESTS_END,
};
