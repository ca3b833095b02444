/* detect_lines.c -- see detect_lines.h. */
#include "monitor/command/detect_lines.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/command/filter.h"

enum { ROOM_FIRST = 4096, VECTOR_MAX = 65536 };

/* Cuts the part before the first comma off. False without a comma. */
static bool
cut(char **text, size_t *length, char **part, size_t *part_length)
{
	char *comma = *length ? memchr(*text, ',', *length) : NULL;

	if (!comma)
		return false;
	*part = *text;
	*part_length = (size_t)(comma - *text);
	*length -= *part_length + 1;
	*text = comma + 1;
	return true;
}

static size_t
count_commas(const char *text, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		n += text[i] == ',';
	return n;
}

static bool
is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] != ' ' && text[i] != '\t')
			return false;
	return true;
}

static enum line_kind
read_vector(struct line_format *f, char *text, size_t length, struct line *out, size_t *room,
            const char **why)
{
	size_t width = count_commas(text, length) + 1;
	enum line_kind kind = LINE_FINE;

	*why = "another number of values";
	if (is_blank(text, length))
		return LINE_MISSING;
	if (width > VECTOR_MAX || (f->width && width != f->width))
		return LINE_BAD;
	if (width > *room) {
		double *grown = realloc(out->value, width * sizeof *grown);

		*why = "out of memory";
		if (!grown)
			return LINE_BAD;
		out->value = grown;
		*room = width;
	}
	*why = "not a number";
	for (size_t j = 0; j < width; j++) {
		char *part = text;
		size_t part_length = length;
		int got;

		if (j + 1 < width)
			cut(&text, &length, &part, &part_length);
		got = line_number(part, part_length, &out->value[j]);
		if (got < 0)
			return LINE_BAD;
		if (got == 0)
			kind = LINE_MISSING;
	}
	f->width = (uint32_t)width;
	return kind;
}

static enum line_kind
read_value(struct line_format *f, char *text, size_t length, struct line *out, size_t *room,
           const char **why)
{
	const struct detector *det = f->detector;
	int got;

	if (det->kind == COLUMN_CATEGORY) {
		if (length == 0)
			return LINE_MISSING;
		out->code = words_code(&f->categories, text, length);
		*why = "out of memory";
		return out->code == UINT32_MAX ? LINE_BAD : LINE_FINE;
	}
	if (det->kind == COLUMN_VECTOR)
		return read_vector(f, text, length, out, room, why);
	got = line_number(text, length, out->value);
	*why = "not a number";
	if (got <= 0)
		return got < 0 ? LINE_BAD : LINE_MISSING;
	*why = det->kind == COLUMN_BINARY ? "neither 0 nor 1" : "a value that this method refuses";
	return det->accepts && !det->accepts(f->own, *out->value) ? LINE_BAD : LINE_FINE;
}

enum line_kind
line_read(struct line_format *f, bool reference, char *text, size_t length, struct line *out,
          size_t *room, const char **why)
{
	char *part;
	size_t part_length;

	out->gain = 1.0;
	out->day = out->key = 0;
	out->code = UINT32_MAX;
	out->value[0] = (double)NAN;
	if (reference && f->days) {
		*why = "no comma behind the day";
		if (!cut(&text, &length, &part, &part_length))
			return LINE_BAD;
		out->day = words_code(&f->days_seen, part, part_length);
	}
	if (!reference && f->metered) {
		*why = "no gain g >= 0 and comma in front";
		if (!cut(&text, &length, &part, &part_length)
		    || line_number(part, part_length, &out->gain) != 1 || out->gain < 0.0)
			return LINE_BAD;
	}
	if (f->keyed) {
		*why = "no comma behind the key";
		if (!cut(&text, &length, &part, &part_length))
			return LINE_BAD;
		out->key = words_code(&f->keys_seen, part, part_length);
	}
	if (f->detector->flags & DETECTOR_KEY_VALUE) {
		size_t comma = length;

		*why = "no comma behind the key";
		while (comma > 0 && text[comma - 1] != ',')
			comma--;
		if (comma == 0)
			return LINE_BAD;
		out->key = words_code(&f->keys_seen, text, comma - 1);
		length -= comma;
		text += comma;
	}
	*why = "out of memory";
	if (out->day == UINT32_MAX || out->key == UINT32_MAX)
		return LINE_BAD;
	return read_value(f, text, length, out, room, why);
}

static bool
grow(struct line_reference *r, uint32_t width)
{
	size_t room = r->room ? 2 * r->room : ROOM_FIRST;
	double *value = realloc(r->value, room * width * sizeof *value);
	uint32_t *code = realloc(r->code, room * sizeof *code);
	uint32_t *day = realloc(r->day, room * sizeof *day);
	uint32_t *key = realloc(r->key, room * sizeof *key);

	r->value = value ? value : r->value;
	r->code = code ? code : r->code;
	r->day = day ? day : r->day;
	r->key = key ? key : r->key;
	if (!value || !code || !day || !key || room > UINT32_MAX / 2)
		return false;
	r->room = room;
	return true;
}

static bool
append(struct line_reference *r, const struct line *line, uint32_t width)
{
	if (r->ref.n == r->room && !grow(r, width))
		return false;
	memcpy(r->value + (size_t)r->ref.n * width, line->value, width * sizeof *r->value);
	r->code[r->ref.n] = line->code;
	r->day[r->ref.n] = line->day;
	r->key[r->ref.n] = line->key;
	r->ref.n++;
	return true;
}

/* Days are renumbered: one that had only missing values is none. */
static void
close_days(struct line_reference *r, const struct line_format *f)
{
	uint32_t *number = malloc((f->days_seen.n + (size_t)1) * sizeof *number), days = 0;

	if (!number)
		return;
	memset(number, 0xFF, (f->days_seen.n + (size_t)1) * sizeof *number);
	for (uint32_t i = 0; i < r->ref.n; i++) {
		if (number[r->day[i]] == UINT32_MAX)
			number[r->day[i]] = days++;
		r->day[i] = number[r->day[i]];
	}
	r->ref.days = days;
	free(number);
}

int
line_reference_read(struct line_reference *r, struct line_format *f, const char *path,
                    struct diag *d)
{
	bool categories = f->detector->kind == COLUMN_CATEGORY;
	bool keyed = f->keyed || f->detector->flags & DETECTOR_KEY_VALUE;
	size_t room = 1, length;
	struct line line = { .value = malloc(sizeof(double)) };
	struct lines *lines = line.value ? lines_open(path, d) : NULL;
	const char *why;
	char *text;
	int err = lines ? 0 : ERR_MISSING;

	*r = (struct line_reference){ 0 };
	while (!err && lines_next(lines, &text, &length)) {
		enum line_kind kind = line_read(f, true, text, length, &line, &room, &why);

		if (kind == LINE_BAD)
			fprintf(stderr, "driftd detect: %s:%" PRIu64 ": %s\n", path,
			        lines_number(lines), why);
		if (kind == LINE_FINE && !append(r, &line, f->width ? f->width : 1))
			err = diag_set(d, ERR_IO, "out of memory after %" PRIu32 " lines of %s",
			               r->ref.n, path);
	}
	if (!err && lines_error(lines))
		err = diag_set(d, ERR_IO, "%s: %s", path, lines_error(lines));
	lines_close(lines);
	free(line.value);
	r->ref.days = 1;
	if (f->days)
		close_days(r, f);
	r->ref.value = categories ? NULL : r->value;
	r->ref.code = categories ? r->code : NULL;
	r->ref.day = f->days ? r->day : NULL;
	r->ref.key = keyed ? r->key : NULL;
	r->ref.keys = keyed ? f->keys_seen.n : 1;
	r->ref.width = f->width;
	r->ref.categories = f->categories.n;
	r->ref.text = f->categories.text;
	r->ref.text_len = f->categories.length;
	return err;
}

void
line_reference_finish(struct line_reference *r)
{
	free(r->value);
	free(r->code);
	free(r->day);
	free(r->key);
	*r = (struct line_reference){ 0 };
}

void
line_format_finish(struct line_format *f)
{
	words_finish(&f->days_seen);
	words_finish(&f->keys_seen);
	words_finish(&f->categories);
}
