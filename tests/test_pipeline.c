/* test_pipeline.c -- the promise of the whole path: commits, crashes and cuts change nothing in the database.
 *
 * A made-up history of two models (features that shift, predictions with intervals and classes, labels late,
 * twice, unknown and before their prediction, bad lines) is written into files and replayed: once with one
 * commit at the end, then with commits and crashes (everything in memory is dropped, the database is opened
 * again) at random places. All tables but runs, outbox and commands must be the same, row by row.
 */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/log.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"
#include "tests/fixture.h"
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
	"  - name: click\n"
	"    reference: {from: first, records: 400, span: 1d}\n"
	"    windows: {records: 150}\n"
	"    min_effect: 0.2\n"
	"    coverage: {calibration: 500}\n";

struct world {
	char folder[64], record[96], label[96], database[96];
	struct config *config;
};

static double
uniform(uint64_t *seed)
{
	return (double)(fixture_random(seed) >> 11) * 0x1p-53;
}

static double
normal(uint64_t *seed)
{
	return sqrt(-2 * log(uniform(seed) + 1e-300)) * cos(6.283185307179586 * uniform(seed));
}

static void
write_record(FILE *f, int i, uint64_t *seed)
{
	double shift = i > RECORDS / 2 ? 0.8 : 0, x = normal(seed) + shift, y = normal(seed);
	long long ts = 1700000000000LL + (long long)i * STEP_MS;

	if (uniform(seed) < 0.01) {
		fprintf(f, "{\"broken\": %d\n", i);
		return;
	}
	if (i % 2) {
		fprintf(f, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"rent\",\"version\":\"%d\",\"features\":{\"x\":%.6f,"
		        "\"kind\":\"%c\",\"gap\":%s},\"prediction\":{\"value\":%.4f,\"lower\":%.4f,\"upper\":%.4f,"
		        "\"level\":0.9}}\n", uniform(seed) < 0.01 ? i / 2 : i, ts, i > 4000, x,
		        'a' + (int)(uniform(seed) * (i > 4500 ? 6 : 4)), uniform(seed) < 0.05 ? "null" : "1.5", y,
		        y - 1.6, y + 1.6);
	} else {
		fprintf(f, "{\"id\":\"c%d\",\"ts\":%lld,\"model\":\"click\",\"features\":{\"z\":%.5f},\"prediction\":"
		        "{\"class\":\"%s\",\"probs\":{\"no\":%.3f,\"yes\":%.3f},\"set\":[\"yes\"],\"level\":0.8}}\n", i, ts,
		        x * 10, x > 0 ? "yes" : "no", x > 0 ? 0.25 : 0.75, x > 0 ? 0.75 : 0.25);
	}
}

static void
write_label(FILE *f, int i, uint64_t *seed)
{
	/* i is the present; the label is of an earlier record, or of a later one */
	int of = i - (int)(uniform(seed) * 400) + 5;
	long long ts = 1700000000000LL + (long long)i * STEP_MS - (i % 7 == 0 ? STEP_MS : 0);

	if (of < 0 || uniform(seed) < 0.1)
		return;
	if (of % 2)
		fprintf(f, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"rent\",\"label\":%.4f}\n", of, ts,
		        normal(seed) * (of > RECORDS * 2 / 3 ? 2.5 : 1));
	else
		fprintf(f, "{\"id\":\"c%d\",\"ts\":%lld,\"model\":\"click\",\"label\":\"%s\"}\n", of, ts,
		        uniform(seed) < 0.6 ? "yes" : "no");
}

static void
world_open(struct world *w)
{
	uint64_t seed = 77;
	struct diag d = { "" };
	FILE *record, *label;

	log_set_level(LOG_ERROR);
	strcpy(w->folder, "/tmp/driftd-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->record, sizeof w->record, "%s/records", w->folder);
	snprintf(w->label, sizeof w->label, "%s/labels", w->folder);
	snprintf(w->database, sizeof w->database, "%s/test.db", w->folder);
	record = fopen(w->record, "w");
	label = fopen(w->label, "w");
	assert_true(record && label);
	for (int i = 0; i < RECORDS; i++) {
		write_record(record, i, &seed);
		write_label(label, i, &seed);
	}
	fclose(record);
	fclose(label);
	if (config_parse(&w->config, configuration, strlen(configuration), "test.yaml", stderr, &d))
		fail_msg("%s", d.text);
}

static void
remove_database(const struct world *w)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s%s", w->database, suffix[i]);
		unlink(path);
	}
}

static void
world_close(struct world *w)
{
	remove_database(w);
	unlink(w->record);
	unlink(w->label);
	rmdir(w->folder);
	config_free(w->config);
}

struct running {
	struct store *store;
	struct pipeline *pipeline;
	struct source *source;
};

static void
start(struct running *r, const struct world *w, bool fresh)
{
	char *const file[] = { (char *)(uintptr_t)w->record, (char *)(uintptr_t)w->label };
	struct diag d = { "" };
	size_t resumes;
	const struct resume *resume;

	if (store_open(&r->store, w->database, fresh ? STORE_CREATE : STORE_APPEND, w->config->id_hash_key, &d) ||
	    pipeline_create(&r->pipeline, w->config, r->store, &d))
		fail_msg("%s", d.text);
	resume = pipeline_resume(r->pipeline, &resumes);
	if (source_file_open(&r->source, file, 2, pipeline_decoder(r->pipeline), resume, resumes, &d) ||
	    pipeline_attach(r->pipeline, r->source, &d))
		fail_msg("%s", d.text);
}

static void
drop(struct running *r)
{
	pipeline_destroy(r->pipeline);
	r->source->vtable->close(r->source);
	store_close(r->store);
}

/* Hash of each table by content, in the order of their names. */
static size_t
tables(const struct world *w, char name[40][64], uint64_t hash[40])
{
	sqlite3 *db;
	sqlite3_stmt *list, *q;
	size_t n = 0;

	assert_int_equal(sqlite3_open(w->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN"
	                 " ('runs', 'outbox', 'commands') AND name NOT LIKE 'sqlite%' ORDER BY name", -1, &list,
	                 NULL), SQLITE_OK);
	while (sqlite3_step(list) == SQLITE_ROW) {
		char sql[128];

		snprintf(name[n], 64, "%s", (const char *)sqlite3_column_text(list, 0));
		snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2, 3, 4", name[n]);
		for (char *last = strrchr(sql, '4'); sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK;) {
			last[-2] = 0; /* a table of fewer columns */
			last -= 3;
		}
		hash[n] = 0;
		while (sqlite3_step(q) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(q); c++) {
				double real = sqlite3_column_double(q, c);
				int type = sqlite3_column_type(q, c);

				hash[n] = XXH64(&type, sizeof type, hash[n]);
				if (type == SQLITE_FLOAT)
					hash[n] = XXH64(&real, sizeof real, hash[n]);
				else if (sqlite3_column_bytes(q, c))
					hash[n] = XXH64(sqlite3_column_blob(q, c), (size_t)sqlite3_column_bytes(q, c),
					                hash[n]);
			}
		sqlite3_finalize(q);
		n++;
	}
	sqlite3_finalize(list);
	sqlite3_close(db);
	return n;
}

/* commit, crash: chances of each after every step, in 1/100. */
static void
run(const struct world *w, uint64_t seed, uint32_t step, int commit, int crash)
{
	struct running r;
	struct diag d = { "" };
	enum pipeline_step result;

	remove_database(w);
	start(&r, w, true);
	do {
		result = pipeline_step(r.pipeline, 1 + (uint32_t)(fixture_random(&seed) % step), 0);
		if ((int)(fixture_random(&seed) % 100) < commit && pipeline_commit(r.pipeline, &d))
			fail_msg("%s", d.text);
		if ((int)(fixture_random(&seed) % 100) < crash) {
			drop(&r);
			start(&r, w, false);
			result = PIPELINE_MORE;
		}
	} while (result != PIPELINE_END);
	pipeline_put_open_windows(r.pipeline);
	if (pipeline_commit(r.pipeline, &d))
		fail_msg("%s", d.text);
	drop(&r);
}

static int64_t
count(const struct world *w, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	int64_t n = -1;

	sqlite3_open(w->database, &db);
	sqlite3_prepare_v2(db, sql, -1, &q, NULL);
	if (sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

static void
any_crash_history_gives_the_same_tables(void **state)
{
	static char name[40][64], again[40][64];
	static uint64_t expected[40], got[40];
	struct world w;
	size_t n;

	(void)state;
	world_open(&w);
	run(&w, 1, 1u << 20, 0, 0);
	n = tables(&w, name, expected);
	assert_true(n > 10);
	assert_true(count(&w, "SELECT count(*) FROM alerts") >= 3);
	assert_true(count(&w, "SELECT count(*) FROM rejected") >= 20);
	assert_true(count(&w, "SELECT count(DISTINCT stream_id) FROM reference_cells") >= 4);
	assert_int_equal(count(&w, "SELECT count(*) FROM (SELECT stream_id, count(*) AS n FROM reference_cells"
	                       " GROUP BY 1) c JOIN (SELECT stream_id, max(window_ms) AS last FROM histograms"
	                       " GROUP BY 1) l USING (stream_id) JOIN histograms h ON h.stream_id = l.stream_id"
	                       " AND h.window_ms = l.last WHERE json_array_length(h.counts) <> c.n"), 0);
	assert_true(count(&w, "SELECT n FROM counters WHERE name = 'matched_ids' ORDER BY n LIMIT 1") > 500);
	for (uint64_t seed = 2; seed < 8; seed++) {
		run(&w, seed, seed % 2 ? 40 : 700, 40, 12);
		assert_int_equal(tables(&w, again, got), n);
		for (size_t i = 0; i < n; i++)
			if (got[i] != expected[i])
				fail_msg("table %s differs after the crashes of seed %d", name[i], (int)seed);
	}
	world_close(&w);
}

const struct CMUnitTest pipeline_tests[] = {
	TEST("pipeline/any_crash_history_gives_the_same_tables", any_crash_history_gives_the_same_tables),
	TESTS_END,
};
