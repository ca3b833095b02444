/* commands.h -- the subcommands of driftd, one cmd_NAME.c each. argv[0] is the subcommand; the result is
 * the exit status. Every one answers --help. */
#ifndef MONITOR_COMMAND_COMMANDS_H
#define MONITOR_COMMAND_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_fit(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_detect(int argc, char **argv);
int cmd_distance(int argc, char **argv);
int cmd_metric(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_uncertainty(int argc, char **argv);
int cmd_arl(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_alerts(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_reproduce(int argc, char **argv);
int cmd_outbox(int argc, char **argv);
int cmd_refs(int argc, char **argv);
/* backup, export */
int cmd_copy(int argc, char **argv);
int cmd_explain(int argc, char **argv);
/* ack, resolve, rebaseline, expect */
int cmd_control(int argc, char **argv);
int cmd_forget(int argc, char **argv);

/* Exit statuses (sysexits where they fit). */
enum exit_status {
	EXIT_FINE = 0,
	EXIT_ALERTS = 1,      /* replay --fail-on-alert */
	EXIT_BAD_LINES = 2,   /* filters: bad lines under --strict, bad parameters */
	EXIT_USAGE = 64,
	EXIT_CORRUPT = 65,    /* database foreign or corrupt */
	EXIT_NO_INPUT = 66,   /* configuration or input file missing */
	EXIT_INTERNAL = 70,
	EXIT_CANT_CREATE = 73,
	EXIT_DISK = 74,       /* I/O error */
	EXIT_RUNNING = 75,    /* another instance holds the database */
	EXIT_PERMISSION = 77,
	EXIT_CONFIG = 78,     /* configuration invalid, or database schema newer than the program */
};
/* From enum err of diag.h. */
int exit_status(int err);

#endif
