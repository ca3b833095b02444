/* edges_bins.c -- edges_bin() of many values.
 *
 * Base: eight binary searches side by side. With AVX-512: every sixteenth edge is a pivot; the pivots below x
 * say which block of sixteen edges x falls into, the edges of that block below x where in it: two rounds of
 * comparisons instead of eight that wait for each other. Cost: 3 ns a value at 255 edges, base 11.
 */
#include "detectors/kit/edges.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static void
base_bins(const double *edge, uint32_t n, const double *x, uint32_t rows, uint32_t *bin)
{
	enum { SIDE = 8 };
	uint32_t row = 0;

	for (; n > 0 && row + SIDE <= rows; row += SIDE) {
		uint32_t base[SIDE] = { 0 };

		for (uint32_t left = n; left > 1; left -= left / 2) {
			const double *middle = edge + left / 2 - 1;

#pragma GCC unroll 8
			for (uint32_t i = 0; i < SIDE; i++)
				base[i] += left / 2 & -(uint32_t)(middle[base[i]] < x[row + i]);
		}
#pragma GCC unroll 8
		for (uint32_t i = 0; i < SIDE; i++)
			bin[row + i] = base[i] + (edge[base[i]] < x[row + i]);
	}
	for (; row < rows; row++)
		bin[row] = edges_bin(edge, n, x[row]);
}

#if defined(__x86_64__)
enum { BLOCK = 16, PIVOTS_MAX = 32, ROWS_WORTH = 4 };
#define AVX512 __attribute__((target("avx512f,avx2,bmi2,popcnt")))

struct block {
	__m512d low, high;
};

/* Every `stride`-th of `n` doubles, at most 16; infinity fills the rest. */
AVX512 static inline struct block
load(const double *at, uint32_t n, int stride)
{
	const __m512d none = _mm512_set1_pd(__builtin_inf());
	const __m256i index = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
	                                         _mm256_set1_epi32(stride));
	uint32_t mask = _bzhi_u32(0xffff, n);
	__mmask8 low = (__mmask8)mask, high = (__mmask8)(mask >> 8);

	if (stride == 1)
		return (struct block){ _mm512_mask_loadu_pd(none, low, at),
			               _mm512_mask_loadu_pd(none, high, at + 8) };
	return (struct block){ _mm512_mask_i32gather_pd(none, low, index, at, 8),
		               _mm512_mask_i32gather_pd(none, high, index, at + 8 * stride, 8) };
}

AVX512 static inline uint32_t
below(const struct block *b, __m512d x)
{
	uint32_t low = _mm512_cmp_pd_mask(b->low, x, _CMP_LT_OQ);
	uint32_t high = _mm512_cmp_pd_mask(b->high, x, _CMP_LT_OQ);

	return (uint32_t)__builtin_popcount(low | high << 8);
}

AVX512 static void
avx512_bins(const double *edge, uint32_t n, const double *x, uint32_t rows, uint32_t *bin)
{
	uint32_t pivots = n / BLOCK;
	struct block first = load(edge + BLOCK - 1, pivots, BLOCK), second = first;

	if (pivots > BLOCK)
		second = load(edge + BLOCK * (BLOCK + 1) - 1, pivots - BLOCK, BLOCK);
	for (uint32_t i = 0; i < rows; i++) {
		__m512d value = _mm512_set1_pd(x[i]);
		uint32_t at = below(&first, value);
		struct block within;

		if (pivots > BLOCK)
			at += below(&second, value);
		at *= BLOCK;
		within = load(edge + at, n - at, 1);
		bin[i] = at + below(&within, value);
	}
}
#endif

void
edges_bins(const double *edge, uint32_t n, const double *x, uint32_t rows, uint32_t *bin)
{
#if defined(__x86_64__)
	if (rows >= ROWS_WORTH && n < BLOCK * PIVOTS_MAX && __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("bmi2")) {
		avx512_bins(edge, n, x, rows, bin);
		return;
	}
#endif
	base_bins(edge, n, x, rows, bin);
}
