/* cmd_check.c -- `driftd check CONFIG`: is the configuration sound, and what will it mean? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/option.h"
#include "monitor/command/check.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/store.h"

enum { BROKER_MS_MAX = 600000 };

static const char help[] =
	"usage: driftd check CONFIG [--json] [--require-broker] [--timeout DURATION]\n"
	"\n"
	"Checks the configuration, the database that it names and the topics of the cluster,\n"
	"changes nothing, and prints the plan: who may spend how much of the budget, the threshold\n"
	"1/g that this comes to, how long changes of a few sizes take to be found, memory, and\n"
	"bytes written. Streams and rates are those of the database; before there is one, what the\n"
	"configuration lets expect, at 1, 10 and 100 records a second. Delays are simulated with\n"
	"the tests themselves, on ideal data: read them as about.\n"
	"\n"
	"  --json            one JSON object; arrays are by rate; delays beyond 50000 records are null\n"
	"  --require-broker  a cluster that does not answer is an error, not a warning\n"
	"  --timeout DURATION  how long it is waited for: 1ms to 10m; default 5s\n"
	"\n"
	"Exit status: 0; 64 usage; 65 the database is not ours or damaged; 66 CONFIG is missing; 73\n"
	"the database cannot be created where it is to be; 74 I/O error, or no broker with\n"
	"--require-broker; 78 CONFIG is invalid, or the database is newer than this program. A\n"
	"daemon that runs meanwhile is not disturbed.\n";

/* Can the first run make the database? */
static int
check_folder(const struct cli *cli, const char *database)
{
	const char *slash = strrchr(database, '/');
	char *folder = !slash ? strdup(".") :
	               slash == database ? strdup("/") : strndup(database, (size_t)(slash - database));
	int status = EXIT_FINE;

	if (!folder)
		return cli_fail(cli, EXIT_INTERNAL, "out of memory");
	if (access(folder, W_OK | X_OK))
		status = cli_fail(cli, EXIT_CANT_CREATE, "the database %s cannot be created: %s: %s", database,
		                  folder, strerror(errno));
	free(folder);
	return status;
}

static int
open_database(const struct cli *cli, struct check *c)
{
	struct diag d = { "" };
	int err = store_open_reader(&c->db, c->config->database, &d);

	if (err == ERR_MISSING)
		return check_folder(cli, c->config->database);
	return err ? cli_fail(cli, exit_status(err), "%s", d.text) : 0;
}

static int
examine(const struct cli *cli, struct check *c, bool require_broker, int timeout_ms)
{
	struct diag d = { "" };
	int status = open_database(cli, c), err;

	if (status)
		return status;
	if ((err = check_plan(c, &d)))
		return cli_fail(cli, exit_status(err), "%s", d.text);
	if (strcmp(c->config->kafka.brokers, "embedded") != 0) {
		if ((err = check_topics(c, timeout_ms, &d)))
			return cli_fail(cli, exit_status(err), "%s", d.text);
		if (c->unreachable[0] && require_broker)
			return cli_fail(cli, EXIT_DISK, "%s does not answer: %s", c->config->kafka.brokers,
			                c->unreachable);
		if (c->unreachable[0])
			check_warn(c, "%s does not answer (%s): topics are not checked; `driftd run` waits for it",
			           c->config->kafka.brokers, c->unreachable);
	}
	check_cost(c);
	return 0;
}

int
cmd_check(int argc, char **argv)
{
	static const struct option timeout_row[] = {
		{ "--timeout", OPTION_DURATION, 0, "5s", 1, BROKER_MS_MAX, NULL, "" },
		OPT_END,
	};
	bool json = false, require_broker = false;
	const char *timeout = NULL;
	int64_t timeout_ms = 0;
	const struct cli_option options[] = {
		{ "--json", &json, NULL },
		{ "--require-broker", &require_broker, NULL },
		{ "--timeout", NULL, &timeout },
		{ NULL, NULL, NULL },
	};
	struct check c = { 0 };
	struct config *config;
	struct diag d = { "" };
	struct cli cli;
	int err, status = cli_parse(&cli, argc, argv, options, 1, 1, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	if (option_set(timeout_row, &timeout_ms, timeout ? timeout : timeout_row->fallback, &d))
		return cli_fail(&cli, EXIT_USAGE, "%s", d.text);
	err = config_load(&config, cli.word[0], stderr, &d);
	if (err == ERR_MISSING)
		return cli_fail(&cli, exit_status(err), "`driftd explain > %s` writes one to begin with",
		                cli.word[0]); /* what is wrong was told with the other errors */
	if (err)
		return exit_status(err);
	c.config = config;
	status = examine(&cli, &c, require_broker, (int)timeout_ms);
	for (size_t i = 0; i < c.warnings && !status; i++)
		fprintf(stderr, "%swarning: %s%s\n", cli_warn(stderr), c.warning[i], cli_plain(stderr));
	if (!status) {
		if (json)
			check_print_json(&c);
		else
			check_print(&c);
	}
	check_finish(&c);
	config_free(config);
	return status ? status : cli_finish(&cli, EXIT_FINE);
}
