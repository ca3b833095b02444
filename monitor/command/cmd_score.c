/* cmd_score.c -- `driftd score`: how unlike a reference each record of a file is, and its p-value. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "config/option.h"
#include "detectors/ood/threshold.h"
#include "monitor/command/commands.h"
#include "monitor/command/filter.h"
#include "monitor/command/score_rows.h"

static const char help_text[] =
	"usage: driftd score SCORE|panel [--reference FILE] [-p name=value]... [--strict] [FILE|-]\n"
	"\n"
	"Reads records (FILE or standard input, JSON, one object a line) and prints `id,score,p`:\n"
	"higher scores are more unlike the reference, and p is the share of reference records\n"
	"that are at least as unlike. Fields: embedding (an array, or base64 of little-endian\n"
	"floats: {\"b64f32\": ...}, {\"b64f16\": ...}), logits, probs, features (an array, or an\n"
	"object: its numbers), label. Odd rows of the reference fit, even ones calibrate.\n"
	"\n"
	"A line that lacks what the score reads, or is bad, has an empty score. `panel` makes one\n"
	"verdict of several scores: -p scores=energy,knn, or what suits the reference's first row.\n"
	"\n"
	"  --strict   stop at the first bad line\n"
	"  --seed N   for hst (default 1)\n"
	"\n"
	"Exit status: 0, or 2 after a bad line or argument; messages on standard error.\n"
	"`driftd score SCORE --help` tells the parameters of one.\n"
	"\n";

enum { RECOMMENDED_ROWS = 2000, CLASS_ROWS_MIN = 5 };

struct panel_options {
	char *scores;
};

struct threshold_options {
	double alpha, delta;
};

static const struct option threshold_table[] = {
	OPT_F64(struct threshold_options, alpha, "alpha", "0", 0.0, 0.5,
	        "share of records like the reference that a threshold lets through; 0: none is told"),
	OPT_F64(struct threshold_options, delta, "delta", "0.05", 1e-9, 0.5,
	        "chance that more than alpha lie above the threshold that is safe"),
	OPT_END,
};

static const struct option panel_table[] = {
	OPT_TEXT(struct panel_options, scores, "scores", "auto", "members, separated by commas"),
	OPT_END,
};

/* One line of output: its id, and its row in the batch, or UINT32_MAX. */
struct pending {
	char *id;
	uint32_t row;
};

struct run {
	struct filter filter;
	const struct score *score[SCORER_MAX]; /* the one, or the members */
	uint32_t scores;
	bool panel, any;              /* any: the members that suit */
	struct score_options options;
	struct threshold_options threshold;
	struct row_reader reader;
	struct row_set fit, calibration, batch;
	uint32_t reference_rows;
	bool ready;                   /* scorer or members are fitted */
	struct scorer scorer;         /* of the one score */
	struct calibration calibrated;
	struct panel members;
	double value[SCORER_ROWS];
	struct verdict verdict[SCORER_ROWS];
	struct pending pending[SCORER_ROWS];
	uint32_t waiting;
	uint64_t missing, bad;
	const char *lacks;
};

static int
complain(int status, const char *text)
{
	fprintf(stderr, "driftd score: %s\n", text);
	return status;
}

static void
score_help(const struct score *one)
{
	fputs(help_text, stdout);
	for (size_t i = 0; one == NULL && score_table[i] != NULL; i++)
		printf("  %-10s %s\n", score_table[i]->name, score_table[i]->summary);
	if (one == NULL) {
		printf("  %-10s %s\n", "panel", "the least p of several scores, calibrated again");
		return;
	}
	printf("%s: %s\n(%s)\n\nreads: %s\n", one->name, one->summary, one->source, score_input_name(one));
	for (const struct option *o = one->options; o->name != NULL; o++)
		printf("  -p %s=%s  %s\n", o->name, o->fallback, o->help);
	for (const struct option *o = threshold_table; o->name != NULL && !(one->flags & SCORE_ADAPTIVE); o++)
		printf("  -p %s=%s  %s\n", o->name, o->fallback, o->help);
}

/* The members named in `scores`. */
static int
choose_members(struct run *r, char *names)
{
	char *rest = NULL;

	r->any = strcmp(names, "auto") == 0;
	for (char *name = r->any ? NULL : strtok_r(names, ",", &rest); name != NULL;
	     name = strtok_r(NULL, ",", &rest)) {
		const struct score *s = score_find(name);

		if (s == NULL || s->flags & SCORE_ADAPTIVE || r->scores == SCORER_MAX) {
			fprintf(stderr, "driftd score: scores: %s %s\n", name,
			        s == NULL ? "is unknown" : r->scores == SCORER_MAX ? "is one too many"
			        : "has no p-value, so it cannot be a member");
			return EXIT_BAD_LINES;
		}
		r->score[r->scores++] = s;
	}
	return r->any || r->scores > 0 ? 0 : complain(EXIT_BAD_LINES, "scores: a name is missing");
}

static int
set_options(struct run *r, const struct score *one)
{
	static const char *const tabled[] = { "energy", "gen", "knn", "mds", "vim", "ecod" };
	const struct option *table[9] = { panel_table };
	struct panel_options panel = { NULL };
	void *target[9] = { &panel };
	size_t tables = 0;
	int status;

	/* defaults of every score: a member's parameters need not be named */
	for (size_t i = 0; score_table[i] != NULL; i++)
		option_defaults(score_table[i]->options, &r->options);
	r->options.seed = (int64_t)(r->filter.seed & INT64_MAX);
	if (r->panel)
		for (tables = 1; tables <= sizeof tabled / sizeof *tabled; tables++)
			table[tables] = score_find(tabled[tables - 1])->options;
	else
		table[tables++] = one->options;
	for (size_t i = r->panel ? 1 : 0; i < tables; i++)
		target[i] = &r->options;
	if (r->filter.reference != NULL) {
		table[tables] = threshold_table;
		target[tables++] = &r->threshold;
	}
	status = filter_options(&r->filter, table, target, tables);
	for (size_t i = 0; status == 0 && !r->panel && i < r->filter.params; i++)
		if (strcmp(r->filter.param[i].name, "seed") == 0)
			goto out;
	if (r->filter.seed != 1)
		r->options.seed = (int64_t)(r->filter.seed & INT64_MAX);
out:
	if (status == 0 && r->panel)
		status = choose_members(r, panel.scores);
	free(panel.scores);
	return status;
}

static struct score_wish
wish(const struct run *r)
{
	struct score_wish w = { .anything = r->any };

	for (uint32_t i = 0; i < r->scores; i++) {
		unsigned flags = r->score[i]->flags;

		w.all |= flags & SCORE_LOGITS ? (unsigned)INPUT_LOGITS : 0;
		w.all |= flags & SCORE_EMBEDDING ? (unsigned)INPUT_EMBEDDING : 0;
		w.all |= flags & SCORE_FEATURES ? (unsigned)INPUT_FEATURES : 0;
		w.shares = w.shares || flags & SCORE_SHARES;
		w.vector = w.vector || flags & SCORE_VECTOR;
	}
	return w;
}

/* Reads the reference: odd rows fit, even ones calibrate. Bad rows are told and skipped. */
static int
read_reference(struct run *r)
{
	const char *path = r->filter.reference;
	struct diag d = { "" };
	struct lines *lines = lines_open(path, &d);
	size_t length;
	char *text;

	if (lines == NULL)
		return complain(EXIT_NO_INPUT, d.text);
	while (lines_next(lines, &text, &length)) {
		struct row_set *to = r->reference_rows % 2 == 0 ? &r->fit : &r->calibration;

		switch (row_read(&r->reader, text, length, true, to, &d)) {
		case ROW_FINE:
			r->reference_rows++;
			break;
		case ROW_MISSING:
			r->missing++;
			break;
		case ROW_BAD:
			fprintf(stderr, "driftd score: %s:%" PRIu64 ": %s\n", path, lines_number(lines),
			        d.text);
			break;
		default:
			lines_close(lines);
			return complain(EXIT_BAD_LINES, d.text);
		}
	}
	if (lines_error(lines) != NULL)
		fprintf(stderr, "driftd score: %s: %s\n", path, lines_error(lines));
	lines_close(lines);
	if (r->missing > 0)
		fprintf(stderr, "driftd score: %s: %" PRIu64 " rows without %s are not used\n", path,
		        r->missing, r->reader.lacks);
	r->missing = 0;
	if (r->fit.rows.n == 0 || r->calibration.rows.n == 0) {
		fprintf(stderr, "driftd score: %s: %" PRIu32 " usable rows: at least one must fit and one "
		        "calibrate\n", path, r->reference_rows);
		return EXIT_BAD_LINES;
	}
	return 0;
}

/* What a person should know of the reference. */
static void
warn(struct run *r)
{
	const char *path = r->filter.reference;
	uint32_t n = r->calibration.rows.n, count[LIMIT_CLASSES] = { 0 }, small = 0;
	size_t copies = row_set_copies(&r->calibration, &r->fit);

	if (r->panel)
		n /= 2; /* the other half ranks the members */
	if (r->reference_rows < RECOMMENDED_ROWS)
		fprintf(stderr, "driftd score: %s: %" PRIu32 " rows, of which %" PRIu32 " rank the verdict: "
		        "no p is below %.3g; %d rows or more are better\n", path, r->reference_rows, n,
		        1.0 / ((double)n + 1.0), RECOMMENDED_ROWS);
	if (copies != SIZE_MAX && copies > r->calibration.rows.n / 100)
		fprintf(stderr, "driftd score: %s: %zu of the %" PRIu32 " rows that calibrate are copies of "
		        "rows that fit: other records will look more unlike than they are\n", path, copies,
		        r->calibration.rows.n);
	for (uint32_t i = 0; i < r->fit.rows.n; i++)
		if (r->fit.label[i] < LIMIT_CLASSES)
			count[r->fit.label[i]]++;
	for (uint32_t c = 0; c < LIMIT_CLASSES; c++)
		small += count[c] > 0 && count[c] < CLASS_ROWS_MIN;
	if (small > 0 && r->reader.inputs & INPUT_EMBEDDING)
		fprintf(stderr, "driftd score: %s: %" PRIu32 " classes have fewer than %d rows to fit\n", path,
		        small, CLASS_ROWS_MIN);
}

/* The two thresholds for alpha: what is expected, and what is safe. */
static void
tell_threshold(const struct run *r)
{
	const struct calibration *c = r->panel ? &r->members.least : &r->calibrated;
	double alpha = r->threshold.alpha, delta = r->threshold.delta;
	struct threshold nominal = threshold_nominal(c, alpha), safe = threshold_pac(c, alpha, delta);

	fprintf(stderr, "driftd score: %" PRIu32 " rows rank the verdict. Nominal threshold for %g %%: score > "
	        "%.17g; the true share is %.3g to %.3g %% (95 %%)\n", c->n, 100 * alpha, nominal.score,
	        100 * nominal.low, 100 * nominal.high);
	if (safe.possible)
		fprintf(stderr, "driftd score: at most %g %% but for a chance of %g %%: score > %.17g; the true "
		        "share is %.3g to %.3g %% (95 %%)\n", 100 * alpha, 100 * delta, safe.score,
		        100 * safe.low, 100 * safe.high);
	else
		fprintf(stderr, "driftd score: no threshold is safe for %g %% with so few rows: %.0f are needed\n",
		        100 * alpha, ceil(log(delta) / log1p(-alpha)));
}

static int
calibrate_one(struct run *r, struct diag *d)
{
	double *score = score_array(r->calibration.rows.n, 1);

	if (score == NULL)
		return score_no_memory(d);
	scorer_run(&r->scorer, &r->calibration.rows, &score);
	calibration_init(&r->calibrated, score, r->calibration.rows.n);
	return 0;
}

static int
fit(struct run *r, const struct score_rows *shape, struct diag *d)
{
	const struct score_rows *rows = r->filter.reference != NULL ? &r->fit.rows : NULL;
	int err;

	if (r->any)
		r->scores = panel_default(shape, r->score);
	if (r->panel)
		err = panel_init(&r->members, r->score, r->scores, &r->options, rows, &r->calibration.rows, d);
	else
		err = scorer_init(&r->scorer, r->score, 1, &r->options, rows, shape, d);
	if (err == 0 && !r->panel && rows != NULL)
		err = calibrate_one(r, d);
	r->ready = err == 0;
	return err;
}

/* A field of CSV: in quotes where it must be. */
static void
print_field(const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void
print_line(struct run *r, const struct pending *line)
{
	double score = (double)NAN, p = (double)NAN;

	if (line->row != UINT32_MAX && r->panel) {
		score = r->verdict[line->row].score;
		p = r->verdict[line->row].p;
	} else if (line->row != UINT32_MAX) {
		score = r->value[line->row];
		if (r->filter.reference != NULL)
			p = calibration_p(&r->calibrated, score);
	}
	if (line->id != NULL)
		print_field(line->id);
	putchar(',');
	print_number(score);
	putchar(',');
	print_number(p);
	putchar('\n');
}

static int
flush_batch(struct run *r, struct diag *d)
{
	double *value = r->value;
	int err = 0;

	if (!r->ready && r->batch.rows.n > 0)
		err = fit(r, &r->batch.rows, d);
	if (err == 0 && r->ready && r->panel)
		panel_run(&r->members, &r->batch.rows, r->verdict);
	else if (err == 0 && r->ready)
		scorer_run(&r->scorer, &r->batch.rows, &value);
	for (uint32_t i = 0; i < r->waiting; i++) {
		if (err == 0)
			print_line(r, &r->pending[i]);
		free(r->pending[i].id);
	}
	r->waiting = 0;
	row_set_clear(&r->batch);
	return err;
}

/* One line of the stream. 0 or an exit status that ends it. */
static int
take_line(struct run *r, const char *text, size_t length, const char *name, uint64_t number, struct diag *d)
{
	struct pending *line = &r->pending[r->waiting];
	uint32_t row = r->batch.rows.n;
	enum row_kind kind = row_read(&r->reader, text, length, false, &r->batch, d);

	if (kind == ROW_FAILED)
		return complain(EXIT_INTERNAL, d->text);
	*line = (struct pending){ NULL, kind == ROW_FINE ? row : UINT32_MAX };
	if (r->reader.id != NULL) {
		line->id = strndup(r->reader.id, r->reader.id_length);
		if (line->id == NULL)
			return complain(EXIT_INTERNAL, "out of memory");
	}
	r->waiting++;
	if (kind == ROW_MISSING) {
		r->missing++;
		r->lacks = r->reader.lacks;
	}
	if (kind == ROW_BAD) {
		r->bad++;
		fprintf(stderr, "driftd score: %s:%" PRIu64 ": %s\n", name, number, d->text);
	}
	if (r->waiting == SCORER_ROWS && flush_batch(r, d) != 0)
		return complain(EXIT_BAD_LINES, d->text);
	return kind == ROW_BAD && r->filter.strict ? EXIT_BAD_LINES : 0;
}

static int
take_file(struct run *r)
{
	const char *name = strcmp(r->filter.file, "-") == 0 ? "standard input" : r->filter.file;
	struct diag d = { "" };
	struct lines *lines = lines_open(r->filter.file, &d);
	int status = 0;
	size_t length;
	char *text;

	if (lines == NULL)
		return complain(EXIT_NO_INPUT, d.text);
	puts("id,score,p");
	r->reader.zeros = 0;
	while (status == 0 && lines_next(lines, &text, &length))
		status = take_line(r, text, length, name, lines_number(lines), &d);
	if (status != EXIT_INTERNAL && flush_batch(r, &d) != 0)
		status = complain(EXIT_BAD_LINES, d.text);
	if (status == 0 && lines_error(lines) != NULL) {
		fprintf(stderr, "driftd score: %s: %s\n", name, lines_error(lines));
		status = EXIT_DISK;
	}
	lines_close(lines);
	if (r->missing > 0)
		fprintf(stderr, "driftd score: %s: %" PRIu64 " lines without %s have no score\n", name,
		        r->missing, r->lacks);
	if (r->reader.zeros > 0)
		fprintf(stderr, "driftd score: %s: %" PRIu64 " embeddings are all zero, and have no "
		        "direction\n", name, r->reader.zeros);
	if (fflush(stdout) != 0 || ferror(stdout))
		return complain(EXIT_DISK, "cannot write to standard output");
	return status == 0 && r->bad > 0 ? EXIT_BAD_LINES : status;
}

static int
run_score(struct run *r)
{
	struct score_wish w = wish(r);
	struct diag d = { "" };
	int status;

	if (!row_reader_init(&r->reader, &w))
		return complain(EXIT_INTERNAL, "out of memory");
	if (r->filter.reference == NULL)
		return take_file(r);
	status = read_reference(r);
	if (status != 0)
		return status;
	warn(r);
	if (fit(r, &r->fit.rows, &d) != 0)
		return complain(EXIT_BAD_LINES, d.text);
	if (r->threshold.alpha > 0.0)
		tell_threshold(r);
	return take_file(r);
}

static int
check_arguments(const struct run *r, const struct score *one)
{
	if (r->filter.kind != NULL)
		return complain(EXIT_BAD_LINES, "--kind does not belong here");
	if (r->filter.reference == NULL && (r->panel || one->flags & SCORE_FITTED))
		return complain(EXIT_BAD_LINES, "--reference FILE is missing: records to compare with");
	if (r->filter.reference != NULL && !r->panel && one->flags & SCORE_ADAPTIVE)
		return complain(EXIT_BAD_LINES, "--reference does not belong here: this score learns from "
		                "the records themselves");
	return 0;
}

int
cmd_score(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof *r);
	const struct score *one;
	int status;

	if (r == NULL)
		return complain(EXIT_INTERNAL, "out of memory");
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			score_help(score_find(argv[1]));
			free(r);
			return EXIT_FINE;
		}
	status = filter_parse(&r->filter, argc, argv, FILTER_NAME, help_text);
	if (status != 0)
		goto out;
	r->panel = strcmp(r->filter.name, "panel") == 0;
	one = score_find(r->filter.name);
	if (one == NULL && !r->panel) {
		fprintf(stderr, "driftd score: unknown score %s; `driftd score --help` lists them\n",
		        r->filter.name);
		status = EXIT_BAD_LINES;
		goto out;
	}
	if (one != NULL)
		r->score[r->scores++] = one;
	status = check_arguments(r, one);
	if (status == 0)
		status = set_options(r, one);
	if (status == 0)
		status = run_score(r);
	for (uint32_t i = 0; i < r->waiting; i++)
		free(r->pending[i].id);
	panel_finish(&r->members);
	scorer_finish(&r->scorer);
	calibration_finish(&r->calibrated);
	row_set_finish(&r->fit);
	row_set_finish(&r->calibration);
	row_set_finish(&r->batch);
	row_reader_finish(&r->reader);
out:
	free(r);
	return status;
}
