/* bench_delay.c -- records from a change to its alarm, against the figures of another implementation, and beside
 * them those of ADWIN, Page-Hinkley, HDDM-A, CUSUM and EWMA with thresholds at which they alarm as often as ours on
 * the same stream when nothing changes.
 *
 *	bench_delay [--short] [--json] [--only WORD]
 *
 * A delay agrees when it is within 10 % of the table's, or differs by less than 3.3 standard errors of both (.001, for
 * there are two hundred; the tables are means of 20 to 2000 paths). Exit status 1: one does neither.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/delay_tables.h"
#include "tests/bench/records.h"
#include "tests/bench/workers.h"

enum { GROUPS_MAX = 128 };
static const double close_enough = 0.1, errors_apart = 3.3;

static struct delay_group *group;
static uint32_t groups;

static void
work(void *context, uint32_t i)
{
	(void)context;
	delay_group_run(&group[i]);
}

enum agreement { AGREES, AGREES_BY_ERROR, OTHER_BET, DIFFERS, NO_FIGURE };

static enum agreement
agreement(const struct delay_group *g, uint32_t i)
{
	const struct delay_mean *m = &g->ours[i];
	double expected = g->change[i].expected, then;

	if (isnan(expected) || g->other_bet)
		return isnan(expected) ? NO_FIGURE : OTHER_BET;
	if (fabs(m->mean / expected - 1) <= close_enough)
		return AGREES;
	then = m->error * sqrt((double)m->paths / g->runs_then);
	return fabs(m->mean - expected) <= errors_apart * sqrt(m->error * m->error + then * then) ? AGREES_BY_ERROR
	                                                                                          : DIFFERS;
}

static void
print_mean(const struct delay_mean *m)
{
	if (m->paths == 0 || m->missed > 0.5)
		printf(" %8s", "missed");
	else if (m->missed > 0.005)
		printf(" %4.0f/%2.0f%%", m->mean, 100 * m->missed);
	else
		printf(m->mean < 9.95 ? " %8.1f" : " %8.0f", m->mean);
}

static void
print_group(const struct delay_group *g)
{
	static const char *const text[] = { "agrees", "agrees by its error", "another bet", "DIFFERS", "" };

	printf("\n%s: %s%s%s on %s", g->table, g->test.label, *g->test.params ? " " : "", g->test.params, g->stream);
	if (g->n_ref)
		printf(", reference %u", g->n_ref);
	printf(", threshold %.0e", g->threshold);
	if (g->peers)
		printf(", a false alarm in %s%.0f records", g->arl_floor ? "more than " : "", g->arl);
	printf("\n  %-32s %8s %8s %8s %6s", "change", "driftd", "+-", "table", "ratio");
	for (uint32_t k = 0; g->peers && k < DELAY_PEERS; k++)
		printf(" %8.8s", delay_peers[k].name);
	putchar('\n');
	for (uint32_t i = 0; i < g->changes; i++) {
		const struct delay_case *c = &g->change[i];

		printf("  %-32s", c->what);
		print_mean(&g->ours[i]);
		printf(" %8.2g %8.4g %6.2f", g->ours[i].error, c->expected, g->ours[i].mean / c->expected);
		for (uint32_t k = 0; g->peers && k < DELAY_PEERS; k++)
			print_mean(&g->peer[i][k]);
		printf("  %s\n", text[agreement(g, i)]);
	}
	if (g->peers) {
		printf("  %-32s %8s %8s %8s %6s", "records to a false alarm", "", "", "", "");
		for (uint32_t k = 0; k < DELAY_PEERS; k++)
			printf(" %8.3g", g->peer_arl[k]);
		putchar('\n');
	}
}

static void
put(const char *name, double x)
{
	if (isfinite(x))
		printf(",\"%s\":%.6g", name, x);
	else
		printf(",\"%s\":null", name);
}

static void
print_json(const struct delay_group *g)
{
	static const char *const text[] = { "agrees", "agrees by its error", "another bet", "differs", "no figure" };

	for (uint32_t i = 0; i < g->changes; i++) {
		printf("{\"table\":\"%s\",\"detector\":\"%s\",\"params\":\"%s\",\"stream\":\"%s\",\"reference\":%u,"
		       "\"threshold\":%.0f,\"change\":\"%s\",\"verdict\":\"%s\"", g->table, g->test.label, g->test.params,
		       g->stream, g->n_ref, g->threshold, g->change[i].what, text[agreement(g, i)]);
		put("records", g->ours[i].mean);
		put("error", g->ours[i].error);
		put("missed", g->ours[i].missed);
		put("expected", g->change[i].expected);
		put("arl", g->peers ? g->arl : (double)NAN);
		for (uint32_t k = 0; g->peers && k < DELAY_PEERS; k++) {
			printf(",\"%s\":{\"knob\":%.6g", delay_peers[k].name, g->knob[k]);
			put("arl", g->peer_arl[k]);
			put("records", g->peer[i][k].mean);
			put("missed", g->peer[i][k].missed);
			putchar('}');
		}
		puts("}");
	}
}

/* Figures outside the 10 %, peers that are faster. */
static int
summary(bool json)
{
	uint32_t count[NO_FIGURE + 1] = { 0 }, faster[DELAY_PEERS] = { 0 }, beside = 0;

	for (uint32_t j = 0; j < groups; j++) {
		const struct delay_group *g = &group[j];

		if (json)
			print_json(g);
		else
			print_group(g);
		for (uint32_t i = 0; i < g->changes; i++) {
			count[agreement(g, i)]++;
			beside += g->peers;
			for (uint32_t k = 0; g->peers && k < DELAY_PEERS; k++)
				faster[k] += g->peer_arl[k] > g->arl / 1.5 && g->peer[i][k].missed <= g->ours[i].missed + .01
				             && g->peer[i][k].mean < 0.95 * g->ours[i].mean;
		}
	}
	if (!json) {
		printf("\n%u delays: %u within 10 %% of the table, %u within its error, %u differ; %u of another bet\n",
		       count[AGREES] + count[AGREES_BY_ERROR] + count[DIFFERS], count[AGREES], count[AGREES_BY_ERROR],
		       count[DIFFERS], count[OTHER_BET]);
	}
	if (!json && beside) {
		printf("at the same rate of false alarms, more than 5 %% faster than driftd, of %u:", beside);
		for (uint32_t k = 0; k < DELAY_PEERS; k++)
			printf(" %s %u%s", delay_peers[k].name, faster[k], k + 1 < DELAY_PEERS ? "," : "\n");
	}
	return count[DIFFERS] ? 1 : 0;
}

/* In the short form peers are left out, and what takes long. */
static bool
keep(const struct delay_group *g, bool is_short, const char *only)
{
	if (only)
		return strstr(g->test.label, only) || strstr(g->table, only) || strstr(g->stream, only);
	return !is_short || (g->n_ref <= 20160 && g->threshold < 1e5 && !g->other_bet && g->kind.ar < .8 &&
	                     g->kind.law != LAW_VECTOR);
}

int
main(int argc, char **argv)
{
	const char *only = NULL;
	bool json = false, is_short = false;
	uint32_t all;

	group = workers_memory(GROUPS_MAX * sizeof *group);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--short"))
			is_short = true;
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = argv[++i];
		else
			return fputs("usage: bench_delay [--short] [--json] [--only WORD]\n", stderr), 64;
	all = delay_tables(group, GROUPS_MAX);
	for (uint32_t i = 0; i < all; i++) {
		group[i].runs = is_short ? 200
		                : group[i].n_ref > 50000 || group[i].kind.law == LAW_VECTOR ? 100 : 1000;
		group[i].peer_runs = 200;
		group[i].peers = group[i].peers && !is_short;
		group[i].seed = 1000 + i;
		if (keep(&group[i], is_short, only))
			group[groups++] = group[i];
	}
	if (workers_run("delay", groups, work, NULL))
		bench_die("workers", "one of them died");
	return summary(json);
}
