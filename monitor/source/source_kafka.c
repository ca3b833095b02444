#include "monitor/source/source_kafka.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "monitor/source/embedded.h"
#include "storage/exposition.h"

enum { LOOK_AGAIN_MS = 500 }; /* after a wait of this length all queues are looked at */

static struct source_kafka *
self(struct source *s)
{
	return (struct source_kafka *)s;
}

static const struct source_kafka *
self_const(const struct source *s)
{
	return (const struct source_kafka *)s;
}

int64_t
kafka_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
kafka_wake(struct source_kafka *s)
{
	atomic_store(&s->arrived, true);
	if (atomic_load(&s->sleeping))
		(void)!write(s->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
}

void
kafka_release(struct source_kafka *s)
{
	for (size_t i = 0; i < s->batched; i++)
		rd_kafka_message_destroy(s->batch[i]);
	s->batched = 0;
}

/* -- messages ---------------------------------------------------------------------------------- */

static struct message
convert(const struct kafka_part *p, const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t type;
	const int64_t ms = rd_kafka_message_timestamp(m, &type);

	return (struct message){
		.key = m->key, .key_length = m->key ? m->key_len : 0,
		.value = m->payload, .value_length = m->payload ? m->len : 0,
		.offset = m->offset, .partition = p->index, .profile = p->profile,
		.kafka_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? INT64_MIN : ms,
		.native = m,
	};
}

enum verdict { SKIP, DELIVER, VOID };

/* The first message after an assignment at the anchor: the anchor itself, unless it is gone. */
static enum verdict
check_anchor(struct source_kafka *s, struct kafka_part *p, const struct message *m)
{
	if (m->offset < p->anchor)
		return SKIP;
	if (m->offset == p->anchor && message_hash(m) != p->anchor_hash) {
		kafka_recreated(s, p);
		return VOID;
	}
	p->stage = PART_RUNNING;
	if (m->offset == p->anchor)
		return SKIP;
	s->counts.unverified++; /* expired or compacted meanwhile */
	return DELIVER;
}

static bool
in_sequence(struct source_kafka *s, struct kafka_part *p, const struct message *m)
{
	if (m->offset < p->next) {
		s->counts.dropped++;
		return false;
	}
	if (m->offset > p->next) {
		if (p->corrupt)
			kafka_gap(s, p, p->next, m->offset, "corrupt", "could not be read");
		else
			s->counts.holes += (uint64_t)(m->offset - p->next);
	}
	p->corrupt = false;
	p->next = m->offset + 1;
	return true;
}

/* Everything that was delivered is all there is, as far as the last answer of the broker goes. */
static bool
at_end(struct source_kafka *s, struct kafka_part *p)
{
	int64_t low, high;

	if (p->stage != PART_RUNNING)
		return false;
	if (!rd_kafka_get_watermark_offsets(s->consumer, p->topic, p->number, &low, &high) && high >= 0) {
		if (high < p->fetched_high) { /* logs do not shrink: truncated, or another topic */
			kafka_lose(s, p);
			return false;
		}
		p->high = p->fetched_high = high;
	}
	return p->end || p->next == p->high;
}

/* What to do with one message of the queue; fills *out when it is to be delivered. */
static enum verdict
judge(struct source_kafka *s, struct kafka_part *p, const rd_kafka_message_t *m,
      struct message *out)
{
	enum verdict v = DELIVER;

	if (m->err)
		return kafka_part_error(s, p, m) ? SKIP : VOID;
	*out = convert(p, m);
	p->end = false;
	if (p->stage == PART_ANCHOR)
		v = check_anchor(s, p, out);
	if (v == DELIVER && !in_sequence(s, p, out))
		v = SKIP;
	return v;
}

static size_t
take_batch(struct source_kafka *s, struct kafka_part *p, struct message *out, size_t max)
{
	enum verdict v = SKIP;
	size_t n = 0;
	ssize_t got;

	if (max > KAFKA_BATCH)
		max = KAFKA_BATCH;
	/* First the mark, then the look: what comes in between marks again. */
	atomic_store(&p->ready, false);
	s->taking = p;
	got = rd_kafka_consume_batch_queue(p->queue, 0, s->batch, max);
	s->taking = NULL;
	s->batched = got > 0 ? (size_t)got : 0;
	if (p->stage == PART_LOST) /* the error callback said so; what came after it is unknown */
		return 0;
	if (s->batched == max)
		atomic_store(&p->ready, true);
	for (size_t i = 0; i < s->batched && v != VOID; i++) {
		v = judge(s, p, s->batch[i], &out[n]);
		p->eaten += s->batch[i]->len + s->batch[i]->key_len;
		n += v == DELIVER;
	}
	if (n) {
		p->anchor = out[n - 1].offset;
		p->anchor_hash = message_hash(&out[n - 1]);
	}
	if (s->batched < max)
		p->end = at_end(s, p);
	if (p->eaten >= s->nudge.bytes || (p->eaten && s->batched < max && !p->end)) {
		kafka_nudge(s);
		p->eaten = 0;
	}
	return n;
}

static size_t
kafka_take(struct source *base, uint32_t partition, struct message *out, size_t max,
           enum partition_state *state)
{
	struct source_kafka *s = self(base);
	struct kafka_part *p = s->part[partition];
	size_t n = 0;

	kafka_release(s);
	if (atomic_load_explicit(&s->attention, memory_order_relaxed))
		kafka_housekeep(s);
	if (max && (p->stage == PART_RUNNING || p->stage == PART_ANCHOR) && atomic_load(&p->ready))
		n = take_batch(s, p, out, max);
	*state = p->end && !atomic_load(&p->ready) ? PARTITION_END : PARTITION_PENDING;
	return n;
}

/* -- waiting ----------------------------------------------------------------------------------- */

static void
kafka_wait(struct source *base, int timeout_ms, int wake_fd)
{
	struct source_kafka *s = self(base);
	struct pollfd p[2] = {
		{ .fd = s->wake, .events = POLLIN },
		{ .fd = wake_fd, .events = POLLIN },
	};
	uint64_t times;

	kafka_release(s);
	atomic_store(&s->sleeping, true);
	const int64_t before = kafka_now_ms();
	if (!atomic_exchange(&s->arrived, false))
		poll(p, wake_fd >= 0 ? 2 : 1, timeout_ms);
	atomic_store(&s->sleeping, false);
	atomic_store(&s->arrived, false);
	if (p[0].revents & POLLIN)
		(void)!read(s->wake, &times, sizeof times);
	if (kafka_now_ms() - before >= LOOK_AGAIN_MS) /* a lost mark must not be a lost partition */
		for (uint32_t i = 0; i < s->parts; i++)
			if (!s->part[i]->end)
				atomic_store(&s->part[i]->ready, true);
	kafka_housekeep(s);
}

/* -- facts ------------------------------------------------------------------------------------- */

static bool
kafka_event(struct source *base, struct source_event *out)
{
	struct source_kafka *s = self(base);

	if (atomic_load(&s->attention))
		kafka_housekeep(s);
	pthread_mutex_lock(&s->lock);
	const bool any = event_take(&s->events, out);
	pthread_mutex_unlock(&s->lock);
	return any;
}

static uint32_t
kafka_partitions(const struct source *base)
{
	return self_const(base)->parts;
}

static const char *
kafka_topic(const struct source *base, uint32_t partition, int32_t *number)
{
	const struct kafka_part *p = self_const(base)->part[partition];

	*number = p->number;
	return p->topic;
}

static bool
kafka_header(const struct source *base, const struct message *m, const char *name, const char **value,
             size_t *length)
{
	rd_kafka_headers_t *headers;
	const void *bytes;

	(void)base;
	if (!m->native || rd_kafka_message_headers(m->native, &headers) ||
	    rd_kafka_header_get_last(headers, name, &bytes, length) || !bytes)
		return false;
	*value = bytes;
	return true;
}

static int64_t
kafka_position(const struct source *base, uint32_t partition)
{
	return self_const(base)->part[partition]->next;
}

static int64_t
kafka_end_offset(const struct source *base, uint32_t partition)
{
	return self_const(base)->part[partition]->high;
}

static uint32_t
kafka_epoch(const struct source *base, uint32_t partition)
{
	return self_const(base)->part[partition]->epoch;
}

static void
kafka_committed(struct source *base, uint32_t partition, int64_t next_offset)
{
	struct source_kafka *s = self(base);

	s->part[partition]->publish = next_offset;
	s->to_publish = true;
}

void
source_kafka_counts(const struct source *base, struct source_kafka_counts *out)
{
	const struct source_kafka *s = self_const(source_inside(base));

	*out = s->counts;
	out->outage = atomic_load(&s->outage);
	out->brokers = scout_brokers(s->scout);
}

static void
tell_topic(void *context, const char *topic, bool missing)
{
	FILE *out = context;

	fputs("driftd_kafka_topic_missing{", out);
	exposition_label(out, "topic", topic, strlen(topic));
	fprintf(out, "} %d\n", missing);
}

void
source_kafka_metrics(const struct source *base, FILE *out)
{
	const struct source_kafka *s = self_const(source_inside(base));

	exposition_head(out, "driftd_kafka_topic_missing", "gauge", "1 for a topic that does not exist (any more).");
	scout_each_topic(s->scout, tell_topic, out);
}

const char *
source_kafka_bootstrap(const struct source *base)
{
	base = source_inside(base);
	const struct source_kafka *s = self_const(base);

	if (base->vtable->take != kafka_take || !s->embedded)
		return NULL;
	return embedded_bootstrap(s->embedded);
}

void
source_kafka_refresh(struct source *base)
{
	scout_kick(self_const(source_inside(base))->scout);
}

static void
kafka_close(struct source *base)
{
	kafka_finish(self(base));
}

const struct source_vtable kafka_vtable = {
	.take = kafka_take, .header = kafka_header, .wait = kafka_wait, .event = kafka_event,
	.partitions = kafka_partitions,
	.topic = kafka_topic, .position = kafka_position, .end_offset = kafka_end_offset,
	.epoch = kafka_epoch, .committed = kafka_committed, .again = kafka_again, .close = kafka_close,
};
