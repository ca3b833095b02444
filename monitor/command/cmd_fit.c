/* cmd_fit.c -- fits references from files or from a span of the topics into the configured database. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "monitor/command/progress.h"
#include "monitor/decode/instant.h"
#include "monitor/log.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd fit CONFIG FILE...              from JSON Lines files, plain or gzip\n"
	"       driftd fit CONFIG --from T --to T      from what the topics hold of that span\n\n"
	"Fits the reference of every model in the records (values, categories, day-to-day variation, outcomes\n"
	"of inline labels) and stores it in the configured database; the daemon must not be running on it.\n"
	"T: epoch milliseconds or RFC 3339, for example 2026-01-31T00:00:00Z.\n\n"
	"      --database FILE   another database than the configured one\n"
	"      --quiet           no progress bar\n"
	"      --json            what was fitted as JSON\n";

struct fit {
	const char *config, *database;
	char **file;
	size_t files;
	int64_t from_ms, to_ms;
	bool span, quiet, json;
};

static bool
parse_time(const char *text, int64_t *ms)
{
	char *end;

	if (instant_text(text, strlen(text), ms) == INSTANT_FINE)
		return true;
	*ms = strtoll(text, &end, 10);
	return end != text && !*end;
}

static int
parse(struct fit *f, int argc, char **argv)
{
	static const struct option long_option[] = {
		{ "from", required_argument, NULL, 'f' }, { "to", required_argument, NULL, 't' },
		{ "database", required_argument, NULL, 'd' }, { "quiet", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	bool from = false, to = false;
	int c;

	memset(f, 0, sizeof *f);
	optind = 1;
	while ((c = getopt_long(argc, argv, "h", long_option, NULL)) != -1)
		switch (c) {
		case 'f':
		case 't':
			if (!parse_time(optarg, c == 'f' ? &f->from_ms : &f->to_ms)) {
				fprintf(stderr, "driftd fit: %s is no time; write epoch milliseconds or "
				        "2026-01-31T00:00:00Z\n", optarg);
				return EXIT_USAGE;
			}
			*(c == 'f' ? &from : &to) = true;
			break;
		case 'd':
			f->database = optarg;
			break;
		case 'j':
			f->json = true;
			break;
		case 'q':
			f->quiet = true;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			fputs("`driftd fit --help` tells more\n", stderr);
			return EXIT_USAGE;
		}
	f->span = from && to;
	if (optind < argc)
		f->config = argv[optind++];
	f->file = argv + optind;
	f->files = (size_t)(argc - optind);
	if (!f->config || from != to || f->span == (f->files > 0)) {
		fputs("driftd fit: CONFIG and either files or --from and --to are needed; `driftd fit --help` "
		      "tells more\n", stderr);
		return EXIT_USAGE;
	}
	return 0;
}

static void
tell(void *context, uint64_t done, uint64_t total)
{
	progress_tell(context, done, total, 0);
}

static int
fit_topics(struct fit *f, struct config *config, struct pipeline *p, struct diag *d)
{
	struct source *source;
	int err = source_kafka_open(&source, config, pipeline_decoder(p), NULL, 0, d);

	if (err)
		return err;
	err = pipeline_attach(p, source, d);
	if (!err)
		err = pipeline_fit_span(p, f->from_ms, f->to_ms, d);
	return err;
}

static int
fit(struct fit *f, struct config *config, struct diag *d)
{
	struct store *store = NULL;
	struct pipeline *p = NULL;
	struct pipeline_status st;
	struct progress bar;
	int err = store_open(&store, config->database, STORE_DAEMON, config->id_hash_key, d);

	if (!err)
		err = pipeline_create(&p, config, store, d);
	progress_begin(&bar, "fit", f->quiet);
	if (!err)
		err = f->span ? fit_topics(f, config, p, d) :
		                pipeline_fit(p, f->file, f->files, tell, &bar, d);
	progress_end(&bar);
	if (!err)
		err = pipeline_commit(p, d);
	if (!err) {
		pipeline_status(p, &st);
		if (f->json) {
			printf("{\"models\":%u,\"streams\":%u,\"database\":", st.models, st.streams);
			cli_json_text(stdout, config->database, strlen(config->database));
			puts("}");
		} else {
			printf("fitted %u streams of %u models into %s; next: driftd check %s\n", st.streams,
			       st.models, config->database, f->config);
		}
	}
	pipeline_destroy(p);
	store_close(store);
	return err;
}

int
cmd_fit(int argc, char **argv)
{
	struct fit f;
	struct config *config;
	struct diag d = { "" };
	int status = parse(&f, argc, argv), err;

	if (status)
		return status < 0 ? 0 : status;
	log_set_level(LOG_WARN);
	err = config_load(&config, f.config, stderr, &d);
	if (err) {
		if (err == ERR_MISSING)
			fprintf(stderr, "driftd: %s\n", d.text);
		return exit_status(err);
	}
	if (f.database) {
		free(config->database);
		config->database = strdup(f.database);
	}
	err = fit(&f, config, &d);
	if (err)
		fprintf(stderr, "driftd: %s\n", d.text);
	config_free(config);
	return exit_status(err);
}
