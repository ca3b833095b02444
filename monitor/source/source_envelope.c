/* source_envelope.c -- a source whose messages are unwrapped (envelope.h); see source.h.
 *
 * What was unwrapped lives in the lane of its partition until all of it was taken: a batch may hold more rows
 * than one take has room for. Rows of a message share its offset; all but the last say that more follow, so
 * that no commit falls between them.
 */
#include "monitor/source/source.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/envelope/envelope.h"
#include "monitor/source/source_event.h"

struct piece { /* a message to be, with places in `bytes` instead of pointers */
	struct message m;
	size_t key, value, id, refused;
	bool whole, has_refused;
};

struct lane {
	struct piece *piece;
	size_t pieces, capacity, next;
	char *bytes;
	size_t used, size;
	enum partition_state state;
};

struct source_envelope {
	struct source base;
	struct source *of;
	struct envelope *envelope;
	const struct config *config;
	struct lane *lane;
	uint32_t lanes;
};

static struct source_envelope *
self(struct source *s)
{
	return (struct source_envelope *)s;
}

static const struct source_envelope *
self_const(const struct source *s)
{
	return (const struct source_envelope *)s;
}

/* -- one message -------------------------------------------------------------------------------- */

static size_t
keep(struct lane *l, const void *bytes, size_t n)
{
	const size_t at = l->used;

	if (l->used + n + 1 > l->size) {
		l->size = 2 * (l->used + n + 1);
		l->bytes = source_realloc(l->bytes, l->size, 1);
	}
	if (n)
		memcpy(l->bytes + at, bytes, n);
	l->bytes[at + n] = 0;
	l->used += n + 1;
	return at;
}

static struct piece *
add(struct lane *l, const struct message *m, uint64_t hash)
{
	if (l->pieces == l->capacity) {
		l->capacity = l->capacity ? 2 * l->capacity : 16;
		l->piece = source_realloc(l->piece, l->capacity, sizeof *l->piece);
	}
	struct piece *p = &l->piece[l->pieces++];
	*p = (struct piece){ .m = *m };
	p->m.hashed = true;
	p->m.hash = hash;
	return p;
}

struct finder {
	const struct source_envelope *s;
	const struct message *m;
};

static bool
find_header(const void *of, const char *name, const char **value, size_t *length)
{
	const struct finder *f = of;
	const struct source_vtable *v = f->s->of->vtable;

	return v->header && v->header(f->s->of, f->m, name, value, length);
}

/* The id that stands beside the value; length 0: none. */
static void
id_beside(const struct source_envelope *s, const struct finder *f, const char **id, size_t *length)
{
	*length = 0;
	if (s->config->id_header)
		(void)find_header(f, s->config->id_header, id, length);
	else if (s->config->id_from_key) {
		*id = (const char *)f->m->key;
		*length = f->m->key_length;
	}
}

static void
unwrap(struct source_envelope *s, struct lane *l, uint32_t partition, const struct message *m)
{
	int32_t number = 0;
	const char *topic = s->of->vtable->topic(s->of, partition, &number), *id = NULL;
	const struct finder f = { s, m };
	const uint64_t hash = message_hash(m);
	const uint32_t n = envelope_unwrap(s->envelope, m, topic, find_header, &f);
	size_t id_length;

	id_beside(s, &f, &id, &id_length);
	for (uint32_t i = 0; i < n; i++) {
		const struct envelope_record r = envelope_get(s->envelope, i);
		struct piece *p = add(l, m, hash);

		p->m.row = i;
		p->m.more = i + 1 < n;
		p->m.update = r.update;
		p->m.id_length = id_length;
		p->whole = !m->value;
		p->has_refused = r.refused != NULL;
		p->m.value_length = r.text ? r.length : m->value_length;
		p->key = keep(l, m->key, m->key_length);
		p->value = keep(l, r.text ? r.text : (const char *)m->value, p->m.value_length);
		p->id = keep(l, id, id_length);
		p->refused = r.refused ? keep(l, r.refused, strlen(r.refused)) : 0;
	}
}

/* -- the source ---------------------------------------------------------------------------------- */

static struct lane *
lane_of(struct source_envelope *s, uint32_t partition)
{
	if (partition >= s->lanes) {
		s->lane = source_realloc(s->lane, partition + 1u, sizeof *s->lane);
		memset(s->lane + s->lanes, 0, (partition + 1u - s->lanes) * sizeof *s->lane);
		s->lanes = partition + 1;
	}
	return &s->lane[partition];
}

static size_t
envelope_take(struct source *base, uint32_t partition, struct message *out, size_t max,
              enum partition_state *state)
{
	struct source_envelope *s = self(base);
	struct lane *l = lane_of(s, partition);
	size_t n = 0;

	if (l->next == l->pieces) {
		l->next = l->pieces = l->used = 0;
		l->state = PARTITION_PENDING;
		while (l->pieces < max) {
			struct message m;

			if (!s->of->vtable->take(s->of, partition, &m, 1, &l->state))
				break;
			unwrap(s, l, partition, &m);
			if (l->state == PARTITION_END)
				break;
		}
	}
	for (; n < max && l->next < l->pieces; n++) {
		const struct piece *p = &l->piece[l->next++];

		out[n] = p->m;
		out[n].native = NULL;
		out[n].key = (const uint8_t *)l->bytes + p->key;
		out[n].value = p->whole ? NULL : (const uint8_t *)l->bytes + p->value;
		out[n].id = l->bytes + p->id;
		out[n].refused = p->has_refused ? l->bytes + p->refused : NULL;
	}
	*state = l->next < l->pieces ? PARTITION_PENDING : l->state;
	return n;
}

static int64_t
envelope_position(const struct source *base, uint32_t partition)
{
	const struct source_envelope *s = self_const(base);

	if (partition < s->lanes && s->lane[partition].next < s->lane[partition].pieces)
		return s->lane[partition].piece[s->lane[partition].next].m.offset;
	return s->of->vtable->position(s->of, partition);
}

static void
envelope_wait(struct source *base, int timeout_ms, int wake_fd)
{
	self(base)->of->vtable->wait(self(base)->of, timeout_ms, wake_fd);
}

static bool
envelope_event(struct source *base, struct source_event *out)
{
	return self(base)->of->vtable->event(self(base)->of, out);
}

static uint32_t
envelope_partitions(const struct source *base)
{
	return self_const(base)->of->vtable->partitions(self_const(base)->of);
}

static const char *
envelope_topic(const struct source *base, uint32_t partition, int32_t *number)
{
	return self_const(base)->of->vtable->topic(self_const(base)->of, partition, number);
}

static int64_t
envelope_end_offset(const struct source *base, uint32_t partition)
{
	return self_const(base)->of->vtable->end_offset(self_const(base)->of, partition);
}

static uint32_t
envelope_epoch(const struct source *base, uint32_t partition)
{
	return self_const(base)->of->vtable->epoch(self_const(base)->of, partition);
}

static void
envelope_committed(struct source *base, uint32_t partition, int64_t next_offset)
{
	struct source *of = self(base)->of;

	if (of->vtable->committed)
		of->vtable->committed(of, partition, next_offset);
}

/* What opens a source anew wraps it, too. */
static int
envelope_again(const struct source *base, struct source **out, struct diag *d)
{
	const struct source *of = self_const(base)->of;

	if (!of->vtable->again)
		return diag_set(d, ERR_INVALID, "this source cannot be read twice");
	return of->vtable->again(of, out, d);
}

static void
envelope_close(struct source *base)
{
	struct source_envelope *s = self(base);

	s->of->vtable->close(s->of);
	for (uint32_t i = 0; i < s->lanes; i++) {
		free(s->lane[i].piece);
		free(s->lane[i].bytes);
	}
	free(s->lane);
	envelope_destroy(s->envelope);
	free(s);
}

static const struct source_vtable envelope_vtable = {
	.take = envelope_take, .wait = envelope_wait, .event = envelope_event, .partitions = envelope_partitions,
	.topic = envelope_topic, .position = envelope_position, .end_offset = envelope_end_offset,
	.epoch = envelope_epoch, .committed = envelope_committed, .again = envelope_again,
	.close = envelope_close,
};

int
source_envelope_open(struct source **source, const struct config *config, struct diag *d)
{
	struct source_envelope *s;

	if (config->format == FORMAT_DRIFTD && !config->id_from_key && !config->id_header)
		return 0;
	s = source_alloc(1, sizeof *s);
	*s = (struct source_envelope){ .base = { &envelope_vtable }, .of = *source, .config = config };
	s->envelope = envelope_create(config);
	if (!s->envelope) {
		free(s);
		return diag_set(d, ERR_IO, "out of memory");
	}
	*source = &s->base;
	return 0;
}

const struct source *
source_inside(const struct source *base)
{
	return base->vtable == &envelope_vtable ? self_const(base)->of : base;
}
