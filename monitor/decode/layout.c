/* layout.c -- keys by name, commit and rollback; layout_build.c makes the tree. */
#include "monitor/decode/layout.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/layout_build.h"
#include "monitor/grow.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Keys without meaning that one object remembers; more only cost time. */
enum { UNKNOWN_MAX = 512 };

static uint32_t
hash_name(const struct layout *l, const char *name, size_t length)
{
	return (uint32_t)XXH3_64bits_withSeed(name, length, l->seed);
}

static void
table_put(const struct layout *l, struct context *c, uint32_t number)
{
	const struct entry *e = &c->entry[number];
	uint32_t at = hash_name(l, e->name, e->length) & c->table_mask;
	while (c->table[at] != 0)
		at = (at + 1) & c->table_mask;
	c->table[at] = number;
}

/* Also takes entries away: the table then holds those that are left. */
static void
table_rebuild(const struct layout *l, struct context *c, uint32_t size)
{
	if (c->table == NULL || size != c->table_mask + 1) {
		free(c->table);
		c->table = grow_new((size_t)size * sizeof(*c->table));
		c->table_mask = size - 1;
	} else {
		memset(c->table, 0, (size_t)size * sizeof(*c->table));
	}
	for (uint32_t i = 1; i < c->entries; i++)
		table_put(l, c, i);
}

static bool
needs_escape(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (name[i] == '"' || name[i] == '\\' || (unsigned char)name[i] < 0x20)
			return true;
	return false;
}

/* What number_load() would find at the key, as far as it belongs to it. */
static void
set_words(struct entry *e)
{
	char raw[16] = { 0 }, mask[16] = { 0 };

	memset(e->word, 0, sizeof(e->word));
	if (needs_escape(e->name, e->length) || e->length > LIMIT_TEXT_BYTES) {
		memset(e->mask, 0xff, sizeof(e->mask)); /* a string holds no NUL byte */
		return;
	}
	for (size_t i = 0; i < sizeof(raw) && i <= (size_t)e->length + 1; i++) {
		raw[i] = i == 0 || i > e->length ? '"' : e->name[i - 1];
		mask[i] = (char)0xff;
	}
	memcpy(e->word, raw, sizeof(raw));
	memcpy(e->mask, mask, sizeof(mask));
}

uint32_t
layout_add(struct layout *l, uint32_t context, const char *name, size_t length)
{
	struct context *c = &l->context[context];

	c->entry = grow(c->entry, &c->capacity, (size_t)c->entries + 1, sizeof(*c->entry));
	uint32_t number = c->entries++;
	struct entry *e = &c->entry[number];
	memset(e, 0, sizeof(*e));
	e->name = grow_copy(name, length);
	e->length = (uint32_t)length;
	e->hash = (uint16_t)(hash_name(l, name, length) >> 16);
	set_words(e);
	l->name_bytes += length + 1;
	if (2 * c->entries > c->table_mask + 1)
		table_rebuild(l, c, 2 * (c->table_mask + 1));
	else
		table_put(l, c, number);
	l->grew = true;
	return number;
}

uint32_t
layout_context(struct layout *l)
{
	l->context = grow(l->context, &l->capacity, (size_t)l->contexts + 1, sizeof(*l->context));
	struct context *c = &l->context[l->contexts];
	memset(c, 0, sizeof(*c));
	c->entry = grow(NULL, &c->capacity, 8, sizeof(*c->entry));
	memset(&c->entry[0], 0, sizeof(c->entry[0]));
	memset(c->entry[0].mask, 0xff, sizeof(c->entry[0].mask)); /* never matches */
	c->entries = 1;
	table_rebuild(l, c, 16);
	return l->contexts++;
}

uint32_t
layout_peek(const struct layout *l, uint32_t context, const char *name, size_t length)
{
	const struct context *c = &l->context[context];
	uint32_t hash = hash_name(l, name, length);

	for (uint32_t at = hash & c->table_mask; c->table[at] != 0; at = (at + 1) & c->table_mask) {
		const struct entry *e = &c->entry[c->table[at]];
		if (e->hash == (uint16_t)(hash >> 16) && e->length == length &&
		    memcmp(e->name, name, length) == 0)
			return c->table[at];
	}
	return 0;
}

uint32_t
layout_slot(struct layout *l, const char *name, size_t length, uint8_t type)
{
	l->slot = grow(l->slot, &l->slot_capacity, (size_t)l->slots + 1, sizeof(*l->slot));
	l->slot[l->slots] = (struct layout_slot){ grow_copy(name, length), (uint32_t)length, type };
	l->name_bytes += length + 1;
	return l->slots++;
}

uint32_t
layout_find(struct layout *l, uint32_t context, const char *name, size_t length)
{
	uint32_t number = layout_peek(l, context, name, length);
	struct context *c = &l->context[context];

	if (number != 0 || length > LIMIT_TEXT_BYTES)
		return number;
	bool feature = c->features && !l->only_listed && l->slots < LIMIT_FEATURES;
	if (!feature && c->unknown >= UNKNOWN_MAX)
		return 0;
	number = layout_add(l, context, name, length);
	struct entry *e = &c->entry[number];
	if (feature) {
		e->kind = ENTRY_FEATURE;
		e->type = FEATURE_FROM_JSON;
		e->quick = e->length < 15;
		e->index = layout_slot(l, name, length, FEATURE_FROM_JSON);
	} else {
		e->kind = c->segments && !c->features ? ENTRY_KNOWN : ENTRY_UNKNOWN;
		c->unknown++;
	}
	return number;
}

void
layout_unsee(struct layout *l)
{
	for (uint32_t i = 0; i < l->contexts; i++)
		for (uint32_t e = 0; e < l->context[i].entries; e++)
			l->context[i].entry[e].seen = 0;
}

void
layout_commit(struct layout *l)
{
	for (uint32_t i = 0; i < l->contexts; i++)
		l->context[i].committed = l->context[i].entries;
	l->slots_committed = l->slots;
	l->grew = false;
}

void
layout_rollback(struct layout *l)
{
	for (uint32_t i = 0; i < l->contexts; i++) {
		struct context *c = &l->context[i];
		if (c->entries == c->committed)
			continue;
		for (uint32_t e = c->committed; e < c->entries; e++) {
			c->unknown -= c->entry[e].kind == ENTRY_UNKNOWN ||
			              c->entry[e].kind == ENTRY_KNOWN;
			l->name_bytes -= c->entry[e].length + 1;
			free(c->entry[e].name);
		}
		c->entries = c->committed;
		for (uint32_t e = 0; e < c->entries; e++)
			if (c->entry[e].next >= c->entries)
				c->entry[e].next = 0;
		table_rebuild(l, c, c->table_mask + 1);
	}
	for (uint32_t i = l->slots_committed; i < l->slots; i++) {
		l->name_bytes -= l->slot[i].length + 1;
		free(l->slot[i].name);
	}
	l->slots = l->slots_committed;
	l->grew = false;
}

void
layout_finish(struct layout *l)
{
	for (uint32_t i = 0; i < l->contexts; i++) {
		struct context *c = &l->context[i];
		for (uint32_t e = 1; e < c->entries; e++)
			free(c->entry[e].name);
		free(c->entry);
		free(c->table);
	}
	for (uint32_t i = 0; i < l->slots; i++)
		free(l->slot[i].name);
	free(l->slot);
	free(l->context);
	memset(l, 0, sizeof(*l));
}

size_t
layout_bytes(const struct layout *l)
{
	size_t bytes = l->capacity * sizeof(*l->context) + l->slot_capacity * sizeof(*l->slot) +
	               l->name_bytes;
	for (uint32_t i = 0; i < l->contexts; i++)
		bytes += l->context[i].capacity * sizeof(struct entry) +
		         (l->context[i].table_mask + 1) * sizeof(uint32_t);
	return bytes;
}
