#include "monitor/source/kafka_scout_inside.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/source/kafka_conf.h"
#include "monitor/source/source_event.h"

enum {
	LOOK_MS = 30000,        /* between two looks at the metadata */
	LOOK_MISSING_MS = 5000, /* the same while a topic is missing */
	RETRY_MS = 500,         /* after a failure, and while watermarks are owed */
	ANSWER_MS = 1000,       /* patience with one request, doubled by each failure up to ... */
	ANSWER_MS_MAX = 8000,   /* ... this; a stop waits as long */
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

/* -- thread ------------------------------------------------------------------------------------ */

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

/* The memory for fetched messages is per partition and fixed when the client is created, so the
 * real consumer waits until it is known how many partitions there are. */
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
		const bool seen = scout_look(s);
		const bool measured = seen && open_consumer(s) && scout_measure(s);
		/* No partition at all is an answer, too. */
		const bool settled = measured || (seen && !s->places);
		ms = !settled ? RETRY_MS : scout_any_missing(s) || !s->places ? LOOK_MISSING_MS : LOOK_MS;
		if (seen)
			s->patience_ms = ANSWER_MS;
		else if (s->patience_ms < ANSWER_MS_MAX)
			s->patience_ms *= 2;
		if (seen)
			s->report.news(s->report.ctx);
	} while (pause_ms(s, ms));
	return NULL;
}

/* -- interface --------------------------------------------------------------------------------- */

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
	const struct scout_place *p = s->place[partition];
	pthread_mutex_unlock(&s->lock);
	*number = p->number;
	return p->topic;
}

bool
scout_watermarks(struct scout *s, uint32_t partition, int64_t *low, int64_t *high, bool *returned)
{
	pthread_mutex_lock(&s->lock);
	struct scout_place *p = s->place[partition];
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
