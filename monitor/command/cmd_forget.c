/* cmd_forget.c -- `driftd forget DB ID`: takes out what the database holds of a record's id. */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "monitor/command/control_send.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd forget DB ID [--wait] [--json]\n"
	"\n"
	"Takes out what the database holds of the record with this id, in every model: the prediction\n"
	"and label in the journal, samples of rejected records, mentions in messages. Free pages keep\n"
	"no copy. Sums that the record is part of stay: they tell of many. The id stands in table\n"
	"`commands` until the command is executed, then its hash does. A label that comes later waits\n"
	"for a prediction anew: forget again, or keep it from the topic. Kafka, backups and what was\n"
	"delivered are elsewhere.\n" CONTROL_COMMON CONTROL_STATUSES;

int
cmd_forget(int argc, char **argv)
{
	struct control_send s = { .arguments = "{}", .effect = "what is held of this id is removed" };
	struct cli cli;
	const struct cli_option options[] = { { "--wait", &s.wait, NULL }, { "--json", &s.json, NULL },
		                              { NULL, NULL, NULL } };
	int status = cli_parse(&cli, argc, argv, options, 2, 2, help);
	struct diag d = { "" };
	sqlite3 *db = NULL;

	if (status)
		return status < 0 ? EXIT_FINE : status;
	s.cli = &cli;
	s.path = cli.word[0];
	s.target = cli.word[1];
	if (!*s.target || strlen(s.target) > LIMIT_RECORD_BYTES)
		return cli_fail(&cli, EXIT_USAGE, "ID is empty or too long");
	int err = store_open_reader(&db, s.path, &d);
	sqlite3_close(db);
	if (err)
		return cli_fail(&cli, exit_status(err), "%s", d.text);
	return control_send(&s);
}
