/* walk_inside.h -- the inner loop over the keys of an object, compiled twice: walk_base.c for any
 * machine, walk_avx2.c for x86-64 with AVX2. The including file defines WALK_OBJECT (the name) and
 * WALK_NUMBER.
 *
 * A key that comes as predicted costs one comparison of sixteen bytes, a number one pass without a
 * loop. The token list is kept in a register; walk->token is only right around calls.
 */
#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/number.h"
#include "monitor/decode/walk.h"

/* `key` is at its opening quote. All of it is compared if it has less than fifteen bytes. */
static inline bool
starts_as_predicted(const struct entry *e, const char *key)
{
	return (((number_load(key) ^ e->word[0]) & e->mask[0]) |
	        ((number_load(key + 8) ^ e->word[1]) & e->mask[1])) == 0;
}

static bool
is_predicted(const struct entry *e, const char *key)
{
	return starts_as_predicted(e, key) &&
	       (e->length < 15 || (memcmp(key + 16, e->name + 15, e->length - 15) == 0 &&
	                           key[e->length + 1] == '"'));
}

enum { NO_ENTRY = INT32_MAX };

/* The entry of the key at the token, which is not the one that usually follows `last`, or no key at
 * all. 0: it means nothing and is not remembered. NO_ENTRY: refused. */
static uint32_t
surprise(struct walk *w, uint32_t context, uint32_t last)
{
	struct layout *layout = &w->model->layout;
	uint32_t number;

	if (w->text[w->token[0]] != '"') {
		walk_syntax(w, w->token, "a key");
		return NO_ENTRY;
	}
	if (w->text[w->token[1]] != ':') {
		walk_syntax(w, w->token + 1, "':'");
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

/* Where the quick entries of an object have their cells: those of the features, or the numbers of a
 * prediction, which stand one behind the other in the record. */
static inline struct cell *
cells_of(const struct walk *w, const struct context *c)
{
	return c->features ? w->out->cell : &w->out->klass;
}

/* A key and its value that are not a short, expected one with a plain number. Its entry, as
 * above. */
static __attribute__((noinline)) uint32_t
key_and_value(struct walk *w, uint32_t context, uint32_t last, const uint32_t *token)
{
	const struct context *c = &w->model->layout.context[context];
	uint32_t number = c->entry[last].next;

	w->token = token;
	if (!is_predicted(&c->entry[number], w->text + token[0]) || w->text[token[1]] != ':')
		number = surprise(w, context, last);
	if (number == NO_ENTRY)
		return NO_ENTRY;
	w->token = token + 2;
	if (number == 0) {
		w->out->fields_unknown += c->features || !c->segments;
		return walk_skip(w) ? 0 : NO_ENTRY;
	}
	struct entry *e = &c->entry[number];
	const bool feature = e->kind == ENTRY_FEATURE;
	if (e->kind >= ENTRY_FIELD &&
	    (e->seen == w->generation ||
	     (feature && w->out->cell[e->index].tag != CELL_ABSENT) ||
	     (e->quick && cells_of(w, c)[e->index].tag != CELL_ABSENT))) {
		walk_duplicate(w, e, token[0]);
		return NO_ENTRY;
	}
	e->seen = w->generation;
	return (feature && !w->only_model ? walk_feature(w, e) : walk_other(w, e)) ? number
	                                                                          : NO_ENTRY;
}

/* Keys from `begin` to `token`, where each takes four tokens but for `extra` more. */
static inline bool
is_too_many(const uint32_t *begin, const uint32_t *token, ptrdiff_t extra)
{
	return token - begin - extra > 4 * (ptrdiff_t)LIMIT_FEATURES;
}

bool
WALK_OBJECT(struct walk *w, uint32_t context)
{
	const struct context *c = &w->model->layout.context[context];
	const char *const text = w->text;
	const uint32_t *token = w->token + 1, *const begin = token;
	const struct entry *entry = c->entry;
	struct cell *cells = cells_of(w, c);
	const uint8_t quick = w->only_model ? UINT8_MAX : true; /* UINT8_MAX: none is */
	ptrdiff_t extra = 0;
	uint32_t last = 0;

	if (++w->depth > LIMIT_DEPTH)
		return walk_too_deep(w, *w->token);
	if (text[*token] == '}')
		goto end;
	for (;; token++) {
		uint32_t number = entry[last].next;
		const struct entry *e = &entry[number];
		struct cell *cell = &cells[e->index];
		if (starts_as_predicted(e, text + token[0]) && e->quick == quick &&
		    cell->tag == CELL_ABSENT && text[token[1]] == ':' &&
		    WALK_NUMBER(text + token[2], text + token[3], &cell->number, &cell->integral)) {
			cell->tag = CELL_NUMBER;
			cell->at = token[0];
			token += 3;
			last = number;
		} else {
			number = key_and_value(w, context, last, token);
			if (number == NO_ENTRY)
				return false;
			extra += w->token - token - 3;
			token = w->token;
			if (is_too_many(begin, token + 1, extra))
				break;
			entry = c->entry;
			cells = cells_of(w, c);
			last = number != 0 ? number : last;
		}
		if (__builtin_expect(text[*token] != ',', 0))
			break;
	}
	if (is_too_many(begin, token + 1, extra))
		return walk_refuse(w, REJECT_TOO_MANY_FIELDS, *token,
		                   "more than %d keys in an object", LIMIT_FEATURES);
	if (text[*token] != '}')
		return walk_syntax(w, token, "',' or '}'");
end:
	w->token = token + 1;
	w->depth--;
	return true;
}
