/* cmd_control.c -- `driftd ack|resolve|rebaseline|expect`: rows of table `commands`, which the
 * daemon executes between two transactions. What can be checked is checked here, so that a typing
 * error is told at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "config/limits.h"
#include "config/option.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "monitor/command/control_find.h"
#include "monitor/command/control_send.h"
#include "monitor/decode/instant.h"
#include "monitor/decode/number.h"
#include "storage/store.h"

#define TIMES "T: epoch milliseconds (1700000000123) or RFC 3339 (2026-11-27T00:00:00Z).\n"
static const char help_ack[] =
	"usage: driftd ack DB ALERT [--note TEXT] [--wait] [--json]\n"
	"\n"
	"Marks an open alert as seen. It stays open and goes on being updated; nothing statistical\n"
	"changes. ALERT: its id or a beginning that no other alert has (`driftd alerts DB`).\n"
	"\n"
	"  --note TEXT     kept with the command, for your colleagues\n" CONTROL_COMMON CONTROL_STATUSES;
static const char help_resolve[] =
	"usage: driftd resolve DB ALERT [--verdict true|false|expected] [--wait] [--json]\n"
	"\n"
	"Closes an alert; its stream is judged again against the same reference, so a change that\n"
	"lasts is found again. If the new state is the normal one now: `driftd rebaseline DB\n"
	"ALERT`.\n"
	"\n"
	"  --verdict WORD  what it was: a true alarm, a false one, or a change that was expected; counted in\n"
	"                  view `budget`, also for an alert that is resolved already\n" CONTROL_COMMON
	CONTROL_STATUSES;
static const char help_rebaseline[] =
	"usage: driftd rebaseline DB MODEL|ALERT [--records N | --from T --to T] [--wait] [--json]\n"
	"\n"
	"Closes the episode and learns the reference anew: of the alert's stream, or of all streams\n"
	"of a model. Coverage against a stated level keeps its null: it is a promise, not a past.\n"
	"\n"
	"  --records N     the next N values are the new reference, 100 to 10000000; default: as the\n"
	"                  model's `reference` says, spread over its span\n"
	"  --from T --to T the reference is that span of event time, of what the topics still hold of\n"
	"                  the records that the daemon has read; they are read once more, from the\n"
	"                  beginning, and nothing else meanwhile. Streams with fewer than 100 values\n"
	"                  in it stay as they are; labels count where they stand in the prediction\n"
	"  " TIMES CONTROL_COMMON CONTROL_STATUSES;
static const char help_expect[] =
	"usage: driftd expect DB MODEL --from T --to T --reason TEXT [--streams GLOB] [--wait] [--json]\n"
	"\n"
	"Announces a span of event time (a sale, a holiday) in which nothing of the model is\n"
	"judged: evidence is kept, nothing is delivered, no budget is spent. The last announcement\n"
	"of a model counts.\n"
	"\n"
	"  --from T --to T the span, in event time; --to is the first instant after it\n"
	"  --reason TEXT   for your colleagues\n"
	"  --streams GLOB  only streams whose name matches, e.g. 'feature:*'; at most 63 bytes\n"
	"  " TIMES CONTROL_COMMON CONTROL_STATUSES;

enum { GLOB_BYTES_MAX = 63, NOTE_BYTES_MAX = 4096 };

struct control {
	struct cli cli;
	const char *path;
	const char *note, *records, *from, *to, *streams, *reason, *verdict;
	bool wait, json;
	struct control_target target;
	char *arguments;      /* JSON object, malloc()ed */
	size_t arguments_length;
	char effect[320];     /* what will happen, in words */
};

struct command {
	const char *name, *help;
	enum control_wanted wanted;
	/* Checks the options and writes arguments and effect; 0 or an exit status after a message. */
	int (*prepare)(struct control *c, FILE *arguments);
};

/* -- arguments --------------------------------------------------------------------------------- */

/* "name":text, when it was given. */
static void
put_text(FILE *out, bool *any, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s\"%s\":", *any ? "," : "", name);
	cli_json_text(out, text, strlen(text));
	*any = true;
}

static int
instant(const struct control *c, const char *name, const char *text, int64_t *ms)
{
	enum instant_status status = INSTANT_WRONG;
	size_t length = strlen(text);
	struct number n;
	const char *end = number_scan(text, &n);

	if (end && !*end)
		status = instant_number(&n, 0, ms);
	else
		status = instant_text(text, length, ms);
	if (status == INSTANT_FINE)
		return 0;
	return cli_fail(&c->cli, EXIT_USAGE, status == INSTANT_WRONG ?
	                "%s %s is no instant: epoch milliseconds, or RFC 3339 like 2026-11-27T00:00:00Z" :
	                "%s %s is out of range", name, text);
}

static int
span(const struct control *c, int64_t *from, int64_t *to)
{
	int status;

	if (!c->from || !c->to)
		return cli_fail(&c->cli, EXIT_USAGE, "%s is missing: --from T --to T go together",
		                c->from ? "--to" : "--from");
	if ((status = instant(c, "--from", c->from, from)) || (status = instant(c, "--to", c->to, to)))
		return status;
	if (*to <= *from)
		return cli_fail(&c->cli, EXIT_USAGE, "--to %s is not after --from %s", c->to, c->from);
	return 0;
}

static int
prepare_ack(struct control *c, FILE *arguments)
{
	bool any = false;

	if (c->note && strlen(c->note) > NOTE_BYTES_MAX)
		return cli_fail(&c->cli, EXIT_USAGE, "the note has more than %d bytes", NOTE_BYTES_MAX);
	put_text(arguments, &any, "note", c->note);
	snprintf(c->effect, sizeof c->effect,
	         "alert %.8s is acknowledged: it stays open until the change is "
	         "over or `driftd resolve`", c->target.id);
	return 0;
}

static int
prepare_resolve(struct control *c, FILE *arguments)
{
	static const char *const verdicts[] = { "true", "false", "expected", NULL };

	for (size_t i = 0; c->verdict; i++) {
		if (!verdicts[i])
			return cli_fail(&c->cli, EXIT_USAGE, "--verdict is true, false or expected");
		if (strcmp(verdicts[i], c->verdict))
			continue;
		fprintf(arguments, "\"verdict\":\"%s\"", c->verdict);
		snprintf(c->effect, sizeof c->effect, "alert %.8s is judged %s, and resolved if it was open", c->target.id,
		         c->verdict);
		return 0;
	}
	snprintf(c->effect, sizeof c->effect,
	         "alert %.8s is resolved and its stream is judged again against "
	         "the same reference", c->target.id);
	return 0;
}

static int
prepare_rebaseline(struct control *c, FILE *arguments)
{
	static const struct option row[] = {
		{ "--records", OPTION_U32, 0, NULL, LIMIT_REFERENCE_MIN, LIMIT_REFERENCE_MAX, NULL, "" },
		OPT_END,
	};
	uint32_t records = 0;
	int64_t from, to;
	struct diag d = { "" };
	const char *whose = c->target.is_model ? "all streams of model" : "the stream of alert";
	int status;

	if (c->records && (c->from || c->to))
		return cli_fail(&c->cli, EXIT_USAGE, "--records and --from/--to exclude each other");
	snprintf(c->effect, sizeof c->effect,
	         "%s %s: episode closed, reference learned anew from the next record on", whose,
	         c->target.shown);
	if (c->records) {
		if (option_set(row, &records, c->records, &d))
			return cli_fail(&c->cli, EXIT_USAGE, "%s", d.text);
		fprintf(arguments, "\"records\":%u", records);
		snprintf(c->effect, sizeof c->effect, "%s %s: episode closed, the next %u values are the reference",
		         whose, c->target.shown, records);
	} else if (c->from || c->to) {
		if ((status = span(c, &from, &to)))
			return status;
		fprintf(arguments, "\"from_ms\":%lld,\"to_ms\":%lld", (long long)from, (long long)to);
		snprintf(c->effect, sizeof c->effect, "%s %s: episode closed, the reference is what the topics hold "
		         "from %.40s to %.40s", whose, c->target.shown, c->from, c->to);
	}
	return 0;
}

static int
prepare_expect(struct control *c, FILE *arguments)
{
	bool any = true;
	int64_t from, to;
	int status = span(c, &from, &to);

	if (status)
		return status;
	if (!c->reason || !*c->reason)
		return cli_fail(&c->cli, EXIT_USAGE, "--reason TEXT is missing: what is going to happen?");
	if (strlen(c->reason) > NOTE_BYTES_MAX)
		return cli_fail(&c->cli, EXIT_USAGE, "the reason has more than %d bytes", NOTE_BYTES_MAX);
	if (c->streams && (!*c->streams || strlen(c->streams) > GLOB_BYTES_MAX))
		return cli_fail(&c->cli, EXIT_USAGE, "--streams is a glob of 1 to %d bytes", GLOB_BYTES_MAX);
	fprintf(arguments, "\"from_ms\":%lld,\"to_ms\":%lld", (long long)from, (long long)to);
	put_text(arguments, &any, "streams", c->streams);
	put_text(arguments, &any, "reason", c->reason);
	if (c->streams)
		snprintf(c->effect, sizeof c->effect, "model %s: streams like %.63s are not judged from %.40s to "
		         "%.40s of event time", c->target.shown, c->streams, c->from, c->to);
	else
		snprintf(c->effect, sizeof c->effect,
		         "model %s: no stream is judged from %.40s to %.40s of event "
		         "time", c->target.shown, c->from, c->to);
	return 0;
}

static const struct command commands[] = {
	{ "ack", help_ack, CONTROL_ALERT, prepare_ack },
	{ "resolve", help_resolve, CONTROL_ALERT, prepare_resolve },
	{ "rebaseline", help_rebaseline, CONTROL_ALERT | CONTROL_MODEL, prepare_rebaseline },
	{ "expect", help_expect, CONTROL_MODEL, prepare_expect },
};

/* -- execution --------------------------------------------------------------------------------- */

static int
prepare(struct control *c, const struct command *command)
{
	FILE *arguments = open_memstream(&c->arguments, &c->arguments_length);
	int status;

	if (!arguments)
		return cli_fail(&c->cli, EXIT_INTERNAL, "out of memory");
	fputc('{', arguments);
	status = command->prepare(c, arguments);
	fputc('}', arguments);
	if (fclose(arguments) && !status)
		status = cli_fail(&c->cli, EXIT_INTERNAL, "out of memory");
	return status;
}

static int
control(struct control *c, const struct command *command)
{
	struct diag d = { "" };
	sqlite3 *db = NULL;
	int err, status;

	c->path = c->cli.word[0];
	err = store_open_reader(&db, c->path, &d);
	if (err == ERR_MISSING)
		return cli_fail(&c->cli, exit_status(err), "%s; `driftd check CONFIG` prints where it is",
		                d.text);
	if (err)
		return cli_fail(&c->cli, exit_status(err), "%s", d.text);
	err = control_find(db, c->path, c->cli.word[1], command->wanted | (c->verdict ? CONTROL_RESOLVED : 0u),
	                   &c->target, &d);
	sqlite3_close(db);
	if (err)
		return cli_fail(&c->cli, err == ERR_IO ? EXIT_DISK : EXIT_USAGE, "%s", d.text);
	status = prepare(c, command);
	if (!status)
		status = control_send(&(struct control_send){ &c->cli, c->path, c->target.text, c->arguments, c->effect,
		                                              c->wait, c->json });
	free(c->arguments);
	control_target_finish(&c->target);
	return status;
}

int
cmd_control(int argc, char **argv)
{
	struct control c = { .path = NULL };
	const struct cli_option wait = { "--wait", &c.wait, NULL }, json = { "--json", &c.json, NULL };
	const struct cli_option end = { NULL, NULL, NULL };
	const struct cli_option from = { "--from", NULL, &c.from }, to = { "--to", NULL, &c.to };
	const struct cli_option ack[] = { wait, json, { "--note", NULL, &c.note }, end };
	const struct cli_option resolve[] = { wait, json, { "--verdict", NULL, &c.verdict }, end };
	const struct cli_option rebaseline[] = { wait, json, from, to, { "--records", NULL, &c.records }, end };
	const struct cli_option expect[] = { wait, json, from, to, { "--streams", NULL, &c.streams },
		                             { "--reason", NULL, &c.reason }, end };
	const struct cli_option *const options[] = { ack, resolve, rebaseline, expect };

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (!strcmp(argv[0], commands[i].name)) {
			int status = cli_parse(&c.cli, argc, argv, options[i], 2, 2, commands[i].help);

			return status < 0 ? EXIT_FINE : status ? status : control(&c, &commands[i]);
		}
	return EXIT_USAGE;
}
