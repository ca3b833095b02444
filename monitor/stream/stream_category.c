/* stream_category.c -- distinct categories of a stream, in order of appearance, at most LIMIT_CATEGORIES.
 * Open addressing by the hash of the text; a hash is only a hint, texts are compared. */
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "detectors/runner.h"
#include "monitor/stream/model.h"

enum { SLOTS = 4 * LIMIT_CATEGORIES };

static bool
same(const struct categories *c, uint32_t code, const char *text, uint32_t length, uint64_t hash)
{
	return c->hash[code] == hash && c->length[code] == length &&
	       !memcmp(c->text[code], text, length);
}

static void
make_room(struct categories *c)
{
	c->text = must_calloc(LIMIT_CATEGORIES, sizeof *c->text);
	c->length = must_calloc(LIMIT_CATEGORIES, sizeof *c->length);
	c->hash = must_calloc(LIMIT_CATEGORIES, sizeof *c->hash);
	c->slot = must_calloc(SLOTS, sizeof *c->slot);
}

uint32_t
categories_code(struct categories *c, const char *text, uint32_t length, uint64_t hash)
{
	uint32_t at;

	if (length > LIMIT_TEXT_BYTES) /* told apart by the hash of the whole, named by the beginning */
		length = LIMIT_TEXT_BYTES;
	if (!c->slot)
		make_room(c);
	if (c->n && same(c, c->last, text, length, hash))
		return c->last;
	for (at = (uint32_t)hash % SLOTS; c->slot[at]; at = (at + 1) % SLOTS)
		if (same(c, c->slot[at] - 1, text, length, hash))
			return c->last = c->slot[at] - 1;
	if (c->n == LIMIT_CATEGORIES) {
		c->overflow++;
		return LIMIT_CATEGORIES;
	}
	c->text[c->n] = must_strndup(text, length);
	c->length[c->n] = length;
	c->hash[c->n] = hash;
	c->slot[at] = c->n + 1;
	return c->last = c->n++;
}

uint32_t
stream_category(struct stream *s, const char *text, uint32_t length, uint64_t hash)
{
	return categories_code(s->categories, text, length, hash);
}

void
categories_free(struct categories *c)
{
	for (uint32_t i = 0; c && i < c->n; i++)
		free(c->text[i]);
	if (!c)
		return;
	free(c->text);
	free(c->length);
	free(c->hash);
	free(c->slot);
	free(c);
}
