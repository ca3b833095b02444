/* number_avx2.h -- number_fast() with vectors; only for walk_avx2.c, which selects the instructions.
 *
 * The last sixteen characters of a number are loaded at once, the dot is shuffled away, what stands before
 * the number is masked, and three multiply-adds make one integer of sixteen digits. Longer numbers take
 * the sixteen characters before those as well. Reads up to 32 bytes before the number's end.
 */
#ifndef MONITOR_NUMBER_AVX2_H
#define MONITOR_NUMBER_AVX2_H

#include <immintrin.h>

#include "monitor/number.h"
#include "monitor/number_tables.h"


/* Distance of the first dot among sixteen digits from their end (1 is behind the last), 0 = none. */
static inline unsigned
number_dot(__m128i digits)
{
	const __m128i dot = _mm_load_si128((const __m128i *)(const void *)number_tables.dot);
	return 16 - _tzcnt_u32((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(digits, dot)) | 0x10000);
}

/* The last `n` of sixteen characters less '0', zeros in front of them. */
static inline __m128i
number_characters(const char *s, size_t n)
{
	return _mm_and_si128(
		_mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)s),
	                     _mm_load_si128((const __m128i *)(const void *)number_tables.zero)),
		_mm_loadu_si128((const __m128i *)(const void *)(number_tables.keep + n)));
}

/* Takes the dot out. */
static inline __m128i
number_digits(__m128i characters, unsigned dot)
{
	return _mm_shuffle_epi8(characters, _mm_load_si128((const __m128i *)(const void *)
	                                                           number_tables.shuffle[dot]));
}

/* Sixteen digits; *strange is not zero where one is none. */
static inline uint64_t
number_sixteen(__m128i x, __m128i *strange)
{
	*strange = _mm_subs_epu8(x, _mm_load_si128((const __m128i *)(const void *)number_tables.nine));
	x = _mm_maddubs_epi16(x, _mm_load_si128((const __m128i *)(const void *)number_tables.two));
	x = _mm_madd_epi16(x, _mm_load_si128((const __m128i *)(const void *)number_tables.four));
	x = _mm_packus_epi32(x, x);
	x = _mm_madd_epi16(x, _mm_load_si128((const __m128i *)(const void *)number_tables.eight));
	uint64_t both = (uint64_t)_mm_cvtsi128_si64(x);
	return (both & 0xffffffffu) * 100000000 + (both >> 32);
}

/* Seventeen to 24 characters. */
static inline bool
number_wide_long(const char *end, size_t n, bool bad, bool negative, double *value, bool *integral)
{
	__m128i low = number_characters(end - 16, 16), high = number_characters(end - 32, n - 16);
	__m128i strange, also;
	unsigned dot = number_dot(high);
	const unsigned dot_low = number_dot(low);
	const uint64_t first = number_sixteen(number_digits(high, dot == 1 ? 17 : dot), &also);
	const uint64_t digits =
		first * (dot_low == 0 ? 10000000000000000u : 1000000000000000u) +
		number_sixteen(number_digits(low, dot_low), &strange);
	bad |= (dot == 0) == (dot_low == 0) || dot == n - 16 || first >= 1000;
	strange = _mm_or_si128(strange, also);
	if (bad || !_mm_testz_si128(strange, strange))
		return false;
	dot = dot_low == 0 ? dot + 16 : dot_low;
	*integral = false;
	return number_divide(digits, dot - 1, negative, value);
}

/* As number_fast(). */
static inline bool
number_wide(const char *s, const char *end, double *value, bool *integral)
{
	const bool negative = *s == '-';
	s += negative;
	const size_t n = (size_t)(end - s);
	uint16_t two;
	memcpy(&two, s, sizeof(two));
	/* A zero that leads, "00" to "09". Anything else that is wrong is no digit, or a dot at the start. */
	const bool bad = (uint16_t)(__builtin_bswap16(two) - 0x3030u) <= 9;
	__m128i strange;

	if (__builtin_expect(n - 1 > 15, 0))
		return n - 1 < 24 && number_wide_long(end, n, bad, negative, value, integral);
	const __m128i characters = number_characters(end - 16, n);
	const unsigned dot = number_dot(characters);
	const uint64_t digits = number_sixteen(number_digits(characters, dot), &strange);
	if (bad | (dot == n) || digits > (uint64_t)1 << 53 || !_mm_testz_si128(strange, strange))
		return false;
	*integral = dot == 0;
	*value = number_signed((double)(int64_t)digits / number_tables.power[dot], negative);
	return true;
}

#endif
