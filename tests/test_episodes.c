/* test_episodes.c -- alerts with one cause are one episode, and an episode is told once. */
#include <stdlib.h>
#include <string.h>

#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest episodes_tests[];

enum { RECORDS = 9000, STEP_MS = 120000, CHANGE = 3000, LATER = 6000 };
#define BEGIN_MS 1700000000000LL

static const char configuration[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 0.5 per day, send: all}\nwindows: {width: 4h}\n"
	"defaults: {joint: {projections: 0}, reference: {from: first, records: 1000, span: 2d}}\n"
	"models: [{name: a}, {name: b}]\n";

/* x, y and z of model a and x of model b move together at CHANGE and come back at BACK; w of a moves at LATER. */
static void
write_history(struct history *w, int back)
{
	uint64_t seed = 5;

	history_open(w, configuration);
	for (int i = 0; i < RECORDS; i++) {
		double shift = i >= CHANGE && i < back ? 2 : 0, later = i >= LATER ? 2 : 0;
		double x = history_normal(&seed) + shift, y = history_normal(&seed) + shift;
		double z = history_normal(&seed) + shift, v = history_normal(&seed) + later;

		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"%s\",\"features\":{\"x\":%.6f,\"y\":%.6f,\"z\":%.6f,"
		        "\"w\":%.6f}}\n", i, BEGIN_MS + (long long)i * STEP_MS, i % 2 ? "a" : "b", x, y, z, v);
	}
	history_written(w);
}

static void
one_cause_is_one_message(void **state)
{
	struct history w;
	char text[400];

	(void)state;
	write_history(&w, RECORDS);
	history_run(&w, 1, 500, 50, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 8);
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT episode_id) FROM alerts"), 2);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox WHERE event = 'open'"), 2);
	assert_int_equal(history_count(&w, "SELECT count(DISTINCT json_extract(body, '$.id')) = count(*) FROM outbox"), 1);
	/* both are about the first alert of their episode */
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox o JOIN alerts a ON a.alert_id = o.alert_id"
	                               " WHERE a.alert_id <> a.episode_id OR json_extract(o.body, '$.alert') <>"
	                               " a.alert_id"), 0);
	/* a stream that joins tells who is open when something graver comes */
	history_text(&w, "SELECT group_concat(DISTINCT event) FROM outbox", text, sizeof text);
	assert_null(strstr(text, "resolved"));
	history_close(&w);
}

static void
an_episode_is_resolved_with_its_last_alert(void **state)
{
	struct history w;

	(void)state;
	write_history(&w, LATER - 2000);
	history_run(&w, 1, 500, 50, 20);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts WHERE state = 'resolved'") >= 6);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox WHERE event = 'resolved'"), 1);
	assert_int_equal(history_count(&w, "SELECT json_array_length(body, '$.alerts') FROM outbox WHERE event = 'resolved'"),
	                 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox o JOIN outbox p ON p.alert_id = o.alert_id"
	                               " WHERE o.event = 'resolved' AND p.event = 'open'"), 1);
	history_close(&w);
}

/* Messages have the same ids in whatever pieces the history was read. */
static void
messages_do_not_depend_on_commits(void **state)
{
	static char whole[8192], pieces[8192];
	struct history w;

	(void)state;
	write_history(&w, LATER - 2000);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_text(&w, "SELECT group_concat(json_extract(body, '$.id') || event || json_extract(body, '$.alerts'))"
	             " FROM outbox", whole, sizeof whole);
	history_run(&w, 3, 300, 40, 15);
	history_text(&w, "SELECT group_concat(json_extract(body, '$.id') || event || json_extract(body, '$.alerts'))"
	             " FROM outbox", pieces, sizeof pieces);
	assert_true(strlen(whole) > 100);
	assert_string_equal(pieces, whole);
	history_close(&w);
}

#define PROMISE(name) TEST("episodes/" #name, name)

const struct CMUnitTest episodes_tests[] = {
	PROMISE(one_cause_is_one_message),
	PROMISE(an_episode_is_resolved_with_its_last_alert),
	PROMISE(messages_do_not_depend_on_commits),
	TESTS_END,
};
