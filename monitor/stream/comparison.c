/* comparison.c -- see comparison.h. */
#include "monitor/stream/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/special.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

enum { STATE_VERSION = 1, OPTIONS_BYTES = 64 };

static const struct figure {
	const char *name;
	bool relative; /* to the sum of both; else the difference of two shares */
} figures[COMPARED_FIGURES] = {
	[COMPARED_DISAGREEMENT] = { "disagreement", false },
	[COMPARED_VALUE] = { "value", true },
	[COMPARED_WIDTH] = { "width", true },
	[COMPARED_SCORE] = { "score", false },
	[COMPARED_ERROR] = { "error", false },
	[COMPARED_MISS] = { "miss", false },
	[COMPARED_LOSS] = { "loss", true },
	[COMPARED_PROBE_FLIP] = { "probe_flip", false },
	[COMPARED_PROBE_ERROR] = { "probe_error", false },
};

/* One row of table version_comparisons. */
struct comparison {
	uint64_t n, higher, lower;  /* pairs; in which b is larger, in which a is */
	double mean_a, mean_b, mean_x;
	double low, high;           /* of the mean of x */
	int64_t updated_ms;
	void *interval;             /* cs-mean of (x + 1) / 2 */
	bool dirty;
};

/* Versions a and b by their number in the model, a the earlier one. */
struct couple {
	uint16_t a, b;
	double held[COMPARED_FIGURES];   /* the last value without a neighbour ... */
	bool held_of_b[COMPARED_FIGURES]; /* ... and whose it is */
	struct comparison *of[COMPARED_FIGURES][2]; /* [1]: paired; NULL: none yet */
};

struct comparisons {
	struct couple *couple[LIMIT_COMPARISONS];
	uint32_t n;
	uint32_t rows;
	bool dirty;
};

static const struct detector *
interval_method(void)
{
	const struct detector *method = detector_find("cs-mean");

	must(method != NULL && method->options_size <= OPTIONS_BYTES);
	return method;
}

static struct comparison *
comparison_create(struct comparisons *all)
{
	const struct detector *method = interval_method();
	struct comparison *c = must_calloc(1, sizeof *c);
	_Alignas(16) char options[OPTIONS_BYTES];
	struct diag d;

	option_defaults(method->options, options);
	must(method->create(&c->interval, options, NULL, 1, 0, 0, &d) == 0);
	c->low = -1;
	c->high = 1;
	all->rows++;
	return c;
}

static void
couple_free(struct comparisons *all, struct couple *p)
{
	for (int f = 0; f < COMPARED_FIGURES; f++)
		for (int paired = 0; paired < 2; paired++)
			if (p->of[f][paired]) {
				interval_method()->destroy(p->of[f][paired]->interval);
				free(p->of[f][paired]);
				all->rows--;
			}
	free(p);
}

void
comparison_destroy(struct comparisons *c)
{
	for (uint32_t i = 0; c && i < c->n; i++)
		couple_free(c, c->couple[i]);
	free(c);
}

size_t
comparison_bytes(const struct comparisons *c)
{
	return c ? sizeof *c + c->n * sizeof(struct couple) +
	           c->rows * (sizeof(struct comparison) + interval_method()->bytes(NULL, NULL, 1)) : 0;
}

/* -- which versions ---------------------------------------------------------------------------------- */

/* The oldest couple makes room: its rows in the database stay as they are. */
static void
add_couple(struct model *m, uint16_t a, uint16_t b)
{
	struct comparisons *c = m->comparisons;
	struct couple *p;

	if (!c)
		c = m->comparisons = must_calloc(1, sizeof *c);
	if (c->n == LIMIT_COMPARISONS) {
		couple_free(c, c->couple[0]);
		memmove(c->couple, c->couple + 1, --c->n * sizeof *c->couple);
	}
	p = c->couple[c->n++] = must_calloc(1, sizeof *p);
	p->a = a;
	p->b = b;
	for (int f = 0; f < COMPARED_FIGURES; f++)
		p->held[f] = (double)NAN;
	c->dirty = m->dirty = true;
}

void
comparison_version(struct model *m, const struct version *v)
{
	uint32_t before = 0;

	for (uint32_t i = v->number; i-- > 0 && before < COMPARED_BEFORE;)
		if (!m->version[i]->segment) {
			add_couple(m, (uint16_t)i, v->number);
			before++;
		}
}

/* -- pairs of figures -------------------------------------------------------------------------------- */

static double
difference(enum compared_figure f, double a, double b)
{
	double sum = fabs(a) + fabs(b);

	if (!figures[f].relative)
		return fmin(fmax(b - a, -1), 1);
	return sum > 0 ? (b - a) / sum : 0;
}

static void
add(struct model *m, struct couple *p, enum compared_figure f, bool paired, double a, double b)
{
	struct comparison *c = p->of[f][paired];
	struct reading r;
	double x, unit;
	struct column column = { .n = 1, .width = 1, .value = &unit };

	if (!c)
		c = p->of[f][paired] = comparison_create(m->comparisons);
	a = plain_cut(a);
	b = plain_cut(b);
	x = difference(f, a, b);
	unit = (x + 1) / 2;
	interval_method()->update(c->interval, &column, 0, 1, &r);
	c->n++;
	c->higher += x > 0;
	c->lower += x < 0;
	c->mean_a += (a - c->mean_a) / (double)c->n;
	c->mean_b += (b - c->mean_b) / (double)c->n;
	c->mean_x += (x - c->mean_x) / (double)c->n;
	c->low = 2 * r.statistic - 1;
	c->high = 2 * r.upper - 1;
	c->updated_ms = m->common->watermark_ms;
	c->dirty = m->comparisons->dirty = m->dirty = true;
}

void
comparison_value(struct model *m, const struct version *v, enum compared_figure f, double value)
{
	struct comparisons *c = m->comparisons;

	for (uint32_t i = 0; c && !isnan(value) && i < c->n; i++) {
		struct couple *p = c->couple[i];
		bool of_b = p->b == v->number;
		double held = p->held[f];

		if (!of_b && p->a != v->number)
			continue;
		if (isnan(held) || p->held_of_b[f] == of_b) {
			p->held[f] = value;
			p->held_of_b[f] = of_b;
			c->dirty = m->dirty = true;
			continue;
		}
		p->held[f] = (double)NAN;
		add(m, p, f, false, of_b ? held : value, of_b ? value : held);
	}
}

void
comparison_pair(struct model *m, const struct version *v, double of_v, const struct version *w,
                double of_w, enum compared_figure f)
{
	struct comparisons *c = m->comparisons;

	for (uint32_t i = 0; c && !isnan(of_v) && !isnan(of_w) && i < c->n; i++) {
		struct couple *p = c->couple[i];

		if (p->a == v->number && p->b == w->number)
			add(m, p, f, true, of_v, of_w);
		else if (p->a == w->number && p->b == v->number)
			add(m, p, f, true, of_w, of_v);
	}
}

/* -- state -------------------------------------------------------------------------------------------- */

/* ln E of comparison.h; B(h+1, l+1) = h! l! / (h+l+1)!. */
static double
log_evidence(const struct comparison *c)
{
	double h = (double)c->higher, l = (double)c->lower;

	return (h + l) * log(2) + special_ln_gamma(h + 1) + special_ln_gamma(l + 1) - special_ln_gamma(h + l + 2);
}

static int
put_row(struct model *m, struct store *store, const struct couple *p, enum compared_figure f, bool paired)
{
	const struct comparison *c = p->of[f][paired];
	const struct version *a = m->version[p->a], *b = m->version[p->b];
	struct comparison_row row = {
		.model_id = m->id, .figure = figures[f].name, .paired = paired,
		.version = b->text, .version_length = b->length, .other = a->text, .other_length = a->length,
		.relative = figures[f].relative, .n = c->n, .higher = c->higher, .lower = c->lower,
		.mean = c->mean_b, .other_mean = c->mean_a, .difference = c->mean_x, .low = c->low, .high = c->high,
		.evidence = exp(fmin(log_evidence(c), 690)), .updated_ms = c->updated_ms,
	};

	if (f == COMPARED_DISAGREEMENT) /* of the two together: neither is higher */
		row.mean = row.other_mean = row.evidence = (double)NAN;
	return store_put_comparison(store, &row);
}

static void
save(const struct comparisons *all, struct codec *out)
{
	codec_put_u16(out, STATE_VERSION);
	codec_put_u32(out, all->n);
	for (uint32_t i = 0; i < all->n; i++) {
		const struct couple *p = all->couple[i];

		codec_put_u16(out, p->a);
		codec_put_u16(out, p->b);
		codec_put_f64s(out, p->held, COMPARED_FIGURES);
		for (int f = 0; f < COMPARED_FIGURES; f++) {
			codec_put_u8(out, (uint8_t)(p->held_of_b[f] | (p->of[f][0] != NULL) << 1 |
			                            (p->of[f][1] != NULL) << 2));
			for (int k = 0; k < 2; k++) {
				const struct comparison *c = p->of[f][k];

				if (!c)
					continue;
				codec_put_u64(out, c->n);
				codec_put_u64(out, c->higher);
				codec_put_u64(out, c->lower);
				codec_put_f64(out, c->mean_a);
				codec_put_f64(out, c->mean_b);
				codec_put_f64(out, c->mean_x);
				codec_put_f64(out, c->low);
				codec_put_f64(out, c->high);
				codec_put_i64(out, c->updated_ms);
				interval_method()->save(c->interval, out);
			}
		}
	}
}

int
comparison_put(struct model *m, struct store *store)
{
	struct comparisons *all = m->comparisons;
	struct codec out = { .measure = true, .size = SIZE_MAX };
	int err = 0;

	if (!all || !all->dirty)
		return 0;
	for (uint32_t i = 0; i < all->n; i++)
		for (enum compared_figure f = 0; f < COMPARED_FIGURES; f++)
			for (int k = 0; k < 2 && !err; k++)
				if (all->couple[i]->of[f][k] && all->couple[i]->of[f][k]->dirty)
					err = put_row(m, store, all->couple[i], f, k);
	if (err)
		return err;
	save(all, &out);
	out = (struct codec){ .data = common_bytes(m->common, out.at), .size = out.at };
	save(all, &out);
	return store_put_state(store, "comparisons", m->id, out.data, out.at);
}

void
comparison_saved(struct model *m)
{
	struct comparisons *all = m->comparisons;

	if (!all || !all->dirty)
		return;
	for (uint32_t i = 0; i < all->n; i++)
		for (int f = 0; f < COMPARED_FIGURES; f++)
			for (int k = 0; k < 2; k++)
				if (all->couple[i]->of[f][k])
					all->couple[i]->of[f][k]->dirty = false;
	all->dirty = false;
}

static int
load_one(struct comparison *c, struct codec *in, struct diag *d)
{
	c->n = codec_get_u64(in);
	c->higher = codec_get_u64(in);
	c->lower = codec_get_u64(in);
	c->mean_a = codec_get_f64(in);
	c->mean_b = codec_get_f64(in);
	c->mean_x = codec_get_f64(in);
	c->low = codec_get_f64(in);
	c->high = codec_get_f64(in);
	c->updated_ms = codec_get_i64(in);
	return in->bad ? ERR_CORRUPT : interval_method()->load(c->interval, in, d);
}

static int
load(struct model *m, struct codec *in, struct diag *d)
{
	uint32_t n;
	int err = codec_get_u16(in) == STATE_VERSION ? 0 : ERR_CORRUPT;

	comparison_destroy(m->comparisons);
	m->comparisons = NULL;
	n = codec_get_u32(in);
	if (n > LIMIT_COMPARISONS)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < n && !err; i++) {
		uint16_t a = codec_get_u16(in), b = codec_get_u16(in);
		struct couple *p;

		if (in->bad || a >= b || b >= m->versions)
			return ERR_CORRUPT;
		add_couple(m, a, b);
		p = m->comparisons->couple[i];
		codec_get_f64s(in, p->held, COMPARED_FIGURES);
		for (int f = 0; f < COMPARED_FIGURES && !err; f++) {
			uint8_t bits = codec_get_u8(in);

			p->held_of_b[f] = bits & 1;
			for (int k = 0; k < 2 && !err; k++)
				if (bits >> (k + 1) & 1) {
					p->of[f][k] = comparison_create(m->comparisons);
					err = load_one(p->of[f][k], in, d);
				}
		}
	}
	if (m->comparisons)
		m->comparisons->dirty = false;
	return err || in->bad ? ERR_CORRUPT : 0;
}

int
comparison_load(struct model *m, struct store *store, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	int err = store_get_state(store, "comparisons", m->id, &blob, &length, d);

	if (err || !blob)
		return err;
	struct codec in = { .data = blob, .size = length };
	err = load(m, &in, d);
	free(blob);
	return err ? diag_set(d, ERR_CORRUPT, "model %s: the comparison of its versions is damaged", m->name) : 0;
}
