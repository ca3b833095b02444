/* cmd_detect.c -- `driftd detect METHOD`: one sequential test over one column (contract 16), by
 * the same runner as the daemon. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/runner.h"
#include "monitor/command/commands.h"
#include "monitor/command/detect_lines.h"
#include "monitor/command/filter.h"

enum { BATCH_ROWS = 4096, RUNNER_OPTIONS_MAX = 8 };

static const char help_text[] =
	"usage: driftd detect METHOD [-p name=value]... [--reference FILE] [--seed N] [--strict] "
	"[FILE|-]\n"
	"\n"
	"One value a line in, CSV out: n,statistic,alarm (an interval: n,lower,upper,alarm).\n"
	"An empty line, nan and inf are missing. Files may be gzip.\n"
	"\n"
	"  -p name=value     a parameter of the method; `driftd detect METHOD --help` lists them\n"
	"  --reference FILE  what the stream is compared with, in the same form\n"
	"  --seed N          seed of the random numbers (1)\n"
	"  --strict          stop at the first bad line\n"
	"  --list            the methods\n"
	"\n"
	"Exit status: 0; 2 after a bad line, or at once for a bad parameter; 66 without the "
	"file.\n";

struct batch {
	uint32_t n;
	uint64_t line[BATCH_ROWS];
	double gain[BATCH_ROWS];
	uint32_t code[BATCH_ROWS], key[BATCH_ROWS];
	struct reading reading[BATCH_ROWS];
	double *value; /* [BATCH_ROWS * width] */
	uint32_t width;
};

struct detect {
	struct filter filter;
	struct option shared[RUNNER_OPTIONS_MAX]; /* rows of runner_option_table that apply */
	struct runner_options options;
	void *own;
	struct line_format format;
	struct line_reference reference;
	struct runner *runner;
	struct runner_scratch *scratch;
	struct batch *batch;
};

static void
list_methods(void)
{
	for (const struct detector *const *d = detector_table; *d; d++)
		printf("%-22s %s\n", (*d)->name, (*d)->summary);
}

/* Does a shared option apply to this detector? */
static bool
applies(const struct detector *det, const char *name)
{
	static const struct {
		const char *name;
		unsigned flags; /* any of them */
	} needs[] = {
		{ "metered", DETECTOR_METERED },
		{ "days", DETECTOR_KEYED },
		{ "keyed", DETECTOR_KEYED },
		{ "thin", DETECTOR_THINS },
		{ "phases", DETECTOR_PHASES },
		{ "warmup", DETECTOR_WARMS_UP | DETECTOR_PHASES },
	};

	if (option_find(det->options, name))
		return false;
	for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
		if (strcmp(needs[i].name, name) == 0)
			return det->flags & needs[i].flags;
	return !(det->flags & DETECTOR_INTERVAL);
}

static void
shared_options(const struct detector *det, struct option *out)
{
	size_t n = 0;

	for (const struct option *row = runner_option_table; row->name; row++)
		if (applies(det, row->name) && n + 1 < RUNNER_OPTIONS_MAX)
			out[n++] = *row;
	out[n] = (struct option)OPT_END;
}

static void
method_help(const struct detector *det)
{
	struct option shared[RUNNER_OPTIONS_MAX];
	const struct option *const tables[] = { det->options, shared };

	shared_options(det, shared);
	printf("driftd detect %s: %s\n  source: %s\n\n", det->name, det->summary, det->source);
	for (size_t t = 0; t < 2; t++)
		for (const struct option *row = tables[t]; row->name; row++)
			printf("  -p %-11s %s (%s)\n", row->name, row->help,
			       row->fallback ? row->fallback : "required");
	printf("\n%s", help_text);
}

static const struct detector *
find_method(const char *name)
{
	const struct detector *det = detector_find(name);
	const char *near = NULL;
	unsigned best = 3;

	if (det)
		return det;
	for (const struct detector *const *d = detector_table; *d; d++) {
		unsigned distance = option_distance(name, (*d)->name);

		if (distance < best) {
			best = distance;
			near = (*d)->name;
		}
	}
	fprintf(stderr, "driftd detect: unknown method %s%s%s%s; --list names them\n", name,
	        near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	return NULL;
}

static int
complain(int status, const char *text)
{
	fprintf(stderr, "driftd detect: %s\n", text);
	return status;
}

/* Parameters, reference and runner. An exit status. */
static int
prepare(struct detect *t, const struct detector *det)
{
	const struct option *const tables[] = { det->options, t->shared };
	void *const structs[] = { t->own, &t->options };
	struct diag d = { "" };
	int err = 0, status;

	/* What does not apply has its default. */
	option_defaults(runner_option_table, &t->options);
	shared_options(det, t->shared);
	status = filter_options(&t->filter, tables, structs, 2);
	if (status)
		return status;
	t->format = (struct line_format){ .detector = det, .own = t->own,
		.metered = t->options.metered, .days = t->options.days,
		.keyed = t->options.keyed };
	if (t->filter.reference) {
		err = line_reference_read(&t->reference, &t->format, t->filter.reference, &d);
		if (err)
			return complain(EXIT_NO_INPUT, d.text);
	}
	err = runner_create(&t->runner, det, t->own, &t->options,
	                    t->filter.reference ? &t->reference.ref : NULL, t->filter.seed, 0, &d);
	if (err)
		return complain(err == ERR_IO ? EXIT_INTERNAL : EXIT_BAD_LINES, d.text);
	line_reference_finish(&t->reference);
	return EXIT_FINE;
}

static void
print_batch(const struct batch *b, bool interval)
{
	for (uint32_t i = 0; i < b->n; i++) {
		const struct reading *r = &b->reading[i];

		printf("%" PRIu64 ",", b->line[i]);
		print_number(r->statistic);
		if (interval) {
			putchar(',');
			print_number(r->upper);
		}
		printf(",%d\n", r->alarm ? 1 : 0);
	}
}

static bool
flush_batch(struct detect *t)
{
	struct batch *b = t->batch;
	struct line_format *f = &t->format;
	bool codes = f->detector->kind == COLUMN_CATEGORY, alarm;
	bool keyed = f->keyed || f->detector->flags & DETECTOR_KEY_VALUE;
	struct records rec = {
		.n = b->n,
		.width = b->width,
		.value = codes ? NULL : b->value,
		.code = codes ? b->code : NULL,
		.key = keyed ? b->key : NULL,
		.gain = f->metered ? b->gain : NULL,
		.categories = f->categories.n,
		.text = f->categories.text,
		.text_len = f->categories.length,
	};
	uint32_t from = 0;

	if (b->n && !t->scratch)
		t->scratch = runner_scratch_create(BATCH_ROWS, b->width);
	if (b->n && !t->scratch)
		return false;
	while (from < b->n) {
		from = runner_update(t->runner, &rec, from, t->scratch, b->reading, &alarm);
		if (alarm)
			runner_reset(t->runner);
	}
	print_batch(b, f->detector->flags & DETECTOR_INTERVAL);
	b->n = 0;
	return true;
}

/* Adds a line to the batch; kind != LINE_FINE: a missing value. */
static bool
add_line(struct detect *t, const struct line *line, enum line_kind kind, uint64_t number)
{
	struct batch *b = t->batch;
	uint32_t width = t->format.width ? t->format.width : 1, i = b->n;

	if (b->width != width) { /* the first vector tells how long they are */
		double *value = malloc((size_t)BATCH_ROWS * width * sizeof *value);

		if (!value || !flush_batch(t)) {
			free(value);
			return false;
		}
		runner_scratch_destroy(t->scratch);
		t->scratch = NULL;
		free(b->value);
		b->value = value;
		b->width = width;
		i = 0;
	}
	b->line[i] = number;
	b->gain[i] = kind == LINE_FINE ? line->gain : 0.0;
	b->key[i] = kind == LINE_FINE ? line->key : 0;
	b->code[i] = kind == LINE_FINE ? line->code : RUNNER_MISSING;
	for (uint32_t j = 0; j < width; j++)
		b->value[(size_t)i * width + j] = kind == LINE_FINE ? line->value[j] : (double)NAN;
	b->n++;
	return b->n < BATCH_ROWS || flush_batch(t);
}

static int
filter_lines(struct detect *t, struct lines *lines)
{
	const char *name = strcmp(t->filter.file, "-") == 0 ? "standard input" : t->filter.file;
	struct line line = { .value = malloc(sizeof(double)) };
	size_t room = 1, length;
	int status = EXIT_FINE;
	const char *why;
	bool fine = line.value;
	char *text;

	printf(t->format.detector->flags & DETECTOR_INTERVAL ? "n,lower,upper,alarm\n"
	                                                     : "n,statistic,alarm\n");
	while (fine && lines_next(lines, &text, &length)) {
		enum line_kind kind =
			line_read(&t->format, false, text, length, &line, &room, &why);

		if (kind == LINE_BAD) {
			fprintf(stderr, "driftd detect: %s:%" PRIu64 ": %s\n", name,
			        lines_number(lines), why);
			status = EXIT_BAD_LINES;
			if (t->filter.strict)
				break;
		}
		fine = add_line(t, &line, kind, lines_number(lines));
	}
	fine = fine && flush_batch(t);
	free(line.value);
	if (!fine)
		return complain(EXIT_INTERNAL, "out of memory");
	if (lines_error(lines)) {
		fprintf(stderr, "driftd detect: %s: %s\n", name, lines_error(lines));
		return EXIT_DISK;
	}
	if (fflush(stdout) || ferror(stdout))
		return complain(EXIT_DISK, "cannot write to standard output");
	return status;
}

static int
run(struct detect *t, const struct detector *det)
{
	struct lines *lines = NULL;
	struct diag d;
	int status = EXIT_INTERNAL;

	t->own = calloc(1, det->options_size + 1);
	t->batch = calloc(1, sizeof *t->batch);
	if (t->batch) {
		t->batch->width = 1;
		t->batch->value = malloc(BATCH_ROWS * sizeof *t->batch->value);
	}
	if (!t->own || !t->batch || !t->batch->value) {
		complain(status, "out of memory");
		goto out;
	}
	status = prepare(t, det);
	if (status)
		goto out;
	lines = lines_open(t->filter.file, &d);
	status = lines ? filter_lines(t, lines) : complain(EXIT_NO_INPUT, d.text);
out:
	lines_close(lines);
	runner_destroy(t->runner);
	runner_scratch_destroy(t->scratch);
	line_reference_finish(&t->reference);
	line_format_finish(&t->format);
	if (t->batch)
		free(t->batch->value);
	free(t->batch);
	if (t->own)
		option_finish(det->options, t->own);
	free(t->own);
	return status;
}

int
cmd_detect(int argc, char **argv)
{
	struct detect t = { 0 };
	const struct detector *det = argc > 1 ? detector_find(argv[1]) : NULL;
	int status;

	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		list_methods();
		return EXIT_FINE;
	}
	for (int i = 2; det && i < argc; i++)
		if (strcmp(argv[i], "--help") == 0) {
			method_help(det);
			return EXIT_FINE;
		}
	status = filter_parse(&t.filter, argc, argv, FILTER_NAME, help_text);
	if (status)
		return status < 0 ? EXIT_FINE : status;
	det = find_method(t.filter.name);
	return det ? run(&t, det) : EXIT_BAD_LINES;
}
