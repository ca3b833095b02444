/* cmd_reproduce.c -- `driftd reproduce CONFIG DB ALERT`: reads the records again, into a database that is
 * thrown away, until the alert has opened once more, and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "monitor/command/control_find.h"
#include "monitor/command/progress.h"
#include "monitor/command/reproduce_trace.h"
#include "monitor/log.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "monitor/stream/trace.h"
#include "storage/compare.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd reproduce CONFIG DB ALERT [FILE...] [--reference FILE] [--json]\n"
	"\n"
	"Reads the records again, from the configured topics or, for a replay, from its FILEs, until ALERT opens\n"
	"once more, and compares its evidence, effect, times and place with what DB has, to the last bit; and\n"
	"tells by which factor its statistic grew with the records that carried most of it. DB is only read;\n"
	"what is computed goes into a folder under TMPDIR that is removed.\n"
	"\n"
	"The topics must still hold the records from their beginnings. Executed rebaseline, expect and resolve\n"
	"commands are not repeated.\n"
	"\n"
	"  --reference FILE   what `driftd fit` or replay --reference was given\n"
	"  --json             the comparison as JSON\n"
	"\n"
	"Exit status: 0 the same; 1 not the same, or it did not open; 64 usage, or no such alert; 65, 66, 74, 78\n"
	"as for `driftd replay`.\n";

enum { STEP = 65536, COMMIT_MS = 1000, WAIT_MS = 200 };

struct reproduction {
	struct cli cli;
	struct config *config;
	const char *reference;
	bool json;
	struct sqlite3 *db;        /* the one that has the alert */
	struct control_target target;
	struct compare_needs needs;
	char directory[64], path[80];
	struct store *store;
	struct pipeline *pipeline;
	struct source *source;
	struct trace trace;
};

static void
quiet(void *context, uint64_t done, uint64_t total)
{
	progress_tell(context, done, total, 0);
}

static int
open_again(struct reproduction *r, struct diag *d)
{
	const char *base = getenv("TMPDIR");
	const struct resume *resume;
	char *reference = (char *)(uintptr_t)r->reference, *file[CLI_WORDS_MAX];
	size_t resumes, files = r->cli.words - 3;
	struct progress bar;
	int err;

	snprintf(r->directory, sizeof r->directory, "%.30s/driftd-reproduce-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(r->directory)) {
		r->directory[0] = 0;
		return diag_set(d, ERR_IO, "cannot create a folder under TMPDIR");
	}
	snprintf(r->path, sizeof r->path, "%s/again.db", r->directory);
	err = store_open(&r->store, r->path, STORE_CREATE, r->needs.id_hash_key, d);
	if (!err)
		err = pipeline_create(&r->pipeline, r->config, r->store, d);
	if (!err && r->trace.model)
		pipeline_trace(r->pipeline, &r->trace);
	progress_begin(&bar, "fit", false);
	if (!err && reference)
		err = pipeline_fit(r->pipeline, &reference, 1, quiet, &bar, d);
	progress_end(&bar);
	if (!err)
		err = pipeline_fit_configured(r->pipeline, d);
	if (err)
		return err;
	resume = pipeline_resume(r->pipeline, &resumes);
	for (size_t i = 0; i < files; i++)
		file[i] = (char *)(uintptr_t)r->cli.word[3 + i];
	err = files ? source_file_open(&r->source, file, files, pipeline_decoder(r->pipeline), resume, resumes, d)
	            : source_kafka_open(&r->source, r->config, pipeline_decoder(r->pipeline), resume, resumes, d);
	return err ? err : pipeline_attach(r->pipeline, r->source, d);
}

/* Is the alert there already? */
static bool
opened(struct reproduction *r)
{
	sqlite3_stmt *q = NULL;
	bool found = false;

	if (sqlite3_prepare_v2(store_handle(r->store), "SELECT 1 FROM alerts WHERE alert_id = ?1", -1, &q, NULL) ==
	    SQLITE_OK) {
		sqlite3_bind_text(q, 1, r->target.id, -1, SQLITE_STATIC);
		found = sqlite3_step(q) == SQLITE_ROW;
	}
	sqlite3_finalize(q);
	return found;
}

static int
read_again(struct reproduction *r, struct diag *d)
{
	int64_t committed = clock_monotonic_ms();
	enum pipeline_step step;
	int err = 0;

	do {
		step = pipeline_step(r->pipeline, STEP, 0);
		if (step == PIPELINE_WAIT)
			r->source->vtable->wait(r->source, WAIT_MS, -1);
		if (step != PIPELINE_END && clock_monotonic_ms() - committed < COMMIT_MS)
			continue;
		err = pipeline_commit(r->pipeline, d);
		committed = clock_monotonic_ms();
		if (!err && opened(r))
			break;
	} while (!err && (step == PIPELINE_MORE || step == PIPELINE_WAIT));
	if (!err && step == PIPELINE_STOP)
		err = diag_set(d, ERR_IO, "stopped: see the messages above");
	return err;
}

static void
close_again(struct reproduction *r)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	char path[96];

	pipeline_destroy(r->pipeline);
	if (r->source)
		r->source->vtable->close(r->source);
	store_close(r->store);
	for (size_t i = 0; r->directory[0] && i < sizeof suffix / sizeof suffix[0]; i++) {
		snprintf(path, sizeof path, "%s%s", r->path, suffix[i]);
		unlink(path);
	}
	if (r->directory[0])
		rmdir(r->directory);
}

static int
reproduce(struct reproduction *r, struct diag *d)
{
	unsigned different = 0;
	int err = compare_needs(r->db, r->target.id, &r->needs, d);

	if (!err)
		err = reproduce_trace(&r->trace, r->db, r->target.id, d);

	if (err)
		return cli_fail(&r->cli, exit_status(err), "%s", d->text);
	if (r->needs.fitted && !r->reference)
		fprintf(stderr, "%swarning: references were fitted apart; without --reference FILE they are "
		                "learned from the "
		        "records%s\n", cli_warn(stderr), cli_plain(stderr));
	if (r->needs.commands)
		fprintf(stderr, "%swarning: %lld commands of the past are not repeated%s\n", cli_warn(stderr),
		        (long long)r->needs.commands, cli_plain(stderr));
	err = open_again(r, d);
	if (!err)
		err = read_again(r, d);
	if (err)
		return cli_fail(&r->cli, exit_status(err), "%s", d->text);
	if (!opened(r))
		return cli_fail(&r->cli, EXIT_ALERTS, "the alert did not open again: are all records there, and is the "
		                "configuration the same?");
	if (r->json)
		printf("{\"alert\":\"%s\",\"figures\":[", r->target.id);
	err = compare_alert(r->db, store_handle(r->store), r->target.id, stdout, r->json, &different, d);
	if (err)
		return cli_fail(&r->cli, exit_status(err), "%s", d->text);
	fputs(r->json ? "],\"records\":" : "", stdout);
	reproduce_trace_print(&r->trace, stdout, r->json, r->config->privacy == PRIVACY_PLAIN);
	if (r->json)
		printf(",\"reproduced\":%s}\n", different ? "false" : "true");
	else
		puts(different ? "\nnot the same" : "\nreproduced, bit for bit");
	return cli_finish(&r->cli, different ? EXIT_ALERTS : EXIT_FINE);
}

/* As the daemon that wrote DB had it, but nothing leaves the process, and lag tools see another group. */
static int
configure(struct reproduction *r, struct diag *d)
{
	char *database = strdup(r->cli.word[1]), *group = strdup("driftd-reproduce");
	int err = config_load(&r->config, r->cli.word[0], stderr, d);

	if (err || !database || !group) {
		free(database);
		free(group);
		return err ? err : diag_set(d, ERR_IO, "out of memory");
	}
	free(r->config->database);
	free(r->config->kafka.group);
	r->config->database = database;
	r->config->kafka.group = group;
	r->config->alert_mode = ALERTS_SHADOW;
	return 0;
}

int
cmd_reproduce(int argc, char **argv)
{
	struct reproduction r = { .reference = NULL };
	const struct cli_option options[] = { { "--reference", NULL, &r.reference }, { "--json", &r.json, NULL },
		                              { NULL, NULL, NULL } };
	struct diag d = { "" };
	int err, status = cli_parse(&r.cli, argc, argv, options, 3, CLI_WORDS_MAX, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	log_set_level(LOG_ERROR);
	err = configure(&r, &d);
	if (!err)
		err = store_open_reader(&r.db, r.cli.word[1], &d);
	if (err)
		status = err == ERR_INVALID ? exit_status(err) : cli_fail(&r.cli, exit_status(err), "%s", d.text);
	else if (control_find(r.db, r.cli.word[1], r.cli.word[2], CONTROL_ALERT | CONTROL_RESOLVED, &r.target, &d))
		status = cli_fail(&r.cli, EXIT_USAGE, "%s", d.text);
	else
		status = reproduce(&r, &d);
	close_again(&r);
	reproduce_trace_finish(&r.trace);
	control_target_finish(&r.target);
	sqlite3_close(r.db);
	config_free(r.config);
	return status;
}
