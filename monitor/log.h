/* log.h -- one line an event on standard error: ts=... level=... event=... msg="...".
 *
 * Control bytes and quotes are escaped; never a record's payload; repeated events are counted and told at
 * most every ten seconds. Never waits: lines that standard error cannot take are dropped, and the next one
 * says how many. */
#ifndef MONITOR_LOG_H
#define MONITOR_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Events below `level` are dropped; default LOG_INFO. */
void log_set_level(enum log_level level);
/* `event` is a literal like "commit" or "kafka_error". */
void log_event(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same at most every ten seconds for each event; says how many were left out. */
void log_often(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
