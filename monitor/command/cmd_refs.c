/* cmd_refs.c -- `driftd refs list|diff`: what records are compared with. */
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/refs.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd refs list DB [--json]\n"
	"       driftd refs diff DB MODEL VERSION VERSION [--json]\n"
	"\n"
	"  list  references of streams and of out-of-distribution scores: from when to when, how many\n"
	"        records, and what should be known of them\n"
	"  diff  where the references of two versions of a model differ\n"
	"\n"
	"A better reference: `driftd fit CONFIG FILE`.\n"
	"\n"
	"Exit status: 0; 64 usage; 65 not a database of ours; 66 there is none, or no such version; 74 I/O\n"
	"error; 78 it is newer than this program.\n";

int
cmd_refs(int argc, char **argv)
{
	bool json = false;
	const struct cli_option options[] = { { "--json", &json, NULL }, { NULL, NULL, NULL } };
	struct sqlite3 *db = NULL;
	struct diag d = { "" };
	struct cli c;
	bool list, diff;
	int err, status = cli_parse(&c, argc, argv, options, 2, 5, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	list = !strcmp(c.word[0], "list") && c.words == 2;
	diff = !strcmp(c.word[0], "diff") && c.words == 5;
	if (!list && !diff)
		return cli_fail(&c, EXIT_USAGE, "expected `list DB`, or `diff DB MODEL VERSION VERSION`; "
		                "`driftd refs --help` tells more");
	if ((err = store_open_reader(&db, c.word[1], &d)))
		return cli_fail(&c, exit_status(err), "%s", d.text);
	err = list ? refs_list(db, stdout, json, &d) :
	             refs_ood_diff(db, stdout, c.word[2], c.word[3], c.word[4], json, &d);
	sqlite3_close(db);
	return err ? cli_fail(&c, exit_status(err), "%s", d.text) : cli_finish(&c, EXIT_FINE);
}
