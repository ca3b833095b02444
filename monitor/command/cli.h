/* cli.h -- what people's commands share: arguments, messages, emphasis.
 *
 * Options and words may stand in any order; "--" ends the options; a value follows its option as
 * the next word or after "=". Messages go to standard error as "driftd COMMAND: sentence".
 */
#ifndef MONITOR_COMMAND_CLI_H
#define MONITOR_COMMAND_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CLI_WORDS_MAX = 64 };

struct cli_option {
	const char *name;   /* "--json"; NULL ends the table */
	bool *flag;         /* one of the two: an option without a value, */
	const char **value; /* or with one */
};

struct cli {
	const char *command;
	const char *word[CLI_WORDS_MAX]; /* NULL beyond `words` */
	size_t words;
};

/* 0; EXIT_USAGE after a message; -1 after --help, whose text is `help` (its first line is the
 * usage). */
int cli_parse(struct cli *c, int argc, char **argv, const struct cli_option *option,
              size_t words_min,
              size_t words_max, const char *help);
/* Prints the message and returns `status`. */
int cli_fail(const struct cli *c, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Emphasis when `out` is a terminal and NO_COLOR is not set, else nothing. */
const char *cli_bold(FILE *out);
const char *cli_warn(FILE *out);
const char *cli_plain(FILE *out);
/* Flushes standard output: `status`, or EXIT_DISK after a message when it could not be written. */
int cli_finish(const struct cli *c, int status);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void cli_json_text(FILE *out, const char *text, size_t length);
/* A JSON number; what is not finite is null. */
void cli_json_number(FILE *out, double x);
/* Text that may come from records, without its control characters. */
void cli_text(FILE *out, const char *text, size_t length);
/* "350 ms", "19 min", "2.5 h", "7 d" */
const char *cli_duration(double ms, char *out, size_t size);
/* "20 KiB", "1.5 GiB" */
const char *cli_bytes(double bytes, char *out, size_t size);

#endif
