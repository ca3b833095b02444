/* quality.c -- see quality.h. */
#include "monitor/stream/quality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "monitor/decode/decode.h"
#include "monitor/decode/record.h"
#include "monitor/decode/text.h"
#include "monitor/stream/model.h"

enum { WORD_BYTES = 80 };

static const char *const fields[QUALITY_FAULTS] = {
	[QUALITY_TYPE_ERRORS] = "type_errors", [QUALITY_CLASS_COUNT] = "class_count", [QUALITY_LATE] = "late",
	[QUALITY_DUPLICATES] = "duplicates",
};
static const char none[] = "none";

static bool
categorical(enum quality_fault q)
{
	return q == QUALITY_TYPE_ERRORS || q == QUALITY_CLASS_COUNT;
}

static uint32_t
category(struct stream *s, const char *text, size_t length)
{
	return stream_category(s, text, (uint32_t)length, XXH64(text, length, 0));
}

/* Does the record say anything of this fault? */
static bool
tells(const struct model *m, const struct record *r, enum quality_fault q)
{
	switch (q) {
	case QUALITY_TYPE_ERRORS:
		return r->parts & (RECORD_FEATURES | RECORD_OWN);
	case QUALITY_CLASS_COUNT:
		return r->probs > 0;
	case QUALITY_DUPLICATES:
		return m->labels && r->parts & RECORD_PREDICTION && r->parts & RECORD_HAS_ID;
	default:
		return true;
	}
}

/* A value that is neither number nor text is none of any stream: the decoder has counted it. */
static uint32_t
wrong_field(const struct model *m, struct stream *s, const struct record *r)
{
	uint32_t length;
	const char *name;

	if (m->wrong_type)
		return category(s, m->wrong_type->field, m->wrong_type->field_length);
	for (uint32_t i = 0; r->fields_type && i < r->slots; i++)
		if (r->cell[i].tag == CELL_BAD_TYPE) {
			name = decoder_slot_name(m->common->decoder, m->number, i, &length);
			return category(s, name, length);
		}
	return category(s, none, sizeof none - 1);
}

/* Written out: formatting it would cost more than all else that a record's row does. */
static uint32_t
class_count(struct stream *s, uint32_t classes)
{
	char digits[10];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + classes % 10);
	while ((classes /= 10) > 0);
	return category(s, digits + at, sizeof digits - at);
}

static void
put(const struct model *m, enum quality_fault q, uint32_t at, const struct record *r, bool late,
    bool duplicate)
{
	struct stream *s = m->quality[q];
	bool told = tells(m, r, q) && (!duplicate || q == QUALITY_DUPLICATES); /* else it is fed nowhere */

	if (categorical(q)) {
		s->code[at] = !told ? RUNNER_MISSING : q == QUALITY_CLASS_COUNT ? class_count(s, r->probs) :
		                                                               wrong_field(m, s, r);
		return;
	}
	if (m->common->fitting) /* files say nothing of how records come */
		told = false;
	s->value[at] = !told ? (double)NAN : q == QUALITY_LATE ? late : duplicate;
}

void
quality_take(struct model *m, const struct record *r, const struct row_facts *f, bool duplicate)
{
	uint32_t at;

	for (int q = 0; q < QUALITY_FAULTS; q++)
		if (!m->quality[q] && !duplicate && tells(m, r, (enum quality_fault)q))
			m->quality[q] = model_stream(m, m->arrivals, STREAM_QUALITY, categorical((enum quality_fault)q) ?
				STREAM_CATEGORICAL : STREAM_BINARY, fields[q], strlen(fields[q]), NULL);
	at = rows_append(m, m->arrivals, f);
	for (int q = 0; q < QUALITY_FAULTS; q++)
		if (m->quality[q])
			put(m, (enum quality_fault)q, at, r, f->late, duplicate);
	m->wrong_type = NULL;
}

void
quality_bind(struct model *m, struct stream *s)
{
	for (int q = 0; q < QUALITY_FAULTS; q++)
		if (!strcmp(s->field, fields[q]))
			m->quality[q] = s;
}

/* The first category of a cell, fit to be shown. */
static void
cell_words(const struct stream *s, uint32_t cell, char out[WORD_BYTES])
{
	*out = 0;
	for (uint32_t code = 0; s->cells && code < s->categories->n; code++)
		if (cells_of_code(s->cells, code) == cell) {
			text_printable(s->categories->text[code], s->categories->length[code], WORD_BYTES / 4 - 1, out,
			               WORD_BYTES);
			return;
		}
}

void
quality_words(const struct stream *s, uint32_t cell, char *out, size_t size)
{
	char word[4 * WORD_BYTES + 1];

	if (s->kind == STREAM_MISSING) {
		text_printable(s->field, s->field_length, WORD_BYTES, word, sizeof word);
		snprintf(out, size, "missing values of `%s`", word);
	} else if (s->type == STREAM_BINARY) {
		snprintf(out, size, "%s", !strcmp(s->field, fields[QUALITY_LATE]) ? "late records" :
		                          "predictions that are told twice");
	} else {
		cell_words(s, cell, word);
		if (!strcmp(s->field, fields[QUALITY_CLASS_COUNT]))
			snprintf(out, size, "predictions with %s classes", word);
		else if (!strcmp(word, none))
			snprintf(out, size, "records without type errors");
		else
			snprintf(out, size, "type errors of `%s`", word);
	}
}
