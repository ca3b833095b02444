#include "monitor/decode/instant.h"

#include "monitor/decode/number.h"

enum { POWERS = 19 }; /* 10^19 does not fit into an int64_t */

static enum instant_status
in_range(bool negative, uint64_t magnitude, int64_t *ms)
{
	if (magnitude > (uint64_t)INSTANT_MAX)
		return negative ? INSTANT_BEFORE : INSTANT_BEYOND;
	*ms = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return INSTANT_FINE;
}

enum instant_status
instant_number(const struct number *n, int power, int64_t *ms)
{
	int64_t exponent = n->exponent + power;
	uint64_t magnitude = n->digits;

	if (magnitude == 0)
		return in_range(false, 0, ms);
	if (exponent >= 0) {
		if (exponent >= POWERS ||
		    __builtin_mul_overflow(magnitude, number_power_u64[exponent], &magnitude))
			magnitude = UINT64_MAX;
		return in_range(n->negative, magnitude, ms);
	}
	/* Floor, so that times before 1970 keep their order. */
	uint64_t rest = magnitude;
	if (-exponent <= POWERS) {
		rest = magnitude % number_power_u64[-exponent];
		magnitude /= number_power_u64[-exponent];
	} else {
		magnitude = 0;
	}
	if (n->negative && (rest != 0 || n->truncated))
		magnitude++;
	return in_range(n->negative, magnitude, ms);
}

/* `n` digits at *s, which moves behind them; -1 if they are not all digits. */
static int
digits(const char **s, const char *end, int n)
{
	int value = 0;

	if (end - *s < n)
		return -1;
	for (int i = 0; i < n; i++) {
		char c = *(*s)++;
		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
	}
	return value;
}

static bool
expect(const char **s, const char *end, char c)
{
	return *s < end && *(*s)++ == c;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; years begin in March, so that the
 * leap day is the last. */
static int64_t
days(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool
date(const char **s, const char *end, int64_t *out)
{
	static const int lengths[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = digits(s, end, 4);
	if (year < 0 || !expect(s, end, '-'))
		return false;
	int month = digits(s, end, 2);
	if (month < 1 || month > 12 || !expect(s, end, '-'))
		return false;
	int day = digits(s, end, 2);
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day < 1 || day > lengths[month - 1] || (month == 2 && day == 29 && !leap))
		return false;
	*out = days(year, month, day);
	return true;
}

/* Minutes east of Greenwich. */
static bool
offset(const char **s, const char *end, int *out)
{
	if (*s == end)
		return false;
	char c = *(*s)++;
	*out = 0;
	if (c == 'Z' || c == 'z')
		return true;
	if (c != '+' && c != '-')
		return false;
	int hours = digits(s, end, 2);
	if (hours < 0 || hours > 23 || !expect(s, end, ':'))
		return false;
	int minutes = digits(s, end, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*out = (c == '-' ? -1 : 1) * (hours * 60 + minutes);
	return true;
}

enum instant_status
instant_text(const char *s, size_t length, int64_t *ms)
{
	const char *end = s + length;
	int64_t day;
	int east, fraction = 0;

	if (!date(&s, end, &day) || s == end || (*s != 'T' && *s != 't' && *s != ' '))
		return INSTANT_WRONG;
	s++;
	int hour = digits(&s, end, 2);
	if (hour < 0 || hour > 23 || !expect(&s, end, ':'))
		return INSTANT_WRONG;
	int minute = digits(&s, end, 2);
	if (minute < 0 || minute > 59 || !expect(&s, end, ':'))
		return INSTANT_WRONG;
	int second = digits(&s, end, 2);
	if (second < 0 || second > 60) /* 60: a leap second, the next one of POSIX */
		return INSTANT_WRONG;
	if (s < end && *s == '.') {
		const char *first = ++s;
		for (; s < end && *s >= '0' && *s <= '9'; s++)
			if (s - first < 3)
				fraction = fraction * 10 + (*s - '0');
		if (s == first)
			return INSTANT_WRONG;
		for (int64_t n = s - first; n < 3; n++)
			fraction *= 10;
	}
	if (!offset(&s, end, &east) || s != end)
		return INSTANT_WRONG;
	*ms = ((day * 24 + hour) * 60 + minute - east) * 60000 + second * 1000 + fraction;
	return INSTANT_FINE;
}
