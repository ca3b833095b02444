/* detect_lines.h -- the lines of `driftd detect` as columns (contract 2, 4b, 5, 10, 11, 16):
 *
 *   reference  [day,][key,]value          stream  [g,][key,]value
 *
 * value: a number, a category (the rest of the line), or d numbers with commas between. */
#ifndef MONITOR_COMMAND_DETECT_LINES_H
#define MONITOR_COMMAND_DETECT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/detector.h"
#include "detectors/kit/reference.h"
#include "monitor/command/words.h"

struct line_format {
	const struct detector *detector;
	const void *own;        /* its options, for `accepts` */
	bool metered, days, keyed;
	uint32_t width;         /* of a vector; 0 until the first line told */
	struct words days_seen, keys_seen, categories;
};

/* One line; missing values are NaN, or UINT32_MAX as a code. */
struct line {
	double gain;
	uint32_t day, key, code;
	double *value; /* [width] of the caller's buffer */
};

enum line_kind { LINE_FINE, LINE_MISSING, LINE_BAD };

/* Splits and reads one line; `text` may be written to. *out->value has room for *room doubles,
 * and is moved to a larger buffer when the first vector needs one. *why: for LINE_BAD, a few
 * words. */
enum line_kind line_read(struct line_format *f, bool reference, char *text, size_t length,
                         struct line *out, size_t *room, const char **why);

/* The usable lines of a file. Owns its arrays. */
struct line_reference {
	struct reference ref;
	double *value;
	uint32_t *code, *day, *key;
	size_t room;
};
struct diag;
/* ERR_MISSING, ERR_IO: the file; bad lines are told on standard error and skipped. */
int line_reference_read(struct line_reference *r, struct line_format *f, const char *path,
                        struct diag *d);
void line_reference_finish(struct line_reference *r);
void line_format_finish(struct line_format *f);

#endif
