/* ood_sample.c -- see ood_sample.h. */
#include "monitor/ood/ood_sample.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/alert/outbound.h"
#include "storage/store.h"

enum { ROW_BYTES = 5 * 8, CHUNK_BYTES = 65536 };

static size_t
row_bytes(uint32_t width)
{
	return ROW_BYTES + (size_t)width * 8;
}

void
ood_sample_init(struct ood_sample *s, uint32_t width, uint32_t records)
{
	size_t fit = LIMIT_OOD_BYTES / row_bytes(width), chunk = CHUNK_BYTES / row_bytes(width);

	*s = (struct ood_sample){ .width = width };
	s->capacity = records < fit ? records : (uint32_t)fit;
	s->chunk_rows = chunk ? (uint32_t)chunk : 1;
}

void
ood_sample_finish(struct ood_sample *s)
{
	free(s->row);
	free(s->value);
	free(s->heap);
	free(s->changed);
	s->row = NULL;
	s->value = NULL;
	s->heap = NULL;
	s->changed = NULL;
	s->row_capacity = s->value_capacity = s->heap_capacity = s->changed_capacity = 0;
}

size_t
ood_sample_bytes(const struct ood_sample *s)
{
	return s->row_capacity * sizeof *s->row + s->value_capacity * sizeof *s->value +
	       s->heap_capacity * sizeof *s->heap + s->changed_capacity;
}

/* Is the row at place a displaced before that at b? */
static bool
before(const struct ood_sample *s, uint32_t a, uint32_t b)
{
	const struct ood_row *x = &s->row[a], *y = &s->row[b];

	return x->order != y->order ? x->order > y->order : x->sequence > y->sequence;
}

static void
rise(struct ood_sample *s, uint32_t at)
{
	while (at > 0 && before(s, s->heap[at], s->heap[(at - 1) / 2])) {
		uint32_t up = (at - 1) / 2, place = s->heap[at];

		s->heap[at] = s->heap[up];
		s->heap[up] = place;
		at = up;
	}
}

static void
sink(struct ood_sample *s)
{
	for (uint32_t at = 0;;) {
		uint32_t down = 2 * at + 1, place;

		if (down >= s->held)
			return;
		if (down + 1 < s->held && before(s, s->heap[down + 1], s->heap[down]))
			down++;
		if (!before(s, s->heap[down], s->heap[at]))
			return;
		place = s->heap[at];
		s->heap[at] = s->heap[down];
		s->heap[down] = place;
		at = down;
	}
}

static void
make_room(struct ood_sample *s, uint32_t rows)
{
	size_t chunks = rows / s->chunk_rows + 1, had = s->changed_capacity;

	s->row = must_grow(s->row, &s->row_capacity, rows, sizeof *s->row);
	s->value = must_grow(s->value, &s->value_capacity, (size_t)rows * s->width, sizeof *s->value);
	s->heap = must_grow(s->heap, &s->heap_capacity, rows, sizeof *s->heap);
	s->changed = must_grow(s->changed, &s->changed_capacity, chunks, 1);
	memset(s->changed + had, 0, s->changed_capacity - had);
}

void
ood_sample_offer(struct ood_sample *s, const struct ood_row *row, const double *value)
{
	uint32_t place = s->held;

	if (s->held == s->capacity) {
		const struct ood_row *last = &s->row[s->heap[0]];

		if (row->order > last->order || (row->order == last->order && row->sequence > last->sequence))
			return;
		place = s->heap[0];
	} else {
		make_room(s, s->held + 1);
		s->heap[s->held++] = place;
	}
	s->row[place] = *row;
	memcpy(s->value + (size_t)place * s->width, value, s->width * sizeof *value);
	s->changed[place / s->chunk_rows] = 1;
	if (place == s->heap[0] && s->held == s->capacity)
		sink(s);
	rise(s, s->held - 1);
}

struct placed {
	uint64_t sequence;
	uint32_t place;
};

static int
by_sequence(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

void
ood_sample_sort(struct ood_sample *s)
{
	struct placed *in = must_calloc(s->held + 1, sizeof *in);
	struct ood_row *row = must_calloc(s->held + 1, sizeof *row);
	double *value = must_calloc((size_t)s->held * s->width + 1, sizeof *value);

	for (uint32_t i = 0; i < s->held; i++)
		in[i] = (struct placed){ s->row[i].sequence, i };
	qsort(in, s->held, sizeof *in, by_sequence);
	for (uint32_t i = 0; i < s->held; i++) {
		row[i] = s->row[in[i].place];
		memcpy(value + (size_t)i * s->width, s->value + (size_t)in[i].place * s->width,
		       s->width * sizeof *value);
	}
	free(in);
	free(s->row);
	free(s->value);
	free(s->heap);
	s->row = row;
	s->value = value;
	s->heap = NULL;
	s->row_capacity = s->held + 1;
	s->value_capacity = (size_t)s->held * s->width + 1;
	s->heap_capacity = 0;
	memset(s->changed, 1, s->changed_capacity);
}

static void
put_row(struct codec *c, const struct ood_row *r, const double *value, uint32_t width)
{
	codec_put_u64(c, r->order);
	codec_put_u64(c, r->sequence);
	codec_put_i64(c, r->ts);
	codec_put_u64(c, r->label);
	codec_put_u64(c, r->group);
	codec_put_f64s(c, value, width);
}

int
ood_sample_put(struct ood_sample *s, struct store *store, uint32_t id, uint32_t part)
{
	size_t size = s->chunk_rows * row_bytes(s->width);
	uint8_t *bytes = must_calloc(size, 1);
	int err = 0;

	for (uint32_t chunk = 0; chunk * s->chunk_rows < s->held && !err; chunk++) {
		struct codec c = { .data = bytes, .size = size };

		if (!s->changed || !s->changed[chunk])
			continue;
		for (uint32_t i = chunk * s->chunk_rows; i < s->held && i < (chunk + 1) * s->chunk_rows; i++)
			put_row(&c, &s->row[i], s->value + (size_t)i * s->width, s->width);
		err = store_put_chunk(store, "ood", id, part, chunk, bytes, c.at);
	}
	free(bytes);
	return err;
}

void
ood_sample_saved(struct ood_sample *s)
{
	if (s->changed)
		memset(s->changed, 0, s->changed_capacity);
}

struct loading {
	struct ood_sample *s;
	uint32_t part, held;
};

static int
load_chunk(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct loading *l = ctx;
	struct ood_sample *s = l->s;
	struct codec c = { .data = (uint8_t *)(uintptr_t)blob, .size = length };

	(void)chunk;
	if (part != l->part)
		return 0;
	while (c.at < length && s->held < l->held) {
		struct ood_row *r;

		make_room(s, s->held + 1);
		r = &s->row[s->held];
		r->order = codec_get_u64(&c);
		r->sequence = codec_get_u64(&c);
		r->ts = codec_get_i64(&c);
		r->label = codec_get_u64(&c);
		r->group = codec_get_u64(&c);
		codec_get_f64s(&c, s->value + (size_t)s->held * s->width, s->width);
		if (c.bad)
			return ERR_CORRUPT;
		s->heap[s->held] = s->held;
		s->held++;
		rise(s, s->held - 1);
	}
	return 0;
}

int
ood_sample_load(struct ood_sample *s, struct store *store, uint32_t id, uint32_t part, uint32_t held,
                struct diag *d)
{
	struct loading l = { s, part, held };
	int err = store_each_chunk(store, "ood", id, load_chunk, &l, d);

	if (!err && s->held != held)
		err = diag_set(d, ERR_CORRUPT, "the reference of out-of-distribution scores is not whole");
	ood_sample_saved(s);
	return err;
}
