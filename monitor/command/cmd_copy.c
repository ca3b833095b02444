/* cmd_copy.c -- `driftd backup DB FILE` and `driftd export DB NAME`. */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/report.h"
#include "storage/store.h"

#define STATUSES                                                                                   \
	"Exit status: 0; 64 usage; 65 not a database of ours; 66 there is none; 74 I/O error; 78 it is\n" \
	"newer than this program, or FILE exists.\n"

static const char help_backup[] =
	"usage: driftd backup DB FILE\n"
	"\n"
	"Copies a database into FILE, which must not exist, beside a running daemon: one snapshot, with\n"
	"the offsets that belong to it, so that a daemon can go on from the copy.\n"
	"\n" STATUSES;
static const char help_export[] =
	"usage: driftd export DB NAME\n"
	"\n"
	"Prints a view or table as CSV (RFC 4180, UTF-8, a line of names first); NULL is an empty cell.\n"
	"`driftd explain --sql` lists them; for a part of one: sqlite3 -csv DB 'SELECT ...'.\n"
	"\n" STATUSES;

static int
copy(struct cli *c, struct sqlite3 *db, struct diag *d)
{
	if (!strcmp(c->command, "export"))
		return report_csv(db, stdout, c->word[1], d);
	return report_backup(db, c->word[1], d);
}

int
cmd_copy(int argc, char **argv)
{
	static const struct cli_option options[] = { { NULL, NULL, NULL } };
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct cli c;
	int err, status = cli_parse(&c, argc, argv, options, 2, 2,
	                            strcmp(argv[0], "export") ? help_backup : help_export);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	err = store_open_reader(&db, c.word[0], &d);
	if (!err)
		err = copy(&c, db, &d);
	sqlite3_close(db);
	if (err == ERR_MISSING && db)
		return cli_fail(&c, EXIT_USAGE, "%s", d.text);
	return err ? cli_fail(&c, exit_status(err), "%s", d.text) : cli_finish(&c, EXIT_FINE);
}
