/* test_gaps.c -- records that can never be read are told of once, whatever happens in between. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/decode/decode.h"
#include "monitor/pipeline.h"
#include "storage/store.h"
#include "tests/fake_source.h"
#include "tests/tests.h"

enum { RECORDS = 100, GAP_FROM = 40, GAP_TO = 50 };

static const char configuration[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
                                    "topics: {records: [\"t*\"]}\nmodels: [{name: m}]\n";

struct running {
	struct config *config;
	struct store *store;
	struct pipeline *pipeline;
	struct fake source;
	struct fake_partition partition;
};

static int64_t
count(struct running *r, const char *sql)
{
	sqlite3_stmt *q;
	int64_t n = -1;

	sqlite3_prepare_v2(store_handle(r->store), sql, -1, &q, NULL);
	if (sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* Resumes where the database says, and finds the gap again: it lies behind that place. */
static void
start(struct running *r, const char *database, const int64_t *ts, const struct source_event *gap)
{
	struct diag d = { "" };
	const struct resume *resume;
	size_t n;

	memset(r, 0, sizeof *r);
	if (config_parse(&r->config, configuration, strlen(configuration), "test", stderr, &d) ||
	    store_open(&r->store, database, STORE_DAEMON, r->config->id_hash_key, &d) ||
	    pipeline_create(&r->pipeline, r->config, r->store, &d))
		fail_msg("%s", d.text);
	assert_int_equal(decoder_profile(pipeline_decoder(r->pipeline), "t"), 0);
	fake_open(&r->source, &r->partition, 1, &ts, RECORDS);
	r->partition.arrived = RECORDS;
	resume = pipeline_resume(r->pipeline, &n);
	r->partition.taken = n ? resume[0].next_offset : 0;
	r->source.event = r->partition.taken < GAP_TO ? gap : NULL;
	assert_int_equal(pipeline_attach(r->pipeline, &r->source.base, &d), 0);
}

static void
commit(struct running *r)
{
	struct diag d = { "" };

	if (pipeline_commit(r->pipeline, &d))
		fail_msg("%s", d.text);
}

static void
drop(struct running *r)
{
	pipeline_destroy(r->pipeline);
	store_close(r->store);
	config_free(r->config);
}

static void
a_gap_is_told_once_whatever_the_crashes(void **state)
{
	static const char rows[] = "SELECT count(*) FROM gaps";
	const struct source_event gap = { .kind = SOURCE_GAP, .from = GAP_FROM, .to = GAP_TO,
		                          .reason = "corrupt", .text = "could not be read" };
	char folder[] = "/tmp/driftd-test-XXXXXX", database[96], file[128];
	struct running r;
	int64_t ts[RECORDS];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(database, sizeof database, "%s/gaps.db", folder);
	for (int i = 0; i < RECORDS; i++)
		ts[i] = 1700000000000 + i * 1000;
	for (int crash = 0; crash < 2; crash++) {
		start(&r, database, ts, &gap);
		pipeline_step(r.pipeline, 10, 0);
		commit(&r);
		assert_int_equal(count(&r, rows), 0); /* records before it are still to come */
		drop(&r);
	}
	start(&r, database, ts, &gap);
	while (pipeline_step(r.pipeline, 30, 0) == PIPELINE_MORE)
		commit(&r);
	commit(&r);
	assert_int_equal(count(&r, rows), 1);
	assert_int_equal(count(&r, "SELECT count(*) FROM alerts WHERE kind = 'gap'"), 1);
	drop(&r);
	start(&r, database, ts, &gap);
	assert_int_equal(count(&r, rows), 1);
	drop(&r);
	for (int i = 0; i < 4; i++) {
		static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };

		snprintf(file, sizeof file, "%s%s", database, suffix[i]);
		unlink(file);
	}
	assert_int_equal(rmdir(folder), 0);
}

extern const struct CMUnitTest gaps_tests[];
const struct CMUnitTest gaps_tests[] = {
	TEST("gaps/a_gap_is_told_once_whatever_the_crashes", a_gap_is_told_once_whatever_the_crashes),
	TESTS_END,
};
