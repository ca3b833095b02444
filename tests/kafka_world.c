#include "tests/kafka_world.h"

#include <stdbool.h>
#include <time.h>

static void
silent(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

void
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

void
world_read(struct world *w, const struct resume *resume)
{
	struct diag d = { "" };

	if (source_kafka_open(&w->source, w->fixture.config, w->fixture.decoder, resume, resume != NULL,
	                      &d))
		fail_msg("%s", d.text);
}

void
world_stop_reading(struct world *w)
{
	if (w->source)
		w->source->vtable->close(w->source);
	w->source = NULL;
}

void
world_close(struct world *w)
{
	world_stop_reading(w);
	if (w->topic)
		rd_kafka_topic_destroy(w->topic);
	rd_kafka_destroy(w->producer);
	embedded_stop(w->embedded);
	fixture_close(&w->fixture);
}

void
world_produce(struct world *w, int32_t partition, const char *key, const void *value, size_t length)
{
	if (!w->topic) /* not before: the mock cluster creates what a producer asks for */
		w->topic = rd_kafka_topic_new(w->producer, "t", NULL);
	assert_non_null(w->topic);
	while (rd_kafka_produce(w->topic, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value, length,
	                        key, key ? strlen(key) : 0, NULL)) {
		assert_int_equal(rd_kafka_last_error(), RD_KAFKA_RESP_ERR__QUEUE_FULL);
		rd_kafka_poll(w->producer, 10);
	}
}

void
world_flush(struct world *w)
{
	assert_int_equal(rd_kafka_flush(w->producer, PATIENCE_MS), 0);
}

void
world_produce_numbers(struct world *w, int32_t partition, int from, int to)
{
	char text[32];

	for (int i = from; i < to; i++)
		world_produce(w, partition, NULL, text, (size_t)snprintf(text, sizeof text, "m%d", i));
	world_flush(w);
}

int64_t
world_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct world_got
world_read_part(struct world *w, uint32_t partition, uint64_t least)
{
	struct source *s = w->source;
	struct world_got g = { .first = -1, .last = -1 };
	const int64_t until = world_clock_ms() + PATIENCE_MS;
	struct message m[100];
	enum partition_state state = PARTITION_PENDING;

	while (state == PARTITION_PENDING || g.messages < least) {
		assert_true(world_clock_ms() < until);
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

struct source_event
world_wait_event(struct world *w, enum source_event_kind kind)
{
	const int64_t until = world_clock_ms() + PATIENCE_MS;
	struct source_event e;

	for (;;) {
		assert_true(world_clock_ms() < until);
		while (w->source->vtable->event(w->source, &e))
			if (e.kind == kind)
				return e;
		w->source->vtable->wait(w->source, 100, -1);
	}
}

void
world_no_gap(struct world *w)
{
	struct source_event e;

	while (w->source->vtable->event(w->source, &e))
		if (e.kind == SOURCE_GAP)
			fail_msg("gap: %s", e.text);
}
