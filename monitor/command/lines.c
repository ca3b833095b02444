/* lines.c -- lines and numbers of the filters' text (filter.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "config/diag.h"
#include "monitor/command/filter.h"

enum {
	CHUNK_BYTES = 256 * 1024,
	LINE_BYTES_MAX = 64 * 1024 * 1024, /* more is not a line of text */
	NUMBER_BYTES_MAX = 512,            /* a longer number is read through the heap */
};

struct lines {
	gzFile file;
	char *buffer;         /* [capacity + 1] */
	size_t capacity, from, to;
	uint64_t number;
	bool end;
	char error[256];      /* "" = none */
};

struct lines *
lines_open(const char *path, struct diag *d)
{
	bool standard = strcmp(path, "-") == 0;
	struct lines *l = calloc(1, sizeof *l);
	int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (!l || fd < 0) {
		diag_set(d, errno == ENOENT ? ERR_MISSING : ERR_IO, "cannot open %s: %s", path,
		         strerror(errno));
		goto fail;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		diag_set(d, ERR_INVALID, "cannot read %s: it is a directory", path);
		goto fail;
	}
	l->capacity = CHUNK_BYTES;
	l->buffer = malloc(l->capacity + 1);
	l->file = l->buffer ? gzdopen(fd, "rb") : NULL;
	if (!l->file) {
		diag_set(d, ERR_IO, "cannot read %s: out of memory", path);
		goto fail;
	}
	gzbuffer(l->file, CHUNK_BYTES);
	return l;
fail:
	if (fd >= 0)
		close(fd);
	if (l)
		free(l->buffer);
	free(l);
	return NULL;
}

/* Reads more bytes behind `to`; false at the end or after an error. */
static bool
fill(struct lines *l)
{
	int got, code = Z_OK;

	if (l->end)
		return false;
	if (l->from > 0) {
		memmove(l->buffer, l->buffer + l->from, l->to - l->from);
		l->to -= l->from;
		l->from = 0;
	}
	if (l->to == l->capacity) {
		char *grown = l->capacity >= LINE_BYTES_MAX
		              ? NULL : realloc(l->buffer, 2 * l->capacity + 1);

		if (!grown) {
			snprintf(l->error, sizeof l->error, "a line is longer than %d MiB",
			         LINE_BYTES_MAX / (1024 * 1024));
			l->end = true;
			return false;
		}
		l->buffer = grown;
		l->capacity *= 2;
	}
	got = gzread(l->file, l->buffer + l->to, (unsigned)(l->capacity - l->to));
	if (got > 0) {
		l->to += (size_t)got;
		return true;
	}
	l->end = true;
	if (got < 0 || (gzerror(l->file, &code), code == Z_BUF_ERROR)) {
		const char *why = gzerror(l->file, &code);

		snprintf(l->error, sizeof l->error, "cannot read on: %s",
		         code == Z_ERRNO ? strerror(errno)
		         : code == Z_BUF_ERROR ? "truncated gzip" : why);
	}
	return false;
}

bool
lines_next(struct lines *l, char **text, size_t *length)
{
	size_t searched = 0;
	char *newline = NULL;

	while (!newline) {
		size_t have = l->to - l->from;

		if (have > searched)
			newline = memchr(l->buffer + l->from + searched, '\n', have - searched);
		if (newline)
			break;
		searched = have;
		if (!fill(l)) {
			if (searched == 0 || l->error[0])
				return false;
			newline = l->buffer + l->to; /* the last line has no LF */
			break;
		}
	}
	*text = l->buffer + l->from;
	*length = (size_t)(newline - *text);
	l->from = (size_t)(newline - l->buffer) + (newline < l->buffer + l->to ? 1 : 0);
	if (*length > 0 && (*text)[*length - 1] == '\r')
		--*length;
	(*text)[*length] = '\0';
	l->number++;
	return true;
}

uint64_t
lines_number(const struct lines *l)
{
	return l->number;
}

const char *
lines_error(const struct lines *l)
{
	return l->error[0] ? l->error : NULL;
}

void
lines_close(struct lines *l)
{
	if (!l)
		return;
	gzclose(l->file);
	free(l->buffer);
	free(l);
}

static bool
is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static size_t
digits(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* Is it [+-] digits [. digits] [e [+-] digits], with a digit before the exponent? */
static bool
is_decimal(const char *text, size_t length)
{
	size_t i = length && (*text == '+' || *text == '-') ? 1 : 0;
	size_t whole = digits(text + i, length - i), part = 0, power;

	i += whole;
	if (i < length && text[i] == '.') {
		part = digits(text + i + 1, length - i - 1);
		i += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (i == length)
		return true;
	if (text[i] != 'e' && text[i] != 'E')
		return false;
	i++;
	if (i < length && (text[i] == '+' || text[i] == '-'))
		i++;
	power = digits(text + i, length - i);
	return power > 0 && i + power == length;
}

int
line_number(const char *text, size_t length, double *value)
{
	char stack[NUMBER_BYTES_MAX], *copy = stack;
	size_t sign;

	while (length && (*text == ' ' || *text == '\t')) {
		text++;
		length--;
	}
	while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	sign = length && (*text == '+' || *text == '-') ? 1 : 0;
	if (length == 0 || is_word(text + sign, length - sign, "nan")
	    || is_word(text + sign, length - sign, "inf")
	    || is_word(text + sign, length - sign, "infinity"))
		return 0;
	if (!is_decimal(text, length))
		return -1;
	if (length >= sizeof stack)
		copy = malloc(length + 1);
	if (!copy)
		return -1;
	memcpy(copy, text, length);
	copy[length] = '\0';
	/* The program stays in the "C" locale, so strtod() reads '.' everywhere. */
	*value = strtod(copy, NULL);
	if (copy != stack)
		free(copy);
	return isfinite(*value) ? 1 : 0;
}

void
print_number(double value)
{
	if (!isnan(value))
		printf("%.17g", value);
}
