/* cmd_copy.c -- `driftd backup DB FILE` and `driftd export DB NAME`. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
	"usage: driftd backup DB FILE [--json]\n"
	"\n"
	"Copies a database into FILE, which must not exist, beside a running daemon: one snapshot, with\n"
	"the offsets that belong to it, so that a daemon can go on from the copy.\n"
	"\n" STATUSES;
static const char help_export[] =
	"usage: driftd export DB NAME [--json]\n"
	"\n"
	"Prints a view or table as CSV (RFC 4180, UTF-8, a line of names first); NULL is an empty cell.\n"
	"--json: an array of objects.\n"
	"`driftd explain --sql` lists them; for a part of one: sqlite3 -csv DB 'SELECT ...'.\n"
	"\n" STATUSES;

static int
copy(struct cli *c, struct sqlite3 *db, bool json, struct diag *d)
{
	struct stat st;
	int err;

	if (!strcmp(c->command, "export"))
		return json ? report_json(db, stdout, c->word[1], d) : report_csv(db, stdout, c->word[1], d);
	err = report_backup(db, c->word[1], d);
	if (err || !json)
		return err;
	fputs("{\"database\":", stdout);
	cli_json_text(stdout, c->word[0], strlen(c->word[0]));
	fputs(",\"copy\":", stdout);
	cli_json_text(stdout, c->word[1], strlen(c->word[1]));
	printf(",\"bytes\":%lld}\n", stat(c->word[1], &st) ? -1 : (long long)st.st_size);
	return 0;
}

int
cmd_copy(int argc, char **argv)
{
	bool json = false;
	const struct cli_option options[] = { { "--json", &json, NULL }, { NULL, NULL, NULL } };
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct cli c;
	int err, status = cli_parse(&c, argc, argv, options, 2, 2,
	                            strcmp(argv[0], "export") ? help_backup : help_export);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	err = store_open_reader(&db, c.word[0], &d);
	if (!err)
		err = copy(&c, db, json, &d);
	sqlite3_close(db);
	if (err == ERR_MISSING && db)
		return cli_fail(&c, EXIT_USAGE, "%s", d.text);
	return err ? cli_fail(&c, exit_status(err), "%s", d.text) : cli_finish(&c, EXIT_FINE);
}
