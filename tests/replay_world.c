/* replay_world.c -- see replay_world.h. */
#include "tests/replay_world.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/log.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"
#include "tests/fixture.h"
#include "tests/tests.h"

double
replay_uniform(uint64_t *seed)
{
	return (double)(fixture_random(seed) >> 11) * 0x1p-53;
}

double
replay_normal(uint64_t *seed)
{
	return sqrt(-2 * log(replay_uniform(seed) + 1e-300)) * cos(6.283185307179586 * replay_uniform(seed));
}

void
replay_open(struct replay_world *w)
{
	log_set_level(LOG_ERROR);
	strcpy(w->folder, "/tmp/driftd-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->record, sizeof w->record, "%s/records", w->folder);
	snprintf(w->database, sizeof w->database, "%s/test.db", w->folder);
	w->out = fopen(w->record, "w");
	assert_non_null(w->out);
}

static void
remove_database(const struct replay_world *w)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s%s", w->database, suffix[i]);
		unlink(path);
	}
}

void
replay_close(struct replay_world *w)
{
	fclose(w->out);
	remove_database(w);
	unlink(w->record);
	rmdir(w->folder);
}

/* Up to `records` of them, 0 = all, then a commit; the database is continued unless it is fresh. */
static void
play(const struct replay_world *w, const char *configuration, bool fresh, uint32_t records)
{
	char *const file[] = { (char *)(uintptr_t)w->record };
	struct config *config;
	struct store *store;
	struct pipeline *p;
	struct source *source;
	const struct resume *resume;
	size_t resumes;
	struct diag d = { "" };

	fflush(w->out);
	if (config_parse(&config, configuration, strlen(configuration), "test.yaml", stderr, &d) ||
	    store_open(&store, w->database, fresh ? STORE_CREATE : STORE_APPEND, config->id_hash_key, &d) ||
	    pipeline_create(&p, config, store, &d))
		fail_msg("%s", d.text);
	resume = pipeline_resume(p, &resumes);
	if (source_file_open(&source, file, 1, pipeline_decoder(p), resume, resumes, &d) ||
	    pipeline_attach(p, source, &d))
		fail_msg("%s", d.text);
	while (pipeline_step(p, records ? records : 4096, 0) != PIPELINE_END)
		if (records)
			break;
	if (!records)
		pipeline_put_open_windows(p);
	if (pipeline_commit(p, &d))
		fail_msg("%s", d.text);
	pipeline_destroy(p);
	source->vtable->close(source);
	store_close(store);
	config_free(config);
}

void
replay_run(struct replay_world *w, const char *configuration)
{
	remove_database(w);
	play(w, configuration, true, 0);
}

void
replay_run_with(struct replay_world *w, const char *first, const char *then, uint32_t after)
{
	remove_database(w);
	play(w, first, true, after);
	play(w, then, false, 0);
}

struct answer {
	int64_t integer;
	double real;
	char text[2000];
	bool found;
};

static void
ask(const struct replay_world *w, const char *sql, struct answer *out)
{
	sqlite3 *db;
	sqlite3_stmt *q;

	*out = (struct answer){ -1, (double)NAN, "", false };
	assert_int_equal(sqlite3_open(w->database, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL) {
		out->found = true;
		out->integer = sqlite3_column_int64(q, 0);
		out->real = sqlite3_column_double(q, 0);
		snprintf(out->text, sizeof out->text, "%s", (const char *)sqlite3_column_text(q, 0));
	}
	sqlite3_finalize(q);
	sqlite3_close(db);
}

int64_t
replay_int(const struct replay_world *w, const char *sql)
{
	struct answer a;

	ask(w, sql, &a);
	return a.integer;
}

double
replay_real(const struct replay_world *w, const char *sql)
{
	struct answer a;

	ask(w, sql, &a);
	return a.real;
}

const char *
replay_text(const struct replay_world *w, const char *sql, char *out, size_t size)
{
	struct answer a;

	ask(w, sql, &a);
	snprintf(out, size, "%s", a.text);
	return out;
}
