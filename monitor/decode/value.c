/* value.c -- the value of one field, from its text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "monitor/decode/number.h"
#include "monitor/decode/text.h"
#include "monitor/decode/walk.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Integers above this are not all doubles: their own digits are kept. */
static const double whole_max = 9007199254740992.0;

bool
value_string(struct walk *w, const uint32_t *token, struct text *out, bool *surrogate)
{
	struct record *r = w->out;
	const char *start = w->text + token[0] + 1, *end = w->text + token[1];

	*surrogate = false;
	*out = (struct text){ r->text_length, 0 };
	/* Only blanks stand between the closing quote and the next token. */
	while (end > start && end[-1] != '"')
		end--;
	if (end-- == start)
		return walk_refuse(w, REJECT_JSON_SYNTAX, token[0], "the string has no end");
	size_t length = (size_t)(end - start);
	char *copy = record_reserve_text(r, length + 8);
	if (!text_copy_plain(copy, start, length)) {
		const char *bad;
		enum text_status status = text_unescape(start, end, copy, &length, &bad);
		if (status == TEXT_BAD_ESCAPE)
			return walk_refuse(w, REJECT_JSON_SYNTAX, (uint32_t)(bad - w->text),
			                   "a bad escape");
		*surrogate = status == TEXT_SURROGATE;
		if (*surrogate)
			length = 0;
	}
	out->length = (uint32_t)length;
	r->text_length += out->length;
	return true;
}

bool
value_strict_string(struct walk *w, const uint32_t *token, struct text *out)
{
	bool surrogate;

	if (!value_string(w, token, out, &surrogate))
		return false;
	if (surrogate)
		return walk_refuse(w, REJECT_UTF8, token[0], "a lone surrogate");
	return true;
}

static void
set_text(struct walk *w, struct cell *cell, const char *s, size_t length)
{
	struct record *r = w->out;

	memcpy(record_reserve_text(r, length), s, length);
	cell->text = (struct text){ r->text_length, (uint32_t)length };
	cell->hash = XXH64(s, length, 0);
	r->text_length += (uint32_t)length;
}

/* Whole numbers as decimal digits however they were written, so that 1, 1.0 and "1" are one
 * class. */
static void
set_digits(struct walk *w, struct cell *cell, const char *s, size_t length)
{
	char digits[32];

	if (!cell->integral || cell->number == 0) {
		if (cell->number >= -whole_max && cell->number <= whole_max &&
		    cell->number == (double)(int64_t)cell->number) {
			int n = snprintf(digits, sizeof(digits), "%lld",
			                 (long long)cell->number);
			set_text(w, cell, digits, (size_t)n);
			return;
		}
	}
	set_text(w, cell, s, length);
}

static bool
number_cell(struct walk *w, struct cell *cell, enum value_how how)
{
	const char *s = w->text + *w->token, *end = w->text + w->token[1];

	if (!number_fast(s, end, &cell->number, &cell->integral)) {
		struct number n;
		end = number_scan(s, &n);
		if (end == NULL || !walk_ends(w, end))
			return walk_refuse(w, REJECT_JSON_SYNTAX, *w->token, "not a number");
		cell->number = number_value(s, &n);
		cell->integral = n.integral;
	}
	w->token++;
	if (!(cell->number >= -1.7976931348623157e308 && cell->number <= 1.7976931348623157e308)) {
		cell->tag = CELL_NONFINITE; /* the sign of an overflow stays */
		w->out->fields_nonfinite++;
		return true;
	}
	cell->tag = CELL_NUMBER;
	if (how & (VALUE_DIGITS | VALUE_CATEGORY))
		set_digits(w, cell, s, (size_t)(end - s));
	if (how & VALUE_CATEGORY)
		cell->tag = CELL_TEXT;
	return true;
}

static bool
wrong_type(struct walk *w, struct cell *cell)
{
	cell->tag = CELL_BAD_TYPE;
	w->out->fields_type++;
	return true;
}

static bool
string_cell(struct walk *w, struct cell *cell, enum value_how how)
{
	if (how & VALUE_NUMERIC) {
		w->token++;
		return wrong_type(w, cell);
	}
	if (!value_strict_string(w, w->token, &cell->text))
		return false;
	w->token++;
	cell->tag = CELL_TEXT;
	cell->hash = XXH64(record_text(w->out, cell->text), cell->text.length, 0);
	return true;
}

static bool
word(struct walk *w, const char *text, size_t length)
{
	const char *s = w->text + *w->token;

	return memcmp(s, text, length) == 0 && walk_ends(w, s + length);
}

bool
value_cell(struct walk *w, struct cell *cell, enum value_how how)
{
	switch (w->text[*w->token]) {
	case '"':
		return string_cell(w, cell, how);
	case '{':
	case '[':
		return walk_skip(w) && wrong_type(w, cell);
	case 't':
	case 'f': {
		bool yes = word(w, "true", 4);
		if (!yes && !word(w, "false", 5))
			break;
		w->token++;
		if (how & VALUE_NUMERIC)
			return wrong_type(w, cell);
		set_text(w, cell, yes ? "true" : "false", yes ? 4 : 5);
		cell->tag = CELL_TEXT;
		return true;
	}
	case 'n':
		if (!word(w, "null", 4))
			break;
		w->token++;
		cell->tag = CELL_NULL;
		return true;
	case 'N':
	case 'I':
		if (!word(w, "NaN", 3) && !word(w, "Infinity", 8))
			break;
		cell->number = w->text[*w->token] == 'I' ? HUGE_VAL : 0;
		goto nonfinite;
	case '-':
		cell->number = -HUGE_VAL;
		if (word(w, "-Infinity", 9))
			goto nonfinite;
		return number_cell(w, cell, how);
	default:
		if (w->text[*w->token] >= '0' && w->text[*w->token] <= '9')
			return number_cell(w, cell, how);
	}
	return walk_refuse(w, REJECT_JSON_SYNTAX, *w->token, "wanted a value");
nonfinite:
	w->token++;
	cell->tag = CELL_NONFINITE;
	w->out->fields_nonfinite++;
	return true;
}

/* Numbers keep their own digits: an id is never rounded. */
bool
value_name(struct walk *w, struct text *out, bool *there, bool *wrong)
{
	const char *s = w->text + *w->token;
	struct cell cell = { 0 };

	*there = false;
	if ((*s >= '0' && *s <= '9') || *s == '-') {
		struct number n;
		const char *end = number_scan(s, &n);
		if (end != NULL && walk_ends(w, end)) {
			set_text(w, &cell, s, (size_t)(end - s));
			w->token++;
			*out = cell.text;
			*there = true;
			return true;
		}
	}
	if (!value_cell(w, &cell, VALUE_PLAIN))
		return false;
	*there = cell.tag == CELL_TEXT;
	*wrong |= cell.tag == CELL_NONFINITE || cell.tag == CELL_BAD_TYPE;
	if (*there)
		*out = cell.text;
	return true;
}

bool
value_segment(struct walk *w, uint32_t segment)
{
	bool there, wrong = false;

	return value_name(w, &w->out->segment[segment], &there, &wrong);
}
