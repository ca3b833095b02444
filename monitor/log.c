/* log.c -- see log.h. Lines are built in memory and written with one write(), which may fail (a closed or
 * full pipe): a log never stops the pipeline. */
#include "monitor/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, QUIET_S = 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `seen` */
static enum log_level shown = LOG_INFO;

static struct seen {
	const char *event;
	time_t at;
	unsigned left_out;
} seen[EVENTS];

void
log_set_level(enum log_level level)
{
	shown = level;
}

static void
write_line(enum log_level level, const char *event, const char *text, unsigned left_out)
{
	static const char *const name[] = { "error", "warn", "info", "debug" };
	char line[2048];
	struct timespec now;
	struct tm utc;
	size_t at;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	at = strftime(line, sizeof line, "ts=%Y-%m-%dT%H:%M:%S", &utc);
	at += (size_t)snprintf(line + at, sizeof line - at, ".%03ldZ level=%s event=%s ",
	                       now.tv_nsec / 1000000, name[level], event);
	if (left_out)
		at += (size_t)snprintf(line + at, sizeof line - at, "left_out=%u ", left_out);
	at += (size_t)snprintf(line + at, sizeof line - at, "msg=\"");
	for (; *text && at + 8 < sizeof line; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			at += (size_t)snprintf(line + at, sizeof line - at, "\\x%02x", c);
		else {
			if (c == '"' || c == '\\')
				line[at++] = '\\';
			line[at++] = (char)c;
		}
	}
	line[at++] = '"';
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0)
		return;
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	char text[1536];
	va_list args;

	if (level > shown)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	write_line(level, event, text, 0);
}

void
log_often(enum log_level level, const char *event, const char *format, ...)
{
	char text[1536];
	struct timespec now;
	struct seen *s = NULL;
	unsigned left_out;
	va_list args;

	if (level > shown)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < EVENTS && !s; i++)
		if (!seen[i].event || !strcmp(seen[i].event, event))
			s = &seen[i];
	if (s && s->event && now.tv_sec - s->at < QUIET_S) {
		s->left_out++;
		pthread_mutex_unlock(&lock);
		return;
	}
	left_out = s && s->event ? s->left_out : 0;
	if (s)
		*s = (struct seen){ event, now.tv_sec, 0 };
	pthread_mutex_unlock(&lock);
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	write_line(level, event, text, left_out);
}
