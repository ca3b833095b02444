/* notes.c -- see notes.h. */
#include "monitor/notes.h"

#include <stdarg.h>
#include <stdio.h>

#include "monitor/clock.h"
#include "monitor/log.h"

void
notes_add(struct notes *n, const char *event, const char *format, ...)
{
	char text[sizeof n->note[0].detail];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_event(LOG_WARN, event, "%s", text);
	if (n->n == NOTES_MAX) {
		n->left_out++;
		return;
	}
	struct note *note = &n->note[n->n++];
	note->event = event;
	note->wall_ms = clock_wall_ms();
	snprintf(note->detail, sizeof note->detail, "%s", text);
}

int
notes_put(const struct notes *n, struct store *s)
{
	char text[64];
	int err = 0;

	for (size_t i = 0; i < n->n && !err; i++)
		err = store_put_run(s, n->note[i].event, n->note[i].detail, n->note[i].wall_ms);
	if (!err && n->left_out) {
		snprintf(text, sizeof text, "%llu more; the log has them", (unsigned long long)n->left_out);
		err = store_put_run(s, "left_out", text, n->note[n->n - 1].wall_ms);
	}
	return err;
}

void
notes_landed(struct notes *n)
{
	n->n = 0;
	n->left_out = 0;
}
