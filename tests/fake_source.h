/* fake_source.h -- a source in memory. */
#ifndef TESTS_FAKE_SOURCE_H
#define TESTS_FAKE_SOURCE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "monitor/source/source.h"
#include "tests/fixture.h"

enum { FAKE_LINE_BYTES = 96, FAKE_LINES = 256 };

/* Each partition's messages are made from their ts; what is there "now" grows in
 * wait, by an amount drawn from a seed. */
struct fake_partition {
	char topic[16];
	int32_t number;
	const int64_t *ts;    /* REFUSED: not JSON */
	int64_t count, arrived, taken;
	bool silent;          /* never says END, and nothing arrives */
};
struct fake {
	struct source base;
	struct fake_partition *partition;
	uint32_t partitions;
	uint64_t seed;        /* 0: everything is there at once */
	uint64_t waits;
	const struct source_event *event; /* told once, at the first question; NULL: none */
	char text[FAKE_LINES][FAKE_LINE_BYTES];
};
#define REFUSED INT64_MIN

static inline size_t
fake_take(struct source *base, uint32_t index, struct message *out, size_t max,
          enum partition_state *state)
{
	struct fake *s = (struct fake *)base;
	struct fake_partition *p = &s->partition[index];
	size_t n = 0;

	for (; n < max && n < FAKE_LINES && p->taken < p->arrived; n++, p->taken++) {
		const int64_t ts = p->ts[p->taken];
		const int length = ts == REFUSED
			? snprintf(s->text[n], FAKE_LINE_BYTES, "nonsense")
			: snprintf(s->text[n], FAKE_LINE_BYTES,
		                   "{\"ts\":%" PRId64 ",\"model\":\"m\",\"features\":{\"x\":1}}", ts);
		out[n] = (struct message){
			.value = (const uint8_t *)s->text[n], .value_length = (size_t)length,
			.offset = p->taken, .kafka_ms = INT64_MIN, .partition = index,
		};
	}
	*state = p->taken == p->count && !p->silent ? PARTITION_END : PARTITION_PENDING;
	return n;
}

static inline void
fake_wait(struct source *base, int timeout_ms, int wake_fd)
{
	struct fake *s = (struct fake *)base;

	(void)timeout_ms;
	(void)wake_fd;
	s->waits++;
	for (uint32_t i = 0; i < s->partitions; i++) {
		struct fake_partition *p = &s->partition[i];
		p->arrived += s->seed ? (int64_t)(fixture_random(&s->seed) % 60) : p->count;
		if (p->arrived > p->count)
			p->arrived = p->count;
	}
}

static inline bool
fake_event(struct source *base, struct source_event *out)
{
	struct fake *s = (struct fake *)base;

	if (!s->event)
		return false;
	*out = *s->event;
	s->event = NULL;
	return true;
}

static inline uint32_t
fake_partitions(const struct source *base)
{
	return ((const struct fake *)base)->partitions;
}

static const char *
fake_topic(const struct source *base, uint32_t index, int32_t *number)
{
	const struct fake *s = (const struct fake *)base;

	*number = s->partition[index].number;
	return s->partition[index].topic;
}

static inline int64_t
fake_position(const struct source *base, uint32_t index)
{
	return ((const struct fake *)base)->partition[index].taken;
}

static inline int64_t
fake_end_offset(const struct source *base, uint32_t index)
{
	return ((const struct fake *)base)->partition[index].count;
}

static inline uint32_t
fake_epoch(const struct source *base, uint32_t index)
{
	(void)base;
	(void)index;
	return 0;
}

static const struct source_vtable fake_vtable = {
	.take = fake_take, .wait = fake_wait, .event = fake_event, .partitions = fake_partitions,
	.topic = fake_topic, .position = fake_position, .end_offset = fake_end_offset, .epoch = fake_epoch,
};

/* Opens partitions t/0..n-1 of `count` records each; ts[i] points at their times. */
static inline void
fake_open(struct fake *s, struct fake_partition *p, uint32_t n, const int64_t *const *ts,
          int64_t count)
{
	*s = (struct fake){ .base.vtable = &fake_vtable, .partition = p, .partitions = n };
	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct fake_partition){ .topic = "t", .number = (int32_t)i, .ts = ts[i], .count = count };
}

#endif
