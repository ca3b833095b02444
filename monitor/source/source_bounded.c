/* source_bounded.c -- the history of a source up to fixed offsets; see source.h. A partition of which
 * nothing is left below its bound is at its end; whatever else the source can do passes through. */
#include "monitor/source/source.h"

#include <stdlib.h>

#include "config/diag.h"

struct source_bounded {
	struct source base;
	struct source *of;
	source_until_fn until;
	void *context;
};

static struct source_bounded *
self(struct source *s)
{
	return (struct source_bounded *)s;
}

static const struct source_bounded *
self_const(const struct source *s)
{
	return (const struct source_bounded *)s;
}

static size_t
bounded_take(struct source *base, uint32_t partition, struct message *out, size_t max,
             enum partition_state *state)
{
	struct source_bounded *s = self(base);
	int32_t number = 0;
	const char *topic = s->of->vtable->topic(s->of, partition, &number);
	const int64_t until = s->until(s->context, topic, number);
	size_t n = 0, kept = 0;

	if (s->of->vtable->position(s->of, partition) < until)
		n = s->of->vtable->take(s->of, partition, out, max, state);
	while (kept < n && out[kept].offset < until)
		kept++;
	if (s->of->vtable->position(s->of, partition) >= until)
		*state = PARTITION_END;
	return kept;
}

static void
bounded_wait(struct source *base, int timeout_ms, int wake_fd)
{
	struct source *of = self(base)->of;

	of->vtable->wait(of, timeout_ms, wake_fd);
}

static bool
bounded_event(struct source *base, struct source_event *out)
{
	struct source *of = self(base)->of;

	return of->vtable->event(of, out);
}

static uint32_t
bounded_partitions(const struct source *base)
{
	const struct source *of = self_const(base)->of;

	return of->vtable->partitions(of);
}

static const char *
bounded_topic(const struct source *base, uint32_t partition, int32_t *number)
{
	const struct source *of = self_const(base)->of;

	return of->vtable->topic(of, partition, number);
}

static int64_t
bounded_position(const struct source *base, uint32_t partition)
{
	const struct source *of = self_const(base)->of;

	return of->vtable->position(of, partition);
}

static int64_t
bounded_end_offset(const struct source *base, uint32_t partition)
{
	const struct source *of = self_const(base)->of;

	return of->vtable->end_offset(of, partition);
}

static uint32_t
bounded_epoch(const struct source *base, uint32_t partition)
{
	const struct source *of = self_const(base)->of;

	return of->vtable->epoch(of, partition);
}

static void
bounded_close(struct source *base)
{
	struct source *of = self(base)->of;

	of->vtable->close(of);
	free(base);
}

static const struct source_vtable bounded_vtable = {
	.take = bounded_take, .wait = bounded_wait, .event = bounded_event, .partitions = bounded_partitions,
	.topic = bounded_topic, .position = bounded_position, .end_offset = bounded_end_offset,
	.epoch = bounded_epoch, .close = bounded_close,
};

int
source_bounded_open(struct source **out, struct source *of, source_until_fn until, void *context,
                    struct diag *d)
{
	struct source_bounded *s = calloc(1, sizeof *s);

	*out = NULL;
	if (!s)
		return diag_set(d, ERR_IO, "out of memory");
	*s = (struct source_bounded){ { &bounded_vtable }, of, until, context };
	*out = &s->base;
	return 0;
}
