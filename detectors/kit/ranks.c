/* ranks.c -- see ranks.h. */
#include "detectors/kit/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/codec.h"

/* Makes room for one more chunk behind `at`. */
static struct ranks_chunk *
chunk_after(struct ranks *r, size_t at)
{
	struct ranks_chunk *fresh;

	if (r->chunks == r->capacity) {
		size_t capacity = r->capacity == 0 ? 16 : 2 * r->capacity;
		struct ranks_chunk **grown = realloc(r->chunk, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		r->chunk = grown;
		r->capacity = capacity;
	}
	fresh = malloc(sizeof *fresh);
	if (!fresh)
		return NULL;
	fresh->n = 0;
	memmove(r->chunk + at + 1, r->chunk + at, (r->chunks - at) * sizeof(*r->chunk));
	r->chunk[at] = fresh;
	r->chunks++;
	return fresh;
}

/* The first chunk whose last value is at least `value`, or the number of chunks. */
static size_t
chunk_of(const struct ranks *r, double value)
{
	size_t low = 0, high = r->chunks;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct ranks_chunk *c = r->chunk[middle];

		if (c->value[c->n - 1] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many values of the chunk are below `value`; or_equal: at most `value`. */
static uint32_t
below(const struct ranks_chunk *c, double value, bool or_equal)
{
	uint32_t low = 0, high = c->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (c->value[middle] < value || (or_equal && c->value[middle] <= value))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
ranks_add(struct ranks *r, double value)
{
	size_t at = chunk_of(r, value);
	struct ranks_chunk *c;
	uint32_t place;

	at = at == r->chunks && at > 0 ? at - 1 : at;
	c = at < r->chunks ? r->chunk[at] : chunk_after(r, 0);
	if (!c)
		return false;
	if (c->n == RANKS_CHUNK) {
		struct ranks_chunk *upper = chunk_after(r, at + 1);

		if (!upper)
			return false;
		upper->n = RANKS_CHUNK / 2;
		c->n -= upper->n;
		memcpy(upper->value, c->value + c->n, upper->n * sizeof(double));
		if (value > c->value[c->n - 1])
			c = upper;
	}
	place = below(c, value, false);
	memmove(c->value + place + 1, c->value + place, (c->n - place) * sizeof(double));
	c->value[place] = value;
	c->n++;
	r->n++;
	return true;
}

void
ranks_count(const struct ranks *r, double value, uint64_t *larger, uint64_t *equal)
{
	*larger = *equal = 0;
	for (size_t i = chunk_of(r, value); i < r->chunks; i++) {
		const struct ranks_chunk *c = r->chunk[i];
		uint32_t upto = c->value[0] > value ? 0 : below(c, value, true);

		*larger += c->n - upto;
		*equal += upto - (upto > 0 ? below(c, value, false) : 0);
	}
}

void
ranks_finish(struct ranks *r)
{
	for (size_t i = 0; i < r->chunks; i++)
		free(r->chunk[i]);
	free(r->chunk);
	*r = (struct ranks){ NULL, 0, 0, 0 };
}

void
ranks_save(const struct ranks *r, struct codec *out)
{
	codec_put_u64(out, r->n);
	for (size_t i = 0; i < r->chunks; i++)
		codec_put_f64s(out, r->chunk[i]->value, r->chunk[i]->n);
}

bool
ranks_load(struct ranks *r, struct codec *in)
{
	uint64_t n = codec_get_u64(in);
	double last = -HUGE_VAL;

	for (uint64_t i = 0; i < n && !in->bad; i++) {
		double value = codec_get_f64(in);

		if (in->bad || !isfinite(value) || value < last || !ranks_add(r, value))
			return false;
		last = value;
	}
	return !in->bad;
}
