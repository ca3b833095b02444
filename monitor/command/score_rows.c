/* score_rows.c -- reading rows for scores (score_rows.h). */
#include "monitor/command/score_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/decode/base64.h"

static const char *const input_name[INPUTS] = { "logits", "probs", "embedding", "features" };
/* Probabilities rounded to a few digits still sum to 1 within this. */
static const double sum_tolerance = 1e-3;

void
row_set_finish(struct row_set *s)
{
	for (int i = 0; i < INPUTS; i++)
		free(s->value[i]);
	free(s->label);
	*s = (struct row_set){ .capacity = 0 };
}

void
row_set_clear(struct row_set *s)
{
	s->rows.n = 0;
}

bool
row_reader_init(struct row_reader *r, const struct score_wish *wish)
{
	*r = (struct row_reader){ .json = jsonl_create(), .wish = *wish };
	return r->json != NULL;
}

void
row_reader_finish(struct row_reader *r)
{
	for (uint32_t i = 0; r->feature != NULL && i < r->width[3]; i++)
		free(r->feature[i]);
	for (uint32_t i = 0; i < r->classes; i++)
		free(r->class_name[i]);
	for (int i = 0; i < INPUTS; i++)
		jsonl_numbers_finish(&r->value[i]);
	free(r->feature);
	free(r->class_name);
	jsonl_destroy(r->json);
	*r = (struct row_reader){ .json = NULL };
}

static void
read_id(struct row_reader *r)
{
	int64_t whole;

	r->id = NULL;
	if (jsonl_string(r->json, "id", &r->id, &r->id_length) == JSONL_FOUND)
		return;
	if (jsonl_integer(r->json, "id", &whole) == JSONL_FOUND) {
		r->id_length = (size_t)snprintf(r->number, sizeof r->number, "%" PRId64, whole);
		r->id = r->number;
	}
}

static bool
room_for(struct jsonl_numbers *a, size_t n)
{
	double *grown;

	if (n <= a->capacity)
		return true;
	grown = realloc(a->value, n * sizeof *grown);
	if (grown == NULL)
		return false;
	a->value = grown;
	a->capacity = n;
	return true;
}

/* {"b64f32": text} or {"b64f16": text} */
static enum jsonl_result
read_base64(struct row_reader *r, struct jsonl_numbers *out, struct diag *d)
{
	enum base64_float type = BASE64_F32;
	const char *text;
	size_t length, n;

	if (jsonl_string(r->json, "embedding.b64f32", &text, &length) != JSONL_FOUND) {
		type = BASE64_F16;
		if (jsonl_string(r->json, "embedding.b64f16", &text, &length) != JSONL_FOUND) {
			diag_set(d, ERR_INVALID, "embedding is neither an array of numbers nor "
			         "{\"b64f32\": text} or {\"b64f16\": text}");
			return JSONL_WRONG;
		}
	}
	n = base64_count(text, length, type);
	if (n == SIZE_MAX || n > LIMIT_VECTOR || !room_for(out, n)
	    || !base64_decode(text, length, type, out->value)) {
		diag_set(d, ERR_INVALID, "embedding is not base64 of at most %d whole numbers of %d bytes",
		         LIMIT_VECTOR, (int)type);
		return JSONL_WRONG;
	}
	out->n = n;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(out->value[i])) {
			diag_set(d, ERR_INVALID, "number %zu of the embedding is not finite", i + 1);
			return JSONL_WRONG;
		}
	return JSONL_FOUND;
}

static enum jsonl_result
read_embedding(struct row_reader *r, struct jsonl_numbers *out, struct diag *d)
{
	enum jsonl_result got = jsonl_array(r->json, "embedding", out);
	const char *text;
	size_t length;
	int number;

	if (got != JSONL_WRONG)
		return got;
	if (jsonl_key(r->json, "embedding", 0, &text, &length, &number) == JSONL_FOUND)
		return read_base64(r, out, d);
	diag_set(d, ERR_INVALID, "embedding is not an array of numbers");
	return JSONL_WRONG;
}

/* The names of the numbers among the features of the first row. */
static bool
name_features(struct row_reader *r)
{
	const char *text;
	size_t length;
	int number;

	for (size_t i = 0; jsonl_key(r->json, "features", i, &text, &length, &number) == JSONL_FOUND; i++) {
		char **grown;
		char *name;

		if (!number || r->width[3] == LIMIT_FEATURES)
			continue;
		grown = realloc(r->feature, (r->width[3] + 1) * sizeof *grown);
		if (grown == NULL)
			return false;
		r->feature = grown;
		name = malloc(length + sizeof "features.");
		if (name == NULL)
			return false;
		memcpy(name, "features.", sizeof "features." - 1);
		memcpy(name + sizeof "features." - 1, text, length);
		name[length + sizeof "features." - 1] = '\0';
		r->feature[r->width[3]++] = name;
	}
	return true;
}

/* An array, or an object of which the numbers of the first row are used. */
static enum jsonl_result
read_features(struct row_reader *r, struct jsonl_numbers *out, struct diag *d)
{
	enum jsonl_result got = r->feature == NULL ? jsonl_array(r->json, "features", out) : JSONL_WRONG;

	if (got != JSONL_WRONG)
		return got;
	if (r->feature == NULL && (r->inputs != 0 || !name_features(r) || r->width[3] == 0)) {
		diag_set(d, ERR_INVALID, "features are not numbers as in the first row");
		return JSONL_WRONG;
	}
	if (!room_for(out, r->width[3]))
		return JSONL_ABSENT;
	out->n = r->width[3];
	for (uint32_t i = 0; i < r->width[3]; i++) {
		got = jsonl_number(r->json, r->feature[i], &out->value[i]);
		if (got == JSONL_WRONG)
			diag_set(d, ERR_INVALID, "%s is not a number", r->feature[i]);
		if (got != JSONL_FOUND)
			return got;
	}
	return JSONL_FOUND;
}

static enum jsonl_result
read_probs(struct row_reader *r, struct jsonl_numbers *out, struct diag *d)
{
	enum jsonl_result got = jsonl_array(r->json, "probs", out);
	double sum = 0.0;

	if (got == JSONL_ABSENT)
		got = jsonl_array(r->json, "prediction.probs", out);
	if (got == JSONL_WRONG)
		diag_set(d, ERR_INVALID, "probs are not an array of numbers");
	for (size_t i = 0; got == JSONL_FOUND && i < out->n; i++) {
		sum += out->value[i];
		if (!(out->value[i] >= 0.0 && out->value[i] <= 1.0 + sum_tolerance)) {
			diag_set(d, ERR_INVALID, "a probability is %g, not between 0 and 1", out->value[i]);
			return JSONL_WRONG;
		}
	}
	if (got == JSONL_FOUND && !(fabs(sum - 1.0) <= sum_tolerance)) {
		diag_set(d, ERR_INVALID, "the probabilities sum to %g, not to 1", sum);
		return JSONL_WRONG;
	}
	return got;
}

/* One input of the line; JSONL_WRONG with a sentence. */
static enum jsonl_result
read_input(struct row_reader *r, int input, struct diag *d)
{
	struct jsonl_numbers *out = &r->value[input];
	enum jsonl_result got;

	switch (1 << input) {
	case INPUT_PROBS:
		got = read_probs(r, out, d);
		break;
	case INPUT_EMBEDDING:
		got = read_embedding(r, out, d);
		break;
	case INPUT_FEATURES:
		got = read_features(r, out, d);
		break;
	default:
		got = jsonl_array(r->json, "logits", out);
		if (got == JSONL_WRONG)
			diag_set(d, ERR_INVALID, "logits are not an array of numbers");
	}
	if (got != JSONL_FOUND)
		return got;
	if (out->n == 0 || out->n > LIMIT_VECTOR) {
		diag_set(d, ERR_INVALID, "%s holds %zu numbers, not 1 to %d", input_name[input], out->n,
		         LIMIT_VECTOR);
		return JSONL_WRONG;
	}
	if (r->inputs != 0 && out->n != r->width[input]) {
		diag_set(d, ERR_INVALID, "%s holds %zu numbers, and %u before", input_name[input], out->n,
		         r->width[input]);
		return JSONL_WRONG;
	}
	return JSONL_FOUND;
}

/* The first row: which of the inputs it has are wished for. */
static enum row_kind
choose_inputs(struct row_reader *r, struct diag *d)
{
	const struct score_wish *w = &r->wish;
	bool logits = w->all & INPUT_LOGITS || w->shares || w->anything;
	bool embedding = w->all & INPUT_EMBEDDING || w->vector || w->anything;
	const int order[INPUTS] = { 0, 2, 3, 1 }; /* logits before probs, embedding before features */
	unsigned found = 0;

	for (int i = 0; i < INPUTS; i++) {
		int input = order[i];
		unsigned bit = 1u << input;
		bool wished = w->all & bit;

		wished = wished || (bit == INPUT_LOGITS && logits) || (bit == INPUT_EMBEDDING && embedding);
		wished = wished || (bit == INPUT_FEATURES && (w->vector || w->anything)
		                    && !(found & INPUT_EMBEDDING));
		wished = wished || (bit == INPUT_PROBS && w->shares && !(found & INPUT_LOGITS))
		         || (bit == INPUT_PROBS && w->anything && found == 0);
		if (!wished)
			continue;
		switch (read_input(r, input, d)) {
		case JSONL_WRONG:
			return ROW_BAD;
		case JSONL_FOUND:
			found |= bit;
			break;
		default:
			break;
		}
	}
	r->lacks = (w->all & ~found) & INPUT_LOGITS ? "logits"
	           : (w->all & ~found) & INPUT_EMBEDDING ? "embedding"
	           : (w->all & ~found) & INPUT_FEATURES ? "features"
	           : w->shares && !(found & (INPUT_LOGITS | INPUT_PROBS)) ? "logits or probs"
	           : w->vector && !(found & (INPUT_EMBEDDING | INPUT_FEATURES)) ? "embedding or features"
	           : found == 0 ? "embedding, logits, probs or features" : NULL;
	if (r->lacks != NULL)
		return ROW_MISSING;
	r->inputs = found;
	for (int i = 0; i < INPUTS; i++)
		r->width[i] = found & 1u << i ? (uint32_t)r->value[i].n : 0;
	return ROW_FINE;
}

static enum row_kind
read_inputs(struct row_reader *r, struct diag *d)
{
	if (r->inputs == 0)
		return choose_inputs(r, d);
	for (int i = 0; i < INPUTS; i++) {
		enum jsonl_result got = r->inputs & 1u << i ? read_input(r, i, d) : JSONL_FOUND;

		r->lacks = input_name[i];
		if (got != JSONL_FOUND)
			return got == JSONL_WRONG ? ROW_BAD : ROW_MISSING;
	}
	return ROW_FINE;
}

/* The code of the line's label; labels compare as text. */
static int
read_label(struct row_reader *r, uint32_t *code, struct diag *d)
{
	const char *text = NULL;
	char number[40], **grown;
	size_t length = 0;
	int64_t whole;
	double value;

	*code = SCORE_NO_LABEL;
	if (jsonl_string(r->json, "label", &text, &length) != JSONL_FOUND) {
		if (jsonl_integer(r->json, "label", &whole) == JSONL_FOUND)
			length = (size_t)snprintf(number, sizeof number, "%" PRId64, whole);
		else if (jsonl_number(r->json, "label", &value) == JSONL_FOUND)
			length = (size_t)snprintf(number, sizeof number, "%.17g", value);
		else
			return 0;
		text = number;
	}
	for (uint32_t i = 0; i < r->classes; i++)
		if (strlen(r->class_name[i]) == length && memcmp(r->class_name[i], text, length) == 0) {
			*code = i;
			return 0;
		}
	if (r->classes == LIMIT_CLASSES)
		return diag_set(d, ERR_LIMIT, "more than %d different labels: these are no classes; leave "
		                "the labels out", LIMIT_CLASSES);
	grown = realloc(r->class_name, (r->classes + 1) * sizeof *grown);
	if (grown == NULL)
		return diag_set(d, ERR_IO, "out of memory");
	r->class_name = grown;
	grown[r->classes] = strndup(text, length);
	if (grown[r->classes] == NULL)
		return diag_set(d, ERR_IO, "out of memory");
	*code = r->classes++;
	return 0;
}

static bool
set_room(struct row_set *s, const struct row_reader *r)
{
	size_t capacity = s->capacity < 64 ? 64 : 2 * s->capacity;
	uint32_t *label;

	if (s->rows.n < s->capacity)
		return true;
	for (int i = 0; i < INPUTS; i++) {
		double *grown;

		if (!(r->inputs & 1u << i))
			continue;
		grown = capacity > SIZE_MAX / sizeof *grown / r->width[i] ? NULL
		        : realloc(s->value[i], capacity * r->width[i] * sizeof *grown);
		if (grown == NULL)
			return false;
		s->value[i] = grown;
	}
	label = realloc(s->label, capacity * sizeof *label);
	if (label == NULL)
		return false;
	s->label = label;
	s->capacity = capacity;
	s->rows.classes = r->width[r->inputs & INPUT_LOGITS ? 0 : 1];
	s->rows.dimension = r->width[2];
	s->rows.features = r->width[3];
	s->rows.logits = s->value[0];
	s->rows.probs = s->value[1];
	s->rows.embedding = s->value[2];
	s->rows.feature = s->value[3];
	s->rows.label = s->label;
	return true;
}

static bool
all_zero(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] < 0.0 || v[i] > 0.0)
			return false;
	return n > 0;
}

enum row_kind
row_read(struct row_reader *r, const char *text, size_t length, bool labels, struct row_set *to,
         struct diag *d)
{
	enum row_kind kind;
	uint32_t label = SCORE_NO_LABEL;
	int err;

	r->id = NULL;
	r->lacks = "a record";
	if (strspn(text, " \t") == length)
		return ROW_MISSING;
	err = jsonl_parse(r->json, text, length, d);
	if (err != 0)
		return err == ERR_INVALID ? ROW_BAD : ROW_FAILED;
	read_id(r);
	kind = read_inputs(r, d);
	if (kind != ROW_FINE)
		return kind;
	if (labels && read_label(r, &label, d) != 0)
		return ROW_FAILED;
	if (!set_room(to, r)) {
		diag_set(d, ERR_IO, "out of memory");
		return ROW_FAILED;
	}
	for (int i = 0; i < INPUTS; i++)
		if (r->inputs & 1u << i)
			memcpy(to->value[i] + (size_t)to->rows.n * r->width[i], r->value[i].value,
			       r->width[i] * sizeof(double));
	to->label[to->rows.n++] = label;
	r->zeros += r->inputs & INPUT_EMBEDDING && all_zero(r->value[2].value, r->width[2]);
	return ROW_FINE;
}

static uint64_t
hash_row(const struct row_set *s, uint32_t row)
{
	const uint32_t width[INPUTS] = { s->rows.classes, s->rows.classes, s->rows.dimension,
		                         s->rows.features };
	uint64_t hash = 0;

	for (int i = 0; i < INPUTS; i++)
		if (s->value[i] != NULL)
			hash = XXH64(s->value[i] + (size_t)row * width[i], width[i] * sizeof(double), hash);
	return hash;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

size_t
row_set_copies(const struct row_set *a, const struct row_set *b)
{
	uint64_t *hash = malloc((b->rows.n + 1u) * sizeof *hash);
	size_t copies = 0;

	if (hash == NULL)
		return SIZE_MAX;
	for (uint32_t r = 0; r < b->rows.n; r++)
		hash[r] = hash_row(b, r);
	qsort(hash, b->rows.n, sizeof *hash, by_value);
	for (uint32_t r = 0; r < a->rows.n; r++) {
		uint64_t h = hash_row(a, r);

		copies += bsearch(&h, hash, b->rows.n, sizeof h, by_value) != NULL;
	}
	free(hash);
	return copies;
}
