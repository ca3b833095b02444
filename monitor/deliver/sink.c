/* sink.c -- see sink.h. */
#include "monitor/deliver/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum reply_result
reply_set(struct reply *r, enum reply_result result, const char *format, ...)
{
	va_list args;

	r->result = result;
	r->after_ms = 0;
	va_start(args, format);
	vsnprintf(r->error, sizeof r->error, format, args);
	va_end(args);
	return result;
}

const struct sink_kind *
sink_kind(enum sink_type type)
{
	static const struct sink_kind *const kind[] = {
		[SINK_WEBHOOK] = &sink_webhook, [SINK_ALERTMANAGER] = NULL, [SINK_PAGERDUTY] = &sink_pagerduty,
		[SINK_KAFKA] = &sink_kafka, [SINK_COMMAND] = &sink_command, [SINK_LOG] = &sink_log,
	};

	return kind[type];
}

const char *
sink_summary(const struct outbox_message *m, size_t *length)
{
	const char *text = m->field[FIELD_TEXT];

	if (!strncmp(text, "what:", 5))
		text += 5 + strspn(text + 5, " ");
	*length = strcspn(text, "\n");
	return text;
}
