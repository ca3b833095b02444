#include "config/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
diag_set(struct diag *d, int err, const char *format, ...)
{
	va_list args;

	if (!d)
		return err;
	va_start(args, format);
	vsnprintf(d->text, sizeof d->text, format, args);
	va_end(args);
	return err;
}

int
diag_context(struct diag *d, int err, const char *format, ...)
{
	char sentence[sizeof d->text];
	va_list args;

	if (!d)
		return err;
	/* A context may quote the old text itself, so that is copied first. */
	snprintf(sentence, sizeof sentence, "%s", d->text);
	va_start(args, format);
	int length = vsnprintf(d->text, sizeof d->text, format, args);
	va_end(args);
	if (length >= 0 && (size_t)length + 3 < sizeof d->text) {
		int room = (int)sizeof d->text - length - 3;
		snprintf(d->text + length, sizeof d->text - (size_t)length, ": %.*s", room, sentence);
	}
	return err;
}
