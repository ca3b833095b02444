/* trial.c -- see trial.h. */
#include "tests/bench/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "tests/bench/records.h"

enum { ROW_VALUES = 1000 };

void *
trial_must(void *p)
{
	if (!p)
		bench_die("memory", "used up");
	return p;
}

uint32_t
trial_width(const struct bench_kind *k)
{
	return k->law == LAW_VECTOR ? STREAM_WIDTH : 1;
}

/* Two digits a category. */
static const char *const *
texts(const uint32_t **length)
{
	static char digits[STREAM_CATEGORIES][8];
	static const char *text[STREAM_CATEGORIES];
	static uint32_t lengths[STREAM_CATEGORIES];

	for (uint32_t i = 0; i < STREAM_CATEGORIES; i++) {
		snprintf(digits[i], sizeof digits[i], "%02u", i % 100);
		text[i] = digits[i];
		lengths[i] = 2;
	}
	*length = lengths;
	return text;
}

void
trial_reference_make(struct trial_reference *m, struct bench_stream *s, uint32_t n, bool keyed, bool days)
{
	const struct bench_kind *kind = s->kind;
	bool codes = kind->law == LAW_ZIPF;
	uint32_t at = 0, w = trial_width(kind), seen = 0;
	struct bench_made r = { 0 };
	int32_t last = -1;

	*m = (struct trial_reference){ .value = trial_must(calloc((size_t)n * w, sizeof *m->value)),
		.code = trial_must(calloc(n, sizeof *m->code)), .day = trial_must(calloc(n, sizeof *m->day)),
		.key = trial_must(calloc(n, sizeof *m->key)),
		.row_value = trial_must(calloc(ROW_VALUES, sizeof *m->row_value)) };
	m->row = (struct reference){ .value = m->row_value, .days = 1, .keys = 1 };
	while (at < n) {
		bench_stream_next(s, &r);
		if (m->row.n < ROW_VALUES)
			m->row_value[m->row.n++] = r.value[0];
		if (kind->sampled > 1 && !bench_stream_pick(s, kind->sampled))
			continue;
		memcpy(m->value + (size_t)at * w, r.value, w * sizeof *m->value);
		m->code[at] = r.code;
		m->key[at] = r.key;
		seen += r.day != last; /* numbered by first appearance */
		last = r.day;
		m->day[at++] = seen - 1;
	}
	s->monitored = true;
	m->ref = (struct reference){ .n = n, .value = codes ? NULL : m->value, .code = codes ? m->code : NULL,
		.day = days ? m->day : NULL, .days = days ? seen : 1, .key = keyed ? m->key : NULL,
		.keys = keyed ? STREAM_KEYS : 1, .width = w, .categories = codes ? STREAM_CATEGORIES : 0 };
	m->ref.text = texts(&m->ref.text_len);
	if (kind->sampled > 1) {
		m->ref.spacing = kind->sampled;
		m->ref.row = &m->row;
	}
}

void
trial_reference_free(struct trial_reference *m)
{
	free(m->value);
	free(m->code);
	free(m->day);
	free(m->key);
	free(m->row_value);
}

/* "a=1,b=2" into the detector's options. */
static void *
own_options(const struct trial_test *t)
{
	const struct detector *det = t->detector;
	void *own = trial_must(calloc(1, det->options_size + 1));
	char text[128], *at = text, *pair;
	struct diag d;

	option_defaults(det->options, own);
	snprintf(text, sizeof text, "%s", t->params);
	while ((pair = strsep(&at, ",")) && *pair) {
		char *equals = strchr(pair, '=');
		const struct option *row;

		if (!equals)
			bench_die(t->label, "a parameter without a value");
		*equals = 0;
		row = option_find(det->options, pair);
		if (!row || option_set(row, own, equals + 1, &d))
			bench_die(t->label, row ? d.text : "no such parameter");
	}
	return own;
}

struct runner *
trial_runner(const struct trial_test *t, const struct reference *ref, double threshold, uint64_t seed)
{
	struct runner_options o = { 0 };
	struct runner *runner;
	struct diag d;
	void *own = own_options(t);

	option_defaults(runner_option_table, &o);
	o.threshold = threshold;
	o.thin = t->thin;
	o.phases = t->phases;
	o.ranks_within = true; /* as the daemon has it */
	if (runner_create(&runner, t->detector, own, &o, ref, seed, 1, &d))
		bench_die(t->label, d.text);
	option_finish(t->detector->options, own);
	free(own);
	return runner;
}
