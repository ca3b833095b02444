#include "tests/test_source_kafka.h"

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "monitor/embedded.h"
#include "monitor/kafka_conf.h"
#include "monitor/merge.h"
#include "monitor/source.h"
#include "tests/fixture.h"

enum { PATIENCE_MS = 20000 };

/* A cluster, a producer, and the source that reads it. */
struct world {
	struct embedded *embedded;
	rd_kafka_t *producer;
	struct fixture fixture;
	struct source *source;
	char config[256];
};

static void
silent(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

static void
world_open(struct world *w, uint32_t partitions)
{
	struct diag d = { "" };
	char text[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	*w = (struct world){ 0 };
	if (embedded_start(&w->embedded, &d))
		fail_msg("%s", d.text);
	if (partitions)
		assert_int_equal(embedded_topic(w->embedded, "t", partitions, &d), 0);
	rd_kafka_conf_set(conf, "bootstrap.servers", embedded_bootstrap(w->embedded), NULL, 0);
	rd_kafka_conf_set(conf, "linger.ms", "0", NULL, 0);
	rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", NULL, 0);
	rd_kafka_conf_set_log_cb(conf, silent);
	w->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	assert_non_null(w->producer);
	snprintf(w->config, sizeof w->config,
	         "database: none.db\nkafka: {brokers: %s, group: driftd}\n"
	         "topics: {records: [\"t*\"]}\nmodels: auto\n",
	         embedded_bootstrap(w->embedded));
	fixture_open(&w->fixture, w->config);
}

static void
world_read(struct world *w, const struct resume *resume)
{
	struct diag d = { "" };

	if (source_kafka_open(&w->source, w->fixture.config, w->fixture.decoder, resume, resume ? 1 : 0, &d))
		fail_msg("%s", d.text);
}

static void
world_stop_reading(struct world *w)
{
	if (w->source)
		w->source->vtable->close(w->source);
	w->source = NULL;
}

static void
world_close(struct world *w)
{
	world_stop_reading(w);
	rd_kafka_destroy(w->producer);
	embedded_stop(w->embedded);
	fixture_close(&w->fixture);
}

static void
produce(struct world *w, int32_t partition, const char *key, const void *value, size_t length)
{
	rd_kafka_resp_err_t err;

	while ((err = rd_kafka_producev(w->producer, RD_KAFKA_V_TOPIC("t"),
	                                RD_KAFKA_V_PARTITION(partition),
	                                RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
	                                RD_KAFKA_V_VALUE((void *)(uintptr_t)value, length),
	                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	                                RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(w->producer, 10);
	assert_int_equal(err, 0);
}

static void
flush(struct world *w)
{
	assert_int_equal(rd_kafka_flush(w->producer, PATIENCE_MS), 0);
}

static void
produce_numbers(struct world *w, int32_t partition, int from, int to)
{
	char text[32];

	for (int i = from; i < to; i++)
		produce(w, partition, NULL, text, (size_t)snprintf(text, sizeof text, "m%d", i));
	flush(w);
}

static int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What a partition gave until its end. */
struct got {
	uint64_t messages;
	int64_t first, last;
	uint64_t last_hash;
	char last_text[32];
	struct message one; /* the last one; bytes are gone */
};

/* Reads until the partition is at its end and gave `least` messages. */
static struct got
read_part(struct world *w, uint32_t partition, uint64_t least)
{
	struct source *s = w->source;
	struct got g = { .first = -1, .last = -1 };
	const int64_t until = clock_ms() + PATIENCE_MS;
	struct message m[100];
	enum partition_state state = PARTITION_PENDING;

	while (state == PARTITION_PENDING || g.messages < least) {
		assert_true(clock_ms() < until);
		const size_t n = s->vtable->partitions(s) > partition
		                       ? s->vtable->take(s, partition, m, 100, &state)
		                       : 0;
		for (size_t i = 0; i < n; i++) {
			if (g.first < 0)
				g.first = m[i].offset;
			assert_true(m[i].offset > g.last);
			g.last = m[i].offset;
			g.last_hash = message_hash(&m[i]);
			g.one = m[i];
			g.messages++;
			snprintf(g.last_text, sizeof g.last_text, "%.*s", (int)m[i].value_length,
			         m[i].value ? (const char *)m[i].value : "");
		}
		if (!n && (state == PARTITION_PENDING || g.messages < least))
			s->vtable->wait(s, 100, -1);
	}
	return g;
}

/* The next event of that kind. */
static struct source_event
wait_event(struct world *w, enum source_event_kind kind)
{
	const int64_t until = clock_ms() + PATIENCE_MS;
	struct source_event e;

	for (;;) {
		assert_true(clock_ms() < until);
		while (w->source->vtable->event(w->source, &e))
			if (e.kind == kind)
				return e;
		w->source->vtable->wait(w->source, 100, -1);
	}
}

static void
no_gap(struct world *w)
{
	struct source_event e;

	while (w->source->vtable->event(w->source, &e))
		if (e.kind == SOURCE_GAP)
			fail_msg("gap: %s", e.text);
}

void
kafka_resumes_exactly(void **state)
{
	struct world w;
	struct resume r = { .topic = "t", .partition = 0 };
	struct source_kafka_counts counts;

	(void)state;
	world_open(&w, 1);
	produce_numbers(&w, 0, 0, 1000);
	world_read(&w, NULL);
	struct source_event e = wait_event(&w, SOURCE_PARTITION);
	assert_int_equal(e.from, 0);
	struct got g = read_part(&w, 0, 1000);
	assert_int_equal(g.messages, 1000);
	assert_int_equal(w.source->vtable->end_offset(w.source, 0), 1000);
	world_stop_reading(&w);

	r.next_offset = g.last + 1;
	r.anchor_offset = g.last;
	r.anchor_hash = g.last_hash;
	r.epoch = 5;
	world_read(&w, &r);
	assert_int_equal(read_part(&w, 0, 0).messages, 0); /* its end is known without waiting for more */
	produce_numbers(&w, 0, 1000, 1500);
	g = read_part(&w, 0, 500);
	assert_int_equal(g.messages, 500);
	assert_int_equal(g.first, 1000);
	assert_string_equal(g.last_text, "m1499");
	assert_int_equal(w.source->vtable->position(w.source, 0), 1500);
	assert_int_equal(w.source->vtable->epoch(w.source, 0), 5);
	no_gap(&w);
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
		produce(w, 0, NULL, value, sizeof value);
		if (i % 50 == 49)
			flush(w);
	}
}

void
kafka_gap_is_reported(void **state)
{
	struct world w;
	struct resume r = { .topic = "t", .next_offset = 10, .anchor_offset = 9, .anchor_hash = 1 };

	(void)state;
	world_open(&w, 1);
	produce_numbers(&w, 0, 0, 100);
	overflow(&w);
	world_read(&w, &r);
	struct source_event e = wait_event(&w, SOURCE_GAP);
	assert_string_equal(e.reason, "retention");
	assert_int_equal(e.from, 10);
	assert_in_range(e.to, 101, 599);
	struct got g = read_part(&w, 0, 1);
	assert_int_equal(g.first, e.to);
	assert_int_equal(g.last, 599);
	no_gap(&w);

	world_close(&w);
}

void
kafka_other_anchor_is_reported(void **state)
{
	struct world w;
	const struct resume r = { .topic = "t", .next_offset = 50, .anchor_offset = 49, .anchor_hash = 1234,
		                  .epoch = 7 };

	(void)state;
	world_open(&w, 1);
	produce_numbers(&w, 0, 0, 100);
	world_read(&w, &r);
	struct got g = read_part(&w, 0, 100);
	assert_int_equal(g.first, 0);
	assert_int_equal(g.messages, 100);
	struct source_event e = wait_event(&w, SOURCE_GAP);
	assert_string_equal(e.reason, "recreated");
	assert_int_equal(e.from, 50);
	assert_int_equal(e.to, 0);
	assert_int_equal(w.source->vtable->epoch(w.source, 0), 8);
	produce_numbers(&w, 0, 100, 150);
	assert_int_equal(read_part(&w, 0, 50).first, 100);
	no_gap(&w);
	world_close(&w);
}

void
kafka_truncation_is_reported(void **state)
{
	struct world w;
	struct resume r = { .topic = "t", .next_offset = 5000, .anchor_offset = 4999, .anchor_hash = 1 };

	(void)state;
	world_open(&w, 1);
	produce_numbers(&w, 0, 0, 100);
	world_read(&w, &r);
	struct source_event e = wait_event(&w, SOURCE_GAP); /* from offset 0 on: a new topic */
	assert_string_equal(e.reason, "recreated");
	assert_int_equal(e.to, 0);
	assert_int_equal(read_part(&w, 0, 100).messages, 100);
	world_stop_reading(&w);

	overflow(&w);
	world_read(&w, &r);
	e = wait_event(&w, SOURCE_GAP); /* a log that was cut at its beginning: the old one */
	assert_string_equal(e.reason, "truncation");
	assert_int_equal(e.from, 5000);
	assert_int_equal(e.to, 600);
	assert_int_equal(w.source->vtable->epoch(w.source, 0), 0);
	produce_numbers(&w, 0, 0, 3);
	struct got g = read_part(&w, 0, 3);
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
	produce_numbers(&w, 0, 0, 50);
	rd_kafka_mock_push_request_errors(embedded_cluster(w.embedded), 1 /* Fetch */, 3,
	                                  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
	                                  RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_UNKNOWN);
	rd_kafka_mock_push_request_errors(embedded_cluster(w.embedded), 2 /* ListOffsets */, 1,
	                                  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	world_read(&w, NULL);
	assert_int_equal(read_part(&w, 0, 50).messages, 50);
	no_gap(&w);
	world_close(&w);
}

void
kafka_tombstones_and_keys(void **state)
{
	struct world w;
	struct source_kafka_counts counts;

	(void)state;
	world_open(&w, 1);
	produce(&w, 0, "k", "v", 1);
	produce(&w, 0, "k", NULL, 0);
	flush(&w);
	world_read(&w, NULL);
	struct got g = read_part(&w, 0, 2);
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
	produce_numbers(&w, 0, 0, 1);
	assert_int_equal(read_part(&w, 0, 1).first, 2);
	no_gap(&w);
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
	produce_numbers(&w, 1, 0, 10);
	source_kafka_refresh(w.source);
	assert_int_equal(read_part(&w, 1, 10).messages, 10);
	assert_int_equal(w.source->vtable->partitions(w.source), 2);
	assert_int_equal(embedded_topic(w.embedded, "t2", 1, &d), 0);
	source_kafka_refresh(w.source);
	assert_int_equal(read_part(&w, 2, 0).messages, 0);
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
	const int64_t until = clock_ms() + PATIENCE_MS;
	while (s->vtable->partitions(s) < 3 || end == PARTITION_PENDING) {
		assert_true(clock_ms() < until);
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
			produce(&w, p, NULL, text,
			        (size_t)snprintf(text, sizeof text,
			                         "{\"ts\":%" PRId64 ",\"model\":\"m\",\"features\":{\"x\":1}}",
			                         (PARTITIONS - p) * INT64_C(86400000) + i));
	flush(&w);
	world_read(&w, NULL);
	assert_int_equal(merge_create(&m, w.source, w.fixture.decoder, 0, NULL), 0);
	const int64_t until = clock_ms() + PATIENCE_MS;
	for (;;) {
		const enum merge_result result = merge_next(m, 0, &r, &watermark);
		assert_true(clock_ms() < until);
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
	produce_numbers(&w, 0, 0, 10);
	rd_kafka_mock_broker_set_down(embedded_cluster(w.embedded), 1);
	world_read(&w, NULL);
	struct source_event e = wait_event(&w, SOURCE_ERROR); /* told, and not the end of anything */
	assert_false(e.fatal);
	rd_kafka_mock_broker_set_up(embedded_cluster(w.embedded), 1);
	assert_int_equal(read_part(&w, 0, 10).messages, 10);

	rd_kafka_mock_broker_set_down(embedded_cluster(w.embedded), 1);
	source_kafka_counts(w.source, &counts);
	const uint64_t before = counts.errors;
	const int64_t until = clock_ms() + PATIENCE_MS;
	while (counts.errors == before && clock_ms() < until) {
		w.source->vtable->wait(w.source, 100, -1);
		source_kafka_counts(w.source, &counts);
	}
	rd_kafka_mock_broker_set_up(embedded_cluster(w.embedded), 1);
	produce_numbers(&w, 0, 10, 20);
	struct got g = read_part(&w, 0, 10);
	assert_int_equal(g.messages, 10);
	assert_int_equal(g.first, 10);
	no_gap(&w);
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
