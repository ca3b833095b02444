/* tile.h -- batch kernels of the scores: a tile holds TILE_ROWS records side by side, one a SIMD lane.
 *
 * tile[i * TILE_ROWS + r] is column i of row r; rows that are missing are zeros. Every sum of a row runs
 * over i = 0, 1, ... in its own lane, by fused multiply-adds, so a row's result depends neither on the
 * rows beside it nor on the processor: the paths give the same bits. Panels hold PANEL_ROWS vectors
 * (directions, means, reference rows) side by side likewise: panel[i * PANEL_ROWS + j].
 *
 * Arrays are aligned to 64 bytes (carve.h).
 */
#ifndef DETECTORS_KIT_TILE_H
#define DETECTORS_KIT_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TILE_ROWS = 16, PANEL_ROWS = 12, TILE_STRIDE = 8 };

/* What the scores of a classifier's output are made of, row by row. */
struct tile_softmax {
	_Alignas(64) double max[TILE_ROWS]; /* largest logit; of shares: largest share */
	double lse[TILE_ROWS];     /* ln sum exp; shares: 0 */
	double entropy[TILE_ROWS]; /* nats */
	double top[TILE_ROWS];     /* largest share */
	double rest[TILE_ROWS];    /* 1 - top, without cancellation */
	double margin[TILE_ROWS];  /* largest share - second largest; one class: the share */
};

/* GEN (Liu, Lochman, Zach 2023, eq. 5): sum of (p(1-p))^g over the values above `above`, and `ties`
 * times the term of a value equal to it. above = -DBL_MAX: all values. */
struct tile_gen {
	double g;
	bool logits;                  /* values are logits; else shares */
	const struct tile_softmax *s; /* of the same tile */
	_Alignas(64) double above[TILE_ROWS];
	double ties[TILE_ROWS];
};

struct tile_kernel {
	const char *name; /* "avx512", "avx2", "base" */
	/* Rows [0, rows) of a matrix with `columns` columns, `stride` apart, into a tile. */
	void (*load)(const double *row, size_t stride, uint32_t rows, uint32_t columns, double *tile);
	/* out[j * TILE_ROWS + r] = sum over i of panel[i][j] tile[i][r] */
	void (*product)(const double *panel, uint32_t columns, const double *tile, double *out);
	/* out[j * TILE_ROWS + r] = sum over i of (tile[i][r] - panel[i][j])^2 */
	void (*distance)(const double *panel, uint32_t columns, const double *tile, double *out);
	void (*softmax)(const double *tile, uint32_t classes, struct tile_softmax *out);
	void (*shares)(const double *tile, uint32_t classes, struct tile_softmax *out);
	void (*gen)(const double *tile, uint32_t classes, const struct tile_gen *g, double *out);
	/* out = M x and M <- c M - v v' of a symmetric matrix whose rows are padded with zeros to `stride`,
	 * a multiple of TILE_STRIDE; out and v are [stride]. M stays symmetric to the last bit. */
	void (*symmetric)(const double *m, uint32_t rows, uint32_t stride, const double *x, double *out);
	void (*rank_one)(double *m, uint32_t rows, uint32_t stride, double c, const double *v);
	/* y[i] += a x[i];  the rotation (x, y) <- (c x - s y, s x + c y). Any alignment. */
	void (*axpy)(double *y, double a, const double *x, size_t n);
	void (*rotate)(double *x, double *y, double c, double s, size_t n);
};

enum tile_isa { TILE_BEST, TILE_BASE, TILE_AVX2, TILE_AVX512 };
/* The kernels of an instruction set, NULL when this processor lacks it; TILE_BEST always exists. */
const struct tile_kernel *tile_kernel(enum tile_isa isa);

static inline uint32_t
tile_count(uint32_t rows)
{
	return (rows + TILE_ROWS - 1) / TILE_ROWS;
}

static inline uint32_t
panel_count(uint32_t vectors)
{
	return (vectors + PANEL_ROWS - 1) / PANEL_ROWS;
}

/* Vectors [0, n) of `columns` numbers each into panel_count(n) panels, zeros where there are none. */
void panel_pack(const double *vector, uint32_t n, uint32_t columns, double *panel);
/* The lower triangle of a square matrix: panel p holds columns below panel_width(p, columns) only,
 * and begins at panel_offset(p). */
uint32_t panel_width(uint32_t p, uint32_t columns);
size_t panel_offset(uint32_t p);
void panel_pack_lower(const double *matrix, uint32_t columns, double *panel);

#endif
