/* check_print.c -- the plan as text. See check.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "monitor/command/check.h"
#include "monitor/command/cli.h"

enum { TEXT = 40, COLUMN = 22 };

static void
heading(const char *text)
{
	printf("%s%-14s%s ", cli_bold(stdout), text, cli_plain(stdout));
}

static const char *
days(int64_t ms, char out[TEXT])
{
	return cli_duration((double)ms, out, TEXT);
}

static void
print_database(const struct check *c)
{
	heading("Database");
	if (!c->db)
		printf("%s: none yet, the first run creates it\n", c->config->database);
	else if (!c->watermark[0])
		printf("%s: ours, without a record so far\n", c->config->database);
	else
		printf("%s: %.0f records up to %s\n", c->config->database, c->records, c->watermark);
	char fine[TEXT], hours[TEXT];
	printf("%-14s rows of windows stay %s, of hours %s, of days for ever\n", "",
	       days(c->config->keep_fine_ms, fine), days(c->config->keep_hour_ms, hours));
}

static void
print_kafka(const struct check *c)
{
	heading("Kafka");
	if (!c->asked) {
		printf("%s\n", strcmp(c->config->kafka.brokers, "embedded") == 0 ?
		       "the embedded broker, inside the process" : c->config->kafka.brokers);
		return;
	}
	if (c->unreachable[0]) {
		printf("%s: not reached\n", c->config->kafka.brokers);
		return;
	}
	printf("%s: %zu topics with %u partitions are meant\n", c->config->kafka.brokers, c->topics,
	       c->partitions);
	for (size_t i = 0; i < c->topics; i++) {
		printf("%-14s ", "");
		cli_text(stdout, c->topic[i].name, strlen(c->topic[i].name));
		printf(" (%d%s)\n", c->topic[i].partitions, c->topic[i].labels ? ", labels" : "");
	}
}

static void
print_budget(const struct check *c)
{
	char period[TEXT];

	heading("Budget");
	printf("false alarms: at most %g expected in %s, over everything below\n", c->plan.budget,
	       days(c->plan.period_ms, period));
	printf("%-14s %.0f %% of it is kept for streams that appear later; delivered: %s alerts\n", "",
	       PLAN_RESERVE * 100, c->config->send == SEND_ALL ? "all" : "certified");
}

static void
print_rates(const struct check_model *m, const struct check_class *class)
{
	char text[TEXT];

	printf("  %-30s", "used records a second");
	for (uint32_t r = 0; r < m->rates; r++) {
		snprintf(text, sizeof text, "%.3g", class->rate[r]);
		printf(r + 1 < m->rates ? "%-*s" : "%.*s", COLUMN, text);
	}
	printf("\n  %-30s", "threshold 1/g");
	for (uint32_t r = 0; r < m->rates; r++) {
		snprintf(text, sizeof text, "%.3g", 1 / class->g[r]);
		printf(r + 1 < m->rates ? "%-*s" : "%.*s", COLUMN, text);
	}
	printf("\n");
}

static void
print_change(const struct check_model *m, const struct check_class *class,
             const struct check_change *change)
{
	char text[3 * TEXT], time[TEXT];

	printf("  %-30s", change->words);
	if (change->forgiven) {
		printf("within min_effect: not to be found\n");
		return;
	}
	for (uint32_t r = 0; r < m->rates; r++) {
		double records = change->records[r];

		if (isnan(records))
			snprintf(text, sizeof text, "> %d", DELAY_RECORDS_MAX);
		else
			snprintf(text, sizeof text, "%.0f (%s)", records,
			         cli_duration(records / class->rate[r] * 1000, time, sizeof time));
		printf(r + 1 < m->rates ? "%-*s" : "%.*s", COLUMN, text);
	}
	printf("\n");
}

static void
print_class(const struct check *c, const struct check_model *m, enum share_class i)
{
	const struct check_class *class = &m->class[i];
	char period[TEXT];

	if (!class->streams)
		return;
	printf(" %s%s%s: %u streams, each %.3g alarms in %s", cli_bold(stdout), share_class_text(i),
	       cli_plain(stdout), class->streams, class->share, days(c->plan.period_ms, period));
	if (class->step > 1)
		printf(", one in %.3g records is used", class->step);
	printf("\n");
	if (i == CLASS_INPUTS && m->joint)
		printf("  joint: two streams of all numeric features together, each %.3g alarms; at most %u records"
		       " a day are used\n", class->share / PLAN_SINGLE * (1 - PLAN_SINGLE) / 2 * class->streams,
		       m->config->joint_records_per_day);
	if (i == CLASS_LABELS && m->residuals)
		printf("  errors: %u streams more, of discrepancy and structure, %.3g alarms together\n", m->residuals,
		       class->share / PLAN_SINGLE * (1 - PLAN_SINGLE) * class->streams);
	print_rates(m, class);
	for (uint32_t k = 0; k < class->changes; k++)
		print_change(m, class, &class->change[k]);
}

static void
print_tests(const struct model_config *config)
{
	printf(" tests of a stream; those that page share its part of the budget equally:\n");
	for (size_t i = 0; i < config->test_lists; i++) {
		const struct tests_config *list = &config->test_list[i];

		printf("  %-30.60s", list->pattern);
		for (size_t k = 0; k < list->tests; k++)
			printf("%s%s (%s)", k ? ", " : "", list->test[k].method.name,
			       test_role_text(list->test[k].role));
		printf("%s\n", list->tests ? "" : "none: figures only");
	}
}

static void
print_model(const struct check *c, const struct check_model *m)
{
	static const char *const season[] = { "looked for in the reference: hours of the day, days of the week",
		                              "none", "hours of the day", "hours of the week" };
	const struct model_config *config = m->config;
	char text[TEXT], more[TEXT];

	printf("\n");
	heading(m->name ? "Model" : "Models");
	printf("%s\n", m->name ? m->name : "each that appears");
	if (m->known)
		printf(" %u streams, those of the database", m->streams);
	else if (m->assumed)
		printf(" %u streams if it has %d features: they are found in its records", m->streams,
		       CHECK_FEATURES);
	else
		printf(" %u streams as configured, others may be found in its records", m->streams);
	printf(m->rates == 1 ? ", %.3g records a second\n" : "; the rate is not known yet\n", m->rate[0]);
	if (config->reference_file)
		printf(" reference: %s\n", config->reference_file);
	else
		printf(" reference: %u values of the first %s; before that nothing but coverage against a"
		       " promise is certified\n", config->reference_records,
		       days(config->reference_span_ms, text));
	printf(" shifts up to %g sigma are forgiven; ", config->min_effect);
	if (config->windows.width_ms)
		printf("windows of %s; ", days(config->windows.width_ms, text));
	else
		printf("windows of %u records; ", config->windows.records);
	if (config->labels_enabled)
		printf("labels are waited for %s, at most %u of them, explained by at most %u features\n",
		       days(config->labels_wait_ms, more), config->labels_capacity, config->labels_explain);
	else
		printf("no labels\n");
	print_tests(config);
	printf(" season: %s\n", season[config->season]);
	for (int i = 0; i < SHARE_CLASSES; i++)
		print_class(c, m, (enum share_class)i);
}

static void
print_cost(const struct check *c)
{
	const struct check_cost *cost = &c->cost;
	char a[TEXT], b[TEXT];
	const struct {
		const char *name;
		double bytes;
	} part[] = { { "label journals", cost->journal }, { "streams", cost->streams },
		     { "look-ahead of partitions", cost->lookahead }, { "messages fetched ahead", cost->broker },
		     { "cache of the database", cost->cache },
		     { "the program, rows that wait", cost->program } };

	printf("\n");
	heading("Memory");
	printf("at most about %s\n", cli_bytes(cost->memory, a, sizeof a));
	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
		printf("  %-30s%s\n", part[i].name, cli_bytes(part[i].bytes, a, sizeof a));
	if (cost->ood_known)
		printf("  %-30s%s, of it %s while its reference is drawn\n", "scores of out of distribution",
		       cli_bytes(cost->ood_scored + cost->ood_drawn, a, sizeof a),
		       cli_bytes(cost->ood_drawn, b, sizeof b));
	else if (cost->ood_width > 0)
		printf("and for each version whose records have an embedding, of %.0f numbers for example, %s,\n"
		       "and %s while its reference is drawn; at most %d versions of a model\n", cost->ood_width,
		       cli_bytes(cost->ood_scored, a, sizeof a), cli_bytes(cost->ood_drawn, b, sizeof b),
		       LIMIT_OOD_VERSIONS);
	heading("Disk");
	printf("%.2f MB a commit in which everything has changed, one in %s at most\n", cost->commit / 1e6,
	       cli_duration(cost->interval_s * 1000, a, sizeof a));
	for (uint32_t r = 0; r < c->rates; r++) {
		if (c->rates > 1)
			snprintf(a, sizeof a, "at %g records a second", check_rates[r]);
		else
			snprintf(a, sizeof a, "at the rate of the database");
		printf("  %-30s%s a day to the log, ", a, cli_bytes(cost->day[r], b, sizeof b));
		printf("%s kept after a year\n", cli_bytes(cost->kept[r], b, sizeof b));
	}
}

void
check_print(const struct check *c)
{
	heading("Configuration");
	printf("%s: valid\n", c->config->path ? c->config->path : "");
	print_database(c);
	print_kafka(c);
	print_budget(c);
	for (size_t i = 0; i < c->models; i++)
		print_model(c, &c->model[i]);
	print_cost(c);
	printf("\nDelays are means of %d simulated paths of the tests themselves: independent records,\n"
	       "an ideal reference, no wander from day to day, evidence from zero. Days that differ make\n"
	       "them longer.\n"
	       "Coverage: where the records are to tell, 90 %% and %d calibration scores are assumed.\n",
	       DELAY_PATHS, CHECK_CALIBRATION);
	if (c->config->path)
		printf("\nNext: driftd run %s\n", c->config->path);
}
