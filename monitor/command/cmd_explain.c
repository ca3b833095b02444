/* cmd_explain.c -- `driftd explain [KEY]`: documentation of the configuration. */
#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/report.h"

static const char help[] =
	"usage: driftd explain [KEY] | --sql [TABLE] [--json]\n"
	"\n"
	"Prints every key of the configuration with its meaning, range and default, as a YAML file that\n"
	"changes nothing: a place to begin. With KEY (alerts.budget, models.reference) only that one.\n"
	"\n"
	"  driftd explain > driftd.yaml     write a configuration to edit\n"
	"  driftd check driftd.yaml         see what it would do\n"
	"\n"
	"  --sql    tables, views and columns of the database instead\n"
	"  --json   an array of objects: key, type, default, help; or name, column, meaning, type\n"
	"\n"
	"Exit status: 0; 64 there is no such key, table or view.\n";

int
cmd_explain(int argc, char **argv)
{
	bool sql = false, json = false;
	const struct cli_option options[] = { { "--sql", &sql, NULL }, { "--json", &json, NULL },
		                              { NULL, NULL, NULL } };
	struct diag d = { "" };
	struct cli c;
	int status = cli_parse(&c, argc, argv, options, 0, 1, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	if (sql ? report_documentation(stdout, c.word[0], json, &d) : json ?
	          config_explain_json(stdout, c.word[0], &d) : config_explain(stdout, c.word[0], &d))
		return cli_fail(&c, EXIT_USAGE, "%s", d.text);
	return cli_finish(&c, EXIT_FINE);
}
