/* explain.c -- the counts of explain.h. Two increments a column and outcome. */
#include "monitor/label/explain.h"

#include <stdlib.h>
#include <string.h>

#include "detectors/kit/codec.h"
#include "monitor/alert/outbound.h"

enum { TOLD_AGAIN = 4 }; /* an explanation is told again after so many times as many outcomes */

struct explain *
explain_create(uint32_t columns)
{
	struct explain *e = must_calloc(1, sizeof *e);

	e->columns = columns;
	e->due = EXPLAIN_DUE;
	e->count = must_calloc((size_t)EXPLAIN_PHASES * columns * EXPLAIN_SLOTS, sizeof *e->count);
	return e;
}

void
explain_destroy(struct explain *e)
{
	if (e) {
		free(e->count);
		free(e->segment);
	}
	free(e);
}

size_t
explain_bytes(const struct explain *e)
{
	return sizeof *e + (size_t)EXPLAIN_PHASES * e->columns * EXPLAIN_SLOTS * sizeof *e->count +
	       e->segment_capacity * sizeof *e->segment;
}

static struct cell_count *
segment_counts(struct explain *e, uint32_t number)
{
	if (number >= e->segments) {
		e->segment = must_grow(e->segment, &e->segment_capacity, number + 1u, sizeof *e->segment);
		e->segments = number + 1;
	}
	return e->segment[number];
}

static void
add(struct explain *e, enum explain_phase phase, const struct explain_row *row, bool hit)
{
	struct cell_count *at = explain_cells(e, phase, 0);
	uint32_t n = row->n < e->columns ? row->n : e->columns;

	if (n > e->used)
		e->used = n;
	for (uint32_t i = 0; i < n; i++, at += EXPLAIN_SLOTS) {
		uint8_t slot = row->bins[i];

		if (slot >= EXPLAIN_SLOTS)
			continue;
		at[slot].n++;
		at[slot].hits += hit;
	}
	for (uint32_t i = 0; i < row->segments; i++) {
		struct cell_count *c = &segment_counts(e, row->segment[i])[phase];

		c->n++;
		c->hits += hit;
	}
}

static void
clear(struct explain *e, enum explain_phase phase)
{
	memset(explain_cells(e, phase, 0), 0, (size_t)e->used * EXPLAIN_SLOTS * sizeof *e->count);
	for (uint32_t i = 0; i < e->segments; i++)
		e->segment[i][phase] = (struct cell_count){ 0 };
}

/* The older block joins what was before; the newer one becomes the older. */
static void
next_block(struct explain *e)
{
	size_t cells = (size_t)e->used * EXPLAIN_SLOTS;
	struct cell_count *before = explain_cells(e, EXPLAIN_BEFORE, 0), *older = explain_cells(e, EXPLAIN_OLDER, 0);

	for (size_t i = 0; i < cells; i++) {
		before[i].n += older[i].n;
		before[i].hits += older[i].hits;
	}
	memcpy(older, explain_cells(e, EXPLAIN_NEWER, 0), cells * sizeof *older);
	for (uint32_t i = 0; i < e->segments; i++) {
		struct cell_count *c = e->segment[i];

		c[EXPLAIN_BEFORE].n += c[EXPLAIN_OLDER].n;
		c[EXPLAIN_BEFORE].hits += c[EXPLAIN_OLDER].hits;
		c[EXPLAIN_OLDER] = c[EXPLAIN_NEWER];
	}
	clear(e, EXPLAIN_NEWER);
	e->block = 0;
}

void
explain_add(struct explain *e, struct explain_row row, bool hit)
{
	if (e->block == EXPLAIN_BLOCK)
		next_block(e);
	e->block++;
	add(e, EXPLAIN_NEWER, &row, hit);
}

bool
explain_add_after(struct explain *e, struct explain_row row, bool hit)
{
	add(e, EXPLAIN_AFTER, &row, hit);
	if (++e->after < e->due || e->due > UINT32_MAX / TOLD_AGAIN)
		return false;
	e->due *= TOLD_AGAIN;
	return true;
}

void
explain_opened(struct explain *e)
{
	clear(e, EXPLAIN_AFTER);
	e->after = 0;
	e->due = EXPLAIN_DUE;
}

/* What led to the alert is no baseline. */
void
explain_closed(struct explain *e)
{
	clear(e, EXPLAIN_OLDER);
	clear(e, EXPLAIN_NEWER);
	e->block = 0;
}

void
explain_forget_column(struct explain *e, uint32_t column)
{
	for (int phase = 0; phase < EXPLAIN_PHASES && column < e->columns; phase++)
		memset(explain_cells(e, (enum explain_phase)phase, column), 0, EXPLAIN_SLOTS * sizeof *e->count);
}

static void
save_segments(const struct explain *e, struct codec *out)
{
	codec_put_u32(out, e->segments);
	for (uint32_t i = 0; i < e->segments; i++)
		for (int phase = 0; phase < EXPLAIN_PHASES; phase++) {
			codec_put_u32(out, e->segment[i][phase].n);
			codec_put_u32(out, e->segment[i][phase].hits);
		}
}

static void
load_segments(struct explain *e, struct codec *in)
{
	uint32_t n = codec_get_u32(in);

	for (uint32_t i = 0; i < n && !in->bad; i++)
		for (int phase = 0; phase < EXPLAIN_PHASES; phase++) {
			struct cell_count *c = &segment_counts(e, i)[phase];

			c->n = codec_get_u32(in);
			c->hits = codec_get_u32(in);
		}
}

/* Only what is not 0: most tables have a few cells. */
void
explain_save(const struct explain *e, struct codec *out)
{
	codec_put_u32(out, e->used);
	codec_put_u32(out, e->block);
	codec_put_u32(out, e->after);
	codec_put_u32(out, e->due);
	for (int phase = 0; phase < EXPLAIN_PHASES; phase++)
		for (uint32_t column = 0; column < e->used; column++) {
			const struct cell_count *c = explain_cells(e, (enum explain_phase)phase, column);
			uint8_t cells = 0;

			for (uint32_t i = 0; i < EXPLAIN_SLOTS; i++)
				cells = (uint8_t)(cells + (c[i].n != 0));
			codec_put_u8(out, cells);
			for (uint32_t i = 0; i < EXPLAIN_SLOTS; i++) {
				if (!c[i].n)
					continue;
				codec_put_u8(out, (uint8_t)i);
				codec_put_u32(out, c[i].n);
				codec_put_u32(out, c[i].hits);
			}
		}
	save_segments(e, out);
}

bool
explain_load(struct explain *e, struct codec *in)
{
	uint32_t used = codec_get_u32(in);

	e->block = codec_get_u32(in);
	e->after = codec_get_u32(in);
	e->due = codec_get_u32(in);
	for (int phase = 0; phase < EXPLAIN_PHASES; phase++)
		for (uint32_t column = 0; column < used && !in->bad; column++)
			for (uint8_t cells = codec_get_u8(in); cells > 0 && !in->bad; cells--) {
				uint8_t i = codec_get_u8(in);
				struct cell_count c = { .n = codec_get_u32(in) };

				c.hits = codec_get_u32(in);
				if (i >= EXPLAIN_SLOTS)
					return false;
				if (column < e->columns) /* `labels.explain` may be smaller now */
					explain_cells(e, (enum explain_phase)phase, column)[i] = c;
			}
	load_segments(e, in);
	e->used = used < e->columns ? used : e->columns;
	return !in->bad;
}
