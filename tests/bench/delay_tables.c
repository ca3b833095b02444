/* delay_tables.c -- see delay_tables.h. In every table the change comes 1000 records after the reference. */
#include "tests/bench/delay_tables.h"

#include <math.h>
#include <string.h>

#include "tests/bench/records.h"

struct list {
	struct delay_group *group;
	uint32_t n, room;
};

enum { A_DAY = 1440 };
#define NONE ((double)NAN) /* no figure */

static struct delay_group *
group(struct list *l, const char *table, const char *method, const char *params, const char *stream,
      struct bench_kind kind, uint32_t n_ref, double threshold, uint32_t runs_then)
{
	struct delay_group *g = &l->group[l->n];

	if (l->n++ == l->room)
		bench_die("groups", "too many");
	*g = (struct delay_group){ .table = table, .stream = stream, .kind = kind, .n_ref = n_ref,
		.per_day = A_DAY, .threshold = threshold, .records_max = 40000, .runs_then = runs_then,
		.test = { method, detector_find(method), params, 1, 1, false, false } };
	return g;
}

static void
shifts(struct delay_group *g, uint32_t n, const double *size, const double *expected)
{
	static const struct { double size; const char *text; } names[] = { { .25, "shift .25" }, { .5, "shift .5" },
		{ 1, "shift 1" }, { 2, "shift 2" } };

	for (uint32_t i = 0; i < n; i++) {
		struct delay_case *c = &g->change[g->changes++];

		*c = (struct delay_case){ "", expected[i], NONE, size[i], 0, 0, 0 };
		for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
			if (fabs(names[k].size - size[i]) < 1e-9)
				c->what = names[k].text;
	}
}

static void
one(struct delay_group *g, const char *what, double expected, double missed, double shift, double scale, double to,
    int which)
{
	g->change[g->changes++] = (struct delay_case){ what, expected, missed, shift, scale, to, which };
}

static const double three[] = { .25, .5, 1 }, four[] = { .25, .5, 1, 2 };
static const struct bench_kind normal = { .law = LAW_NORMAL };

static void
conformal(struct list *l)
{
	static const struct { uint32_t n_ref; double threshold, expected[3]; } table[] = {
		{ 200, 1e3, { 123, 41, 16 } }, { 2000, 1e3, { 117, 40, 16 } }, { 20000, 1e3, { 116, 40, 16 } },
		{ 200, 1e4, { 345, 66, 24 } }, { 2000, 1e4, { 221, 65, 22 } }, { 20000, 1e4, { 207, 64, 23 } },
	};
	/* The ten Betas without the jumper; a split half of our reference is its counts. */
	static const struct { uint32_t n_ref; double expected[4]; } betas[] = {
		{ 2000, { 294, 75, 22, 9 } }, { 20000, { 264, 71, 21, 8.8 } }, { 200000, { 245, 67, 22, 8.8 } },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct delay_group *g = group(l, "ranks, growing reference", "conformal", "", "N(0,1)", normal,
		                              table[i].n_ref, table[i].threshold, 300);

		shifts(g, 3, three, table[i].expected);
		g->peers = table[i].n_ref == 20000 && table[i].threshold > 5e3;
	}
	for (size_t i = 0; i < sizeof betas / sizeof betas[0]; i++) {
		struct delay_group *g = group(l, "ranks: the Beta bets alone", "conformal", "", "N(0,1)", normal,
		                              betas[i].n_ref, 1e4, 2000);

		shifts(g, 4, four, betas[i].expected);
		g->other_bet = true;
	}
}

static void
thinned(struct list *l)
{
	static const struct { const char *stream; double ar; uint32_t n_ref; bool per_step; double expected[3], missed; }
	table[] = {
		{ "AR .5", .5, 2000, false, { 5704, 684, 199 }, .28 },
		{ "AR .5", .5, 2000, true, { 2376, 408, 141 }, NONE },
		{ "AR .5", .5, 20000, false, { 2025, 529, 188 }, NONE },
		{ "AR .5", .5, 20000, true, { 1031, 351, 134 }, NONE },
		{ "AR .9", .9, 20000, false, { 12992, 4559, 1172 }, .53 },
		{ "AR .9", .9, 20000, true, { 4218, 1635, 601 }, NONE },
	};
	static const struct { const char *stream; double season, expected[3]; } seasons[] = {
		{ "season .3", .3, { 225, 65, 23 } }, { "season 1", 1, { 218, 65, 23 } },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bench_kind kind = { .law = LAW_NORMAL, .ar = table[i].ar };
		struct delay_group *g = group(l, table[i].per_step ? "thinned, the same budget a record"
		                                                   : "thinned", "conformal", "",
		                              table[i].stream, kind, table[i].n_ref, 1e4, 100);

		g->test.thin = OPTION_AUTO;
		g->per_step = table[i].per_step;
		shifts(g, 3, three, table[i].expected);
		g->change[0].expected_missed = table[i].missed;
		g->peers = table[i].per_step && table[i].n_ref == 20000;
	}
	for (size_t i = 0; i < sizeof seasons / sizeof seasons[0]; i++) {
		struct bench_kind kind = { .law = LAW_NORMAL, .season = seasons[i].season };
		struct delay_group *g = group(l, "ranks by hour of the day", "mondrian", "", seasons[i].stream, kind,
		                              20160, 1e4, 100);

		g->test.keyed = true;
		shifts(g, 3, three, seasons[i].expected);
		g->peers = i == 1;
	}
}

/* `tolerant` and, on the same streams, `conformal`. */
static void
numbers(struct list *l)
{
	static const struct { const char *stream, *what; enum bench_law law; double shift, scale, to;
		double tolerant[2], conformal[2], conformal_missed[2]; } table[] = {
		{ "N(0,1)", "variance x 1.5", LAW_NORMAL, 0, 1.22474487, 0, { 561, 1170 }, { 197, 299 }, { NONE, NONE } },
		{ "exponential", "shift .5", LAW_EXPONENTIAL, .5, 0, 0, { 50, 73 }, { 32, 50 }, { NONE, NONE } },
		{ "t2", "shift .5", LAW_T2, .5, 0, 0, { 568, 1240 }, { 105, 193 }, { NONE, NONE } },
		{ "3-valued", ".6 .3 .1 -> .5 .3 .2", LAW_THREE, 0, 0, 0, { 530, 1571 }, { 278, 588 }, { NONE, NONE } },
		{ "99 % zeros", "non-zero 1 % -> 4 %", LAW_ZEROS, 0, 0, .04, { 363, 659 }, { 2222, NONE }, { .02, .85 } },
	};
	static const double shift[2][2][3] = { { { 1058, 147, 35 }, { 1986, 262, 51 } },
		{ { 209, 63, 24 }, { 409, 114, 39 } } };
	static const double small[] = { 2124, 176, 34 };

	for (int test = 0; test < 2; test++)
		for (int t = 0; t < 2; t++) {
			const char *method = test ? "conformal" : "tolerant";
			double threshold = t ? 1e6 : 1e4;
			struct delay_group *g = group(l, "beyond a tolerance, and without one", method, "", "N(0,1)",
			                              normal, 10000, threshold, 40);

			shifts(g, 3, three, shift[test][t]);
			for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
				struct bench_kind kind = { .law = table[i].law };

				if (i > 0)
					g = group(l, "beyond a tolerance, and without one", method, "", table[i].stream, kind,
					          10000, threshold, 40);
				one(g, table[i].what, test ? table[i].conformal[t] : table[i].tolerant[t],
				    test ? table[i].conformal_missed[t] : NONE, table[i].shift, table[i].scale, table[i].to, 0);
				g->peers = !test && !t;
				g->records_max = 15000;
			}
		}
	shifts(group(l, "beyond a tolerance, and without one", "tolerant", "", "N(0,1)", normal, 2000, 1e4, 40), 3,
	       three, small);
}

static void
wander(struct list *l)
{
	static const double half[] = { .5, 1 };
	static const struct { const char *stream; double day_sd, expected[2]; } table[] = {
		{ "days differ by .05", .05, { 346, 43 } }, { "days differ by .1", .1, { 1889, 76 } },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bench_kind kind = { .law = LAW_NORMAL, .day_sd = table[i].day_sd };
		struct delay_group *g = group(l, "beyond what days differ by", "tolerant", "", table[i].stream, kind,
		                              10080, 1e4, 20);

		g->days = true;
		g->per_day = 720;
		shifts(g, 2, half, table[i].expected);
	}
}

static void
shares(struct list *l)
{
	static const struct { const char *stream, *what; double rate, to, tolerant, binary; } table[] = {
		{ "rate .1", "-> .2", .1, .2, 392, 125 }, { "rate .01", "-> .03", .01, .03, 2889, 350 },
		{ "rate .5", "-> .6", .5, .6, 1444, 219 },
	};
	static const struct { uint32_t n; double tolerant, categorical; } halves[] = { { 5, 141, 76 }, { 50, 808, 244 } };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		for (int test = 0; test < 2; test++) {
			struct bench_kind kind = { .law = LAW_BERNOULLI, .rate = table[i].rate };
			struct delay_group *g = group(l, "rates", test ? "binary" : "tolerant-binary", "", table[i].stream, kind,
			                              10000, 1e4, 40);

			one(g, table[i].what, test ? table[i].binary : table[i].tolerant, NONE, 0, 0, table[i].to, 0);
			g->peers = true;
			g->peers_up = test;
			g->records_max = 15000;
		}
	for (size_t i = 0; i < 2; i++)
		for (int test = 0; test < 2; test++) {
			struct bench_kind kind = { .law = LAW_ZIPF, .categories = halves[i].n };

			one(group(l, "categories", test ? "categorical" : "tolerant-categorical", "", i ? "50 Zipf" : "5 Zipf",
			          kind, 10000, 1e4, 40),
			    "the most frequent halves", test ? halves[i].categorical : halves[i].tolerant, NONE, 0, 0, 0,
			    SHARES_HALVE);
		}
}

static void
phases(struct list *l)
{
	static const struct { const char *stream; double ar; uint32_t n_ref; double expected[3]; } table[] = {
		{ "misses, AR 0", 0, 2000, { 292, 128, 42 } }, { "misses, AR .5", .5, 2000, { 614, 263, 103 } },
		{ "misses, AR .5", .5, 10000, { 668, 236, 89 } }, { "misses, AR .8", .8, 2000, { 1264, 515, 186 } },
		{ "misses, AR .8", .8, 10000, { 1095, 462, 165 } }, { "misses, AR .9", .9, 2000, { 1693, 618, 279 } },
		{ "misses, AR .9", .9, 10000, { 2092, 771, 319 } },
	};
	static const char *const what[] = { "-> .15", "-> .2", "-> .3" };
	static const double to[] = { .15, .2, .3 };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bench_kind kind = { .law = LAW_MISS, .rate = .1, .ar = table[i].ar };
		struct delay_group *g = group(l, "a stated rate, in phases", "sr-bernoulli", "p0=.1", table[i].stream,
		                              kind, table[i].n_ref, 1e4, 40);

		g->test.phases = OPTION_AUTO;
		g->peers = table[i].n_ref == 10000;
		g->peers_up = true;
		for (int k = 0; k < 3; k++)
			one(g, what[k], table[i].expected[k], NONE, 0, 0, to[k], 0);
	}
}

static void
known(struct list *l)
{
	static const struct { const char *method, *params; double expected[4]; } normals[] = {
		{ "sr-normal", "", { 180, 57.6, 18.3, 5.9 } }, { "cusum", "k=.5,h=8.053", { 760, 79.7, 15.5, 5.7 } },
		{ "cusum", "k=.25,h=14.492", { 228, 50.5, 18.1, 8.1 } },
		{ "cusum", "k=.125,h=24.634", { 158, 57.8, 25.4, 12.1 } },
		{ "ewma", "lambda=.05,L=3.627", { 340, 57.8, 17.2, 7.3 } },
		{ "ewma", "lambda=.1,L=3.749", { 707, 86.8, 16.5, 5.9 } },
		{ "ewma", "lambda=.2,L=3.834", { 1455, 199, 20.7, 5.2 } }, { "focus", "", { 223, 60.7, 16.8, 5.1 } },
	};
	static const char *const what[] = { "-> .12", "-> .15", "-> .2", "-> .3" };
	static const double to[] = { .12, .15, .2, .3 }, rates[] = { 1215, 328, 120, 43 };
	struct bench_kind rate = { .law = LAW_BERNOULLI, .rate = .1 };
	struct delay_group *g;

	for (size_t i = 0; i < sizeof normals / sizeof normals[0]; i++) {
		g = group(l, "a known law", normals[i].method, normals[i].params, "N(0,1)", normal, 0, 1e4, 2000);
		shifts(g, 4, four, normals[i].expected);
		g->peers = i == 0;
	}
	g = group(l, "a stated rate", "sr-bernoulli", "p0=.1", "rate .1", rate, 0, 1e4, 2000);
	for (int k = 0; k < 4; k++)
		one(g, what[k], rates[k], NONE, 0, 0, to[k], 0);
	g->peers = g->peers_up = true;
}

static void
p_values(struct list *l)
{
	static const struct { const char *params; double shift[4], scale[4]; } table[] = {
		{ "form=sr,jumper=simple", { 177, 60.7, 28.3, 17.3 }, { 202, 76, 40, 35 } },
		{ "form=cusum,jumper=simple", { 403, 120, 54, 33 }, { NONE, NONE, NONE, NONE } },
		{ "form=sr,jumper=composite", { 247, 81, 37, 22 }, { 282, 102, 53, 46 } },
		{ "form=cusum,jumper=composite", { 504, 156, 71, 42 }, { NONE, NONE, NONE, NONE } },
	};
	static const char *const what[] = { "scale 1.25", "scale 1.5", "scale 2", "scale .5" };
	static const double scale[] = { 1.25, 1.5, 2, .5 };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bench_kind one_tail = { .law = LAW_NORMAL, .tail = 1 }, two_tails = { .law = LAW_NORMAL, .tail = 2 };
		struct delay_group *g = group(l, "p-values", "martingale", table[i].params, "p of N(0,1)", one_tail, 0,
		                              1e4, 1000);

		shifts(g, 4, four, table[i].shift);
		if (isnan(table[i].scale[0]))
			continue;
		g = group(l, "p-values", "martingale", table[i].params, "p of |N(0,1)|", two_tails, 0, 1e4, 1000);
		for (int k = 0; k < 4; k++)
			one(g, what[k], table[i].scale[k], NONE, 0, scale[k], 0, 0);
	}
}

static void
steps(struct list *l)
{
	static const struct { uint32_t split; double threshold, expected[3], missed; } rates[] = {
		{ 200, 1e4, { 839, 175, 54.7 }, NONE }, { 1000, 1e4, { 474, 137, 47.1 }, NONE },
		{ 10000, 1e4, { 347, 118, 45.3 }, NONE }, { 100000, 1e4, { 323, 115, 43.5 }, NONE },
		{ 200, 1e6, { 2293, 471, 109 }, .31 }, { 1000, 1e6, { 1675, 316, 90 }, .07 },
		{ 10000, 1e6, { 841, 252, 78 }, NONE }, { 100000, 1e6, { 760, 228, 78 }, NONE },
	};
	static const char *const what[] = { "-> .15", "-> .2", "-> .3" };
	static const double to[] = { .15, .2, .3 };
	static const struct { uint32_t n; double expected[4]; } zipf[] = {
		{ 5, { 272, 114, 25.7, 450 } }, { 50, { 869, 2890, 693, 313 } },
	};
	static const char *const moves[] = { "20 % of the first to the second", "the middle one doubles",
		"the rarest x 5", "shares ^ .7" };

	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		struct bench_kind kind = { .law = LAW_BERNOULLI, .rate = .1 };
		struct delay_group *g = group(l, "a rate learned from the reference", "binary", "", "rate .1", kind,
		                              2 * rates[i].split, rates[i].threshold, 1000);

		g->records_max = 30000;
		for (int k = 0; k < 3; k++)
			one(g, what[k], rates[i].expected[k], k ? NONE : rates[i].missed, 0, 0, to[k], 0);
		g->peers = rates[i].split == 10000 && rates[i].threshold < 1e5;
		g->peers_up = true;
	}
	for (size_t i = 0; i < 2; i++) {
		struct bench_kind kind = { .law = LAW_ZIPF, .categories = zipf[i].n };
		struct delay_group *g = group(l, "categories learned from the reference", "categorical", "",
		                              i ? "50 Zipf" : "5 Zipf", kind, 20000, 1e4, 1000);

		for (int k = 0; k < 4; k++)
			one(g, moves[k], zipf[i].expected[k], NONE, 0, 0, 0, k);
	}
}

static void
vectors(struct list *l)
{
	static const char *const what[] = { "all means by .25", "one mean by 1", "correlation .5", "one scale x 2",
		"one pair, correlation .8" };
	static const double expected[] = { 75, 52, 31, 46, 184 };
	struct bench_kind kind = { .law = LAW_VECTOR };
	struct delay_group *g = group(l, "64 projections", "projections", "", "10 normal", kind, 20000, 1e4, 100);

	g->other_bet = true; /* the table's scores have the Beta bets alone */
	for (int k = 0; k < 5; k++)
		one(g, what[k], expected[k], NONE, 0, 0, 0, k);
}

/* One false alarm in a million. Last, for the random numbers of a group follow from its place. */
static void
stated_rate(struct list *l)
{
	static const char *const what[] = { "-> .12", "-> .15", "-> .2", "-> .3" };
	static const double to[] = { .12, .15, .2, .3 }, expected[] = { 3590, 725, 229, 76 };
	struct bench_kind rate = { .law = LAW_BERNOULLI, .rate = .1 };
	struct delay_group *g = group(l, "a stated rate", "sr-bernoulli", "p0=.1", "rate .1", rate, 0, 1e6, 1000);

	for (int k = 0; k < 4; k++)
		one(g, what[k], expected[k], NONE, 0, 0, to[k], 0);
}

uint32_t
delay_tables(struct delay_group *out, uint32_t room)
{
	struct list l = { out, 0, room };

	known(&l);
	conformal(&l);
	numbers(&l);
	wander(&l);
	shares(&l);
	steps(&l);
	thinned(&l);
	phases(&l);
	p_values(&l);
	vectors(&l);
	stated_rate(&l);
	return l.n;
}
