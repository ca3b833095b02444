/* sink_log.c -- alerts as lines on standard error. */
#include <string.h>

#include "monitor/deliver/sink.h"
#include "monitor/log.h"

static int
open_log(void **self, const struct sink_config *config, const struct sink_world *world, struct diag *d)
{
	(void)config, (void)world, (void)d;
	*self = NULL;
	return 0;
}

static void
send_log(void *self, const struct outbox_message *m, struct reply *r)
{
	size_t length;
	const char *summary = sink_summary(m, &length);

	(void)self;
	log_event(m->resolved || strcmp(m->field[FIELD_SEVERITY], "info") == 0 ? LOG_INFO : LOG_WARN, "alert",
	          "%s %s %s: "
	          "%.*s", m->field[FIELD_ID], m->event, m->field[FIELD_SEVERITY], (int)length, summary);
	reply_set(r, REPLY_TAKEN, "%s", "");
}

static void
close_log(void *self)
{
	(void)self;
}

const struct sink_kind sink_log = { open_log, send_log, close_log };
