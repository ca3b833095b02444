/* detector.h -- one sequential test over one column: pure C, no I/O, no clock, no allocation after
 * creation, no global. Same records in, same bits out, wherever a batch is cut.
 *
 * A detector is one .c file with a `struct detector` at its end, one line in registry.c and one file
 * of vectors. It sees only the records it uses, densely packed: missing values, thinning, phases
 * and the gain g are the business of runner.h. It knows nothing of thresholds but through
 * `threshold` below, and never resets itself: the caller decides what a crossing means.
 *
 * Instance = tables computed at creation from options and reference (never saved) + state (saved).
 */
#ifndef DETECTORS_DETECTOR_H
#define DETECTORS_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/isa.h"

struct codec;
struct diag;
struct option;
struct reference;

enum column_kind {
	COLUMN_NUMERIC,  /* any finite double */
	COLUMN_BINARY,   /* 0 or 1; anything else is a bad line of a filter */
	COLUMN_UNIT,     /* a p-value or probability; range checked by `accepts` */
	COLUMN_CATEGORY, /* a code; the texts belong to the stream */
	COLUMN_VECTOR,   /* width doubles a row */
};

enum detector_flags {
	DETECTOR_NEEDS_REFERENCE = 1 << 0, /* cannot start from a warm-up (tolerant*, e2) */
	DETECTOR_WARMS_UP = 1 << 1,        /* without a reference its first `warmup` records are one */
	DETECTOR_THINS = 1 << 2,           /* takes `thin` */
	DETECTOR_PHASES = 1 << 3,          /* takes `phases` (known null) */
	DETECTOR_METERED = 1 << 4,         /* uses R, so takes `metered` */
	DETECTOR_KEYED = 1 << 5,           /* takes `keyed`, `days`, `cycle` */
	DETECTOR_INTERVAL = 1 << 6,        /* prints lower and upper, not a statistic */
	DETECTOR_DECIDES = 1 << 7,         /* sets alarm itself (no S >= c): contract 6 ville, 7, 8, 9 */
	DETECTOR_KEY_VALUE = 1 << 8,       /* lines are key,value, cut at the last comma (mondrian); keys
	                                    * without a reference are used too */
};

/* The used records of one column. Owned by the caller; never kept. */
struct column {
	uint32_t n;
	uint32_t width;         /* values a row: 1, or the length of a vector */
	const double *value;    /* [n * width]; NULL for COLUMN_CATEGORY */
	const uint32_t *code;   /* [n]; only COLUMN_CATEGORY */
	const uint32_t *key;    /* [n] seasonal key index, all < reference keys; NULL = key 0 */
	const double *gain;     /* [n] g >= 0; NULL = 1 (contract 2) */
	const uint32_t *phase;  /* [n] copy that the record belongs to (contract 11a); NULL = 0 */
	const int64_t *time_ms; /* [n] event time, only to date the change; NULL = record numbers only */
};

/* What one record gave. */
struct reading {
	double statistic; /* S, before any reset; NaN = empty; `lower` of an interval */
	double upper;     /* only DETECTOR_INTERVAL */
	bool alarm;       /* S >= threshold, or the detector's own decision */
};

/* The change that the evidence points to: the bet with the largest G <- max(G, 1) L. */
struct change {
	uint64_t records;    /* used records since the estimated start; 0 = nothing to tell */
	int64_t start_ms;    /* event time of the first of them */
	double log_evidence; /* ln G of that bet */
	bool up;             /* the direction that the bet backs: larger values, more of the cell */
	uint32_t cell;       /* categorical: the cell of the bet; else 0 */
	double effect;       /* since the start: sigma-equivalents of the mean rank (numeric), points
	                      * (binary: new rate - old), total variation of the cell (categorical) */
	double low, high;    /* 95 % interval of the effect (normal approximation) */
	double old_value;    /* mean, rate or share in the reference */
	double new_value;    /* the same since the start */
};

struct detector {
	const char *name;     /* contract's name; public: YAML, SQL, command line */
	const char *summary;  /* one line for people */
	const char *source;   /* paper and equation, or contract section */
	enum column_kind kind;
	unsigned flags;       /* enum detector_flags */
	const struct option *options; /* of this detector alone, ended by OPT_END */
	size_t options_size;

	/* Bytes that create() will allocate: known before the first record. NULL reference allowed. */
	size_t (*bytes)(const void *options, const struct reference *ref, uint32_t phases);
	/* Builds tables and the empty state. `ref` may be NULL unless DETECTOR_NEEDS_REFERENCE.
	 * seed, stream: contract 1. phases >= 1. ERR_INVALID with a sentence when options or reference
	 * cannot work. */
	int (*create)(void **out, const void *options, const struct reference *ref, uint32_t phases,
	              uint64_t seed, uint64_t stream, struct diag *d);
	void (*destroy)(void *self); /* NULL is fine */
	/* A value that this detector refuses (a "bad line"); NULL = all finite values are fine. */
	bool (*accepts)(const void *options, double value);
	/* What the dependence rule ranks instead of the value; NULL = the value itself. */
	double (*ranked)(const void *options, double value);
	/* Consumes rows [from, column->n) and writes out[row] for each, until one has alarm set.
	 * Returns the next row: column->n, or the row after the alarm. `threshold` is c. */
	uint32_t (*update)(void *self, const struct column *column, uint32_t from, double threshold,
	                   struct reading *out);
	void (*reset)(void *self);              /* after an alarm: every R back to 0, G too */
	void (*skip)(void *self, uint64_t n);   /* n records passed unused: contract 1's n advances */
	void (*change)(const void *self, struct change *out); /* may be NULL */
	/* State only. load() accepts exactly what update() can produce, else ERR_CORRUPT. */
	void (*save)(const void *self, struct codec *out);
	int (*load)(void *self, struct codec *in, struct diag *d);
	/* Chooses the instruction set of its kernels; false when the processor lacks it. Only tests and
	 * benchmarks need this: the best one is the default, and all give the same bits. NULL: no kernels. */
	bool (*use)(void *self, enum isa isa);
};

extern const struct detector *const detector_table[]; /* NULL-terminated, sorted by name */
const struct detector *detector_find(const char *name); /* NULL when unknown */

#endif
