/* residuals.c -- see residuals.h. Sums are kept in two blocks: the one that fills, and the one before it. */
#include "detectors/uncertainty/residuals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/codec.h"
#include "detectors/kit/special.h"

enum { BLOCKS = 2, STATE_VERSION = 1 };
#define HUGE_ERROR 1e100 /* squares of it still add up */
#define LEARNT 10.0 /* no single error makes the scale */

struct cell {
	double n, e, e2, q, q2;     /* errors, their squares; squares less 1, and their squares */
};

/* Sums over a block of labels. */
struct block {
	double n;
	double w, wx, wxx, g, gx, gg; /* recalibration: x standardised, weights, error, its square */
	double lag_n, lag, lag2;    /* products of errors, their squares */
	double square_n, square, square2;
};

struct moment {
	double n, mean, variance;   /* of the last so many values, older ones fading */
};

struct past {
	int64_t ts;
	double e, q;
};

struct residuals {
	uint32_t columns_max, columns; /* room; columns seen */
	uint32_t in_block;
	uint32_t seen;              /* labels, up to RESIDUALS_WARMUP */
	struct moment mean, square; /* of errors lately; of their squares about it */
	struct moment prediction;
	double centre, scale;       /* of predictions, from the first RESIDUALS_WARMUP */
	int64_t horizon_ms;         /* shortest delay */
	struct past past[RESIDUALS_LAGS]; /* a ring in order of time */
	uint32_t pasts, past_at;    /* past_at: the next one */
	struct block block[BLOCKS]; /* [0] fills */
	struct cell cell[];         /* [BLOCKS][columns_max][RESIDUALS_SLOTS] */
};

/* Where the groups of a column begin. */
static size_t
place(const struct residuals *r, int block, uint32_t column)
{
	return ((size_t)block * r->columns_max + column) * RESIDUALS_SLOTS;
}

static size_t
cells_size(uint32_t columns)
{
	return (size_t)BLOCKS * columns * RESIDUALS_SLOTS * sizeof(struct cell);
}

struct residuals *
residuals_create(uint32_t columns_max)
{
	struct residuals *r = calloc(1, sizeof *r + cells_size(columns_max));

	if (!r)
		return NULL;
	r->columns_max = columns_max;
	r->horizon_ms = INT64_MAX;
	return r;
}

void
residuals_destroy(struct residuals *r)
{
	free(r);
}

size_t
residuals_bytes(const struct residuals *r)
{
	return r ? sizeof *r + cells_size(r->columns_max) : 0;
}

uint32_t
residuals_columns(const struct residuals *r)
{
	return r->columns;
}

int64_t
residuals_horizon(const struct residuals *r)
{
	return r->horizon_ms;
}

void
residuals_forget(struct residuals *r, uint32_t column)
{
	for (int b = 0; column < r->columns_max && b < BLOCKS; b++)
		memset(&r->cell[place(r, b, column)], 0, RESIDUALS_SLOTS * sizeof(struct cell));
}

/* -- a label ------------------------------------------------------------------------------------------ */

static double
clipped(double x)
{
	return fmin(fmax(x, -RESIDUALS_CLIP), RESIDUALS_CLIP);
}

static void
moment_add(struct moment *m, double x, double memory)
{
	double d = x - m->mean, rate;

	m->n = fmin(m->n + 1, memory);
	rate = 1 / m->n;
	m->mean += rate * d;
	m->variance += rate * ((1 - rate) * d * d - m->variance);
}

/* How a group differs from the other values of its column, over both blocks, drawn to 0 as if it held DRAWN
 * values that do not. An error that all groups share is no dependence on the column. */
static void
group_contrast(const struct residuals *r, uint32_t column, uint8_t group, double *e, double *q)
{
	enum { DRAWN = 20 };
	const struct cell *a = &r->cell[place(r, 0, column)], *b = &r->cell[place(r, 1, column)];
	double n = 0, sum = 0, squares = 0, in;

	for (int i = 0; i < RESIDUALS_SLOTS; i++) {
		n += a[i].n + b[i].n;
		sum += a[i].e + b[i].e;
		squares += a[i].q + b[i].q;
	}
	in = a[group].n + b[group].n;
	if (!(n > 0))
		return;
	*e += (a[group].e + b[group].e - in * sum / n) / (in + DRAWN);
	*q += (a[group].q + b[group].q - in * squares / n) / (in + DRAWN);
}

static void
add_columns(struct residuals *r, const struct residual *x, double e, double q, double out[RESIDUAL_PRODUCTS])
{
	double expected = 0, expected_square = 0;
	uint32_t columns = x->columns < r->columns_max ? x->columns : r->columns_max, known = 0;

	r->columns = columns > r->columns ? columns : r->columns;
	for (uint32_t i = 0; i < columns; i++) {
		struct cell *c;

		if (x->group[i] >= RESIDUALS_SLOTS)
			continue;
		known++;
		group_contrast(r, i, x->group[i], &expected, &expected_square);
		c = &r->cell[place(r, 0, i)] + x->group[i];
		c->n += 1;
		c->e += e;
		c->e2 += e * e;
		c->q += q;
		c->q2 += q * q;
	}
	if (known && r->block[1].n > 0) {
		out[RESIDUAL_FEATURES] = e * expected;
		out[RESIDUAL_SPREAD] = q * expected_square;
	}
}

static const struct past *
at_lag(const struct residuals *r, int64_t ts)
{
	for (uint32_t i = 1; i <= r->pasts; i++) {
		const struct past *p = &r->past[(r->past_at + RESIDUALS_LAGS - i) % RESIDUALS_LAGS];

		if (p->ts <= ts && ts - p->ts >= r->horizon_ms)
			return p;
	}
	return NULL;
}

/* Errors are kept so far apart that the ring spans two horizons. */
static void
keep_past(struct residuals *r, int64_t ts, double e, double q)
{
	uint32_t last = (r->past_at + RESIDUALS_LAGS - 1) % RESIDUALS_LAGS;

	if (r->pasts && (ts < r->past[last].ts || ts - r->past[last].ts < r->horizon_ms / (RESIDUALS_LAGS / 2)))
		return;
	r->past[r->past_at] = (struct past){ ts, e, q };
	r->past_at = (r->past_at + 1) % RESIDUALS_LAGS;
	r->pasts = r->pasts < RESIDUALS_LAGS ? r->pasts + 1 : r->pasts;
}

static void
add_lagged(struct residuals *r, const struct residual *x, double e, double q, double out[RESIDUAL_PRODUCTS])
{
	const struct past *p = at_lag(r, x->ts);
	struct block *b = &r->block[0];

	if (p) {
		double product = e * p->e, square = q * p->q;

		b->lag_n += 1;
		b->lag += product;
		b->lag2 += product * product;
		b->square_n += 1;
		b->square += square;
		b->square2 += square * square;
		out[RESIDUAL_AUTOCORRELATION] = product;
		out[RESIDUAL_VOLATILITY] = square;
	}
	keep_past(r, x->ts, e, q);
}

static void
add_recalibration(struct residuals *r, const struct residual *x, double out[RESIDUAL_PRODUCTS])
{
	struct block *b = &r->block[0];
	double z;

	if (!(r->scale > 0))
		return;
	z = clipped((x->prediction - r->centre) / r->scale);
	b->w += x->weight;
	b->wx += x->weight * z;
	b->wxx += x->weight * z * z;
	b->g += x->error;
	b->gx += x->error * z;
	b->gg += x->error * x->error;
	out[RESIDUAL_SLOPE] = x->error * z;
}

static void
next_block(struct residuals *r)
{
	if (++r->in_block < RESIDUALS_BLOCK)
		return;
	r->in_block = 0;
	r->block[1] = r->block[0];
	r->block[0] = (struct block){ 0 };
	memcpy(&r->cell[place(r, 1, 0)], &r->cell[place(r, 0, 0)], cells_size(r->columns_max) / BLOCKS);
	memset(&r->cell[place(r, 0, 0)], 0, cells_size(r->columns_max) / BLOCKS);
}

/* A step of the mean or of the scale is soon forgotten: it is no pattern. */
static void
learn(struct residuals *r, double standard)
{
	double d;

	moment_add(&r->mean, standard, RESIDUALS_NEAR);
	d = standard - r->mean.mean;
	moment_add(&r->square, d * d, RESIDUALS_NEAR_SQUARES);
}

void
residuals_add(struct residuals *r, const struct residual *x, double out[RESIDUAL_PRODUCTS])
{
	double e, q;

	for (int i = 0; i < RESIDUAL_PRODUCTS; i++)
		out[i] = (double)NAN;
	if (!(fabs(x->error) < HUGE_ERROR && fabs(x->standard) < HUGE_ERROR && fabs(x->prediction) < HUGE_ERROR))
		return;
	if (x->delay_ms >= 0 && x->delay_ms < r->horizon_ms)
		r->horizon_ms = x->delay_ms;
	if (r->seen < RESIDUALS_WARMUP || !(r->square.mean > 0)) {
		r->seen += r->seen < RESIDUALS_WARMUP;
		learn(r, x->standard);
		moment_add(&r->prediction, x->prediction, RESIDUALS_WARMUP);
		r->centre = r->prediction.mean;
		r->scale = sqrt(r->prediction.variance);
		return;
	}
	e = (x->standard - r->mean.mean) / sqrt(r->square.mean);
	learn(r, r->mean.mean + fmin(fmax(e, -LEARNT), LEARNT) * sqrt(r->square.mean));
	e = clipped(e);
	q = clipped(e * e - 1);
	add_recalibration(r, x, out);
	add_columns(r, x, e, q, out);
	add_lagged(r, x, e, q, out);
	r->block[0].n += 1;
	next_block(r);
}

/* -- figures ------------------------------------------------------------------------------------------ */

static const struct residual_figure none = { 0, (double)NAN, (double)NAN, (double)NAN };

static struct block
both(const struct residuals *r)
{
	struct block a = r->block[0];
	const struct block *b = &r->block[1];

	a.n += b->n;
	a.w += b->w;
	a.wx += b->wx;
	a.wxx += b->wxx;
	a.g += b->g;
	a.gx += b->gx;
	a.gg += b->gg;
	a.lag_n += b->lag_n;
	a.lag += b->lag;
	a.lag2 += b->lag2;
	a.square_n += b->square_n;
	a.square += b->square;
	a.square2 += b->square2;
	return a;
}

static double
normal_p(double z)
{
	return 2 * special_normal_cdf(-fabs(z));
}

/* Tails of t and F by the incomplete beta function. */
static double
f_tail(double f, double d1, double d2)
{
	return f > 0 ? special_beta_cdf(d2 / (d2 + d1 * f), d2 / 2, d1 / 2) : 1;
}

static void
group_sums(const struct residuals *r, uint32_t column, struct cell out[RESIDUALS_SLOTS])
{
	const struct cell *a = &r->cell[place(r, 0, column)], *b = &r->cell[place(r, 1, column)];

	for (int i = 0; i < RESIDUALS_SLOTS; i++)
		out[i] = (struct cell){ a[i].n + b[i].n, a[i].e + b[i].e, a[i].e2 + b[i].e2, a[i].q + b[i].q,
			                a[i].q2 + b[i].q2 };
}

struct residual_figure
residuals_linear(const struct residuals *r, uint32_t column)
{
	struct cell c[RESIDUALS_SLOTS];
	double n = 0, x = 0, xx = 0, e = 0, ee = 0, xe = 0, sxx, see, sxe;
	struct residual_figure f = none;

	group_sums(r, column, c);
	for (int i = 0; i < RESIDUALS_GROUPS; i++) { /* missing values have no place on the line */
		n += c[i].n;
		x += i * c[i].n;
		xx += (double)i * i * c[i].n;
		e += c[i].e;
		ee += c[i].e2;
		xe += i * c[i].e;
	}
	f.n = n;
	if (n < RESIDUALS_WARMUP)
		return f;
	sxx = xx - x * x / n;
	see = ee - e * e / n;
	sxe = xe - x * e / n;
	if (!(sxx > 0 && see > 0))
		return f;
	f.value = fmin(fmax(sxe / sqrt(sxx * see), -1), 1);
	f.statistic = f.value * sqrt((n - 2) / fmax(1 - f.value * f.value, 1e-12));
	f.p_value = f_tail(f.statistic * f.statistic, 1, n - 2);
	return f;
}

struct residual_figure
residuals_groups(const struct residuals *r, uint32_t column, bool squares)
{
	struct cell c[RESIDUALS_SLOTS];
	double n = 0, sum = 0, all = 0, between = 0, groups = 0;
	struct residual_figure f = none;

	group_sums(r, column, c);
	for (int i = 0; i < RESIDUALS_SLOTS; i++) {
		double s = squares ? c[i].q : c[i].e;

		n += c[i].n;
		sum += s;
		all += squares ? c[i].q2 : c[i].e2;
		between += c[i].n > 0 ? s * s / c[i].n : 0;
		groups += c[i].n > 0;
	}
	f.n = n;
	if (n < RESIDUALS_WARMUP || groups < 2)
		return f;
	between -= sum * sum / n;
	all -= sum * sum / n;
	if (!(all > 0))
		return f;
	f.value = fmin(fmax(between / all, 0), 1);
	f.statistic = f.value / (groups - 1) / fmax((1 - f.value) / (n - groups), 1e-12);
	f.p_value = f_tail(f.statistic, groups - 1, n - groups);
	return f;
}

struct residual_figure
residuals_lagged(const struct residuals *r, bool squares)
{
	struct block b = both(r);
	double n = squares ? b.square_n : b.lag_n, sum = squares ? b.square : b.lag,
	       sum2 = squares ? b.square2 : b.lag2;
	struct residual_figure f = none;

	f.n = n;
	if (n < RESIDUALS_WARMUP || !(sum2 > 0))
		return f;
	f.statistic = sum / sqrt(sum2); /* products are uncorrelated where errors do not hang together */
	f.value = f.statistic / sqrt(n);
	f.p_value = normal_p(f.statistic);
	return f;
}

/* Newton's step from (0, 1): of a number it is least squares. */
static void
recalibration(const struct residuals *r, struct residual_figure *slope, struct residual_figure *intercept)
{
	struct block b = both(r);
	double det = b.w * b.wxx - b.wx * b.wx, at0, d, noise, shift = r->scale > 0 ? r->centre / r->scale : 0;

	*slope = *intercept = none;
	slope->n = intercept->n = b.n;
	if (b.n < RESIDUALS_WARMUP || !(det > 1e-12 * b.w * b.wxx))
		return;
	d = (b.w * b.gx - b.wx * b.g) / det;          /* per standard deviation of the prediction */
	at0 = (b.wxx * b.g - b.wx * b.gx) / det;
	noise = b.gg / b.w;                           /* 1 of a class that is as likely as it is said to be */
	slope->value = 1 + d / r->scale;
	slope->statistic = d / sqrt(noise * b.w / det);
	intercept->value = at0 - d * shift;
	intercept->statistic = intercept->value /
	                       sqrt(noise * (b.wxx + 2 * shift * b.wx + shift * shift * b.w) / det);
	slope->p_value = normal_p(slope->statistic);
	intercept->p_value = normal_p(intercept->statistic);
}

struct residual_figure
residuals_slope(const struct residuals *r)
{
	struct residual_figure slope, intercept;

	recalibration(r, &slope, &intercept);
	return slope;
}

struct residual_figure
residuals_intercept(const struct residuals *r)
{
	struct residual_figure slope, intercept;

	recalibration(r, &slope, &intercept);
	return intercept;
}

/* -- state -------------------------------------------------------------------------------------------- */

enum {
	BLOCK_DOUBLES = sizeof(struct block) / sizeof(double),
	CELL_DOUBLES = sizeof(struct cell) / sizeof(double),
};

void
residuals_save(const struct residuals *r, struct codec *out)
{
	codec_put_u16(out, STATE_VERSION);
	codec_put_u32(out, r->columns);
	codec_put_u32(out, r->in_block);
	codec_put_u32(out, r->seen);
	codec_put_f64s(out, &r->mean.n, 3);
	codec_put_f64s(out, &r->square.n, 3);
	codec_put_f64s(out, &r->prediction.n, 3);
	codec_put_f64(out, r->centre);
	codec_put_f64(out, r->scale);
	codec_put_i64(out, r->horizon_ms);
	codec_put_u32(out, r->pasts);
	codec_put_u32(out, r->past_at);
	for (uint32_t i = 0; i < r->pasts; i++) {
		codec_put_i64(out, r->past[i].ts);
		codec_put_f64(out, r->past[i].e);
		codec_put_f64(out, r->past[i].q);
	}
	for (int b = 0; b < BLOCKS; b++) {
		codec_put_f64s(out, &r->block[b].n, BLOCK_DOUBLES);
		for (uint32_t i = 0; i < r->columns; i++)
			codec_put_f64s(out, &r->cell[place(r, b, i)].n, RESIDUALS_SLOTS * CELL_DOUBLES);
	}
}

bool
residuals_load(struct residuals *r, struct codec *in)
{
	static const double zero[RESIDUALS_SLOTS * CELL_DOUBLES];
	double cells[RESIDUALS_SLOTS * CELL_DOUBLES];
	uint32_t columns;

	if (codec_get_u16(in) != STATE_VERSION)
		return false;
	columns = codec_get_u32(in);
	r->in_block = codec_get_u32(in);
	r->seen = codec_get_u32(in);
	codec_get_f64s(in, &r->mean.n, 3);
	codec_get_f64s(in, &r->square.n, 3);
	codec_get_f64s(in, &r->prediction.n, 3);
	r->centre = codec_get_f64(in);
	r->scale = codec_get_f64(in);
	r->horizon_ms = codec_get_i64(in);
	r->pasts = codec_get_u32(in);
	r->past_at = codec_get_u32(in);
	if (in->bad || r->pasts > RESIDUALS_LAGS || r->past_at >= RESIDUALS_LAGS || r->in_block >= RESIDUALS_BLOCK ||
	    r->horizon_ms < 0 || columns > UINT16_MAX)
		return false;
	for (uint32_t i = 0; i < r->pasts; i++) {
		r->past[i].ts = codec_get_i64(in);
		r->past[i].e = codec_get_f64(in);
		r->past[i].q = codec_get_f64(in);
	}
	r->columns = columns < r->columns_max ? columns : r->columns_max; /* fewer may be configured today */
	for (int b = 0; b < BLOCKS; b++) {
		codec_get_f64s(in, &r->block[b].n, BLOCK_DOUBLES);
		for (uint32_t i = 0; i < columns && !in->bad; i++) {
			memcpy(cells, zero, sizeof cells);
			codec_get_f64s(in, cells, RESIDUALS_SLOTS * CELL_DOUBLES);
			if (i < r->columns)
				memcpy(&r->cell[place(r, b, i)], cells, sizeof cells);
		}
	}
	return !in->bad;
}
