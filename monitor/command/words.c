/* words.c -- an open hash table with linear probing over XXH64 (words.h). */
#include "monitor/command/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SLOTS_FIRST = 64 };

static uint32_t *
find(const struct words *w, const char *text, size_t length)
{
	uint32_t at = (uint32_t)XXH64(text, length, 0) & (w->slots - 1);

	for (;; at = (at + 1) & (w->slots - 1)) {
		uint32_t number = w->slot[at];

		if (number == 0)
			return &w->slot[at];
		if (w->length[number - 1] == length
		    && memcmp(w->text[number - 1], text, length) == 0)
			return &w->slot[at];
	}
}

static bool
grow(struct words *w)
{
	uint32_t slots = w->slots ? 2 * w->slots : SLOTS_FIRST, room = slots / 2;
	uint32_t *slot = calloc(slots, sizeof *slot);
	const char **text = realloc(w->text, room * sizeof *text);
	uint32_t *length = NULL;

	if (text) {
		w->text = text;
		length = realloc(w->length, room * sizeof *length);
	}
	if (length)
		w->length = length;
	if (!slot || !text || !length) {
		free(slot);
		return false;
	}
	free(w->slot);
	w->slot = slot;
	w->slots = slots;
	w->room = room;
	for (uint32_t i = 0; i < w->n; i++)
		*find(w, w->text[i], w->length[i]) = i + 1;
	return true;
}

uint32_t
words_code(struct words *w, const char *text, size_t length)
{
	uint32_t *slot;
	char *copy;

	if ((w->n == w->room && (w->n >= UINT32_MAX / 4 || !grow(w))) || length >= UINT32_MAX)
		return UINT32_MAX;
	slot = find(w, text, length);
	if (*slot)
		return *slot - 1;
	copy = malloc(length + 1);
	if (!copy)
		return UINT32_MAX;
	memcpy(copy, text, length);
	copy[length] = '\0';
	w->text[w->n] = copy;
	w->length[w->n] = (uint32_t)length;
	*slot = ++w->n;
	return w->n - 1;
}

void
words_finish(struct words *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		free((void *)(uintptr_t)w->text[i]);
	free(w->text);
	free(w->length);
	free(w->slot);
	*w = (struct words){ 0 };
}
