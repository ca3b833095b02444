/* walk.c -- everything of a walk but its inner loop (walk_inside.h): ignored values, keys that
 * were not predicted, values that are not plain numbers.
 *
 * What is checked: the grammar of every token of the record, and every scalar that is read. A
 * number inside an ignored value is not looked at beyond its first character.
 */
#include "monitor/decode/walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/text.h"

bool
walk_refuse(struct walk *w, enum reject reason, uint32_t at, const char *format, ...)
{
	struct record *out = w->out;
	va_list arguments;
	size_t used = 0;

	out->reject = reason;
	if (at != UINT32_MAX)
		used = (size_t)snprintf(out->detail, sizeof(out->detail), "byte %u: ", at);
	va_start(arguments, format);
	vsnprintf(out->detail + used, sizeof(out->detail) - used, format, arguments);
	va_end(arguments);
	return false;
}

bool
walk_syntax(struct walk *w, const uint32_t *token, const char *wanted)
{
	if (*token >= w->length)
		return walk_refuse(w, REJECT_JSON_SYNTAX, w->length, "the record ends, wanted %s",
		                   wanted);
	return walk_refuse(w, REJECT_JSON_SYNTAX, *token, "wanted %s", wanted);
}

bool
walk_too_deep(struct walk *w, uint32_t at)
{
	return walk_refuse(w, REJECT_TOO_DEEP, at, "more than %d levels", LIMIT_DEPTH);
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
walk_ends(const struct walk *w, const char *end)
{
	/* Anything but blanks behind a scalar would be a token of its own or part of the scalar. */
	return end == w->text + w->token[1] || is_blank(*end);
}

/* One scalar of an ignored value: words in full, strings and numbers by how they start. */
static bool
skip_scalar(struct walk *w)
{
	const char *s = w->text + *w->token;
	size_t length;

	switch (*s) {
	case '"':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		w->token++;
		return true;
	case '-':
		if (s[1] >= '0' && s[1] <= '9') {
			w->token++;
			return true;
		}
		length = strncmp(s, "-Infinity", 9) == 0 ? 9 : 0;
		break;
	case 't':
	case 'n':
		length = strncmp(s, "true", 4) == 0 || strncmp(s, "null", 4) == 0 ? 4 : 0;
		break;
	case 'f':
		length = strncmp(s, "false", 5) == 0 ? 5 : 0;
		break;
	case 'N':
		length = strncmp(s, "NaN", 3) == 0 ? 3 : 0;
		break;
	case 'I':
		length = strncmp(s, "Infinity", 8) == 0 ? 8 : 0;
		break;
	default:
		length = 0;
	}
	if (length == 0 || !walk_ends(w, s + length))
		return walk_syntax(w, w->token, "a value");
	w->token++;
	return true;
}

/* A key and its colon. */
static bool
skip_key(struct walk *w)
{
	if (w->text[w->token[0]] != '"')
		return walk_syntax(w, w->token, "a key");
	if (w->text[w->token[1]] != ':')
		return walk_syntax(w, w->token + 1, "':'");
	w->token += 2;
	return true;
}

/* Passes the opening tokens of a value: down to its first scalar or its first empty container.
 * Bit i of *objects says whether level i is an object. False in *scalar: an empty container was
 * closed. */
static bool
skip_open(struct walk *w, uint64_t *objects, uint32_t *levels)
{
	for (;;) {
		char open = w->text[*w->token];
		if (open != '{' && open != '[')
			return skip_scalar(w);
		if (w->depth + *levels >= LIMIT_DEPTH)
			return walk_too_deep(w, *w->token);
		w->token++;
		if (w->text[*w->token] == (open == '{' ? '}' : ']')) {
			w->token++;
			return true;
		}
		*objects = *objects << 1 | (open == '{');
		++*levels;
		if (open == '{' && !skip_key(w))
			return false;
	}
}

bool
walk_skip(struct walk *w)
{
	uint64_t objects = 0;
	uint32_t levels = 0;

	if (!skip_open(w, &objects, &levels))
		return false;
	while (levels > 0) {
		bool object = objects & 1;
		char c = w->text[*w->token];
		if (c == ',') {
			w->token++;
			if ((object && !skip_key(w)) || !skip_open(w, &objects, &levels))
				return false;
		} else if (c == (object ? '}' : ']')) {
			w->token++;
			objects >>= 1;
			levels--;
		} else {
			return walk_syntax(w, w->token, object ? "',' or '}'" : "',' or ']'");
		}
	}
	return true;
}

bool
walk_look_up(struct walk *w, uint32_t context, uint32_t *number)
{
	const char *key = w->text + w->token[0] + 1, *end = w->text + w->token[1];
	while (end > key && is_blank(end[-1]))
		end--;
	if (end == key || end[-1] != '"')
		return walk_syntax(w, w->token, "a key");
	end--;
	if (!text_has_escape(key, (size_t)(end - key))) {
		*number = layout_find(&w->model->layout, context, key, (size_t)(end - key));
		return true;
	}
	uint32_t length = w->out->text_length;
	struct text name;
	bool surrogate;
	if (!value_string(w, w->token, &name, &surrogate))
		return false;
	*number = surrogate ? 0
	                    : layout_find(&w->model->layout, context, record_text(w->out, name),
	                                  name.length);
	w->out->text_length = length;
	return true;
}

bool
walk_duplicate(struct walk *w, const struct entry *e, uint32_t at)
{
	char name[64];

	text_printable(e->name, e->length, 15, name, sizeof(name));
	return walk_refuse(w, REJECT_DUPLICATE_KEY, at, "duplicate key %s", name);
}

/* Everything about a feature that is not a plain number; the token is at the value. */
bool
walk_feature(struct walk *w, const struct entry *e)
{
	struct record *out = w->out;
	const uint32_t *token = w->token;
	bool fine;

	const uint8_t type = e->type & (uint8_t)~ENTRY_OWN;
	out->parts |= e->type & ENTRY_OWN ? RECORD_OWN : RECORD_FEATURES;
	out->cell[e->index].at = token[-2];
	if (type == FEATURE_IGNORE)
		fine = walk_skip(w);
	else
		fine = value_cell(w, &out->cell[e->index],
		                  type == FEATURE_NUMERIC       ? VALUE_NUMERIC
		                  : type == FEATURE_CATEGORICAL ? VALUE_CATEGORY
		                                                : VALUE_PLAIN);
	if (!fine || e->segment == 0)
		return fine;
	const uint32_t *after = w->token;
	w->token = token;
	fine = value_segment(w, e->segment - 1u);
	w->token = after;
	return fine;
}

/* New slots may have come with the last key. */
void
walk_cover_slots(struct record *out, uint32_t slots)
{
	if (slots == out->slots)
		return;
	if (slots > out->cell_capacity)
		record_reserve_cells(out, slots);
	memset(out->cell + out->slots, 0, (slots - out->slots) * sizeof(*out->cell));
	out->slots = slots;
}

/* A value that is a field, a step of a path, or means nothing. */
bool
walk_other(struct walk *w, const struct entry *e)
{
	bool object = w->text[*w->token] == '{';

	switch ((enum entry_kind)e->kind) {
	case ENTRY_UNKNOWN:
		w->out->fields_unknown++;
		return walk_skip(w);
	case ENTRY_KNOWN:
		return walk_skip(w);
	case ENTRY_SEGMENT:
		return w->only_model ? walk_skip(w) : value_segment(w, e->index);
	case ENTRY_FEATURE:
		return walk_skip(w); /* only_model */
	case ENTRY_FIELD:
		break;
	}
	if (w->only_model && e->field != FIELD_MODEL && (e->child == 0 || !object))
		return walk_skip(w);
	if (e->field != FIELD_NONE) {
		/* A better name of the same field was there; of two objects the first counts. */
		const uint8_t rank = w->rank[e->field];
		if (rank != 0 && (rank <= e->rank + 1 || e->field >= FIELD_FEATURES))
			return walk_skip(w);
		if (memcmp(w->text + *w->token, "null", 4) != 0)
			w->rank[e->field] = (uint8_t)(e->rank + 1);
	}
	if (object && e->child != 0) {
		if (e->field == FIELD_FEATURES)
			w->out->parts |= RECORD_FEATURES;
		return w->object(w, e->child);
	}
	return e->field == FIELD_NONE ? walk_skip(w) : field_value(w, (enum field)e->field);
}

enum walk_result
walk_record(struct walk *w, const uint32_t *first, uint32_t tokens)
{
	bool fine;

	w->token = first;
	w->depth = 0;
	if (w->out->cell == NULL) /* addresses of cells are computed before there are any */
		record_reserve_cells(w->out, 1);
	walk_cover_slots(w->out, w->model->layout.slots);
	if (tokens == 0 || w->text[*first] != '{')
		fine = walk_refuse(w, REJECT_JSON_SYNTAX, tokens == 0 ? 0 : *first,
		                   "the record is not an object");
	else
		fine = w->object(w, 0);
	if (fine && w->token != first + tokens)
		fine = walk_refuse(w, REJECT_JSON_SYNTAX, *w->token,
		                   "something follows the record");
	if (fine)
		return WALK_DONE;
	return w->out->reject == REJECT_NONE ? WALK_OTHER_MODEL : WALK_REFUSED;
}
