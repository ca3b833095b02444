/* score_rows.h -- lines of JSON as rows that scores read: embedding, logits, probs, features, label.
 *
 * The first usable line fixes which inputs a row has, how long they are and which features they are; a
 * later line that differs is bad, and one that lacks an input is missing.
 */
#ifndef MONITOR_COMMAND_SCORE_ROWS_H
#define MONITOR_COMMAND_SCORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/ood/score.h"
#include "monitor/decode/jsonl.h"

struct diag;

/* Inputs, as bits. */
enum score_input {
	INPUT_LOGITS = 1 << 0,
	INPUT_PROBS = 1 << 1,
	INPUT_EMBEDDING = 1 << 2,
	INPUT_FEATURES = 1 << 3,
	INPUTS = 4,
};

/* What some scores read of a row. */
struct score_wish {
	unsigned all;                  /* each of these, */
	bool shares, vector, anything; /* logits or else probs, embedding or else features, what there is */
};

/* Rows in memory of their own. */
struct row_set {
	struct score_rows rows; /* its pointers are those below */
	double *value[INPUTS];
	uint32_t *label;
	size_t capacity;
};
void row_set_finish(struct row_set *s);
void row_set_clear(struct row_set *s); /* no rows, memory kept */

struct row_reader {
	struct jsonl *json;
	struct score_wish wish;
	unsigned inputs;           /* of every row; 0 before the first */
	uint32_t width[INPUTS];
	char **feature;            /* [width[3]] "features.NAME" when features are an object, else NULL */
	struct jsonl_numbers value[INPUTS];
	char **class_name;         /* labels in order of appearance */
	uint32_t classes;
	const char *id;            /* of the last line, NULL: none; valid until the next one */
	size_t id_length;
	char number[32];           /* room for an id that is a number */
	const char *lacks;         /* ROW_MISSING: what */
	uint64_t zeros;            /* rows whose embedding is all zero */
};
enum row_kind { ROW_FINE, ROW_MISSING, ROW_BAD, ROW_FAILED };

/* False when memory fails. */
bool row_reader_init(struct row_reader *r, const struct score_wish *wish);
void row_reader_finish(struct row_reader *r);
/* Appends the line to `to`, with its label when `labels`. ROW_BAD and ROW_FAILED (memory) with a
 * sentence. */
enum row_kind row_read(struct row_reader *r, const char *text, size_t length, bool labels,
                       struct row_set *to, struct diag *d);
/* Rows of `a` that are, in every input, a copy of a row of `b`. SIZE_MAX when memory fails. */
size_t row_set_copies(const struct row_set *a, const struct row_set *b);

#endif
