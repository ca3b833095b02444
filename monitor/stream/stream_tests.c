/* stream_tests.c -- from reference values to tests: which detectors a stream gets, with which options,
 * and what makes them again after a restart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/alert/alert.h"
#include "monitor/log.h"
#include "monitor/stream/model.h"
#include "monitor/stream/stream_reference.h"

/* Appends `"name":value` to the parameters as JSON, where there is room for a whole one. */
static void
write_parameter(struct test *t, const struct option *row, const void *own)
{
	char text[200], one[260];
	size_t at = strlen(t->params);
	bool bare = row->type == OPTION_F64 || row->type == OPTION_U32 || row->type == OPTION_I64 ||
	            row->type == OPTION_BOOL;

	option_format(row, own, text, sizeof text);
	if (row->type == OPTION_LIST)
		snprintf(one, sizeof one, "\"%s\":[%s],", row->name, text);
	else
		snprintf(one, sizeof one, bare || (text[0] >= '0' && text[0] <= '9') ? "\"%s\":%s," :
		         "\"%s\":\"%s\",", row->name, text);
	if (at + strlen(one) + 24 < sizeof t->params)
		memcpy(t->params + at, one, strlen(one) + 1);
}

/* An option that the daemon sets where the configuration does not say it. */
struct parameter {
	const char *name;
	double value;
	const char *word; /* of a choice; NULL: the value */
};

static int
test_options(struct test *t, const struct detector *det, const struct parameter *parameter, size_t parameters,
             void *own, uint64_t *hash, struct diag *d)
{
	const struct option *configured = t->config->method.options;
	char text[400];
	int err = 0;

	option_defaults(det->options, own);
	snprintf(t->params, sizeof t->params, "{");
	for (const struct option *row = det->options; row->name && !err; row++) {
		const struct option *same = t->config->options ? option_find(configured, row->name) : NULL;
		bool shown = same && t->config->given >> (same - configured) & 1;

		if (shown) { /* also of the method that it stands in for */
			option_format(same, t->config->options, text, sizeof text);
			err = option_set(row, own, text, d);
		}
		for (size_t i = 0; i < parameters && !shown && !err; i++)
			if (!strcmp(parameter[i].name, row->name)) {
				if (parameter[i].word)
					snprintf(text, sizeof text, "%s", parameter[i].word);
				else
					snprintf(text, sizeof text, "%.17g", parameter[i].value);
				err = option_set(row, own, text, d);
				shown = true;
			}
		option_format(row, own, text, sizeof text);
		*hash = XXH64(text, strlen(text), *hash);
		if (shown)
			write_parameter(t, row, own);
	}
	return err;
}

static int
test_create(struct test *t, const char *method, const struct parameter *parameter, size_t parameters,
            const struct runner_options *o, const struct made_reference *r, uint64_t hash)
{
	const struct detector *det = detector_find(method);
	const struct stream *s = t->stream;
	void *own = must_calloc(1, det->options_size + 1);
	struct diag d = { "" };
	uint64_t fingerprint = hash;
	int err = test_options(t, det, parameter, parameters, own, &fingerprint, &d);
	size_t at = strlen(t->params);

	snprintf(t->params + at, sizeof t->params - at, "\"reference\":%u}", r && hash ? r->ref.n : 0);
	t->method = det->name;
	if (!err)
		err = runner_create(&t->runner, det, own, o, r ? &r->ref : NULL,
		                    s->model->common->config->seed, s->rng_stream, &d);
	option_finish(det->options, own);
	free(own);
	t->fingerprint = XXH64(det->name, strlen(det->name),
	                       fingerprint + o->thin + ((uint64_t)o->phases << 32) +
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

	bool first = false;

	/* The plan is fixed when the first paging test starts; evidence before that has what is known. */
	for (uint32_t i = 0; i < s->pagers; i++)
		first |= s->test[i].runner && s->test[i].share == 0;
	for (uint32_t i = 0; i < s->tests; i++) {
		struct test *t = &s->test[i];
		struct meter m;

		if (t->role == TEST_UNBUDGETED || !t->runner)
			continue;
		if (t->share == 0 || (first && t->role == TEST_EVIDENCE))
			t->share = share / (s->pagers ? s->pagers : 1);
		m = (struct meter){ t->share / (double)p->period_ms, p->period_ms / 50 };
		runner_set_meter(t->runner, &m);
	}
}

static struct runner_options
options(const struct test *t)
{
	static const double threshold[] = { [TEST_PAGING] = 1, [TEST_EVIDENCE] = (double)INFINITY,
		                            [TEST_UNBUDGETED] = 1e4 };

	return (struct runner_options){
		.threshold = threshold[t->role],
		.thin = t->role == TEST_UNBUDGETED ? 1 : t->stream->model->config->thin,
		.phases = 1,
		.warmup = LIMIT_WARMUP,
		.ranks_within = true,
	};
}

/* The list that the configuration has for this stream; those that page come first. */
void
stream_make_tests(struct stream *s)
{
	const struct tests_config *list = config_stream_tests(s->model->config, s->name, stream_type_text(s->type));

	s->test = must_calloc(LIMIT_TESTS, sizeof *s->test);
	if (list && own_limited(s) && !strcmp(list->pattern, stream_type_text(s->type)))
		return; /* its limit is judged, by a stream of its own */
	if (s->kind == STREAM_JOINT) {
		const struct test_config *c = joint_test(!strcmp(s->field, "mean"));

		s->test[0] = (struct test){ .stream = s, .config = c, .method = c->method.name, .role = c->role };
		s->tests = s->pagers = 1;
		return;
	}
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; list && i < list->tests; i++) {
			const struct test_config *c = &list->test[i];

			if ((c->role == TEST_PAGING) != (pass == 0))
				continue;
			if (!(c->method.types >> s->type & 1)) {
				log_event(LOG_WARN, "detector", "%.*s %s: no %s: not for a %s stream",
				          (int)s->model->name_length, s->model->name, s->name,
				          c->method.name, stream_type_text(s->type));
				continue;
			}
			s->test[s->tests] = (struct test){ .stream = s, .config = c, .slot = s->tests,
				                           .method = c->method.name, .role = c->role };
			s->pagers += c->role == TEST_PAGING;
			s->tests++;
		}
}

/* Values of a warm-up that was over before a restart: they were this test's reference. */
static const struct made_reference *
warmed_up(const struct test *t, struct made_reference *warm)
{
	if (!t->warmups)
		return NULL;
	make_reference(warm, t->stream, t->warmup, t->warmups);
	warm->ref.key = NULL; /* it knew nothing of a season */
	warm->ref.keys = 1;
	return warm;
}

/* The stream's own null, of the tolerant test that would learn one otherwise. */
static bool
stated_null(const struct test *t)
{
	const char *method = t->config->method.name;

	return !isnan(t->stream->known_p0) && (!strcmp(method, "tolerant-binary") || !strcmp(method, "tolerant"));
}

/* A known null of its own needs none, and where the reference is what states it there is no other way. */
static bool
needs_reference(const struct test *t)
{
	return !stated_null(t) && detector_find(t->config->method.name)->flags & DETECTOR_NEEDS_REFERENCE;
}

/* A null that is stated and not learnt (contract 3): k is found from a fitted reference, else from the
 * test's own first values. Misses against a stated level and a calibration of known size are one (15). */
static void
start_known_null(struct test *t, const struct made_reference *r, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct parameter p0 = { s->type == STREAM_BINARY ? "p0" : "m", s->known_p0, NULL };
	struct runner_options o = options(t);
	struct made_reference warm = { 0 };
	bool stated = stated_null(t); /* else the configured test states it */
	const char *method = !stated ? t->method : s->type == STREAM_BINARY ? "sr-bernoulli" : "sr-mean";

	o.thin = 1;
	o.phases = OPTION_AUTO;
	o.warmup = 2000;
	if (!s->fitted && !needs_reference(t)) {
		hash = 0;
		r = warmed_up(t, &warm);
	}
	test_create(t, method, &p0, stated, &o, r, hash);
	made_free(&warm);
}

/* Where there is a season, the same test phase by phase. */
static const char *
method_now(const struct test *t)
{
	const char *method = t->config->method.name;

	return t->stream->season && !strcmp(method, "conformal") ? "mondrian" : method;
}

static void
start_learnt(struct test *t, const struct made_reference *r, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct parameter p[4] = { { "min_effect", s->model->config->min_effect, NULL }, { "ceiling", 0, "leave" } };
	struct runner_options o = options(t);
	const char *method = method_now(t);
	size_t n = 2;

	if (s->season)
		p[n++] = (struct parameter){ "cycle", season_cycle(s->season->season), NULL };
	if (s->kind == STREAM_QUALITY) /* a fault that becomes rarer is none, and one that is named says more */
		p[n++] = (struct parameter){ "side", 0, "up" };
	test_create(t, method, p, n, &o, r, hash);
}

static void
start_evidence(struct test *t, const struct made_reference *r, uint32_t step, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct runner_options o = options(t);
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

/* Thresholds of these are in standard deviations: they see the values in those of the reference. Averages
 * of 0 and 1 are bounded as they are. */
static void
start_unbudgeted(struct test *t, const struct made_reference *r, uint64_t hash)
{
	const struct stream *s = t->stream;
	struct runner_options o = options(t);
	bool bounded = s->type == STREAM_BINARY && (!strcmp(t->method, "adwin") || !strcmp(t->method, "hddm-a"));

	t->scale = 0;
	if (!bounded && strcmp(t->method, "martingale")) {
		double sd = s->type == STREAM_BINARY ? sqrt(s->baseline * (1 - s->baseline)) : s->cells->sd;

		t->centre = s->type == STREAM_BINARY ? s->baseline : s->cells->mean;
		t->scale = sd > 0 ? sd : 1;
	}
	test_create(t, t->method, NULL, 0, &o, NULL, XXH64(&t->scale, sizeof t->scale, hash ? hash : r->ref.n));
}

static bool
known_null(const struct test *t)
{
	if (stated_null(t))
		return true;
	return detector_find(t->config->method.name)->flags & DETECTOR_PHASES;
}

/* The joint's: the vector reference, or none. */
static void
start_joint(struct test *t, const struct made_reference *r, uint64_t hash)
{
	struct stream *s = t->stream;
	struct parameter p[] = { { "projections", s->model->config->joint_projections, NULL },
		                 { "mahalanobis", 1, NULL } };
	struct runner_options o = options(t);
	struct made_reference vectors;

	if (t->config == joint_test(true)) {
		o.thin = 1;
		test_create(t, t->method, NULL, 0, &o, NULL, 0);
	} else if (r && s->model->joint->thin && joint_reference(s, &vectors)) {
		o.thin = joint_step(s, &vectors);
		test_create(t, t->method, p, 2, &o, &vectors, hash);
		joint_learn_wander(s, &vectors);
		made_free(&vectors);
	}
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
	t->warmup_dropped |= t->warmups > 0;
	t->warmups = 0;
	t->warmup_saved = false;
}

/* Its promise is about records that are exchangeable with the reference. */
static bool
grown(const struct test *t)
{
	return t->config->method.budget == METHOD_SHOWS;
}

/* r: the complete reference, or NULL while there is none. */
static void
start_test(struct test *t, const struct made_reference *r, uint32_t step, uint64_t hash)
{
	const struct stream *s = t->stream;
	unsigned flags = detector_find(method_now(t))->flags;
	bool grows = flags & DETECTOR_WARMS_UP;

	t->keyed = s->season && flags & (DETECTOR_KEYED | DETECTOR_KEY_VALUE);
	t->unkeyed = s->season && !t->keyed && grown(t);
	if (t->runner && s->season && strcmp(runner_detector(t->runner)->name, method_now(t)) && grown(t))
		stop_test(t); /* begun before the season was known */
	if (t->runner)
		return;
	if (s->kind == STREAM_JOINT) {
		t->tolerant = t->config == joint_test(true); /* the mean is one of tests that are */
		start_joint(t, r, hash);
		return;
	}
	t->tolerant = known_null(t) || t->config->method.budget != METHOD_SHOWS;
	if (t->role == TEST_UNBUDGETED) {
		if (r)
			start_unbudgeted(t, r, hash);
	} else if (known_null(t)) {
		if (r || !needs_reference(t))
			start_known_null(t, r, hash);
	} else if (t->role == TEST_EVIDENCE && grows) {
		start_evidence(t, s->fitted ? r : NULL, s->fitted ? step : OPTION_AUTO, s->fitted ? hash : 0);
	} else if (r) {
		start_learnt(t, r, hash);
	}
}

/* Values in a row, for a reference whose values are far apart: those that the evidence has warmed up on. How
 * many there were when the tests began is state: a restart must find the same step. */
static bool
make_row(struct made_reference *row, struct stream *s, bool begins)
{
	const struct test *with = NULL;

	if (s->season) { /* with their hours: the first that the learner took, before it had to choose */
		uint32_t n = s->learner.logged < s->learner.capacity ? s->learner.logged : s->learner.capacity;

		if (s->fitted)
			return false;
		make_reference(row, s, s->learner.log, n < LIMIT_WARMUP ? n : LIMIT_WARMUP);
		return true;
	}
	for (uint32_t i = 0; i < s->tests && !with; i++)
		with = s->test[i].role == TEST_EVIDENCE && s->test[i].warmups ? &s->test[i] : NULL;
	if (begins)
		s->row_values = with ? with->warmups : 0;
	if (!with || with->warmups < s->row_values || s->row_values == 0)
		return false;
	make_reference(row, s, with->warmup, s->row_values);
	return true;
}

/* Cells, baseline and tests of what is known by now. */
static int
start_tests(struct stream *s, bool begins)
{
	struct made_reference r = { 0 }, row = { 0 };
	bool dependent = false, complete = !s->learning && s->references >= stream_reference_min(s);
	uint32_t step = 1;
	uint64_t hash = 0;

	if (s->references) {
		stream_learn_season(s);
		make_reference(&r, s, s->reference, s->references);
		r.ref.row = make_row(&row, s, begins) ? &row.ref : NULL;
		hash = reference_hash(s->reference, s->references);
		if (s->type != STREAM_BINARY) {
			stream_build_cells(s, &r.ref);
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
	stream_meter(s);
	stream_suspend(s, s->episode.open || s->episode.expected);
	made_free(&r);
	made_free(&row);
	return 0;
}

int
stream_start_tests(struct stream *s, struct diag *d)
{
	(void)d;
	return start_tests(s, false);
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
	s->standing_n = s->standing_sum = 0;
	memset(s->summary.count, 0, sizeof s->summary.count); /* other cells from here on */
	memset(s->summary.recent, 0, sizeof s->summary.recent);
	start_tests(s, true);
}

void
stream_restore_cells(struct stream *s, bool had_cells)
{
	if (had_cells && s->cells_provisional && s->warm) {
		struct reference ref = { .n = s->warms, .value = s->warm, .days = 1, .keys = 1 };

		stream_build_cells(s, &ref);
	}
	stream_start_tests(s, NULL);
	if (!s->references)
		s->cells_provisional = s->cells != NULL;
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
