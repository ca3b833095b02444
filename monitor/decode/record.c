/* record.c -- the buffers of a record, and the public names of refusals. */
#include "monitor/decode/record.h"

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
	[REJECT_MODELS_MAX] = "models_max",
	[REJECT_MISSING_MODEL] = "missing_model",
	[REJECT_MISSING_TS] = "missing_ts",
	[REJECT_NOTHING_KNOWN] = "nothing_known",
	[REJECT_MISSING_ID] = "missing_id",
	[REJECT_ENVELOPE] = "envelope",
	[REJECT_UPDATE] = "update",
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
	free(r->forecast_level);
	free(r->forecast_value);
	free(r->logit);
	free(r->embedding);
	record_init(r);
}

/* Field by field: a memset of this size is an instruction that takes longer to start than this
 * takes in all. What is counted is not cleared itself: texts, cells, probabilities, ... */
void
record_clear(struct record *r)
{
	static const struct cell absent;

	r->ts = 0;
	r->kafka_ms = 0;
	r->offset = 0;
	r->message_hash = 0;
	r->bytes = 0;
	r->partition = 0;
	r->model = 0;
	r->reject = REJECT_NONE;
	r->parts = 0;
	r->detail[0] = '\0';
	r->id_keyed = 0;
	r->id_order = 0;
	r->id_ts_order = 0;
	r->id = (struct text){ 0, 0 };
	r->version = (struct text){ 0, 0 };
	r->klass = absent;
	r->value = absent;
	r->lower = absent;
	r->upper = absent;
	r->level = absent;
	r->top_score = absent;
	r->n_cal = absent;
	r->qhat = absent;
	r->nonconformity = absent;
	r->label = absent;
	r->perturbation = r->severity = (struct text){ 0, 0 };
	r->form = FORM_NONE;
	r->forecast = FORECAST_NONE;
	r->logits = 0;
	r->dimension = 0;
	r->embedding_fault = EMBEDDING_FINE;
	r->probs = 0;
	r->sets = 0;
	r->has_set = false;
	r->classes = 0;
	r->slots = 0;
	r->fields_unknown = 0;
	r->fields_type = 0;
	r->fields_nonfinite = 0;
	r->text_length = 0;
	r->raw = NULL;
	r->raw_length = 0;
}

void
record_reserve_cells(struct record *r, uint32_t n)
{
	r->cell = grow(r->cell, &r->cell_capacity, n, sizeof(*r->cell));
}

void
record_grow_text(struct record *r, size_t bytes)
{
	r->text = grow(r->text, &r->text_capacity, (size_t)r->text_length + bytes + 1, 1);
}
