/* cmd_check.c -- `driftd check CONFIG`: is the configuration sound, and what will it mean? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/cli.h"
#include "monitor/commands.h"
#include "monitor/delay.h"
#include "monitor/plan.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd check CONFIG\n"
	"\n"
	"Checks the configuration and the database that it names, and prints the plan: budget, streams and\n"
	"their shares, equivalent thresholds 1/g, expected delays (simulated; an ideal reference of 10 000 values\n"
	"without wander between days), memory, bytes written. Streams are those of the database; for a model\n"
	"that has none yet the plan of `driftd fit` or of the first days is still to come.\n"
	"\n"
	"Exit status: 0; 65 database foreign, 66 no such file, 78 configuration invalid or database newer.\n";

/* Bytes that one stream takes on the average, in memory and as state in a commit: measured on the default
 * detectors of a numeric feature and its missingness. */
enum { STREAM_MEMORY = 120000, STREAM_STATE = 7000, ROW_BYTES = 180, JOURNAL_ROW = 64 };

struct classes {
	uint32_t n[SHARE_CLASSES];
	double rate; /* records a second of the reference; 0 unknown */
};

static int64_t
query(sqlite3 *db, const char *sql, const char *model, double *real)
{
	sqlite3_stmt *q;
	int64_t value = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return 0;
	sqlite3_bind_text(q, 1, model, -1, SQLITE_STATIC);
	if (sqlite3_step(q) == SQLITE_ROW) {
		value = sqlite3_column_int64(q, 0);
		if (real)
			*real = sqlite3_column_double(q, 0);
	}
	sqlite3_finalize(q);
	return value;
}

static void
read_classes(sqlite3 *db, const char *model, struct classes *c)
{
	static const char *const kinds[SHARE_CLASSES] = { "'coverage', 'error'", "'prediction'", "'feature'",
		                                          "'missing'" };

	memset(c, 0, sizeof *c);
	for (int i = 0; i < SHARE_CLASSES && db; i++) {
		char sql[256];

		snprintf(sql, sizeof sql, "SELECT count(*) FROM streams s JOIN models m USING (model_id)"
		         " WHERE m.name = ?1 AND s.kind IN (%s)", kinds[i]);
		c->n[i] = (uint32_t)query(db, sql, model, NULL);
	}
	if (db)
		query(db, "SELECT r.rate_per_s FROM refs r JOIN models m USING (model_id) WHERE m.name = ?1"
		          " AND r.active = 1 ORDER BY r.ref_id DESC", model, &c->rate);
}

static double
gain(double share, int64_t period_ms, double rate)
{
	return fmin(share / (rate * (double)period_ms / 1000), 1e-3);
}

static void
print_class(const struct plan *plan, const struct classes *c, enum share_class class)
{
	double share = plan_share(plan, class, c->n);

	printf("    %-8s %3u streams, %.4g alarms a period each; threshold 1/g", share_class_text(class),
	       c->n[class], share);
	if (c->rate > 0)
		printf(" %.3g at the reference's %.3g records a second\n",
		       1 / gain(share, plan->period_ms, c->rate), c->rate);
	else
		printf(" %.3g, %.3g, %.3g at 1, 10, 100 records a second\n",
		       1 / gain(share, plan->period_ms, 1), 1 / gain(share, plan->period_ms, 10),
		       1 / gain(share, plan->period_ms, 100));
}

static void
print_model(const struct plan *plan, const struct model_config *m, sqlite3 *db)
{
	const char *name = m->name ? m->name : "(each model as it is seen)";
	struct classes c;
	uint32_t streams = 0;
	double width = m->windows.width_ms ? (double)m->windows.width_ms / 1000 : 0;

	if (m->segments.n)
		printf("  note: segments of %s are read but not watched in this version\n", name);
	read_classes(db, name, &c);
	printf("  %s%s%s\n", cli_bold(stdout), name, cli_plain(stdout));
	for (int i = 0; i < SHARE_CLASSES; i++)
		streams += c.n[i];
	if (!streams)
		printf("    streams: not known yet; `driftd fit` or the first records will tell (a numeric feature is"
		       " two: itself and its missing values)\n");
	for (int i = 0; i < SHARE_CLASSES; i++)
		if (c.n[i])
			print_class(plan, &c, (enum share_class)i);
	if (width > 0)
		printf("    windows of %.0f s", width);
	else
		printf("    windows of %u records", m->windows.records);
	if (m->labels_enabled)
		printf("; labels waited for %.3g days, journal of %u predictions: up to %.0f MiB",
		       (double)m->labels_wait_ms / 86400000.0, m->labels_capacity,
		       (double)m->labels_capacity * JOURNAL_ROW / 1048576.0);
	printf("\n");
	if (streams) {
		printf("    memory %.1f MiB for streams; %.2f MB of state a commit at most (one a second)",
		       streams * (double)STREAM_MEMORY / 1048576.0, streams * (double)STREAM_STATE / 1e6);
		if (width > 0)
			printf("; %.1f MB of statistics a day before rollup",
			       streams * (double)ROW_BYTES * 86400 / width / 1e6);
		printf("\n");
	}
}

static int
print_delays(const struct plan *plan, const struct config *config, struct diag *d)
{
	static const double shift[] = { 0.25, 0.5, 1 };
	double share = plan_share(plan, CLASS_INPUTS, (const uint32_t[SHARE_CLASSES]){ 0, 0, 20, 20 });
	double threshold[3], records[3];

	for (int i = 0; i < 3; i++)
		threshold[i] = 1 / gain(share, plan->period_ms, pow(10, i));
	printf("expected delay in records for one of 20 numeric features, at 1, 10, 100 records a second\n");
	for (int i = 0; i < 3; i++) {
		struct delay_case c = { DELAY_SHIFT, 0, shift[i], config->defaults.min_effect, 10000 };
		int err = delay_expected(&c, threshold, 3, records, d);

		if (err)
			return err;
		printf("    shift of %.2f sigma:", shift[i]);
		for (int k = 0; k < 3; k++) {
			if (isnan(records[k]))
				printf("  more than %d", DELAY_RECORDS_MAX);
			else
				printf("  %.0f", records[k]);
		}
		printf("\n");
	}
	return 0;
}

static int
check(const struct config *config, const char *path, struct diag *d)
{
	struct plan plan = { config->budget_alarms, config->budget_period_ms,
		             config->models ? (uint32_t)config->models : 1, 0 };
	sqlite3 *db = NULL;
	int err = store_open_reader(&db, config->database, d);

	if (err && err != ERR_MISSING)
		return err;
	printf("%s is valid\n", path);
	printf("database %s: %s\n", config->database, err ? "not there yet; the first run creates it" : "ours");
	printf("brokers %s, group %s (for lag tools only)\n", config->kafka.brokers, config->kafka.group);
	printf("budget: at most %.4g false alarms per %.4g days over everything; 5 %% of it for streams that "
	       "come later\n", plan.budget, (double)plan.period_ms / 86400000.0);
	printf("retention: windows %.3g days, hours %.3g days, days for ever; windows of records are kept\n",
	       (double)config->keep_fine_ms / 86400000.0, (double)config->keep_hour_ms / 86400000.0);
	printf("models\n");
	for (size_t i = 0; i < config->models; i++)
		print_model(&plan, &config->model[i], db);
	if (config->models_auto)
		print_model(&plan, &config->defaults, db);
	err = print_delays(&plan, config, d);
	sqlite3_close(db);
	printf("next: driftd run %s\n", path);
	return err;
}

int
cmd_check(int argc, char **argv)
{
	const struct cli_option options[] = { { NULL, NULL, NULL } };
	struct config *config;
	struct diag d = { "" };
	struct cli c;
	int err, status = cli_parse(&c, argc, argv, options, 1, 1, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	err = config_load(&config, c.word[0], stderr, &d);
	if (err)
		return err == ERR_MISSING ? cli_fail(&c, exit_status(err), "%s", d.text) : exit_status(err);
	err = check(config, c.word[0], &d);
	config_free(config);
	if (err)
		return cli_fail(&c, exit_status(err), "%s", d.text);
	return cli_finish(&c, EXIT_FINE);
}
