/* source_kafka_place.c -- where a partition is read from, and what is said when that is not where
 * the last message ended.
 *
 * Offsets alone do not show that a topic was deleted and made again, so the client starts at the
 * anchor, the last message that was processed, and compares its hash. With watermarks [low, high):
 *
 *   next < low                 expired: gap "retention", go on at low
 *   next > high, low > 0       a log cut by retention is the old one: "truncation", go on at high
 *   next > high, low = 0       a new topic: "recreated", go on at low, epoch + 1
 *   anchor in [low, high)      assigned there; another hash: "recreated" as above
 *   anchor gone                go on at next, counted as unverified
 */
#include "monitor/source/source_kafka.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
kafka_gap(struct source_kafka *s, struct kafka_part *p, int64_t from, int64_t to,
          const char *reason, const char *text)
{
	pthread_mutex_lock(&s->lock);
	struct source_event *e = event_add(&s->events, SOURCE_GAP, p->index);
	e->from = from;
	e->to = to;
	e->reason = reason;
	snprintf(e->text, sizeof e->text, "%.100s/%d: %s: offset %" PRId64 " to %" PRId64, p->topic,
	         (int)p->number, text, from, to);
	pthread_mutex_unlock(&s->lock);
}

void
kafka_resume(struct source_kafka *s, struct kafka_part *p)
{
	for (size_t i = 0; i < s->resumes; i++) {
		const struct resume *r = &s->resume[i];
		if (r->partition != p->number || strcmp(r->topic, p->topic))
			continue;
		p->next = r->next_offset;
		p->anchor = r->anchor_offset;
		p->anchor_hash = r->anchor_hash;
		p->epoch = r->epoch;
	}
}

void
kafka_lose(struct source_kafka *s, struct kafka_part *p)
{
	p->stage = PART_LOST;
	p->end = false;
	scout_want(s->scout, p->index);
}

/* From the first message of a topic that is not the one that was read before. Its other partitions
 * are new, too, which their offsets may not show. */
static void
begin_again(struct source_kafka *s, struct kafka_part *p)
{
	kafka_gap(s, p, p->next, p->low, "recreated", "the topic is another one than before");
	p->next = p->low;
	p->anchor = -1;
	p->epoch++;
	for (uint32_t i = 0; i < s->parts; i++) {
		struct kafka_part *other = s->part[i];
		if (other->stage == PART_RUNNING && other->anchor >= 0 && other->epoch < p->epoch &&
		    !strcmp(other->topic, p->topic))
			kafka_lose(s, other);
	}
}

/* The first position: told at once, so that it is stored even before a message is read. */
static void
begin(struct source_kafka *s, struct kafka_part *p)
{
	p->next = p->low;
	pthread_mutex_lock(&s->lock);
	struct source_event *e = event_add(&s->events, SOURCE_PARTITION, p->index);
	e->from = e->to = p->next;
	snprintf(e->text, sizeof e->text, "%.100s/%d: new, read from offset %" PRId64, p->topic,
	         (int)p->number, p->next);
	pthread_mutex_unlock(&s->lock);
}

void
kafka_place(struct source_kafka *s, struct kafka_part *p, int64_t low, int64_t high,
            rd_kafka_topic_partition_list_t *list)
{
	p->low = low;
	p->high = high;
	p->fetched_high = -1;
	if (p->stage == PART_RUNNING && !p->suspect)
		return;
	p->suspect = p->corrupt = false;
	if (p->next < 0) {
		begin(s, p);
	} else if (p->next < low) {
		kafka_gap(s, p, p->next, low, "retention", "expired before it was read");
		p->next = low;
	} else if (p->next > high && low > 0) {
		kafka_gap(s, p, p->next, high, "truncation", "the log lost its end");
		p->next = high;
		p->anchor = -1;
	} else if (p->next > high) {
		begin_again(s, p);
	}
	p->stage = PART_RUNNING;
	if (p->anchor >= low && p->anchor < high)
		p->stage = PART_ANCHOR;
	else if (p->anchor >= 0)
		s->counts.unverified++;
	p->end = p->stage == PART_RUNNING && p->next == high;
	rd_kafka_topic_partition_list_add(list, p->topic, p->number)->offset =
		p->stage == PART_ANCHOR ? p->anchor : p->next;
}

/* -- assignment -------------------------------------------------------------------------------- */

/* Called by a thread of librdkafka. */
static void
on_arrival(rd_kafka_t *consumer, void *opaque)
{
	struct kafka_part *p = opaque;

	(void)consumer;
	atomic_store(&p->ready, true);
	kafka_wake(p->source);
}

static struct kafka_part *
find(struct source_kafka *s, const rd_kafka_topic_partition_t *t)
{
	for (uint32_t i = 0; i < s->parts; i++)
		if (s->part[i]->number == t->partition && !strcmp(s->part[i]->topic, t->topic))
			return s->part[i];
	return NULL;
}

static void
check(struct source_kafka *s, rd_kafka_error_t *error)
{
	if (!error)
		return;
	kafka_trouble(s, (int)rd_kafka_error_code(error), "assign", UINT32_MAX,
	              rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
}

void
kafka_assign(struct source_kafka *s, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *again = rd_kafka_topic_partition_list_new(list->cnt);

	for (int i = 0; i < list->cnt; i++) {
		struct kafka_part *p = find(s, &list->elems[i]);
		if (p->assigned)
			rd_kafka_topic_partition_list_add(again, p->topic, p->number);
		p->assigned = true;
		atomic_store(&p->ready, true);
		if (p->queue)
			continue;
		/* Not forwarded, and before the assignment, which would forward it to the general queue. */
		p->queue = rd_kafka_queue_get_partition(s->consumer, p->topic, p->number);
		rd_kafka_queue_forward(p->queue, NULL);
		rd_kafka_queue_cb_event_enable(p->queue, on_arrival, p);
	}
	/* What is still queued from before carries an older version and is never delivered. */
	if (again->cnt)
		check(s, rd_kafka_incremental_unassign(s->consumer, again));
	if (list->cnt)
		check(s, rd_kafka_incremental_assign(s->consumer, list));
	rd_kafka_topic_partition_list_destroy(again);
}

static void
assign_one(struct source_kafka *s, struct kafka_part *p)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, p->topic, p->number)->offset = p->next;
	kafka_assign(s, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void
kafka_recreated(struct source_kafka *s, struct kafka_part *p)
{
	begin_again(s, p);
	p->stage = PART_RUNNING;
	p->end = false;
	assign_one(s, p);
}

/* -- errors ------------------------------------------------------------------------------------ */

static bool
is_fatal(int code)
{
	return code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
	       code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
	       code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

/* The entry of this kind of error; the last one is shared by all that find no place. */
static struct kafka_error *
kind_of(struct source_kafka *s, int code, const char *reason)
{
	uint32_t i = 0;

	while (i < s->errors && (s->error[i].code != code || strcmp(s->error[i].reason, reason)))
		i++;
	if (i == KAFKA_ERROR_KINDS)
		return &s->error[KAFKA_ERROR_KINDS - 1];
	if (i == s->errors)
		s->error[s->errors++] = (struct kafka_error){ .code = code, .reason = reason, .told_ms = -1 };
	return &s->error[i];
}

void
kafka_trouble(struct source_kafka *s, int code, const char *reason, uint32_t partition,
              const char *text)
{
	const int64_t now = kafka_now_ms();

	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		atomic_store(&s->outage, true);
	if (!reason)
		reason = rd_kafka_err2name((rd_kafka_resp_err_t)code);
	pthread_mutex_lock(&s->lock);
	struct kafka_error *k = kind_of(s, code, reason);
	s->counts.errors++;
	k->since++;
	if (k->told_ms < 0 || now - k->told_ms >= KAFKA_ERROR_MS) {
		struct source_event *e = event_add(&s->events, SOURCE_ERROR, partition);
		e->reason = reason;
		e->fatal = is_fatal(code);
		if (k->since > 1)
			snprintf(e->text, sizeof e->text, "%.200s (%" PRIu64 " times)", text, k->since);
		else
			snprintf(e->text, sizeof e->text, "%.250s", text);
		k->told_ms = now;
		k->since = 0;
	}
	pthread_mutex_unlock(&s->lock);
	kafka_wake(s);
}

static bool
is_unknown(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
	       err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* librdkafka 2.0.2 tells that a topic is gone by the error callback, while the partition's queue
 * is read. The topic may come back as another one, and the client would just read on. */
void
kafka_consumer_error(struct source_kafka *s, int code, const char *text)
{
	struct kafka_part *p = s->taking;

	kafka_trouble(s, code, NULL, p ? p->index : UINT32_MAX, text);
	if (p && is_unknown((rd_kafka_resp_err_t)code))
		kafka_lose(s, p);
}

bool
kafka_part_error(struct source_kafka *s, struct kafka_part *p, const rd_kafka_message_t *m)
{
	if (is_unknown(m->err)) {
		kafka_trouble(s, (int)m->err, NULL, p->index, rd_kafka_message_errstr(m));
		kafka_lose(s, p);
		return false;
	}
	switch (m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (p->stage == PART_ANCHOR) {
			s->counts.unverified++; /* compacted, or followed by transaction markers only */
			p->stage = PART_RUNNING;
		}
		if (m->offset > p->next) {
			s->counts.holes += (uint64_t)(m->offset - p->next);
			p->next = m->offset;
		}
		p->end = true;
		return true;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		kafka_lose(s, p);
		return false;
	case RD_KAFKA_RESP_ERR__BAD_MSG:
	case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
		p->corrupt = true;
		/* fall through */
	default:
		kafka_trouble(s, (int)m->err, NULL, p->index, rd_kafka_message_errstr(m));
		return true;
	}
}
