/* cmd_status.c -- `driftd status DB`: what a database says now. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/report.h"
#include "storage/store.h"

enum { WATCH_S = 2 };

static const char help[] =
	"usage: driftd status DB [--json] [--watch]\n"
	"\n"
	"Records, lag, models, budget, open alerts and streams whose promise is void: one snapshot,\n"
	"read beside a running daemon or without one. The same and more with sqlite3: views\n"
	"drift_now, budget, alerts_open.\n"
	"\n"
	"Of each model: the highest statistic of the last 24 windows (a full bar is an alarm), and coverage of\n"
	"the last 14 days (from 0.5 to 1).\n"
	"\n"
	"  --json    one JSON object; with --watch one a line\n"
	"  --watch   again every two seconds, until it is interrupted\n"
	"\n"
	"Exit status: 0; 65 not a database of ours, 66 there is none, 74 it cannot be read, 78 it\n"
	"is newer.\n";

/* Until an interrupt, or until nobody reads. A terminal is cleared before each report. */
static int
watch(struct sqlite3 *db, bool json, struct diag *d)
{
	const struct timespec pause = { WATCH_S, 0 };
	int err = 0;

	while (!err) {
		if (!json && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		err = report_status(db, stdout, json, d);
		if (!err && (ferror(stdout) || nanosleep(&pause, NULL)))
			break;
	}
	return err;
}

int
cmd_status(int argc, char **argv)
{
	bool json = false, again = false;
	const struct cli_option options[] = { { "--json", &json, NULL }, { "--watch", &again, NULL },
		                              { NULL, NULL, NULL } };
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct cli c;
	int err, status = cli_parse(&c, argc, argv, options, 1, 1, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	err = store_open_reader(&db, c.word[0], &d);
	if (!err)
		err = again ? watch(db, json, &d) : report_status(db, stdout, json, &d);
	sqlite3_close(db);
	if (err == ERR_MISSING)
		return cli_fail(&c, exit_status(err), "%s\nIt appears with the first `driftd run CONFIG` or "
		                "`driftd replay CONFIG FILE`; `driftd check CONFIG` prints its path.", d.text);
	if (err)
		return cli_fail(&c, exit_status(err), "%s", d.text);
	return cli_finish(&c, EXIT_FINE);
}
