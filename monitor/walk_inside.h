/* walk_inside.h -- the inner loop over the keys of an object, compiled twice: walk_base.c for any machine,
 * walk_avx2.c for x86-64 with AVX2. The including file defines WALK_OBJECT (the name) and WALK_NUMBER.
 *
 * A key that comes as predicted costs one comparison of sixteen bytes, a number one pass without a loop.
 * The token list is kept in a register; walk->token is only right around calls.
 */
#include "config/config.h"
#include "config/limits.h"
#include "monitor/number.h"
#include "monitor/walk.h"

/* `key` is at the opening quote. */
static inline bool
is_predicted(const struct entry *e, const char *key)
{
	if ((((number_load(key) ^ e->word[0]) & e->mask[0]) |
	     ((number_load(key + 8) ^ e->word[1]) & e->mask[1])) != 0)
		return false;
	return e->length < 15 || (memcmp(key + 16, e->name + 15, e->length - 15) == 0 &&
	                          key[e->length + 1] == '"');
}

/* The key at the token is not the one that usually follows `last`, or there is none. Its entry: 0 when it
 * means nothing and is not remembered, NO_ENTRY after a refusal. */
enum { NO_ENTRY = UINT32_MAX };
static __attribute__((noinline)) uint32_t
surprise(struct walk *w, uint32_t context, uint32_t last, const uint32_t *token)
{
	struct layout *layout = &w->model->layout;
	uint32_t number;

	w->token = token;
	if (w->text[token[0]] != '"') {
		walk_syntax(w, token, "a key");
		return NO_ENTRY;
	}
	if (w->text[token[1]] != ':') {
		walk_syntax(w, token + 1, "':'");
		return NO_ENTRY;
	}
	if (!walk_look_up(w, context, &number))
		return NO_ENTRY;
	if (number != 0)
		layout->context[context].entry[last].next = number;
	if (layout->slots > w->out->slots)
		walk_cover_slots(w->out, layout->slots);
	return number;
}

/* A value that is no plain number of a feature; the token is at the key. */
static __attribute__((noinline)) bool
other(struct walk *w, const struct context *c, uint32_t number, const uint32_t *token)
{
	struct entry *e = &c->entry[number];

	w->token = token + 2;
	if (number == 0) {
		w->out->fields_unknown += c->features || !c->segments;
		return walk_skip(w);
	}
	if (e->kind >= ENTRY_FIELD &&
	    (e->seen == w->generation ||
	     (e->kind == ENTRY_FEATURE && w->out->cell[e->index].tag != CELL_ABSENT)))
		return walk_duplicate(w, e, token[0]);
	e->seen = w->generation;
	if (e->kind == ENTRY_FEATURE && !w->only_model)
		return walk_feature(w, e);
	return walk_other(w, e);
}

static bool
too_many(struct walk *w, uint32_t at)
{
	return walk_refuse(w, REJECT_TOO_MANY_FIELDS, at, "more than %d keys in an object",
	                   LIMIT_FEATURES);
}

bool
WALK_OBJECT(struct walk *w, uint32_t context)
{
	const struct context *c = &w->model->layout.context[context];
	const char *const text = w->text;
	const uint32_t *token = w->token;
	const struct entry *entry = c->entry;
	struct cell *cells = w->out->cell;
	const bool all = !w->only_model;
	uint32_t last = 0, keys = 0;

	if (++w->depth > LIMIT_DEPTH)
		return walk_too_deep(w, *token);
	if (text[*++token] == '}') {
		w->token = token + 1;
		w->depth--;
		return true;
	}
	for (;; token++) {
		uint32_t number = entry[last].next;
		if (__builtin_expect(!is_predicted(&entry[number], text + token[0]) ||
		                             text[token[1]] != ':', 0)) {
			number = surprise(w, context, last, token);
			if (number == NO_ENTRY)
				return false;
			entry = c->entry;
			cells = w->out->cell;
		}
		const struct entry *e = &entry[number];
		struct cell *cell = &cells[e->index];
		keys++;
		if ((e->plain & all) && cell->tag == CELL_ABSENT &&
		    WALK_NUMBER(text + token[2], text + token[3], &cell->number, &cell->integral)) {
			cell->tag = CELL_NUMBER;
			token += 3;
			last = number;
		} else {
			if (keys > LIMIT_FEATURES)
				return too_many(w, *token);
			if (!other(w, c, number, token))
				return false;
			token = w->token;
			entry = c->entry;
			cells = w->out->cell;
			last = number != 0 ? number : last;
		}
		if (__builtin_expect(text[*token] != ',', 0))
			break;
	}
	if (text[*token] != '}')
		return walk_syntax(w, token, "',' or '}'");
	if (keys > LIMIT_FEATURES)
		return too_many(w, *token);
	w->token = token + 1;
	w->depth--;
	return true;
}
