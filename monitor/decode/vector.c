/* vector.c -- see vector.h. */
#include "monitor/decode/vector.h"

#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/decode/number.h"
#include "monitor/decode/walk.h"
#include "monitor/grow.h"

void
numbers_finish(struct numbers *a)
{
	if (a == NULL)
		return;
	free(a->value);
	*a = (struct numbers){ NULL, 0, 0 };
}

void
numbers_reserve(struct numbers *a, size_t n)
{
	if (n > a->capacity)
		a->value = grow(a->value, &a->capacity, n, sizeof(*a->value));
}

/* One number, or something else that is passed over. */
static bool
one_number(struct walk *w, struct numbers *to, bool *wrong)
{
	const char *s = w->text + w->token[0];
	struct cell cell = { 0 };

	if (to->n == LIMIT_NUMBERS)
		return walk_refuse(w, REJECT_TOO_MANY_FIELDS, *w->token, "more than %d numbers",
		                   LIMIT_NUMBERS);
	numbers_reserve(to, (size_t)to->n + 1);
	if (number_fast(s, w->text + w->token[1], &cell.number, &cell.integral)) {
		w->token++;
	} else {
		if (!value_cell(w, &cell, VALUE_NUMERIC))
			return false;
		*wrong |= cell.tag != CELL_NUMBER;
	}
	to->value[to->n++] = cell.number;
	return true;
}

/* The numbers of one list, from its bracket. */
static bool
one_list(struct walk *w, struct numbers *to, uint32_t *columns, bool *wrong)
{
	bool more;

	*columns = 0;
	for (;; ++*columns) {
		if (!field_next_item(w, *columns, &more))
			return false;
		if (!more)
			return true;
		if (!one_number(w, to, wrong))
			return false;
	}
}

/* Rows, from the outer bracket. */
static bool
all_rows(struct walk *w, struct numbers *to, struct vector *out, bool *wrong)
{
	uint32_t columns;
	bool more;

	for (;; out->rows++) {
		if (!field_next_item(w, out->rows, &more))
			return false;
		if (!more)
			return true;
		if (w->text[*w->token] != '[') {
			if (!one_number(w, to, wrong))
				return false;
			*wrong = true;
			continue;
		}
		if (!one_list(w, to, &columns, wrong))
			return false;
		if (out->rows == 0)
			out->columns = columns;
		*wrong |= columns != out->columns;
	}
}

bool
vector_value(struct walk *w, struct numbers *to, struct vector *out)
{
	bool wrong = false;

	*out = (struct vector){ .at = to->n };
	if (w->text[*w->token] != '[') {
		struct cell cell = { 0 };

		if (!value_cell(w, &cell, VALUE_NUMERIC))
			return false;
		w->out->fields_type += cell.tag == CELL_NUMBER;
		out->shape = cell.tag == CELL_NULL ? VECTOR_ABSENT : VECTOR_WRONG;
		return true;
	}
	if (w->text[w->token[1]] == '[') {
		if (!all_rows(w, to, out, &wrong))
			return false;
		out->shape = VECTOR_ROWS;
	} else {
		out->rows = 1;
		if (!one_list(w, to, &out->columns, &wrong))
			return false;
		out->shape = VECTOR_LIST;
	}
	if (wrong)
		out->shape = VECTOR_WRONG;
	return true;
}

/* A key that is a number. */
static bool
one_level(struct walk *w, double *level, bool *wrong)
{
	struct number n;
	struct text name;
	bool surrogate;
	uint32_t before = w->out->text_length;

	if (w->text[w->token[0]] != '"')
		return walk_syntax(w, w->token, "a key");
	if (w->text[w->token[1]] != ':')
		return walk_syntax(w, w->token + 1, "':'");
	if (!value_string(w, w->token, &name, &surrogate))
		return false;
	/* A byte that ends the number, and the margin in front that its conversion reads. */
	char text[NUMBER_MARGIN + 64] = "";
	char *digits = text + NUMBER_MARGIN;
	size_t length = name.length < 60 ? name.length : 0;
	memcpy(digits, record_text(w->out, name), length);
	digits[length] = ' ';
	w->out->text_length = before;
	const char *end = number_scan(digits, &n);
	if (length == 0 || end != digits + length)
		*wrong = true;
	else
		*level = number_value(digits, &n);
	w->token += 2;
	return true;
}

bool
vector_levels(struct walk *w, struct numbers *to, struct vector *level, struct vector *value)
{
	bool wrong = false;

	*level = *value = (struct vector){ .at = to->n, .rows = 1, .shape = VECTOR_LIST };
	if (w->text[*w->token] != '{') {
		bool fine = vector_value(w, to, value);

		w->out->fields_type += value->shape == VECTOR_LIST || value->shape == VECTOR_ROWS;
		value->shape = level->shape = value->shape == VECTOR_ABSENT ? VECTOR_ABSENT : VECTOR_WRONG;
		return fine;
	}
	w->token++;
	if (w->text[*w->token] == '}') {
		w->token++;
		return true;
	}
	for (;;) {
		double at = 0;

		if (!one_level(w, &at, &wrong) || !one_number(w, to, &wrong))
			return false;
		if (to->n == LIMIT_NUMBERS)
			return walk_refuse(w, REJECT_TOO_MANY_FIELDS, *w->token, "more than %d numbers",
			                   LIMIT_NUMBERS);
		numbers_reserve(to, (size_t)to->n + 1);
		to->value[to->n++] = at;
		value->columns++;
		char c = w->text[*w->token];
		if (c != ',' && c != '}')
			return walk_syntax(w, w->token, "',' or '}'");
		w->token++;
		if (c == '}')
			break;
	}
	/* value, level, value, level: values to the front, levels behind them */
	uint32_t n = value->columns;
	double *x = to->value + value->at;
	numbers_reserve(to, (size_t)to->n + n);
	x = to->value + value->at;
	for (uint32_t i = 0; i < n; i++)
		x[2 * n + i] = x[2 * i + 1];
	for (uint32_t i = 0; i < n; i++)
		x[i] = x[2 * i];
	memmove(x + n, x + 2 * n, n * sizeof(*x));
	level->at = value->at + n;
	level->columns = n;
	if (wrong)
		level->shape = value->shape = VECTOR_WRONG;
	return true;
}
