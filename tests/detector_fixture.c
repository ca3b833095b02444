/* detector_fixture.c -- see detector_fixture.h. */
#include "tests/detector_fixture.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "tests/tests.h"

enum { DAYS = 14, KEYS = 3, CATEGORIES = 9 };

static const char *const category_text[CATEGORIES] = { "a", "b", "bb", "c", "d", "e", "f", "g",
	"h" };
static const uint32_t category_length[CATEGORIES] = { 1, 1, 2, 1, 1, 1, 1, 1, 1 };

static double
draw(const struct detector *det, uint64_t stream, uint64_t n, bool changed)
{
	double u = rng_uniform(7, stream, n);

	if (det->kind == COLUMN_BINARY)
		return u < (changed ? 0.4 : 0.1);
	if (det->kind == COLUMN_UNIT)
		return changed ? u * u : u;
	return special_normal_quantile(u) * (changed ? 1.3 : 1.0) + (changed ? 0.7 : 0.0);
}

static uint32_t
draw_code(uint64_t stream, uint64_t n, bool changed)
{
	double u = rng_uniform(8, stream, n);

	return (uint32_t)((CATEGORIES - (changed ? 0 : 1)) * (changed ? u : u * u));
}

struct data *
data_create(const struct detector *det)
{
	struct data *t = calloc(1, sizeof *t);
	uint32_t width = det->kind == COLUMN_VECTOR ? WIDTH : 1;
	bool codes = det->kind == COLUMN_CATEGORY;
	bool keyed = det->flags & (DETECTOR_KEYED | DETECTOR_KEY_VALUE);

	assert_non_null(t);
	for (uint32_t i = 0; i < REFERENCE * width; i++)
		t->reference_value[i] = draw(det, 1, i + 1, false);
	for (uint32_t i = 0; i < STREAM * width; i++)
		t->value[i] = draw(det, 2, i + 1, i / width >= CHANGE_AT);
	for (uint32_t i = 0; i < REFERENCE; i++) {
		t->reference_code[i] = draw_code(1, i + 1, false);
		t->reference_day[i] = i / (REFERENCE / DAYS + 1);
		t->reference_key[i] = i % KEYS;
	}
	for (uint32_t i = 0; i < STREAM; i++) {
		t->code[i] = draw_code(2, i + 1, i >= CHANGE_AT);
		t->key[i] = i % (KEYS + 1); /* one key has no reference */
		t->time_ms[i] = 1000 * (int64_t)i;
		t->watermark_ms[i] = t->time_ms[i] - (i % 7 == 0 ? 5000 : 0);
		t->late[i] = i % 97 == 96;
		if (i % 41 != 40)
			continue;
		t->value[i * width] = i % 2 ? (double)NAN : HUGE_VAL;
		t->code[i] = RUNNER_MISSING;
	}
	t->reference = (struct reference){ .n = REFERENCE,
		.value = codes ? NULL : t->reference_value,
		.code = codes ? t->reference_code : NULL, .day = t->reference_day,
		.key = keyed ? t->reference_key : NULL, .days = DAYS, .keys = keyed ? KEYS : 1,
		.width = width, .categories = CATEGORIES, .text = category_text,
		.text_len = category_length };
	t->records = (struct records){ .n = STREAM, .width = width,
		.value = codes ? NULL : t->value,
		.code = codes ? t->code : NULL, .key = keyed ? t->key : NULL, .time_ms = t->time_ms,
		.watermark_ms = t->watermark_ms, .late = t->late, .categories = CATEGORIES,
		.text = category_text, .text_len = category_length };
	return t;
}

const struct way ways[WAYS] = {
	{ "plain", 0, 1, 1, false, false },
	{ "metered", DETECTOR_METERED, 1, 1, true, false },
	{ "thin", DETECTOR_THINS, 3, 1, true, false },
	{ "phases", DETECTOR_PHASES, 1, 5, true, false },
	{ "warm-up", DETECTOR_WARMS_UP, 2, 1, false, true },
};
static void *
own_options(const struct detector *det)
{
	static const struct { const char *name, *value; } required[] = {
		{ "p0", "0.1" }, { "m", "0.3" }, { "target", "0.5" },
	};
	void *own = calloc(1, det->options_size + 1);

	assert_non_null(own);
	option_defaults(det->options, own);
	for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
		const struct option *row = option_find(det->options, required[i].name);

		if (row && !row->fallback)
			assert_int_equal(option_set(row, own, required[i].value, NULL), 0);
	}
	return own;
}

struct runner *
make(const struct detector *det, const struct way *way, const struct reference *ref)
{
	struct runner_options o = { 0 };
	struct meter meter = { 1e-7, 20000 };
	struct runner *r;
	struct diag d = { "" };
	void *own = own_options(det);

	option_defaults(runner_option_table, &o);
	o.threshold = way->metered ? 1e-2 : 200.0;
	o.thin = way->thin;
	o.phases = way->phases;
	o.warmup = 150;
	if (runner_create(&r, det, own, &o, ref, 3, 4, &d))
		fail_msg("%s: %s", det->name, d.text);
	if (way->metered)
		runner_set_meter(r, &meter);
	option_finish(det->options, own);
	free(own);
	return r;
}

size_t
state_of(const struct runner *r, uint8_t *bytes)
{
	struct codec c = { .data = bytes, .size = STATE_BYTES };

	runner_save(r, &c);
	assert_false(c.bad);
	return c.at;
}

void
feed(struct runner *r, const struct data *t, uint32_t from, uint32_t to, struct runner_scratch *s,
     struct reading *out)
{
	struct records rec = t->records;
	bool alarm;

	rec.n = to;
	while (from < to) {
		from = runner_update(r, &rec, from, s, out, &alarm);
		if (alarm)
			runner_reset(r);
	}
}

