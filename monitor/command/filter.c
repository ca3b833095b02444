/* filter.c -- arguments of the filters of the command line (filter.h). */
#include "monitor/command/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "monitor/command/commands.h"

__attribute__((format(printf, 3, 4))) static int
usage_error(const struct filter *f, const char *help, const char *format, ...)
{
	va_list args;
	const char *line_end = help ? strchr(help, '\n') : NULL;

	va_start(args, format);
	fprintf(stderr, "driftd %s: ", f->command);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	if (help)
		fprintf(stderr, "%.*s\n", (int)(line_end ? line_end - help : (long)strlen(help)),
		        help);
	return EXIT_BAD_LINES;
}

/* The value of an option given as `-x value` or `-xvalue`, `--long value` or `--long=value`. */
static const char *
option_value(int argc, char **argv, int *i, const char *name)
{
	const char *arg = argv[*i];
	size_t length = strlen(name);

	if (strncmp(arg, name, length) != 0)
		return NULL;
	if (arg[length] == '\0')
		return ++*i < argc ? argv[*i] : NULL;
	if (name[1] != '-')
		return arg + length;
	return arg[length] == '=' ? arg + length + 1 : NULL;
}

static bool
is_option(const char *arg, const char *name)
{
	size_t length = strlen(name);

	return strncmp(arg, name, length) == 0
	       && (arg[length] == '\0' || name[1] != '-' || arg[length] == '=');
}

static int
add_param(struct filter *f, char *text, const char *help)
{
	char *equals = text ? strchr(text, '=') : NULL;

	if (!equals || equals == text)
		return usage_error(f, help, "-p needs name=value");
	if (f->params == FILTER_PARAMS_MAX)
		return usage_error(f, help, "more than %d parameters", FILTER_PARAMS_MAX);
	*equals = '\0';
	f->param[f->params].name = text;
	f->param[f->params++].value = equals + 1;
	return 0;
}

static int
set_seed(struct filter *f, const char *text, const char *help)
{
	char *end = NULL;

	errno = 0;
	if (text && text[0] >= '0' && text[0] <= '9')
		f->seed = strtoull(text, &end, 10);
	if (!end || *end || errno)
		return usage_error(f, help, "--seed needs a whole number from 0 to 2^64 - 1");
	return 0;
}

static int
take_option(struct filter *f, int argc, char **argv, int *i, unsigned takes, const char *help)
{
	static const char *const names[] = { "-p", "--seed", "--reference", "--kind" };
	const char *arg = argv[*i], *value = NULL;
	size_t which = 0, known = sizeof names / sizeof *names;

	if (strcmp(arg, "--strict") == 0) {
		f->strict = true;
		return 0;
	}
	if (takes & FILTER_JSON && strcmp(arg, "--json") == 0) {
		f->json = true;
		return 0;
	}
	while (which < known && !is_option(arg, names[which]))
		which++;
	if (which == known)
		return usage_error(f, help, "unknown option %s", arg);
	value = option_value(argc, argv, i, names[which]);
	if (!value)
		return usage_error(f, help, "%s needs a value", names[which]);
	switch (which) {
	case 0:
		/* argv strings may be written: C17 5.1.2.2.1. */
		return add_param(f, argv[*i] + (value - argv[*i]), help);
	case 1:
		return set_seed(f, value, help);
	case 2:
		f->reference = value;
		return 0;
	default:
		f->kind = value;
		return 0;
	}
}

int
filter_parse(struct filter *f, int argc, char **argv, unsigned takes, const char *help)
{
	bool words_only = false;

	*f = (struct filter){ .command = argv[0], .seed = 1 };
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		int status = 0;

		if (!words_only && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
			fputs(help, stdout);
			return -1;
		}
		if (!words_only && strcmp(arg, "--") == 0)
			words_only = true;
		else if (!words_only && arg[0] == '-' && arg[1])
			status = take_option(f, argc, argv, &i, takes, help);
		else if (takes & FILTER_NAME && !f->name)
			f->name = arg;
		else if (!f->file)
			f->file = arg;
		else
			status = usage_error(f, help, "one file too many: %s", arg);
		if (status)
			return status;
	}
	if (takes & FILTER_NAME && !f->name)
		return usage_error(f, help, "a name is missing");
	if (!f->file)
		f->file = "-";
	return 0;
}

const char *
filter_param(const struct filter *f, const char *name)
{
	for (size_t p = 0; p < f->params; p++)
		if (strcmp(f->param[p].name, name) == 0)
			return f->param[p].value;
	return NULL;
}

static const char *
nearest_name(const struct option *const *table, size_t tables, const char *name)
{
	for (size_t t = 0; t < tables; t++) {
		const char *near = option_nearest(table[t], name);

		if (near)
			return near;
	}
	return NULL;
}

int
filter_options(const struct filter *f, const struct option *const *table, void *const *options,
               size_t tables)
{
	for (size_t t = 0; t < tables; t++)
		option_defaults(table[t], options[t]);
	for (size_t p = 0; p < f->params; p++) {
		const char *name = f->param[p].name, *near;
		const struct option *row = NULL;
		struct diag d;
		size_t t = 0;

		while (t < tables && !(row = option_find(table[t], name)))
			t++;
		if (!row) {
			near = nearest_name(table, tables, name);
			return usage_error(f, NULL, "unknown parameter %s%s%s%s", name,
			                   near ? " (did you mean " : "", near ? near : "",
			                   near ? "?)" : "");
		}
		if (option_set(row, options[t], f->param[p].value, &d))
			return usage_error(f, NULL, "%s", d.text);
	}
	for (size_t t = 0; t < tables; t++)
		for (const struct option *row = table[t]; row->name; row++) {
			if (!row->fallback && !filter_param(f, row->name))
				return usage_error(f, NULL, "parameter %s is required (%s)",
				                   row->name, row->help);
		}
	return 0;
}

int
filter_each_line(const struct filter *f, const char *header, filter_take *take, void *self)
{
	const char *name = strcmp(f->file, "-") == 0 ? "standard input" : f->file;
	struct diag d = { "" };
	struct lines *lines = lines_open(f->file, &d);
	int status = EXIT_FINE;
	char *text;
	size_t length;

	if (!lines) {
		fprintf(stderr, "driftd %s: %s\n", f->command, d.text);
		return EXIT_NO_INPUT;
	}
	puts(header);
	while (lines_next(lines, &text, &length)) {
		int got = strspn(text, " \t") == length ? 0
		          : take(self, text, length, lines_number(lines), &d);

		if (got >= 0)
			continue;
		fprintf(stderr, "driftd %s: %s:%llu: %s\n", f->command, name,
		        (unsigned long long)lines_number(lines), d.text);
		status = got == ERR_INVALID ? EXIT_BAD_LINES : EXIT_INTERNAL;
		if (f->strict || status == EXIT_INTERNAL)
			break;
	}
	if (status != EXIT_INTERNAL && lines_error(lines)) {
		fprintf(stderr, "driftd %s: %s: %s\n", f->command, name, lines_error(lines));
		status = EXIT_DISK;
	}
	lines_close(lines);
	return status;
}

int
filter_finish(const struct filter *f, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "driftd %s: cannot write to standard output\n", f->command);
	return EXIT_DISK;
}
