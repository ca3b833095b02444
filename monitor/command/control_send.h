/* control_send.h -- puts a command into the queue of a database and says what will come, or came, of it. */
#ifndef MONITOR_COMMAND_CONTROL_SEND_H
#define MONITOR_COMMAND_CONTROL_SEND_H

#include <stdbool.h>

struct cli;

#define CONTROL_COMMON                                                                              \
	"\nIt is executed at the daemon's next commit, within about a second, or when it starts.\n"   \
	"  --wait          wait up to 10 s for that and print the result\n"                           \
	"  --json          one JSON object: command, target, effect, daemon (its process, or null),\n"  \
	"                  executed (true, false), result (null before it is executed)\n"
#define CONTROL_STATUSES                                                                            \
	"\nExit status: 0; 1 executed, but nothing was to be done; 64 usage, or DB does not hold what\n" \
	"is named; 65 not a database of ours; 66 there is no database; 74 I/O error; 75 not executed\n" \
	"within 10 s (it stays in the queue); 78 the database is newer than this program.\n"

struct control_send {
	const struct cli *cli; /* its command is the name in the queue */
	const char *path, *target;
	const char *arguments; /* JSON object */
	const char *effect;    /* what will happen: a sentence without its full stop */
	bool wait, json;
};

/* The exit status, after it has printed everything. */
int control_send(const struct control_send *s);

#endif
