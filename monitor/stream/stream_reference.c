/* stream_reference.c -- learned values as a reference that detectors read. See stream_reference.h. */
#include "monitor/stream/stream_reference.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/limits.h"
#include "detectors/kit/dependence.h"
#include "monitor/stream/model.h"

void
made_free(struct made_reference *r)
{
	free(r->value);
	free(r->code);
	free(r->day);
	free(r->key);
	memset(r, 0, sizeof *r);
}

/* Fewer days say nothing about how days differ: a wander of one or two degrees of freedom would tolerate
 * every change there is (Student's t at .995 is 64 with one, 10 with two). */
enum { WANDER_DAYS = 7 };

/* Days in order of first appearance. References are in order of time but for late records, so the last
 * few days are where a day is found again. */
static uint32_t
day_index(int32_t *seen, uint32_t *days, int32_t day)
{
	for (uint32_t i = *days; i-- > 0;)
		if (seen[i] == day)
			return i;
	seen[*days] = day;
	return (*days)++;
}

/* Kept are the values with the smallest of uniform hashes, so the largest of n kept ones is near
 * 2^64 n / offered. Below this, hardly any was left out (or none: rows of a file have no hash). */
#define SPACING_MIN 1.05

static double
spacing(const struct learned *v, uint32_t n)
{
	uint64_t most = 0;
	double q;

	for (uint32_t i = 0; i < n; i++)
		most = v[i].order > most ? v[i].order : most;
	q = most ? 0x1p64 / (double)most * n / (n + 1.0) : 1;
	return q < SPACING_MIN ? 1 : q;
}

void
make_reference(struct made_reference *r, const struct stream *s, const struct learned *v, uint32_t n)
{
	int32_t *seen = must_calloc(n, sizeof *seen);
	uint32_t days = 0;

	memset(r, 0, sizeof *r);
	r->day = must_calloc(n, sizeof *r->day);
	r->key = s->season ? must_calloc(n, sizeof *r->key) : NULL;
	if (s->categories)
		r->code = must_calloc(n, sizeof *r->code);
	else
		r->value = must_calloc(n, sizeof *r->value);
	for (uint32_t i = 0; i < n; i++) {
		if (s->categories)
			r->code[i] = (uint32_t)v[i].value;
		else
			r->value[i] = v[i].value;
		r->day[i] = day_index(seen, &days, (int32_t)floor_to(v[i].hour, 24) / 24);
		if (s->season)
			r->key[i] = s->season->key_of[season_phase(s->season->season, v[i].hour)];
	}
	free(seen);
	r->ref = (struct reference){
		.n = n,
		.value = r->value,
		.code = r->code,
		.day = r->day,
		.days = days ? days : 1,
		.key = r->key,
		.keys = s->season ? s->season->keys : 1,
		.spacing = spacing(v, n),
	};
	if (days < WANDER_DAYS) { /* such a stream is `void: short` */
		r->ref.day = NULL;
		r->ref.days = 1;
	}
	if (s->categories) {
		r->ref.categories = s->categories->n;
		r->ref.text = (const char *const *)s->categories->text;
		r->ref.text_len = s->categories->length;
	}
}

/* Filters without `thin` are thinned here: the largest step that an indicator of a cell with at least
 * 100 values needs (contract 11a). */
uint32_t
categorical_step(const struct made_reference *r, bool *dependent)
{
	uint32_t step = 1;
	double *indicator = must_calloc(r->ref.n, sizeof *indicator);
	struct reference ref = { .n = r->ref.n, .value = indicator, .days = 1, .key = r->ref.key,
		                 .keys = r->ref.keys };

	*dependent = false;
	for (uint32_t c = 0; c < r->ref.categories; c++) {
		uint32_t count = 0, k;
		bool none;

		for (uint32_t i = 0; i < r->ref.n; i++) {
			indicator[i] = r->code[i] == c;
			count += r->code[i] == c;
		}
		if (count < LIMIT_REFERENCE_MIN)
			continue;
		k = ref.key ? dependence_step_within_days(&ref, WITHIN_RANKS, &none) :
		              dependence_step(indicator, r->ref.n, &none);
		*dependent |= none;
		step = k > step ? k : step;
	}
	free(indicator);
	return *dependent ? 1 : step;
}

uint64_t
reference_hash(const struct learned *v, uint32_t n)
{
	uint64_t hash = n;

	for (uint32_t i = 0; i < n; i++) {
		struct { uint64_t before; double value; int64_t hour; } link = { hash, v[i].value, v[i].hour };

		hash = XXH64(&link, sizeof link, 0);
	}
	return hash;
}
