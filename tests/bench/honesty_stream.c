/* honesty_stream.c -- see honesty_stream.h. */
#include "tests/bench/honesty_stream.h"

#include <math.h>

#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"

enum { NIGHT_FROM = 20, DAY_FROM = 8 };

static double
uniform(struct honesty_stream *s)
{
	return rng_uniform(s->seed, 11, ++s->drawn);
}

/* Box and Muller: half the price of a quantile. */
static double
normal(struct honesty_stream *s)
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

void
honesty_stream_init(struct honesty_stream *s, const struct honesty_kind *k, uint64_t seed, double per_ms)
{
	*s = (struct honesty_stream){ .kind = k, .seed = seed, .per_ms = per_ms, .day = -1 };
}

bool
honesty_stream_pick(struct honesty_stream *s, uint32_t of)
{
	return of <= 1 || uniform(s) * of < 1;
}

static bool
is_day(double ms)
{
	double hour = fmod(ms, HONESTY_DAY_MS) / 3600000;

	return hour >= DAY_FROM && hour < NIGHT_FROM;
}

/* Even gaps, or a Poisson process whose rate by night is that by day / day_night. */
static void
arrive(struct honesty_stream *s)
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
dependent_normal(struct honesty_stream *s, uint32_t j)
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
zipf(double u)
{
	static double below[HONESTY_CATEGORIES]; /* filled once, the same in every process */
	double sum = 0;
	uint32_t k = 0;

	if (!(below[0] > 0)) {
		for (k = 0; k < HONESTY_CATEGORIES; k++)
			sum += 1.0 / (k + 1);
		for (k = 0; k < HONESTY_CATEGORIES; k++)
			below[k] = (k ? below[k - 1] : 0) + 1 / ((k + 1) * sum);
	}
	for (k = 0; k < HONESTY_CATEGORIES - 1 && u >= below[k]; k++)
		;
	return k;
}

static double
value(struct honesty_stream *s)
{
	const struct honesty_kind *k = s->kind;
	double u, rate;

	switch (k->law) {
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
		return u < .6 ? 1 : u < .9 ? 2 : 3;
	case LAW_ZEROS:
		u = uniform(s);
		return u < .99 ? 0 : -log((u - .99) / .01);
	default:
		rate = k->rate + (s->monitored ? k->edge * sqrt(k->rate * (1 - k->rate)) : 0);
		if (k->ar > 0)
			return dependent_normal(s, 0) > -special_normal_quantile(rate);
		return uniform(s) < rate;
	}
}

static void
fill_vector(struct honesty_stream *s, struct honesty_record *r)
{
	double common = normal(s);

	for (uint32_t j = 0; j < HONESTY_WIDTH; j++) {
		double x = (common + normal(s)) * M_SQRT1_2;

		if (s->kind->ar > 0) {
			s->state[j] = s->begun ? s->kind->ar * s->state[j]
			                         + sqrt(1 - s->kind->ar * s->kind->ar) * x : x;
			x = s->state[j];
		}
		r->value[j] = x;
	}
}

/* When it comes: a new day draws its effect. */
static void
place(struct honesty_stream *s, struct honesty_record *r)
{
	int32_t day;

	if (s->copies_left == 0)
		arrive(s);
	s->records++;
	day = (int32_t)(s->arrival_ms / HONESTY_DAY_MS);
	if (day != s->day)
		s->effect = s->kind->day_sd > 0 ? s->kind->day_sd * normal(s) : 0;
	s->day = day;
	r->ts_ms = (int64_t)s->arrival_ms;
	r->day = day;
	r->key = (uint32_t)(fmod(s->arrival_ms, HONESTY_DAY_MS) / 3600000);
}

void
honesty_stream_next(struct honesty_stream *s, struct honesty_record *r)
{
	const struct honesty_kind *k = s->kind;

	place(s, r);
	if (k->law == LAW_ZIPF) {
		r->code = zipf(uniform(s));
	} else if (k->law == LAW_VECTOR) {
		fill_vector(s, r);
	} else if (s->copies_left > 0) {
		s->copies_left--;
		r->value[0] = s->copied;
	} else {
		r->value[0] = value(s) + s->effect;
		if (k->season > 0)
			r->value[0] += k->season * sin(2 * M_PI * s->arrival_ms / HONESTY_DAY_MS);
		if (s->monitored && k->law != LAW_BERNOULLI)
			r->value[0] += k->edge;
		s->copied = r->value[0];
		if (k->bursts > 0 && uniform(s) < k->bursts)
			s->copies_left = k->copies - 1;
	}
	s->begun = true;
}
