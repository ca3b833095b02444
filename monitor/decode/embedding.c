/* embedding.c -- see embedding.h. */
#include "monitor/decode/embedding.h"

#include <math.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/decode/base64.h"
#include "monitor/decode/walk.h"
#include "monitor/grow.h"

static void
reserve(struct record *r, size_t n)
{
	r->embedding = grow(r->embedding, &r->embedding_capacity, n, sizeof(*r->embedding));
}

/* What is there is `n` numbers long: is each of them one, and some of them not 0? */
static void
settle(struct record *r, uint32_t n)
{
	bool zero = true, finite = true;

	for (uint32_t i = 0; i < n; i++) {
		zero &= r->embedding[i] == 0.0;
		finite &= isfinite(r->embedding[i]) != 0;
	}
	r->embedding_fault = !finite ? EMBEDDING_NONFINITE : zero ? EMBEDDING_ZERO : EMBEDDING_FINE;
	r->dimension = finite ? n : 0;
}

static bool
from_list(struct walk *w)
{
	struct numbers *numbers = &w->forms->numbers;
	struct record *r = w->out;
	uint32_t nonfinite = r->fields_nonfinite;
	struct vector x;

	forms_begin(w->forms); /* its buffer, which is given back below */
	if (!vector_value(w, numbers, &x))
		return false;
	numbers->n = x.at;
	if (x.shape == VECTOR_ABSENT)
		return true;
	if (x.shape == VECTOR_WRONG) {
		r->embedding_fault = r->fields_nonfinite > nonfinite ? EMBEDDING_NONFINITE : EMBEDDING_TYPE;
	} else if (x.shape != VECTOR_LIST) {
		r->embedding_fault = EMBEDDING_TYPE;
	} else if (x.columns == 0 || x.columns > LIMIT_VECTOR) {
		r->embedding_fault = EMBEDDING_LENGTH;
	} else {
		reserve(r, x.columns);
		memcpy(r->embedding, numbers->value + x.at, x.columns * sizeof(*r->embedding));
		settle(r, x.columns);
	}
	return true;
}

static enum embedding_fault
decode_text(struct record *r, const char *text, size_t length, enum base64_float type)
{
	size_t n = base64_count(text, length, type);

	if (n == SIZE_MAX)
		return EMBEDDING_TYPE;
	if (n == 0 || n > LIMIT_VECTOR)
		return EMBEDDING_LENGTH;
	reserve(r, n);
	if (!base64_decode(text, length, type, r->embedding))
		return EMBEDDING_TYPE;
	settle(r, (uint32_t)n);
	return (enum embedding_fault)r->embedding_fault;
}

/* The type of floats that the key at the token names; 0: none. */
static int
float_type(const struct walk *w, const uint32_t *token)
{
	const char *s = w->text + *token;

	if (w->length - *token < 8)
		return 0;
	return !memcmp(s, "\"b64f32\"", 8) ? BASE64_F32 : !memcmp(s, "\"b64f16\"", 8) ? BASE64_F16 : 0;
}

/* {"b64f32": "..."}, nothing else in it. */
static bool
from_object(struct walk *w)
{
	struct record *r = w->out;
	const uint32_t *token = w->token; /* brace, key, colon, text, brace */
	int type = float_type(w, token + 1);
	uint32_t before = r->text_length;
	struct text text;
	bool surrogate;

	if (type == 0 || w->text[token[2]] != ':' || w->text[token[3]] != '"' || w->text[token[4]] != '}') {
		r->embedding_fault = EMBEDDING_TYPE;
		return walk_skip(w);
	}
	if (!value_string(w, token + 3, &text, &surrogate))
		return false;
	r->embedding_fault = (uint8_t)decode_text(r, record_text(r, text), text.length, (enum base64_float)type);
	r->text_length = before;
	w->token += 5;
	return true;
}

bool
embedding_value(struct walk *w)
{
	struct record *r = w->out;

	r->dimension = 0;
	r->embedding_fault = EMBEDDING_FINE;
	r->parts |= RECORD_OTHER;
	return w->text[*w->token] == '{' ? from_object(w) : from_list(w);
}
