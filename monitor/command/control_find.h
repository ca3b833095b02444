/* control_find.h -- what a person meant by "ALERT" or "MODEL": the only one that begins so. */
#ifndef MONITOR_COMMAND_CONTROL_FIND_H
#define MONITOR_COMMAND_CONTROL_FIND_H

#include <stdbool.h>

struct diag;
struct sqlite3;

enum control_wanted { CONTROL_ALERT = 1, CONTROL_MODEL = 2, CONTROL_RESOLVED = 4 }; /* or several */

struct control_target {
	bool is_model;
	char *text;     /* full id or name, malloc()ed */
	char id[33];    /* of an alert */
	char shown[72]; /* for messages: beginning of the id, or the name without control characters */
};

/* A model's full name comes first, then beginnings. Alerts must not be resolved, unless those
 * are wanted too. ERR_INVALID with
 * a sentence that says what to do next; ERR_IO. */
int control_find(struct sqlite3 *db, const char *path, const char *given,
                 enum control_wanted wanted,
                 struct control_target *out, struct diag *d);
void control_target_finish(struct control_target *t); /* a zeroed one is fine */

#endif
