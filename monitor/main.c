/* main.c -- the table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "monitor/command/commands.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
	{ "run", cmd_run, "the daemon: Kafka in, SQLite out" },
	{ "check", cmd_check, "check a configuration and print the plan" },
	{ "fit", cmd_fit, "fit references from files or from a span of the topics" },
	{ "replay", cmd_replay, "the same pipeline over files, into a new database" },
	{ "status", cmd_status, "what a database says now" },
	{ "alerts", cmd_alerts, "alerts of a database, or one of them in full" },
	{ "report", cmd_report, "the page with its plots, as one file" },
	{ "ack", cmd_control, "acknowledge an alert" },
	{ "resolve", cmd_control, "resolve an alert" },
	{ "rebaseline", cmd_control, "close an episode and learn its streams anew" },
	{ "expect", cmd_control, "announce a span in which nothing is to be judged" },
	{ "forget", cmd_forget, "take out what is held of a record's id" },
	{ "reproduce", cmd_reproduce, "read the records of an alert again and compare, bit for bit" },
	{ "refs", cmd_refs, "references of a database; where those of two versions differ" },
	{ "outbox", cmd_outbox, "messages that wait for a sink, or were given up" },
	{ "backup", cmd_copy, "copy a database beside the running daemon" },
	{ "export", cmd_copy, "a view or table as CSV" },
	{ "detect", cmd_detect, "one sequential test over one column (filter)" },
	{ "distance", cmd_distance, "distances between two samples (filter)" },
	{ "metric", cmd_metric, "scores and estimates over JSON Lines (filter)" },
	{ "score", cmd_score, "how unlike a reference each record is, with its p-value (filter)" },
	{ "arl", cmd_arl, "thresholds, false alarms and delays of control charts and Shiryaev-Roberts tests" },
	{ "uncertainty", cmd_uncertainty, "kinds of uncertainty of each record of JSON Lines (filter)" },
	{ "explain", cmd_explain, "documentation of the configuration" },
};

static void
usage(FILE *out)
{
	fputs("usage: driftd COMMAND [ARGUMENT]...      driftd COMMAND --help tells more\n\n", out);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fputs("\nFirst steps: `make demo`, then `driftd explain > driftd.yaml` and `driftd check driftd.yaml`.\n",
	      out);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return EXIT_FINE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("driftd " DRIFTD_VERSION);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "driftd: unknown command '%s'; `driftd --help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
