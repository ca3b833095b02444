/* cli.c -- see cli.h. */
#include "monitor/command/cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/option.h"
#include "monitor/command/commands.h"
#include "monitor/decode/text.h"

/* -- arguments --------------------------------------------------------------------------------- */

static int
usage_error(const struct cli *c, const char *help, const char *what, const char *sentence)
{
	cli_fail(c, EXIT_USAGE, "%s%s", what, sentence);
	fprintf(stderr, "%.*s\n", (int)strcspn(help, "\n"), help);
	return EXIT_USAGE;
}

static int
unknown_option(const struct cli *c, const struct cli_option *option, const char *given,
               const char *help)
{
	const struct cli_option *near = NULL;
	unsigned best = 3;

	for (; option->name; option++) {
		unsigned distance = option_distance(option->name, given);

		if (distance < best) {
			best = distance;
			near = option;
		}
	}
	fprintf(stderr, "%sdriftd %s: there is no option %s%s", cli_warn(stderr), c->command, given,
	        cli_plain(stderr));
	if (near)
		fprintf(stderr, " (did you mean %s?)", near->name);
	fprintf(stderr, "\n%.*s\n", (int)strcspn(help, "\n"), help);
	return EXIT_USAGE;
}

/* The option at argv[*i], which is moved past its value. */
static int
parse_option(const struct cli *c, int argc, char **argv, int *i, const struct cli_option *option,
             const char *help)
{
	const char *given = argv[*i], *equals = strchr(given, '=');
	size_t length = equals ? (size_t)(equals - given) : strlen(given);

	for (const struct cli_option *o = option; o->name; o++) {
		if (strlen(o->name) != length || strncmp(o->name, given, length) != 0)
			continue;
		if (o->flag) {
			if (equals)
				return usage_error(c, help, o->name, " takes no value");
			*o->flag = true;
			return 0;
		}
		if (*o->value)
			return usage_error(c, help, o->name, " is given twice");
		if (!equals && ++*i == argc)
			return usage_error(c, help, o->name, " needs a value");
		*o->value = equals ? equals + 1 : argv[*i];
		return 0;
	}
	return unknown_option(c, option, given, help);
}

int
cli_parse(struct cli *c, int argc, char **argv, const struct cli_option *option, size_t words_min,
          size_t words_max, const char *help)
{
	bool options = true;
	int status;

	*c = (struct cli){ .command = argv[0] };
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			fputs(help, stdout);
			return -1;
		} else if (!strcmp(argv[i], "--")) {
			break;
		}
	for (int i = 1; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			if ((status = parse_option(c, argc, argv, &i, option, help)))
				return status;
		} else if (c->words == words_max) {
			return usage_error(c, help, argv[i], " is one argument too many");
		} else {
			c->word[c->words++] = argv[i];
		}
	}
	if (c->words < words_min)
		return usage_error(c, help, "", "an argument is missing");
	return 0;
}

int
cli_fail(const struct cli *c, int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%sdriftd %s: ", cli_warn(stderr), c->command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "%s\n", cli_plain(stderr));
	return status;
}

int
cli_finish(const struct cli *c, int status)
{
	if (fflush(stdout) || ferror(stdout))
		return cli_fail(c, EXIT_DISK, "cannot write to standard output");
	return status;
}

/* -- output ------------------------------------------------------------------------------------ */

static const char *
emphasis(FILE *out, const char *code)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && !(no && *no) && term && strcmp(term, "dumb") != 0 ? code : "";
}

const char *
cli_bold(FILE *out)
{
	return emphasis(out, "\033[1m");
}

const char *
cli_warn(FILE *out)
{
	return emphasis(out, "\033[33m");
}

const char *
cli_plain(FILE *out)
{
	return emphasis(out, "\033[0m");
}

void
cli_json_text(FILE *out, const char *text, size_t length)
{
	fputc('"', out);
	while (length) {
		size_t good = text_utf8_error(text, length);

		for (size_t i = 0; i < good; i++) {
			unsigned char byte = (unsigned char)text[i];

			if (byte == '"' || byte == '\\')
				fprintf(out, "\\%c", byte);
			else if (byte < 0x20 || byte == 0x7f)
				fprintf(out, "\\u%04x", byte);
			else
				fputc(byte, out);
		}
		if (good < length) {
			fputs("\\ufffd", out);
			good++;
		}
		text += good;
		length -= good;
	}
	fputc('"', out);
}

void
cli_json_number(FILE *out, double x)
{
	if (isfinite(x))
		fprintf(out, "%.10g", x);
	else
		fputs("null", out);
}

void
cli_text(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];
		bool c1 = byte == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0;

		fputc(byte < 0x20 || byte == 0x7f || c1 ? '?' : byte, out);
		i += c1;
	}
}

struct unit {
	double size;
	const char *name;
};

static const char *
in_units(double x, const struct unit *unit, size_t units, char *out, size_t size)
{
	size_t at = 0;

	while (at + 1 < units && x >= unit[at + 1].size)
		at++;
	x /= unit[at].size;
	snprintf(out, size, x < 9.95 ? "%.2g %s" : "%.0f %s", x, unit[at].name);
	return out;
}

const char *
cli_duration(double ms, char *out, size_t size)
{
	static const struct unit unit[] = { { 1, "ms" }, { 1e3, "s" }, { 60e3, "min" }, { 3600e3, "h" },
		                            { 864e5, "d" }, { 365.25 * 864e5, "years" } };

	return in_units(ms, unit, sizeof unit / sizeof unit[0], out, size);
}

const char *
cli_bytes(double bytes, char *out, size_t size)
{
	static const struct unit unit[] = { { 1, "bytes" }, { 1024, "KiB" }, { 1048576, "MiB" },
		                            { 1073741824, "GiB" }, { 1099511627776, "TiB" } };

	return in_units(bytes, unit, sizeof unit / sizeof unit[0], out, size);
}
