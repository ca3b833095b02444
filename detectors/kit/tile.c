/* tile.c -- the batch kernels for vectors of 2, 4 and 8 doubles, chosen by the processor at run time.
 *
 * product() keeps 12 x 2 (AVX-512) or 6 x 2 (AVX2) sums in registers: two loads of a tile and a broadcast
 * a sum and column, so the fused multiply-adds are the bound. Without FMA in hardware fma() is libm's:
 * slow, and the same bits.
 */
#include "detectors/kit/tile.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef double pair __attribute__((vector_size(16)));

static inline pair
pair_fma(pair a, pair b, pair c)
{
	pair r = { fma(a[0], b[0], c[0]), fma(a[1], b[1], c[1]) };

	return r;
}

static inline pair
pair_max(pair a, pair b)
{
	pair r = { a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1] };

	return r;
}

static inline pair
pair_min(pair a, pair b)
{
	pair r = { a[0] < b[0] ? a[0] : b[0], a[1] < b[1] ? a[1] : b[1] };

	return r;
}

#define TILE_NAME(x) base_##x
#define TILE_TEXT "base"
#define TILE_TARGET
#define TILE_WIDTH 2
#define TILE_SET(x) ((pair){ x, x })
#define TILE_FMA(a, b, c) pair_fma(a, b, c)
#define TILE_MAX(a, b) pair_max(a, b)
#define TILE_MIN(a, b) pair_min(a, b)
#define TILE_OUTS(M) M(0) M(1) M(2) M(3)
#define TILE_OUTS_N 4
#include "detectors/kit/tile_kernel.h"

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static inline void
transpose(const double *row, size_t stride, double *out)
{
	__m256d a = _mm256_loadu_pd(row), b = _mm256_loadu_pd(row + stride);
	__m256d c = _mm256_loadu_pd(row + 2 * stride), d = _mm256_loadu_pd(row + 3 * stride);
	__m256d ab0 = _mm256_unpacklo_pd(a, b), ab1 = _mm256_unpackhi_pd(a, b);
	__m256d cd0 = _mm256_unpacklo_pd(c, d), cd1 = _mm256_unpackhi_pd(c, d);

	_mm256_store_pd(out, _mm256_permute2f128_pd(ab0, cd0, 0x20));
	_mm256_store_pd(out + TILE_ROWS, _mm256_permute2f128_pd(ab1, cd1, 0x20));
	_mm256_store_pd(out + 2 * TILE_ROWS, _mm256_permute2f128_pd(ab0, cd0, 0x31));
	_mm256_store_pd(out + 3 * TILE_ROWS, _mm256_permute2f128_pd(ab1, cd1, 0x31));
}

#define TILE_NAME(x) avx2_##x
#define TILE_TEXT "avx2"
#define TILE_TARGET __attribute__((target("avx2,fma")))
#define TILE_WIDTH 4
#define TILE_SET(x) ((avx2_vec)_mm256_set1_pd(x))
#define TILE_FMA(a, b, c) (avx2_vec) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define TILE_MAX(a, b) (avx2_vec) _mm256_max_pd((__m256d)(a), (__m256d)(b))
#define TILE_MIN(a, b) (avx2_vec) _mm256_min_pd((__m256d)(a), (__m256d)(b))
#define TILE_OUTS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#define TILE_OUTS_N 6
#define TILE_TRANSPOSE(row, stride, out) transpose(row, stride, out)
#include "detectors/kit/tile_kernel.h"

#define TILE_NAME(x) avx512_##x
#define TILE_TEXT "avx512"
#define TILE_TARGET __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define TILE_WIDTH 8
#define TILE_SET(x) ((avx512_vec)_mm512_set1_pd(x))
#define TILE_FMA(a, b, c) (avx512_vec) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define TILE_MAX(a, b) (avx512_vec) _mm512_max_pd((__m512d)(a), (__m512d)(b))
#define TILE_MIN(a, b) (avx512_vec) _mm512_min_pd((__m512d)(a), (__m512d)(b))
#define TILE_OUTS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define TILE_OUTS_N 12
#define TILE_TRANSPOSE(row, stride, out) transpose(row, stride, out)
#include "detectors/kit/tile_kernel.h"
#endif

const struct tile_kernel *
tile_kernel(enum tile_isa isa)
{
#if defined(__x86_64__)
	bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");

	if (avx512 && (isa == TILE_AVX512 || isa == TILE_BEST))
		return &avx512_kernel;
	if (avx2 && (isa == TILE_AVX2 || isa == TILE_BEST))
		return &avx2_kernel;
#endif
	return isa == TILE_BASE || isa == TILE_BEST ? &base_kernel : NULL;
}

void
panel_pack(const double *vector, uint32_t n, uint32_t columns, double *panel)
{
	for (uint32_t p = 0; p < panel_count(n); p++)
		for (uint32_t i = 0; i < columns; i++)
			for (uint32_t j = 0; j < PANEL_ROWS; j++) {
				size_t row = (size_t)p * PANEL_ROWS + j;

				*panel++ = row < n ? vector[row * columns + i] : 0.0;
			}
}

uint32_t
panel_width(uint32_t p, uint32_t columns)
{
	uint32_t width = (p + 1) * PANEL_ROWS;

	return width < columns ? width : columns;
}

size_t
panel_offset(uint32_t p)
{
	/* those before it are of full width */
	return (size_t)PANEL_ROWS * PANEL_ROWS * p * (p + 1) / 2;
}

void
panel_pack_lower(const double *matrix, uint32_t columns, double *panel)
{
	for (uint32_t p = 0; p < panel_count(columns); p++)
		for (uint32_t i = 0; i < panel_width(p, columns); i++)
			for (uint32_t j = 0; j < PANEL_ROWS; j++) {
				size_t row = (size_t)p * PANEL_ROWS + j;

				*panel++ = row < columns && i <= row ? matrix[row * columns + i] : 0.0;
			}
}
