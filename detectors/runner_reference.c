/* runner_reference.c -- from a reference to a running detector: which step (contract 11, 11a),
 * which promise, the thinned reference, the instance. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/dependence.h"
#include "detectors/runner_internal.h"

enum {
	CELL_VALUES_MIN = 100, /* contract 11: indicators of rarer cells are not looked at */
	SHORT_DAYS = 6,        /* contract 4b: cycle + this many days ... */
	SHORT_VALUES = 200,    /* ... and values */
	STEP_MAX = 1000000,    /* as the option thin */
};

/* The largest step of several series; dependent when one of them is. */
struct steps {
	uint32_t largest;
	bool dependent;
};

/* Where there are keys, less the mean of the key. */
static void
steps_add(struct steps *s, const double *value, const struct reference *ref)
{
	struct reference one = { .n = ref->n, .value = value, .days = 1, .key = ref->key, .keys = ref->keys };
	bool dependent;
	uint32_t step = ref->key ? dependence_step_within_days(&one, WITHIN_RANKS, &dependent) :
	                           dependence_step(value, ref->n, &dependent);

	s->largest = step > s->largest ? step : s->largest;
	s->dependent = s->dependent || dependent;
}

/* Categories: the indicator of every one with enough values. */
static void
steps_of_codes(struct steps *s, const struct reference *ref, double *scratch)
{
	uint32_t *count = calloc(ref->categories + (size_t)1, sizeof *count);

	if (!count) {
		s->dependent = true;
		return;
	}
	for (uint32_t i = 0; i < ref->n; i++)
		count[ref->code[i]]++;
	for (uint32_t code = 0; code < ref->categories; code++) {
		if (count[code] < CELL_VALUES_MIN)
			continue;
		for (uint32_t i = 0; i < ref->n; i++)
			scratch[i] = ref->code[i] == code;
		steps_add(s, scratch, ref);
	}
	free(count);
}

static uint32_t
step_in(const struct runner *r, const struct reference *ref, bool *dependent)
{
	const struct detector *det = r->detector;
	uint32_t width = ref->width > 1 ? ref->width : 1;
	struct steps s = { 1, false };
	double *scratch;

	if (ref->value && (ref->key || (det->flags & DETECTOR_KEYED))) {
		struct reference seen = *ref;

		/* Only a tolerant test forgives what is common to the records of a day. */
		if (!(det->flags & DETECTOR_KEYED))
			seen.day = NULL;
		return dependence_step_within_days(&seen, r->options.ranks_within ? WITHIN_RANKS : WITHIN_VALUES,
		                                   dependent);
	}
	scratch = malloc((ref->n + (size_t)1) * sizeof *scratch);
	if (!scratch) {
		*dependent = true;
		return 1;
	}
	if (!ref->value)
		steps_of_codes(&s, ref, scratch);
	for (uint32_t j = 0; ref->value && j < width; j++) {
		for (uint32_t i = 0; i < ref->n; i++) {
			scratch[i] = ref->value[(size_t)i * width + j];
			if (det->ranked)
				scratch[i] = det->ranked(r->own, scratch[i]);
		}
		steps_add(&s, scratch, ref);
	}
	free(scratch);
	*dependent = s.dependent;
	return s.dependent ? 1 : s.largest;
}

/* The step of the stream's records, and that of the reference's values. Values q apart that are independent
 * say nothing of records in between: those are judged by the row, or, where it has no step (or there is
 * none), all but every q-th left out. Values that hang together over q records do so over more than the row
 * can show. */
static uint32_t
auto_step(const struct runner *r, const struct reference *ref, uint32_t *of_reference, bool *dependent)
{
	bool row_dependent = true;
	uint32_t row = 1;
	double spaced;

	*of_reference = step_in(r, ref, dependent);
	if (*dependent || !(ref->spacing > 1.0))
		return *of_reference;
	spaced = fmin(ceil(ref->spacing * *of_reference), STEP_MAX);
	if (ref->row)
		row = step_in(r, ref->row, &row_dependent);
	if (row_dependent)
		return (uint32_t)spaced;
	return *of_reference > 1 && spaced > row ? (uint32_t)spaced : row;
}

/* Every step-th row of a reference, with days numbered anew. */
struct thinned {
	struct reference ref;
	double *value;
	uint32_t *code, *day, *key, *day_of;
};

static void
thinned_free(struct thinned *t)
{
	free(t->value);
	free(t->code);
	free(t->day);
	free(t->key);
	free(t->day_of);
}

static bool
thinned_make(struct thinned *t, const struct reference *ref, uint32_t step)
{
	uint32_t n = ref->n ? (ref->n - 1) / step + 1 : 0, width = ref->width > 1 ? ref->width : 1;
	size_t room = n + (size_t)1;

	*t = (struct thinned){ .ref = *ref };
	t->value = malloc(room * width * sizeof *t->value);
	t->code = malloc(room * sizeof *t->code);
	t->day = malloc(room * sizeof *t->day);
	t->key = malloc(room * sizeof *t->key);
	t->day_of = malloc((ref->days + (size_t)1) * sizeof *t->day_of);
	if (!t->value || !t->code || !t->day || !t->key || !t->day_of)
		return false;
	memset(t->day_of, 0xFF, (ref->days + (size_t)1) * sizeof *t->day_of);
	t->ref.days = 0;
	for (uint32_t i = 0; i < n; i++) {
		size_t from = (size_t)i * step;

		if (ref->value)
			memcpy(t->value + (size_t)i * width, ref->value + from * width,
			       width * sizeof *t->value);
		t->code[i] = ref->code ? ref->code[from] : 0;
		t->key[i] = ref->key ? ref->key[from] : 0;
		if (!ref->day)
			continue;
		if (t->day_of[ref->day[from]] == UINT32_MAX)
			t->day_of[ref->day[from]] = t->ref.days++;
		t->day[i] = t->day_of[ref->day[from]];
	}
	t->ref.n = n;
	t->ref.days = ref->day ? t->ref.days : ref->days;
	t->ref.value = ref->value ? t->value : NULL;
	t->ref.code = ref->code ? t->code : NULL;
	t->ref.day = ref->day ? t->day : NULL;
	t->ref.key = ref->key ? t->key : NULL;
	return true;
}

/* `cycle` of the detector's own options; 1 without one. */
static uint32_t
cycle(const struct runner *r)
{
	const struct option *row = option_find(r->detector->options, "cycle");
	uint32_t value = 1;

	if (row && row->type == OPTION_U32)
		memcpy(&value, (const char *)r->own + row->offset, sizeof value);
	return value;
}

static int
learn_keys(struct runner *r, const struct reference *ref)
{
	r->keys = ref->key ? ref->keys : 1;
	if (!ref->key)
		return 0;
	r->key_known = calloc(r->keys + (size_t)1, sizeof *r->key_known);
	if (!r->key_known)
		return ERR_IO;
	for (uint32_t i = 0; i < ref->n; i++)
		r->key_known[ref->key[i]] = true;
	return 0;
}

int
runner_start(struct runner *r, const struct reference *ref, struct diag *d)
{
	const struct detector *det = r->detector;
	const struct reference *use = ref;
	struct thinned thinned = { 0 };
	bool dependent = false, keyed = det->flags & DETECTOR_KEYED;
	uint32_t of_reference;
	int err = 0;

	r->phases = r->options.phases == OPTION_AUTO ? 1 : r->options.phases;
	r->thin = r->options.thin == OPTION_AUTO ? 1 : r->options.thin;
	of_reference = r->thin;
	if (r->options.phases == OPTION_AUTO && ref)
		r->phases = auto_step(r, ref, &of_reference, &dependent);
	if (r->options.thin == OPTION_AUTO && ref)
		r->thin = auto_step(r, ref, &of_reference, &dependent);
	if (r->options.thin != 1 && of_reference > 1 && ref) {
		if (!thinned_make(&thinned, ref, of_reference)) {
			err = diag_set(d, ERR_IO, "%s: out of memory", det->name);
			goto out;
		}
		use = &thinned.ref;
	}
	r->promise = dependent ? PROMISE_VOID_DEPENDENT : PROMISE_CERTIFIED;
	if (keyed && (!use || (use->day ? use->days : 1) < cycle(r) + SHORT_DAYS
	              || use->n < SHORT_VALUES))
		r->promise = PROMISE_VOID_SHORT;
	if (keyed && use && learn_keys(r, use)) {
		err = diag_set(d, ERR_IO, "%s: out of memory", det->name);
		goto out;
	}
	r->instance_bytes = det->bytes(r->own, use, r->phases);
	err = det->create(&r->instance, r->own, use, r->phases, r->seed, r->stream, d);
	if (!err)
		r->stage = RUNNER_RUNNING;
out:
	thinned_free(&thinned);
	return err;
}

struct reference
runner_warm_reference(const struct runner *r)
{
	bool codes = r->detector->kind == COLUMN_CATEGORY;

	return (struct reference){
		.n = r->warm_n,
		.value = codes ? NULL : r->warm_value,
		.code = codes ? r->warm_code : NULL,
		.days = 1,
		.keys = 1,
		.width = r->warm_width,
		.categories = r->warm_categories,
		.text = r->warm_text,
		.text_len = r->warm_text_len,
	};
}

bool
runner_warm_room(struct runner *r, uint32_t width)
{
	if (r->warm_value || r->warm_code)
		return true;
	r->warm_width = width;
	if (r->detector->kind == COLUMN_CATEGORY)
		r->warm_code = calloc(r->warmup, sizeof *r->warm_code);
	else
		r->warm_value = calloc((size_t)r->warmup * width, sizeof *r->warm_value);
	return r->warm_value || r->warm_code;
}
