/* cmd_status.c -- `driftd status DB`: what a database says now. */
#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/report.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd status DB [--json]\n"
	"\n"
	"Records, lag, models, budget, open alerts and streams whose promise is void: one snapshot,\n"
	"read beside a running daemon or without one. The same and more with sqlite3: views\n"
	"drift_now, budget, alerts_open.\n"
	"\n"
	"  --json    one JSON object\n"
	"\n"
	"Exit status: 0; 65 not a database of ours, 66 there is none, 74 it cannot be read, 78 it\n"
	"is newer.\n";

int
cmd_status(int argc, char **argv)
{
	bool json = false;
	const struct cli_option options[] = { { "--json", &json, NULL }, { NULL, NULL, NULL } };
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct cli c;
	int err, status = cli_parse(&c, argc, argv, options, 1, 1, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	err = store_open_reader(&db, c.word[0], &d);
	if (!err)
		err = report_status(db, stdout, json, &d);
	sqlite3_close(db);
	if (err == ERR_MISSING)
		return cli_fail(&c, exit_status(err), "%s\nIt appears with the first `driftd run CONFIG` or "
		                "`driftd replay CONFIG FILE`; `driftd check CONFIG` prints its path.", d.text);
	if (err)
		return cli_fail(&c, exit_status(err), "%s", d.text);
	return cli_finish(&c, EXIT_FINE);
}
