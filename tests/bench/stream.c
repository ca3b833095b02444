/* stream.c -- see stream.h. */
#include "tests/bench/stream.h"

#include <math.h>

#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"

enum { NIGHT_FROM = 20, DAY_FROM = 8 };

static double
uniform(struct bench_stream *s)
{
	return rng_uniform(s->seed, 11, ++s->drawn);
}

/* Box and Muller: half the price of a quantile. */
static double
normal(struct bench_stream *s)
{
	double radius, angle;

	if (s->has_spare) {
		s->has_spare = false;
		return s->spare;
	}
	radius = sqrt(-2 * log(uniform(s)));
	angle = 2 * M_PI * uniform(s);
	s->spare = radius * sin(angle);
	s->has_spare = true;
	return radius * cos(angle);
}

static uint32_t
categories(const struct bench_kind *k)
{
	return k->categories ? k->categories : STREAM_CATEGORIES;
}

/* One share times `factor`; the others keep their proportions. */
static void
multiply(double *share, uint32_t n, uint32_t which, double factor)
{
	double rest = (1 - factor * share[which]) / (1 - share[which]);

	for (uint32_t k = 0; k < n; k++)
		share[k] *= k == which ? factor : rest;
}

/* Cumulative shares of the categories, before and after. */
static void
fill_shares(struct bench_stream *s)
{
	uint32_t n = categories(s->kind);
	double share[2][STREAM_CATEGORIES], sum = 0, tempered = 0, part;

	for (uint32_t k = 0; k < n; k++)
		sum += 1.0 / (k + 1);
	for (uint32_t k = 0; k < n; k++) {
		share[0][k] = share[1][k] = 1 / ((k + 1) * sum);
		tempered += pow(share[0][k], 0.7);
	}
	part = 0.2 * share[0][0];
	switch (s->kind->to_which) {
	case SHARES_MOVE:
		share[1][0] -= part;
		share[1][1] += part;
		break;
	case SHARES_MIDDLE:
		multiply(share[1], n, (n - 1) / 2, 2);
		break;
	case SHARES_RARE:
		multiply(share[1], n, n - 1, 5);
		break;
	case SHARES_HALVE:
		multiply(share[1], n, 0, 0.5);
		break;
	default:
		for (uint32_t k = 0; k < n; k++)
			share[1][k] = pow(share[0][k], 0.7) / tempered;
	}
	for (int w = 0; w < 2; w++)
		for (uint32_t k = 0; k < n; k++)
			s->below[w][k] = (k ? s->below[w][k - 1] : 0) + share[w][k];
}

void
bench_stream_init(struct bench_stream *s, const struct bench_kind *k, uint64_t seed, double per_ms)
{
	*s = (struct bench_stream){ .kind = k, .seed = seed, .per_ms = per_ms, .day = -1 };
	if (k->law == LAW_ZIPF)
		fill_shares(s);
}

bool
bench_stream_pick(struct bench_stream *s, uint32_t of)
{
	return of <= 1 || uniform(s) * of < 1;
}

static bool
is_day(double ms)
{
	double hour = fmod(ms, STREAM_DAY_MS) / 3600000;

	return hour >= DAY_FROM && hour < NIGHT_FROM;
}

/* Even gaps, or a Poisson process whose rate by night is that by day / day_night. */
static void
arrive(struct bench_stream *s)
{
	double ratio = s->kind->day_night, by_day = 2 * s->per_ms * ratio / (ratio + 1);

	if (!(ratio > 0)) {
		s->arrival_ms = (double)s->records / s->per_ms;
		return;
	}
	do
		s->arrival_ms -= log(uniform(s)) / by_day;
	while (!is_day(s->arrival_ms) && uniform(s) * ratio >= 1);
}

/* A normal value with the dependence of the kind. */
static double
dependent_normal(struct bench_stream *s, uint32_t j)
{
	double ar = s->kind->ar, ma = s->kind->ma, e = normal(s), last = s->noise;
	double variance = (1 + 2 * ar * ma + ma * ma) / (1 - ar * ar);

	if (ar == 0 && ma == 0)
		return e;
	if (!s->begun) {
		s->state[j] = sqrt(variance) * e;
		s->noise = e;
		return e;
	}
	s->state[j] = ar * s->state[j] + e + ma * last;
	s->noise = e;
	return s->state[j] / sqrt(variance);
}

static uint32_t
category(struct bench_stream *s)
{
	const double *below = s->below[s->changed];
	uint32_t k = 0, last = categories(s->kind) - 1;
	double u = uniform(s);

	while (k < last && u >= below[k])
		k++;
	return k;
}

static double
indicator(struct bench_stream *s)
{
	const struct bench_kind *k = s->kind;
	double rate = s->changed ? k->to : k->rate;

	if (k->law == LAW_MISS)
		return fabs(dependent_normal(s, 0)) > -special_normal_quantile(rate / 2);
	if (s->monitored)
		rate += k->edge * sqrt(rate * (1 - rate));
	if (k->ar > 0)
		return dependent_normal(s, 0) > -special_normal_quantile(rate);
	return uniform(s) < rate;
}

/* The law alone, before or after the change. */
static double
value(struct bench_stream *s)
{
	double u, some;

	switch (s->kind->law) {
	case LAW_NORMAL:
		return dependent_normal(s, 0);
	case LAW_EXPONENTIAL:
		return -log(uniform(s));
	case LAW_T2:
		u = uniform(s);
		return (2 * u - 1) / sqrt(2 * u * (1 - u));
	case LAW_UNIFORM:
		return uniform(s);
	case LAW_THREE:
		u = uniform(s);
		return u < (s->changed ? .5 : .6) ? 1 : u < (s->changed ? .8 : .9) ? 2 : 3;
	case LAW_ZEROS:
		u = uniform(s);
		some = s->changed ? s->kind->to : 0.01;
		return u < 1 - some ? 0 : -log((u - (1 - some)) / some);
	default:
		return indicator(s);
	}
}

static void
fill_vector(struct bench_stream *s, struct bench_made *r)
{
	const struct bench_kind *k = s->kind;
	int to = s->changed ? k->to_which : -1;
	bool together = k->correlated || to == VECTOR_COMMON;
	double common = together ? normal(s) : 0;

	for (uint32_t j = 0; j < STREAM_WIDTH; j++) {
		double x = together ? (common + normal(s)) * M_SQRT1_2 : normal(s);

		if (k->ar > 0) {
			s->state[j] = s->begun ? k->ar * s->state[j] + sqrt(1 - k->ar * k->ar) * x : x;
			x = s->state[j];
		}
		r->value[j] = x;
	}
	for (uint32_t j = 0; to == VECTOR_MEANS && j < STREAM_WIDTH; j++)
		r->value[j] += 0.25;
	if (to == VECTOR_MEAN)
		r->value[0] += 1;
	if (to == VECTOR_SCALE)
		r->value[0] *= 2;
	if (to == VECTOR_PAIR)
		r->value[1] = 0.8 * r->value[0] + 0.6 * r->value[1];
}

/* When it comes: a new day draws its effect. */
static void
place(struct bench_stream *s, struct bench_made *r)
{
	int32_t day;

	if (s->copies_left == 0)
		arrive(s);
	s->records++;
	day = (int32_t)(s->arrival_ms / STREAM_DAY_MS);
	if (day != s->day)
		s->effect = s->kind->day_sd > 0 ? s->kind->day_sd * normal(s) : 0;
	s->day = day;
	r->ts_ms = (int64_t)s->arrival_ms;
	r->day = day;
	r->key = (uint32_t)(fmod(s->arrival_ms, STREAM_DAY_MS) / 3600000);
}

void
bench_stream_next(struct bench_stream *s, struct bench_made *r)
{
	const struct bench_kind *k = s->kind;

	place(s, r);
	if (k->law == LAW_ZIPF) {
		r->code = category(s);
	} else if (k->law == LAW_VECTOR) {
		fill_vector(s, r);
	} else if (s->copies_left > 0) {
		s->copies_left--;
		r->value[0] = s->copied;
	} else {
		r->value[0] = value(s);
		if (s->changed && k->scale > 0)
			r->value[0] *= k->scale;
		if (s->changed)
			r->value[0] += k->shift;
		r->value[0] += s->effect;
		if (k->season > 0)
			r->value[0] += k->season * sin(2 * M_PI * s->arrival_ms / STREAM_DAY_MS);
		if (s->monitored && k->law != LAW_BERNOULLI)
			r->value[0] += k->edge;
		if (k->tail)
			r->value[0] = k->tail * special_normal_cdf(k->tail == 1 ? -r->value[0] : -fabs(r->value[0]));
		s->copied = r->value[0];
		if (k->bursts > 0 && uniform(s) < k->bursts)
			s->copies_left = k->copies - 1;
	}
	s->begun = true;
}
