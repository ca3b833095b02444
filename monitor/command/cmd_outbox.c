/* cmd_outbox.c -- `driftd outbox list|requeue|drop`: messages that wait, and those that were given up. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "config/option.h"
#include "monitor/clock.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/outbox.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd outbox list|requeue|drop DB [MESSAGE] [OPTION]...\n"
	"\n"
	"  list      messages that wait (pending) or were given up (dead), with the reason\n"
	"  requeue   dead messages are sent again: MESSAGE (its number in `list`), or --all\n"
	"  drop      pending messages are given up: MESSAGE, or --all\n"
	"\n"
	"  --sink NAME     only at this sink\n"
	"  --state STATE   list: pending, dead, sent, unwanted or shadow\n"
	"  --all           requeue, drop: every message\n"
	"  --json          list: a JSON array with the whole messages\n"
	"\n"
	"A running daemon notices within a second (Alertmanager: at its next turn).\n"
	"\n"
	"Exit status: 0; 1 there was nothing to requeue or drop; 64 usage; 65 not a database of ours;\n"
	"66 there is none; 74 I/O error; 75 it is locked; 78 it is newer than this program.\n";

struct arguments {
	struct cli cli;
	const char *sink, *state;
	bool all, json;
	int64_t message; /* 0: all */
};

static int
list(const struct arguments *a)
{
	static const char *const states[] = { "pending", "dead", "sent", "unwanted", "shadow", NULL };
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	int err;

	if (a->state) {
		const char *near = option_nearest_word(states, a->state);

		if (!near || strcmp(near, a->state))
			return cli_fail(&a->cli, EXIT_USAGE, "--state is pending, dead, sent, unwanted or shadow");
	}
	err = store_open_reader(&db, a->cli.word[1], &d);
	if (!err)
		err = outbox_list(db, stdout, a->state, a->json, &d);
	sqlite3_close(db);
	return err ? cli_fail(&a->cli, exit_status(err), "%s", d.text) : cli_finish(&a->cli, EXIT_FINE);
}

static int
change(const struct arguments *a, bool requeue)
{
	struct diag d = { "" };
	uint64_t n = 0;
	int err;

	if (a->all == (a->message != 0))
		return cli_fail(&a->cli, EXIT_USAGE, "either the number of a MESSAGE, or --all");
	err = requeue ? outbox_requeue(a->cli.word[1], a->message, a->sink, &n, &d)
	              : outbox_drop(a->cli.word[1], a->message, a->sink, clock_wall_ms(), &n, &d);
	if (err)
		return cli_fail(&a->cli, exit_status(err), "%s", d.text);
	printf("%" PRIu64 " %s %s.\n", n, n == 1 ? "delivery" : "deliveries", requeue ? "requeued" : "dropped");
	return cli_finish(&a->cli, n ? EXIT_FINE : EXIT_ALERTS);
}

int
cmd_outbox(int argc, char **argv)
{
	static const struct option row[] = { { "MESSAGE", OPTION_I64, 0, NULL, 1, 9e15, NULL, "" }, OPT_END };
	struct arguments a = { .message = 0 };
	const struct cli_option options[] = {
		{ "--sink", NULL, &a.sink }, { "--state", NULL, &a.state }, { "--all", &a.all, NULL },
		{ "--json", &a.json, NULL }, { NULL, NULL, NULL },
	};
	struct diag d = { "" };
	int status = cli_parse(&a.cli, argc, argv, options, 2, 3, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	if (a.cli.word[2] && option_set(row, &a.message, a.cli.word[2], &d))
		return cli_fail(&a.cli, EXIT_USAGE, "%s", d.text);
	if (!strcmp(a.cli.word[0], "list"))
		return list(&a);
	if (!strcmp(a.cli.word[0], "requeue") || !strcmp(a.cli.word[0], "drop"))
		return change(&a, a.cli.word[0][0] == 'r');
	return cli_fail(&a.cli, EXIT_USAGE, "there is no `outbox %s`: list, requeue or drop", a.cli.word[0]);
}
