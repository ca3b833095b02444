/* number_avx2.h -- number_fast() with vectors; only for walk_avx2.c, which selects the
 * instructions.
 *
 * The last sixteen characters of a number are loaded at once, the dot is shuffled away, what
 * stands before the number is masked, and multiply-adds make one number of sixteen digits.
 * Longer numbers take the sixteen characters before those as well. Reads up to 32 bytes before
 * the number's end.
 *
 * A processor works on as many numbers at once as it can hold instructions, so both their count
 * and the length of the chain from the first load to the quotient matter here; checks stand
 * beside the chain.
 */
#ifndef MONITOR_DECODE_NUMBER_AVX2_H
#define MONITOR_DECODE_NUMBER_AVX2_H

#include <immintrin.h>

#include "monitor/decode/number.h"
#include "monitor/decode/number_tables.h"

#define NUMBER_VECTOR(field) _mm_load_si128((const __m128i *)(const void *)number_tables.field)

/* The last n of sixteen characters, less '0'; zeros in front of them. */
static inline __m128i
number_characters(const char *s, size_t n)
{
	const __m128i keep =
		_mm_loadu_si128((const __m128i *)(const void *)(number_tables.keep + n));
	const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)s);

	return _mm_and_si128(_mm_sub_epi8(x, NUMBER_VECTOR(zero)), keep);
}

/* The place of the first dot, 16 = there is none. */
static inline size_t
number_dot(__m128i x)
{
	const int dots = _mm_movemask_epi8(_mm_cmpeq_epi8(x, NUMBER_VECTOR(dot)));

	return _tzcnt_u64((unsigned)dots | 0x10000u);
}

/* Sixteen digits as two numbers of eight in the lowest places. */
static inline __m128i
number_two_eights(__m128i x)
{
	x = _mm_maddubs_epi16(x, NUMBER_VECTOR(two));
	x = _mm_madd_epi16(x, NUMBER_VECTOR(four));
	return _mm_madd_epi16(_mm_packus_epi32(x, x), NUMBER_VECTOR(eight));
}

static inline uint64_t
number_sixteen(__m128i x)
{
	const uint64_t both = (uint64_t)_mm_cvtsi128_si64(number_two_eights(x));

	return (both & 0xffffffffu) * 100000000 + (both >> 32);
}

/* Not zero where a character is no digit. */
static inline __m128i
number_strange(__m128i x)
{
	return _mm_subs_epu8(x, NUMBER_VECTOR(nine));
}

/* Sixteen to 24 characters, the sign left out, with a dot. */
static inline bool
number_wide_long(const char *end, size_t n, bool negative, double *value)
{
	__m128i low = number_characters(end - 16, 16), high = number_characters(end - 32, n - 16);
	const size_t at = number_dot(high), at_low = number_dot(low);

	/* The dot is in one of the parts, and not at the start; [17]: here it may end the first. */
	if ((at == 16) == (at_low == 16) || at == 32 - n || (n == 16 && at_low == 0))
		return false;
	high = _mm_shuffle_epi8(high, NUMBER_VECTOR(shuffle[at == 15 ? 17 : at]));
	low = _mm_shuffle_epi8(low, NUMBER_VECTOR(shuffle[at_low]));
	const __m128i strange = _mm_or_si128(number_strange(low), number_strange(high));
	const uint64_t first = number_sixteen(high);
	if (first >= 1000 || !_mm_testz_si128(strange, strange))
		return false;
	const uint64_t digits =
		first * (at_low == 16 ? 10000000000000000u : 1000000000000000u) +
		number_sixteen(low);
	return number_divide(digits, (unsigned)(at_low == 16 ? 31 - at : 15 - at_low), negative,
	                     value);
}

/* A zero in front of other digits: "00" to "09". */
static inline bool
number_zero_leads(const char *s)
{
	uint16_t two;

	memcpy(&two, s, sizeof(two));
	return (uint16_t)(__builtin_bswap16(two) - 0x3030u) <= 9;
}

/* As number_fast(). */
static inline bool
number_wide(const char *s, const char *end, double *value, bool *integral)
{
	const size_t negative = *s == '-';
	s += negative;
	const size_t n = (size_t)(end - s);

	if (__builtin_expect(n - 1 > 14, 0)) {
		*integral = false;
		return n - 16 <= 8 && !number_zero_leads(s) &&
		       number_wide_long(end, n, negative, value);
	}
	__m128i x = number_characters(end - 16, n);
	const size_t at = number_dot(x);
	x = _mm_shuffle_epi8(x, NUMBER_VECTOR(shuffle[at]));
	const __m128i strange = number_strange(x);
	if (!_mm_testz_si128(strange, strange) || at + n == 16 || number_zero_leads(s))
		return false;
	/* Fifteen digits at most: everything up to the quotient is exact. */
	const __m128d parts = _mm_mul_pd(_mm_cvtepi32_pd(number_two_eights(x)),
	                                 _mm_loadu_pd(number_tables.sixteen));
	__m128d result = _mm_add_sd(parts, _mm_unpackhi_pd(parts, parts));
	result = _mm_div_sd(result, _mm_load_sd(&number_tables.power[at]));
	_mm_store_sd(value, _mm_or_pd(result, _mm_loadu_pd(number_tables.sign[negative])));
	*integral = at == 16;
	return true;
}

#endif
