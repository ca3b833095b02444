/* filter.h -- what the filters of the command line share : arguments and lines.
 *
 *   driftd detect|distance|metric|... NAME [-p name=value]... [--reference FILE] [--kind K] [--seed N]
 *                                          [--strict] [FILE|-]
 *   driftd arl METHOD [-p name=value]... [--seed N] [--json]
 */
#ifndef MONITOR_COMMAND_FILTER_H
#define MONITOR_COMMAND_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct option;
struct diag;

enum { FILTER_PARAMS_MAX = 64 };
struct filter {
	const char *command;          /* "detect", ... */
	const char *name;             /* method or metric; NULL for distance, uncertainty */
	struct { const char *name, *value; } param[FILTER_PARAMS_MAX];
	size_t params;
	const char *reference, *kind; /* or NULL */
	uint64_t seed;                /* 1 */
	bool strict, json;
	const char *file;             /* "-" = standard input */
};

enum filter_takes { FILTER_NAME = 1 << 0, FILTER_JSON = 1 << 1 }; /* the first word is NAME; --json */
/* Parses argv (argv[0] is the command). takes: enum filter_takes. 0, or the exit status 2 after a message on
 * standard error with the usage; -1 after --help (exit 0), whose text is `help`. */
int filter_parse(struct filter *f, int argc, char **argv, unsigned takes, const char *help);
/* The value given to parameter `name`, or NULL. */
const char *filter_param(const struct filter *f, const char *name);
/* Sets defaults of the tables, then the parameters; each parameter goes to the first table that has it.
 * Exit status 2 (message printed, nearest name given) for an unknown or bad one, else 0. */
int filter_options(const struct filter *f, const struct option *const *table, void *const *options,
                   size_t tables);

/* Lines of a file or of standard input, of any length up to 64 MiB; gzip is read as well. */
struct lines;
struct lines *lines_open(const char *path, struct diag *d); /* NULL on error */
/* False at the end. The bytes are without LF or CRLF, NUL-terminated, valid until the next call. */
bool lines_next(struct lines *l, char **text, size_t *length);
uint64_t lines_number(const struct lines *l); /* of the last line, from 1 */
/* After lines_next() said false: why the rest could not be read, or NULL at a proper end. */
const char *lines_error(const struct lines *l);
void lines_close(struct lines *l);

/* One line that a filter is given. 1 or 0: taken or passed over; ERR_INVALID with a sentence: a bad line;
 * another error ends the run. `number` counts from 1. */
typedef int filter_take(void *self, const char *text, size_t length, uint64_t number, struct diag *d);
/* Prints `header` once the file is open, then takes line after line; blank ones are passed over. A bad line
 * is told on standard error with file and line; --strict stops there. Returns the exit status. */
int filter_each_line(const struct filter *f, const char *header, filter_take *take, void *self);
/* Flushes standard output: `status`, or EXIT_DISK after a message when it cannot be written. */
int filter_finish(const struct filter *f, int status);

/* A number with blanks around it (contract 16). Returns 1 a finite number, 0 missing (empty, nan, inf,
 * overflow), -1 bad. Locale-independent. */
int line_number(const char *text, size_t length, double *value);
/* "%.17g"; NaN prints nothing. */
void print_number(double value);

#endif
