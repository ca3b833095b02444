/* cmd_alerts.c -- `driftd alerts DB [ID-PREFIX]`: what is open, or one alert in full. */
#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/report.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd alerts DB [ID] [--all] [--history] [--json]\n"
	"\n"
	"Lists open alerts, worst first, at most 20; with ID (or its beginning) tells one of them\n"
	"in full.\n"
	"\n"
	"  --history  resolved ones too, latest first\n"
	"  --all      every row, resolved ones too\n"
	"  --json     a JSON array; with ID an object\n"
	"\n"
	"What next: driftd ack DB ID; driftd resolve DB ID; driftd rebaseline DB ID. Exit status:\n"
	"0; 64 ID is malformed or fits several, 65 not a database of ours, 66 there is no such\n"
	"alert or database, 74 it cannot be read, 78 it is newer.\n";

int
cmd_alerts(int argc, char **argv)
{
	bool json = false, history = false, all = false;
	const struct cli_option options[] = {
		{ "--json", &json, NULL },
		{ "--history", &history, NULL },
		{ "--all", &all, NULL },
		{ NULL, NULL, NULL },
	};
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct cli c;
	int err, status = cli_parse(&c, argc, argv, options, 1, 2, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	if ((err = store_open_reader(&db, c.word[0], &d)))
		return cli_fail(&c, exit_status(err), "%s", d.text);
	const struct alert_query query = { .history = history || all, .all = all, .id = c.word[1] };

	err = report_alerts(db, stdout, &query, json, &d);
	sqlite3_close(db);
	if (err == ERR_MISSING)
		return cli_fail(&c, exit_status(err), "%s; `driftd alerts %s --all` lists them", d.text,
		                c.word[0]);
	if (err)
		return cli_fail(&c, err == ERR_INVALID ? EXIT_USAGE : exit_status(err), "%s", d.text);
	return cli_finish(&c, EXIT_FINE);
}
