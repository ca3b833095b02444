#include "tests/test_source_kafka.h"

#include <inttypes.h>
#include <stdbool.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "monitor/source/kafka_conf.h"
#include "monitor/source/merge.h"
#include "tests/kafka_world.h"

void
kafka_resumes_exactly(void **state)
{
	struct world w;
	struct resume r = { .topic = "t", .partition = 0 };
	struct source_kafka_counts counts;

	(void)state;
	world_open(&w, 1);
	world_produce_numbers(&w, 0, 0, 1000);
	world_read(&w, NULL);
	struct source_event e = world_wait_event(&w, SOURCE_PARTITION);
	assert_int_equal(e.from, 0);
	struct world_got g = world_read_part(&w, 0, 1000);
	assert_int_equal(g.messages, 1000);
	assert_int_equal(w.source->vtable->end_offset(w.source, 0), 1000);
	world_stop_reading(&w);

	r.next_offset = g.last + 1;
	r.anchor_offset = g.last;
	r.anchor_hash = g.last_hash;
	r.epoch = 5;
	world_read(&w, &r);
	/* Its end is known without waiting for more. */
	assert_int_equal(world_read_part(&w, 0, 0).messages, 0);
	world_produce_numbers(&w, 0, 1000, 1500);
	g = world_read_part(&w, 0, 500);
	assert_int_equal(g.messages, 500);
	assert_int_equal(g.first, 1000);
	assert_string_equal(g.last_text, "m1499");
	assert_int_equal(w.source->vtable->position(w.source, 0), 1500);
	assert_int_equal(w.source->vtable->epoch(w.source, 0), 5);
	world_no_gap(&w);
	source_kafka_counts(w.source, &counts);
	assert_int_equal(counts.unverified, 0);
	assert_int_equal(counts.dropped, 0);
	world_close(&w);
}

/* The mock cluster keeps 5 MiB a partition: older messages expire. */
static void
overflow(struct world *w)
{
	static char value[20000];

	memset(value, 'x', sizeof value);
	for (int i = 0; i < 500; i++) {
		world_produce(w, 0, NULL, value, sizeof value);
		if (i % 50 == 49)
			world_flush(w);
	}
}

void
kafka_gap_is_reported(void **state)
{
	struct world w;
	struct resume r = { .topic = "t", .next_offset = 10, .anchor_offset = 9, .anchor_hash = 1 };

	(void)state;
	world_open(&w, 1);
	world_produce_numbers(&w, 0, 0, 100);
	overflow(&w);
	world_read(&w, &r);
	struct source_event e = world_wait_event(&w, SOURCE_GAP);
	assert_string_equal(e.reason, "retention");
	assert_int_equal(e.from, 10);
	assert_in_range(e.to, 101, 599);
	struct world_got g = world_read_part(&w, 0, 1);
	assert_int_equal(g.first, e.to);
	assert_int_equal(g.last, 599);
	world_no_gap(&w);

	world_close(&w);
}

void
kafka_other_anchor_is_reported(void **state)
{
	struct world w;
	const struct resume r = { .topic = "t", .next_offset = 50, .anchor_offset = 49,
		                  .anchor_hash = 1234, .epoch = 7 };

	(void)state;
	world_open(&w, 1);
	world_produce_numbers(&w, 0, 0, 100);
	world_read(&w, &r);
	struct world_got g = world_read_part(&w, 0, 100);
	assert_int_equal(g.first, 0);
	assert_int_equal(g.messages, 100);
	struct source_event e = world_wait_event(&w, SOURCE_GAP);
	assert_string_equal(e.reason, "recreated");
	assert_int_equal(e.from, 50);
	assert_int_equal(e.to, 0);
	assert_int_equal(w.source->vtable->epoch(w.source, 0), 8);
	world_produce_numbers(&w, 0, 100, 150);
	assert_int_equal(world_read_part(&w, 0, 50).first, 100);
	world_no_gap(&w);
	world_close(&w);
}

void
kafka_truncation_is_reported(void **state)
{
	struct world w;
	struct resume r = { .topic = "t", .next_offset = 5000, .anchor_offset = 4999, .anchor_hash = 1 };

	(void)state;
	world_open(&w, 1);
	world_produce_numbers(&w, 0, 0, 100);
	world_read(&w, &r);
	struct source_event e = world_wait_event(&w, SOURCE_GAP); /* from offset 0 on: a new topic */
	assert_string_equal(e.reason, "recreated");
	assert_int_equal(e.to, 0);
	assert_int_equal(world_read_part(&w, 0, 100).messages, 100);
	world_stop_reading(&w);

	overflow(&w);
	world_read(&w, &r);
	e = world_wait_event(&w, SOURCE_GAP); /* a log that was cut at its beginning: the old one */
	assert_string_equal(e.reason, "truncation");
	assert_int_equal(e.from, 5000);
	assert_int_equal(e.to, 600);
	assert_int_equal(w.source->vtable->epoch(w.source, 0), 0);
	world_produce_numbers(&w, 0, 0, 3);
	struct world_got g = world_read_part(&w, 0, 3);
	assert_int_equal(g.first, 600);
	assert_int_equal(g.messages, 3);
	world_close(&w);
}

void
kafka_errors_are_survived(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	world_produce_numbers(&w, 0, 0, 50);
	rd_kafka_mock_push_request_errors(embedded_cluster(w.embedded), 1 /* Fetch */, 3,
	                                  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
	                                  RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_UNKNOWN);
	rd_kafka_mock_push_request_errors(embedded_cluster(w.embedded), 2 /* ListOffsets */, 1,
	                                  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	world_read(&w, NULL);
	assert_int_equal(world_read_part(&w, 0, 50).messages, 50);
	world_no_gap(&w);
	world_close(&w);
}

void
kafka_tombstones_and_keys(void **state)
{
	struct world w;
	struct source_kafka_counts counts;

	(void)state;
	world_open(&w, 1);
	world_produce(&w, 0, "k", "v", 1);
	world_produce(&w, 0, "k", NULL, 0);
	world_flush(&w);
	world_read(&w, NULL);
	struct world_got g = world_read_part(&w, 0, 2);
	assert_int_equal(g.messages, 2);
	assert_null(g.one.value);
	assert_int_equal(g.one.value_length, 0);
	assert_int_equal(g.one.key_length, 1);
	assert_true(g.one.kafka_ms > 1500000000000);
	world_stop_reading(&w);

	/* A tombstone is an anchor like any other. */
	const struct resume r = { .topic = "t", .next_offset = 2, .anchor_offset = 1,
		                  .anchor_hash = g.last_hash };
	world_read(&w, &r);
	world_produce_numbers(&w, 0, 0, 1);
	assert_int_equal(world_read_part(&w, 0, 1).first, 2);
	world_no_gap(&w);
	source_kafka_counts(w.source, &counts);
	assert_int_equal(counts.unverified, 0);
	world_close(&w);
}

void
kafka_topics_are_waited_for(void **state)
{
	struct world w;
	struct diag d;

	(void)state;
	world_open(&w, 0);
	world_read(&w, NULL);
	for (int i = 0; i < 5; i++) {
		w.source->vtable->wait(w.source, 20, -1);
		assert_int_equal(w.source->vtable->partitions(w.source), 0);
	}
	assert_int_equal(embedded_topic(w.embedded, "t", 2, &d), 0);
	world_produce_numbers(&w, 1, 0, 10);
	source_kafka_refresh(w.source);
	assert_int_equal(world_read_part(&w, 1, 10).messages, 10);
	assert_int_equal(w.source->vtable->partitions(w.source), 2);
	assert_int_equal(embedded_topic(w.embedded, "t2", 1, &d), 0);
	source_kafka_refresh(w.source);
	assert_int_equal(world_read_part(&w, 2, 0).messages, 0);
	world_close(&w);
}

void
kafka_embedded_has_its_topics(void **state)
{
	struct fixture f;
	struct source *s;
	struct diag d = { "" };
	struct message m[1];
	enum partition_state end = PARTITION_PENDING;
	int32_t number;

	(void)state;
	fixture_open(&f, "database: none.db\n"
	                 "kafka: {brokers: embedded, embedded_partitions: 3}\n"
	                 "topics: {records: [\"in\", \"x*\"]}\nmodels: auto\n");
	if (source_kafka_open(&s, f.config, f.decoder, NULL, 0, &d))
		fail_msg("%s", d.text);
	assert_non_null(strstr(source_kafka_bootstrap(s), "127.0.0.1:"));
	const int64_t until = world_clock_ms() + PATIENCE_MS;
	while (s->vtable->partitions(s) < 3 || end == PARTITION_PENDING) {
		assert_true(world_clock_ms() < until);
		s->vtable->wait(s, 100, -1);
		if (s->vtable->partitions(s) == 3)
			assert_int_equal(s->vtable->take(s, 2, m, 1, &end), 0);
	}
	assert_string_equal(s->vtable->topic(s, 2, &number), "in");
	assert_int_equal(number, 2);
	assert_int_equal(s->vtable->position(s, 2), 0);
	s->vtable->close(s);
	fixture_close(&f);
}

void
kafka_merge_is_one_sequence(void **state)
{
	enum { N = 4000, PARTITIONS = 4 };
	struct world w;
	struct merge *m;
	const struct record *r;
	int64_t watermark, before = INT64_MIN;
	char text[96];
	int n = 0;

	(void)state;
	world_open(&w, PARTITIONS);
	for (int i = 0; i < N; i++) /* partitions a day apart, the last one first */
		for (int p = 0; p < PARTITIONS; p++)
			world_produce(&w, p, NULL, text,
			        (size_t)snprintf(text, sizeof text,
			                         "{\"ts\":%" PRId64 ",\"model\":\"m\",\"features\":{\"x\":1}}",
			                         (PARTITIONS - p) * INT64_C(86400000) + i));
	world_flush(&w);
	world_read(&w, NULL);
	assert_int_equal(merge_create(&m, w.source, w.fixture.decoder, 0, NULL), 0);
	const int64_t until = world_clock_ms() + PATIENCE_MS;
	for (;;) {
		const enum merge_result result = merge_next(m, 0, &r, &watermark);
		assert_true(world_clock_ms() < until);
		if (result == MERGE_END)
			break;
		if (result == MERGE_WAIT) {
			w.source->vtable->wait(w.source, 100, -1);
			continue;
		}
		assert_true(r->ts > before);
		before = r->ts;
		n++;
	}
	assert_int_equal(n, N * PARTITIONS);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		assert_int_equal(merge_position(m, p), N);
	merge_destroy(m);
	world_close(&w);
}

void
kafka_broker_that_is_away(void **state)
{
	struct world w;
	struct source_kafka_counts counts;

	(void)state;
	world_open(&w, 1);
	world_produce_numbers(&w, 0, 0, 10);
	rd_kafka_mock_broker_set_down(embedded_cluster(w.embedded), 1);
	world_read(&w, NULL);
	struct source_event e = world_wait_event(&w, SOURCE_ERROR); /* told, and not the end of anything */
	assert_false(e.fatal);
	rd_kafka_mock_broker_set_up(embedded_cluster(w.embedded), 1);
	assert_int_equal(world_read_part(&w, 0, 10).messages, 10);

	rd_kafka_mock_broker_set_down(embedded_cluster(w.embedded), 1);
	source_kafka_counts(w.source, &counts);
	const uint64_t before = counts.errors;
	const int64_t until = world_clock_ms() + PATIENCE_MS;
	while (counts.errors == before && world_clock_ms() < until) {
		w.source->vtable->wait(w.source, 100, -1);
		source_kafka_counts(w.source, &counts);
	}
	rd_kafka_mock_broker_set_up(embedded_cluster(w.embedded), 1);
	world_produce_numbers(&w, 0, 10, 20);
	struct world_got g = world_read_part(&w, 0, 10);
	assert_int_equal(g.messages, 10);
	assert_int_equal(g.first, 10);
	world_no_gap(&w);
	world_close(&w);
}

void
kafka_properties_are_checked(void **state)
{
	static const char *const bad[][2] = {
		{ "enable.auto.commit", "true" }, { "auto.offset.reset", "latest" },
		{ "no.such.property", "1" }, { "fetch.min.bytes", "many" },
	};
	char name[64], value[32];
	struct property p = { .name = name, .value = value, .written = value, .line = 3, .column = 5 };
	struct kafka_config c = { .group = (char[]){ "g" }, .property = &p, .properties = 1 };
	struct diag d;
	rd_kafka_conf_t *conf;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(name, sizeof name, "%s", bad[i][0]);
		snprintf(value, sizeof value, "%s", bad[i][1]);
		assert_int_equal(kafka_conf_create(&conf, &c, "127.0.0.1:1", 4, &d), ERR_INVALID);
		assert_non_null(strstr(d.text, name));
		assert_non_null(strstr(d.text, "3:5"));
	}
	snprintf(name, sizeof name, "fetch.min.bytes");
	snprintf(value, sizeof value, "many");
	p.written = (char[]){ "${ENV:X}" }; /* an expanded value is a secret */
	assert_int_equal(kafka_conf_create(&conf, &c, "127.0.0.1:1", 4, &d), ERR_INVALID);
	assert_null(strstr(d.text, "many"));
	snprintf(name, sizeof name, "isolation.level");
	snprintf(value, sizeof value, "read_uncommitted");
	assert_int_equal(kafka_conf_create(&conf, &c, "127.0.0.1:1", 4, &d), 0);
	size_t size = sizeof value;
	assert_int_equal(rd_kafka_conf_get(conf, "isolation.level", value, &size), RD_KAFKA_CONF_OK);
	assert_string_equal(value, "read_uncommitted");
	size = sizeof value;
	assert_int_equal(rd_kafka_conf_get(conf, "queued.max.messages.kbytes", value, &size),
	                 RD_KAFKA_CONF_OK);
	assert_string_equal(value, "4096");
	rd_kafka_conf_destroy(conf);
}
