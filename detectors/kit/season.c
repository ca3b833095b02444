/* season.c -- see season.h. */
#include "detectors/kit/season.h"

#include <math.h>
#include <stdlib.h>

#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"

enum { HOURS = 24, DAYS = 7, DAYS_MIN = 4, DAYS_FLIP = 10, FLIPS = 999 };
#define LEVEL_DAY 0.005
#define LEVEL_WEEK 0.01

const char *
season_text(enum season s)
{
	static const char *const text[] = { "", "day", "weekday", "week" };

	return text[s];
}

uint32_t
season_phases(enum season s)
{
	static const uint32_t phases[] = { 1, HOURS, DAYS, HOURS * DAYS };

	return phases[s];
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

uint32_t
season_phase(enum season s, int64_t hour)
{
	int64_t day = floor_div(hour, HOURS);

	switch (s) {
	case SEASON_DAY:
		return (uint32_t)(hour - day * HOURS);
	case SEASON_WEEKDAY:
		return (uint32_t)(day - floor_div(day, DAYS) * DAYS);
	case SEASON_WEEK:
		return (uint32_t)(hour - floor_div(hour, HOURS * DAYS) * HOURS * DAYS);
	case SEASON_NONE:
		break;
	}
	return 0;
}

uint32_t
season_cycle(enum season s)
{
	return s == SEASON_WEEK || s == SEASON_WEEKDAY ? DAYS : 1;
}

/* Sums of one day, by hour. */
struct day {
	int64_t day;
	double sum[HOURS], count[HOURS], mean;
};

static int
by_hour(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

/* Days that have values, in order of time. NULL: out of memory. */
static struct day *
gather(const double *value, const int32_t *hour, uint32_t n, uint32_t *days)
{
	int32_t *sorted = malloc((n + (size_t)1) * sizeof *sorted);
	struct day *d = NULL;
	uint32_t used = 0;

	if (!sorted)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = (int32_t)floor_div(hour[i], HOURS);
	qsort(sorted, n, sizeof *sorted, by_hour);
	for (uint32_t i = 0; i < n; i++)
		if (!i || sorted[i] != sorted[i - 1])
			sorted[used++] = sorted[i];
	d = calloc(used + (size_t)1, sizeof *d);
	for (uint32_t i = 0; i < n && d; i++) {
		int32_t key = (int32_t)floor_div(hour[i], HOURS);
		const int32_t *at = bsearch(&key, sorted, used, sizeof *sorted, by_hour);
		struct day *one = &d[at - sorted];
		uint32_t h = season_phase(SEASON_DAY, hour[i]);

		one->day = key;
		one->sum[h] += value[i];
		one->count[h]++;
	}
	free(sorted);
	*days = used;
	for (uint32_t k = 0; k < used && d; k++) {
		double sum = 0, count = 0;

		for (uint32_t h = 0; h < HOURS; h++) {
			sum += d[k].sum[h];
			count += d[k].count[h];
		}
		d[k].mean = sum / count;
	}
	return d;
}

/* The profile of days parity, parity + 2, ... against that of the others. */
static bool
profile_returns(const struct day *d, uint32_t days, uint32_t parity)
{
	double profile[HOURS] = { 0 }, count[HOURS] = { 0 }, sum = 0, squares = 0, sd, mean;
	uint32_t n = 0;

	for (uint32_t k = parity; k < days; k += 2)
		for (uint32_t h = 0; h < HOURS; h++) {
			profile[h] += d[k].sum[h] - d[k].count[h] * d[k].mean;
			count[h] += d[k].count[h];
		}
	for (uint32_t k = 1 - parity; k < days; k += 2) {
		double product = 0;

		for (uint32_t h = 0; h < HOURS; h++)
			if (count[h] > 0)
				product += profile[h] / count[h] * (d[k].sum[h] - d[k].count[h] * d[k].mean);
		sum += product;
		squares += product * product;
		n++;
	}
	if (n < 2)
		return false;
	mean = sum / n;
	sd = sqrt(fmax(0, (squares - sum * mean) / (n - 1)));
	return mean > special_t_quantile(1 - LEVEL_DAY, n - 1) * sd / sqrt(n) && mean > 0;
}

/* How much the days add up, each with a sign. */
static double
added(const struct day *d, uint32_t days, const double count[HOURS], uint64_t flip)
{
	double sum[HOURS] = { 0 }, total = 0;

	for (uint32_t k = 0; k < days; k++) {
		double sign = flip && rng_uniform(1, flip, k) < 0.5 ? -1 : 1;

		for (uint32_t h = 0; h < HOURS; h++)
			sum[h] += sign * (d[k].sum[h] - d[k].count[h] * d[k].mean);
	}
	for (uint32_t h = 0; h < HOURS; h++)
		if (count[h] > 0)
			total += sum[h] * sum[h] / count[h];
	return total;
}

/* Among FLIPS random changes of signs, is that of no change one of the largest? */
static bool
days_agree(const struct day *d, uint32_t days)
{
	double count[HOURS] = { 0 }, own;
	uint32_t larger = 0;

	for (uint32_t k = 0; k < days; k++)
		for (uint32_t h = 0; h < HOURS; h++)
			count[h] += d[k].count[h];
	own = added(d, days, count, 0);
	for (uint32_t flip = 1; flip <= FLIPS && own > 0; flip++)
		larger += added(d, days, count, flip) >= own;
	return own > 0 && larger + 1 <= LEVEL_DAY * (FLIPS + 1);
}

static bool
weekdays_differ(const struct day *d, uint32_t days)
{
	double sum[DAYS] = { 0 }, count[DAYS] = { 0 }, total = 0, between = 0, within = 0, f;
	double df1 = DAYS - 1, df2 = (double)days - DAYS;

	for (uint32_t k = 0; k < days; k++) {
		uint32_t w = season_phase(SEASON_WEEKDAY, d[k].day * HOURS);

		sum[w] += d[k].mean;
		count[w]++;
		total += d[k].mean;
	}
	for (uint32_t w = 0; w < DAYS; w++) {
		double off;

		if (count[w] < 2) /* two weeks at least */
			return false;
		off = sum[w] / count[w] - total / days;
		between += count[w] * off * off;
	}
	for (uint32_t k = 0; k < days; k++) {
		uint32_t w = season_phase(SEASON_WEEKDAY, d[k].day * HOURS);
		double off = d[k].mean - sum[w] / count[w];

		within += off * off;
	}
	if (!(between > 0))
		return false;
	if (!(within > 0)) /* weeks that repeat exactly */
		return true;
	f = between / df1 / (within / df2);
	return special_beta_cdf(df2 / (df2 + df1 * f), df2 / 2, df1 / 2) < LEVEL_WEEK;
}

bool
season_find(const double *value, const int32_t *hour, uint32_t n, struct season_found *out)
{
	uint32_t days = 0;
	struct day *d = gather(value, hour, n, &days);

	*out = (struct season_found){ false, false };
	if (!d)
		return false;
	if (days >= DAYS_FLIP)
		out->day = days_agree(d, days);
	else if (days >= DAYS_MIN)
		out->day = profile_returns(d, days, 0) && profile_returns(d, days, 1);
	if (days >= 2 * DAYS)
		out->week = weekdays_differ(d, days);
	free(d);
	return true;
}
