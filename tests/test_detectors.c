/* test_detectors.c -- what must hold for every detector of the registry, and for what they stand
 * on. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/dependence.h"
#include "detectors/kit/edges.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/runner_internal.h"
#include "tests/detector_fixture.h"
#include "tests/tests.h"

enum { CUTS = 12, EVERY = 260 };

static void
same_readings(const struct detector *det, const struct way *way, const struct reading *a,
              const struct reading *b)
{
	for (uint32_t i = 0; i < STREAM; i++)
		if (memcmp(&a[i].statistic, &b[i].statistic, sizeof(double))
		    || memcmp(&a[i].upper, &b[i].upper, sizeof(double)) || a[i].alarm != b[i].alarm)
			fail_msg("%s, %s: record %u: %.17g and %.17g", det->name, way->name, i,
			         a[i].statistic, b[i].statistic);
}

/* Runs `check` for every detector in every way that it knows. */
typedef void check_fn(const struct detector *det, const struct way *way, struct data *t,
                      struct runner_scratch *s);

static void
every_way(check_fn *check)
{
	for (const struct detector *const *d = detector_table; *d; d++) {
		struct data *t = data_create(*d);
		struct runner_scratch *s = runner_scratch_create(4096, t->records.width);

		assert_non_null(s);
		for (size_t w = 0; w < WAYS; w++)
			if (!ways[w].needs || (*d)->flags & ways[w].needs)
				check(*d, &ways[w], t, s);
		runner_scratch_destroy(s);
		free(t);
	}
}

static void
check_cuts(const struct detector *det, const struct way *way, struct data *t,
           struct runner_scratch *s)
{
	const struct reference *ref = way->warms ? NULL : &t->reference;
	struct reading *whole = calloc(STREAM, sizeof *whole), *cut = calloc(STREAM, sizeof *cut);
	uint8_t *a = malloc(STATE_BYTES), *b = malloc(STATE_BYTES);
	struct runner *r = make(det, way, ref);
	size_t size, alarms = 0;

	feed(r, t, 0, STREAM, s, whole);
	size = state_of(r, a);
	runner_destroy(r);
	for (uint32_t i = 0; i < STREAM; i++)
		alarms += whole[i].alarm;
	for (uint32_t trial = 0; trial < CUTS; trial++) {
		uint32_t at = 0, longest = trial == 0 ? 1 : 1u << trial;

		r = make(det, way, ref);
		while (at < STREAM) {
			uint32_t to = at + 1 + (uint32_t)(longest * rng_uniform(trial, 9, at + 1));

			to = to < STREAM ? to : STREAM;
			feed(r, t, at, to, s, cut);
			at = to;
		}
		same_readings(det, way, whole, cut);
		assert_int_equal(state_of(r, b), size);
		assert_memory_equal(a, b, size);
		runner_destroy(r);
	}
	/* level: the values here are no statistics */
	if (!(det->flags & DETECTOR_DECIDES) && strcmp(det->name, "level") && alarms == 0)
		fail_msg("%s, %s: the test saw no alarm", det->name, way->name);
	free(whole);
	free(cut);
	free(a);
	free(b);
}

static void
any_cut_gives_the_same_bits(void **state)
{
	(void)state;
	every_way(check_cuts);
}

static void
check_instructions(const struct detector *det, const struct way *way, struct data *t,
                   struct runner_scratch *s)
{
	struct reading *base = calloc(STREAM, sizeof *base), *other = calloc(STREAM, sizeof *other);
	uint8_t *a = malloc(STATE_BYTES), *b = malloc(STATE_BYTES);
	size_t size = 0;

	for (enum isa isa = ISA_BASE; det->use && !way->warms && isa <= ISA_AVX512; isa++) {
		struct runner *r = make(det, way, &t->reference);
		bool ran = det->use(r->instance, isa);

		assert_true(ran || isa != ISA_BASE);
		if (ran) {
			feed(r, t, 0, STREAM, s, isa == ISA_BASE ? base : other);
			if (isa == ISA_BASE)
				size = state_of(r, a);
			else
				same_readings(det, way, base, other);
			assert_int_equal(state_of(r, b), size);
			assert_memory_equal(a, b, size);
		}
		runner_destroy(r);
	}
	free(base);
	free(other);
	free(a);
	free(b);
}

static void
any_instruction_set_gives_the_same_bits(void **state)
{
	(void)state;
	every_way(check_instructions);
}

/* The watermark's advances are given, or found; whole, or cut. */
static void
check_advances(const struct detector *det, const struct way *way, struct data *t,
               struct runner_scratch *s)
{
	struct reading *found = calloc(STREAM, sizeof *found), *given = calloc(STREAM, sizeof *given);
	double *advance = calloc(STREAM, sizeof *advance);
	uint8_t *a = malloc(STATE_BYTES), *b = malloc(STATE_BYTES);
	const uint8_t *late = t->records.late;
	struct runner *r = make(det, way, way->warms ? NULL : &t->reference);
	size_t size;

	for (uint32_t i = 1; i < STREAM; i++)
		advance[i] = (double)(t->watermark_ms[i] - t->watermark_ms[i - 1]);
	t->records.late = NULL;
	feed(r, t, 0, STREAM, s, found);
	size = state_of(r, a);
	runner_destroy(r);
	t->records.advance_ms = advance;
	for (uint32_t cut = 37; cut <= STREAM; cut += STREAM - 37) {
		r = make(det, way, way->warms ? NULL : &t->reference);
		for (uint32_t at = 0; at < STREAM; at += cut)
			feed(r, t, at, at + cut < STREAM ? at + cut : STREAM, s, given);
		same_readings(det, way, found, given);
		assert_int_equal(state_of(r, b), size);
		assert_memory_equal(a, b, size);
		runner_destroy(r);
	}
	t->records.advance_ms = NULL;
	t->records.late = late;
	free(found);
	free(given);
	free(advance);
	free(a);
	free(b);
}

static void
known_advances_give_the_same_bits(void **state)
{
	(void)state;
	every_way(check_advances);
}

/* The reference of a warm-up, copied: what a caller stores. */
struct kept {
	struct reference ref;
	double value[STREAM * WIDTH];
	uint32_t code[STREAM];
	bool have;
};

static void
keep_warmup(struct runner *r, struct kept *k)
{
	struct reference ref;
	uint32_t width;

	if (!runner_take_warmup(r, &ref))
		return;
	assert_false(k->have);
	width = ref.width > 1 ? ref.width : 1;
	k->ref = ref;
	k->have = true;
	if (ref.value)
		memcpy(k->value, ref.value, (size_t)ref.n * width * sizeof(double));
	if (ref.code)
		memcpy(k->code, ref.code, ref.n * sizeof(uint32_t));
	k->ref.value = ref.value ? k->value : NULL;
	k->ref.code = ref.code ? k->code : NULL;
}

static void
check_restarts(const struct detector *det, const struct way *way, struct data *t,
               struct runner_scratch *s)
{
	struct kept *kept = calloc(1, sizeof *kept);
	struct reading *whole = calloc(STREAM, sizeof *whole), *cut = calloc(STREAM, sizeof *cut);
	uint8_t *a = malloc(STATE_BYTES), *b = malloc(STATE_BYTES);
	const struct reference *ref = way->warms ? NULL : &t->reference;
	struct runner *r = make(det, way, ref), *other = NULL, *swap;

	feed(r, t, 0, STREAM, s, whole);
	runner_destroy(r);
	r = make(det, way, ref);
	for (uint32_t i = 0; i < STREAM; i++) {
		struct codec in = { .data = a };
		bool had = kept->have;

		feed(r, t, i, i + 1, s, cut);
		keep_warmup(r, kept);
		if (i > EVERY && i % 25)
			continue;
		/* Into a new runner, or into one that was elsewhere in the stream. */
		if (!other || kept->have != had || i % 200 == 0) {
			runner_destroy(other);
			other = make(det, way, kept->have ? &kept->ref : ref);
		}
		in.size = state_of(r, a);
		assert_int_equal(runner_load(other, &in, NULL), 0);
		assert_int_equal(in.at, in.size);
		assert_int_equal(state_of(other, b), in.size);
		assert_memory_equal(a, b, in.size);
		swap = r;
		r = other;
		other = swap;
		if (kept->have != had) { /* that one grew out of the warm-up, without a reference */
			runner_destroy(other);
			other = NULL;
		}
	}
	same_readings(det, way, whole, cut);
	runner_destroy(r);
	runner_destroy(other);
	free(kept);
	free(whole);
	free(cut);
	free(a);
	free(b);
}

static void
a_restart_at_any_record_changes_nothing(void **state)
{
	(void)state;
	every_way(check_restarts);
}

static void
check_corruption(const struct detector *det, const struct way *way, struct data *t,
                 struct runner_scratch *s)
{
	struct reading *out = calloc(STREAM, sizeof *out);
	uint8_t *good = malloc(STATE_BYTES), *bad = malloc(STATE_BYTES);
	uint8_t *more = malloc(STATE_BYTES);
	const struct reference *ref = way->warms ? NULL : &t->reference;
	struct runner *r = make(det, way, ref);
	size_t size;

	feed(r, t, 0, way->warms ? 100 : 300, s, out);
	size = state_of(r, good);
	for (uint64_t trial = 1; trial <= 150; trial++) {
		size_t at = (size_t)((double)size * rng_uniform(trial, 1, 1));
		struct codec in = { .data = bad, .size = trial % 5 == 0 ? at : size };
		int err;

		memcpy(bad, good, size);
		for (uint64_t k = 0; k < 1 + trial % 8 && at + k < size; k++)
			bad[at + k] = (uint8_t)(256.0 * rng_uniform(trial, 2, k + 1));
		if (trial % 30 == 1) { /* mostly into what the last failure left behind */
			runner_destroy(r);
			r = make(det, way, ref);
		}
		err = runner_load(r, &in, NULL);
		if (in.size < size)
			assert_int_equal(err, ERR_CORRUPT);
		else if (err == 0) {
			/* A state that could be one: it must work. */
			feed(r, t, 300, 420, s, out);
			state_of(r, more);
			if (way->warms) { /* it may be running now */
				runner_destroy(r);
				r = make(det, way, ref);
			}
		} else if (err != ERR_CORRUPT && err != ERR_NEWER) {
			fail_msg("%s: load says %d", det->name, err);
		}
	}
	runner_destroy(r);
	free(out);
	free(good);
	free(bad);
	free(more);
}

static void
load_survives_any_bytes(void **state)
{
	(void)state;
	every_way(check_corruption);
}

static void
the_registry_is_sorted_and_explained(void **state)
{
	(void)state;
	for (const struct detector *const *d = detector_table; *d; d++) {
		assert_true(strlen((*d)->name) > 0 && strlen((*d)->summary) > 10
		            && strlen((*d)->source) > 5);
		assert_null(strchr((*d)->summary, '\n'));
		assert_ptr_equal(detector_find((*d)->name), *d);
		assert_true((*d)->bytes && (*d)->create && (*d)->destroy && (*d)->update
		            && (*d)->reset && (*d)->skip && (*d)->save && (*d)->load
		            && (*d)->options);
		(*d)->destroy(NULL);
		if (d[1])
			assert_true(strcmp((*d)->name, d[1]->name) < 0);
	}
	assert_null(detector_find("conformist"));
}

static void
suspension_counts_but_neither_spends_nor_moves(void **state)
{
	const struct detector *det = detector_find("conformal");
	struct data *t = data_create(det);
	struct runner_scratch *s = runner_scratch_create(64, 1);
	struct reading *out = calloc(STREAM, sizeof *out);
	struct runner *r = make(det, &ways[1], &t->reference);
	struct runner_status before, after;

	(void)state;
	feed(r, t, 0, 200, s, out);
	runner_status(r, &before);
	assert_true(before.spent > 0.0 && before.promise == PROMISE_CERTIFIED && before.used > 150);
	runner_suspend(r, true);
	feed(r, t, 200, 900, s, out);
	for (uint32_t i = 200; i < 900; i++)
		assert_true(isnan(out[i].statistic) && !out[i].alarm);
	runner_suspend(r, false);
	runner_status(r, &after);
	assert_memory_equal(&before.spent, &after.spent, sizeof(double));
	assert_int_equal(before.used, after.used);
	feed(r, t, 900, 901, s, out); /* dt starts anew: g = 0 */
	runner_status(r, &after);
	assert_memory_equal(&before.spent, &after.spent, sizeof(double));
	assert_int_equal(before.used + 1, after.used);
	runner_destroy(r);
	runner_scratch_destroy(s);
	free(out);
	free(t);
}

static void
the_change_is_dated_and_sized(void **state)
{
	static const char *const names[] = { "conformal", "binary", "sr-bernoulli" };
	struct runner_scratch *s = runner_scratch_create(4096, 1);
	struct reading *out = calloc(STREAM, sizeof *out);

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		const struct detector *det = detector_find(names[k]);
		struct data *t = data_create(det);
		struct runner *r = make(det, &ways[0], &t->reference);
		struct change c;
		bool alarm = false;
		uint32_t at = 0;

		feed(r, t, 0, CHANGE_AT, s, out);
		runner_reset(r);
		assert_false(runner_change(r, &c));
		at = runner_update(r, &t->records, CHANGE_AT, s, out, &alarm);
		assert_true(alarm && runner_change(r, &c));
		assert_true(c.up && c.log_evidence > 2.0 && c.effect > 0.15 && c.low > 0.0);
		assert_true(c.low < c.effect && c.effect < c.high && c.new_value > c.old_value);
		assert_true(c.start_ms >= t->time_ms[CHANGE_AT] && c.start_ms < t->time_ms[at]);
		assert_true(c.records > 0 && c.records <= at - CHANGE_AT);
		runner_destroy(r);
		free(t);
	}
	runner_scratch_destroy(s);
	free(out);
}

static void
near(double got, double want)
{
	if (!(fabs(got - want) <= 2e-13 * fabs(want)))
		fail_msg("%.17g instead of %.17g", got, want);
}

/* Closed forms, and tables of Abramowitz and Stegun and of R 4.3 to all their digits. */
static void
special_functions_meet_published_values(void **state)
{
	(void)state;
	near(special_beta_cdf(0.25, 0.5, 0.5), 1.0 / 3.0);       /* arcsine law */
	near(special_beta_cdf(0.3, 1.0, 4.0), 1.0 - 0.2401);     /* 1 - .7^4 */
	near(special_beta_cdf(1e-3, 4.0, 1.0), 1e-12);
	near(special_beta_cdf(0.5, 1e5, 1e5), 0.5);
	near(special_ln_beta(2.0, 3.0), -2.48490664978800031);   /* ln 1/12 */
	near(special_beta_quantile(1.0 / 3.0, 0.5, 0.5), 0.25);
	near(special_beta_quantile(1e-12, 4.0, 1.0), 1e-3);
	near(special_beta_quantile(0.5, 1.0, 1.0), 0.5);
	assert_true(special_beta_quantile(0.3, 0.0, 5.0) <= 0.0);
	assert_true(special_beta_quantile(0.3, 5.0, 0.0) >= 1.0);
	near(special_gamma_p(1.0, 2.0), 0.86466471676338730811); /* 1 - e^-2 */
	near(special_gamma_q(0.5, 4.0), 0.00467773498104726584); /* erfc 2 */
	near(special_chi2_tail(3.84145882069412447, 1.0), 0.05);
	near(special_chi2_quantile(0.95, 2.0), 5.99146454710798198);
	near(special_normal_cdf(-1.959963984540054), 0.025);
	near(special_normal_quantile(0.975), 1.959963984540054);
	near(special_normal_quantile(1e-300), -37.0470962993611992);
	near(special_t_quantile(0.995, 1.0), 63.656741162871583);
	near(special_t_quantile(0.995, 10.0), 3.1692726726169514);
	assert_true(isnan(special_beta_cdf((double)NAN, 1.0, 1.0)));
}

static void
random_numbers_are_those_of_the_contract(void **state)
{
	(void)state;
	near(rng_uniform(1, 0, 1), 0.5665615751722809);
	near(rng_uniform(1, 0, 2), 0.7457817572627011);
	near(rng_uniform(1, 0, 3), 0.9710027535867963);
}

static void
codec_stops_at_its_end(void **state)
{
	uint8_t bytes[12];
	struct codec c = { .data = bytes, .size = sizeof bytes };

	(void)state;
	codec_put_f64(&c, -1.5);
	codec_put_u16(&c, 0x1234);
	codec_put_u32(&c, 1);
	assert_true(c.bad && c.at == 10);
	codec_put_u8(&c, 9);
	assert_int_equal(c.at, 10);
	c = (struct codec){ .data = bytes, .size = 10 };
	assert_true(codec_get_f64(&c) <= -1.5);
	assert_int_equal(bytes[8], 0x34);
	assert_int_equal(codec_get_u16(&c), 0x1234);
	assert_int_equal(codec_get_u32(&c), 0);
	assert_true(c.bad);
	assert_int_equal(codec_crc32c("123456789", 9), 0xE3069283); /* RFC 3720 */
}

static void
atoms_get_an_edge_below_them(void **state)
{
	static const double sorted[] = { 0, 0, 0, 0, 0, 1, 2, 3 };
	double edge[EDGES_MAX(4)];
	uint32_t n = edges_fill(edge, 4, sorted, 8); /* e = 0, 0, 1 */

	(void)state;
	assert_int_equal(n, 3);
	assert_true(edge[0] < 0.0 && edge[0] > -1e-300 && edge[1] <= 0.0 && edge[2] >= 1.0);
	assert_int_equal(edges_bin(edge, n, -1.0), 0);
	assert_int_equal(edges_bin(edge, n, 0.0), 1);
	assert_int_equal(edges_bin(edge, n, 1.0), 2);
	assert_int_equal(edges_bin(edge, n, 9.0), 3);
	assert_int_equal(edges_bin(edge, 0, 9.0), 0);
}

static void
dependence_is_found_or_denied(void **state)
{
	enum { N = 4000 };
	double *value = calloc(N, sizeof *value);
	bool dependent;
	uint32_t step;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		value[i] = rng_uniform(1, 3, i + 1);
	assert_int_equal(dependence_step(value, N, &dependent), 1);
	assert_false(dependent);
	for (uint32_t i = 1; i < N; i++)
		value[i] = 0.6 * value[i - 1] + special_normal_quantile(rng_uniform(1, 4, i));
	step = dependence_step(value, N, &dependent);
	assert_true(!dependent && step >= 6 && step <= 40);
	for (uint32_t i = 0; i < N; i++)
		value[i] = i;
	assert_int_equal(dependence_step(value, N, &dependent), 1);
	assert_true(dependent);
	for (uint32_t i = 0; i < N; i++)
		value[i] = 3.0;
	assert_int_equal(dependence_step(value, N, &dependent), 1);
	assert_false(dependent);
	free(value);
}

/* Far from the reference for ever: nothing overflows, and the state can be read again. */
static void
a_change_that_lasts_leaves_a_sound_state(void **state)
{
	static const char *const method[] = { "conformal", "mondrian", "projections" };
	static uint8_t bytes[STATE_BYTES];

	(void)state;
	for (size_t m = 0; m < sizeof method / sizeof method[0]; m++) {
		const struct detector *det = detector_find(method[m]);
		struct data *t = data_create(det);
		const struct runner_options o = { .threshold = 1e299, .thin = 1, .phases = 1, .warmup = 100 };
		void *own = calloc(1, det->options_size + 1);
		struct runner *r, *again;
		struct runner_scratch *s = runner_scratch_create(STREAM, WIDTH);
		struct runner_status st;
		struct codec in = { .data = bytes };
		struct diag d = { "" };
		bool alarm;

		option_defaults(det->options, own);
		for (int i = 0; i < STREAM * WIDTH; i++)
			t->value[i] = 50;
		if (runner_create(&r, det, own, &o, &t->reference, 1, 0, &d) ||
		    runner_create(&again, det, own, &o, &t->reference, 1, 0, &d))
			fail_msg("%s", d.text);
		for (int k = 0; k < 8; k++)
			for (uint32_t i = 0; i < t->records.n;)
				i = runner_update(r, &t->records, i, s, NULL, &alarm);
		runner_status(r, &st);
		assert_true(isfinite(st.statistic) && st.used > 4 * STREAM);
		in.size = state_of(r, bytes);
		if (runner_load(again, &in, &d))
			fail_msg("%s", d.text);
		runner_destroy(r);
		runner_destroy(again);
		runner_scratch_destroy(s);
		free(own);
		free(t);
	}
}

const struct CMUnitTest detectors_tests[] = {
	TEST("detectors/any_cut_gives_the_same_bits", any_cut_gives_the_same_bits),
	TEST("detectors/any_instruction_set_gives_the_same_bits", any_instruction_set_gives_the_same_bits),
	TEST("detectors/known_advances_give_the_same_bits", known_advances_give_the_same_bits),
	TEST("detectors/a_restart_at_any_record_changes_nothing",
	     a_restart_at_any_record_changes_nothing),
	TEST("detectors/a_change_that_lasts_leaves_a_sound_state", a_change_that_lasts_leaves_a_sound_state),
	TEST("detectors/load_survives_any_bytes", load_survives_any_bytes),
	TEST("detectors/the_registry_is_sorted_and_explained",
	     the_registry_is_sorted_and_explained),
	TEST("detectors/suspension_counts_but_neither_spends_nor_moves",
	     suspension_counts_but_neither_spends_nor_moves),
	TEST("detectors/the_change_is_dated_and_sized", the_change_is_dated_and_sized),
	TEST("detectors/special_functions_meet_published_values",
	     special_functions_meet_published_values),
	TEST("detectors/random_numbers_are_those_of_the_contract",
	     random_numbers_are_those_of_the_contract),
	TEST("detectors/codec_stops_at_its_end", codec_stops_at_its_end),
	TEST("detectors/atoms_get_an_edge_below_them", atoms_get_an_edge_below_them),
	TEST("detectors/dependence_is_found_or_denied", dependence_is_found_or_denied),
	TESTS_END,
};
