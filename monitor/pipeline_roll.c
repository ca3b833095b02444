/* pipeline_roll.c -- windows that wait for their first commit and are old already become hours and days.
 *
 * Rows of a stream wait in order of time. Those that were put before, and the hour and day that they are in,
 * are left to store_retain; so is the row of a window that is still open (a clean stop puts it; the window's
 * end replaces it).
 */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "monitor/pipeline_inside.h"
#include "storage/store.h"

void
pipeline_note_put(const struct statistics_out *o)
{
	int64_t end = o->row.window_ms + o->row.width_ms - (o->row.width_ms > 0);

	if (o->stream->put_until_ms < end)
		o->stream->put_until_ms = end;
}

static void
count_rows(struct outbound *o)
{
	size_t at = 0;

	for (size_t i = 0; i < o->statistics_count; i++)
		o->statistics[i].stream->waiting = 0;
	for (size_t i = 0; i < o->statistics_count; i++)
		o->statistics[i].stream->waiting++;
	for (size_t i = 0; i < o->statistics_count; i++) {
		struct stream *s = o->statistics[i].stream;

		if (s->waiting) { /* its first row: where its rows will begin */
			s->waiting_at = at;
			at += s->waiting;
			s->waiting = 0;
		}
	}
}

/* Rows of one stream, gathered in row[0..n). Appends what becomes of them. */
static void
roll_stream(struct pipeline *p, struct statistics_row *row, size_t n, struct stream *s, bool has_open,
            struct statistics_out *out, size_t *outs)
{
	size_t closed = n - has_open;
	size_t left = closed;

	must(store_roll_rows(row, &left, p->common.watermark_ms, p->config->keep_fine_ms,
	                     p->config->keep_hour_ms, s->put_until_ms) == 0);
	if (has_open)
		row[left++] = row[closed];
	for (size_t i = 0; i < left; i++)
		out[(*outs)++] = (struct statistics_out){ .stream = s, .row = row[i],
			                                  .open = has_open && i + 1 == left };
}

/* In the order of the table's key; the row of an open window before the one that replaces it. */
static int
by_window(const void *a, const void *b)
{
	const struct statistics_out *x = a, *y = b;

	if (x->row.window_ms != y->row.window_ms)
		return x->row.window_ms < y->row.window_ms ? -1 : 1;
	if (x->stream->model->number != y->stream->model->number)
		return x->stream->model->number < y->stream->model->number ? -1 : 1;
	if (x->stream->number != y->stream->number)
		return x->stream->number < y->stream->number ? -1 : 1;
	return y->open - x->open;
}

void
pipeline_roll(struct pipeline *p)
{
	struct outbound *o = &p->common.outbound;
	size_t n = o->statistics_count, outs = 0;
	struct statistics_out *sorted;
	struct statistics_row *row;

	if (n < 2 || p->common.watermark_ms == INT64_MIN)
		return;
	sorted = must_calloc(n, sizeof *sorted);
	row = must_calloc(n, sizeof *row);
	count_rows(o);
	for (size_t i = 0; i < n; i++) {
		struct stream *s = o->statistics[i].stream;

		sorted[s->waiting_at + s->waiting++] = o->statistics[i];
	}
	for (size_t at = 0, end; at < n; at = end) {
		struct stream *s = sorted[at].stream;
		bool has_open = false;

		for (end = at; end < n && sorted[end].stream == s && !has_open; end++) {
			row[end - at] = sorted[end].row;
			has_open = sorted[end].open;
		}
		/* rows behind an open window's (a clean stop that could not commit) are apart from it */
		roll_stream(p, row, end - at, s, has_open, o->statistics, &outs);
		if (has_open)
			pipeline_note_put(&o->statistics[outs - 1]);
	}
	free(row);
	free(sorted);
	o->statistics_count = outs;
	qsort(o->statistics, outs, sizeof *o->statistics, by_window);
	p->roll_at = 2 * outs > ROLL_ROWS ? 2 * outs : ROLL_ROWS;
}
