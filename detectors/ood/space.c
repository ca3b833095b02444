/* space.c -- normalising and standardising rows and tiles (space.h). */
#include "detectors/ood/space.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"

static void
means(const double *rows, uint32_t n, uint32_t columns, double *mean)
{
	for (uint32_t r = 0; r < n; r++)
		for (uint32_t i = 0; i < columns; i++)
			mean[i] += rows[(size_t)r * columns + i];
	for (uint32_t i = 0; i < columns; i++)
		mean[i] /= (double)n;
}

int
space_fit(struct space *s, enum space_choice kind, const double *rows, uint32_t n, uint32_t columns,
          struct diag *d)
{
	*s = (struct space){ .kind = kind, .columns = columns };
	s->shift = score_array(columns, 1);
	s->scale = score_array(columns, 1);
	if (s->shift == NULL || s->scale == NULL) {
		space_finish(s);
		return score_no_memory(d);
	}
	if (kind == SPACE_STANDARD && n > 0) {
		means(rows, n, columns, s->shift);
		for (uint32_t r = 0; r < n; r++)
			for (uint32_t i = 0; i < columns; i++) {
				double z = rows[(size_t)r * columns + i] - s->shift[i];

				s->scale[i] += z * z;
			}
	}
	for (uint32_t i = 0; i < columns; i++) {
		s->scale[i] = kind == SPACE_STANDARD && n > 0 ? sqrt(s->scale[i] / (double)n) : 1.0;
		/* a constant column whose mean is not exact has an sd of rounding */
		if (!(s->scale[i] > 0x1p-46 * fabs(s->shift[i])))
			s->scale[i] = 1.0;
	}
	return 0;
}

void
space_finish(struct space *s)
{
	free(s->shift);
	free(s->scale);
	*s = (struct space){ .columns = 0 };
}

void
space_centre(struct space *s, double *rows, uint32_t n)
{
	means(rows, n, s->columns, s->shift);
	for (uint32_t r = 0; r < n; r++)
		for (uint32_t i = 0; i < s->columns; i++)
			rows[(size_t)r * s->columns + i] -= s->shift[i];
}

void
space_rows(const struct space *s, double *rows, uint32_t n)
{
	for (uint32_t r = 0; r < n; r++) {
		double *row = rows + (size_t)r * s->columns, norm = 0.0;

		for (uint32_t i = 0; i < s->columns && s->kind == SPACE_UNIT; i++)
			norm += row[i] * row[i];
		norm = norm > 0.0 ? sqrt(norm) : 1.0;
		for (uint32_t i = 0; i < s->columns; i++)
			row[i] = (row[i] / norm - s->shift[i]) / s->scale[i];
	}
}

void
space_tile(const struct space *s, double *tile)
{
	double norm[TILE_ROWS] = { 0 };

	if (s->kind == SPACE_UNIT) {
		for (uint32_t i = 0; i < s->columns; i++)
			for (uint32_t r = 0; r < TILE_ROWS; r++) {
				double x = tile[(size_t)i * TILE_ROWS + r];

				norm[r] += x * x;
			}
		for (uint32_t r = 0; r < TILE_ROWS; r++)
			norm[r] = norm[r] > 0.0 ? sqrt(norm[r]) : 1.0;
		for (uint32_t i = 0; i < s->columns; i++)
			for (uint32_t r = 0; r < TILE_ROWS; r++)
				tile[(size_t)i * TILE_ROWS + r] =
					tile[(size_t)i * TILE_ROWS + r] / norm[r] - s->shift[i];
		return;
	}
	for (uint32_t i = 0; i < s->columns; i++)
		for (uint32_t r = 0; r < TILE_ROWS; r++)
			tile[(size_t)i * TILE_ROWS + r] =
				(tile[(size_t)i * TILE_ROWS + r] - s->shift[i]) / s->scale[i];
}

void
space_load(const struct space *s, const struct tile_kernel *k, const double *rows, uint32_t n, double *tiles)
{
	for (uint32_t from = 0; from < n; from += TILE_ROWS, tiles += (size_t)s->columns * TILE_ROWS) {
		k->load(rows + (size_t)from * s->columns, s->columns,
		        n - from < TILE_ROWS ? n - from : TILE_ROWS, s->columns, tiles);
		space_tile(s, tiles);
	}
}
