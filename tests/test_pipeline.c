/* test_pipeline.c -- the promise of the whole path: commits, crashes and cuts change nothing in the database.
 *
 * A made-up history of two models (features that shift, predictions with intervals and classes, labels late,
 * twice, unknown and before their prediction, bad lines) is written into files and replayed: once with one
 * commit at the end, then with commits and crashes (everything in memory is dropped, the database is opened
 * again) at random places. All tables but runs, outbox, deliveries and commands must be the same, row by row.
 */
#include <stdio.h>

#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest pipeline_tests[];

enum { RECORDS = 9000, STEP_MS = 120000 };

static const char configuration[] =
	"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"retention: {window: 2d, hour: 4d}\n"
	"alerts: {budget: 10 per day}\n"
	"models:\n"
	"  - name: rent\n"
	"    reference: {from: first, records: 500, span: 2d}\n"
	"    windows: {width: 10m}\n"
	"    labels: {capacity: 2048, wait: 2d, lateness: 1h, revision: last}\n"
	"    coverage: {recalibrate: dtaci}\n"
	"  - name: click\n"
	"    reference: {from: first, records: 400, span: 1d}\n"
	"    windows: {records: 150}\n"
	"    min_effect: 0.2\n"
	"    coverage: {calibration: 500, recalibrate: aci}\n"
	"    labels: {wait: 2d}\n"
	"    performance: {accuracy: {at_least: 0.7}, brier: {at_most: 0.3}, calibration: {at_most: 0.05}}\n"
	"    detectors: {\"feature:z\": [conformal, {method: cusum, h: 6}, adwin], \"prediction:score\": [tolerant, "
	"{method: conformal, role: paging}, {method: sr-mean, m: 0.5}]}\n"
	"    streams: {v: {path: biz.v, at_most: 0.4, range: [-4, 4]}, k: biz.k}\n";

static void
write_record(FILE *f, int i, uint64_t *seed)
{
	double shift = i > RECORDS / 2 ? 0.8 : 0, x = history_normal(seed) + shift, y = history_normal(seed);
	long long ts = 1700000000000LL + (long long)i * STEP_MS;

	if (history_uniform(seed) < 0.01) {
		fprintf(f, "{\"broken\": %d\n", i);
		return;
	}
	if (i % 2) {
		fprintf(f, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"rent\",\"version\":\"%d\",\"features\":{\"x\":%.6f,"
		        "\"kind\":\"%c\",\"gap\":%s,\"turn\":%d},\"prediction\":{\"value\":%.4f,\"lower\":%.4f,\"upper\":%.4f,"
		        "\"level\":0.9},\"members\":{\"mu\":[%.4f,%.4f,%.4f],\"var\":[%.4f,1,0.5]}}\n",
		        history_uniform(seed) < 0.01 ? i / 2 : i, ts, i > 4000, x,
		        'a' + (int)(history_uniform(seed) * (i > 4500 ? 6 : 4)),
		        history_uniform(seed) < 0.05 ? "null" : "1.5", i % 4, y,
		        y - 1.6, y + 1.6, y, x, 0.5 * (x + y), 1 + x * x);
	} else {
		fprintf(f, "{\"id\":\"c%d\",\"ts\":%lld,\"model\":\"click\",\"features\":{\"z\":%.5f},\"prediction\":"
		        "{\"class\":\"%s\",\"probs\":{\"no\":%.3f,\"yes\":%.3f},\"set\":[\"yes\"],\"level\":0.8},"
		        "\"biz\":{\"v\":%.4f,\"k\":\"%c\"}}\n", i, ts, x * 10, x > 0 ? "yes" : "no",
		        x > 0 ? 0.25 : 0.75, x > 0 ? 0.75 : 0.25, y + shift, y > 1 ? 'p' : 'q');
	}
}

static void
write_label(FILE *f, int i, uint64_t *seed)
{
	/* i is the present; the label is of an earlier record, or of a later one */
	int of = i - (int)(history_uniform(seed) * 400) + 5;
	long long ts = 1700000000000LL + (long long)i * STEP_MS - (i % 7 == 0 ? STEP_MS : 0);

	if (of < 0 || history_uniform(seed) < 0.1)
		return;
	if (of % 2)
		fprintf(f, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"rent\",\"label\":%.4f}\n", of, ts,
		        history_normal(seed) * (of > RECORDS * 2 / 3 ? of % 4 == 1 ? 5 : 1.5 : 1));
	else
		fprintf(f, "{\"id\":\"c%d\",\"ts\":%lld,\"model\":\"click\",\"label\":\"%s\"}\n", of, ts,
		        history_uniform(seed) < 0.6 ? "yes" : "no");
}

static void
made_up_history(struct history *w)
{
	uint64_t seed = 77;

	history_open(w, configuration);
	for (int i = 0; i < RECORDS; i++) {
		write_record(w->records, i, &seed);
		write_label(w->labels, i, &seed);
	}
	history_written(w);
}

static void
any_crash_history_gives_the_same_tables(void **state)
{
	static struct tables expected;
	struct history w;

	(void)state;
	made_up_history(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_tables(&w, &expected);
	assert_true(expected.n > 10);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts") >= 3);
	assert_true(history_count(&w, "SELECT count(*) FROM rejected") >= 20);
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT phase) FROM explanations"), 2);
	assert_true(history_count(&w, "SELECT count(*) FROM recalibration") >= 10);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE kind = 'confidence'"), 1);
	assert_true(history_count(&w, "SELECT count(DISTINCT s.field) FROM alerts a JOIN streams s USING (stream_id)"
	                          " WHERE s.kind IN ('performance', 'calibration')") >= 3);
	assert_true(history_count(&w, "SELECT count(DISTINCT stream_id) FROM reference_cells") >= 4);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM (SELECT stream_id, count(*) AS n FROM "
	                                   "reference_cells"
	                       " GROUP BY 1) c JOIN (SELECT stream_id, max(window_ms) AS last FROM histograms"
	                       " GROUP BY 1) l USING (stream_id) JOIN histograms h ON h.stream_id = l.stream_id"
	                       " AND h.window_ms = l.last WHERE json_array_length(h.counts) <> c.n"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM separability WHERE abs(rank_correlation) < 1"), 2);
	assert_true(history_count(&w, "SELECT n FROM counters WHERE name = 'matched_ids' ORDER BY n LIMIT 1") > 500);
	for (uint64_t seed = 2; seed < 8; seed++) {
		history_run(&w, seed, seed % 2 ? 40 : 700, 40, 12);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

const struct CMUnitTest pipeline_tests[] = {
	TEST("pipeline/any_crash_history_gives_the_same_tables", any_crash_history_gives_the_same_tables),
	TESTS_END,
};
