/* stream_tests.c -- from reference values to tests: which detectors a stream gets, with which options,
 * and what makes them again after a restart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/dependence.h"

#include "detectors/kit/reference.h"
#include "monitor/alert/alert.h"
#include "monitor/log.h"
#include "monitor/stream/model.h"

/* A reference as detectors read it, made of learned values. Owns its arrays. */
struct made_reference {
	struct reference ref;
	double *value;
	uint32_t *code, *day;
};

static void
made_free(struct made_reference *r)
{
	free(r->value);
	free(r->code);
	free(r->day);
	memset(r, 0, sizeof *r);
}

/* Fewer days say nothing about how days differ: a wander of one or two degrees of freedom would tolerate
 * every change there is (Student's t at .995 is 64 with one, 10 with two). */
enum { WANDER_DAYS = 7 };

/* Days in order of first appearance. References are in order of time but for late records, so the last
 * few days are where a day is found again. */
static uint32_t
day_index(int32_t *seen, uint32_t *days, int32_t day)
{
	for (uint32_t i = *days; i-- > 0;)
		if (seen[i] == day)
			return i;
	seen[*days] = day;
	return (*days)++;
}

static void
make_reference(struct made_reference *r, const struct stream *s, const struct learned *v, uint32_t n)
{
	int32_t *seen = must_calloc(n, sizeof *seen);
	uint32_t days = 0;

	memset(r, 0, sizeof *r);
	r->day = must_calloc(n, sizeof *r->day);
	if (s->categories)
		r->code = must_calloc(n, sizeof *r->code);
	else
		r->value = must_calloc(n, sizeof *r->value);
	for (uint32_t i = 0; i < n; i++) {
		if (s->categories)
			r->code[i] = (uint32_t)v[i].value;
		else
			r->value[i] = v[i].value;
		r->day[i] = day_index(seen, &days, v[i].day);
	}
	free(seen);
	r->ref = (struct reference){
		.n = n,
		.value = r->value,
		.code = r->code,
		.day = r->day,
		.days = days ? days : 1,
		.keys = 1,
	};
	if (days < WANDER_DAYS) { /* such a stream is `void: short` */
		r->ref.day = NULL;
		r->ref.days = 1;
	}
	if (s->categories) {
		r->ref.categories = s->categories->n;
		r->ref.text = (const char *const *)s->categories->text;
		r->ref.text_len = s->categories->length;
	}
}

/* Filters without `thin` are thinned here: the largest step that an indicator of a cell with at least
 * 100 values needs (contract 11a). */
static uint32_t
categorical_step(const struct made_reference *r, bool *dependent)
{
	uint32_t step = 1;
	double *indicator = must_calloc(r->ref.n, sizeof *indicator);

	*dependent = false;
	for (uint32_t c = 0; c < r->ref.categories; c++) {
		uint32_t count = 0, k;
		bool none;

		for (uint32_t i = 0; i < r->ref.n; i++) {
			indicator[i] = r->code[i] == c;
			count += r->code[i] == c;
		}
		if (count < LIMIT_REFERENCE_MIN)
			continue;
		k = dependence_step(indicator, r->ref.n, &none);
		*dependent |= none;
		step = k > step ? k : step;
	}
	free(indicator);
	return *dependent ? 1 : step;
}

static uint64_t
reference_hash(const struct learned *v, uint32_t n)
{
	uint64_t hash = n;

	for (uint32_t i = 0; i < n; i++) {
		struct { uint64_t before; double value; int64_t day; } link = { hash, v[i].value, v[i].day };

		hash = XXH64(&link, sizeof link, 0);
	}
	return hash;
}

/* The option tables say how a parameter is called; texts keep them the only parsers. */
struct parameter {
	const char *name;
	double value;
};

static int
test_create(struct test *t, const char *method, const struct parameter *parameter, size_t parameters,
            const struct runner_options *o, const struct made_reference *r, uint64_t hash)
{
	const struct detector *det = detector_find(method);
	const struct stream *s = t->stream;
	void *own = must_calloc(1, det->options_size + 1);
	struct diag d = { "" };
	int at = 0, err = 0;

	option_defaults(det->options, own);
	at += snprintf(t->params, sizeof t->params, "{");
	for (size_t i = 0; i < parameters && !err; i++) {
		char text[40];

		snprintf(text, sizeof text, "%.17g", parameter[i].value);
		err = option_set(option_find(det->options, parameter[i].name), own, text, &d);
		at += snprintf(t->params + at, sizeof t->params - (size_t)at, "\"%s\":%.6g,",
		               parameter[i].name, parameter[i].value);
	}
	snprintf(t->params + at, sizeof t->params - (size_t)at, "\"reference\":%u}",
	         r && hash ? r->ref.n : 0);
	t->method = det->name;
	if (!err)
		err = runner_create(&t->runner, det, own, o, r ? &r->ref : NULL,
		                    s->model->common->config->seed, s->rng_stream, &d);
	option_finish(det->options, own);
	free(own);
	t->fingerprint = XXH64(t->params, strlen(t->params), hash);
	t->fingerprint = XXH64(det->name, strlen(det->name),
	                       t->fingerprint + o->thin + ((uint64_t)o->phases << 32) +
	                               s->model->common->config->seed);
	if (err) {
		log_event(LOG_WARN, "detector", "%.*s %s: no %s: %s", (int)s->model->name_length,
		          s->model->name, s->name, method, d.text);
		t->runner = NULL;
	}
	return err;
}

void
stream_meter(struct stream *s)
{
	const struct plan *p = &s->model->common->plan;
	double share = model_share(s->model, s, s->model->common->at_ms);

	for (uint32_t i = 0; i < s->tests; i++) {
		struct test *t = &s->test[i];
		struct meter m;

		if (t->share == 0)
			t->share = share / s->pagers;
		m = (struct meter){ t->share / (double)p->period_ms, p->period_ms / 50 };
		if (t->runner)
			runner_set_meter(t->runner, &m);
	}
}

static struct runner_options
options(const struct stream *s, bool paging)
{
	return (struct runner_options){
		.threshold = paging ? 1 : (double)INFINITY,
		.thin = s->model->config->thin,
		.phases = 1,
		.warmup = LIMIT_WARMUP,
	};
}

/* What a stream gets by its type: the test that pages, and the evidence beside it. */
static const char *const default_method[][2] = {
	[STREAM_NUMERIC] = { "tolerant", "conformal" },
	[STREAM_BINARY] = { "tolerant-binary", "binary" },
	[STREAM_CATEGORICAL] = { "tolerant-categorical", "categorical" },
};

void
stream_make_tests(struct stream *s)
{
	s->tests = 2;
	s->pagers = 1;
	s->test = must_calloc(s->tests, sizeof *s->test);
	for (uint32_t i = 0; i < s->tests; i++)
		s->test[i] = (struct test){ .stream = s, .slot = i, .method = default_method[s->type][i],
			                    .role = i < s->pagers ? TEST_PAGING : TEST_EVIDENCE };
}

/* Values of a warm-up that was over before a restart: they were this test's reference. */
static const struct made_reference *
warmed_up(const struct test *t, struct made_reference *warm)
{
	if (!t->warmups)
		return NULL;
	make_reference(warm, t->stream, t->warmup, t->warmups);
	return warm;
}

/* Misses against a stated level and a calibration of known size: the null is known (contract 3, 15). */
static void
start_known_null(struct test *t, const struct made_reference *r, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct parameter p0 = { "p0", s->known_p0 };
	struct runner_options o = options(s, true);
	struct made_reference warm = { 0 };

	o.thin = 1;
	o.phases = OPTION_AUTO;
	o.warmup = 2000;
	if (!s->fitted) { /* k is found from its own first values */
		hash = 0;
		r = warmed_up(t, &warm);
	}
	test_create(t, "sr-bernoulli", &p0, 1, &o, r, hash);
	made_free(&warm);
}

static void
start_paging(struct test *t, const struct made_reference *r, uint32_t step, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct parameter p[] = { { "min_effect", s->model->config->min_effect } };
	struct runner_options o = options(s, true);

	if (s->categories)
		o.thin = step;
	test_create(t, t->method, p, 1, &o, r, hash);
}

static void
start_evidence(struct test *t, const struct made_reference *r, uint32_t step, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct runner_options o = options(s, false);
	struct made_reference warm = { 0 };

	if (s->categories)
		o.thin = step;
	if (!r)
		r = warmed_up(t, &warm);
	if (s->categories && o.thin == OPTION_AUTO)
		o.thin = 1; /* begun without a reference: nothing to find a step in */
	/* what it warmed up on is its own state: the fingerprint is that of its beginning */
	test_create(t, t->method, NULL, 0, &o, r, r == &warm ? 0 : hash);
	made_free(&warm);
}

/* A complete reference, or NULL, and what was found in it. */
static void
start_test(struct test *t, const struct made_reference *r, uint32_t step, uint64_t hash)
{
	const struct stream *s = t->stream;

	if (t->runner)
		return;
	if (t->role == TEST_EVIDENCE)
		start_evidence(t, s->fitted ? r : NULL, s->fitted ? step : OPTION_AUTO, s->fitted ? hash : 0);
	else if (!isnan(s->known_p0))
		start_known_null(t, r, hash);
	else if (r)
		start_paging(t, r, step, hash);
}

/* Cells, baseline and tests of what is known by now. */
int
stream_start_tests(struct stream *s, struct diag *d)
{
	struct made_reference r = { 0 };
	bool dependent = false, complete = !s->learning && s->references >= LIMIT_REFERENCE_MIN;
	uint32_t step = 1;
	uint64_t hash = 0;

	(void)d;
	if (s->references) {
		make_reference(&r, s, s->reference, s->references);
		hash = reference_hash(s->reference, s->references);
		if (s->type != STREAM_BINARY) {
			if (!s->cells)
				s->cells = must_calloc(1, sizeof *s->cells);
			cells_build(s->cells, &r.ref, common_sort(s->model->common, r.ref.n));
			s->cells_provisional = s->cells_saved = false;
			free(s->warm);
			s->warm = NULL;
		} else {
			double ones = 0;

			for (uint32_t i = 0; i < r.ref.n; i++)
				ones += r.value[i];
			s->baseline = ones / r.ref.n;
			s->baseline_n = r.ref.n;
		}
		if (s->categories)
			step = categorical_step(&r, &dependent);
		s->dependent = dependent;
	}
	if (!isnan(s->known_p0)) {
		s->baseline = 1 - s->known_level;
		s->baseline_n = 1000000;
	}
	for (uint32_t i = 0; i < s->tests; i++)
		start_test(&s->test[i], complete ? &r : NULL, step, hash);
	if (s->pagers && s->test[0].runner)
		stream_meter(s);
	stream_suspend(s, s->episode.open || s->episode.expected);
	made_free(&r);
	return 0;
}

void
stream_learned(struct stream *s)
{
	free(s->reference);
	s->references = s->learner.held;
	s->reference = must_calloc(s->references, sizeof *s->reference);
	learner_take(&s->learner, s->reference);
	s->learning = false;
	if (s->number == 0) { /* the model's first stream stands for it */
		s->model->ref.rows = s->references;
		s->model->ref.from_ms = s->learn_from_ms;
		s->model->ref.to_ms = s->model->common->at_ms;
		s->model->ref.hash = reference_hash(s->reference, s->references);
		model_reference(s->model, s->generation ? "rebaseline" : "first");
	}
	memset(s->summary.count, 0, sizeof s->summary.count); /* other cells from here on */
	memset(s->summary.recent, 0, sizeof s->summary.recent);
	stream_start_tests(s, NULL);
}

void
stream_restore_cells(struct stream *s, bool had_cells)
{
	if (had_cells && s->cells_provisional && s->warm) {
		struct reference ref = { .n = s->warms, .value = s->warm, .days = 1, .keys = 1 };

		s->cells = must_calloc(1, sizeof *s->cells);
		cells_build(s->cells, &ref, common_sort(s->model->common, ref.n));
	}
	stream_start_tests(s, NULL);
	if (!s->references)
		s->cells_provisional = s->cells != NULL;
}

static void
stop_test(struct test *t)
{
	if (t->runner) {
		struct runner_status st;

		runner_status(t->runner, &st);
		*(st.promise == PROMISE_CERTIFIED ? &t->spent_past : &t->spent_past_apart) += st.spent;
	}
	runner_destroy(t->runner);
	t->runner = NULL;
	free(t->warmup);
	t->warmup = NULL;
	t->warmups = 0;
	t->warmup_saved = false;
}

void
stream_stop_tests(struct stream *s)
{
	for (uint32_t i = 0; i < s->tests; i++)
		stop_test(&s->test[i]);
}

void
test_keep_warmup(struct test *t, const struct reference *ref)
{
	free(t->warmup);
	t->warmups = ref->n;
	t->warmup = must_calloc(ref->n, sizeof *t->warmup);
	for (uint32_t i = 0; i < ref->n; i++)
		t->warmup[i] = (struct learned){ 0, ref->code ? (double)ref->code[i] : ref->value[i], 0 };
	t->warmup_saved = false;
	t->stream->dirty = true;
}
