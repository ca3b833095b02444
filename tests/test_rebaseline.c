/* test_rebaseline.c -- a new reference on command: from the next records, from a span of the past, or by itself
 * once somebody has seen the change.
 */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"
#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest rebaseline_tests[];

enum { RECORDS = 9000, STEP_MS = 120000, CHANGE = 3000, COMMAND = 5000 };
#define BEGIN_MS 1700000000000LL

#define MODEL "models:\n  - name: m\n    reference: {from: first, records: 1000, span: 2d}\n    joint: {projections: 0}\n"
static const char configuration[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 10 per day, send: all}\n" MODEL;
static const char by_itself[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 10 per day, send: all}\n" MODEL "    rebaseline: {after: 1d}\n";

/* x moves for good at CHANGE; y never does. */
static void
write_history(struct history *w)
{
	uint64_t seed = 5;

	history_open(w, configuration);
	for (int i = 0; i < RECORDS; i++)
		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%.6f,\"y\":%.6f}}\n",
		        i, BEGIN_MS + (long long)i * STEP_MS, history_normal(&seed) + (i >= CHANGE ? 2 : 0),
		        history_normal(&seed));
	history_written(w);
}

static void
command(const struct history *w, const char *name, const char *target, const char *arguments)
{
	struct diag d = { "" };

	if (store_insert_command(w->database, name, target, arguments, 1, NULL, &d))
		fail_msg("%s", d.text);
}

static void
open_alert(const struct history *w, char id[40])
{
	assert_int_equal(history_count(w, "SELECT count(*) FROM alerts WHERE state <> 'resolved'"), 1);
	history_text(w, "SELECT alert_id FROM alerts WHERE state <> 'resolved'", id, 40);
}

/* Up to the command in one go, then to the end with crashes or without. */
static void
run(const struct history *w, const char *name, bool alert, const char *arguments, uint64_t crashes)
{
	char id[40] = "m";
	struct running r;

	history_start(&r, w, true);
	history_step(&r, COMMAND);
	history_commit(&r);
	if (alert)
		open_alert(w, id);
	command(w, name, id, arguments);
	history_commit(&r);
	for (uint64_t i = 0; i < crashes; i++) {
		history_drop(&r);
		history_start(&r, w, false);
		history_step(&r, (uint32_t)(300 + 170 * i));
		if (i % 2)
			history_commit(&r);
	}
	history_end(&r);
	history_drop(&r);
}

static void
same_after_crashes(const struct history *w, const char *name, bool alert, const char *arguments)
{
	static struct tables expected;

	history_tables(w, &expected);
	run(w, name, alert, arguments, 7);
	history_same(w, &expected, 7);
}

#define X_PAGING "FROM detectors d JOIN streams s USING (stream_id) WHERE s.kind = 'feature' AND" \
	" s.field = 'x' AND d.role = 'paging'"

static void
the_next_records_become_the_reference(void **state)
{
	struct history w;
	char text[200];

	(void)state;
	write_history(&w);
	run(&w, "rebaseline", true, "{\"records\":300}", 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE resolved_by = 'rebaseline'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE state <> 'resolved'"), 0);
	history_text(&w, "SELECT d.params " X_PAGING, text, sizeof text);
	assert_non_null(strstr(text, "\"reference\":300"));
	/* its mean is that of the changed stream */
	assert_true(history_real(&w, "SELECT sum(c.n * c.upto) / sum(c.n) FROM reference_cells c JOIN streams s"
	                       " USING (stream_id) WHERE s.kind = 'feature' AND s.field = 'x' AND c.upto IS NOT NULL")
	            > 1.5);
	history_text(&w, "SELECT result FROM commands", text, sizeof text);
	assert_string_equal(text, "done: 1 streams learn from record 5001 on");
	same_after_crashes(&w, "rebaseline", true, "{\"records\":300}");
	history_close(&w);
}

/* What `driftd fit --from --to` makes of the same span. */
static void
fit_span(const struct history *w, long long from_ms, long long to_ms)
{
	struct diag d = { "" };
	struct running r;

	history_start(&r, w, true);
	if (pipeline_fit_span(r.pipeline, from_ms, to_ms, &d))
		fail_msg("%s", d.text);
	history_commit(&r);
	history_drop(&r);
}

#define CELLS "SELECT group_concat(field || cell || ' ' || ifnull(above, '') || ' ' || n) FROM (SELECT * FROM" \
	" reference_cells c JOIN streams s USING (stream_id) WHERE s.kind = 'feature' ORDER BY field, cell)"

static void
a_span_of_the_past_gives_the_reference_that_a_fit_gives(void **state)
{
	static char fitted[8192], cells[8192];
	char arguments[100], text[200];
	long long from_ms = BEGIN_MS + 3500LL * STEP_MS, to_ms = BEGIN_MS + 4300LL * STEP_MS;
	struct history w;

	(void)state;
	write_history(&w);
	snprintf(arguments, sizeof arguments, "{\"from_ms\":%lld,\"to_ms\":%lld}", from_ms, to_ms);
	fit_span(&w, from_ms, to_ms);
	history_text(&w, CELLS, fitted, sizeof fitted);
	run(&w, "rebaseline", false, arguments, 0);
	history_text(&w, CELLS, cells, sizeof cells);
	assert_string_equal(cells, fitted);
	history_text(&w, "SELECT result FROM commands", text, sizeof text);
	/* two features, their gaps, type errors; a span says nothing of how late records were */
	assert_string_equal(text, "done: 5 of 6 streams, from the 800 records of that span");
	assert_int_equal(history_count(&w, "SELECT rows FROM refs WHERE active AND source = 'rebaseline'"), 800);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE resolved_by = 'rebaseline'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE state <> 'resolved'"), 0);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'records'"), RECORDS);
	same_after_crashes(&w, "rebaseline", false, arguments);
	history_close(&w);
}

static void
a_span_that_cannot_be_had_changes_nothing(void **state)
{
	static const struct {
		const char *arguments, *says;
	} bad[] = {
		{ "{\"from_ms\":1700000000000,\"to_ms\":1900000000000}", "nothing to do: records are read up to" },
		{ "{\"from_ms\":1600000000000,\"to_ms\":1600000001000}",
		  "nothing to do: 0 of 1 streams, from the 0 records of that span" },
		{ "{\"from_ms\":1700000000000,\"to_ms\":1700010680000}",
		  "nothing to do: 0 of 1 streams, from the 89 records of that span" },
	};
	struct history w;
	char text[200];

	(void)state;
	write_history(&w);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		run(&w, "rebaseline", true, bad[i].arguments, 0);
		history_text(&w, "SELECT result FROM commands", text, sizeof text);
		text[strlen(bad[i].says)] = 0;
		assert_string_equal(text, bad[i].says);
		assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE state = 'open'"), 1);
		assert_int_equal(history_count(&w, "SELECT count(*) FROM refs"), 1);
	}
	history_close(&w);
}

static void
an_acknowledged_change_that_lasts_is_the_new_normal(void **state)
{
	struct history w;

	(void)state;
	write_history(&w);
	history_configure(&w, by_itself);
	run(&w, "ack", true, "{}", 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE resolved_by = 'rebaseline'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE state <> 'resolved'"), 0);
	/* a day after it was seen */
	assert_int_equal(history_count(&w, "SELECT (resolved_ms - (SELECT at_ms FROM alert_events WHERE event ="
	                             " 'acknowledged')) / 60000 FROM alerts"), 1440);
	same_after_crashes(&w, "ack", true, "{}");
	history_configure(&w, configuration);
	run(&w, "ack", true, "{}", 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE state = 'acknowledged'"), 1);
	history_close(&w);
}

/* A reference keeps the size that it was begun with. */
static void
another_size_in_the_configuration_waits_for_the_next_reference(void **state)
{
	struct running r;
	struct history w;
	char text[200];

	(void)state;
	write_history(&w);
	history_start(&r, &w, true);
	history_step(&r, 2500);
	history_commit(&r);
	history_drop(&r);
	history_configure(&w, "models:\n  - name: m\n    reference: {from: first, records: 200, span: 2d}\n");
	history_start(&r, &w, false);
	history_end(&r);
	history_drop(&r);
	history_text(&w, "SELECT d.params " X_PAGING, text, sizeof text);
	assert_non_null(strstr(text, "\"reference\":1000"));
	history_close(&w);
}

#define PROMISE(name) TEST("rebaseline/" #name, name)

const struct CMUnitTest rebaseline_tests[] = {
	PROMISE(the_next_records_become_the_reference),
	PROMISE(a_span_of_the_past_gives_the_reference_that_a_fit_gives),
	PROMISE(a_span_that_cannot_be_had_changes_nothing),
	PROMISE(an_acknowledged_change_that_lasts_is_the_new_normal),
	PROMISE(another_size_in_the_configuration_waits_for_the_next_reference),
	TESTS_END,
};
