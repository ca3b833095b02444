/* cmd_distance.c -- `driftd distance`: how far a sample is from a reference (contract 12). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/distance/distance.h"
#include "detectors/kit/edges.h"
#include "monitor/command/commands.h"
#include "monitor/command/filter.h"

enum { BINS_MAX = 4096 };

static const char help[] =
	"usage: driftd distance --reference FILE [--kind numeric|categorical] [-p bins=10]"
	" [--strict] [FILE|-]\n"
	"\n"
	"Compares a sample (FILE or standard input, one value a line) with a reference and prints\n"
	"`metric,value,p_value`. Empty lines, nan and inf are missing and left out.\n"
	"\n"
	"  --kind numeric      numbers, counted in equal-mass bins of the reference (default)\n"
	"  --kind categorical  texts, counted as they are\n"
	"  -p bins=10          number of bins, 2 to 4096\n"
	"  --strict            stop at the first bad line of the sample\n"
	"\n"
	"Both kinds: psi, psi_corrected (less what chance alone gives), js (bits), js_nats,\n"
	"hellinger, tv, kl, chi2, g. Numeric only: ks, wasserstein, energy, cvm, ad,\n"
	"sigma_shift (the shift of a normal mean, in standard deviations, that has this\n"
	"psi_corrected). A p-value holds for one look only.\n"
	"\n"
	"Exit status: 0, or 2 after a bad line or argument; messages on standard error.\n";

struct distance_options {
	uint32_t bins;
};

static const struct option options[] = {
	OPT_U32(struct distance_options, bins, "bins", "10", 2, BINS_MAX,
	        "Number of equal-mass bins of the reference."),
	OPT_END,
};

/* The values of one file: numbers, or texts one behind the other. */
struct sample {
	double *number;
	char *bytes;
	size_t *start;          /* [n + 1] of each text in bytes */
	size_t n, capacity;     /* values */
	size_t used, allocated; /* bytes */
};

static void
sample_finish(struct sample *s)
{
	free(s->number);
	free(s->bytes);
	free(s->start);
}

static bool
grow(void **memory, size_t *capacity, size_t need, size_t size, size_t extra)
{
	size_t more = *capacity < 1024 ? 1024 : *capacity;
	void *grown;

	if (need <= *capacity)
		return true;
	while (more < need && more <= SIZE_MAX / 4 / size)
		more *= 2;
	grown = more < need ? NULL : realloc(*memory, (more + extra) * size);
	if (grown == NULL)
		return false;
	*memory = grown;
	*capacity = more;
	return true;
}

static bool
add_number(struct sample *s, double value)
{
	void *memory = s->number;

	if (s->n >= UINT32_MAX || !grow(&memory, &s->capacity, s->n + 1, sizeof *s->number, 0))
		return false;
	s->number = memory;
	s->number[s->n++] = value;
	return true;
}

static bool
add_text(struct sample *s, const char *text, size_t length)
{
	void *bytes = s->bytes, *start = s->start;

	if (s->n >= UINT32_MAX || !grow(&bytes, &s->allocated, s->used + length, 1, 0))
		return false;
	s->bytes = bytes;
	if (!grow(&start, &s->capacity, s->n + 1, sizeof *s->start, 1))
		return false;
	s->start = start;
	memcpy(s->bytes + s->used, text, length);
	s->start[s->n++] = s->used;
	s->used += length;
	s->start[s->n] = s->used;
	return true;
}

/* Reads all values of a file. Bad lines are reported; `bad` counts them, `strict` stops at the
 * first. Exit status: 0, or that of an error (message printed). */
static int
sample_read(struct sample *s, const char *path, bool categorical, bool strict, uint64_t *bad)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct diag d = { "" };
	struct lines *lines = lines_open(path, &d);
	char *text;
	size_t length;
	int status = EXIT_FINE;

	if (lines == NULL) {
		fprintf(stderr, "driftd distance: %s\n", d.text);
		return EXIT_NO_INPUT;
	}
	while (lines_next(lines, &text, &length)) {
		double value = 0.0;
		int got = categorical ? length > 0 : line_number(text, length, &value);

		if (got < 0) {
			fprintf(stderr, "driftd distance: %s:%llu: not a number\n", name,
			        (unsigned long long)lines_number(lines));
			++*bad;
			if (strict)
				goto out;
		} else if (got > 0
		           && !(categorical ? add_text(s, text, length) : add_number(s, value))) {
			fprintf(stderr, "driftd distance: no memory for %s\n", name);
			status = EXIT_INTERNAL;
			goto out;
		}
	}
	if (lines_error(lines) != NULL) {
		fprintf(stderr, "driftd distance: %s: %s\n", name, lines_error(lines));
		status = EXIT_DISK;
	}
out:
	lines_close(lines);
	return status;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct counts {
	uint64_t *ref, *cur;
	uint32_t cells;
};

static bool
counts_init(struct counts *c, size_t cells)
{
	c->cells = (uint32_t)cells;
	c->ref = calloc(cells, sizeof *c->ref);
	c->cur = calloc(cells, sizeof *c->cur);
	return c->ref != NULL && c->cur != NULL;
}

static void
count_bins(uint64_t *count, const struct sample *s, const double *edge, uint32_t edges)
{
	for (size_t i = 0; i < s->n; i++)
		count[edges_bin(edge, edges, s->number[i])]++;
}

static bool
numeric_metrics(const struct sample *ref, const struct sample *cur, uint32_t bins,
                struct distance *out)
{
	double edge[EDGES_MAX(BINS_MAX)], table_edge[EDGES_MAX(BINS_MAX)];
	double scratch[DISTANCE_KS_SCRATCH];
	uint32_t n = (uint32_t)ref->n, m = (uint32_t)cur->n, edges, cells = 0;
	struct counts c = { NULL, NULL, 0 };
	struct distance_table table;
	bool fine = false;

	if (n > 1)
		qsort(ref->number, n, sizeof *ref->number, ascending);
	if (m > 1)
		qsort(cur->number, m, sizeof *cur->number, ascending);
	edges = n > 0 ? edges_fill(edge, bins, ref->number, n) : 0;
	if (!counts_init(&c, (size_t)edges + 1))
		goto out;
	count_bins(c.ref, ref, edge, edges);
	count_bins(c.cur, cur, edge, edges);
	distance_cells(c.ref, c.cur, c.cells, out);
	out[DISTANCE_KS] = distance_ks(ref->number, n, cur->number, m, scratch);
	out[DISTANCE_WASSERSTEIN].value = distance_wasserstein(ref->number, n, cur->number, m);
	out[DISTANCE_ENERGY].value = distance_energy(ref->number, n, cur->number, m);
	out[DISTANCE_CVM] = distance_cvm(ref->number, n, cur->number, m);
	out[DISTANCE_AD].value = distance_ad(ref->number, n, cur->number, m);
	for (uint32_t i = 0; i < c.cells; i++)
		cells += c.ref[i] > 0 || c.cur[i] > 0;
	distance_table_init(&table, cells > 0 ? cells : 1, table_edge);
	out[DISTANCE_SIGMA_SHIFT].value = distance_shift(&table, out[DISTANCE_PSI_CORRECTED].value);
	fine = true;
out:
	free(c.ref);
	free(c.cur);
	return fine;
}

/* One text of a sample, to be sorted and searched. */
struct text {
	const char *bytes;
	size_t length;
};

static int
by_bytes(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);

	return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/* One cell for each category of the reference, one more for all others. */
static bool
categorical_metrics(const struct sample *ref, const struct sample *cur, struct distance *out)
{
	struct text *category = calloc(ref->n > 0 ? ref->n : 1, sizeof *category);
	struct counts c = { NULL, NULL, 0 };
	size_t distinct = 0;
	bool fine = false;

	if (category == NULL || !counts_init(&c, ref->n + 1))
		goto out;
	for (size_t i = 0; i < ref->n; i++)
		category[i] = (struct text){ ref->bytes + ref->start[i],
			                     ref->start[i + 1] - ref->start[i] };
	qsort(category, ref->n, sizeof *category, by_bytes);
	for (size_t i = 0; i < ref->n; i++) {
		if (i == 0 || by_bytes(&category[distinct - 1], &category[i]) != 0)
			category[distinct++] = category[i];
		c.ref[distinct - 1]++;
	}
	for (size_t i = 0; i < cur->n; i++) {
		struct text t = { cur->bytes + cur->start[i], cur->start[i + 1] - cur->start[i] };
		const struct text *found = bsearch(&t, category, distinct, sizeof t, by_bytes);

		c.cur[found != NULL ? (size_t)(found - category) : distinct]++;
	}
	distance_cells(c.ref, c.cur, (uint32_t)distinct + 1, out);
	fine = true;
out:
	free(category);
	free(c.ref);
	free(c.cur);
	return fine;
}

static void
print(const struct distance *out, int count)
{
	puts("metric,value,p_value");
	for (int i = 0; i < count; i++) {
		printf("%s,", distance_name((enum distance_metric)i));
		/* An integral over numbers near the largest double may overflow: undefined. */
		print_number(isfinite(out[i].value) ? out[i].value : (double)NAN);
		putchar(',');
		print_number(out[i].p_value);
		putchar('\n');
	}
}

int
cmd_distance(int argc, char **argv)
{
	const struct option *const tables[] = { options };
	struct distance_options o = { 0 };
	void *const targets[] = { &o };
	struct sample ref = { 0 }, cur = { 0 };
	struct distance out[DISTANCE_METRICS];
	struct filter f;
	uint64_t bad = 0, ignored = 0;
	bool categorical = false, fine;
	int status = filter_parse(&f, argc, argv, false, help);

	if (status != 0)
		return status < 0 ? EXIT_FINE : status;
	if (f.kind != NULL)
		categorical = strcmp(f.kind, "categorical") == 0;
	if (f.kind != NULL && !categorical && strcmp(f.kind, "numeric") != 0) {
		fprintf(stderr, "driftd distance: --kind is numeric or categorical, not %s\n",
		        f.kind);
		return EXIT_BAD_LINES;
	}
	if (f.reference == NULL) {
		fputs("driftd distance: --reference FILE is missing\n", stderr);
		return EXIT_BAD_LINES;
	}
	status = filter_options(&f, tables, targets, 1);
	if (status == 0)
		status = sample_read(&ref, f.reference, categorical, false, &ignored);
	if (status == 0)
		status = sample_read(&cur, f.file, categorical, f.strict, &bad);
	if (status != 0)
		goto out;
	for (int i = 0; i < DISTANCE_METRICS; i++)
		out[i] = (struct distance){ (double)NAN, (double)NAN };
	fine = categorical ? categorical_metrics(&ref, &cur, out)
	                   : numeric_metrics(&ref, &cur, o.bins, out);
	if (!fine) {
		fputs("driftd distance: out of memory\n", stderr);
		status = EXIT_INTERNAL;
		goto out;
	}
	print(out, categorical ? DISTANCE_CELL_METRICS : DISTANCE_METRICS);
	status = bad > 0 ? EXIT_BAD_LINES : EXIT_FINE;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("driftd distance: cannot write to standard output\n", stderr);
		status = EXIT_DISK;
	}
out:
	sample_finish(&ref);
	sample_finish(&cur);
	return status;
}
