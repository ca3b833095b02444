/* number.h -- JSON numbers into doubles, exactly: the nearest double, ties to even, as strtod()
 * does in the C locale.
 *
 * number_fast() takes the numbers that records are made of, without a loop: the token list says
 * where a number ends, so its parts are loaded from the right, eight digits at a time. It reads
 * up to 32 bytes before and 8 after the number; the decoder's buffer has both margins.
 *
 * Everything that is not of that form goes to simdjson.
 */
#ifndef MONITOR_DECODE_NUMBER_H
#define MONITOR_DECODE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "monitor/decode/json.h"

enum { NUMBER_MARGIN = 32 };

struct number {
	uint64_t digits;   /* the first 19 significant ones */
	int64_t exponent;  /* value = digits * 10^exponent, unless truncated */
	bool negative;
	bool truncated;    /* a digit other than 0 was left out */
	bool integral;     /* written without fraction and exponent */
};

extern const double number_power[23];         /* 10^p */
extern const uint64_t number_inverse[23][2]; /* 5^-p, its first 128 bits, p = 0 .. 22 */
extern const uint64_t number_power_u64[20];  /* 10^0 .. 10^19 */

/* Checks the grammar of a number; its end, or NULL when it is malformed. */
const char *number_scan(const char *s, struct number *out);
/* The value of a number that was scanned at `s`; infinite on overflow. */
double number_value(const char *s, const struct number *n);

__extension__ typedef unsigned __int128 number_u128;

static inline uint64_t
number_load(const char *s)
{
	uint64_t word;
	memcpy(&word, s, sizeof(word));
	return word;
}

/* Eight characters, the first in the lowest byte: true and their value if all are digits. */
static inline bool
number_eight(uint64_t word, uint64_t *value)
{
	const uint64_t high = 0xf0f0f0f0f0f0f0f0u;
	if (((word & high) | ((word + 0x0606060606060606u) & high) >> 4) != 0x3333333333333333u)
		return false;
	/* Pairs, then fours, then eights, each with one multiplication (Lemire). */
	word -= 0x3030303030303030u;
	word = word * 10 + (word >> 8);
	*value = ((word & 0x000000ff000000ffu) * 0x000f424000000064u +
	          ((word >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >>
	         32;
	return true;
}

/* Zeros in front of the last n (1..8) characters of a word. */
static inline uint64_t
number_zeros(size_t n)
{
	return 0x3030303030303030u >> 8 * (n - 1) >> 8;
}

/* The digits at `s`, `whole` of them, followed by those of the fraction (0..7) that end at
 * `end`, less the dot between them. */
static inline bool
number_join(uint64_t head, size_t whole, const char *end, size_t places, uint64_t *value)
{
	const uint64_t fraction = ~(UINT64_MAX >> 8 * places);
	const size_t n = whole + places;

	if (__builtin_expect(n <= 8, 1))
		return number_eight((number_load(end - 8) & fraction) |
		                            (head << (64 - 8 * n) & ~fraction) | number_zeros(n),
		                    value);
	uint64_t low;
	const uint64_t zeros = 0x3030303030303030u & ~fraction;
	if (!number_eight(head << (64 - 8 * whole) | number_zeros(whole), value) ||
	    !number_eight((number_load(end - 8) & fraction) | zeros, &low))
		return false;
	*value = *value * number_power_u64[places] + low;
	return true;
}

/* digits / 10^places for places <= 22, correctly rounded: Eisel and Lemire as in Lemire 2021,
 * "Number parsing at a gigabyte per second", section 5 (simdjson's compute_float_64, without
 * what cannot occur here: no subnormal, no overflow). There is no branch that depends on the
 * digits but for rare ties. False when 128 bits do not decide. */
static inline bool
number_divide(uint64_t digits, unsigned places, bool negative, double *value)
{
	uint64_t bits = 0;

	if (__builtin_expect(digits != 0, 1)) {
		const int zeros = __builtin_clzll(digits);
		const number_u128 product =
			(number_u128)(digits << zeros) * number_inverse[places][0];
		uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
		if (__builtin_expect((high & 0x1ff) == 0x1ff, 0)) {
			uint64_t more = (uint64_t)(((number_u128)(digits << zeros) *
			                            number_inverse[places][1]) >> 64);
			low += more;
			high += low < more;
			if (low == UINT64_MAX)
				return false;
		}
		const unsigned top = (unsigned)(high >> 63);
		uint64_t mantissa = high >> (top + 9);
		const int64_t power = (((152170 + 65536) * -(int64_t)places) >> 16) + 1024 + 63;
		uint64_t exponent = (uint64_t)(power - zeros - (1 - (int)top));
		/* Half way between two doubles: only where 5^places divides the digits. */
		if (__builtin_expect(low <= 1 && places <= 4 && (mantissa & 3) == 1, 0) &&
		    mantissa << (top + 64 - 53 - 2) == high)
			mantissa &= ~(uint64_t)1;
		mantissa = (mantissa + (mantissa & 1)) >> 1;
		/* A carry out of the 53 bits adds one to the exponent by itself. */
		bits = (exponent << 52) + (mantissa - ((uint64_t)1 << 52));
	}
	bits |= (uint64_t)negative << 63;
	memcpy(value, &bits, sizeof(*value));
	return true;
}

/* Nine to sixteen digits and nothing else: event times. */
static inline bool
number_whole(const char *s, const char *end, uint64_t *value)
{
	const size_t n = (size_t)(end - s);
	uint64_t low;

	if (n - 9 > 7 || *s == '0' ||
	    !number_eight(number_load(s) << (128 - 8 * n) | number_zeros(n - 8), value) ||
	    !number_eight(number_load(end - 8), &low))
		return false;
	*value = *value * 100000000 + low;
	return true;
}

static inline double
number_signed(double magnitude, bool negative)
{
	uint64_t bits;
	memcpy(&bits, &magnitude, sizeof(bits));
	bits |= (uint64_t)negative << 63;
	memcpy(&magnitude, &bits, sizeof(bits));
	return magnitude;
}

/* The same where digits <= 2^53: they and the power are doubles without error, and IEEE division
 * rounds their quotient once (Clinger 1990). Cheaper than number_divide(), so used where numbers
 * are short. */
static inline double
number_divide_short(uint64_t digits, unsigned places, bool negative)
{
	return number_signed((double)(int64_t)digits / number_power[places], negative);
}

/* False: not of the simple form, or not a number at all; number_scan() knows. `end` is the next
 * token, so a number that is followed by blanks is not simple. */
static inline bool
number_fast(const char *s, const char *end, double *value, bool *integral)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	return false;
#endif
	const bool negative = *s == '-';
	s += negative;
	const size_t n = (size_t)(end - s);
	const uint64_t head = number_load(s), other = head ^ 0x2e2e2e2e2e2e2e2eu;
	const uint64_t dots = (other - 0x0101010101010101u) & ~other & 0x8080808080808080u;
	size_t whole = dots == 0 ? 8 : (size_t)__builtin_ctzll(dots) / 8, places = 0;
	uint64_t digits, part;

	if (whole < n) {
		places = n - whole - 1;
		if (whole > 7 || places == 0)
			return false;
	} else {
		whole = n;
	}
	*integral = places == 0;
	const bool zero = *s == '0';
	/* At most 19 digits that count; a leading zero stands alone. */
	if (whole - 1 > 7 || (zero && whole > 1) || whole + places > (zero ? 20 : 19))
		return false;
	if (places < 8) {
		if (!number_join(head, whole, end, places, &digits))
			return false;
	} else {
		if (!number_eight(number_load(end - 8), &part))
			return false;
		if (places < 16) {
			if (!number_join(head, whole, end - 8, places - 8, &digits))
				return false;
		} else {
			uint64_t middle;
			if (!number_eight(number_load(end - 16), &middle) ||
			    !number_join(head, whole, end - 16, places - 16, &digits))
				return false;
			digits = digits * 100000000 + middle;
		}
		digits = digits * 100000000 + part;
	}
	if (places > 14 || digits > (uint64_t)1 << 53)
		return number_divide(digits, (unsigned)places, negative, value);
	*value = number_divide_short(digits, (unsigned)places, negative);
	return true;
}

#endif
