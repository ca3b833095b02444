/* test_deliver.c -- suite `deliver`: the outbox and the signature. Receivers that misbehave:
 * tools/check_delivery.py. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "monitor/clock.h"
#include "monitor/deliver/deliver.h"
#include "monitor/deliver/signature.h"
#include "storage/outbox.h"
#include "tests/test_store.h"

extern const struct CMUnitTest deliver_tests[];

static const char *const sinks[] = { "a", "b" };

/* Alert `number` and its message. */
static void
put(struct scratch *s, int number, const char *event, const char *severity)
{
	struct alert_row row = { .stream_id = 1, .kind = "drift", .severity = severity, .state = "open",
		                 .opened_ms = 1000, .started_ms = 1, .updated_ms = 1000, .resolved_ms = INT64_MIN,
		                 .topic = "t", .offset = number };
	char body[200];

	snprintf(row.alert_id, sizeof row.alert_id, "%032d", number);
	snprintf(row.episode_id, sizeof row.episode_id, "%032d", number);
	snprintf(body, sizeof body, "{\"id\":\"%s-1\",\"model\":\"m%d\",\"kind\":\"drift\",\"text\":\"what: x\"}",
	         row.alert_id, number);
	scratch_begin(s);
	if (!strcmp(event, "open"))
		store_insert_alert(s->store, &row);
	store_put_outbox(s->store, row.alert_id, event, body, false);
	scratch_commit(s);
}

/* Sink a wants critical ones, b model m2. */
static bool
wants(void *context, size_t sink, const struct outbox_route *route)
{
	(void)context;
	return sink ? !strcmp(route->model, "m2") : !strcmp(route->severity, "critical");
}

static struct outbox *
routed(struct scratch *s)
{
	struct outbox *o;
	struct diag d = { "" };
	bool more = true, any = false;

	if (outbox_open(&o, s->path, &d))
		fail_msg("%s", d.text);
	while (more)
		if (outbox_route(o, sinks, 2, wants, NULL, 5, &more, &any, &d))
			fail_msg("%s", d.text);
	return o;
}

static void
messages_go_to_the_sinks_that_want_them(void **state)
{
	struct scratch s;
	struct outbox *o;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	put(&s, 2, "open", "warning");
	put(&s, 3, "open", "info");
	put(&s, 3, "resolved", "info");
	put(&s, 1, "resolved", "critical");
	o = routed(&s);
	db = store_handle(s.store);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'a' AND outbox_id IN "
	                                 "(1, 5)"), 2);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'b' AND outbox_id = 2"), 1);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries"), 3);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM outbox WHERE state = 'unwanted'"), 2);
	outbox_close(o);
	scratch_close(&s);
}

static bool
wants_all(void *context, size_t sink, const struct outbox_route *route)
{
	(void)context, (void)route;
	return sink == 1;
}

static void
a_new_sink_learns_of_open_alerts_once(void **state)
{
	struct scratch s;
	struct outbox *o;
	struct diag d = { "" };
	bool more, any = false;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	put(&s, 3, "open", "warning");
	put(&s, 4, "open", "warning");
	o = routed(&s);
	db = store_handle(s.store);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries"), 1); /* of sink a */
	sqlite3_exec(db, "UPDATE alerts SET state = 'resolved' WHERE offset = 4", NULL, NULL, NULL);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(outbox_route_again(o, &d), 0);
		assert_int_equal(outbox_route(o, sinks, 2, wants_all, NULL, 5, &more, &any, &d), 0);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'a'"), 1);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'b' AND"
		                             " outbox_id IN (1, 2)"), 2);
	}
	outbox_close(o);
	scratch_close(&s);
}

static void
shadow_messages_are_never_routed(void **state)
{
	struct scratch s;
	struct outbox *o;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	scratch_begin(&s);
	store_put_outbox(s.store, "x", "open", "{}", true);
	scratch_commit(&s);
	o = routed(&s);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM deliveries"), 1);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM outbox WHERE state = "
	                                                    "'shadow'"), 1);
	outbox_close(o);
	scratch_close(&s);
}

static int64_t
next(struct outbox *o, int64_t now_ms, struct outbox_message *m)
{
	struct diag d = { "" };
	int err = outbox_next(o, "a", now_ms, false, m, &d);

	if (err && err != ERR_MISSING)
		fail_msg("%s", d.text);
	return err ? 0 : m->outbox_id;
}

static void
an_alert_is_told_in_order_and_others_do_not_wait(void **state)
{
	struct outbox_message m, first;
	struct scratch s;
	struct outbox *o;
	struct diag d;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	put(&s, 1, "resolved", "critical");
	put(&s, 4, "open", "critical");
	o = routed(&s);
	assert_int_equal(next(o, 10, &first), 1);
	assert_string_equal(first.field[FIELD_ID], "00000000000000000000000000000001-1");
	assert_string_equal(first.field[FIELD_SEVERITY], "critical");
	assert_string_equal(first.field[FIELD_TOPIC], "");
	assert_true(first.opened_ms == 1000 && first.pending && !first.resolved);
	assert_int_equal(outbox_mark(o, "a", &first, OUTBOX_RETRY, false, 10, 100, "busy", &d), 0);
	assert_int_equal(next(o, 50, &m), 3); /* not 2: it belongs behind 1 */
	assert_int_equal(outbox_mark(o, "a", &m, OUTBOX_SENT, false, 50, 0, NULL, &d), 0);
	outbox_message_finish(&m);
	assert_int_equal(next(o, 50, &m), 0);
	assert_int_equal(next(o, 100, &m), 1);
	assert_int_equal(m.attempts, 1);
	assert_true(m.first_ms == 10);
	outbox_message_finish(&m);
	assert_int_equal(outbox_mark(o, "a", &first, OUTBOX_DEAD, false, 100, 0, "refused", &d), 0);
	outbox_message_finish(&first);
	assert_int_equal(next(o, 100, &m), 2);
	assert_true(m.resolved);
	outbox_message_finish(&m);
	outbox_close(o);
	scratch_close(&s);
}

static void
a_clock_that_was_set_back_delays_nothing_for_long(void **state)
{
	struct outbox_message m;
	struct scratch s;
	struct outbox *o;
	struct diag d;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	o = routed(&s);
	assert_int_equal(next(o, 86400000000, &m), 1);
	assert_int_equal(outbox_mark(o, "a", &m, OUTBOX_RETRY, false, 86400000000, 86400300000, "busy", &d), 0);
	outbox_message_finish(&m);
	assert_int_equal(next(o, 86400000000, &m), 0);
	assert_int_equal(next(o, 1000, &m), 1);
	outbox_message_finish(&m);
	outbox_close(o);
	scratch_close(&s);
}

static void
dead_letters_are_kept_and_may_be_sent_again(void **state)
{
	struct outbox_message m;
	struct outbox_gauge gauge;
	struct scratch s;
	struct outbox *o;
	struct diag d;
	uint64_t n;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	o = routed(&s);
	assert_int_equal(next(o, 10, &m), 1);
	assert_int_equal(outbox_mark(o, "a", &m, OUTBOX_DEAD, false, 10, 0, "refused", &d), 0);
	outbox_message_finish(&m);
	assert_int_equal(outbox_gauge(o, "a", &gauge, &d), 0);
	assert_true(gauge.dead == 1 && gauge.pending == 0);
	assert_int_equal(outbox_requeue(s.path, 0, "b", &n, &d), 0);
	assert_int_equal(n, 0);
	assert_int_equal(outbox_requeue(s.path, 1, NULL, &n, &d), 0);
	assert_int_equal(n, 1);
	assert_int_equal(next(o, 10, &m), 1);
	assert_int_equal(m.attempts, 0);
	outbox_message_finish(&m);
	assert_int_equal(outbox_drop(s.path, 0, "a", 11, &n, &d), 0);
	assert_int_equal(n, 1);
	assert_int_equal(next(o, 10, &m), 0);
	assert_int_equal(outbox_forget_sinks(o, sinks + 1, 1, 12, &d), 0);
	outbox_close(o);
	scratch_close(&s);
}

static void
the_outbox_is_bounded(void **state)
{
	struct scratch s;
	struct outbox *o;
	struct diag d;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	for (int i = 1; i <= 9; i++)
		put(&s, i, "open", "critical");
	o = routed(&s);
	db = store_handle(s.store);
	assert_int_equal(outbox_trim(o, 1000, 100, 4, &d), 0);
	/* Five of nine are beyond four: given up; one of those is beyond twice as many: gone. */
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'a' AND state = "
	                                 "'pending'"), 4);
	assert_int_equal(scratch_int(db, "SELECT min(outbox_id) FROM outbox"), 2);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE error = 'overflow' AND sink "
	                                 "= 'a'"), 4);
	scratch_begin(&s);
	store_commit(s.store, &d);
	sqlite3_exec(db, "UPDATE alerts SET state = 'resolved' WHERE offset = 3", NULL, NULL, NULL);
	assert_int_equal(outbox_trim(o, 100000, 100, 100, &d), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM outbox WHERE outbox_id = 3"), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM outbox"), 7);
	outbox_close(o);
	scratch_close(&s);
}

static void
routing_waits_for_the_writer_and_does_not_stop_it(void **state)
{
	struct scratch s;
	struct outbox *o;
	struct diag d = { "" };
	bool more = false, any = false;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "critical");
	o = routed(&s);
	put(&s, 2, "open", "critical");
	scratch_begin(&s); /* the writer has its lock */
	store_put_run(s.store, "test", "", 1);
	assert_int_equal(outbox_route(o, sinks, 2, wants, NULL, 5, &more, &any, &d), ERR_BUSY);
	scratch_commit(&s);
	assert_int_equal(outbox_route(o, sinks, 2, wants, NULL, 5, &more, &any, &d), 0);
	assert_true(any);
	scratch_begin(&s);
	scratch_commit(&s);
	outbox_close(o);
	scratch_close(&s);
}

/* A configuration whose first sink takes every message into `taken`, whose second never takes one. */
static struct config *
two_commands(const struct scratch *s)
{
	char text[1000];
	struct config *c = NULL;
	struct diag d = { "" };

	snprintf(text, sizeof text, "database: %s\nalerts:\n  sinks:\n"
	         "  - command: {name: a, command: [sh, -c, 'cat >> %s/taken; echo >> %s/taken']}\n"
	         "  - command: {name: never, command: ['false']}\n  - log: {severity: critical}\n", s->path,
	         s->directory, s->directory);
	if (config_parse(&c, text, strlen(text), "f", stderr, &d))
		fail_msg("%s", d.text);
	return c;
}

static void
threads_deliver_while_the_writer_commits(void **state)
{
	enum { MESSAGES = 12, PATIENCE_MS = 60000 };
	struct scratch s;
	struct deliver *deliver;
	struct deliver_status status = { .ok = 0 };
	struct diag d = { "" };
	struct config *c;
	char path[400];
	int64_t until;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	c = two_commands(&s);
	db = store_handle(s.store);
	if (deliver_start(&deliver, c, "", &d))
		fail_msg("%s", d.text);
	for (int i = 1; i <= MESSAGES; i++) {
		put(&s, i, "open", "warning");
		deliver_wake(deliver);
	}
	/* Other threads work; there is nothing to wait on but what they say. */
	until = clock_monotonic_ms() + PATIENCE_MS;
	while (status.ok < MESSAGES && clock_monotonic_ms() < until) {
		deliver_status(deliver, 0, &status);
		sched_yield();
	}
	assert_int_equal(status.ok, MESSAGES);
	deliver_stop(deliver, 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'a' AND state = "
	                                 "'sent'"), MESSAGES);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'never' AND state = "
	                                 "'sent'"), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM deliveries WHERE sink = 'log'"), 0);
	snprintf(path, sizeof path, "%s/taken", s.directory);
	unlink(path);
	config_free(c);
	scratch_close(&s);
}

static int
last_command(void *context, const struct command_row *row)
{
	*(int64_t *)context = row->command_id;
	return 0;
}

static int64_t
judged(struct scratch *s, const char *target, const char *arguments)
{
	struct diag d = { "" };
	int64_t id = 0;

	if (store_insert_command(s->path, "resolve", target, arguments, 1, NULL, &d))
		fail_msg("%s", d.text);
	store_each_command(s->store, last_command, &id);
	assert_true(store_command_judges(s->store, id));
	scratch_begin(s);
	store_judge(s->store, id);
	store_finish_command(s->store, id, "done", 2);
	scratch_commit(s);
	return id;
}

static void
people_judge_alerts_and_end_those_of_the_system(void **state)
{
	static const char alert[] = "00000000000000000000000000000001", gap[] = "00000000000000000000000000000009";
	struct alert_row row = { .kind = "gap", .severity = "critical", .promise = "certified", .state = "open",
		                 .opened_ms = 1000, .started_ms = 1, .updated_ms = 1000, .resolved_ms = INT64_MIN,
		                 .text = "what: lost", .topic = "t" };
	struct scratch s;
	struct diag d;
	char text[512];
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	put(&s, 1, "open", "warning");
	db = store_handle(s.store);
	sqlite3_exec(db, "UPDATE alerts SET promise = 'certified'", NULL, NULL, NULL);
	memcpy(row.alert_id, gap, sizeof gap);
	memcpy(row.episode_id, gap, sizeof gap);
	scratch_begin(&s);
	store_put_meta_i64(s.store, "watermark_ms", 7777);
	store_insert_alert(s.store, &row);
	store_put_alert_event(s.store, gap, 1, "open", 1000, 0, 0, "");
	store_put_outbox(s.store, gap, "open", "{\"id\":\"x-1\",\"event\":\"open\"}", false);
	scratch_commit(&s);
	assert_int_equal(scratch_int(db, "SELECT unjudged FROM budget"), 1);
	judged(&s, alert, "{\"verdict\":\"false\"}");
	assert_int_equal(scratch_int(db, "SELECT judged_false FROM budget"), 1);
	assert_int_equal(scratch_int(db, "SELECT unjudged FROM budget"), 0);
	judged(&s, gap, "{}");
	assert_string_equal(scratch_text(db, "SELECT state || resolved_by || resolved_ms FROM alerts WHERE "
	                                     "kind = 'gap'",
	                                 text), "resolvedcommand7777");
	assert_string_equal(scratch_text(db, "SELECT json_extract(body, '$.id') || json_extract(body, '$.event')"
	                                 " FROM outbox WHERE event = 'resolved' AND state = 'pending'", text),
	                    "00000000000000000000000000000009-2resolved");
	assert_int_equal(store_insert_command(s.path, "resolve", gap, "{}", 1, NULL, &d), 0);
	assert_false(store_command_judges(s.store, 3));
	scratch_close(&s);
}

/* The published example of standardwebhooks.com, and a secret without whsec_. */
static void
signatures_are_the_published_ones(void **state)
{
	char out[SIGNATURE_BYTES + 4];

	(void)state;
	assert_true(signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
	                      "{\"test\": 2432232314}", 20, out));
	assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	assert_true(signature("Jefe", "what do ya want for nothing?", "1", "x", 1, out));
	assert_false(signature("whsec_!", "a", "1", "x", 1, out));
	assert_false(signature("", "a", "1", "x", 1, out));
}

#define ENTRY(f) TEST("deliver/" #f, f),
const struct CMUnitTest deliver_tests[] = {
	ENTRY(messages_go_to_the_sinks_that_want_them)
	ENTRY(shadow_messages_are_never_routed)
	ENTRY(a_new_sink_learns_of_open_alerts_once)
	ENTRY(an_alert_is_told_in_order_and_others_do_not_wait)
	ENTRY(a_clock_that_was_set_back_delays_nothing_for_long)
	ENTRY(dead_letters_are_kept_and_may_be_sent_again)
	ENTRY(the_outbox_is_bounded)
	ENTRY(routing_waits_for_the_writer_and_does_not_stop_it)
	ENTRY(threads_deliver_while_the_writer_commits)
	ENTRY(people_judge_alerts_and_end_those_of_the_system)
	ENTRY(signatures_are_the_published_ones)
	TESTS_END,
};
