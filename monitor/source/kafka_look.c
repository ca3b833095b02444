/* kafka_look.c -- what the scout asks the cluster. */
#include "monitor/source/kafka_scout_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/source/source_event.h"

enum { MISSING_MS = 60000 }; /* a topic may be away so long before it is trouble */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -- metadata ---------------------------------------------------------------------------------- */

static bool
matches(const struct strings *globs, const char *topic)
{
	for (size_t i = 0; i < globs->n; i++)
		if (config_glob(globs->text[i], topic))
			return true;
	return false;
}

static bool
chosen(const struct config *c, const char *topic)
{
	if (matches(&c->topics_records, topic) || matches(&c->topics_labels, topic))
		return true;
	for (size_t i = 0; i < c->models + c->patterns; i++)
		if (matches(&c->model[i].topics_records, topic) || matches(&c->model[i].topics_labels, topic))
			return true;
	return false;
}

static int
by_topic(const void *a, const void *b)
{
	const rd_kafka_metadata_topic_t *const *x = a, *const *y = b;
	return strcmp((*x)->topic, (*y)->topic);
}

static struct scout_place *
find(const struct scout *s, const char *topic, int32_t number)
{
	for (uint32_t i = 0; i < s->places; i++)
		if (s->place[i]->number == number && !strcmp(s->place[i]->topic, topic))
			return s->place[i];
	return NULL;
}

static void
add(struct scout *s, const char *topic, int32_t number)
{
	struct scout_place *p = source_alloc(1, sizeof *p);

	if (s->places == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 64;
		s->place = source_realloc(s->place, s->capacity, sizeof *s->place);
	}
	p->topic = source_alloc(strlen(topic) + 1, 1);
	memcpy(p->topic, topic, strlen(topic) + 1);
	p->number = number;
	p->wanted = true;
	s->place[s->places++] = p;
}

/* One topic of the metadata. Its partitions are numbered from 0; they can only become more. */
static void
see(struct scout *s, const rd_kafka_metadata_topic_t *t)
{
	for (int32_t number = 0; number < t->partition_cnt; number++) {
		struct scout_place *p = find(s, t->topic, number);
		if (p && p->missing)
			p->returned = p->wanted = true;
		if (p)
			p->missing = false;
		else if (s->places < LIMIT_PARTITIONS)
			add(s, t->topic, number);
		else if (!s->full) {
			s->full = true;
			s->report.trouble(s->report.ctx, 0, "partitions", UINT32_MAX,
			                  "more partitions than one process can read; the rest is not read");
		}
	}
}

/* Tells of partitions whose topic has been away for long. */
static void
tell_missing(struct scout *s)
{
	char text[200];

	for (uint32_t i = 0; i < s->places; i++) {
		struct scout_place *p = s->place[i];
		if (!p->missing || now_ms() - p->missing_ms < MISSING_MS)
			continue;
		snprintf(text, sizeof text, "topic %.120s does not exist any more, or may not be described",
		         p->topic);
		s->report.trouble(s->report.ctx, 0, "topic_missing", i, text);
	}
}

/* Takes the topics over, under the lock. */
static void
compare(struct scout *s, const rd_kafka_metadata_t *m)
{
	const rd_kafka_metadata_topic_t **topic = source_alloc((size_t)m->topic_cnt, sizeof *topic);
	size_t n = 0;

	for (int i = 0; i < m->topic_cnt; i++)
		if (!m->topics[i].err && chosen(s->config, m->topics[i].topic))
			topic[n++] = &m->topics[i];
	qsort(topic, n, sizeof *topic, by_topic);
	for (uint32_t i = 0; i < s->places; i++) {
		struct scout_place *p = s->place[i];
		const rd_kafka_metadata_topic_t key = { .topic = p->topic }, *wanted = &key;
		const rd_kafka_metadata_topic_t *const *found =
			bsearch(&wanted, topic, n, sizeof *topic, by_topic);
		if (found && p->number < (*found)->partition_cnt)
			continue;
		if (!p->missing)
			p->missing_ms = now_ms();
		p->missing = true;
	}
	for (size_t i = 0; i < n; i++)
		see(s, topic[i]);
	free(topic);
}

/* Is it the first of its topic? */
static bool
first_of_topic(const struct scout *s, uint32_t place)
{
	for (uint32_t i = 0; i < place; i++)
		if (!strcmp(s->place[i]->topic, s->place[place]->topic))
			return false;
	return true;
}

static void
visit_names(const struct scout *s, const struct strings *names,
            void (*visit)(void *ctx, const char *topic, bool missing), void *ctx)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strpbrk(names->text[i], "*?") && !find(s, names->text[i], 0))
			visit(ctx, names->text[i], true);
}

void
scout_each_topic(struct scout *s, void (*visit)(void *ctx, const char *topic, bool missing), void *ctx)
{
	const struct config *c = s->config;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->places; i++)
		if (!s->place[i]->number && first_of_topic(s, i))
			visit(ctx, s->place[i]->topic, s->place[i]->missing);
	if (s->answered) {
		visit_names(s, &c->topics_records, visit, ctx);
		visit_names(s, &c->topics_labels, visit, ctx);
	}
	for (size_t i = 0; s->answered && i < c->models + c->patterns; i++) {
		visit_names(s, &c->model[i].topics_records, visit, ctx);
		visit_names(s, &c->model[i].topics_labels, visit, ctx);
	}
	pthread_mutex_unlock(&s->lock);
}

uint32_t
scout_brokers(struct scout *s)
{
	pthread_mutex_lock(&s->lock);
	const uint32_t n = s->brokers;
	pthread_mutex_unlock(&s->lock);
	return n;
}

bool
scout_any_missing(struct scout *s)
{
	bool any = false;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->places && !any; i++)
		any = s->place[i]->missing;
	pthread_mutex_unlock(&s->lock);
	return any;
}

bool
scout_look(struct scout *s)
{
	rd_kafka_t *handle = s->consumer ? s->consumer : s->probe;
	const struct rd_kafka_metadata *m = NULL;
	const rd_kafka_resp_err_t err = rd_kafka_metadata(handle, 1, NULL, &m, s->patience_ms);

	if (!s->consumer)
		rd_kafka_poll(handle, 0); /* error events; those of the consumer are the source's */
	if (err) {
		char text[200];
		snprintf(text, sizeof text, "no answer about topics: %s", rd_kafka_err2str(err));
		s->report.trouble(s->report.ctx, (int)err, NULL, UINT32_MAX, text);
		return false;
	}
	pthread_mutex_lock(&s->lock);
	s->brokers = (uint32_t)m->broker_cnt;
	s->answered = true;
	compare(s, m);
	tell_missing(s);
	pthread_mutex_unlock(&s->lock);
	rd_kafka_metadata_destroy(m);
	return true;
}

/* -- watermarks -------------------------------------------------------------------------------- */

/* All in one request per broker: a "time" of -2 asks for the first offset, -1 for the one behind
 * the last. */
static rd_kafka_topic_partition_list_t *
ask(struct scout *s, int64_t which)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->places; i++)
		if (s->place[i]->wanted && !s->place[i]->missing)
			rd_kafka_topic_partition_list_add(list, s->place[i]->topic, s->place[i]->number)->offset =
				which;
	pthread_mutex_unlock(&s->lock);
	const rd_kafka_resp_err_t err =
		list->cnt ? rd_kafka_offsets_for_times(s->consumer, list, s->patience_ms) : 0;
	for (int i = 0; err && i < list->cnt; i++)
		list->elems[i].err = err;
	return list;
}

bool
scout_measure(struct scout *s)
{
	rd_kafka_topic_partition_list_t *low = ask(s, RD_KAFKA_OFFSET_BEGINNING);
	rd_kafka_topic_partition_list_t *high = ask(s, RD_KAFKA_OFFSET_END);
	bool all = true;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->places; i++) {
		struct scout_place *p = s->place[i];
		const rd_kafka_topic_partition_t *a, *b;
		if (!p->wanted || p->missing)
			continue;
		a = rd_kafka_topic_partition_list_find(low, p->topic, p->number);
		b = rd_kafka_topic_partition_list_find(high, p->topic, p->number);
		if (!a || !b || a->err || b->err || a->offset < 0 || b->offset < a->offset) {
			all = false;
			continue;
		}
		p->low = a->offset;
		p->high = b->offset;
		p->wanted = false;
		p->fresh = true;
	}
	pthread_mutex_unlock(&s->lock);
	rd_kafka_topic_partition_list_destroy(low);
	rd_kafka_topic_partition_list_destroy(high);
	return all;
}
