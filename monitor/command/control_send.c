/* control_send.c -- see control_send.h. */
#include "monitor/command/control_send.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "storage/store.h"

enum { WAIT_MS = 10000, POLL_MS = 50 };

/* The result of a command once it is there. 1 executed, 0 not yet, else an error. */
static int
look(sqlite3 *db, int64_t command_id, char *result, size_t size)
{
	sqlite3_stmt *q = NULL;
	int found = ERR_IO;

	if (sqlite3_prepare_v2(db, "SELECT finished_ms IS NOT NULL, ifnull(result, '') FROM commands"
	                       " WHERE command_id = ?1", -1, &q, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(q, 1, command_id);
		if (sqlite3_step(q) == SQLITE_ROW) {
			found = sqlite3_column_int(q, 0);
			snprintf(result, size, "%s", (const char *)sqlite3_column_text(q, 1));
		}
	}
	sqlite3_finalize(q);
	return found;
}

/* 0 and *done, or an exit status after a message. */
static int
wait_for_result(const struct control_send *s, int64_t command_id, bool *done, char *result, size_t size)
{
	const struct timespec pause = { 0, POLL_MS * 1000000 };
	int64_t until = clock_monotonic_ms() + WAIT_MS;
	sqlite3 *db = NULL;
	struct diag d = { "" };
	int found, err = store_open_reader(&db, s->path, &d);

	if (err)
		return cli_fail(s->cli, exit_status(err), "%s", d.text);
	while ((found = look(db, command_id, result, size)) == 0 && clock_monotonic_ms() < until)
		nanosleep(&pause, NULL);
	sqlite3_close(db);
	*done = found == 1;
	return found < 0 ? cli_fail(s->cli, EXIT_DISK, "the queue of commands cannot be read") : EXIT_FINE;
}

/* The pid in the lock file is a hint: is there somebody to execute the command? */
static long
daemon_pid(const char *path)
{
	size_t size = strlen(path) + sizeof ".lock";
	char *name = malloc(size), text[32] = "";
	FILE *f;
	long pid;

	if (!name)
		return 0;
	snprintf(name, size, "%s.lock", path);
	f = fopen(name, "re");
	free(name);
	if (!f)
		return 0;
	if (!fgets(text, sizeof text, f))
		text[0] = 0;
	fclose(f);
	pid = strtol(text, NULL, 10);
	return pid > 0 && kill((pid_t)pid, 0) == 0 ? pid : 0;
}

static void
print_json(const struct control_send *s, long pid, bool done, const char *result)
{
	printf("{\"command\":\"%s\",\"target\":", s->cli->command);
	cli_json_text(stdout, s->target, strlen(s->target));
	printf(",\"effect\":");
	cli_json_text(stdout, s->effect, strlen(s->effect));
	if (pid)
		printf(",\"daemon\":%ld", pid);
	else
		printf(",\"daemon\":null");
	printf(",\"executed\":%s,\"result\":", done ? "true" : "false");
	if (done)
		cli_json_text(stdout, result, strlen(result));
	else
		printf("null");
	puts("}");
}

static void
print_effect(const struct control_send *s, long pid)
{
	if (s->json)
		return;
	printf("%s.\n", s->effect);
	if (pid)
		printf("Executed at the daemon's next commit (pid %ld, within about a second).\n", pid);
	else
		puts("Executed at the daemon's next commit; none seems to run on it now: `driftd run CONFIG`.");
	fflush(stdout);
}

int
control_send(const struct control_send *s)
{
	struct diag d = { "" };
	char result[256] = "";
	int64_t command_id = 0;
	long pid = daemon_pid(s->path);
	bool done = false;
	int status = EXIT_FINE, err;

	err = store_insert_command(s->path, s->cli->command, s->target, s->arguments, clock_wall_ms(), &command_id,
	                           &d);
	if (err)
		return cli_fail(s->cli, exit_status(err), "%s", d.text);
	print_effect(s, pid);
	if (s->wait)
		status = wait_for_result(s, command_id, &done, result, sizeof result);
	if (s->json)
		print_json(s, pid, done, result);
	else if (done)
		puts(result);
	if (!status && done && strncmp(result, "done", 4))
		status = EXIT_ALERTS;
	if (!status && s->wait && !done)
		status = cli_fail(s->cli, EXIT_RUNNING, "not executed within %d s; it stays in the queue. Does "
		                  "`driftd run` run on %s?", WAIT_MS / 1000, s->path);
	return cli_finish(s->cli, status);
}
