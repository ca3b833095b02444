/* explain_columns.c -- which stream a byte of a row's bins belongs to, and in which cells it is counted. */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/label/explain.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

enum { STATE_VERSION = 1, CODES_MAX = 1025 };

static void
column_finish(struct explain_column *c)
{
	free(c->edge);
	free(c->cell_of);
	*c = (struct explain_column){ 0 };
}

void
explain_columns_finish(struct explain_columns *c)
{
	for (uint32_t i = 0; i < c->features; i++)
		column_finish(&c->feature[i]);
	for (uint32_t v = 0; v < c->versions; v++)
		for (int i = 0; i < EXPLAIN_OUTPUTS; i++)
			column_finish(&c->output[v][i]);
	free(c->feature);
	free(c->output);
	*c = (struct explain_columns){ 0 };
}

static size_t
column_bytes(const struct explain_column *c)
{
	return sizeof *c + edges_index_bytes(c->edges) + c->codes * sizeof *c->cell_of;
}

size_t
explain_columns_bytes(const struct explain_columns *c)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < c->features; i++)
		bytes += column_bytes(&c->feature[i]);
	for (uint32_t v = 0; v < c->versions; v++)
		for (int i = 0; i < EXPLAIN_OUTPUTS; i++)
			bytes += column_bytes(&c->output[v][i]);
	return bytes;
}

const struct explain_column *
explain_column(const struct explain_columns *c, uint32_t version, uint32_t column)
{
	const struct explain_column *found = NULL;

	if (column >= EXPLAIN_OUTPUTS && column - EXPLAIN_OUTPUTS < c->features)
		found = &c->feature[column - EXPLAIN_OUTPUTS];
	else if (column < EXPLAIN_OUTPUTS && version < c->versions)
		found = &c->output[version][column];
	return found && found->stream ? found : NULL;
}

/* -- publishing --------------------------------------------------------------------------------------- */

/* By what they say of a value: cells that a restart has made again may know more codes by name. */
static bool
same_cells(const struct explain_column *c, const struct cells *cells)
{
	uint32_t codes = c->codes > cells->codes ? c->codes : cells->codes;

	if (c->categorical != cells->categorical || c->cells != cells->n || c->edges != cells->edges ||
	    c->low != cells->low || c->high != cells->high ||
	    memcmp(c->edge, cells->edge, c->edges * sizeof *c->edge))
		return false;
	for (uint32_t code = 0; code < codes; code++)
		if ((code < c->codes ? c->cell_of[code] : c->cells - 1) != cells_of_code(cells, code))
			return false;
	return true;
}

/* True: the column counts in other cells from now on. */
static bool
publish(struct explain_columns *c, struct explain_column *column, struct stream *s, uint64_t journal_end)
{
	const struct cells *cells = s ? s->cells : NULL;

	if (!cells)
		return false;
	if (!s->known && !cells->categorical)
		s->known = must_calloc(1, sizeof *s->known);
	if (column->stream == s && column->serial == s->cells_serial)
		return false;
	if (column->stream && same_cells(column, cells)) {
		column->serial = column->stream == s ? s->cells_serial : 0;
		return false;
	}
	column_finish(column);
	*column = (struct explain_column){
		.stream = s, .serial = s->cells_serial, .since = journal_end,
		.categorical = cells->categorical, .cells = cells->n,
		.low = cells->low, .high = cells->high, .edges = cells->edges, .codes = cells->codes,
		.edge = must_calloc(1, edges_index_bytes(cells->edges)),
		.cell_of = must_calloc(cells->codes, sizeof *column->cell_of),
	};
	memcpy(column->edge, cells->edge, cells->edges * sizeof *column->edge);
	edges_index_init(&column->index, column->edge, column->edge, column->edges);
	memcpy(column->cell_of, cells->cell_of, cells->codes * sizeof *column->cell_of);
	c->since = journal_end;
	c->dirty = true;
	return true;
}

static void
forget(struct model *m, const struct version *v, uint32_t column)
{
	for (uint32_t i = 0; i < m->versions; i++)
		if (!v || v == m->version[i])
			discrepancy_forget(m->version[i], column);
	for (uint32_t i = 0; i < m->streams; i++) {
		struct stream *s = m->stream[i];

		if (s->explain && (!v || (s->version_length == v->length &&
		                          !memcmp(s->version, v->text, v->length)))) {
			explain_forget_column(s->explain, column);
			s->dirty = true;
		}
	}
}

static struct explain_column *
feature_column(struct explain_columns *c, const struct stream *s)
{
	for (uint32_t i = 0; i < c->features; i++)
		if (c->feature[i].stream == s)
			return &c->feature[i];
	if (!s->cells || c->features == c->features_max)
		return NULL;
	if (!c->feature)
		c->feature = must_calloc(c->features_max, sizeof *c->feature);
	return &c->feature[c->features++];
}

void
explain_publish(struct explain_columns *c, struct model *m, uint64_t journal_end)
{
	if (!c->features_max)
		return;
	for (uint32_t i = 0; i < m->streams; i++) {
		struct stream *s = m->stream[i];
		struct explain_column *column = s->kind == STREAM_FEATURE && !s->segment ? feature_column(c, s) : NULL;

		if (column && publish(c, column, s, journal_end))
			forget(m, NULL, EXPLAIN_OUTPUTS + (uint32_t)(column - c->feature));
	}
	c->output = must_grow(c->output, &c->version_capacity, m->versions, sizeof *c->output);
	for (uint32_t i = 0; i < m->versions; i++) {
		const struct version *v = m->version[i];
		struct stream *const output[EXPLAIN_OUTPUTS] = { v->value, v->width ? v->width : v->set_size,
			                                          v->score, v->klass };

		for (uint32_t k = 0; k < EXPLAIN_OUTPUTS && !v->segment; k++)
			if (publish(c, &c->output[i][k], output[k], journal_end))
				forget(m, v, k);
	}
	c->dirty |= c->versions != m->versions;
	c->versions = m->versions;
}

/* -- bytes of a row ----------------------------------------------------------------------------------- */

uint32_t
explain_width(const struct explain_columns *c, uint32_t version)
{
	return c->features || version < c->versions ? EXPLAIN_OUTPUTS + c->features : 0;
}

void
explain_mask(const struct explain_columns *c, uint32_t version, uint64_t number, uint8_t *bins, uint32_t n)
{
	if (number >= c->since)
		return;
	for (uint32_t i = 0; i < n; i++) {
		const struct explain_column *column = explain_column(c, version, i);

		if (!column || number < column->since)
			bins[i] = EXPLAIN_UNKNOWN;
	}
}

/* -- state -------------------------------------------------------------------------------------------- */

static void
save_column(const struct explain_column *c, struct codec *out)
{
	codec_put_u32(out, c->stream ? c->stream->id : 0);
	if (!c->stream)
		return;
	codec_put_u64(out, c->since);
	codec_put_u8(out, c->categorical);
	codec_put_u32(out, c->cells);
	codec_put_f64(out, c->low);
	codec_put_f64(out, c->high);
	codec_put_u32(out, c->edges);
	codec_put_f64s(out, c->edge, c->edges);
	codec_put_u32(out, c->codes);
	for (uint32_t i = 0; i < c->codes; i++)
		codec_put_u16(out, c->cell_of[i]);
}

static void
save(const struct explain_columns *c, struct codec *out)
{
	codec_put_u16(out, STATE_VERSION);
	codec_put_u64(out, c->since);
	codec_put_u32(out, c->features);
	for (uint32_t i = 0; i < c->features; i++)
		save_column(&c->feature[i], out);
	codec_put_u32(out, c->versions);
	for (uint32_t v = 0; v < c->versions; v++)
		for (int i = 0; i < EXPLAIN_OUTPUTS; i++)
			save_column(&c->output[v][i], out);
}

int
explain_columns_put(const struct explain_columns *c, const struct model *m, struct store *store)
{
	struct codec out = { .measure = true, .size = SIZE_MAX };

	if (!c->dirty)
		return 0;
	save(c, &out);
	out = (struct codec){ .data = common_bytes(m->common, out.at), .size = out.at };
	save(c, &out);
	return store_put_state(store, "explained", m->id, out.data, out.at);
}

static int
load_column(struct explain_column *c, struct model *m, struct codec *in)
{
	uint32_t id = codec_get_u32(in);

	*c = (struct explain_column){ 0 };
	for (uint32_t i = 0; i < m->streams && id; i++)
		if (m->stream[i]->id == id)
			c->stream = m->stream[i];
	if (!id || in->bad)
		return in->bad ? ERR_CORRUPT : 0;
	c->since = codec_get_u64(in);
	c->categorical = codec_get_u8(in);
	c->cells = codec_get_u32(in);
	c->low = codec_get_f64(in);
	c->high = codec_get_f64(in);
	c->edges = codec_get_u32(in);
	if (in->bad || !c->stream || c->edges > EDGES_MAX(CELLS_BINS) || c->cells > CELLS_MAX || !c->cells)
		return ERR_CORRUPT;
	c->edge = must_calloc(1, edges_index_bytes(c->edges));
	codec_get_f64s(in, c->edge, c->edges);
	edges_index_init(&c->index, c->edge, c->edge, c->edges);
	c->codes = codec_get_u32(in);
	if (in->bad || c->codes > CODES_MAX || (c->stream->code != NULL) != c->categorical)
		return ERR_CORRUPT;
	c->cell_of = must_calloc(c->codes, sizeof *c->cell_of);
	for (uint32_t i = 0; i < c->codes; i++) {
		c->cell_of[i] = codec_get_u16(in);
		if (c->cell_of[i] >= c->cells)
			return ERR_CORRUPT;
	}
	return in->bad ? ERR_CORRUPT : 0;
}

static int
load(struct explain_columns *c, struct model *m, struct codec *in)
{
	uint32_t features, versions;
	int err = codec_get_u16(in) == STATE_VERSION ? 0 : ERR_CORRUPT;

	c->since = codec_get_u64(in);
	features = codec_get_u32(in);
	if (err || in->bad || features > LIMIT_EXPLAINED)
		return ERR_CORRUPT;
	/* as many as there were: a smaller limit holds for new ones only */
	c->features_max = c->features_max && features > c->features_max ? features : c->features_max;
	if (c->features_max)
		c->feature = must_calloc(c->features_max, sizeof *c->feature);
	for (uint32_t i = 0; i < features && !err && c->features_max; i++) {
		err = load_column(&c->feature[i], m, in);
		c->features = i + 1;
	}
	if (err || !c->features_max)
		return err;
	versions = codec_get_u32(in);
	if (in->bad || versions > LIMIT_GROUPS)
		return ERR_CORRUPT;
	c->output = must_grow(c->output, &c->version_capacity, versions, sizeof *c->output);
	for (uint32_t v = 0; v < versions && !err; v++) {
		c->versions = v + 1;
		for (int i = 0; i < EXPLAIN_OUTPUTS && !err; i++)
			err = load_column(&c->output[v][i], m, in);
	}
	return err;
}

int
explain_columns_load(struct explain_columns *c, struct model *m, struct store *store, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	struct codec in;
	int err = store_get_state(store, "explained", m->id, &blob, &length, d);

	if (err || !blob)
		return err;
	in = (struct codec){ .data = blob, .size = length };
	err = load(c, m, &in);
	free(blob);
	return err ? diag_set(d, err, "model %s: the cells of its explanations are damaged", m->name) : 0;
}
