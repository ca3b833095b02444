/* cmd_uncertainty.c -- `driftd uncertainty`: which kinds of uncertainty each record of JSON Lines tells. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/uncertainty/jackknife.h"
#include "monitor/command/commands.h"
#include "monitor/command/filter.h"
#include "monitor/decode/jsonl.h"

static const char help_text[] =
	"usage: driftd uncertainty [-p errors=jackknife] [--strict] [FILE|-]\n"
	"\n"
	"Reads records of JSON (FILE or standard input, one object a line) and prints one\n"
	"line of CSV for each: id and the figures that the record determines; the others\n"
	"are empty. The first of these fields decides:\n"
	"\n"
	"  members.probs, members.logits, members   [M][C]: M members of C classes\n"
	"  members.mu (with members.var), members   [M]: means of regression members\n"
	"  dirichlet                                [C]: concentrations\n"
	"  nig                                      {gamma, nu, alpha, beta}\n"
	"  nested, samples                          [S][R]: R outcomes of each of S draws\n"
	"  samples                                  [S]: outcomes\n"
	"  quantiles                                {\"level\": value}\n"
	"  probs, prediction.probs, logits          [C]\n"
	"  var, prediction.var, prediction.sd       a number\n"
	"\n"
	"Flat samples, quantiles, probabilities and variances tell the total alone.\n"
	"\n"
	"  -p errors=jackknife   a column NAME_error behind them for each figure: its Monte\n"
	"             Carlo standard error, as there are only so many members or samples\n"
	"  --strict   stop at the first bad line\n"
	"\n"
	"Exit status: 0, or 2 after a bad line or argument; messages on standard error.\n";

/* What one run works with. */
struct run {
	struct jsonl *json;
	struct jsonl_numbers a, b;
	double *work;
	size_t work_size;
	const char *field;                /* the one that decided */
	size_t rows, columns;             /* its shape */
	uint64_t notes[UNCERTAINTY_NOTES];
	uint64_t few;                     /* records with few members or samples; the fewest */
	size_t fewest;
	struct uncertainty_draws draws;   /* of the record; members 0: it is made of none */
	bool errors;
	double error[UNCERTAINTY_FIGURES];
	double *errors_work;
	size_t errors_size;
};

static int
no_memory(struct diag *d)
{
	return diag_set(d, ERR_IO, "no memory");
}

static int
judged(const struct run *r, enum uncertainty_fault fault, struct diag *d)
{
	return fault ? diag_set(d, ERR_INVALID, "%s: %s", r->field, uncertainty_fault_text(fault)) : 1;
}

static int
wrong(const struct run *r, const char *wanted, struct diag *d)
{
	return diag_set(d, ERR_INVALID, "%s is not %s", r->field, wanted);
}

/* [rows][columns], or a plain list as one row when `flat` is not NULL. 1 found, 0 absent or of the other
 * shape, or an error. */
static int
matrix(struct run *r, const char *field, bool *flat, struct diag *d)
{
	enum jsonl_result got = jsonl_matrix(r->json, field, &r->a, &r->rows, &r->columns);

	r->field = field;
	if (got == JSONL_WRONG && flat && jsonl_array(r->json, field, &r->a) == JSONL_FOUND) {
		*flat = true;
		r->columns = r->a.n;
		return 1;
	}
	return got == JSONL_WRONG ? wrong(r, "a list of rows of numbers, all of one length", d) : got;
}

static int
list(struct run *r, const char *field, struct jsonl_numbers *out, struct diag *d)
{
	enum jsonl_result got = jsonl_array(r->json, field, out);

	r->field = field;
	return got == JSONL_WRONG ? wrong(r, "a list of numbers", d) : got;
}

static int
reserve(double **memory, size_t *size, size_t need, struct diag *d)
{
	double *grown;

	if (need <= *size)
		return 0;
	grown = realloc(*memory, need * sizeof *grown);
	if (!grown)
		return no_memory(d);
	*memory = grown;
	*size = need;
	return 0;
}

static int
make_work(struct run *r, size_t rows, size_t columns, struct diag *d)
{
	return reserve(&r->work, &r->work_size, uncertainty_work(rows, columns), d);
}

/* What the figures are made of, where they are made of draws. */
static void
drawn(struct run *r, enum uncertainty_drawn kind, size_t members, size_t columns, const double *variance)
{
	r->draws = (struct uncertainty_draws){ kind, r->a.value, variance, members, columns };
}

/* -- forms: 1 read, 0 not there, or an error --------------------------------------------------- */

static int
classifier_members(struct run *r, struct uncertainty *out, struct diag *d)
{
	static const char *const fields[] = { "members.probs", "members.logits" };

	for (int logits = 0; logits < 2; logits++) {
		int got = matrix(r, fields[logits], NULL, d);

		if (got > 0 && (got = make_work(r, r->rows, r->columns, d)) == 0) {
			drawn(r, logits ? DRAWN_LOGITS : DRAWN_PROBS, r->rows, r->columns, NULL);
			return judged(r, uncertainty_members(r->a.value, r->rows, r->columns, logits, r->work,
			                                     out), d);
		}
		if (got < 0)
			return got;
	}
	return 0;
}

static int
regression_members(struct run *r, struct uncertainty *out, struct diag *d)
{
	int got = list(r, "members.mu", &r->a, d), with;

	if (got == 0 && jsonl_is_object(r->json, "members"))
		return diag_set(d, ERR_INVALID, "members has none of probs, logits and mu");
	if (got <= 0)
		return got;
	with = list(r, "members.var", &r->b, d);
	if (with < 0)
		return with;
	if (with && r->a.n != r->b.n)
		return diag_set(d, ERR_INVALID, "members has %zu mu but %zu var", r->a.n, r->b.n);
	r->field = with ? "members" : "members.mu";
	drawn(r, DRAWN_NORMALS, r->a.n, 1, with ? r->b.value : NULL);
	return judged(r, uncertainty_normals(r->a.value, with ? r->b.value : NULL, r->a.n, out), d);
}

/* `members` without a name for what is in it: rows are probabilities, numbers are means. */
static int
bare_members(struct run *r, struct uncertainty *out, struct diag *d)
{
	bool flat = false;
	int got = matrix(r, "members", &flat, d);

	if (got <= 0)
		return got;
	drawn(r, flat ? DRAWN_NORMALS : DRAWN_PROBS, flat ? r->a.n : r->rows, flat ? 1 : r->columns, NULL);
	if (flat)
		return judged(r, uncertainty_normals(r->a.value, NULL, r->a.n, out), d);
	got = make_work(r, r->rows, r->columns, d);
	return got ? got : judged(r, uncertainty_members(r->a.value, r->rows, r->columns, 0, r->work, out), d);
}

static int
dirichlet(struct run *r, struct uncertainty *out, struct diag *d)
{
	int got = list(r, "dirichlet", &r->a, d);

	return got > 0 ? judged(r, uncertainty_dirichlet(r->a.value, r->a.n, out), d) : got;
}

static int
normal_inverse_gamma(struct run *r, struct uncertainty *out, struct diag *d)
{
	static const char *const fields[3] = { "nig.nu", "nig.alpha", "nig.beta" };
	double x[3];

	if (!jsonl_is_object(r->json, "nig"))
		return 0;
	for (int i = 0; i < 3; i++)
		if (jsonl_number(r->json, fields[i], &x[i]) != JSONL_FOUND)
			return diag_set(d, ERR_INVALID, "%s is missing or not a number", fields[i]);
	r->field = "nig";
	return judged(r, uncertainty_nig(x[0], x[1], x[2], out), d);
}

static int
draws(struct run *r, struct uncertainty *out, struct diag *d)
{
	bool flat = false;
	int got = matrix(r, "nested", NULL, d);

	if (got == 0)
		got = matrix(r, "samples", &flat, d);
	if (got <= 0)
		return got;
	drawn(r, flat ? DRAWN_SAMPLES : DRAWN_NESTED, flat ? r->a.n : r->rows, flat ? 1 : r->columns, NULL);
	return judged(r, flat ? uncertainty_samples(r->a.value, r->a.n, out)
	                      : uncertainty_nested(r->a.value, r->rows, r->columns, out), d);
}

static int
quantiles(struct run *r, struct uncertainty *out, struct diag *d)
{
	enum jsonl_result got = jsonl_levels(r->json, "quantiles", &r->b, &r->a);

	r->field = "quantiles";
	if (got == JSONL_WRONG)
		return wrong(r, "an object of \"level\": number", d);
	return got ? judged(r, uncertainty_quantiles(r->b.value, r->a.value, r->a.n, out), d) : 0;
}

static int
single_row(struct run *r, struct uncertainty *out, struct diag *d)
{
	static const char *const fields[] = { "probs", "prediction.probs", "logits" };

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		int got;

		/* {"good": .8, "bad": .2} as well: what the classes are called does not matter here. */
		if (jsonl_values(r->json, fields[i], &r->a) == JSONL_FOUND) {
			r->field = fields[i];
			got = 1;
		} else {
			got = list(r, fields[i], &r->a, d);
		}
		if (got > 0 && (got = make_work(r, 1, r->a.n, d)) == 0)
			return judged(r, uncertainty_single(r->a.value, r->a.n, i == 2, r->work, out), d);
		if (got < 0)
			return got;
	}
	return 0;
}

static int
variance(struct run *r, struct uncertainty *out, struct diag *d)
{
	static const char *const fields[] = { "var", "prediction.var", "prediction.sd" };

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		double x;
		enum jsonl_result got = jsonl_number(r->json, fields[i], &x);

		r->field = fields[i];
		if (got == JSONL_WRONG)
			return wrong(r, "a number", d);
		if (got == JSONL_FOUND && i == 2 && x < 0.0)
			return diag_set(d, ERR_INVALID, "prediction.sd is below 0");
		if (got == JSONL_FOUND)
			return judged(r, uncertainty_variance(i == 2 ? x * x : x, out), d);
	}
	return 0;
}

/* -- lines ------------------------------------------------------------------------------------- */

/* The id as a field of CSV: a text, or the digits of a whole number. */
static void
print_id(const struct jsonl *j)
{
	const char *text;
	size_t length;
	int64_t number;

	if (jsonl_integer(j, "id", &number) == JSONL_FOUND)
		printf("%lld", (long long)number);
	if (jsonl_string(j, "id", &text, &length) != JSONL_FOUND)
		return;
	bool quoted = false;
	for (size_t i = 0; i < length; i++)
		quoted |= text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
	if (quoted)
		putchar('"');
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			putchar('"');
		putchar(text[i]);
	}
	if (quoted)
		putchar('"');
}

/* A bad line prints its id alone, so that there is a line of output for each of input. */
static void
print_line(const struct run *r, const struct uncertainty *u)
{
	print_id(r->json);
	for (int i = 0; i < UNCERTAINTY_FIGURES; i++) {
		putchar(',');
		if (u)
			print_number(u->value[i]);
	}
	for (int i = 0; r->errors && i < UNCERTAINTY_FIGURES; i++) {
		putchar(',');
		if (u)
			print_number(r->error[i]);
	}
	putchar('\n');
}

/* The Monte Carlo error of a record that is made of draws. */
static int
draw_errors(struct run *r, struct diag *d)
{
	int err = 0;

	for (int i = 0; i < UNCERTAINTY_FIGURES; i++)
		r->error[i] = (double)NAN;
	if (r->draws.members < 1)
		return 0;
	if (r->draws.members > 1 && r->draws.members < UNCERTAINTY_MEMBERS_ENOUGH) {
		r->fewest = !r->few || r->draws.members < r->fewest ? r->draws.members : r->fewest;
		r->few++;
	}
	if (r->errors)
		err = reserve(&r->errors_work, &r->errors_size, uncertainty_jackknife_work(&r->draws), d);
	if (r->errors && !err)
		uncertainty_jackknife(&r->draws, r->errors_work, r->error);
	return err;
}

static int
take_line(void *self, const char *text, size_t length, uint64_t number, struct diag *d)
{
	typedef int form(struct run *r, struct uncertainty *out, struct diag *d);
	static form *const forms[] = { classifier_members, regression_members, bare_members, dirichlet,
		                       normal_inverse_gamma, draws, quantiles, single_row, variance };
	struct run *r = self;
	struct uncertainty u;
	int got = jsonl_parse(r->json, text, length, d);

	(void)number;
	r->draws.members = 0;
	for (size_t i = 0; got == 0 && i < sizeof forms / sizeof forms[0]; i++)
		got = forms[i](r, &u, d);
	if (got > 0 && draw_errors(r, d))
		return ERR_IO;
	print_line(r, got > 0 ? &u : NULL);
	for (int n = 0; got > 0 && n < UNCERTAINTY_NOTES; n++)
		r->notes[n] += u.notes >> n & 1;
	return got;
}

static void
print_notes(const struct run *r)
{
	for (int n = 0; n < UNCERTAINTY_NOTES; n++)
		if (r->notes[n])
			fprintf(stderr, "driftd uncertainty: %llu %s: %s\n", (unsigned long long)r->notes[n],
			        r->notes[n] == 1 ? "record" : "records", uncertainty_note_text((enum uncertainty_note)n));
	if (r->few)
		fprintf(stderr, "driftd uncertainty: %llu %s: too few members or samples (%zu): the spread of one "
		        "record is off by about %.0f %% of itself (-p errors=jackknife tells each)\n",
		        (unsigned long long)r->few, r->few == 1 ? "record" : "records", r->fewest,
		        100 * uncertainty_relative_error(r->fewest));
}

int
cmd_uncertainty(int argc, char **argv)
{
	struct run r = { .json = NULL };
	char header[1024] = "id";
	size_t used = strlen(header);
	const char *value;
	struct filter f;
	int status = filter_parse(&f, argc, argv, false, help_text);

	if (status != 0)
		return status < 0 ? EXIT_FINE : status;
	value = filter_param(&f, "errors");
	r.errors = value && !strcmp(value, "jackknife");
	if (f.reference || f.kind || f.params > (r.errors ? 1 : 0)) {
		fputs("driftd uncertainty: it takes -p errors=jackknife, but no --reference or --kind\n", stderr);
		return EXIT_BAD_LINES;
	}
	r.json = jsonl_create();
	if (!r.json) {
		fputs("driftd uncertainty: no memory\n", stderr);
		return EXIT_INTERNAL;
	}
	for (int i = 0; i < UNCERTAINTY_FIGURES; i++)
		used += (size_t)snprintf(header + used, sizeof header - used, ",%s", uncertainty_names[i]);
	for (int i = 0; r.errors && i < UNCERTAINTY_FIGURES; i++)
		used += (size_t)snprintf(header + used, sizeof header - used, ",%s_error", uncertainty_names[i]);
	status = filter_each_line(&f, header, take_line, &r);
	print_notes(&r);
	jsonl_numbers_finish(&r.a);
	jsonl_numbers_finish(&r.b);
	jsonl_destroy(r.json);
	free(r.work);
	free(r.errors_work);
	return filter_finish(&f, status);
}
