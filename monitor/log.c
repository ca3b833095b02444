/* log.c -- see log.h. Lines are built in memory and written at once, if that needs no waiting: what reads
 * them may have stopped reading, and a log never stops the pipeline. */
#include "monitor/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, QUIET_S = 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `seen` */
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER; /* of standard error and `dropped` */
static unsigned dropped;
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

/* A pipe that can be written to takes PIPE_BUF bytes, more than a line, if nobody writes in between. Its
 * descriptor stays as it is: others may share it. */
static bool
write_now(const char *line, size_t length)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n = send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) ? write(STDERR_FILENO, line, length) : -1;
	return n >= 0;
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
	pthread_mutex_lock(&output);
	if (dropped)
		at += (size_t)snprintf(line + at, sizeof line - at, "dropped=%u ", dropped);
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
	dropped = write_now(line, at) ? 0 : dropped + 1;
	pthread_mutex_unlock(&output);
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
