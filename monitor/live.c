/* live.c -- see live.h. */
#include "monitor/live.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const double live_seconds[LIVE_BUCKETS] = { .005, .01, .025, .05, .1, .25, 1, 5 };
const double live_records[LIVE_BUCKETS] = { 0, 100, 1000, 5000, 20000, 100000, 500000, 2000000 };

void
live_publish(struct live *l, const struct live_figures *figures)
{
	pthread_mutex_lock(&l->lock);
	l->figures = *figures;
	pthread_mutex_unlock(&l->lock);
}

void
live_read(struct live *l, struct live_figures *out)
{
	pthread_mutex_lock(&l->lock);
	*out = l->figures;
	pthread_mutex_unlock(&l->lock);
}

void
live_set_text(struct live *l, char *text)
{
	pthread_mutex_lock(&l->lock);
	char *old = l->text;
	l->text = text;
	pthread_mutex_unlock(&l->lock);
	free(old);
}

char *
live_text(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	char *copy = l->text ? strdup(l->text) : NULL;
	pthread_mutex_unlock(&l->lock);
	return copy;
}

static size_t
bucket(const double *bound, double x)
{
	size_t i = 0;

	while (i < LIVE_BUCKETS && x > bound[i])
		i++;
	return i;
}

void
live_commit(struct live_figures *f, double seconds, uint64_t records)
{
	f->commits++;
	f->commit_seconds += seconds;
	f->seconds_bucket[bucket(live_seconds, seconds)]++;
	f->records_bucket[bucket(live_records, (double)records)]++;
}

void
live_checkpoint(struct live_figures *f, uint64_t checkpoints, double seconds)
{
	if (checkpoints == f->checkpoints)
		return;
	f->checkpoints = checkpoints;
	f->checkpoint_seconds += seconds;
	f->checkpoint_bucket[bucket(live_seconds, seconds)]++;
}
