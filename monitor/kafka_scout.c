#include "monitor/kafka_scout.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/limits.h"
#include "monitor/kafka_conf.h"
#include "monitor/source_event.h"

enum {
	LOOK_MS = 30000,        /* between two looks at the metadata */
	LOOK_MISSING_MS = 5000, /* the same while a topic is missing */
	RETRY_MS = 500,         /* after a failure, and while watermarks are owed */
	ANSWER_MS = 1000,       /* patience with one request, doubled by each failure up to ... */
	ANSWER_MS_MAX = 8000,   /* ... this; a stop waits as long */
	MISSING_MS = 60000,     /* a topic may be away so long before it is trouble */
};

struct place {
	char *topic;
	int32_t number;
	bool wanted, fresh, missing, returned;
	int64_t missing_ms;     /* since when */
	int64_t low, high;
};

struct scout {
	const struct config *config;
	char *bootstrap;
	struct scout_report report;
	rd_kafka_t *probe;      /* until the consumer is there */
	rd_kafka_t *consumer;   /* used by the scout, owned by the source */
	int patience_ms;
	bool full;              /* said that there are too many partitions */

	pthread_t thread;
	pthread_mutex_t lock;   /* all below */
	pthread_cond_t kick;
	bool started, stop, kicked, handed;
	struct place **place;
	uint32_t places, capacity;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
silent(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

static void
on_error(rd_kafka_t *handle, int error, const char *text, void *opaque)
{
	struct scout *s = opaque;

	if (handle == s->consumer)
		s->report.consumer_error(s->report.ctx, error, text);
	else
		s->report.trouble(s->report.ctx, error, NULL, UINT32_MAX, text);
}

static int
open_handle(struct scout *s, rd_kafka_t **out, uint32_t partitions, struct diag *d)
{
	rd_kafka_conf_t *conf;
	char text[512];
	int err;

	if ((err = kafka_conf_create(&conf, &s->config->kafka, s->bootstrap, partitions, d)))
		return err;
	rd_kafka_conf_set_log_cb(conf, silent); /* what matters comes as an error event */
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, s);
	*out = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
	if (*out)
		return 0;
	rd_kafka_conf_destroy(conf);
	return diag_set(d, ERR_INVALID, "kafka: %s", text);
}

/* -- metadata -------------------------------------------------------------------------------------- */

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
	for (size_t i = 0; i < c->models; i++)
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

static struct place *
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
	struct place *p = source_alloc(1, sizeof *p);

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
		struct place *p = find(s, t->topic, number);
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
		struct place *p = s->place[i];
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
		struct place *p = s->place[i];
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

static bool
any_missing(struct scout *s)
{
	bool any = false;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->places && !any; i++)
		any = s->place[i]->missing;
	pthread_mutex_unlock(&s->lock);
	return any;
}

static bool
look(struct scout *s)
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
	compare(s, m);
	tell_missing(s);
	pthread_mutex_unlock(&s->lock);
	rd_kafka_metadata_destroy(m);
	return true;
}

/* -- watermarks ------------------------------------------------------------------------------------ */

/* All in one request per broker: a "time" of -2 asks for the first offset, -1 for the one behind the last. */
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

/* True when nobody is left without an answer. */
static bool
measure(struct scout *s)
{
	rd_kafka_topic_partition_list_t *low = ask(s, RD_KAFKA_OFFSET_BEGINNING);
	rd_kafka_topic_partition_list_t *high = ask(s, RD_KAFKA_OFFSET_END);
	bool all = true;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->places; i++) {
		struct place *p = s->place[i];
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

/* -- thread ---------------------------------------------------------------------------------------- */

/* Waits; false: stop. */
static bool
pause_ms(struct scout *s, int ms)
{
	struct timespec until;
	bool go;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->kicked && !pthread_cond_timedwait(&s->kick, &s->lock, &until))
		continue;
	s->kicked = false;
	go = !s->stop;
	pthread_mutex_unlock(&s->lock);
	return go;
}

/* The memory for fetched messages is per partition and fixed when the client is created, so the real
 * consumer waits until it is known how many partitions there are. */
static bool
open_consumer(struct scout *s)
{
	struct diag d;

	if (s->consumer || !s->places)
		return s->consumer != NULL;
	if (open_handle(s, &s->consumer, s->places, &d)) {
		s->report.trouble(s->report.ctx, RD_KAFKA_RESP_ERR__FATAL, NULL, UINT32_MAX, d.text);
		return false;
	}
	rd_kafka_destroy(s->probe);
	s->probe = NULL;
	return true;
}

static void *
scout_main(void *argument)
{
	struct scout *s = argument;
	int ms;

	s->patience_ms = ANSWER_MS;
	do {
		const bool seen = look(s);
		const bool measured = seen && open_consumer(s) && measure(s);
		/* No partition at all is an answer, too. */
		const bool settled = measured || (seen && !s->places);
		ms = !settled ? RETRY_MS : any_missing(s) || !s->places ? LOOK_MISSING_MS : LOOK_MS;
		if (seen)
			s->patience_ms = ANSWER_MS;
		else if (s->patience_ms < ANSWER_MS_MAX)
			s->patience_ms *= 2;
		if (seen)
			s->report.news(s->report.ctx);
	} while (pause_ms(s, ms));
	return NULL;
}

/* -- interface ------------------------------------------------------------------------------------- */

static int
start_thread(struct scout *s, struct diag *d)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const int err = pthread_create(&s->thread, NULL, scout_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->started = !err;
	return err ? diag_set(d, ERR_IO, "thread: %s", strerror(err)) : 0;
}

int
scout_start(struct scout **out, const struct config *config, const char *bootstrap,
            const struct scout_report *report, struct diag *d)
{
	struct scout *s = source_alloc(1, sizeof *s);
	pthread_condattr_t monotonic;
	int err;

	*out = NULL;
	s->config = config;
	s->report = *report;
	s->bootstrap = source_alloc(strlen(bootstrap) + 1, 1);
	memcpy(s->bootstrap, bootstrap, strlen(bootstrap) + 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->kick, &monotonic);
	pthread_condattr_destroy(&monotonic);
	err = open_handle(s, &s->probe, 0, d);
	if (!err)
		err = start_thread(s, d);
	if (err) {
		scout_free(s);
		return err;
	}
	*out = s;
	return 0;
}

rd_kafka_t *
scout_consumer(struct scout *s)
{
	rd_kafka_t *consumer = NULL;

	pthread_mutex_lock(&s->lock);
	/* Fresh watermarks come after the consumer: without any it may still be in the making. */
	for (uint32_t i = 0; i < s->places && !s->handed; i++)
		if (s->place[i]->fresh) {
			consumer = s->consumer;
			s->handed = true;
		}
	pthread_mutex_unlock(&s->lock);
	return consumer;
}

uint32_t
scout_partitions(struct scout *s)
{
	pthread_mutex_lock(&s->lock);
	const uint32_t n = s->places;
	pthread_mutex_unlock(&s->lock);
	return n;
}

const char *
scout_topic(struct scout *s, uint32_t partition, int32_t *number)
{
	pthread_mutex_lock(&s->lock);
	const struct place *p = s->place[partition];
	pthread_mutex_unlock(&s->lock);
	*number = p->number;
	return p->topic;
}

bool
scout_watermarks(struct scout *s, uint32_t partition, int64_t *low, int64_t *high, bool *returned)
{
	pthread_mutex_lock(&s->lock);
	struct place *p = s->place[partition];
	const bool fresh = p->fresh;
	*low = p->low;
	*high = p->high;
	*returned = p->returned;
	if (fresh)
		p->fresh = p->returned = false;
	pthread_mutex_unlock(&s->lock);
	return fresh;
}

void
scout_want(struct scout *s, uint32_t partition)
{
	pthread_mutex_lock(&s->lock);
	s->place[partition]->wanted = true;
	s->place[partition]->fresh = false;
	s->kicked = true;
	pthread_cond_signal(&s->kick);
	pthread_mutex_unlock(&s->lock);
}

void
scout_kick(struct scout *s)
{
	pthread_mutex_lock(&s->lock);
	s->kicked = true;
	pthread_cond_signal(&s->kick);
	pthread_mutex_unlock(&s->lock);
}

void
scout_join(struct scout *s)
{
	if (!s->started)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->kick);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->started = false;
}

void
scout_free(struct scout *s)
{
	if (!s)
		return;
	scout_join(s);
	if (s->probe)
		rd_kafka_destroy(s->probe);
	if (s->consumer && !s->handed)
		rd_kafka_destroy(s->consumer);
	for (uint32_t i = 0; i < s->places; i++) {
		free(s->place[i]->topic);
		free(s->place[i]);
	}
	free(s->place);
	free(s->bootstrap);
	pthread_cond_destroy(&s->kick);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
