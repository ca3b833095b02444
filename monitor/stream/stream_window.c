/* stream_window.c -- the row that a window leaves in `statistics`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "detectors/kit/sort.h"
#include "monitor/stream/model.h"

enum { QUANTILES = 6 };
static const double level[QUANTILES] = { 0.05, 0.25, 0.5, 0.75, 0.9, 0.95 };

/* Before there are cells the window's values are all in `warm`: exact quantiles (lower). */
static void
quantiles_of_warm(const struct stream *s, double q[QUANTILES])
{
	uint32_t n = s->warms - s->warm_window;
	double *sorted = common_sort(s->model->common, n + 1u);

	if (!n)
		return;
	memcpy(sorted, s->warm + s->warm_window, n * sizeof *sorted);
	sort_doubles(sorted, n);
	for (int i = 0; i < QUANTILES; i++) {
		uint32_t at = (uint32_t)ceil(level[i] * n);

		q[i] = sorted[at ? at - 1 : 0];
	}
}

/* Smallest and largest value of the window as the bounds of their cells, its mean as that of the cells if it
 * has few values: no figure tells of a single record more than its cell. NaN before there are cells. */
static void
coarsen(const struct stream *s, struct statistics_row *row)
{
	const struct cells *c = s->cells;
	const uint64_t *count = s->summary.count;
	uint32_t first = 0, last;
	double sum = 0;

	row->min = row->max = (double)NAN;
	if (!c || !c->edges || !row->n) {
		row->mean = row->n < LIMIT_PRIVACY_VALUES ? (double)NAN : row->mean;
		row->sd = row->n < LIMIT_PRIVACY_VALUES ? (double)NAN : row->sd;
		return;
	}
	while (first + 1 < c->n && !count[first])
		first++;
	for (last = c->n - 1; last > first && !count[last];)
		last--;
	row->min = c->edge[first ? first - 1 : 0];
	row->max = c->edge[last < c->edges ? last : c->edges - 1];
	if (row->n >= LIMIT_PRIVACY_VALUES)
		return;
	for (uint32_t i = first; i <= last; i++)
		sum += (double)count[i] * (c->edge[i ? i - 1 : 0] + c->edge[i < c->edges ? i : c->edges - 1]) / 2;
	row->mean = sum / (double)row->n;
	row->sd = row->n > 1 ? 0 : (double)NAN;
}

static void
fill_row(struct stream *s, struct statistics_out *out)
{
	struct statistics_row *row = &out->row;
	const struct summary *sum = &s->summary;
	const bool private = s->model->common->config->privacy != PRIVACY_PLAIN;
	double q[QUANTILES] = { (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN };

	row->n = sum->n;
	row->missing = sum->missing;
	row->psi = row->psi_null95 = row->sigma_shift = (double)NAN;
	row->mean = row->sd = row->min = row->max = (double)NAN;
	if (!s->code) {
		row->mean = summary_mean(sum);
		row->sd = summary_sd(sum);
		row->min = sum->n ? sum->min : (double)NAN;
		row->max = sum->n ? sum->max : (double)NAN;
		if (private)
			coarsen(s, row);
	}
	if (s->cells && sum->n) {
		if (!s->cells_provisional)
			cells_psi(s->cells, sum->count, &row->psi, &row->psi_null95, &row->sigma_shift);
		if (!s->code)
			for (int i = 0; i < QUANTILES; i++)
				q[i] = cells_quantile(s->cells, sum->count, row->min, row->max, level[i]);
		row->histogram = store_histogram_text(sum->count, s->cells->n);
		must(row->histogram != NULL);
	} else if (s->warm && sum->n && !private) {
		quantiles_of_warm(s, q);
	}
	row->q05 = q[0];
	row->q25 = q[1];
	row->q50 = q[2];
	row->q75 = q[3];
	row->q90 = q[4];
	row->q95 = q[5];
	row->statistic = (double)NAN;
	for (uint32_t i = 0; i < s->pagers; i++) {
		struct runner_status st = { 0 };

		if (s->test[i].runner)
			runner_status(s->test[i].runner, &st);
		if (st.used_window)
			row->statistic = fmax(row->statistic, st.statistic_max); /* NaN: the other */
	}
}

static void
keep_standing(struct stream *s)
{
	s->window_alerted = s->episode.open;
	for (uint32_t i = 0; i < s->tests; i++) {
		struct runner_status st = { .statistic = (double)NAN };

		if (s->test[i].runner)
			runner_status(s->test[i].runner, &st);
		s->test[i].window_statistic = isnan(st.statistic) ? 0 : st.statistic;
	}
}

#define PACE_KEPT 0.999 /* of what there was, a window later */

/* A window of STREAM_STANDING values replaces what was before; smaller ones leave some of it. */
static void
keep_percentile(struct stream *s)
{
	double n = 0, sum = 0, left, faded;

	faded = pow(PACE_KEPT, (double)(s->model->window_serial - s->pace_serial));
	s->pace = s->pace * faded + (double)s->summary.n;
	s->pace_windows = s->pace_serial ? s->pace_windows * faded + (1 - faded) / (1 - PACE_KEPT) : 1;
	s->pace_serial = s->model->window_serial;
	if (!s->cells || s->cells_provisional || s->code)
		return;
	for (uint32_t i = 0; i < s->cells->n; i++) {
		n += (double)s->summary.count[i];
		sum += (double)s->summary.count[i] * s->cells->mid[i];
	}
	left = fmin(s->standing_n, fmax(0, STREAM_STANDING - n));
	s->standing_sum = (s->standing_n > 0 ? s->standing_sum * (left / s->standing_n) : 0) + sum;
	s->standing_n = left + n;
}

double
stream_pace(const struct stream *s)
{
	enum { WINDOWS_MIN = 20 };
	double faded = pow(PACE_KEPT, (double)(s->model->window_serial - s->pace_serial));
	double windows = s->pace_windows * faded + (1 - faded) / (1 - PACE_KEPT);

	return windows >= WINDOWS_MIN ? s->pace * faded / windows : 0;
}

double
stream_percentile(const struct stream *s)
{
	return s->standing_n >= STREAM_STANDING_MIN ? 100 * s->standing_sum / s->standing_n : (double)NAN;
}

void
stream_precede(struct stream *s, uint32_t rows)
{
	static const double missing = 1;

	if (s->kind != STREAM_MISSING)
		s->summary.missing += rows;
	for (uint32_t i = 0; s->kind == STREAM_MISSING && i < rows; i++)
		summary_add(&s->summary, NULL, &missing, 1);
	s->dirty = true;
}

void
stream_window(struct stream *s, int64_t window_ms, int64_t width_ms, bool keep, struct outbound *out)
{
	if (s->summary.n + s->summary.missing) {
		struct statistics_out *o = outbound_statistics(out);

		o->stream = s;
		fill_row(s, o);
		o->row.window_ms = window_ms;
		o->row.width_ms = width_ms;
		o->open = keep;
		s->dirty = true;
	}
	if (keep)
		return;
	if (s->summary.n + s->summary.missing) {
		keep_standing(s);
		keep_percentile(s);
	}
	s->missed += s->summary.missing;
	summary_clear(&s->summary);
	s->warm_window = s->warms;
	for (uint32_t i = 0; i < s->tests; i++)
		if (s->test[i].runner)
			runner_window(s->test[i].runner);
}
