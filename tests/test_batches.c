/* test_batches.c -- the whole path over messages that hold many rows. */
#include <stdio.h>
#include <string.h>

#include "config/limits.h"
#include "tests/history.h"
#include "tests/tests.h"

enum { EVENTS = 900, ROWS = 37 };

#define CONFIGURATION                                                                              \
	"kafka: {brokers: embedded}\nid_hash_key: 000102030405060708090a0b0c0d0e0f\n"               \
	"topics: {records: [records], labels: [labels], format: kserve, columns: [x, y]}\n"          \
	"alerts: {budget: 1 per hour, send: all}\n"                                                  \
	"models:\n  - name: m\n    classes: [\"0\", \"1\"]\n    reference: {records: 1000, span: 2d}\n"

/* Requests and responses of one id, by turns; the inputs move after two thirds. */
static void
write_events(struct history *w, uint64_t *rows)
{
	uint64_t draw = 5;

	*rows = 0;
	for (uint64_t i = 0; i < EVENTS; i++) {
		const uint64_t n = 1 + i * 7 % ROWS;
		const char *const head = "{\"specversion\":\"1.0\",\"id\":\"e%llu\",\"time\":\"2026-01-%02lluT%02llu:"
		                         "%02llu:00Z\",\"inferenceservicename\":\"m\",\"type\":\"%s\",\"data\":{\"%s\":[";
		const unsigned long long day = 1 + i / 48, hour = i / 2 % 24, minute = i % 2 * 30;

		fprintf(w->records, head, (unsigned long long)i, day, hour, minute,
		        "org.kubeflow.serving.inference.request", "instances");
		for (uint64_t k = 0; k < n; k++)
			fprintf(w->records, "%s[%.4f,%.4f]", k ? "," : "", history_normal(&draw) + (i > EVENTS * 2 / 3 ? 2 : 0),
			        history_normal(&draw));
		fprintf(w->records, "]}}\n");
		fprintf(w->records, head, (unsigned long long)i, day, hour, minute,
		        "org.kubeflow.serving.inference.response", "predictions");
		for (uint64_t k = 0; k < n; k++) {
			bool yes = history_uniform(&draw) < .4;

			fprintf(w->records, "%s[%s]", k ? "," : "", yes ? "0.2,0.8" : "0.7,0.3");
			if (n > 1 && k == 0)
				fprintf(w->labels, "{\"id\":\"e%llu/0\",\"model\":\"m\",\"ts\":\"2026-01-%02lluT23:59:00Z\","
				        "\"label\":%d}\n", (unsigned long long)i, day, yes);
		}
		fprintf(w->records, "]}}\n");
		*rows += n;
	}
	fprintf(w->records, "{\"specversion\":\"1.0\",\"id\":\"z\",\"type\":\"t\",\"data\":{\"instances\":[]}}\n");
	history_written(w);
}

static void
no_commit_falls_into_a_batch(void **state)
{
	static struct tables expected;
	struct history w;
	uint64_t rows;
	(void)state;

	history_open(&w, CONFIGURATION);
	write_events(&w, &rows);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_tables(&w, &expected);
	assert_int_equal(history_count(&w, "SELECT predictions FROM joins"), rows);
	assert_int_equal(history_count(&w, "SELECT matched_ids FROM joins"), EVENTS - (EVENTS + ROWS - 1) / ROWS);
	assert_int_equal(history_count(&w, "SELECT n FROM statistics_total WHERE stream = 'feature:y'"), rows);
	assert_int_equal(history_count(&w, "SELECT sum(next_offset) FROM offsets"),
	                 2 * EVENTS + 1 + EVENTS - (EVENTS + ROWS - 1) / ROWS);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM rejected WHERE reason = 'envelope'"), 1);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts") > 0);
	for (uint64_t seed = 2; seed < 6; seed++) {
		history_run(&w, seed, seed % 2 ? 3 : 50, 30, 10);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

const struct CMUnitTest batches_tests[] = {
	TEST("batches/no_commit_falls_into_a_batch", no_commit_falls_into_a_batch),
	TESTS_END,
};
