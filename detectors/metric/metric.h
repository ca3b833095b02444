/* metric.h -- one measure of forecasts over a file of rows (contract 15), and the table of them.
 *
 * A metric is one metric_NAME.c file with its `struct metric` and one line in metric.c. It says
 * which fields it reads; the caller parses them, checks type and range, and hands over row after
 * row. What the daemon needs of a metric is beside it as a plain function (metric_bins.h,
 * metric_binomial.h, metric_winkler.h, metric_rank.h, metric_crps.h, metric_pit.h).
 */
#ifndef DETECTORS_METRIC_METRIC_H
#define DETECTORS_METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct option;

enum metric_type {
	METRIC_NUMBER,  /* finite */
	METRIC_INTEGER,
	METRIC_ARRAY,   /* numbers, at least one */
	METRIC_LEVELS,  /* an object of "level": value, at least one; levels in (0, 1) */
};

enum metric_presence {
	METRIC_OPTIONAL,
	METRIC_REQUIRED, /* a row without it is bad */
	METRIC_SELECTS,  /* a row without it does not belong to the metric: passed over */
};

struct metric_field {
	const char *name; /* NULL ends the list */
	enum metric_type type;
	enum metric_presence presence;
	double low, high; /* inclusive range of numbers */
};

/* What a row holds of one field. */
struct metric_input {
	bool given;
	double number;       /* METRIC_NUMBER */
	int64_t integer;     /* METRIC_INTEGER */
	const double *value; /* [n] METRIC_ARRAY, METRIC_LEVELS; valid during the call */
	const double *level; /* [n] METRIC_LEVELS */
	size_t n;
};

enum { METRIC_FIELDS_MAX = 8, METRIC_VALUES_MAX = 8 };
struct metric_row {
	uint64_t number;                            /* of the line, from 1 */
	struct metric_input in[METRIC_FIELDS_MAX];  /* in the order of `fields` */
};

struct metric_value {
	const char *name;
	double value; /* NaN = undefined */
};

struct metric {
	const char *name;
	const char *summary; /* one line for people */
	const char *source;  /* paper or definition */
	const struct metric_field *fields;
	const struct option *options; /* ended by OPT_END */
	size_t options_size;
	bool seeded;   /* create() uses the seed */
	bool each_row; /* values() belongs to the last row and is printed after each */
	/* ERR_INVALID for options that cannot work, ERR_IO when memory fails. */
	int (*create)(void **out, const void *options, uint64_t seed, struct diag *d);
	void (*destroy)(void *self); /* NULL is fine */
	/* ERR_INVALID with a sentence: a bad row, which leaves no trace. */
	int (*add)(void *self, const struct metric_row *row, struct diag *d);
	/* Writes at most METRIC_VALUES_MAX values, returns their number. May reorder what is kept,
	 * but gives the same again. */
	size_t (*values)(void *self, struct metric_value *out);
};

extern const struct metric *const metric_table[]; /* NULL-terminated, sorted by name */
const struct metric *metric_find(const char *name); /* NULL when unknown */

/* Numbers kept from row to row. Zero it first. */
struct metric_series {
	double *value;
	size_t n, capacity;
};
int metric_series_push(struct metric_series *s, double value, struct diag *d); /* 0 or ERR_IO */
void metric_series_finish(struct metric_series *s);
void metric_sort(double *value, size_t n); /* ascending */

/* create() and destroy() of metrics whose state begins with a copy of the options. */
int metric_state(void **out, size_t size, const void *options, size_t options_size, struct diag *d);

#endif
