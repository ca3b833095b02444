/* score.h -- one out-of-distribution score: how unlike the reference a record is, higher = more unlike.
 *
 * A score is one `struct score` at the end of its file and one line in score.c. It is fitted once on rows
 * of a reference and then gives every row a number that depends on that row alone (tile.h), except the
 * adaptive ones, which score a row and then learn from it. `scorer` fits and runs several together.
 * Scores are finite: what overflows counts as SCORE_FARTHEST.
 */
#ifndef DETECTORS_OOD_SCORE_H
#define DETECTORS_OOD_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/tile.h"

struct codec;
struct diag;
struct option;

enum score_flags {
	SCORE_LOGITS = 1 << 0,    /* reads logits */
	SCORE_SHARES = 1 << 1,    /* reads logits, or probabilities where there are none */
	SCORE_EMBEDDING = 1 << 2, /* reads the embedding */
	SCORE_FEATURES = 1 << 3,  /* reads features */
	SCORE_VECTOR = 1 << 4,    /* reads the embedding, or features where there is none */
	SCORE_FITTED = 1 << 5,    /* cannot do without a reference */
	SCORE_ADAPTIVE = 1 << 6,  /* has no reference: no p-value belongs to it */
};
#define SCORE_FARTHEST 1e300
#define SCORE_NO_LABEL UINT32_MAX

/* Records side by side, row by row; arrays that are absent are NULL. All numbers are finite. */
struct score_rows {
	uint32_t n;
	uint32_t classes, dimension, features; /* numbers a row of logits or probs, embedding, feature */
	const double *logits;    /* [n * classes] */
	const double *probs;     /* [n * classes] */
	const double *embedding; /* [n * dimension] */
	const double *feature;   /* [n * features] */
	const uint32_t *label;   /* [n] class codes, SCORE_NO_LABEL: none; only read by fits */
	const struct tile_softmax *softmax; /* [tile_count(n)] of logits or probs; the scorer's business */
};
/* Rows [from, from + n) of `rows`; without softmax. */
struct score_rows score_slice(const struct score_rows *rows, uint32_t from, uint32_t n);

/* Parameters of all scores; each reads those of its own table. */
struct score_options {
	double temperature, gen_power; /* T, g */
	uint32_t gen_classes;          /* M */
	uint32_t neighbours;           /* k; OPTION_AUTO */
	uint32_t bank;                 /* of knn: rows at most; 0: all */
	int space;                     /* enum space_choice */
	double ridge;                  /* NaN: Ledoit-Wolf */
	uint32_t axes;                 /* dim; OPTION_AUTO */
	uint32_t quantiles;
	double lambda;
	uint32_t trees, depth, window;
	int64_t seed;
	enum tile_isa isa;             /* zero: the best; no parameter, for tests and benches */
};
enum space_choice { SPACE_AUTO, SPACE_NONE, SPACE_UNIT, SPACE_STANDARD };

struct score {
	const char *name;
	const char *summary; /* one line for people */
	const char *source;  /* paper and equation */
	unsigned flags;      /* enum score_flags */
	const struct option *options; /* into struct score_options, ended by OPT_END */
	/* `fit` is NULL when there is no reference (never with SCORE_FITTED). ERR_INVALID with a sentence
	 * when the rows cannot be fitted, ERR_IO when memory fails; then nothing is left. `width` is the
	 * number of columns of what the score reads: an adaptive one has no other way to know. */
	int (*create)(void **out, const struct score_options *o, const struct score_rows *fit, uint32_t width,
	              struct diag *d);
	void (*destroy)(void *self); /* NULL is fine */
	/* out[r] for each row; at most SCORER_ROWS rows. */
	void (*run)(void *self, const struct score_rows *rows, double *out);
};

extern const struct score *const score_table[]; /* NULL-terminated, sorted by name */
const struct score *score_find(const char *name); /* NULL when unknown */
/* Whether the rows have what the score reads; and the name of what they lack, for messages. */
bool score_has_input(const struct score *s, const struct score_rows *rows);
const char *score_input_name(const struct score *s);
/* Columns of what the score reads. */
uint32_t score_width(const struct score *s, const struct score_rows *rows);

/* Rows that go through a score at once; scores of a scorer; numbers of a vector: a covariance of 4096
 * columns is 128 MB. */
enum { SCORER_ROWS = 256, SCORER_MAX = 8, SCORE_WIDTH_MAX = 4096 };
struct scorer {
	uint32_t n;
	const struct score *score[SCORER_MAX];
	void *state[SCORER_MAX];
	struct tile_softmax *softmax; /* [tile_count(SCORER_ROWS)] */
	double *tile;                 /* room for one tile of classes */
	uint32_t tile_columns;
	const struct tile_kernel *kernel;
};
/* Fits n scores on the rows. As create() of a score; "score: sentence". The rows' kinds and widths are
 * those of every later row. */
int scorer_init(struct scorer *s, const struct score *const *score, uint32_t n, const struct score_options *o,
                const struct score_rows *fit, const struct score_rows *shape, struct diag *d);
void scorer_finish(struct scorer *s);
/* out[i][r]: score i of row r; any number of rows. */
void scorer_run(struct scorer *s, const struct score_rows *rows, double *const *out);

/* Of ecod: the feature that adds most to the score of one row [features]. */
uint32_t score_ecod_reason(const void *state, const double *row);
/* Zeroed, aligned to 64 bytes, `count` doubles; NULL when memory fails or the product overflows. */
double *score_array(size_t count, size_t times);
/* The sentence for it. */
int score_no_memory(struct diag *d);

#endif
