/* record.c -- the buffers of a record, and the public names of refusals. */
#include "monitor/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/grow.h"

static const char *const names[REJECT_COUNT] = {
	[REJECT_NONE] = "none",
	[REJECT_EMPTY] = "empty",
	[REJECT_TOO_LARGE] = "too_large",
	[REJECT_NOT_JSON] = "not_json",
	[REJECT_JSON_SYNTAX] = "json_syntax",
	[REJECT_UTF8] = "utf8",
	[REJECT_TOO_DEEP] = "too_deep",
	[REJECT_TOO_MANY_FIELDS] = "too_many_fields",
	[REJECT_DUPLICATE_KEY] = "duplicate_key",
	[REJECT_UNKNOWN_MODEL] = "unknown_model",
	[REJECT_MISSING_MODEL] = "missing_model",
	[REJECT_MISSING_TS] = "missing_ts",
	[REJECT_NOTHING_KNOWN] = "nothing_known",
	[REJECT_MISSING_ID] = "missing_id",
	[REJECT_FIELD_TYPE] = "field_type",
};

const char *
reject_text(enum reject r)
{
	assert(r < REJECT_COUNT);
	return names[r];
}

void
record_init(struct record *r)
{
	memset(r, 0, sizeof(*r));
}

void
record_finish(struct record *r)
{
	if (r == NULL)
		return;
	free(r->text);
	free(r->cell);
	free(r->prob);
	free(r->set);
	free(r->class_name);
	free(r->segment);
	record_init(r);
}

void
record_clear(struct record *r)
{
	struct text *segment = r->segment, *class_name = r->class_name;
	struct cell *cell = r->cell, *set = r->set;
	double *prob = r->prob;

	/* The buffers and their capacities stand at the end. */
	memset(r, 0, offsetof(struct record, text));
	r->segment = segment;
	r->class_name = class_name;
	r->cell = cell;
	r->set = set;
	r->prob = prob;
	r->text_length = 0;
	r->raw = NULL;
	r->raw_length = 0;
}

void
record_reserve_cells(struct record *r, uint32_t n)
{
	r->cell = grow(r->cell, &r->cell_capacity, n, sizeof(*r->cell));
}

char *
record_reserve_text(struct record *r, size_t bytes)
{
	r->text = grow(r->text, &r->text_capacity, (size_t)r->text_length + bytes + 1, 1);
	return r->text + r->text_length;
}
