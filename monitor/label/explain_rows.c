/* explain_rows.c -- bytes of the journal's rows, made column by column. See explain.h. */
#include "monitor/label/explain.h"
#include "monitor/label/journal.h"
#include "monitor/stream/model.h"

void
explain_rows_add(struct explain_rows *r, const struct explain_columns *c, struct journal *j,
                 const struct model *m, const struct version *v, uint64_t number, uint32_t features_at)
{
	if (r->n == ROWS_MAX)
		explain_rows_fill(r, c, j);
	r->number[r->n] = number;
	r->features_at[r->n] = features_at < m->features->n ? features_at : UINT32_MAX;
	r->outputs_at[r->n] = v->number < c->versions ? v->rows->n - 1 : UINT32_MAX;
	r->version[r->n++] = v->number;
}

static uint8_t
category_cell(const struct explain_column *c, uint32_t code)
{
	return code == RUNNER_MISSING ? EXPLAIN_MISSING :
	       (uint8_t)(code < c->codes ? c->cell_of[code] : c->cells - 1);
}

/* Rows begin..end have values side by side in the batch, the first at `at`. */
static void
fill_dense(struct explain_rows *r, const struct explain_column *c, uint32_t column, uint32_t at,
           uint32_t begin, uint32_t end)
{
	const struct stream *s = c->stream;
	const double *value = s->value + at;
	uint32_t n = end - begin;

	if (s->code) {
		for (uint32_t i = 0; i < n; i++)
			r->to[begin + i][column] = category_cell(c, s->code[at + i]);
		return;
	}
	edges_index_bins(&c->index, value, n, r->cell);
	if (c->serial == s->cells_serial && s->known) /* its window counts in the same cells */
		stream_know_cells(c->stream, at, n, r->cell);
	for (uint32_t i = 0; i < n; i++)
		r->to[begin + i][column] = value[i] != value[i] ? EXPLAIN_MISSING : (uint8_t)r->cell[i];
}

static void
fill_column(struct explain_rows *r, const struct explain_column *c, uint32_t column, const uint32_t *at,
            uint32_t begin, uint32_t end)
{
	const bool known = c && c->stream;

	for (uint32_t i = begin, next; i < end; i = next) {
		next = i + 1;
		if (!r->to[i])
			continue;
		if (!known || at[i] == UINT32_MAX) {
			r->to[i][column] = EXPLAIN_UNKNOWN;
			continue;
		}
		while (next < end && r->to[next] && at[next] == at[i] + (next - i))
			next++;
		fill_dense(r, c, column, at[i], i, next);
	}
}

void
explain_rows_fill(struct explain_rows *r, const struct explain_columns *c, struct journal *j)
{
	uint32_t n = r->n, end;

	r->n = 0;
	for (uint32_t i = 0; i < n; i++)
		r->to[i] = journal_bins_room(j, r->number[i]);
	for (uint32_t i = 0; i < n; i = end) { /* neighbours of one version */
		uint32_t version = r->version[i];

		for (end = i + 1; end < n && r->version[end] == version;)
			end++;
		for (uint32_t k = 0; k < EXPLAIN_OUTPUTS; k++)
			fill_column(r, explain_column(c, version, k), k, r->outputs_at, i, end);
	}
	for (uint32_t k = 0; k < c->features; k++)
		fill_column(r, &c->feature[k], EXPLAIN_OUTPUTS + k, r->features_at, 0, n);
}
