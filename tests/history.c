/* history.c -- see history.h. */
#include "tests/history.h"

#include <math.h>
#include <sqlite3.h>
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

double
history_uniform(uint64_t *seed)
{
	return (double)(fixture_random(seed) >> 11) * 0x1p-53;
}

double
history_normal(uint64_t *seed)
{
	return sqrt(-2 * log(history_uniform(seed) + 1e-300)) * cos(6.283185307179586 * history_uniform(seed));
}

void
history_configure(struct history *w, const char *configuration)
{
	struct diag d = { "" };

	config_free(w->config);
	if (config_parse(&w->config, configuration, strlen(configuration), "test.yaml", stderr, &d))
		fail_msg("%s", d.text);
}

void
history_open(struct history *w, const char *configuration)
{
	log_set_level(LOG_ERROR);
	memset(w, 0, sizeof *w);
	strcpy(w->folder, "/tmp/driftd-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->record, sizeof w->record, "%s/records", w->folder);
	snprintf(w->label, sizeof w->label, "%s/labels", w->folder);
	snprintf(w->database, sizeof w->database, "%s/test.db", w->folder);
	w->records = fopen(w->record, "w");
	w->labels = fopen(w->label, "w");
	assert_true(w->records && w->labels);
	history_configure(w, configuration);
}

void
history_written(struct history *w)
{
	if (w->records)
		fclose(w->records);
	if (w->labels)
		fclose(w->labels);
	w->records = w->labels = NULL;
}

static void
remove_database(const struct history *w)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s%s", w->database, suffix[i]);
		unlink(path);
	}
}

void
history_close(struct history *w)
{
	history_written(w);
	remove_database(w);
	unlink(w->record);
	unlink(w->label);
	rmdir(w->folder);
	config_free(w->config);
}

void
history_start(struct running *r, const struct history *w, bool fresh)
{
	char *const file[] = { (char *)(uintptr_t)w->record, (char *)(uintptr_t)w->label };
	struct diag d = { "" };
	size_t resumes;
	const struct resume *resume;

	if (fresh)
		remove_database(w);
	if (store_open(&r->store, w->database, fresh ? STORE_CREATE : STORE_APPEND, w->config->id_hash_key, &d) ||
	    pipeline_create(&r->pipeline, w->config, r->store, &d))
		fail_msg("%s", d.text);
	resume = pipeline_resume(r->pipeline, &resumes);
	if (source_file_open(&r->source, file, 2, pipeline_decoder(r->pipeline), resume, resumes, &d) ||
	    pipeline_attach(r->pipeline, r->source, &d))
		fail_msg("%s", d.text);
}

void
history_step(struct running *r, uint32_t records)
{
	pipeline_step(r->pipeline, records, 0);
}

void
history_commit(struct running *r)
{
	struct diag d = { "" };

	if (pipeline_commit(r->pipeline, &d))
		fail_msg("%s", d.text);
}

void
history_end(struct running *r)
{
	while (pipeline_step(r->pipeline, 4096, 0) != PIPELINE_END)
		;
	pipeline_put_open_windows(r->pipeline);
	history_commit(r);
}

void
history_drop(struct running *r)
{
	pipeline_destroy(r->pipeline);
	r->source->vtable->close(r->source);
	store_close(r->store);
}

/* Hash of each table by content, in the order of their names. */
void
history_tables(const struct history *w, struct tables *out)
{
	sqlite3 *db;
	sqlite3_stmt *list, *q;
	size_t n = 0;

	assert_int_equal(sqlite3_open(w->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN"
	                 " ('runs', 'outbox', 'deliveries', 'commands') AND name NOT LIKE 'sqlite%' ORDER BY "
	                 "name", -1, &list,
	                 NULL), SQLITE_OK);
	while (sqlite3_step(list) == SQLITE_ROW) {
		uint64_t *hash = &out->hash[n];
		char sql[128];

		assert_true(n < HISTORY_TABLES);
		snprintf(out->name[n], 64, "%s", (const char *)sqlite3_column_text(list, 0));
		snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2, 3, 4", out->name[n]);
		for (char *last = strrchr(sql, '4'); sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK;) {
			last[-2] = 0; /* a table of fewer columns */
			last -= 3;
		}
		*hash = 0;
		while (sqlite3_step(q) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(q); c++) {
				double real = sqlite3_column_double(q, c);
				int type = sqlite3_column_type(q, c);

				*hash = XXH64(&type, sizeof type, *hash);
				if (type == SQLITE_FLOAT)
					*hash = XXH64(&real, sizeof real, *hash);
				else if (sqlite3_column_bytes(q, c))
					*hash = XXH64(sqlite3_column_blob(q, c), (size_t)sqlite3_column_bytes(q, c),
					              *hash);
			}
		sqlite3_finalize(q);
		n++;
	}
	sqlite3_finalize(list);
	sqlite3_close(db);
	out->n = n;
}

void
history_same(const struct history *w, const struct tables *expected, uint64_t seed)
{
	static struct tables got;

	history_tables(w, &got);
	assert_int_equal(got.n, expected->n);
	for (size_t i = 0; i < got.n; i++)
		if (got.hash[i] != expected->hash[i])
			fail_msg("table %s differs after the run of seed %d", got.name[i], (int)seed);
}

/* commit, crash: chances of each after every step, in 1/100. */
void
history_run(const struct history *w, uint64_t seed, uint32_t step, int commit, int crash)
{
	struct running r;
	struct diag d = { "" };
	enum pipeline_step result;

	history_start(&r, w, true);
	do {
		result = pipeline_step(r.pipeline, 1 + (uint32_t)(fixture_random(&seed) % step), 0);
		if ((int)(fixture_random(&seed) % 100) < commit && pipeline_commit(r.pipeline, &d))
			fail_msg("%s", d.text);
		if ((int)(fixture_random(&seed) % 100) < crash) {
			history_drop(&r);
			history_start(&r, w, false);
			result = PIPELINE_MORE;
		}
	} while (result != PIPELINE_END);
	pipeline_put_open_windows(r.pipeline);
	if (pipeline_commit(r.pipeline, &d))
		fail_msg("%s", d.text);
	history_drop(&r);
}

void
history_replay(struct history *w, const char *configuration)
{
	struct running r;

	fflush(w->records);
	history_configure(w, configuration);
	history_start(&r, w, true);
	history_end(&r);
	history_drop(&r);
}

void
history_replay_with(struct history *w, const char *first, const char *then, uint32_t after)
{
	struct running r;

	fflush(w->records);
	history_configure(w, first);
	history_start(&r, w, true);
	history_step(&r, after);
	history_commit(&r);
	history_drop(&r);
	history_configure(w, then);
	history_start(&r, w, false);
	history_end(&r);
	history_drop(&r);
}

struct answer {
	int64_t integer;
	double real;
	char text[4096];
};

/* First column of the first row. */
static void
ask(const struct history *w, const char *sql, struct answer *out)
{
	sqlite3 *db;
	sqlite3_stmt *q;

	*out = (struct answer){ -1, (double)NAN, "" };
	assert_int_equal(sqlite3_open(w->database, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(q) == SQLITE_ROW) {
		out->integer = sqlite3_column_int64(q, 0);
		if (sqlite3_column_type(q, 0) != SQLITE_NULL) {
			out->real = sqlite3_column_double(q, 0);
			snprintf(out->text, sizeof out->text, "%s", (const char *)sqlite3_column_text(q, 0));
		}
	}
	sqlite3_finalize(q);
	sqlite3_close(db);
}

int64_t
history_count(const struct history *w, const char *sql)
{
	struct answer a;

	ask(w, sql, &a);
	return a.integer;
}

double
history_real(const struct history *w, const char *sql)
{
	struct answer a;

	ask(w, sql, &a);
	return a.real;
}

const char *
history_text(const struct history *w, const char *sql, char *out, size_t size)
{
	struct answer a;

	ask(w, sql, &a);
	snprintf(out, size, "%s", a.text);
	return out;
}
