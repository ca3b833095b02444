/* cmd_arl.c -- `driftd arl METHOD`: thresholds, false alarms and delays. See arl.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/run_length/chart.h"
#include "monitor/command/arl.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "monitor/command/filter.h"

static const char help_text[] =
	"usage: driftd arl METHOD [-p name=value]... [--seed N] [--json]\n"
	"\n"
	"The mean number of records to a false alarm (ARL) of a threshold, or the threshold for an\n"
	"ARL (-p arl=...), and the mean number of records from a change to its alarm.\n"
	"\n"
	"  cusum         two-sided CUSUM chart: -p k=, h= or arl=\n"
	"  ewma          moving average chart: -p lambda=, L= or arl=\n"
	"  sr-normal     Shiryaev-Roberts test of a normal law: -p threshold= or arl=\n"
	"  sr-bernoulli  the same of a rate: -p p0=, threshold= or arl=\n"
	"  sr-mean       the same of a mean in [0, 1]: -p m=, threshold= or arl=\n"
	"\n"
	"`driftd arl METHOD --help` lists all parameters. Charts are computed exactly, for independent\n"
	"normal values whose mean and sigma are known. For sr-* a threshold c promises an ARL of at least c,\n"
	"however records depend within the null law (sr-bernoulli: a rate of at most p0 given the past);\n"
	"what is printed beside it is simulated on independent records, with its standard error.\n"
	"The daemon's threshold is one false alarm in 1/g records: `driftd check` prints it.\n"
	"\n"
	"Examples:\n"
	"  driftd arl cusum -p arl=1e4              h for one false alarm in 10000 records\n"
	"  driftd arl ewma -p lambda=.1 -p L=2.814  how often that chart alarms\n"
	"  driftd arl sr-bernoulli -p p0=.1 -p change=.12,.2\n"
	"\n"
	"Exit status: 0; 2 for a bad parameter.\n";

#define ARL_COMMON(changes)                                                                        \
	OPT_AUTO_F64(struct arl_options, arl, "arl", "auto", 1.0, CHART_ARL_MAX,                   \
	             "records to a false alarm, instead of the threshold; auto: as it is given"),  \
	OPTION_ROW(struct arl_options, change, "change", OPTION_LIST, struct option_list, "0",     \
	           -1e6, 1e6, NULL, changes),                                                      \
	OPT_AUTO_U32(struct arl_options, before, "before", "auto", 0, 100000,                      \
	             "records without an alarm before the change; auto: ARL / 10, at most 1000")
#define ARL_SIMULATED                                                                              \
	OPT_F64(struct arl_options, threshold, "threshold", "1e4", 1.0, 1e15,                      \
	        "statistic at which an alarm is raised"),                                          \
	OPT_U32(struct arl_options, paths, "paths", "1000", 10, 1000000,                           \
	        "simulated changes of each size"),                                                 \
	OPT_U32(struct arl_options, alarms, "alarms", "400", 10, 1000000,                          \
	        "simulated false alarms")

static const struct option cusum_options[] = {
	OPT_F64(struct arl_options, k, "k", "0.5", 0.0, 100.0, "slack in sigma: half the shift"),
	OPT_F64(struct arl_options, h, "h", "5", 1e-6, 1e4, "alarm above this, in sigma"),
	ARL_COMMON("shifts in sigma; 0: .25,.5,1,2,3"),
	OPT_END,
};
static const struct option ewma_options[] = {
	OPT_F64(struct arl_options, lambda, "lambda", "0.1", CHART_WEIGHT_MIN, 1.0,
	        "weight of the newest value"),
	OPT_F64(struct arl_options, l, "L", "2.814", 1e-6, 100.0,
	        "alarm above this many (asymptotic) standard deviations"),
	ARL_COMMON("shifts in sigma; 0: .25,.5,1,2,3"),
	OPT_END,
};
static const struct option normal_options[] = {
	ARL_COMMON("shifts in sigma; 0: .25,.5,1,2"),
	ARL_SIMULATED,
	OPT_END,
};
static const struct option bernoulli_options[] = {
	ARL_COMMON("rates after the change; 0: 1.2,1.5,2,3 (side=down: .8,.5,.25,.1) times p0"),
	ARL_SIMULATED,
	OPT_END,
};
static const struct option mean_options[] = {
	ARL_COMMON("means after the change; 0: .05,.1,.25,.5 of the way to the bad end"),
	ARL_SIMULATED,
	OPT_AUTO_F64(struct arl_options, sd, "sd", "auto", 1e-6, 0.5,
	             "standard deviation of the values; auto: the largest there is, values are 0 and 1"),
	OPT_END,
};

static const struct arl_method methods[] = {
	{ "cusum", "a shift of a known mean, by cumulative sums", "h", cusum_options, arl_chart },
	{ "ewma", "a shift of a known mean, by a moving average", "L", ewma_options, arl_chart },
	{ "sr-normal", "the mean of a normal law, by Shiryaev-Roberts", "threshold", normal_options, arl_sr },
	{ "sr-bernoulli", "a rate against its bound, by Shiryaev-Roberts", "threshold", bernoulli_options, arl_sr },
	{ "sr-mean", "a mean in [0, 1] against its bound, by Shiryaev-Roberts", "threshold", mean_options,
	  arl_sr },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const struct arl_method *
find(const char *name)
{
	const struct arl_method *m = methods;

	while (m->name && strcmp(m->name, name) != 0)
		m++;
	return m->name ? m : NULL;
}

static void
method_help(const struct arl_method *m)
{
	const struct option *const tables[] = { m->options,
		m->answer == arl_sr ? detector_find(m->name)->options : NULL };

	printf("driftd arl %s: %s\n\n", m->name, m->summary);
	for (size_t t = 0; t < 2; t++)
		for (const struct option *row = tables[t]; row && row->name; row++)
			printf("  -p %-11s %s (%s)\n", row->name, row->help,
			       row->fallback ? row->fallback : "required");
	printf("\n%s", help_text);
}

/* -- output ---------------------------------------------------------------------------------------------- */

static void
print_length(const struct paths_length *l)
{
	if (isnan(l->mean) && !l->paths)
		printf("%11s %9s", "too few", ""); /* every path alarmed before its change */
	else if (isnan(l->mean))
		printf("%11s %9s", "missed", "");
	else if (isnan(l->error))
		printf("%11.4g %9s", l->mean, "");
	else
		printf("%11.4g +-%-7.2g", l->mean, l->error);
}

static void
print_text(const struct arl_method *m, const struct arl_answer *a)
{
	bool average = !isnan(a->threshold_average);

	printf("%s on %s\n\n", m->name, a->law);
	printf("%-42s %.6g\n", m->answer == arl_sr ? "alarm from threshold" : "alarm above", a->threshold);
	if (!isnan(a->length_bound))
		printf("%-42s %.6g, however records depend within the null law\n", "records to a false alarm, at least",
		       a->length_bound);
	printf("%-42s %.*g", "records to a false alarm, mean (ARL)", isnan(a->error) ? 6 : 4, a->length);
	printf(isnan(a->error) ? "\n" : " +- %.2g, simulated\n", a->error);
	if (!isnan(a->length_renewal))
		printf("%-42s %.4g\n", "  by the renewal approximation", a->length_renewal);
	if (!isnan(a->length_upper))
		printf("%-42s %.6g\n", "  of one side alone", a->length_upper);
	if (average)
		printf("%-42s %.4g\n", "threshold for that number on average", a->threshold_average);
	printf("\nrecords from a change to its alarm, after %u records without one\n", a->before);
	printf("  %-14s%11s%s\n", a->change_name, average ? "at threshold" : "mean",
	       average ? "         on average" : "");
	for (uint32_t i = 0; i < a->changes; i++) {
		printf("  %-14g", a->change[i].size);
		print_length(&a->change[i].delay);
		if (average)
			print_length(&a->change[i].average);
		putchar('\n');
	}
}

static void
put_number(const char *name, double x)
{
	printf(",\"%s\":", name);
	cli_json_number(stdout, x);
}

static void
print_json(const struct arl_method *m, const struct arl_answer *a)
{
	printf("{\"method\":\"%s\",\"law\":\"%s\"", m->name, a->law);
	put_number("threshold", a->threshold);
	put_number("arl", a->length);
	put_number("arl_error", a->error);
	put_number("arl_at_least", a->length_bound);
	put_number("arl_renewal", a->length_renewal);
	put_number("arl_one_side", a->length_upper);
	put_number("threshold_average", a->threshold_average);
	put_number("before", a->before);
	printf(",\"change_is\":\"%s\",\"delays\":[", a->change_name);
	for (uint32_t i = 0; i < a->changes; i++) {
		const struct arl_change *c = &a->change[i];

		printf("%s{\"change\":%.17g", i ? "," : "", c->size);
		put_number("records", c->delay.mean);
		put_number("error", c->delay.error);
		put_number("records_average", c->average.mean);
		put_number("error_average", c->average.error);
		putchar('}');
	}
	puts("]}");
}

/* -- the command ----------------------------------------------------------------------------------------- */

static int
complain(const char *text)
{
	fprintf(stderr, "driftd arl: %s\n", text);
	return EXIT_BAD_LINES;
}

static int
answer(const struct filter *f, const struct arl_method *m, void *own)
{
	const struct detector *det = detector_find(m->name);
	const struct option *const tables[] = { m->options, det->options };
	size_t count = m->answer == arl_sr ? 2 : 1;
	struct arl_options o;
	struct arl_answer a;
	struct diag d = { "" };
	void *const targets[] = { &o, own };
	int status = filter_options(f, tables, targets, count);

	if (status)
		return status;
	if (filter_param(f, "arl") && filter_param(f, m->threshold_name))
		return complain("arl and the threshold exclude each other: give the one that you know");
	if (m->answer(m, &o, own, f->seed, &a, &d))
		return complain(d.text);
	if (f->json)
		print_json(m, &a);
	else
		print_text(m, &a);
	return cli_finish(&(struct cli){ .command = f->command }, EXIT_FINE);
}

int
cmd_arl(int argc, char **argv)
{
	const struct arl_method *m = argc > 1 ? find(argv[1]) : NULL;
	struct filter f;
	int status;
	void *own;

	for (int i = 2; m && i < argc; i++)
		if (strcmp(argv[i], "--help") == 0) {
			method_help(m);
			return EXIT_FINE;
		}
	status = filter_parse(&f, argc, argv, FILTER_NAME | FILTER_JSON, help_text);
	if (status)
		return status < 0 ? EXIT_FINE : status;
	m = find(f.name);
	if (!m)
		return complain("METHOD is cusum, ewma, sr-normal, sr-bernoulli or sr-mean");
	if (f.reference || f.kind || f.strict || strcmp(f.file, "-") != 0)
		return complain("reads nothing: only METHOD, -p, --seed and --json belong here");
	own = calloc(1, detector_find(m->name)->options_size + 1);
	if (!own)
		return complain("out of memory");
	status = answer(&f, m, own);
	free(own);
	return status;
}
