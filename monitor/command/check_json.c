/* check_json.c -- the plan as one JSON object. See check.h. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "monitor/command/check.h"
#include "monitor/command/cli.h"

static void
put_key(const char *name)
{
	printf("\"%s\":", name);
}

static void
put_text(const char *name, const char *text, const char *after)
{
	put_key(name);
	if (text)
		cli_json_text(stdout, text, strlen(text));
	else
		fputs("null", stdout);
	fputs(after, stdout);
}

static void
put_number(const char *name, double x, const char *after)
{
	put_key(name);
	cli_json_number(stdout, x);
	fputs(after, stdout);
}

static void
put_bool(const char *name, bool x, const char *after)
{
	put_key(name);
	printf("%s%s", x ? "true" : "false", after);
}

static void
put_numbers(const char *name, const double *x, uint32_t n, const char *after)
{
	put_key(name);
	for (uint32_t i = 0; i < n; i++) {
		fputc(i ? ',' : '[', stdout);
		cli_json_number(stdout, x[i]);
	}
	printf("]%s", after);
}

static void
put_class(const struct check_model *m, enum share_class i)
{
	const struct check_class *class = &m->class[i];
	double threshold[CHECK_RATES_MAX];

	for (uint32_t r = 0; r < m->rates; r++)
		threshold[r] = 1 / class->g[r];
	fputc('{', stdout);
	put_text("class", share_class_text(i), ",");
	put_number("streams", class->streams, ",");
	put_number("share", class->share, ",");
	put_number("step", class->step, ",");
	put_numbers("used_per_s", class->rate, m->rates, ",");
	put_numbers("g", class->g, m->rates, ",");
	put_numbers("threshold", threshold, m->rates, ",");
	put_key("delays");
	fputc('[', stdout);
	for (uint32_t k = 0; k < class->changes; k++) {
		const struct check_change *change = &class->change[k];

		fputs(k ? ",{" : "{", stdout);
		put_text("change", change->words, ",");
		put_number("size", change->size, ",");
		put_bool("forgiven", change->forgiven, ",");
		put_key("records");
		if (change->forgiven) {
			fputs("null}", stdout);
			continue;
		}
		for (uint32_t r = 0; r < m->rates; r++) {
			fputc(r ? ',' : '[', stdout);
			cli_json_number(stdout, change->records[r]);
		}
		fputs("]}", stdout);
	}
	fputs("]}", stdout);
}

static void
put_tests(const struct model_config *config)
{
	put_key("tests");
	fputc('{', stdout);
	for (size_t i = 0; i < config->test_lists; i++) {
		const struct tests_config *list = &config->test_list[i];

		fputs(i ? "," : "", stdout);
		cli_json_text(stdout, list->pattern, strlen(list->pattern));
		fputs(":[", stdout);
		for (size_t k = 0; k < list->tests; k++) {
			fputs(k ? ",{" : "{", stdout);
			put_text("method", list->test[k].method.name, ",");
			put_text("role", test_role_text(list->test[k].role), "}");
		}
		fputc(']', stdout);
	}
	fputs("},", stdout);
}

static void
put_model(const struct check_model *m)
{
	bool any = false;

	fputc('{', stdout);
	put_text("model", m->name, ",");
	put_bool("known", m->known, ",");
	put_bool("assumed", m->assumed, ",");
	put_number("streams", m->streams, ",");
	put_bool("rate_known", m->rates == 1, ",");
	put_numbers("records_per_s", m->rate, m->rates, ",");
	put_number("min_effect", m->config->min_effect, ",");
	put_tests(m->config);
	put_key("classes");
	fputc('[', stdout);
	for (int i = 0; i < SHARE_CLASSES; i++) {
		if (!m->class[i].streams)
			continue;
		if (any)
			fputc(',', stdout);
		put_class(m, (enum share_class)i);
		any = true;
	}
	fputs("]}", stdout);
}

static void
put_kafka(const struct check *c)
{
	put_key("kafka");
	fputc('{', stdout);
	put_text("brokers", c->config->kafka.brokers, ",");
	put_bool("asked", c->asked, ",");
	put_text("unreachable", c->unreachable[0] ? c->unreachable : NULL, ",");
	put_key("topics");
	fputc('[', stdout);
	for (size_t i = 0; i < c->topics; i++) {
		fputs(i ? ",{" : "{", stdout);
		put_text("topic", c->topic[i].name, ",");
		put_number("partitions", c->topic[i].partitions, ",");
		put_bool("labels", c->topic[i].labels, "}");
	}
	fputs("]},", stdout);
}

static void
put_cost(const struct check *c)
{
	const struct check_cost *cost = &c->cost;

	put_key("memory_bytes");
	fputc('{', stdout);
	put_number("journal", cost->journal, ",");
	put_number("streams", cost->streams, ",");
	put_number("lookahead", cost->lookahead, ",");
	put_number("broker", cost->broker, ",");
	put_number("cache", cost->cache, ",");
	put_number("program", cost->program, ",");
	put_number("ood_drawn", cost->ood_drawn, ",");
	put_number("ood_scored", cost->ood_scored, ",");
	put_number("total", cost->memory, "},");
	put_key("disk_bytes");
	fputc('{', stdout);
	put_number("commit", cost->commit, ",");
	put_number("commit_interval_s", cost->interval_s, ",");
	put_numbers("day", cost->day, c->rates, ",");
	put_numbers("kept_after_a_year", cost->kept, c->rates, "},");
}

void
check_print_json(const struct check *c)
{
	fputc('{', stdout);
	put_text("configuration", c->config->path, ",");
	put_key("database");
	fputc('{', stdout);
	put_text("path", c->config->database, ",");
	put_bool("exists", c->db != NULL, ",");
	put_number("records", c->records, ",");
	put_text("watermark", c->watermark[0] ? c->watermark : NULL, "},");
	put_kafka(c);
	put_key("budget");
	fputc('{', stdout);
	put_number("alarms", c->plan.budget, ",");
	put_number("period_ms", (double)c->plan.period_ms, ",");
	put_number("reserve", PLAN_RESERVE, ",");
	put_text("send", c->config->send == SEND_ALL ? "all" : "certified", "},");
	put_key("models");
	fputc('[', stdout);
	for (size_t i = 0; i < c->models; i++) {
		if (i)
			fputc(',', stdout);
		put_model(&c->model[i]);
	}
	fputs("],", stdout);
	put_cost(c);
	put_key("warnings");
	fputc('[', stdout);
	for (size_t i = 0; i < c->warnings; i++) {
		if (i)
			fputc(',', stdout);
		cli_json_text(stdout, c->warning[i], strlen(c->warning[i]));
	}
	fputs("]}\n", stdout);
}
