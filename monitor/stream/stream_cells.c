/* stream_cells.c -- the cells of a complete reference as rows that people can read: what `histograms`
 * counts. Written once, with the commit that completes the reference. */
#include <math.h>
#include <string.h>

#include "detectors/kit/reference.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

void
stream_build_cells(struct stream *s, const struct reference *ref)
{
	if (!s->cells)
		s->cells = must_calloc(1, sizeof *s->cells);
	cells_build(s->cells, ref, common_sort(s->model->common, ref->n));
	s->cells_serial++;
}

void
stream_know_cells(struct stream *s, uint32_t from, uint32_t n, const uint32_t *cell)
{
	struct known_cells *k = s->known;

	if (k->serial != s->cells_serial || k->to != from)
		k->from = from;
	k->serial = s->cells_serial;
	k->to = from + n;
	for (uint32_t i = 0; i < n; i++)
		k->cell[from + i] = (uint8_t)cell[i];
}

const uint8_t *
stream_known_cells(const struct stream *s, uint32_t from, uint32_t to)
{
	const struct known_cells *k = s->known;

	return k && k->serial == s->cells_serial && k->from <= from && to <= k->to ? k->cell + from : NULL;
}

static void
numeric_cell(const struct cells *c, uint32_t cell, struct reference_cell *out)
{
	out->above = cell ? c->edge[cell - 1] : (double)NAN;
	out->upto = cell < c->edges ? c->edge[cell] : (double)NAN;
}

/* The category of a cell that holds just one; else the cell's name. */
static void
category_cell(const struct stream *s, uint32_t cell, struct reference_cell *out)
{
	const struct cells *c = s->cells;
	bool unseen = cell == c->n - 1;
	uint32_t found = 0, only = 0;

	for (uint32_t code = unseen ? s->categories->n : 0; code < s->categories->n && found < 2; code++)
		if (code < c->codes && cells_of_code(c, code) == cell) {
			found++;
			only = code;
		}
	out->above = out->upto = (double)NAN;
	out->category = found == 1 ? s->categories->text[only] : unseen ? "__new__" : "__other__";
	out->category_length = found == 1 ? s->categories->length[only] : strlen(out->category);
}

int
stream_put_cells(const struct stream *s, struct store *store)
{
	struct reference_cell row[CELLS_MAX];

	if (s->cells_saved || !s->cells || s->cells_provisional)
		return 0;
	for (uint32_t i = 0; i < s->cells->n; i++) {
		row[i] = (struct reference_cell){ .cell = i, .n = s->cells->count[i] };
		if (s->cells->categorical)
			category_cell(s, i, &row[i]);
		else
			numeric_cell(s->cells, i, &row[i]);
	}
	return store_put_reference_cells(store, s->id, row, s->cells->n);
}
