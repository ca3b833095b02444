/* test_uncertainty.c -- the decompositions against printed figures, definitions and their identities. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/uncertainty/jackknife.h"
#include "detectors/uncertainty/uncertainty.h"
#include "tests/tests.h"

enum { MEMBERS = 20, CLASSES = 100 };

static double work[(2 * MEMBERS + 4) * (CLASSES + 8) + 8];

static void
assert_figure(const struct uncertainty *u, enum uncertainty_figure f, double expected)
{
	/* the printed figures have nine decimals */
	if (!(fabs(u->value[f] - expected) <= 1e-9))
		fail_msg("%s is %.17g, expected %.17g", uncertainty_names[f], u->value[f], expected);
}

static void
members_give_the_printed_figures(void **state)
{
	static const double apart[9] = { .7, .2, .1, .1, .8, .1, .6, .3, .1 };
	static const double alike[6] = { .9, .05, .05, .88, .07, .05 };
	struct uncertainty u;

	(void)state;
	assert_int_equal(uncertainty_members(apart, 3, 3, 0, work, &u), UNCERTAINTY_FINE);
	assert_figure(&u, UNCERTAINTY_TOTAL, .948298011);
	assert_figure(&u, UNCERTAINTY_EXPECTED, .779598712);
	assert_figure(&u, UNCERTAINTY_MI, .168699298);
	assert_figure(&u, UNCERTAINTY_RMI, .213698329);
	assert_figure(&u, UNCERTAINTY_EPKL, .382397627);
	assert_figure(&u, UNCERTAINTY_VARIATION_RATIO, 1.0 / 3);
	assert_figure(&u, UNCERTAINTY_DISAGREEMENT, 2.0 / 3);
	assert_figure(&u, UNCERTAINTY_VAR_TOTAL, .584444444);
	assert_figure(&u, UNCERTAINTY_VAR_ALEATORIC, .446666667);
	assert_figure(&u, UNCERTAINTY_VAR_EPISTEMIC, .137777778);
	assert_figure(&u, UNCERTAINTY_ZO_TOTAL, .533333333);
	assert_figure(&u, UNCERTAINTY_ZO_ALEATORIC, .3);
	assert_figure(&u, UNCERTAINTY_ZO_EPISTEMIC, .233333333);
	assert_int_equal(uncertainty_members(alike, 2, 3, 0, work, &u), UNCERTAINTY_FINE);
	assert_figure(&u, UNCERTAINTY_TOTAL, .422306353);
	assert_figure(&u, UNCERTAINTY_EXPECTED, .421412937);
	assert_figure(&u, UNCERTAINTY_MI, .000893416);
	assert_figure(&u, UNCERTAINTY_RMI, .000901310);
	assert_figure(&u, UNCERTAINTY_EPKL, .001794725);
}

static void
concentrations_give_the_printed_figures(void **state)
{
	static const struct {
		double alpha[3];
		size_t classes;
		double total, expected, mi, entropy, epkl, vacuity;
	} row[] = {
		{ { 10, 1, 1 }, 3, .566085739, .495737133, .070348606, -2.982298548, .166666667, .25 },
		{ { 1, 1, 1 }, 3, 1.098612289, .833333333, .265278955, -.693147181, .666666667, 1 },
		{ { 100, 100, 100 }, 3, 1.098612289, 1.095286363, .003325926, -4.519401652, .006666667, .01 },
		{ { .5, .5, 0 }, 2, .693147181, .386294361, .306852819, -.241564475, 1, 2 },
	};
	struct uncertainty u;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		assert_int_equal(uncertainty_dirichlet(row[i].alpha, row[i].classes, &u), 0);
		assert_figure(&u, UNCERTAINTY_TOTAL, row[i].total);
		assert_figure(&u, UNCERTAINTY_EXPECTED, row[i].expected);
		assert_figure(&u, UNCERTAINTY_MI, row[i].mi);
		assert_figure(&u, UNCERTAINTY_DIFF_ENTROPY, row[i].entropy);
		assert_figure(&u, UNCERTAINTY_EPKL, row[i].epkl);
		assert_figure(&u, UNCERTAINTY_VACUITY, row[i].vacuity);
	}
}

static void
regression_splits_only_what_can_be_told_apart(void **state)
{
	static const double mu[3] = { 1, 2, 6 }, variance[3] = { .5, 1, 1.5 };
	static const double nested[6] = { 0, 2, 10, 14, 5, 5 }, level[3] = { .05, .5, .95 }, at[3] = { -1, 0, 2 };
	struct uncertainty u;
	double z = special_normal_quantile(.95);

	(void)state;
	assert_int_equal(uncertainty_normals(mu, variance, 3, &u), 0);
	assert_figure(&u, UNCERTAINTY_VAR_ALEATORIC, 1);
	assert_figure(&u, UNCERTAINTY_VAR_EPISTEMIC, 7);
	assert_figure(&u, UNCERTAINTY_VAR_TOTAL, 8);
	assert_int_equal(uncertainty_normals(mu, NULL, 3, &u), 0);
	assert_figure(&u, UNCERTAINTY_VAR_EPISTEMIC, 7);
	assert_true(isnan(u.value[UNCERTAINTY_VAR_ALEATORIC]) && isnan(u.value[UNCERTAINTY_VAR_TOTAL]));
	/* rows vary by 2, 8, 0; their means 1, 12, 5 by 31, of which 10/3/2 is noise */
	assert_int_equal(uncertainty_nested(nested, 3, 2, &u), 0);
	assert_figure(&u, UNCERTAINTY_VAR_ALEATORIC, 10.0 / 3);
	assert_figure(&u, UNCERTAINTY_VAR_EPISTEMIC, 31 - 10.0 / 6);
	assert_int_equal(uncertainty_samples(mu, 3, &u), 0);
	assert_figure(&u, UNCERTAINTY_VAR_TOTAL, 7);
	assert_true(isnan(u.value[UNCERTAINTY_VAR_EPISTEMIC]));
	assert_int_equal(uncertainty_quantiles(level, at, 3, &u), 0);
	assert_figure(&u, UNCERTAINTY_VAR_TOTAL, 9 / (4 * z * z));
	assert_int_equal(uncertainty_nig(2.5, 3.5, 1.25, &u), 0);
	assert_figure(&u, UNCERTAINTY_VAR_ALEATORIC, .5);
	assert_figure(&u, UNCERTAINTY_VAR_EPISTEMIC, .2);
}

/* Members that differ much or little, by `spread`. */
static void
draw_logits(double *row, size_t members, size_t classes, double spread, uint64_t seed)
{
	for (size_t m = 0; m < members; m++)
		for (size_t c = 0; c < classes; c++)
			row[m * classes + c] =
				3 * special_normal_quantile(rng_uniform(seed, 1, c + 1)) +
				spread * special_normal_quantile(rng_uniform(seed, 2 + m, c + 1));
}

/* Raised to 1e-12 and scaled again. */
static void
softmax(const double *z, double *p, size_t n)
{
	double top = z[0], sum = 0, again = 0;

	for (size_t i = 1; i < n; i++)
		top = fmax(top, z[i]);
	for (size_t i = 0; i < n; i++)
		sum += exp(z[i] - top);
	for (size_t i = 0; i < n; i++)
		again += p[i] = fmax(exp(z[i] - top) / sum, 1e-12);
	for (size_t i = 0; i < n; i++)
		p[i] /= again;
}

/* Straight from the definitions, KL over all pairs. */
static void
by_definition(const double *p, size_t members, size_t classes, double *mi, double *epkl, double *expected)
{
	double m = (double)members;

	*mi = *epkl = *expected = 0;
	for (size_t c = 0; c < classes; c++) {
		double q = 0;

		for (size_t i = 0; i < members; i++)
			q += p[i * classes + c] / m;
		for (size_t i = 0; i < members; i++) {
			double x = p[i * classes + c];

			*mi += x * log(x / q) / m;
			*expected -= x * log(x) / m;
			for (size_t k = 0; k < members; k++)
				*epkl += x * log(x / p[k * classes + c]) / (m * m);
		}
	}
}

static void
members_of_every_shape_obey_the_definitions(void **state)
{
	static double z[MEMBERS * CLASSES], p[MEMBERS * CLASSES];
	static const double spreads[] = { 1e-6, .1, 1, 4 };

	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		size_t members = 2 + seed % (MEMBERS - 1), classes = 2 + seed * 7 % (CLASSES - 1);
		struct uncertainty u, v;
		double mi, epkl, expected;

		draw_logits(z, members, classes, spreads[seed % 4], seed);
		for (size_t m = 0; m < members; m++)
			softmax(z + m * classes, p + m * classes, classes);
		assert_int_equal(uncertainty_members(p, members, classes, 0, work, &u), 0);
		assert_int_equal(uncertainty_members(z, members, classes, 1, work, &v), 0);
		by_definition(p, members, classes, &mi, &epkl, &expected);
		for (int logits = 0; logits < 2; logits++) {
			const double *x = logits ? v.value : u.value;
			double scale = (double)members / (double)(members - 1);

			assert_true(fabs(x[UNCERTAINTY_EXPECTED] - expected) < 1e-9 * expected + 1e-12);
			assert_true(fabs(x[UNCERTAINTY_MI] - mi) < 1e-9 * mi + 1e-12);
			assert_true(fabs(x[UNCERTAINTY_EPKL] - epkl) < 1e-9 * epkl + 1e-12);
			assert_true(fabs(x[UNCERTAINTY_TOTAL] - x[UNCERTAINTY_EXPECTED] - x[UNCERTAINTY_MI]) <
			            1e-12);
			assert_true(x[UNCERTAINTY_MI] <= log((double)members) + 1e-12);
			assert_true(x[UNCERTAINTY_MI] <= log((double)classes) + 1e-12);
			assert_true(fabs(x[UNCERTAINTY_VAR_TOTAL] - x[UNCERTAINTY_VAR_ALEATORIC] -
			                 x[UNCERTAINTY_VAR_EPISTEMIC]) < 1e-12);
			assert_true(fabs(x[UNCERTAINTY_MI_CORRECTED] - scale * x[UNCERTAINTY_MI]) < 1e-12);
		}
	}
}

static void
every_instruction_set_gives_the_same_bits(void **state)
{
	static double z[MEMBERS * CLASSES], other[sizeof work / sizeof work[0] + 1];

	(void)state;
	for (size_t classes = 1; classes <= 33; classes++)
		for (int logits = 0; logits < 2; logits++) {
			struct uncertainty first, next;

			draw_logits(z, 7, classes, 2, classes);
			for (size_t m = 0; m < 7 && !logits; m++)
				softmax(z + m * classes, z + m * classes, classes);
			uncertainty_members_with(1, z, 7, classes, logits, work, &first);
			for (int isa = 0; isa < 4; isa++) {
				/* memory of another alignment that holds something else */
				memset(other, 0x5a + isa, sizeof other);
				uncertainty_members_with(isa, z, 7, classes, logits, other + 1, &next);
				assert_memory_equal(first.value, next.value, sizeof first.value);
				assert_true(first.notes == next.notes && !(first.sum_error < next.sum_error));
			}
		}
}

static void
logits_far_apart_do_not_overflow(void **state)
{
	static const double z[6] = { 1000, 0, -1000, 999, 1, 0 }, wild[2] = { 1.7e308, -1.7e308 };
	struct uncertainty u;

	(void)state;
	assert_int_equal(uncertainty_members(z, 2, 3, 1, work, &u), 0);
	assert_figure(&u, UNCERTAINTY_MI, 0);
	assert_int_equal(u.notes, 1 << UNCERTAINTY_CLIPPED);
	assert_int_equal(uncertainty_single(wild, 2, 1, work, &u), 0);
	assert_figure(&u, UNCERTAINTY_TOTAL, 0);
}

static void
what_cannot_be_read_says_why(void **state)
{
	static const double negative[4] = { .5, .5, -.1, 1.1 }, nothing[4] = { .5, .5, 0, 0 };
	static const double mu[2] = { 0, 1 }, variance[2] = { 1, -1 }, alpha[2] = { 1, 0 };
	static const double huge[2] = { 1e300, -1e300 };
	static const double level[2] = { .1, .8 }, at[2] = { 0, 1 }, pair[2] = { .1, .9 }, crossed[2] = { 1, 0 };
	struct uncertainty u;

	(void)state;
	assert_int_equal(uncertainty_members(negative, 2, 2, 0, work, &u), UNCERTAINTY_PROB_NEGATIVE);
	assert_int_equal(uncertainty_members(nothing, 2, 2, 0, work, &u), UNCERTAINTY_PROB_NOTHING);
	assert_int_equal(uncertainty_members(nothing, 0, 2, 0, work, &u), UNCERTAINTY_EMPTY);
	assert_int_equal(uncertainty_normals(mu, variance, 2, &u), UNCERTAINTY_VARIANCE_NEGATIVE);
	assert_int_equal(uncertainty_normals(huge, NULL, 2, &u), UNCERTAINTY_RANGE);
	assert_int_equal(uncertainty_dirichlet(alpha, 2, &u), UNCERTAINTY_CONCENTRATION);
	assert_int_equal(uncertainty_nig(1, -1, 1, &u), UNCERTAINTY_NIG);
	assert_int_equal(uncertainty_quantiles(level, at, 2, &u), UNCERTAINTY_PAIR);
	assert_int_equal(uncertainty_quantiles(mu, at, 2, &u), UNCERTAINTY_LEVEL);
	assert_int_equal(uncertainty_quantiles(pair, crossed, 2, &u), UNCERTAINTY_CROSSED);
	assert_int_equal(uncertainty_samples(mu, 0, &u), UNCERTAINTY_EMPTY);
	assert_int_equal(uncertainty_variance(-1, &u), UNCERTAINTY_VARIANCE_NEGATIVE);
	for (int i = 0; i < UNCERTAINTY_FIGURES; i++)
		assert_true(isnan(u.value[i]));
	for (int f = 0; f < UNCERTAINTY_FAULTS; f++)
		assert_true(strlen(uncertainty_fault_text((enum uncertainty_fault)f)) > 10);
	for (int n = 0; n < UNCERTAINTY_NOTES; n++)
		assert_true(strlen(uncertainty_note_text((enum uncertainty_note)n)) > 10);
}

static void
one_of_a_kind_tells_no_spread(void **state)
{
	static const double p[2] = { 1, 0 }, x[2] = { 3, 4 };
	struct uncertainty u;

	(void)state;
	assert_int_equal(uncertainty_members(p, 1, 2, 0, work, &u), 0);
	assert_int_equal(u.notes, 1 << UNCERTAINTY_ONE | 1 << UNCERTAINTY_CLIPPED);
	assert_true(isnan(u.value[UNCERTAINTY_MI_CORRECTED]) && isnan(u.value[UNCERTAINTY_DISAGREEMENT]));
	assert_int_equal(uncertainty_samples(x, 1, &u), 0);
	assert_true(isnan(u.value[UNCERTAINTY_VAR_TOTAL]) && u.notes == 1 << UNCERTAINTY_ONE);
	assert_int_equal(uncertainty_nested(x, 2, 1, &u), 0);
	assert_true(isnan(u.value[UNCERTAINTY_VAR_ALEATORIC]) && u.notes == 1 << UNCERTAINTY_ONE);
	assert_int_equal(uncertainty_nested(x, 1, 2, &u), 0);
	assert_true(u.value[UNCERTAINTY_VAR_ALEATORIC] > 0 && isnan(u.value[UNCERTAINTY_VAR_EPISTEMIC]));
	assert_int_equal(uncertainty_nig(1, 1, 1, &u), 0);
	assert_true(isnan(u.value[UNCERTAINTY_VAR_TOTAL]) && u.notes == 1 << UNCERTAINTY_INFINITE);
}

static void
digamma_gives_the_known_values(void **state)
{
	static const double at[][2] = {
		{ 1, -0.57721566490153286061 }, { .5, -1.96351002602142347944 }, { 2, 0.42278433509846713939 },
		{ 10, 2.25175258906672110765 }, { 1e4, 9.21029037114285036 }, { 1e-3, -1000.5755719318103005 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
		assert_true(fabs(special_digamma(at[i][0]) - at[i][1]) <= 4e-16 * fabs(at[i][1]) + 4e-16);
	assert_true(isnan(special_digamma(0)) && isnan(special_digamma(-1)));
}

/* Of memory that ends with the matrix: nothing is read behind it. */
static void
members_are_read_to_their_end(void **state)
{
	(void)state;
	for (size_t m = 1; m <= 4; m++)
		for (size_t c = 1; c <= 20; c++) {
			double *row = malloc(m * c * sizeof *row), more[4 * 20 + 8] = { 0 };
			struct uncertainty a, b;

			assert_non_null(row);
			for (size_t i = 0; i < m * c; i++)
				more[i] = row[i] = rng_uniform(9, m, i + 1) / (double)c;
			assert_int_equal(uncertainty_members(row, m, c, 0, work, &a), UNCERTAINTY_FINE);
			assert_int_equal(uncertainty_members(more, m, c, 0, work, &b), UNCERTAINTY_FINE);
			assert_memory_equal(a.value, b.value, sizeof a.value);
			free(row);
		}
}

/* sd / sqrt M of the members' own figures. */
static void
the_error_of_a_mean_is_exact(void **state)
{
	enum { M = 7, C = 3 };
	double p[M * C], own[M], mean = 0, squares = 0, error[UNCERTAINTY_FIGURES], memory[400];
	struct uncertainty_draws d = { DRAWN_PROBS, p, NULL, M, C };
	struct uncertainty u;

	(void)state;
	assert_true(uncertainty_jackknife_work(&d) <= 400);
	for (int m = 0; m < M; m++) {
		double sum = 0;

		for (int c = 0; c < C; c++)
			sum += p[m * C + c] = rng_uniform(3, (uint64_t)m, (uint64_t)c + 1);
		for (int c = 0; c < C; c++)
			p[m * C + c] /= sum;
		assert_int_equal(uncertainty_single(p + m * C, C, 0, work, &u), UNCERTAINTY_FINE);
		mean += (own[m] = u.value[UNCERTAINTY_TOTAL]) / M;
	}
	for (int m = 0; m < M; m++)
		squares += (own[m] - mean) * (own[m] - mean);
	uncertainty_jackknife(&d, memory, error);
	assert_true(fabs(error[UNCERTAINTY_EXPECTED] - sqrt(squares / (M * (M - 1)))) < 1e-14);
	assert_true(error[UNCERTAINTY_MI_CORRECTED] > 0 && isnan(error[UNCERTAINTY_VACUITY]));
	d.members = 2; /* one that is left tells no spread */
	uncertainty_jackknife(&d, memory, error);
	assert_true(isnan(error[UNCERTAINTY_EXPECTED]));
}

/* The variance between normal members: 4000 records of 20. */
static void
the_error_of_a_spread_is_what_it_varies_by(void **state)
{
	enum { RECORDS = 4000, M = 20 };
	double mu[M], error[UNCERTAINTY_FIGURES], memory[400], mean = 0, squares = 0, told = 0;
	struct uncertainty_draws d = { DRAWN_NORMALS, mu, NULL, M, 1 };
	struct uncertainty u;

	(void)state;
	for (uint64_t r = 0; r < RECORDS; r++) {
		for (uint64_t m = 0; m < M; m++)
			mu[m] = special_normal_quantile(rng_uniform(5, r, m + 1));
		uncertainty_normals(mu, NULL, M, &u);
		uncertainty_jackknife(&d, memory, error);
		mean += u.value[UNCERTAINTY_VAR_EPISTEMIC] / RECORDS;
		squares += u.value[UNCERTAINTY_VAR_EPISTEMIC] * u.value[UNCERTAINTY_VAR_EPISTEMIC] / RECORDS;
		told += error[UNCERTAINTY_VAR_EPISTEMIC] * error[UNCERTAINTY_VAR_EPISTEMIC] / RECORDS;
	}
	/* the jackknife is biased upwards, by a few percent here */
	assert_true(told / (squares - mean * mean) > 0.95 && told / (squares - mean * mean) < 1.2);
	assert_true(fabs(sqrt(squares - mean * mean) / mean / uncertainty_relative_error(M) - 1) < 0.05);
	assert_true(isnan(uncertainty_relative_error(1)));
	assert_true(uncertainty_relative_error(UNCERTAINTY_MEMBERS_ENOUGH) <= 0.5);
	assert_true(uncertainty_relative_error(UNCERTAINTY_MEMBERS_ENOUGH - 1) > 0.5);
}

extern const struct CMUnitTest uncertainty_tests[];
const struct CMUnitTest uncertainty_tests[] = {
	TEST("uncertainty/members_give_the_printed_figures", members_give_the_printed_figures),
	TEST("uncertainty/concentrations_give_the_printed_figures", concentrations_give_the_printed_figures),
	TEST("uncertainty/regression_splits_only_what_can_be_told_apart",
	     regression_splits_only_what_can_be_told_apart),
	TEST("uncertainty/members_of_every_shape_obey_the_definitions",
	     members_of_every_shape_obey_the_definitions),
	TEST("uncertainty/every_instruction_set_gives_the_same_bits", every_instruction_set_gives_the_same_bits),
	TEST("uncertainty/logits_far_apart_do_not_overflow", logits_far_apart_do_not_overflow),
	TEST("uncertainty/what_cannot_be_read_says_why", what_cannot_be_read_says_why),
	TEST("uncertainty/one_of_a_kind_tells_no_spread", one_of_a_kind_tells_no_spread),
	TEST("uncertainty/members_are_read_to_their_end", members_are_read_to_their_end),
	TEST("uncertainty/the_error_of_a_mean_is_exact", the_error_of_a_mean_is_exact),
	TEST("uncertainty/the_error_of_a_spread_is_what_it_varies_by", the_error_of_a_spread_is_what_it_varies_by),
	TEST("uncertainty/digamma_gives_the_known_values", digamma_gives_the_known_values),
	TESTS_END,
};
