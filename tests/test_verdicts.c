/* test_verdicts.c -- suite `verdicts`: out-of-distribution scores in the whole path. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>
#include <xxhash.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/ood/verdict_topic.h"
#include "monitor/pipeline.h"
#include "storage/refs.h"
#include "storage/store.h"
#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest verdicts_tests[];

enum { STEP_MS = 60000, DIMENSION = 6, CLASSES = 3 };

static const char configuration[] =
	"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 1 per day}\n"
	"retention: {window: 1d, hour: 2d}\n"
	"models:\n"
	"  - name: m\n"
	"    segments: [country]\n"
	"    labels: off\n"
	"    reference: {records: 1000, span: 1d}\n"
	"    ood: {records: 1200, extremes: 5, by: class}\n";

/* Three clusters; `strange`: far from all of them. Every 50th record is odd in one way or another. */
static void
write_record(struct history *w, int i, bool strange, uint64_t *seed)
{
	int class = (int)(history_uniform(seed) * CLASSES);
	double x[DIMENSION];

	for (int k = 0; k < DIMENSION; k++)
		x[k] = history_normal(seed) + (strange ? -3 : k == class ? 4 : 0);
	fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%d\",\"segment\":{\"country\":"
	        "\"%c\"},\"prediction\":{\"class\":\"%c\"},\"logits\":[%.4f,%.4f,%.4f],\"embedding\":[%.4f,%.4f,%.4f,"
	        "%.4f,%.4f,%.4f%s]}\n", i, 1700000000000LL + (long long)i * STEP_MS, i % 900 == 899, i % 3 ? 'N' : 'B',
	        'a' + class, x[0], x[1], x[2], x[0], x[1], x[2], x[3], x[4], x[5],
	        i % 50 == 7 ? ",1" : i % 50 == 8 ? ",NaN" : "");
}

static void
write_history(struct history *w, const char *yaml, int records, int strange_from, double share)
{
	uint64_t seed = 11;

	history_open(w, yaml);
	for (int i = 0; i < records; i++)
		write_record(w, i, i >= strange_from && history_uniform(&seed) < share, &seed);
	history_written(w);
}

static void
any_crash_history_gives_the_same_verdicts(void **state)
{
	static struct tables expected;
	struct history w;

	(void)state;
	write_history(&w, configuration, 5200, 3600, 0.2);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_tables(&w, &expected);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM ood_refs"), 1);
	assert_true(history_count(&w, "SELECT count(*) FROM ood_extremes WHERE p < 0.01") > 20);
	assert_true(history_count(&w, "SELECT count(*) FROM ood_windows") > 500);
	assert_true(history_count(&w, "SELECT sum(discoveries) FROM ood_windows WHERE width_ms = 86400000") > 100);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id)"
	                              " WHERE name LIKE 'ood:panel%' AND promise = 'certified'") >= 1);
	for (uint64_t seed = 1; seed <= 4; seed++) {
		history_run(&w, seed, 61, 30, 20);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

static void
records_like_the_reference_stay_silent(void **state)
{
	struct history w;
	double rate;

	(void)state;
	write_history(&w, configuration, 9000, 9000, 0);
	history_run(&w, 1, 1u << 20, 0, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id)"
	                                   " WHERE name LIKE 'ood:panel%'"), 0);
	rate = history_real(&w, "SELECT 1.0 * sum(flagged) / sum(n) FROM ood_windows WHERE width_ms = 86400000 AND"
	                        " segment = ''");
	assert_true(rate < 0.02); /* alpha 0.01, 300 ranking records: 95 % of such references are below 0.024 */
	history_close(&w);
}

/* Counted by reason, the rest of the record used as ever. */
static void
odd_embeddings_are_counted_and_left_out(void **state)
{
	struct history w;

	(void)state;
	write_history(&w, configuration, 3000, 3000, 0);
	history_run(&w, 1, 1u << 20, 0, 0);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'embedding_changed'"), 60);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'embedding_nonfinite'"), 60);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'predictions'"), 3000);
	assert_int_equal(history_count(&w, "SELECT sum(o.n) FROM ood_windows o WHERE width_ms = 86400000 AND"
	                                   " segment = ''"),
	                 history_count(&w, "SELECT sum(n) FROM statistics JOIN streams USING (stream_id)"
	                                   " WHERE name LIKE 'ood:panel%'"));
	history_close(&w);
}

/* The same row again and again: what ranks is what was fitted. */
static void
a_reference_that_repeats_itself_is_refused(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, configuration);
	for (int i = 0; i < 4000; i++)
		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"m\",\"logits\":[%d,1,0]}\n", i,
		        1700000000000LL + (long long)i * STEP_MS, i % 4);
	history_written(&w);
	history_run(&w, 3, 100, 30, 20);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM ood_refs"), 0);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'records'"), 4000);
	history_close(&w);
}

/* More versions than are scored: the first ones make room, and stay what they are after a restart. */
static void
the_oldest_version_is_scored_no_more(void **state)
{
	static const char yaml[] =
		"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"models:\n  - name: m\n    labels: off\n    reference: {records: 200, span: 4h}\n"
		"    ood: {records: 300, panel: [maxlogit]}\n";
	enum { VERSIONS = LIMIT_OOD_VERSIONS + 2, EACH = 260 };
	static struct tables expected;
	struct history w;
	uint64_t seed = 4;

	(void)state;
	history_open(&w, yaml);
	for (int i = 0; i < VERSIONS * EACH + 50; i++)
		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%d\",\"prediction\":{\"class\":"
		        "\"a\"},\"logits\":[%.4f,%.4f]}\n", i, 1700000000000LL + (long long)i * STEP_MS,
		        i < VERSIONS * EACH ? i / EACH : i % 3 ? 1 : VERSIONS - 1, history_normal(&seed), history_normal(&seed));
	history_written(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM ood_refs"), VERSIONS);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM chunks WHERE owner = 'ood'"), LIMIT_OOD_VERSIONS);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'ood_refused'"), 33);
	history_tables(&w, &expected);
	for (uint64_t run = 2; run < 4; run++) {
		history_run(&w, run, 97, 20, 10);
		history_same(&w, &expected, run);
	}
	history_close(&w);
}

/* Tables: features count when they are asked for, and the reason names one. */
static void
features_are_scored_and_named(void **state)
{
	static const char yaml[] =
		"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"models:\n  - name: m\n    labels: off\n    reference: {records: 1000, span: 1d}\n"
		"    ood: {features: true, records: 1200}\n";
	struct history w;
	uint64_t seed = 4;
	char text[64];

	(void)state;
	history_open(&w, yaml);
	for (int i = 0; i < 2500; i++)
		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"m\",\"features\":{\"a\":%.4f,\"b\":%.4f,"
		        "\"k\":\"x\",\"c\":%.4f}}\n", i, 1700000000000LL + (long long)i * STEP_MS,
		        history_normal(&seed), history_normal(&seed) + (i == 2400 ? 30 : 0), history_normal(&seed));
	history_written(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	assert_string_equal(history_text(&w, "SELECT scores FROM ood_refs", text, sizeof text), "maha knn");
	assert_string_equal(history_text(&w, "SELECT id FROM label_next LIMIT 1", text, sizeof text), "2400");
	assert_string_equal(history_text(&w, "SELECT feature FROM label_next LIMIT 1", text, sizeof text), "b");
	history_close(&w);
}

/* Other scores of the same reference: the streams begin again, nothing else is lost. */
static void
other_scores_need_no_other_reference(void **state)
{
	static const char other[] =
		"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"models:\n  - name: m\n    segments: [country]\n    labels: off\n"
		"    reference: {records: 1000, span: 1d}\n    ood: {records: 1200, panel: [maxlogit, vim]}\n";
	struct history w;
	char text[64];

	(void)state;
	write_history(&w, configuration, 3000, 3000, 0);
	history_replay_with(&w, configuration, other, 2000);
	assert_string_equal(history_text(&w, "SELECT scores FROM ood_refs", text, sizeof text), "maxlogit vim");
	assert_true(history_count(&w, "SELECT sum(n) FROM ood_windows WHERE width_ms = 86400000 AND segment = ''") > 1200);
	history_close(&w);
}

/* What those who gate are told, as one number. */
struct told {
	uint64_t hash, n, out;
};

static void
tell(void *context, const struct verdict_out *v)
{
	struct told *t = context;
	struct { double p, score, member; uint64_t before; } link = { v->p, v->score, v->member[v->reason], t->hash };

	t->hash = XXH64(&link, sizeof link, 0);
	t->hash = XXH64(v->id, v->id_length, t->hash);
	t->n++;
	t->out += v->out;
}

static void
verdicts_do_not_depend_on_steps(void **state)
{
	static const char yaml[] =
		"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"models:\n  - name: m\n    labels: off\n    reference: {records: 1000, span: 1d}\n"
		"    ood: {records: 1200, verdicts: gate}\n";
	static const uint32_t steps[] = { 1, 7, 4096 };
	struct told told[3] = { { 0, 0, 0 } };
	struct history w;
	(void)state;

	write_history(&w, yaml, 2600, 2000, 0.3);
	for (int i = 0; i < 3; i++) {
		struct running r;

		history_start(&r, &w, true);
		pipeline_on_verdict(r.pipeline, tell, &told[i]);
		for (uint32_t at = 0; at < 2600; at += steps[i])
			history_step(&r, steps[i]);
		history_end(&r);
		history_drop(&r);
	}
	assert_true(told[0].n > 1000);
	assert_true(told[0].hash == told[1].hash && told[1].hash == told[2].hash);
	assert_int_equal(told[2].n, history_count(&w, "SELECT sum(n) FROM ood_windows WHERE width_ms = 86400000"));
	assert_int_equal(told[2].out, history_count(&w, "SELECT sum(flagged) FROM ood_windows WHERE width_ms ="
	                                                " 86400000"));
	history_close(&w);
}

static void
references_are_listed_and_compared(void **state)
{
	static const char yaml[] =
		"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"models:\n  - name: m\n    labels: off\n    reference: {records: 1000, span: 10h}\n";
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct history w;
	uint64_t seed = 8;
	char *text = NULL;
	size_t length;
	FILE *out;
	(void)state;

	history_open(&w, yaml);
	for (int i = 0; i < 2500; i++)
		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%d\",\"logits\":[%.4f,%.4f%s"
		        "]}\n", i, 1700000000000LL + (long long)i * STEP_MS, i % 2, history_normal(&seed),
		        history_normal(&seed), i % 2 ? ",0" : "");
	history_written(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	out = open_memstream(&text, &length);
	assert_int_equal(store_open_reader(&db, w.database, &d), 0);
	assert_int_equal(refs_list(db, out, false, &d), 0);
	assert_int_equal(refs_list(db, out, true, &d), 0);
	assert_int_equal(refs_ood_diff(db, out, "m", "0", "1", false, &d), 0);
	assert_int_equal(refs_ood_diff(db, out, "m", "0", "0", false, &d), 0);
	assert_int_equal(refs_ood_diff(db, out, "m", "0", "2", false, &d), ERR_MISSING);
	fclose(out);
	assert_non_null(strstr(text, "logits[2]  gen energy"));
	assert_non_null(strstr(text, "weak: logits alone"));
	assert_non_null(strstr(text, "inputs"));
	assert_non_null(strstr(text, "the same"));
	free(text);
	sqlite3_close(db);
	history_close(&w);
}

/* Whoever names versions cannot ask for a reference each. */
static void
versions_that_learn_are_limited(void **state)
{
	struct history w;
	(void)state;

	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n");
	for (int i = 0; i < 200; i++)
		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%d,\"model\":\"m\",\"version\":\"%d\",\"embedding\":[1,%d]}\n", i,
		        i * 1000, i % 20, i);
	history_written(&w);
	history_run(&w, 2, 40, 30, 20);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE field = 'panel'"), LIMIT_OOD_LEARNING);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'ood_refused'"),
	                 200 / 20 * (20 - LIMIT_OOD_LEARNING));
	history_close(&w);
}

const struct CMUnitTest verdicts_tests[] = {
	TEST("verdicts/versions_that_learn_are_limited", versions_that_learn_are_limited),
	TEST("verdicts/verdicts_do_not_depend_on_steps", verdicts_do_not_depend_on_steps),
	TEST("verdicts/references_are_listed_and_compared", references_are_listed_and_compared),
	TEST("verdicts/any_crash_history_gives_the_same_verdicts", any_crash_history_gives_the_same_verdicts),
	TEST("verdicts/records_like_the_reference_stay_silent", records_like_the_reference_stay_silent),
	TEST("verdicts/odd_embeddings_are_counted_and_left_out", odd_embeddings_are_counted_and_left_out),
	TEST("verdicts/a_reference_that_repeats_itself_is_refused", a_reference_that_repeats_itself_is_refused),
	TEST("verdicts/the_oldest_version_is_scored_no_more", the_oldest_version_is_scored_no_more),
	TEST("verdicts/features_are_scored_and_named", features_are_scored_and_named),
	TEST("verdicts/other_scores_need_no_other_reference", other_scores_need_no_other_reference),
	TESTS_END,
};
