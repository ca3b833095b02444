/* explain.h -- in which cells of its features and outputs a prediction was missed or wrong: counts.
 *
 * Beside its journal row a prediction keeps a byte for each column: EXPLAIN_OUTPUTS outputs of its version,
 * then the model's features in the order in which they got their cells, at most `labels.explain` of them. The
 * byte is the cell of the reference that the value fell into (kit/cells.h). Cells are published when a window
 * begins, never within one, so that a byte depends on the records alone.
 *
 * Each stream of outcomes counts records and hits (misses, errors) by column and cell, and by segment of the
 * record (segment.h), in four tables:
 * what was before, the last two blocks of EXPLAIN_BLOCK outcomes, and what came after its alert opened. An
 * alert is described by the blocks; what came after it is evidence.
 */
#ifndef MONITOR_LABEL_EXPLAIN_H
#define MONITOR_LABEL_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/coverage/concentration.h"
#include "detectors/kit/cells.h"
#include "monitor/stream/rows.h"

struct codec;
struct journal;
struct labels;
struct stream;

enum {
	EXPLAIN_OUTPUTS = 4,         /* value, width or size of the set, score, class */
	EXPLAIN_CLASS = 3,
	EXPLAIN_MISSING = CELLS_MAX, /* the byte of a missing value */
	EXPLAIN_UNKNOWN = 255,       /* ... and of one that was seen before there were cells: not counted */
	EXPLAIN_SLOTS = CELLS_MAX + 1,
	EXPLAIN_BLOCK = 500,
	EXPLAIN_DUE = 200,           /* outcomes after the opening of an alert that say the first new thing */
};

/* What a byte means. */
struct explain_column {
	struct stream *stream;       /* NULL: not published yet */
	uint32_t serial;             /* these are cells_serial of the stream; 0: not compared yet */
	uint64_t since;              /* journal number of the first row whose byte is of these cells */
	bool categorical;
	uint32_t cells;
	double low, high;            /* of the reference */
	uint32_t edges, codes;
	double *edge;                /* [edges]; the lowest level of the index */
	struct edges_index index;
	uint16_t *cell_of;           /* categories: by code; codes beyond are the last cell */
};

enum explain_phase { EXPLAIN_BEFORE, EXPLAIN_OLDER, EXPLAIN_NEWER, EXPLAIN_AFTER, EXPLAIN_PHASES };

struct explain {
	uint32_t columns;            /* room for so many */
	uint32_t used;               /* the first so many have been counted in */
	uint32_t block;              /* outcomes in NEWER */
	uint32_t after;              /* outcomes since the alert opened ... */
	uint32_t due;                /* ... and at how many its explanation is told again */
	struct cell_count *count;    /* [phase][column][EXPLAIN_SLOTS] */
	struct cell_count (*segment)[EXPLAIN_PHASES]; /* [segments] by number of the segment */
	uint32_t segments;
	size_t segment_capacity;
};

/* What an outcome is counted by; nothing is kept. */
struct explain_row {
	const uint8_t *bins;         /* [n] */
	uint32_t n;
	const uint16_t *segment;     /* [segments] */
	uint32_t segments;
};

struct explain *explain_create(uint32_t columns);
void explain_destroy(struct explain *e); /* NULL is fine */
size_t explain_bytes(const struct explain *e);
static inline struct cell_count *
explain_cells(const struct explain *e, enum explain_phase phase, uint32_t column)
{
	return e->count + ((size_t)phase * e->columns + column) * EXPLAIN_SLOTS;
}
/* An outcome while no alert is open. */
void explain_add(struct explain *e, struct explain_row row, bool hit);
/* An outcome while one is: true when so many have come that it should be told again (200, 800, ...). */
bool explain_add_after(struct explain *e, struct explain_row row, bool hit);
void explain_opened(struct explain *e);
void explain_closed(struct explain *e);
void explain_forget_column(struct explain *e, uint32_t column);
void explain_save(const struct explain *e, struct codec *out);
bool explain_load(struct explain *e, struct codec *in); /* false: damaged */

/* explain_columns.c: the columns of a model, owned by its labels. */
struct explain_columns {
	struct explain_column *feature;
	uint32_t features, features_max;
	struct explain_column (*output)[EXPLAIN_OUTPUTS]; /* by number of the version */
	uint32_t versions;
	size_t version_capacity;
	uint64_t since;              /* largest `since` of all */
	bool dirty;
};

struct store;
struct diag;
struct model;
struct version;

void explain_columns_finish(struct explain_columns *c);
size_t explain_columns_bytes(const struct explain_columns *c);
/* The cells of every stream as they are now; all rows went through their streams. */
void explain_publish(struct explain_columns *c, struct model *m, uint64_t journal_end);
/* Bytes of a row of version `version`; 0: there are no columns yet. */
uint32_t explain_width(const struct explain_columns *c, uint32_t version);
/* Bytes of a row that was appended before a column got its present cells become unknown. */
void explain_mask(const struct explain_columns *c, uint32_t version, uint64_t number, uint8_t *bins,
                  uint32_t n);
/* NULL: not published. */
const struct explain_column *explain_column(const struct explain_columns *c, uint32_t version,
                                            uint32_t column);
/* explain_rows.c: the bytes of the predictions whose values still lie in the batches of their streams. They
 * are made column by column when a batch ends, or when somebody reads them: many searches of one column cost
 * a fraction of one search of each. What they say does not depend on when that is. */
struct explain_rows {
	uint32_t n;
	uint64_t number[ROWS_MAX];   /* journal rows, ascending, whose bytes are not written yet */
	uint32_t features_at[ROWS_MAX]; /* where their values lie in the batches; UINT32_MAX: nowhere */
	uint32_t outputs_at[ROWS_MAX];
	uint32_t version[ROWS_MAX];
	/* of explain_rows_fill() */
	uint8_t *to[ROWS_MAX];
	uint32_t cell[ROWS_MAX];
};

/* The record that was just appended to the model's batches became row `number` of the journal, which has room
 * for explain_width() bytes. `features_at` UINT32_MAX: it has no features. */
void explain_rows_add(struct explain_rows *r, const struct explain_columns *c, struct journal *j,
                      const struct model *m, const struct version *v, uint64_t number,
                      uint32_t features_at);
/* Writes what is not written. Before a batch of the model leaves, before cells are published. */
void explain_rows_fill(struct explain_rows *r, const struct explain_columns *c, struct journal *j);
/* ... if the bytes of row `number` are among it. */
static inline void
explain_rows_read(struct explain_rows *r, const struct explain_columns *c, struct journal *j, uint64_t number)
{
	if (r->n && number >= r->number[0])
		explain_rows_fill(r, c, j);
}

int explain_columns_put(const struct explain_columns *c, const struct model *m, struct store *store);
int explain_columns_load(struct explain_columns *c, struct model *m, struct store *store, struct diag *d);

#endif
