#include "config/option.h"

#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest last: a value is written in the largest unit that divides it. Weeks are read but never
 * written, as people count 14d and 60d. */
static const struct unit durations[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	{ "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 }, { NULL, 0 } };
static const struct unit sizes[] = { { "", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 },
	{ "M", 1 << 20 }, { "G", 1 << 30 }, { "T", (int64_t)1 << 40 }, { NULL, 0 } };

enum number { NUMBER_FINE, NUMBER_BAD, NUMBER_HUGE, NUMBER_OCTAL };
enum { TEXT_MAX = 80 }; /* of a quoted value in a message */

static void *
field(const struct option *row, void *options)
{
	return (char *)options + row->offset;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [-]digits, no leading zero: some read 010 as eight. */
static enum number
parse_whole(const char *text, size_t length, int64_t *value)
{
	size_t i = length && text[0] == '-';
	int64_t v = 0;

	if (i == length)
		return NUMBER_BAD;
	for (size_t j = i; j < length; j++)
		if (!digit(text[j]))
			return NUMBER_BAD;
	if (text[i] == '0' && length - i > 1)
		return NUMBER_OCTAL;
	for (; i < length; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, text[i] - '0', &v))
			return NUMBER_HUGE;
	if (text[0] != '-' && __builtin_sub_overflow((int64_t)0, v, &v))
		return NUMBER_HUGE;
	*value = v;
	return NUMBER_FINE;
}

/* [-]digits[.digits][e[+-]digits], also .5; neither hex, inf nor nan, which strtod takes. */
static enum number
number_shape(const char *text)
{
	const char *p = text + (*text == '-'), *start = p;

	while (digit(*p))
		p++;
	size_t digits = (size_t)(p - start);
	if (digits > 1 && *start == '0')
		return NUMBER_OCTAL;
	if (*p == '.') {
		const char *point = p++;
		while (digit(*p))
			p++;
		if (p == point + 1)
			return NUMBER_BAD;
		digits++;
	}
	if (!digits)
		return NUMBER_BAD;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		if (!digit(*p))
			return NUMBER_BAD;
		while (digit(*p))
			p++;
	}
	return *p ? NUMBER_BAD : NUMBER_FINE;
}

static enum number
parse_number(const char *text, double *value)
{
	enum number shape = number_shape(text);

	if (shape != NUMBER_FINE)
		return shape;
	/* A library may have called setlocale; only this thread switches, and only for the moment. */
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t old = c ? uselocale(c) : (locale_t)0;
	double v = strtod(text, NULL);
	if (c) {
		uselocale(old);
		freelocale(c);
	}
	if (!isfinite(v))
		return NUMBER_HUGE;
	*value = v;
	return NUMBER_FINE;
}

static void
format_number(double v, char *out, size_t size)
{
	char text[40] = "";
	double back;

	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t old = c ? uselocale(c) : (locale_t)0;
	/* The shortest that reads back as the same double. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		back = strtod(text, NULL);
		if (!(back < v) && !(back > v))
			break;
	}
	if (c) {
		uselocale(old);
		freelocale(c);
	}
	snprintf(out, size, "%s", text);
}

static void
format_units(int64_t v, const struct unit *units, char *out, size_t size)
{
	const struct unit *best = units;

	for (const struct unit *u = units; u->name; u++)
		if (v && v % u->factor == 0 && strcmp(u->name, "w") && strcmp(u->name, "K"))
			best = u;
	if (!v)
		best = units == durations ? units + 1 : units;
	snprintf(out, size, "%lld%s", (long long)(v / best->factor), best->name);
}

static void
format_bound(const struct option *row, double v, char *out, size_t size)
{
	if (row->type == OPTION_DURATION)
		format_units((int64_t)v, durations, out, size);
	else if (row->type == OPTION_BYTES)
		format_units((int64_t)v, sizes, out, size);
	else if (row->type == OPTION_F64 || row->type == OPTION_LIST)
		format_number(v, out, size);
	else
		snprintf(out, size, "%.0f", v);
}

static void
format_range(const struct option *row, char *out, size_t size)
{
	char low[48], high[48];

	format_bound(row, row->low, low, sizeof low);
	if (isinf(row->high)) {
		snprintf(out, size, "at least %s", low);
	} else {
		format_bound(row, row->high, high, sizeof high);
		snprintf(out, size, "%s to %s", low, high);
	}
}

static int
check_range(const struct option *row, double v, const char *text, struct diag *d)
{
	char range[120];

	if (v >= row->low && v <= row->high)
		return 0;
	format_range(row, range, sizeof range);
	return diag_set(d, ERR_INVALID, "%s: %.*s is out of range (%s)", row->name, TEXT_MAX, text,
	                range);
}

static int
not_a_number(const struct option *row, enum number why, const char *kind, const char *text,
             struct diag *d)
{
	if (why == NUMBER_HUGE)
		return diag_set(d, ERR_INVALID, "%s: %.*s is too large for any number here", row->name,
		                TEXT_MAX, text);
	if (why == NUMBER_OCTAL)
		return diag_set(d, ERR_INVALID, "%s: %.*s begins with 0; write it in decimal without",
		                row->name, TEXT_MAX, text);
	return diag_set(d, ERR_INVALID, "%s: '%.*s' is not %s", row->name, TEXT_MAX, text, kind);
}

static int
set_f64(const struct option *row, void *options, const char *text, struct diag *d)
{
	bool word = row->type == OPTION_AUTO_F64;
	double v = (double)NAN;

	if (!word || strcmp(text, "auto")) {
		enum number n = parse_number(text, &v);
		if (n != NUMBER_FINE)
			return not_a_number(row, n, word ? "`auto` or a decimal number" : "a decimal number",
			                    text, d);
		if (check_range(row, v, text, d))
			return ERR_INVALID;
	}
	memcpy(field(row, options), &v, sizeof v);
	return 0;
}

static int
set_whole(const struct option *row, void *options, const char *text, struct diag *d)
{
	bool word = row->type == OPTION_AUTO_U32;
	uint32_t narrow = OPTION_AUTO;
	int64_t v;

	if (!word || strcmp(text, "auto")) {
		enum number n = parse_whole(text, strlen(text), &v);
		if (n != NUMBER_FINE)
			return not_a_number(row, n, word ? "`auto` or a whole number" : "a whole number", text,
			                    d);
		if (check_range(row, (double)v, text, d))
			return ERR_INVALID;
		if (row->type != OPTION_I64 && (v < 0 || v >= (word ? OPTION_AUTO : (int64_t)1 << 32)))
			return not_a_number(row, NUMBER_HUGE, "", text, d);
		if (row->type == OPTION_I64) {
			memcpy(field(row, options), &v, sizeof v);
			return 0;
		}
		narrow = (uint32_t)v;
	}
	memcpy(field(row, options), &narrow, sizeof narrow);
	return 0;
}

static int
set_units(const struct option *row, void *options, const char *text, struct diag *d)
{
	bool time = row->type == OPTION_DURATION;
	const char *kind = time ? "a duration: a number with a unit, as in 500ms 30s 5m 2h 14d 1w" :
	                          "a size: a number with a unit, as in 64k 16M 2G";
	size_t number = 0;
	int64_t v;

	while (digit(text[number]) || (number == 0 && *text == '-'))
		number++;
	const struct unit *u = time ? durations : sizes;
	while (u->name && strcmp(u->name, text + number))
		u++;
	enum number n = u->name ? parse_whole(text, number, &v) : NUMBER_BAD;
	if (n == NUMBER_FINE && __builtin_mul_overflow(v, u->factor, &v))
		n = NUMBER_HUGE;
	if (n != NUMBER_FINE)
		return not_a_number(row, n, kind, text, d);
	if (check_range(row, (double)v, text, d))
		return ERR_INVALID;
	memcpy(field(row, options), &v, sizeof v);
	return 0;
}

static int
set_bool(const struct option *row, void *options, const char *text, struct diag *d)
{
	static const char *const habits[] = { "yes", "no", "on", "off", "True", "False", "TRUE",
		"FALSE", "Yes", "No", "On", "Off", NULL };
	bool v = !strcmp(text, "true") || !strcmp(text, "1");

	if (!v && strcmp(text, "false") && strcmp(text, "0")) {
		for (size_t i = 0; habits[i]; i++)
			if (!strcmp(text, habits[i]))
				return diag_set(d, ERR_INVALID, "%s: '%s' is a word here; write true or false",
				                row->name, text);
		return diag_set(d, ERR_INVALID, "%s: '%.*s' is not true or false", row->name, TEXT_MAX,
		                text);
	}
	memcpy(field(row, options), &v, sizeof v);
	return 0;
}

static void
join_words(const char *const *words, const char *between, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; words[i] && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? between : "", words[i]);
}

static int
set_enum(const struct option *row, void *options, const char *text, struct diag *d)
{
	char all[400];

	for (int i = 0; row->choices[i]; i++)
		if (!strcmp(row->choices[i], text)) {
			memcpy(field(row, options), &i, sizeof i);
			return 0;
		}
	const char *near = option_nearest_word(row->choices, text);
	if (near)
		return diag_set(d, ERR_INVALID, "%s: unknown word '%.*s' (did you mean '%s'?)", row->name,
		                TEXT_MAX, text, near);
	join_words(row->choices, ", ", all, sizeof all);
	return diag_set(d, ERR_INVALID, "%s: unknown word '%.*s' (known: %s)", row->name, TEXT_MAX,
	                text, all);
}

static int
set_list(const struct option *row, void *options, const char *text, struct diag *d)
{
	struct option_list list = { 0 };

	for (const char *p = text;; p++) {
		char one[64];
		p += strspn(p, " \t");
		size_t length = strcspn(p, ","), used = length;
		while (used && (p[used - 1] == ' ' || p[used - 1] == '\t'))
			used--;
		if (list.n == OPTION_LIST_MAX)
			return diag_set(d, ERR_INVALID, "%s: more than %d numbers", row->name, OPTION_LIST_MAX);
		snprintf(one, sizeof one, "%.*s", (int)(used < sizeof one ? used : sizeof one), p);
		enum number n = used < sizeof one ? parse_number(one, &list.value[list.n]) : NUMBER_BAD;
		if (n != NUMBER_FINE)
			return not_a_number(row, n, "a decimal number", one, d);
		if (check_range(row, list.value[list.n++], one, d))
			return ERR_INVALID;
		p += length;
		if (!*p)
			break;
	}
	memcpy(field(row, options), &list, sizeof list);
	return 0;
}

static int
set_text(const struct option *row, void *options, const char *text, struct diag *d)
{
	char **place = field(row, options);
	char *copy = strdup(text);

	if (!copy)
		return diag_set(d, ERR_IO, "%s: out of memory", row->name);
	free(*place);
	*place = copy;
	return 0;
}

int
option_set(const struct option *row, void *options, const char *text, struct diag *d)
{
	switch (row->type) {
	case OPTION_F64:
	case OPTION_AUTO_F64:
		return set_f64(row, options, text, d);
	case OPTION_U32:
	case OPTION_I64:
	case OPTION_AUTO_U32:
		return set_whole(row, options, text, d);
	case OPTION_BOOL:
		return set_bool(row, options, text, d);
	case OPTION_DURATION:
	case OPTION_BYTES:
		return set_units(row, options, text, d);
	case OPTION_ENUM:
		return set_enum(row, options, text, d);
	case OPTION_LIST:
		return set_list(row, options, text, d);
	case OPTION_TEXT:
		return set_text(row, options, text, d);
	}
	return diag_set(d, ERR_INVALID, "%s: a row of unknown type", row->name);
}

void
option_defaults(const struct option *table, void *options)
{
	for (const struct option *row = table; row->name; row++)
		if (row->fallback) {
			/* Only memory can fail here: a default that its own row refuses is our mistake. */
			int err = option_set(row, options, row->fallback, NULL);
			assert(err != ERR_INVALID);
			(void)err;
		}
}

const struct option *
option_find(const struct option *table, const char *name)
{
	for (const struct option *row = table; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

void
option_format(const struct option *row, const void *options, char *out, size_t size)
{
	const void *at = (const char *)options + row->offset;
	double f;
	uint32_t u;
	int64_t i;
	int e;

	out[0] = '\0';
	switch (row->type) {
	case OPTION_F64:
	case OPTION_AUTO_F64:
		memcpy(&f, at, sizeof f);
		if (row->type == OPTION_AUTO_F64 && isnan(f))
			snprintf(out, size, "auto");
		else
			format_number(f, out, size);
		break;
	case OPTION_U32:
	case OPTION_AUTO_U32:
		memcpy(&u, at, sizeof u);
		if (row->type == OPTION_AUTO_U32 && u == OPTION_AUTO)
			snprintf(out, size, "auto");
		else
			snprintf(out, size, "%lu", (unsigned long)u);
		break;
	case OPTION_I64:
		memcpy(&i, at, sizeof i);
		snprintf(out, size, "%lld", (long long)i);
		break;
	case OPTION_BOOL:
		snprintf(out, size, "%s", *(const bool *)at ? "true" : "false");
		break;
	case OPTION_DURATION:
	case OPTION_BYTES:
		memcpy(&i, at, sizeof i);
		format_units(i, row->type == OPTION_DURATION ? durations : sizes, out, size);
		break;
	case OPTION_ENUM:
		memcpy(&e, at, sizeof e);
		snprintf(out, size, "%s", row->choices[e]);
		break;
	case OPTION_LIST: {
		const struct option_list *list = at;
		size_t used = 0;
		for (uint32_t k = 0; k < list->n && used < size; k++) {
			char one[40];
			format_number(list->value[k], one, sizeof one);
			used += (size_t)snprintf(out + used, size - used, "%s%s", k ? "," : "", one);
		}
		break;
	}
	case OPTION_TEXT: {
		const char *const *text = at;
		snprintf(out, size, "%s", *text ? *text : "");
		break;
	}
	}
}

void
option_describe(const struct option *row, char *out, size_t size)
{
	static const char *const kinds[] = { [OPTION_F64] = "number, ", [OPTION_U32] = "whole number, ",
		[OPTION_I64] = "whole number, ", [OPTION_DURATION] = "duration, ",
		[OPTION_BYTES] = "size, ", [OPTION_LIST] = "numbers with commas, each ",
		[OPTION_AUTO_U32] = "auto or a whole number, ",
		[OPTION_AUTO_F64] = "auto or a number, " };
	char range[120];

	if (row->type == OPTION_BOOL) {
		snprintf(out, size, "true or false");
	} else if (row->type == OPTION_TEXT) {
		snprintf(out, size, "text");
	} else if (row->type == OPTION_ENUM) {
		join_words(row->choices, " | ", out, size);
	} else {
		format_range(row, range, sizeof range);
		snprintf(out, size, "%s%s", kinds[row->type], range);
	}
}

void
option_finish(const struct option *table, void *options)
{
	for (const struct option *row = table; row->name; row++)
		if (row->type == OPTION_TEXT) {
			char **text = field(row, options);
			free(*text);
			*text = NULL;
		}
}
