/* ahead.c -- one thread, one batch at a time. See ahead.h. */
#define _GNU_SOURCE 1 /* pthread_setname_np */
#include "monitor/source/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct stash {
	struct record *record[AHEAD_RECORDS];
	int64_t offset[AHEAD_RECORDS];
	size_t length[AHEAD_RECORDS];
	uint32_t n, at;
	enum partition_state state;
};

struct ahead {
	struct decoder *decoder;
	struct stash stash[AHEAD_LANES];
	struct message message[AHEAD_RECORDS];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock: */
	struct stash *work; /* is to be decoded; NULL: the thread has nothing to do */
	bool stop;
};

static void *
work(void *context)
{
	struct ahead *a = context;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		struct stash *s = a->work;

		if (!s) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		decoder_lock(a->decoder);
		for (uint32_t i = 0; i < s->n; i++)
			decode(a->decoder, &a->message[i], s->record[i]);
		decoder_unlock(a->decoder);
		pthread_mutex_lock(&a->lock);
		a->work = NULL;
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void
free_records(struct ahead *a)
{
	for (uint32_t lane = 0; lane < AHEAD_LANES; lane++)
		for (uint32_t i = 0; i < AHEAD_RECORDS; i++) {
			record_finish(a->stash[lane].record[i]);
			free(a->stash[lane].record[i]);
		}
	free(a);
}

struct ahead *
ahead_create(struct decoder *d)
{
	struct ahead *a = calloc(1, sizeof *a);
	sigset_t all, before;
	bool fine = a != NULL;
	int err;

	for (uint32_t i = 0; fine && i < AHEAD_LANES * AHEAD_RECORDS; i++) {
		struct record *r = calloc(1, sizeof *r);

		a->stash[i / AHEAD_RECORDS].record[i % AHEAD_RECORDS] = r;
		if (r)
			record_init(r);
		fine = r != NULL;
	}
	if (!fine) {
		if (a)
			free_records(a);
		return NULL;
	}
	a->decoder = d;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	sigfillset(&all); /* signals are for the pipeline's thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&a->thread, NULL, work, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err) {
		pthread_setname_np(a->thread, "decode");
		return a;
	}
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free_records(a);
	return NULL;
}

static void
wait_idle(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	while (a->work)
		pthread_cond_wait(&a->changed, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

void
ahead_destroy(struct ahead *a)
{
	if (!a)
		return;
	wait_idle(a);
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free_records(a);
}

struct message *
ahead_messages(struct ahead *a)
{
	wait_idle(a);
	return a->message;
}

void
ahead_start(struct ahead *a, uint32_t lane, uint32_t n, enum partition_state state)
{
	struct stash *s = &a->stash[lane];

	for (uint32_t i = 0; i < n; i++) {
		s->offset[i] = a->message[i].offset;
		s->length[i] = a->message[i].value_length;
	}
	s->n = n;
	s->at = 0;
	s->state = state;
	pthread_mutex_lock(&a->lock);
	a->work = s;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

uint32_t
ahead_held(const struct ahead *a, uint32_t lane)
{
	return a->stash[lane].n - a->stash[lane].at;
}

struct record *
ahead_take(struct ahead *a, uint32_t lane, struct record *free, size_t *length, enum partition_state *state)
{
	struct stash *s = &a->stash[lane];
	struct record *taken;

	if (s->at == 0)
		wait_idle(a);
	taken = s->record[s->at];
	s->record[s->at] = free;
	*length = s->length[s->at++];
	*state = s->at == s->n ? s->state : PARTITION_PENDING;
	return taken;
}

int64_t
ahead_offset(const struct ahead *a, uint32_t lane)
{
	return a->stash[lane].offset[a->stash[lane].at];
}

size_t
ahead_bytes(const struct ahead *a)
{
	/* not what the records hold: the thread may be changing it */
	return sizeof *a + AHEAD_LANES * AHEAD_RECORDS * sizeof(struct record);
}
