/* test_ood.c -- kernels, linear algebra, scores and p-values of out-of-distribution detection. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/linear.h"
#include "detectors/kit/rng.h"
#include "detectors/ood/threshold.h"
#include "tests/tests.h"

/* A standard normal number, the k-th of a seed. */
static double
normal(uint64_t seed, uint64_t k)
{
	return sqrt(-2.0 * log(rng_uniform(seed, 0, 2 * k + 1)))
	       * cos(2.0 * 3.14159265358979323846 * rng_uniform(seed, 0, 2 * k + 2));
}

static double *
normals(uint64_t seed, size_t n, double mean, double sd)
{
	double *v = score_array(n, 1);

	assert_non_null(v);
	for (size_t i = 0; i < n; i++)
		v[i] = mean + sd * normal(seed, i);
	return v;
}

static struct score_options
defaults(void)
{
	struct score_options o;

	memset(&o, 0, sizeof o);
	for (size_t i = 0; score_table[i] != NULL; i++)
		option_defaults(score_table[i]->options, &o);
	return o;
}

static void
every_score_is_documented_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; score_table[i] != NULL; i++) {
		const struct score *s = score_table[i];

		assert_ptr_equal(score_find(s->name), s);
		assert_true(strlen(s->summary) > 10 && strlen(s->source) > 5);
		assert_true(i == 0 || strcmp(score_table[i - 1]->name, s->name) < 0);
		for (const struct option *o = s->options; o->name != NULL; o++)
			assert_true(strlen(o->help) > 3 && o->fallback != NULL);
	}
	assert_null(score_find("nope"));
}

static void
every_instruction_set_gives_the_same_bits(void **state)
{
	enum { D = 37 };
	double *x = normals(1, D * TILE_ROWS, 1.0, 4.0), *w = normals(2, D * PANEL_ROWS, 0.0, 1.0);
	double *p = score_array(D, TILE_ROWS), *tile = score_array(D, TILE_ROWS);
	_Alignas(64) double want[5][PANEL_ROWS * TILE_ROWS], got[5][PANEL_ROWS * TILE_ROWS];
	struct tile_softmax softmax[2], shares[2];

	(void)state;
	memset(softmax, 0, sizeof softmax);
	memset(shares, 0, sizeof shares);
	for (int i = 0; i < D * TILE_ROWS; i++)
		p[i] = i % 7 == 0 ? 0.0 : rng_uniform(3, 0, (uint64_t)i + 1) / D;
	for (int isa = TILE_BASE; isa <= TILE_AVX512; isa++) {
		const struct tile_kernel *k = tile_kernel((enum tile_isa)isa);
		int which = isa == TILE_BASE ? 0 : 1;
		double (*out)[PANEL_ROWS * TILE_ROWS] = which == 0 ? want : got;
		struct tile_gen g = { .g = 0.1, .logits = true, .s = &softmax[which] };

		if (k == NULL)
			continue;
		memset(out, 0, sizeof want);
		k->load(x, D, 13, D, tile);
		memcpy(out[4], tile, sizeof out[4]);
		k->load(x, D, TILE_ROWS, D, tile);
		k->product(w, D, tile, out[0]);
		k->distance(w, D, tile, out[1]);
		k->softmax(tile, D, &softmax[which]);
		k->shares(p, D, &shares[which]);
		for (int r = 0; r < TILE_ROWS; r++) {
			g.above[r] = r % 2 == 0 ? -DBL_MAX : tile[3 * TILE_ROWS + r];
			g.ties[r] = r % 2 == 0 ? 0.0 : 1.0;
		}
		k->gen(tile, D, &g, out[2]);
		g.logits = false;
		k->gen(p, D, &g, out[3]);
		k->axpy(out[3] + 20, 0.3, x + 1, 31);
		k->symmetric(w, 5, 16, x, out[3] + 140 - 140 % 8);
		k->rotate(out[3] + 60, out[3] + 100, 0.6, 0.8, 31);
		if (which == 0)
			continue;
		assert_memory_equal(want, got, sizeof want);
		assert_memory_equal(&softmax[0], &softmax[1], sizeof softmax[0]);
		assert_memory_equal(&shares[0], &shares[1], sizeof shares[0]);
	}
	free(x);
	free(w);
	free(p);
	free(tile);
}

static void
near(double got, double want, double relative)
{
	if (!(fabs(got - want) <= relative * fabs(want) + 1e-15))
		fail_msg("got %.17g, expected %.17g", got, want);
}

/* Against the C library, from flat to certain: the largest share may round to 1. */
static void
softmax_is_exact_to_the_last_digits(void **state)
{
	enum { C = 7 };
	double *tile = score_array(C, TILE_ROWS);
	struct tile_softmax s;

	(void)state;
	for (int r = 0; r < TILE_ROWS; r++)
		for (int c = 0; c < C; c++)
			tile[c * TILE_ROWS + r] = c * (double)r * 0.7 - 3.0;
	tile_kernel(TILE_BEST)->softmax(tile, C, &s);
	for (int r = 0; r < TILE_ROWS; r++) {
		double step = (double)r * 0.7, max = (C - 1) * step - 3.0, sum = 0.0, others = 0.0, h = 0.0;

		for (int c = 0; c < C; c++)
			sum += exp((c - C + 1) * step);
		for (int c = 0; c < C - 1; c++)
			others += exp((c - C + 1) * step);
		for (int c = 0; c < C; c++) {
			double p = exp((c - C + 1) * step) / sum;

			h -= p * ((c - C + 1) * step - log1p(others));
		}
		near(s.max[r], max, 1e-15);
		near(s.lse[r], max + log1p(others), 1e-14);
		near(s.top[r], 1.0 / sum, 1e-14);
		near(s.rest[r], others / sum, 1e-13);
		near(s.entropy[r], h, 1e-11);
		near(s.margin[r], -expm1(-step) / sum, 1e-13);
	}
	free(tile);
}

static void
eigenvectors_and_whitening_belong_to_the_matrix(void **state)
{
	static const uint32_t size[] = { 1, 2, 5, 33, 90 };

	(void)state;
	for (size_t t = 0; t < sizeof size / sizeof *size; t++) {
		uint32_t d = size[t], n = d / 2 + 3; /* fewer rows than columns */
		double *z = normals(t + 5, (size_t)n * d, 0.0, 2.0);
		double *s = score_array(d, d), *copy = score_array(d, d), *v = score_array(d, d);
		double *value = score_array(d, 2);
		struct diag diag;

		linear_scatter(z, n, d, s);
		memcpy(copy, s, (size_t)d * d * sizeof *s);
		assert_int_equal(linear_eigen(s, d, value, v, value + d, &diag), 0);
		for (uint32_t k = 0; k < d; k++)
			for (uint32_t i = 0; i < d; i++) {
				double sv = 0.0, dot = 0.0;

				for (uint32_t j = 0; j < d; j++) {
					sv += copy[i * d + j] * v[k * d + j];
					dot += v[k * d + j] * v[i * d + j];
				}
				assert_true(fabs(sv - value[k] * v[k * d + i]) < 1e-12 * (1 + value[d - 1]));
				assert_true(fabs(dot - (i == k ? 1.0 : 0.0)) < 1e-12);
				assert_true(k == 0 || value[k] >= value[k - 1]);
			}
		assert_true(linear_ledoit_wolf(z, n, d, copy) >= 0.0);
		memcpy(s, copy, (size_t)d * d * sizeof *s);
		assert_int_equal(linear_whiten(s, d, v, &diag), 0);
		for (uint32_t i = 0; i < d; i++)
			for (uint32_t k = 0; k < d; k++) {
				double sum = 0.0;

				for (uint32_t a = 0; a < d; a++)
					for (uint32_t b = 0; b < d; b++)
						sum += v[i * d + a] * copy[a * d + b] * v[k * d + b];
				assert_true(fabs(sum - (i == k ? 1.0 : 0.0)) < 1e-10);
			}
		free(z);
		free(s);
		free(copy);
		free(v);
		free(value);
	}
}

static void
a_singular_covariance_is_told(void **state)
{
	double s[4] = { 1.0, 1.0, 1.0, 1.0 }, w[4];
	struct diag d = { "" };

	(void)state;
	assert_int_equal(linear_whiten(s, 2, w, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "singular"));
}

/* Rows of every kind about three centres. */
struct world {
	struct score_rows rows;
	double *logits, *embedding, *feature;
	uint32_t *label;
};

static void
world_make(struct world *w, uint64_t seed, uint32_t n)
{
	enum { C = 3, D = 19, F = 4 };

	*w = (struct world){ .logits = normals(seed, (size_t)n * C, 0.0, 2.0),
		             .embedding = normals(seed + 1, (size_t)n * D, 0.5, 1.0),
		             .feature = score_array(n, F), .label = calloc(n, sizeof *w->label) };
	for (uint32_t i = 0; i < n * F; i++)
		w->feature[i] = rng_uniform(seed + 2, 0, i + 1);
	for (uint32_t r = 0; r < n; r++) {
		w->label[r] = r % 3;
		w->embedding[(size_t)r * D + r % 3] += 3.0;
	}
	w->rows = (struct score_rows){ .n = n, .classes = C, .dimension = D, .features = F,
		                       .logits = w->logits, .embedding = w->embedding,
		                       .feature = w->feature, .label = w->label };
}

static void
world_free(struct world *w)
{
	free(w->logits);
	free(w->embedding);
	free(w->feature);
	free(w->label);
}

static void
score_with(enum tile_isa isa, const struct score *s, const struct score_rows *fit,
           const struct score_rows *rows, uint32_t step, double *out)
{
	struct score_options o = defaults();
	struct scorer scorer;
	struct diag d;

	o.isa = isa;
	o.gen_classes = 2;
	assert_int_equal(scorer_init(&scorer, &s, 1, &o, s->flags & SCORE_ADAPTIVE ? NULL : fit, fit, &d), 0);
	for (uint32_t from = 0; from < rows->n;) {
		uint32_t n = step == 0 ? 1 + (from * 7) % 300 : step; /* 0: cuts of many sizes */
		struct score_rows part;
		double *at = out + from;

		n = n < rows->n - from ? n : rows->n - from;
		part = score_slice(rows, from, n);
		scorer_run(&scorer, &part, &at);
		from += n;
	}
	scorer_finish(&scorer);
}

static void
score_all(const struct score *s, const struct score_rows *fit, const struct score_rows *rows, uint32_t step,
          double *out)
{
	score_with(TILE_BEST, s, fit, rows, step, out);
}

static void
scores_do_not_depend_on_the_instruction_set(void **state)
{
	enum { N = 100 };
	struct world fit, w;
	double base[N], other[N];

	(void)state;
	world_make(&fit, 13, 300);
	world_make(&w, 29, N);
	for (size_t i = 0; score_table[i] != NULL; i++) {
		score_with(TILE_BASE, score_table[i], &fit.rows, &w.rows, N, base);
		for (int isa = TILE_AVX2; isa <= TILE_AVX512; isa++) {
			if (tile_kernel((enum tile_isa)isa) == NULL)
				continue;
			score_with((enum tile_isa)isa, score_table[i], &fit.rows, &w.rows, N, other);
			assert_memory_equal(base, other, sizeof base);
		}
	}
	world_free(&fit);
	world_free(&w);
}

static void
no_cut_of_a_batch_changes_a_bit_of_a_score(void **state)
{
	enum { N = 700 };
	struct world fit, w;
	double whole[N], cut[N];

	(void)state;
	world_make(&fit, 11, 300);
	world_make(&w, 23, N);
	for (size_t i = 0; score_table[i] != NULL; i++) {
		score_all(score_table[i], &fit.rows, &w.rows, N, whole);
		score_all(score_table[i], &fit.rows, &w.rows, 1, cut);
		assert_memory_equal(whole, cut, sizeof whole);
		score_all(score_table[i], &fit.rows, &w.rows, 0, cut);
		assert_memory_equal(whole, cut, sizeof whole);
	}
	world_free(&fit);
	world_free(&w);
}

static void
scores_are_finite_whatever_the_numbers(void **state)
{
	enum { N = 40 };
	struct world fit, w;
	double out[N];

	(void)state;
	world_make(&fit, 31, 200);
	world_make(&w, 41, N);
	for (uint32_t r = 0; r < N; r++) {
		double huge = r % 3 == 0 ? DBL_MAX : r % 3 == 1 ? -1e200 : 0.0;

		for (uint32_t i = 0; i < w.rows.dimension; i++)
			w.embedding[r * w.rows.dimension + i] = huge;
		for (uint32_t i = 0; i < w.rows.classes; i++)
			w.logits[r * w.rows.classes + i] = i == 0 ? huge : -huge;
		for (uint32_t i = 0; i < w.rows.features; i++)
			w.feature[r * w.rows.features + i] = huge;
	}
	for (size_t i = 0; score_table[i] != NULL; i++) {
		score_all(score_table[i], &fit.rows, &w.rows, N, out);
		for (uint32_t r = 0; r < N; r++)
			assert_true(fabs(out[r]) <= SCORE_FARTHEST);
	}
	world_free(&fit);
	world_free(&w);
}

static void
a_copy_of_a_reference_row_has_no_distance(void **state)
{
	struct world fit;
	double out[50];

	(void)state;
	world_make(&fit, 51, 50);
	score_all(score_find("knn"), &fit.rows, &fit.rows, 50, out);
	for (int r = 0; r < 50; r++)
		assert_true(!(out[r] > 0.0));
	world_free(&fit);
}

/* The rank of a score among those of the calibration, by counting. */
static void
p_is_the_share_at_least_as_unlike(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 40; n++) {
		double *score = score_array(n, 1);
		struct calibration c;

		for (uint32_t i = 0; i < n; i++)
			score[i] = floor(10.0 * rng_uniform(61, n, i + 1)); /* with ties */
		calibration_init(&c, score, n);
		for (double x = -1.0; x < 12.0; x += 0.5) {
			uint32_t at_least = 0;

			for (uint32_t i = 0; i < n; i++)
				at_least += score[i] >= x;
			near(calibration_p(&c, x), (1.0 + at_least) / (n + 1.0), 1e-15);
		}
		calibration_finish(&c);
	}
}

/* n, alpha in thousandths, m of the nominal threshold, m of the safe one (delta .05; -1: there is none). */
static void
thresholds_say_how_far_the_share_may_be_off(void **state)
{
	static const int want[][4] = { { 1000, 10, 10, 4 }, { 5000, 10, 50, 38 }, { 10000, 10, 100, 83 },
		                       { 100000, 10, 1000, 948 }, { 1000, 1, 1, -1 }, { 10000, 1, 10, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		uint32_t n = (uint32_t)want[i][0];
		double alpha = want[i][1] / 1000.0;
		struct threshold nominal, safe;
		struct calibration c;

		calibration_init(&c, score_array(n, 1), n);
		for (uint32_t k = 0; k < n; k++)
			c.score[k] = k;
		nominal = threshold_nominal(&c, alpha);
		safe = threshold_pac(&c, alpha, 0.05);
		assert_true(nominal.possible);
		assert_int_equal(nominal.m, want[i][2]);
		assert_int_equal((int)nominal.score, (int)n - 1 - want[i][2]);
		assert_true(safe.possible == (want[i][3] >= 0));
		if (safe.possible)
			assert_int_equal(safe.m, want[i][3]);
		if (n == 1000 && want[i][1] == 10) { /* 1 % of 1000: .55 to 1.83 % */
			assert_true(fabs(nominal.low - 0.0055) < 5e-5);
			assert_true(fabs(nominal.high - 0.0183) < 5e-5);
		}
		calibration_finish(&c);
	}
}

/* Kolmogorov's distance of p-values from the uniform law; ties only make p larger. */
static double
distance_to_uniform(double *p, uint32_t n)
{
	struct calibration sorted;
	double worst = 0.0;

	calibration_init(&sorted, p, n);
	for (uint32_t i = 0; i < n; i++) {
		double above = (i + 1.0) / n - p[i], below = p[i] - (double)i / n;

		worst = above > worst ? above : worst;
		worst = below > worst ? below : worst;
	}
	return worst;
}

/* Over 20 seeds KS is above its 1 % point (1.628 / sqrt m, and the spread of the calibration half) in at
 * most 2 but for a chance of .001: the binomial tail of 20 tries at .01 beyond 2. */
static void
p_of_records_like_the_reference_is_uniform(void **state)
{
	enum { N = 400 };
	int far = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct world fit, calibration, w;
		struct score_options o = defaults();
		const struct score *member[SCORER_MAX];
		struct verdict v[N];
		double p[N];
		struct panel panel;
		struct diag d;
		uint32_t members;

		world_make(&fit, 100 + 10 * seed, 300);
		world_make(&calibration, 103 + 10 * seed, 4000);
		world_make(&w, 106 + 10 * seed, N);
		members = panel_default(&w.rows, member);
		assert_int_equal(members, 4);
		assert_int_equal(panel_init(&panel, member, members, &o, &fit.rows, &calibration.rows, &d), 0);
		panel_run(&panel, &w.rows, v);
		for (uint32_t r = 0; r < N; r++)
			p[r] = v[r].p;
		/* two samples: the calibration half has 2000 */
		far += distance_to_uniform(p, N) > 1.628 * sqrt(1.0 / N + 1.0 / 2000);
		panel_finish(&panel);
		world_free(&fit);
		world_free(&calibration);
		world_free(&w);
	}
	assert_true(far <= 2);
}

static void
the_panel_names_the_member_that_saw_it(void **state)
{
	struct world fit, calibration, w;
	struct score_options o = defaults();
	const struct score *member[] = { score_find("energy"), score_find("maha") };
	struct verdict v[2];
	struct panel panel;
	struct diag d;

	(void)state;
	world_make(&fit, 71, 400);
	world_make(&calibration, 74, 400);
	world_make(&w, 77, 2);
	for (uint32_t c = 0; c < w.rows.classes; c++)
		w.logits[c] = -30.0; /* the first row: low logits */
	w.feature[w.rows.features] = 9.0; /* the second: a wild feature */
	assert_int_equal(panel_init(&panel, member, 2, &o, &fit.rows, &calibration.rows, &d), 0);
	panel_run(&panel, &w.rows, v);
	assert_int_equal(v[0].reason, 0);
	assert_int_equal(v[1].reason, 1);
	assert_true(v[0].p < 0.02 && v[1].p < 0.02);
	panel_finish(&panel);
	world_free(&fit);
	world_free(&calibration);
	world_free(&w);
}

static void
a_feature_that_stands_still_does_not_break_the_adaptive_distance(void **state)
{
	enum { N = 200000 };
	const struct score *s = score_find("ew_maha");
	struct score_options o = defaults();
	struct score_rows rows = { .n = N, .features = 2 };
	double *feature = normals(81, 2 * N, 0.0, 1.0), *out = score_array(N, 1);
	struct scorer scorer;
	struct diag d;

	(void)state;
	o.lambda = 0.01;
	for (uint32_t r = 0; r < N; r++)
		feature[2 * r] = 5.0;
	rows.feature = feature;
	assert_int_equal(scorer_init(&scorer, &s, 1, &o, NULL, &rows, &d), 0);
	scorer_run(&scorer, &rows, &out);
	for (uint32_t r = 1000; r < N; r++)
		assert_true(out[r] >= 0.0 && out[r] < 100.0);
	scorer_finish(&scorer);
	free(feature);
	free(out);
}

static void
what_a_score_lacks_is_told(void **state)
{
	struct world w;
	struct score_options o = defaults();
	const struct score *s = score_find("vim");
	struct scorer scorer;
	struct diag d = { "" };

	(void)state;
	world_make(&w, 91, 20);
	w.rows.logits = NULL;
	assert_int_equal(scorer_init(&scorer, &s, 1, &o, &w.rows, &w.rows, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "vim needs logits and embedding"));
	s = score_find("mds");
	assert_int_equal(scorer_init(&scorer, &s, 1, &o, NULL, &w.rows, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "reference"));
	world_free(&w);
}

extern const struct CMUnitTest ood_tests[];
const struct CMUnitTest ood_tests[] = {
	TEST("ood/every_score_is_documented_and_found", every_score_is_documented_and_found),
	TEST("ood/every_instruction_set_gives_the_same_bits", every_instruction_set_gives_the_same_bits),
	TEST("ood/scores_do_not_depend_on_the_instruction_set", scores_do_not_depend_on_the_instruction_set),
	TEST("ood/softmax_is_exact_to_the_last_digits", softmax_is_exact_to_the_last_digits),
	TEST("ood/eigenvectors_and_whitening_belong_to_the_matrix",
	     eigenvectors_and_whitening_belong_to_the_matrix),
	TEST("ood/a_singular_covariance_is_told", a_singular_covariance_is_told),
	TEST("ood/no_cut_of_a_batch_changes_a_bit_of_a_score", no_cut_of_a_batch_changes_a_bit_of_a_score),
	TEST("ood/scores_are_finite_whatever_the_numbers", scores_are_finite_whatever_the_numbers),
	TEST("ood/a_copy_of_a_reference_row_has_no_distance", a_copy_of_a_reference_row_has_no_distance),
	TEST("ood/p_is_the_share_at_least_as_unlike", p_is_the_share_at_least_as_unlike),
	TEST("ood/thresholds_say_how_far_the_share_may_be_off", thresholds_say_how_far_the_share_may_be_off),
	TEST("ood/p_of_records_like_the_reference_is_uniform", p_of_records_like_the_reference_is_uniform),
	TEST("ood/the_panel_names_the_member_that_saw_it", the_panel_names_the_member_that_saw_it),
	TEST("ood/a_feature_that_stands_still_does_not_break_the_adaptive_distance",
	     a_feature_that_stands_still_does_not_break_the_adaptive_distance),
	TEST("ood/what_a_score_lacks_is_told", what_a_score_lacks_is_told),
	TESTS_END,
};
