/* merge.c -- statistics of several windows as those of one.
 *
 * Counts add; means are weighted by n; sd is merged through second moments (Chan, Golub, LeVeque 1979);
 * histograms add when all have the same number of cells. The quantiles of a row, with its min and max,
 * are a histogram of seven knots: the merged quantiles are those of the n-weighted mixture of these
 * piecewise linear distributions. psi is not additive: NULL.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/merge.h"

enum {
	QUANTILES = 6,
	KNOTS = QUANTILES + 2,
};
static const double knot_share[KNOTS] = { 0, .05, .25, .5, .75, .9, .95, 1 };

struct part { /* a row that goes into a merge */
	uint64_t n, missing;
	double mean, sd, sigma_shift, statistic;
	double knot[KNOTS]; /* min, quantiles, max */
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* P(X <= x), and P(X < x) for `strict`, under the piecewise linear distribution of one row. */
static double row_cdf(const double *knot, double x, bool strict)
{
	size_t i = 0;

	if (strict ? x <= knot[0] : x < knot[0])
		return 0;
	/* The last knot at or below x; strictly below for P(X < x). */
	while (i + 1 < KNOTS && (strict ? knot[i + 1] < x : knot[i + 1] <= x))
		i++;
	if (i == KNOTS - 1)
		return 1;
	return knot_share[i] +
	       (knot_share[i + 1] - knot_share[i]) * (x - knot[i]) / (knot[i + 1] - knot[i]);
}

static double mixture_cdf(const struct merge *m, double x, bool strict)
{
	double sum = 0, n = 0;

	for (size_t i = 0; i < m->parts; i++) {
		if (!m->part[i].n)
			continue;
		n += (double)m->part[i].n;
		sum += (double)m->part[i].n * row_cdf(m->part[i].knot, x, strict);
	}
	return sum / n;
}

/* Between two neighbouring knots the mixture is linear, at a knot it may jump. */
static double mixture_quantile(const struct merge *m, const double *knot, size_t knots, double p)
{
	size_t low = 0, high = knots - 1;

	while (low < high) { /* the first knot with P(X <= knot) >= p */
		size_t middle = (low + high) / 2;

		if (mixture_cdf(m, knot[middle], false) >= p)
			high = middle;
		else
			low = middle + 1;
	}
	double at = mixture_cdf(m, knot[low], true);
	if (low == 0 || at < p)
		return knot[low];
	double from = mixture_cdf(m, knot[low - 1], false);
	return knot[low - 1] + (knot[low] - knot[low - 1]) * (p - from) / (at - from);
}

/* All values are the same: so are the quantiles. */
static bool is_constant(const struct merge *m, double out[QUANTILES])
{
	double low = (double)INFINITY, high = -(double)INFINITY;

	for (size_t i = 0; i < m->parts; i++)
		if (m->part[i].n) {
			low = fmin(low, m->part[i].knot[0]);
			high = fmax(high, m->part[i].knot[KNOTS - 1]);
		}
	if (low < high || low > high)
		return false;
	for (size_t q = 0; q < QUANTILES; q++)
		out[q] = low;
	return true;
}

static int merge_quantiles(const struct merge *m, double out[QUANTILES])
{
	double *knot;
	size_t knots = 0;

	for (size_t q = 0; q < QUANTILES; q++)
		out[q] = (double)NAN;
	for (size_t i = 0; i < m->parts; i++)
		for (size_t k = 0; m->part[i].n && k < KNOTS; k++)
			if (!isfinite(m->part[i].knot[k]))
				return 0; /* categories, or a row without quantiles */
	if (is_constant(m, out))
		return 0;
	knot = malloc((m->parts * KNOTS + 1) * sizeof *knot);
	if (!knot)
		return ERR_IO;
	for (size_t i = 0; i < m->parts; i++)
		for (size_t k = 0; m->part[i].n && k < KNOTS; k++)
			knot[knots++] = m->part[i].knot[k];
	qsort(knot, knots, sizeof *knot, compare);
	for (size_t q = 0; knots && q < QUANTILES; q++)
		out[q] = mixture_quantile(m, knot, knots, knot_share[q + 1]);
	free(knot);
	return 0;
}

static void merge_moments(const struct merge *m, struct statistics_row *row)
{
	double n = 0, mean = 0, m2 = 0, shift_n = 0, shift = 0;

	row->min = row->max = row->statistic = (double)NAN;
	for (size_t i = 0; i < m->parts; i++) {
		const struct part *p = &m->part[i];

		row->n += p->n;
		row->missing += p->missing;
		row->statistic = fmax(row->statistic, p->statistic);
		if (!p->n)
			continue;
		row->min = fmin(row->min, p->knot[0]);
		row->max = fmax(row->max, p->knot[KNOTS - 1]);
		if (!isnan(p->sigma_shift)) {
			shift_n += (double)p->n;
			shift += (double)p->n * p->sigma_shift;
		}
		double k = (double)p->n, delta = p->mean - mean;
		n += k;
		mean += delta * (k / n);
		m2 += (p->n > 1 ? p->sd * p->sd * (k - 1) : 0) + delta * (p->mean - mean) * k;
	}
	row->mean = n > 0 ? mean : (double)NAN;
	row->sd = n > 1 ? sqrt(fmax(m2, 0) / (n - 1)) : (double)NAN;
	row->sigma_shift = shift_n > 0 ? shift / shift_n : (double)NAN;
	if (isnan(m2))
		row->sd = (double)NAN;
}

/* Adds the JSON array of counts to the sum. */
static int add_histogram(struct merge *m, const char *counts, bool is_first)
{
	size_t cells = 0;

	m->histograms = (is_first || m->histograms) && *counts == '[';
	for (const char *at = counts; m->histograms && (*at == '[' || *at == ',');) {
		const char *digit = at + 1;
		uint64_t n = 0;

		for (; *digit >= '0' && *digit <= '9'; digit++)
			n = 10 * n + (uint64_t)(*digit - '0');
		if (digit == at + 1)
			break; /* [] */
		at = digit;
		if (cells == m->cells_size) {
			size_t size = m->cells_size ? 2 * m->cells_size : 64;
			uint64_t *grown = realloc(m->cell, size * sizeof *grown);

			if (!grown)
				return ERR_IO;
			m->cell = grown;
			m->cells_size = size;
		}
		m->cell[cells] = (is_first || cells >= m->cells ? 0 : m->cell[cells]) + n;
		cells++;
	}
	if (is_first)
		m->cells = cells;
	m->histograms = m->histograms && cells == m->cells && cells > 0;
	return 0;
}

char *store_histogram_text(const uint64_t *count, size_t cells)
{
	char *text = malloc(21 * cells + 3), *at = text;

	if (!text)
		return NULL;
	*at++ = '[';
	for (size_t i = 0; i < cells; i++) {
		char digit[20];
		size_t digits = 0;
		uint64_t n = count[i];

		do
			digit[digits++] = (char)('0' + n % 10);
		while (n /= 10);
		while (digits)
			*at++ = digit[--digits];
		*at++ = ',';
	}
	memcpy(cells ? at - 1 : at, "]", 2);
	return text;
}

/* The sum as a JSON array; *text NULL when there is none. */
static int write_histogram(const struct merge *m, char **text)
{
	*text = NULL;
	if (!m->histograms)
		return 0;
	*text = store_histogram_text(m->cell, m->cells);
	return *text ? 0 : ERR_IO;
}

/* A new part at the end; *is_first: it is the first that may have values. NULL: out of memory. */
static struct part *new_part(struct merge *m, bool *is_first)
{
	*is_first = true;
	for (size_t i = 0; i < m->parts && *is_first; i++)
		*is_first = m->part[i].n == 0;
	if (m->parts == 0)
		m->histograms = false;
	if (m->parts == m->size) {
		size_t size = m->size ? 2 * m->size : 16;
		struct part *grown = realloc(m->part, size * sizeof *grown);

		if (!grown)
			return NULL;
		m->part = grown;
		m->size = size;
	}
	return &m->part[m->parts++];
}

/* As the database gives it back: there is no -0 in a column. */
static double plain(double x)
{
	return x + 0.0;
}

int merge_add_row(struct merge *m, const struct statistics_row *row)
{
	const double knot[KNOTS] = { row->min, row->q05, row->q25, row->q50, row->q75, row->q90,
	                              row->q95, row->max };
	bool is_first;
	struct part *p = new_part(m, &is_first);

	if (!p)
		return ERR_IO;
	*p = (struct part){ .n = row->n, .missing = row->missing, .mean = plain(row->mean),
		            .sd = plain(row->sd), .sigma_shift = plain(row->sigma_shift),
		            .statistic = plain(row->statistic) };
	for (int k = 0; k < KNOTS; k++)
		p->knot[k] = plain(knot[k]);
	return p->n ? add_histogram(m, row->histogram ? row->histogram : "", is_first) : 0;
}

int merge_add(struct merge *m, sqlite3_stmt *q)
{
	bool is_first;
	struct part *p = new_part(m, &is_first);

	if (!p)
		return ERR_IO;
	p->n = (uint64_t)sqlite3_column_int64(q, 1);
	p->missing = (uint64_t)sqlite3_column_int64(q, 2);
	p->mean = store_column_real(q, 3);
	p->sd = store_column_real(q, 4);
	for (int k = 0; k < KNOTS; k++)
		p->knot[k] = store_column_real(q, 5 + k);
	p->sigma_shift = store_column_real(q, 5 + KNOTS);
	p->statistic = store_column_real(q, 6 + KNOTS);
	return p->n ? add_histogram(m, store_column_text(q, 7 + KNOTS), is_first) : 0;
}

int merge_finish(struct merge *m, int64_t start, int64_t width, struct statistics_row *row)
{
	double q[QUANTILES];
	int err = merge_quantiles(m, q);

	*row = (struct statistics_row){ .window_ms = start, .width_ms = width,
		                        .stream_id = m->stream_id, .psi = (double)NAN,
		                        .psi_null95 = (double)NAN, .q05 = q[0], .q25 = q[1],
		                        .q50 = q[2], .q75 = q[3], .q90 = q[4], .q95 = q[5] };
	merge_moments(m, row);
	if (!err) {
		char *text;

		err = write_histogram(m, &text);
		row->histogram = text;
	}
	m->parts = 0;
	return err;
}

void merge_free_row(struct statistics_row *row)
{
	union { /* ours again, though the row shows it as constant */
		const char *shown;
		char *ours;
	} histogram = { .shown = row->histogram };

	free(histogram.ours);
	row->histogram = NULL;
}

void merge_release(struct merge *m)
{
	free(m->part);
	free(m->cell);
	*m = (struct merge){ 0 };
}
