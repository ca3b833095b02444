/* privacy.c -- see privacy.h. */
#include "monitor/decode/privacy.h"

#include <stdio.h>
#include <string.h>

#include "monitor/decode/decode.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HASH_LENGTH = PRIVACY_TEXT - 1 };

void
privacy_text(const uint8_t hash_key[16], const void *text, size_t length, char out[PRIVACY_TEXT])
{
	snprintf(out, PRIVACY_TEXT, "#%016llx", (unsigned long long)siphash13(hash_key, text, length));
}

static void
hide(const uint8_t hash_key[16], struct record *r, struct text *t)
{
	char hash[PRIVACY_TEXT];

	privacy_text(hash_key, record_text(r, *t), t->length, hash);
	memcpy(record_reserve_text(r, HASH_LENGTH), hash, HASH_LENGTH);
	*t = (struct text){ r->text_length, HASH_LENGTH };
	r->text_length += HASH_LENGTH;
}

void
privacy_hide(enum privacy_values values, const uint8_t hash_key[16], uint32_t segments,
             struct record *r)
{
	if (values == PRIVACY_PLAIN)
		return;
	if (r->parts & RECORD_HAS_ID)
		hide(hash_key, r, &r->id);
	if (values != PRIVACY_HASH)
		return;
	for (uint32_t i = 0; i < r->slots; i++) {
		struct cell *c = &r->cell[i];

		if (c->tag != CELL_TEXT)
			continue;
		hide(hash_key, r, &c->text);
		c->hash = XXH64(record_text(r, c->text), c->text.length, 0);
	}
	for (uint32_t i = 0; i < segments; i++)
		if (r->segment[i].length)
			hide(hash_key, r, &r->segment[i]);
}
