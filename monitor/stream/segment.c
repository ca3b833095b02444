/* segment.c -- see segment.h. */
#include "monitor/stream/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/config.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/decode/record.h"
#include "monitor/stream/model.h"

static void
add_key(struct segments *s, const char *name, enum segment_source source, uint32_t field)
{
	struct segment_key *k = &s->key[s->keys++];

	k->name = name;
	k->source = source;
	k->field = field;
	k->values = must_calloc(1, sizeof *k->values);
	k->count = must_calloc(LIMIT_CATEGORIES + 1, sizeof *k->count);
	k->of = must_calloc(LIMIT_CATEGORIES + 1, sizeof(struct segment *));
}

struct segments *
segments_create(const struct model *m)
{
	const struct model_config *c = m->config;
	struct segments *s;

	if (!c->segments.n && !c->coverage_groups.n)
		return NULL;
	s = must_calloc(1, sizeof *s);
	s->key = must_calloc(SEGMENT_KEYS_MAX, sizeof *s->key);
	s->now = must_calloc(SEGMENT_KEYS_MAX, sizeof(struct segment *));
	for (size_t i = 0; i < c->segments.n && s->keys < SEGMENT_KEYS_MAX; i++)
		add_key(s, c->segments.text[i], SEGMENT_FIELD, (uint32_t)i);
	for (size_t i = 0; i < c->coverage_groups.n && s->keys < SEGMENT_KEYS_MAX; i++)
		add_key(s, c->coverage_groups.text[i],
		        strcmp(c->coverage_groups.text[i], "class") ? SEGMENT_SET_SIZE : SEGMENT_CLASS, 0);
	s->combination = must_grow(NULL, &s->combination_capacity, 1, sizeof *s->combination);
	memset(s->combination[0], 0, sizeof s->combination[0]);
	s->combinations = 1; /* none of any */
	return s;
}

static void
segment_destroy(struct segment *s)
{
	if (s->features)
		free(s->features->stream);
	free(s->features);
	free(s->slot);
	free(s->text);
	free(s);
}

void
segments_destroy(struct segments *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->keys; i++) {
		categories_free(s->key[i].values);
		free(s->key[i].count);
		free(s->key[i].of);
	}
	for (uint32_t i = 0; i < s->n; i++)
		segment_destroy(s->segment[i]);
	free(s->key);
	free(s->segment);
	free(s->now);
	free(s->combination);
	free(s);
}

uint32_t
segment_families(const struct model_config *c)
{
	size_t keys = c->segments.n + c->coverage_groups.n;

	return 1 + (uint32_t)(keys < SEGMENT_KEYS_MAX ? keys : SEGMENT_KEYS_MAX) * (c->segments_max + 1);
}

uint32_t
segment_contracts(const struct model_config *c)
{
	return c->coverage_calibration == CALIBRATION_UNKNOWN ? 0 : segment_families(c) - 1;
}

bool
segment_has_outputs(const struct model *m, const struct segment *s)
{
	return s->key < m->segments->keys && m->segments->key[s->key].source == SEGMENT_FIELD;
}

static struct segment *
add_segment(struct model *m, uint32_t key, const char *text, size_t length)
{
	struct segments *all = m->segments;
	struct segment *s = must_calloc(1, sizeof *s);

	s->text = must_strndup(text, length);
	s->length = length;
	s->key = key;
	if (key < all->keys && all->key[key].source == SEGMENT_FIELD && m->config->segment_features) {
		s->features = must_calloc(1, sizeof *s->features);
		s->features->segment = s;
	}
	all->segment = must_grow(all->segment, &all->capacity, all->n + 1u, sizeof(struct segment *));
	all->segment[all->n++] = s;
	return s;
}

/* Where none are configured any more their streams stay as they are. */
static void
have_some(struct model *m)
{
	if (m->segments)
		return;
	m->segments = must_calloc(1, sizeof *m->segments);
	m->segments->combinations = 1;
}

struct segment *
segment_find(struct model *m, const char *text, size_t length)
{
	have_some(m);
	for (uint32_t i = 0; i < m->segments->n; i++)
		if (m->segments->segment[i]->length == length && !memcmp(m->segments->segment[i]->text, text, length))
			return m->segments->segment[i];
	return add_segment(m, UINT32_MAX, text, length);
}

/* -- values ------------------------------------------------------------------------------------------- */

/* Code of the record's value of a key; UINT32_MAX: it has none. */
static uint32_t
code_of(struct segment_key *k, const struct record *r)
{
	char digits[40];
	const char *text = digits;
	uint32_t length = 0;

	if (k->source == SEGMENT_FIELD) {
		text = record_text(r, r->segment[k->field]);
		length = r->segment[k->field].length;
	} else if (k->source == SEGMENT_CLASS && (r->klass.tag == CELL_TEXT || r->klass.text.length)) {
		text = record_text(r, r->klass.text);
		length = r->klass.text.length;
	} else if (k->source == SEGMENT_SET_SIZE && r->has_set) {
		length = (uint32_t)snprintf(digits, sizeof digits, "%u", r->sets);
	}
	return length ? categories_code(k->values, text, length, XXH64(text, length, 0)) : UINT32_MAX;
}

struct ranked {
	const struct segment_key *key;
	uint32_t code;
};

static int
by_frequency(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	const struct categories *v = x->key->values;
	uint32_t length = v->length[x->code] < v->length[y->code] ? v->length[x->code] : v->length[y->code];
	int order;

	if (x->key->count[x->code] != x->key->count[y->code])
		return x->key->count[x->code] > x->key->count[y->code] ? -1 : 1;
	order = memcmp(v->text[x->code], v->text[y->code], length);
	return order ? order : (v->length[x->code] > v->length[y->code]) - (v->length[x->code] < v->length[y->code]);
}

static struct segment *
named(struct model *m, uint32_t key, const char *value, uint32_t length, uint64_t count)
{
	const struct segment_key *k = &m->segments->key[key];
	size_t head = strlen(k->name) + 1;
	char *text = must_calloc(head + length + 1, 1);
	struct segment *s;

	snprintf(text, head + 1, "%s=", k->name);
	memcpy(text + head, value, length);
	s = add_segment(m, key, text, head + length);
	s->share = k->counted ? (double)count / (double)k->counted : 0;
	free(text);
	return s;
}

static void
choose(struct model *m, uint32_t key)
{
	struct segment_key *k = &m->segments->key[key];
	uint32_t n = k->values->n;
	struct ranked *ranked = must_calloc(n, sizeof *ranked);
	uint64_t rest = k->counted;

	for (uint32_t i = 0; i < n; i++)
		ranked[i] = (struct ranked){ k, i };
	qsort(ranked, n, sizeof *ranked, by_frequency);
	for (uint32_t i = 0; i < n && i < m->config->segments_max; i++) {
		uint32_t code = ranked[i].code;

		k->of[code] = named(m, key, k->values->text[code], k->values->length[code], k->count[code]);
		rest -= k->count[code];
	}
	k->other = named(m, key, "__other__", 9, rest);
	k->chosen = true;
	free(ranked);
}

void
segments_choose(struct model *m)
{
	for (uint32_t i = 0; m->segments && i < m->segments->keys; i++)
		if (!m->segments->key[i].chosen && m->segments->key[i].counted)
			choose(m, i);
}

void
segments_count(struct model *m, const struct record *r, bool may_choose)
{
	for (uint32_t i = 0; m->segments && i < m->segments->keys; i++) {
		struct segment_key *k = &m->segments->key[i];
		uint32_t code;

		if (k->chosen || (k->source != SEGMENT_FIELD && !(r->parts & RECORD_PREDICTION)))
			continue;
		code = code_of(k, r);
		if (code == UINT32_MAX)
			continue;
		k->count[code]++;
		if (++k->counted >= LIMIT_WARMUP && may_choose)
			choose(m, i);
	}
}

static uint16_t
combination(struct segments *s)
{
	uint16_t now[SEGMENT_KEYS_MAX] = { 0 };

	for (uint32_t i = 0; i < s->keys; i++)
		for (uint32_t k = 0; s->now[i] && k < s->n; k++)
			if (s->segment[k] == s->now[i])
				now[i] = (uint16_t)(k + 1);
	if (!memcmp(s->combination[s->last], now, sizeof now))
		return (uint16_t)s->last;
	for (uint32_t i = 0; i < s->combinations; i++)
		if (!memcmp(s->combination[i], now, sizeof now))
			return (uint16_t)(s->last = i);
	if (s->combinations == LIMIT_GROUPS)
		return 0; /* its labels count for all, and for no segment */
	s->combination = must_grow(s->combination, &s->combination_capacity, s->combinations + 1u,
	                           sizeof *s->combination);
	memcpy(s->combination[s->combinations], now, sizeof now);
	return (uint16_t)(s->last = s->combinations++);
}

uint16_t
segments_of(struct model *m, const struct record *r)
{
	struct segments *s = m->segments;

	for (uint32_t i = 0; i < s->keys; i++) {
		struct segment_key *k = &s->key[i];
		uint32_t code;

		s->now[i] = NULL;
		if (!k->chosen || (k->source != SEGMENT_FIELD && !(r->parts & RECORD_PREDICTION)))
			continue;
		code = code_of(k, r);
		if (code != UINT32_MAX)
			s->now[i] = k->of[code] ? k->of[code] : k->other;
	}
	return s->keys ? combination(s) : 0;
}

uint32_t
segment_numbers(const struct model *m, uint16_t combination, uint16_t out[SEGMENT_KEYS_MAX])
{
	const struct segments *s = m->segments;
	uint32_t n = 0;

	for (uint32_t i = 0; s && combination && combination < s->combinations && i < SEGMENT_KEYS_MAX; i++) {
		uint16_t at = s->combination[combination][i];

		if (at && at <= s->n)
			out[n++] = (uint16_t)(at - 1);
	}
	return n;
}

uint32_t
segments_in(const struct model *m, uint16_t combination, struct segment *out[SEGMENT_KEYS_MAX])
{
	uint16_t number[SEGMENT_KEYS_MAX];
	uint32_t n = segment_numbers(m, combination, number);

	for (uint32_t i = 0; i < n; i++)
		out[i] = m->segments->segment[number[i]];
	return n;
}

/* -- state -------------------------------------------------------------------------------------------- */

static void
save_key(const struct segments *s, const struct segment_key *k, struct codec *out)
{
	codec_put_u16(out, (uint16_t)strlen(k->name));
	codec_put_bytes(out, k->name, strlen(k->name));
	codec_put_u8(out, (uint8_t)k->source);
	codec_put_u8(out, k->chosen);
	codec_put_u64(out, k->counted);
	codec_put_u32(out, k->values->n);
	for (uint32_t i = 0; i < k->values->n; i++) {
		uint32_t at = 0;

		codec_put_u16(out, (uint16_t)k->values->length[i]);
		codec_put_bytes(out, k->values->text[i], k->values->length[i]);
		codec_put_u64(out, k->values->hash[i]);
		codec_put_u64(out, k->count[i]);
		for (uint32_t n = 0; n < s->n && k->of[i]; n++)
			at = s->segment[n] == k->of[i] ? n + 1 : at;
		codec_put_u32(out, at);
	}
}

void
segments_save(const struct segments *s, struct codec *out)
{
	codec_put_u32(out, s ? s->n : 0);
	for (uint32_t i = 0; s && i < s->n; i++) {
		codec_put_u16(out, (uint16_t)s->segment[i]->length);
		codec_put_bytes(out, s->segment[i]->text, s->segment[i]->length);
		codec_put_f64(out, s->segment[i]->share);
	}
	codec_put_u32(out, s ? s->keys : 0);
	for (uint32_t i = 0; s && i < s->keys; i++)
		save_key(s, &s->key[i], out);
	codec_put_u32(out, s ? s->combinations : 0);
	for (uint32_t i = 0; s && i < s->combinations && s->combination; i++)
		for (uint32_t k = 0; k < SEGMENT_KEYS_MAX; k++)
			codec_put_u16(out, s->combination[i][k]);
	for (uint32_t i = 0; s && i < s->n; i++)
		codec_put_u32(out, s->segment[i]->features ? s->segment[i]->features->in_window : 0);
}

static uint32_t
key_called(const struct segments *s, const char *name, size_t length, int source)
{
	for (uint32_t i = 0; i < s->keys; i++)
		if ((int)s->key[i].source == source && strlen(s->key[i].name) == length &&
		    !memcmp(s->key[i].name, name, length))
			return i;
	return UINT32_MAX;
}

/* A key that the configuration has no longer keeps its segments, which get no rows any more. */
static int
load_key(struct model *m, struct codec *in)
{
	struct segments *s = m->segments;
	char name[LIMIT_TEXT_BYTES + 1], other[LIMIT_TEXT_BYTES + 16];
	uint32_t length = codec_get_u16(in), n, key;
	struct segment_key *k;

	if (length > LIMIT_TEXT_BYTES)
		return -1;
	codec_get_bytes(in, name, length);
	name[length] = 0;
	key = key_called(s, name, length, codec_get_u8(in));
	k = key < s->keys ? &s->key[key] : NULL;
	if (k) {
		k->chosen = codec_get_u8(in);
		k->counted = codec_get_u64(in);
	} else {
		codec_get_u8(in);
		codec_get_u64(in);
	}
	n = codec_get_u32(in);
	for (uint32_t i = 0; i < n && !in->bad; i++) {
		char text[LIMIT_TEXT_BYTES];
		uint32_t bytes = codec_get_u16(in), at;
		uint64_t hash, count;

		if (bytes > sizeof text || i >= LIMIT_CATEGORIES)
			return -1;
		codec_get_bytes(in, text, bytes);
		hash = codec_get_u64(in);
		count = codec_get_u64(in);
		at = codec_get_u32(in);
		if (at > s->n)
			return -1;
		if (!k)
			continue;
		if (categories_code(k->values, text, bytes, hash) != i)
			return -1;
		k->count[i] = count;
		k->of[i] = at ? s->segment[at - 1] : NULL;
		if (at)
			s->segment[at - 1]->key = key;
	}
	if (k && k->chosen) {
		snprintf(other, sizeof other, "%s=__other__", name);
		k->other = segment_find(m, other, strlen(other));
		k->other->key = key;
	}
	return in->bad ? -1 : 0;
}

static void
watch_features(struct model *m)
{
	for (uint32_t i = 0; i < m->segments->n; i++) {
		struct segment *s = m->segments->segment[i];

		if (segment_has_outputs(m, s) && m->config->segment_features && !s->features) {
			s->features = must_calloc(1, sizeof *s->features);
			s->features->segment = s;
		}
	}
}

int
segments_load(struct model *m, struct codec *in)
{
	uint32_t n = codec_get_u32(in), saved = n;
	int err = 0;

	for (uint32_t i = 0; i < n && !in->bad; i++) {
		char text[2 * LIMIT_TEXT_BYTES];
		uint32_t length = codec_get_u16(in);
		struct segment *s;

		if (length > sizeof text)
			return -1;
		codec_get_bytes(in, text, length);
		s = segment_find(m, text, length);
		s->share = codec_get_f64(in);
	}
	n = codec_get_u32(in);
	if (n)
		have_some(m);
	for (uint32_t i = 0; i < n && !err && !in->bad; i++)
		err = load_key(m, in);
	n = codec_get_u32(in);
	for (uint32_t i = 0; i < n && !err && !in->bad; i++) {
		uint16_t now[SEGMENT_KEYS_MAX];

		for (uint32_t k = 0; k < SEGMENT_KEYS_MAX; k++)
			now[k] = codec_get_u16(in);
		if (!i)
			continue;
		m->segments->combination = must_grow(m->segments->combination, &m->segments->combination_capacity,
		                                     i + 1u, sizeof *m->segments->combination);
		memset(m->segments->combination[0], 0, sizeof now);
		memcpy(m->segments->combination[i], now, sizeof now);
		m->segments->combinations = i + 1;
	}
	if (!err && m->segments)
		watch_features(m);
	for (uint32_t i = 0; i < saved && !err && !in->bad; i++) {
		uint32_t in_window = codec_get_u32(in);

		if (m->segments->segment[i]->features)
			m->segments->segment[i]->features->in_window = in_window;
	}
	return err || in->bad ? -1 : 0;
}
