/* summary.c -- see summary.h. Sums about the window's first value keep the digits of a mean that is large
 * against its spread (Chan, Golub, LeVeque 1983, shifted data algorithm). */
#include "detectors/kit/summary.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "detectors/kit/codec.h"

void
summary_clear(struct summary *s)
{
	memset(s, 0, offsetof(struct summary, recent));
	s->min = (double)INFINITY;
	s->max = -(double)INFINITY;
}

static void
count_cell(struct summary *s, uint32_t cell)
{
	s->count[cell]++;
	s->recent[cell]++;
	if (++s->recent_n == SUMMARY_HALVE) {
		s->recent_n = 0;
		for (uint32_t i = 0; i < CELLS_MAX; i++)
			s->recent[i] /= 2;
	}
}

static void
count_cells(struct summary *s, const struct cells *c, const double *value, uint32_t n)
{
	enum { TILE = 256 };
	uint32_t cell[TILE];

	for (uint32_t from = 0; from < n; from += TILE) {
		uint32_t rows = n - from < TILE ? n - from : TILE;

		edges_index_bins(&c->index, value + from, rows, cell);
		for (uint32_t i = 0; i < rows; i++)
			if (!isnan(value[from + i]))
				count_cell(s, cell[i]);
	}
}

static void
add_moments(struct summary *s, const double *value, uint32_t n)
{
	double sum = s->sum, squares = s->squares, min = s->min, max = s->max;
	uint64_t present = s->n;

	for (uint32_t i = 0; i < n; i++) {
		double x = value[i], d;

		if (isnan(x)) {
			s->missing++;
			continue;
		}
		if (present++ == 0)
			s->shift = x;
		d = x - s->shift;
		sum += d;
		squares += d * d;
		min = x < min ? x : min;
		max = x > max ? x : max;
	}
	s->n = present;
	s->sum = sum;
	s->squares = squares;
	s->min = min;
	s->max = max;
}

void
summary_add(struct summary *s, const struct cells *c, const double *value, uint32_t n)
{
	add_moments(s, value, n);
	if (c)
		count_cells(s, c, value, n);
}

void
summary_add_known(struct summary *s, const uint8_t *cell, const double *value, uint32_t n)
{
	add_moments(s, value, n);
	for (uint32_t i = 0; i < n; i++)
		if (!isnan(value[i]))
			count_cell(s, cell[i]);
}

void
summary_add_codes(struct summary *s, const struct cells *c, const uint32_t *code, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (code[i] == UINT32_MAX) {
			s->missing++;
			continue;
		}
		s->n++;
		if (c)
			count_cell(s, cells_of_code(c, code[i]));
	}
}

double
summary_mean(const struct summary *s)
{
	return s->n ? s->shift + s->sum / (double)s->n : (double)NAN;
}

double
summary_sd(const struct summary *s)
{
	double n = (double)s->n;

	return s->n > 1 ? sqrt(fmax(0, s->squares - s->sum * s->sum / n) / (n - 1)) : (double)NAN;
}

void
summary_save(const struct summary *s, struct codec *out)
{
	codec_put_u64(out, s->n);
	codec_put_u64(out, s->missing);
	codec_put_f64(out, s->shift);
	codec_put_f64(out, s->sum);
	codec_put_f64(out, s->squares);
	codec_put_f64(out, s->min);
	codec_put_f64(out, s->max);
	for (uint32_t i = 0; i < CELLS_MAX; i++)
		codec_put_u64(out, s->count[i]);
	codec_put_u32s(out, s->recent, CELLS_MAX);
	codec_put_u32(out, s->recent_n);
}

void
summary_load(struct summary *s, struct codec *in)
{
	s->n = codec_get_u64(in);
	s->missing = codec_get_u64(in);
	s->shift = codec_get_f64(in);
	s->sum = codec_get_f64(in);
	s->squares = codec_get_f64(in);
	s->min = codec_get_f64(in);
	s->max = codec_get_f64(in);
	for (uint32_t i = 0; i < CELLS_MAX; i++)
		s->count[i] = codec_get_u64(in);
	codec_get_u32s(in, s->recent, CELLS_MAX);
	s->recent_n = codec_get_u32(in) % SUMMARY_HALVE;
}
