#include "monitor/source/source_kafka.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/source/embedded.h"

static char *
copy(const char *text)
{
	const size_t size = strlen(text) + 1;
	return memcpy(source_alloc(size, 1), text, size);
}

/* -- housekeeping ------------------------------------------------------------------------------ */

static void
on_general(rd_kafka_t *consumer, void *opaque)
{
	struct source_kafka *s = opaque;

	(void)consumer;
	atomic_store(&s->attention, true);
	kafka_wake(s);
}

/* All partitions of one look at once: the merge must not begin with some of them. */
static void
adopt(struct source_kafka *s)
{
	const uint32_t n = scout_partitions(s->scout);

	if (n > s->capacity) {
		s->capacity = n + n / 2;
		s->part = source_realloc(s->part, s->capacity, sizeof(struct kafka_part *));
	}
	for (; s->parts < n; s->parts++) {
		struct kafka_part *p = source_alloc(1, sizeof *p);
		p->source = s;
		p->index = s->parts;
		p->topic = copy(scout_topic(s->scout, p->index, &p->number));
		p->profile = decoder_profile(s->decoder, p->topic);
		p->next = p->anchor = p->low = p->high = p->fetched_high = p->publish = -1;
		kafka_resume(s, p);
		s->part[p->index] = p;
	}
}

static void
take_news(struct source_kafka *s)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
	int64_t low, high;
	bool returned;

	adopt(s);
	for (uint32_t i = 0; i < s->parts; i++) {
		struct kafka_part *p = s->part[i];
		if (!scout_watermarks(s->scout, i, &low, &high, &returned))
			continue;
		p->suspect = p->suspect || returned;
		kafka_place(s, p, low, high, list);
	}
	if (list->cnt)
		kafka_assign(s, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* The general queue holds errors; looking at it also runs the error callback. */
static void
serve_general(struct source_kafka *s)
{
	rd_kafka_message_t *m;

	while ((m = rd_kafka_consumer_poll(s->consumer, 0))) {
		if (m->err)
			kafka_trouble(s, (int)m->err, NULL, UINT32_MAX, rd_kafka_message_errstr(m));
		rd_kafka_message_destroy(m);
	}
}

/* After an outage the cluster that came back may be another one. */
static void
suspect_all(struct source_kafka *s)
{
	for (uint32_t i = 0; i < s->parts; i++) {
		s->part[i]->suspect = true;
		s->part[i]->end = false;
		scout_want(s->scout, i);
	}
}

/* Offsets for lag tools; nothing depends on their arrival. */
static void
publish(struct source_kafka *s)
{
	rd_kafka_topic_partition_list_t *list;
	const int64_t now = kafka_now_ms();

	if (!s->to_publish || now - s->published_ms < KAFKA_PUBLISH_MS)
		return;
	list = rd_kafka_topic_partition_list_new((int)s->parts);
	for (uint32_t i = 0; i < s->parts; i++) {
		struct kafka_part *p = s->part[i];
		if (p->publish >= 0)
			rd_kafka_topic_partition_list_add(list, p->topic, p->number)->offset = p->publish;
		p->publish = -1;
	}
	rd_kafka_commit(s->consumer, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
	s->to_publish = false;
	s->published_ms = now;
}

void
kafka_housekeep(struct source_kafka *s)
{
	const bool attention = atomic_exchange(&s->attention, false);

	if (!s->consumer && attention && (s->consumer = scout_consumer(s->scout))) {
		kafka_nudge_init(s);
		rd_kafka_poll_set_consumer(s->consumer);
		s->general = rd_kafka_queue_get_consumer(s->consumer);
		rd_kafka_queue_cb_event_enable(s->general, on_general, s);
		atomic_store(&s->outage, false); /* nothing was read before it */
	}
	if (!s->consumer)
		return;
	if (attention) {
		serve_general(s);
		take_news(s);
	}
	if (atomic_exchange(&s->outage, false))
		suspect_all(s);
	publish(s);
}

/* -- open and close ---------------------------------------------------------------------------- */

static void
on_news(void *context)
{
	struct source_kafka *s = context;

	atomic_store(&s->attention, true);
	kafka_wake(s);
}

static void
on_trouble(void *context, int error, const char *reason, uint32_t partition, const char *text)
{
	kafka_trouble(context, error, reason, partition, text);
}

static void
on_consumer_error(void *context, int error, const char *text)
{
	kafka_consumer_error(context, error, text);
}

static bool
is_glob(const char *topic)
{
	return strpbrk(topic, "*?") != NULL;
}

static int
create_topics(struct source_kafka *s, const struct config *c, const struct strings *topics,
              struct diag *d)
{
	const uint32_t partitions = c->kafka.embedded_partitions ? c->kafka.embedded_partitions : 1;
	int err = 0;

	for (size_t i = 0; i < topics->n && !err; i++)
		if (!is_glob(topics->text[i]))
			err = embedded_topic(s->embedded, topics->text[i], partitions, d);
	return err;
}

static int
start_embedded(struct source_kafka *s, const struct config *c, struct diag *d)
{
	int err = embedded_start(&s->embedded, d);

	if (!err)
		err = create_topics(s, c, &c->topics_records, d);
	if (!err)
		err = create_topics(s, c, &c->topics_labels, d);
	for (size_t i = 0; i < c->models + c->patterns && !err; i++) {
		err = create_topics(s, c, &c->model[i].topics_records, d);
		if (!err)
			err = create_topics(s, c, &c->model[i].topics_labels, d);
	}
	return err;
}

static void
copy_resume(struct source_kafka *s, const struct resume *resume, size_t resumes)
{
	s->resume = source_alloc(resumes, sizeof *s->resume);
	s->resumes = resumes;
	for (size_t i = 0; i < resumes; i++) {
		s->resume[i] = resume[i];
		s->resume[i].topic = copy(resume[i].topic);
	}
}

/* `bootstrap` NULL: the configured brokers. */
static int
open_at(struct source **out, const struct config *config, struct decoder *decoder, const char *bootstrap,
        const struct resume *resume, size_t resumes, struct diag *d)
{
	struct source_kafka *s = source_alloc(1, sizeof *s);
	const struct scout_report report = {
		.news = on_news, .trouble = on_trouble, .consumer_error = on_consumer_error, .ctx = s,
	};
	int err = 0;

	*out = NULL;
	s->base.vtable = &kafka_vtable;
	s->config = config;
	s->decoder = decoder;
	pthread_mutex_init(&s->lock, NULL);
	copy_resume(s, resume, resumes);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		err = diag_set(d, ERR_IO, "eventfd: no more files can be opened");
	if (!bootstrap)
		bootstrap = config->kafka.brokers;
	if (!err && !strcmp(bootstrap, "embedded") && !(err = start_embedded(s, config, d)))
		bootstrap = embedded_bootstrap(s->embedded);
	if (!err)
		err = scout_start(&s->scout, config, bootstrap, &report, d);
	if (err) {
		kafka_finish(s);
		return err;
	}
	*out = &s->base;
	return 0;
}

static int
wrapped(struct source **out, const struct config *config, struct diag *d)
{
	struct source *bare = *out;
	int err = source_envelope_open(out, config, d);

	if (err) {
		bare->vtable->close(bare);
		*out = NULL;
	}
	return err;
}

int
source_kafka_open(struct source **out, const struct config *config, struct decoder *decoder,
                  const struct resume *resume, size_t resumes, struct diag *d)
{
	int err = open_at(out, config, decoder, NULL, resume, resumes, d);

	return err ? err : wrapped(out, config, d);
}

int
kafka_again(const struct source *base, struct source **out, struct diag *d)
{
	const struct source_kafka *s = (const struct source_kafka *)base;

	int err = open_at(out, s->config, s->decoder, source_kafka_bootstrap(base), NULL, 0, d);

	return err ? err : wrapped(out, s->config, d);
}

void
kafka_finish(struct source_kafka *s)
{
	kafka_release(s);
	if (s->scout)
		scout_join(s->scout);
	for (uint32_t i = 0; i < s->parts; i++) {
		struct kafka_part *p = s->part[i];
		if (p->queue) {
			rd_kafka_queue_cb_event_enable(p->queue, NULL, NULL);
			rd_kafka_queue_destroy(p->queue);
		}
	}
	if (s->general) {
		rd_kafka_queue_cb_event_enable(s->general, NULL, NULL);
		rd_kafka_queue_destroy(s->general);
	}
	if (s->consumer) /* no group membership: nothing to leave */
		rd_kafka_destroy_flags(s->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	scout_free(s->scout);
	embedded_stop(s->embedded);
	for (uint32_t i = 0; i < s->parts; i++) {
		free(s->part[i]->topic);
		free(s->part[i]);
	}
	for (size_t i = 0; i < s->resumes; i++)
		free((void *)(uintptr_t)s->resume[i].topic);
	free(s->resume);
	free(s->part);
	kafka_nudge_finish(s);
	event_finish(&s->events);
	pthread_mutex_destroy(&s->lock);
	if (s->wake > 0)
		close(s->wake);
	free(s);
}
