/* cmd_replay.c -- the daemon's pipeline over files, into a database of its own. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/command/commands.h"
#include "monitor/command/incidents_file.h"
#include "monitor/command/progress.h"
#include "monitor/command/summary_text.h"
#include "monitor/log.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd replay CONFIG FILE... [OPTION]...\n\n"
	"Runs the pipeline of `driftd run` over JSON Lines files (plain or gzip, - = standard input), each\n"
	"one partition, merged by event time, and writes a new database. Predictions and labels may be in\n"
	"one file or in several.\n\n"
	"  -o, --output FILE      database to write (default replay.db); must not exist\n"
	"      --append           go on with an existing database where its files ended\n"
	"      --reference FILE   fit the references from this file first (repeatable)\n"
	"      --incidents FILE   CSV of known incidents: start,end[,model[,name]]; tells for each whether it was\n"
	"                         found, after how long, and how many alerts a quiet week had\n"
	"      --compare RULES    the same for rules of thumb beside it: psi=.2,ks=.05. Windows are then kept as\n"
	"                         they are, whatever retention says\n"
	"      --fail-on-alert    exit status 1 when the replay has opened alerts\n"
	"      --json             the summary as JSON\n"
	"      --quiet            no progress bar\n\n"
	"Exit status: 0 fine; 1 alerts with --fail-on-alert; 64 usage; 65 foreign database; 66 no such file;\n"
	"74 I/O error; 75 the database is in use; 78 configuration.\n"
	"Afterwards: driftd status replay.db, driftd alerts replay.db, sqlite3 replay.db\n";

struct replay {
	const char *config, *output, *incidents, *compare;
	struct incident *incident;
	size_t incident_count, rules;
	struct naive_rule rule[NAIVE_RULES_MAX];
	char **file, **reference;
	size_t files, references;
	bool append, fail_on_alert, json, quiet;
};

static int
parse(struct replay *r, int argc, char **argv)
{
	static const struct option long_option[] = {
		{ "output", required_argument, NULL, 'o' }, { "append", no_argument, NULL, 'a' },
		{ "reference", required_argument, NULL, 'r' }, { "fail-on-alert", no_argument, NULL, 'f' },
		{ "incidents", required_argument, NULL, 'i' }, { "compare", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' }, { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	memset(r, 0, sizeof *r);
	r->output = "replay.db";
	r->reference = calloc((size_t)argc, sizeof *r->reference);
	optind = 1;
	while ((c = getopt_long(argc, argv, "o:h", long_option, NULL)) != -1)
		switch (c) {
		case 'i':
			r->incidents = optarg;
			break;
		case 'c':
			r->compare = optarg;
			break;
		case 'o':
			r->output = optarg;
			break;
		case 'a':
			r->append = true;
			break;
		case 'r':
			r->reference[r->references++] = optarg;
			break;
		case 'f':
			r->fail_on_alert = true;
			break;
		case 'j':
			r->json = true;
			break;
		case 'q':
			r->quiet = true;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			fputs("`driftd replay --help` tells more\n", stderr);
			return EXIT_USAGE;
		}
	if (argc - optind < 2) {
		fputs("driftd replay: CONFIG and at least one FILE are needed; `driftd replay --help` tells "
		      "more\n", stderr);
		return EXIT_USAGE;
	}
	r->config = argv[optind];
	r->file = argv + optind + 1;
	r->files = (size_t)(argc - optind - 1);
	return 0;
}

static void
tell(void *context, uint64_t done, uint64_t total)
{
	progress_tell(context, done, total, 0);
}

/* A failed commit of a replay has nobody to wait for: it ends with the reason. */
static int
run(struct replay *r, struct pipeline *p, struct source *source, struct diag *d)
{
	struct progress bar;
	int64_t committed = clock_monotonic_ms();
	enum pipeline_step step;
	int err = 0;

	progress_begin(&bar, "replay", r->quiet);
	do {
		struct pipeline_status st;
		uint64_t done, total;

		step = pipeline_step(p, 65536, 0);
		if (clock_monotonic_ms() - committed < 1000)
			continue;
		err = pipeline_commit(p, d);
		committed = clock_monotonic_ms();
		source_file_progress(source, &done, &total);
		pipeline_status(p, &st);
		progress_tell(&bar, done, total, st.records);
	} while (!err && (step == PIPELINE_MORE || step == PIPELINE_WAIT));
	progress_end(&bar);
	if (err)
		return err;
	if (step == PIPELINE_STOP)
		return diag_set(d, ERR_IO, "stopped: see the messages above");
	pipeline_put_open_windows(p);
	return pipeline_commit(p, d);
}

static int
replay(struct replay *r, struct config *config, struct diag *d)
{
	struct store *store = NULL;
	struct pipeline *p = NULL;
	struct source *source = NULL;
	struct progress bar;
	size_t resumes = 0;
	const struct resume *resume;
	int err;

	err = store_open(&store, r->output, r->append ? STORE_APPEND : STORE_CREATE, config->id_hash_key, d);
	if (!err)
		err = pipeline_create(&p, config, store, d);
	progress_begin(&bar, "fit", r->quiet);
	if (!err && r->references)
		err = pipeline_fit(p, r->reference, r->references, tell, &bar, d);
	if (!err)
		err = pipeline_fit_configured(p, d);
	progress_end(&bar);
	if (!err) {
		resume = pipeline_resume(p, &resumes);
		err = source_file_open(&source, r->file, r->files, pipeline_decoder(p), resume, resumes, d);
	}
	if (!err)
		err = pipeline_attach(p, source, d);
	if (!err)
		err = run(r, p, source, d);
	pipeline_destroy(p);
	if (source)
		source->vtable->close(source);
	store_close(store);
	return err;
}

/* What is to be compared, before hours are spent on the replay. */
static int
read_incidents(struct replay *r, struct config *config, struct diag *d)
{
	int err = r->compare ? naive_rules_read(r->compare, r->rule, &r->rules, d) : 0;

	if (!err && r->compare && !r->incidents)
		err = diag_set(d, ERR_INVALID, "--compare needs --incidents FILE");
	if (!err && r->incidents)
		err = incidents_read(r->incidents, &r->incident, &r->incident_count, d);
	if (r->rules)
		config->keep_fine_ms = config->keep_hour_ms = INT64_MAX / 4;
	return err;
}

int
cmd_replay(int argc, char **argv)
{
	struct replay r;
	struct config *config;
	struct diag d = { "" };
	int status = parse(&r, argc, argv), err;
	uint32_t alerts = 0;

	if (status) {
		free(r.reference);
		return status < 0 ? 0 : status;
	}
	log_set_level(LOG_WARN);
	err = config_load(&config, r.config, stderr, &d);
	if (err) {
		if (err == ERR_MISSING)
			fprintf(stderr, "driftd: %s\n", d.text);
		free(r.reference);
		return exit_status(err);
	}
	free(config->database); /* texts of alerts name the database that holds them */
	config->database = strdup(r.output);
	config->alert_mode = ALERTS_SHADOW; /* a daemon that goes on with the database must not send what is past */
	if (!r.append && access(r.output, F_OK) == 0)
		err = diag_set(&d, ERR_INVALID, "%s exists; choose another with -o, remove it, or go on with "
		               "it: --append", r.output);
	if (!err)
		err = read_incidents(&r, config, &d);
	if (!err)
		err = replay(&r, config, &d);
	if (!err)
		err = summary_print(r.output, r.json, &alerts, &d);
	if (!err && r.incidents)
		err = incidents_print(r.output, r.incident, r.incident_count, r.rule, r.rules, r.json, &d);
	free(r.incident);
	if (err)
		fprintf(stderr, "driftd: %s\n", d.text);
	config_free(config);
	free(r.reference);
	return err ? exit_status(err) : r.fail_on_alert && alerts ? EXIT_ALERTS : 0;
}
