/* cmd_metric.c -- `driftd metric`: scores of forecasts over JSON Lines. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/metric/metric.h"
#include "monitor/command/commands.h"
#include "monitor/command/filter.h"
#include "monitor/decode/jsonl.h"

static const char help_text[] =
	"usage: driftd metric NAME [-p name=value]... [--seed N] [--strict] [FILE|-]\n"
	"\n"
	"Reads rows of JSON (FILE or standard input, one object a line) and prints\n"
	"`metric,value`; an undefined value is empty. A bad row is reported and left out.\n"
	"\n"
	"  --strict   stop at the first bad line\n"
	"  --seed N   for pit and bootstrap (default 1)\n"
	"\n"
	"Exit status: 0, or 2 after a bad line or argument; messages on standard error.\n"
	"`driftd metric NAME --help` tells fields and parameters of one.\n"
	"\n";

enum { LINE_MAX = 160, OPTIONS_BYTES_MAX = 1024 };

static void
append(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s", text);
}

/* The help for one metric, or for all of them. The caller frees it. */
static char *
help_for(const struct metric *one)
{
	size_t size = 16384;
	char *text = calloc(1, size), line[LINE_MAX];

	if (text == NULL)
		return NULL;
	append(text, size, help_text);
	for (size_t i = 0; one == NULL && metric_table[i] != NULL; i++) {
		snprintf(line, sizeof line, "  %-16s %s\n", metric_table[i]->name,
		         metric_table[i]->summary);
		append(text, size, line);
	}
	if (one == NULL)
		return text;
	snprintf(line, sizeof line, "%s: %s\n(%s)\n\nfields:", one->name, one->summary,
	         one->source);
	append(text, size, line);
	for (const struct metric_field *f = one->fields; f->name != NULL; f++) {
		append(text, size, f->presence == METRIC_REQUIRED ? " " : " [");
		append(text, size, f->name);
		append(text, size, f->presence == METRIC_REQUIRED ? "" : "]");
	}
	append(text, size, "\n");
	for (const struct option *o = one->options; o->name != NULL; o++) {
		snprintf(line, sizeof line, "  -p %s=%s  %s\n", o->name,
		         o->fallback != NULL ? o->fallback : "...", o->help);
		append(text, size, line);
	}
	return text;
}

/* What one run works with. */
struct run {
	const struct metric *metric;
	void *state;
	struct jsonl *json;
	struct jsonl_numbers value[METRIC_FIELDS_MAX], level[METRIC_FIELDS_MAX];
	struct metric_row row;
};

static int
wrong_type(const struct metric_field *f, struct diag *d)
{
	static const char *const expected[] = {
		[METRIC_NUMBER] = "a number",
		[METRIC_INTEGER] = "a whole number",
		[METRIC_ARRAY] = "an array of numbers",
		[METRIC_LEVELS] = "an object of \"level\": number",
	};

	return diag_set(d, ERR_INVALID, "%s is not %s", f->name, expected[f->type]);
}

static int
check_levels(const struct metric_field *f, const struct metric_input *in, struct diag *d)
{
	for (size_t i = 0; i < in->n; i++)
		if (!(in->level[i] > 0.0 && in->level[i] < 1.0))
			return diag_set(d, ERR_INVALID, "a level of %s is %g, not between 0 and 1",
			                f->name, in->level[i]);
	return 0;
}

/* Reads one field of the parsed line. 0 or ERR_INVALID. */
static int
read_field(struct run *r, size_t index, struct diag *d)
{
	const struct metric_field *f = &r->metric->fields[index];
	struct metric_input *in = &r->row.in[index];
	struct jsonl_numbers *value = &r->value[index], *level = &r->level[index];
	enum jsonl_result got = JSONL_ABSENT;
	double number;

	*in = (struct metric_input){ .given = false };
	switch (f->type) {
	case METRIC_NUMBER:
		got = jsonl_number(r->json, f->name, &in->number);
		break;
	case METRIC_INTEGER:
		got = jsonl_integer(r->json, f->name, &in->integer);
		break;
	case METRIC_ARRAY:
		got = jsonl_array(r->json, f->name, value);
		break;
	case METRIC_LEVELS:
		got = jsonl_levels(r->json, f->name, level, value);
		break;
	}
	if (got == JSONL_WRONG)
		return wrong_type(f, d);
	if (got == JSONL_ABSENT)
		return f->presence == METRIC_REQUIRED
		       ? diag_set(d, ERR_INVALID, "%s is missing", f->name) : 0;
	in->given = true;
	if (f->type == METRIC_NUMBER || f->type == METRIC_INTEGER) {
		number = f->type == METRIC_NUMBER ? in->number : (double)in->integer;
		if (number < f->low || number > f->high)
			return diag_set(d, ERR_INVALID, "%s is %g, not between %g and %g", f->name,
			                number, f->low, f->high);
		return 0;
	}
	in->value = value->value;
	in->level = f->type == METRIC_LEVELS ? level->value : NULL;
	in->n = value->n;
	if (in->n == 0)
		return diag_set(d, ERR_INVALID, "%s is empty", f->name);
	return f->type == METRIC_LEVELS ? check_levels(f, in, d) : 0;
}

static void
print_values(struct run *r)
{
	struct metric_value value[METRIC_VALUES_MAX];
	size_t n = r->metric->values(r->state, value);

	for (size_t i = 0; i < n; i++) {
		printf("%s,", value[i].name);
		print_number(isfinite(value[i].value) ? value[i].value : (double)NAN);
		putchar('\n');
	}
}

/* One row of the metric, or none of them. */
static int
take_line(void *self, const char *text, size_t length, uint64_t number, struct diag *d)
{
	struct run *r = self;
	int err = jsonl_parse(r->json, text, length, d);

	r->row.number = number;
	for (size_t i = 0; err == 0 && r->metric->fields[i].name != NULL; i++) {
		err = read_field(r, i, d);
		if (err == 0 && !r->row.in[i].given
		    && r->metric->fields[i].presence == METRIC_SELECTS)
			return 0;
	}
	if (err == 0)
		err = r->metric->add(r->state, &r->row, d);
	if (err != 0)
		return err;
	if (r->metric->each_row)
		print_values(r);
	return 1;
}

/* `seed` as a parameter; it wins over --seed. */
struct seed_options {
	int64_t seed;
};

static uint64_t
chosen_seed(const struct filter *f, const struct seed_options *o)
{
	return filter_param(f, "seed") ? (uint64_t)o->seed : f->seed;
}

static const struct option seed_table[] = {
	OPT_I64(struct seed_options, seed, "seed", "1", 0, 0x1p53, "Seed of the random numbers."),
	OPT_END,
};

static int
run_metric(struct run *r, const struct filter *f)
{
	_Alignas(max_align_t) unsigned char own[OPTIONS_BYTES_MAX] = { 0 };
	struct seed_options seed = { 1 };
	const struct option *const tables[] = { r->metric->options, seed_table };
	void *const targets[] = { own, &seed };
	struct diag d = { "" };
	int status;

	if (r->metric->options_size > sizeof own)
		return EXIT_INTERNAL;
	status = filter_options(f, tables, targets, r->metric->seeded ? 2 : 1);
	if (status != 0)
		return status;
	r->json = jsonl_create();
	if (r->json == NULL
	    || r->metric->create(&r->state, own, chosen_seed(f, &seed), &d) != 0) {
		fprintf(stderr, "driftd metric: %s\n", d.text[0] != '\0' ? d.text : "no memory");
		return r->json == NULL ? EXIT_INTERNAL : EXIT_BAD_LINES;
	}
	status = filter_each_line(f, "metric,value", take_line, r);
	if (!r->metric->each_row && status != EXIT_INTERNAL && status != EXIT_NO_INPUT)
		print_values(r);
	r->metric->destroy(r->state);
	return filter_finish(f, status);
}

int
cmd_metric(int argc, char **argv)
{
	struct run r = { .metric = argc > 1 ? metric_find(argv[1]) : NULL };
	char *help = help_for(r.metric);
	struct filter f;
	int status = help != NULL ? filter_parse(&f, argc, argv, FILTER_NAME, help) : EXIT_INTERNAL;

	free(help);
	if (status != 0)
		return status < 0 ? EXIT_FINE : status;
	r.metric = metric_find(f.name);
	if (r.metric == NULL) {
		fprintf(stderr, "driftd metric: unknown metric %s; ", f.name);
		fputs("`driftd metric --help` lists them\n", stderr);
		return EXIT_BAD_LINES;
	}
	if (f.reference != NULL || f.kind != NULL) {
		fprintf(stderr, "driftd metric: --reference and --kind do not belong here\n");
		return EXIT_BAD_LINES;
	}
	status = run_metric(&r, &f);
	for (size_t i = 0; i < METRIC_FIELDS_MAX; i++) {
		jsonl_numbers_finish(&r.value[i]);
		jsonl_numbers_finish(&r.level[i]);
	}
	jsonl_destroy(r.json);
	return status;
}
