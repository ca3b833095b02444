/* projections.c -- any change of the law of a vector, by random directions (contract 10).
 *
 *   a_{j,i} = N(2^32 + j, i) / sqrt(d), j < J, i < d,
 *   N(s, i) = sqrt(-2 ln U(seed, stream + s, 2i+1)) cos(2 pi U(seed, stream + s, 2i+2))
 *   z = (x - mean)/sd over the odd reference rows (sd divides by n), cut to [-10, 10]; 0 where sd
 *   is 0; s_j = a_j . z goes through contract 4 with U(seed, stream + 2^33 + j, n); S = mean over j
 *
 * With `mahalanobis` there is one score more, s_J = |W z|, W' W = S^-1, S the Ledoit-Wolf covariance of
 * the odd rows' z: what moves all coordinates a little moves it most. Averages of e-detectors keep the
 * promise of each (own construction; bets: conformal.c). One alarm resets all.
 *
 * The ten Beta bets of every score are lanes of their own; its jumper, which weighs as much as the ten, is
 * one lane of a second set. Cost a record: J (d multiply-adds, one rank and 11 lanes).
 */
#include "detectors/shift/projections.h"

#include <assert.h>

#include "config/option.h"
#include "detectors/kit/bets.h"
#include "detectors/kit/bins.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/linear.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/rank_change.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/sort.h"
#include "detectors/registry.h"

static const char name[] = "projections";
enum { BINS_MAX = 4096, PROJECTIONS_MAX = 1024, SIMD = 8, TILE = 16 };
static const uint64_t direction_streams = UINT64_C(1) << 32, rank_streams = UINT64_C(1) << 33;
static const double z_max = 10.0;

struct projections_options {
	uint32_t projections, bins, cap;
	bool mahalanobis;
};

struct projections {
	struct projections_options o;
	uint64_t seed, stream;
	const bets_row *table;
	uint32_t width;
	double *mean, *scale; /* [width]; scale 1/sd, 0 where sd is 0 */
	uint32_t scores;      /* directions, and the norm */
	uint32_t padded;      /* directions, padded with zeros to a multiple of SIMD */
	double *direction;    /* [width][padded] */
	double *whiten;       /* [width][width] lower triangle, NULL without the norm */
	double *z;            /* [width] scratch */
	double *score;        /* [padded + 1] scratch */
	double *tile;         /* [scores][TILE] scores of a few rows ... */
	uint32_t *bin;        /* ... and their bins */
	double *factor;       /* [lanes of bets + BETS_LANES] scratch */
	double *jump;         /* [lanes of jumpers] scratch */
	double place[BETS_BETA]; /* 1 where a bet is on place, 0 where it is on spread */
	uint32_t reference_n; /* values counted from the reference, the same for all */
	/* state */
	uint64_t n;
	struct bins *bins;     /* [scores] */
	struct jumper *jumper; /* [scores] */
	struct lanes bets;     /* BETS_BETA lanes for each score, side by side */
	struct lanes jumpers;  /* one for each */
};

static const struct option options_table[] = {
	OPT_U32(struct projections_options, projections, "projections", "64", 1, PROJECTIONS_MAX,
	        "number of random directions"),
	OPT_U32(struct projections_options, bins, "bins", "256", 2, BINS_MAX,
	        "equal-mass bins of the reference along each direction"),
	OPT_U32(struct projections_options, cap, "cap", "0", 0, 4294967295.0,
	        "the reference grows up to this many values; 0: without end"),
	OPT_BOOL(struct projections_options, mahalanobis, "mahalanobis", "0",
	         "1: the Mahalanobis norm as one more score"),
	OPT_END,
};

static uint32_t
width_of(const struct reference *ref)
{
	return ref && ref->width > 1 ? ref->width : 1;
}

static uint32_t
pad(uint32_t n)
{
	return (n + SIMD - 1) / SIMD * SIMD;
}

static void
layout_lanes(struct carve *c, struct lanes *l, uint32_t real)
{
	uint32_t lanes = pad(real);
	void *rest = carve_take(c, lanes_bytes(lanes, 1)), *own = carve_take(c, lanes_own_bytes(lanes));

	if (!c->base)
		return;
	lanes_init(l, rest, lanes, 1, real);
	lanes_own_init(l, own);
}

static struct projections *
layout(struct carve *c, const struct projections_options *o, uint32_t width)
{
	uint32_t scores = o->projections + o->mahalanobis, padded = pad(o->projections);
	struct projections *self = carve_take(c, sizeof *self);
	struct projections unused = { 0 }, *p = self ? self : &unused;

	p->scores = scores;
	p->padded = padded;
	p->mean = carve_take(c, width * sizeof(double));
	p->scale = carve_take(c, width * sizeof(double));
	p->z = carve_take(c, width * sizeof(double));
	p->direction = carve_take(c, (size_t)padded * width * sizeof(double));
	p->whiten = o->mahalanobis ? carve_take(c, (size_t)width * width * sizeof(double)) : NULL;
	p->score = carve_take(c, (padded + 1u) * sizeof(double));
	p->tile = carve_take(c, (size_t)scores * TILE * sizeof(double));
	p->bin = carve_take(c, (size_t)scores * TILE * sizeof(uint32_t));
	p->factor = carve_take(c, (pad(scores * BETS_BETA) + BETS_LANES) * sizeof(double));
	p->jump = carve_take(c, pad(scores) * sizeof(double));
	p->jumper = carve_take(c, scores * sizeof *p->jumper);
	p->bins = carve_take(c, scores * sizeof *p->bins);
	for (uint32_t j = 0; j < scores; j++) {
		struct bins one = { 0 };

		bins_carve(&one, c, o->bins);
		if (self)
			p->bins[j] = one;
	}
	layout_lanes(c, &p->bets, scores * BETS_BETA);
	layout_lanes(c, &p->jumpers, scores);
	return self;
}

static size_t
projections_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	struct carve c = { 0 };

	(void)phases;
	layout(&c, options, width_of(ref));
	return c.used;
}

static void
draw_directions(struct projections *self)
{
	const double two_pi = 6.28318530717958647693;
	uint32_t d = self->width;

	for (uint32_t j = 0; j < self->o.projections; j++)
		for (uint32_t i = 0; i < d; i++) {
			uint64_t s = self->stream + direction_streams + j;
			double u = rng_uniform(self->seed, s, 2 * (uint64_t)i + 1);
			double v = rng_uniform(self->seed, s, 2 * (uint64_t)i + 2);

			self->direction[(size_t)i * self->padded + j] =
				sqrt(-2.0 * log(u)) * cos(two_pi * v) / sqrt(d);
		}
}

/* Mean and sd of every column over the odd rows; a constant column has sd 0 exactly. */
static void
standardise(struct projections *self, const struct reference *ref)
{
	uint32_t d = self->width, odd = (ref->n + 1) / 2;

	for (uint32_t i = 0; i < d; i++) {
		double first = plain_cut(ref->value[i]), sum = 0.0, squares = 0.0;

		for (uint32_t row = 0; row < ref->n; row += 2)
			sum += (plain_cut(ref->value[(size_t)row * d + i]) - first) / odd;
		for (uint32_t row = 0; row < ref->n; row += 2) {
			double away = plain_cut(ref->value[(size_t)row * d + i]) - first - sum;

			squares += away * away / odd;
		}
		self->mean[i] = first + sum;
		self->scale[i] = squares > 0.0 ? 1.0 / sqrt(squares) : 0.0;
	}
}

static void
standard(struct projections *self, const double *x)
{
	for (uint32_t i = 0; i < self->width; i++) {
		double z = (plain_cut(x[i]) - self->mean[i]) * self->scale[i];

		self->z[i] = z < -z_max ? -z_max : z > z_max ? z_max : z;
	}
}

static double
norm(const struct projections *self)
{
	double sum = 0.0;

	for (uint32_t i = 0; i < self->width; i++) {
		const double *row = self->whiten + (size_t)i * self->width;
		double y = 0.0;

		for (uint32_t k = 0; k <= i; k++)
			y += row[k] * self->z[k];
		sum += y * y;
	}
	return sqrt(sum);
}

/* The scores of z: all directions side by side, each summed over the columns in their order. */
static void
project(struct projections *self)
{
	typedef double two __attribute__((vector_size(16), may_alias));

	for (uint32_t j = 0; j < self->padded; j += SIMD) {
		two sum[SIMD / 2] = { { 0 } };
		const double *a = self->direction + j;

		for (uint32_t i = 0; i < self->width; i++, a += self->padded) {
			two z = (two){ 0 } + self->z[i];

#pragma GCC unroll 4
			for (int k = 0; k < SIMD / 2; k++)
				sum[k] += *(const two *)(a + 2 * k) * z;
		}
		memcpy(self->score + j, sum, sizeof sum);
	}
	if (self->whiten)
		self->score[self->o.projections] = norm(self);
}

/* W of the odd rows' z. rows: [odd * width] scratch. */
static int
whiten(struct projections *self, const struct reference *ref, double *rows, struct diag *d)
{
	uint32_t width = self->width, odd = (ref->n + 1) / 2;
	double *s = malloc((size_t)width * width * sizeof *s), *center = calloc(width, sizeof *center);
	int err = s && center ? 0 : diag_set(d, ERR_IO, "%s: out of memory", name);

	for (uint32_t row = 0; row < odd && !err; row++) {
		standard(self, ref->value + (size_t)row * 2 * width);
		memcpy(rows + (size_t)row * width, self->z, width * sizeof *rows);
		for (uint32_t i = 0; i < width; i++) /* of what is cut the mean is not 0 any more */
			center[i] += self->z[i] / odd;
	}
	for (size_t i = 0; i < (size_t)odd * width && !err; i++)
		rows[i] -= center[i % width];
	if (!err) {
		linear_scatter(rows, odd, width, s);
		linear_ledoit_wolf(rows, odd, width, s);
		linear_ridge(s, width, 1e-9); /* constant columns have variance 0 */
		err = linear_whiten(s, width, self->whiten, d);
	}
	free(s);
	free(center);
	return err;
}

/* Edges from the odd rows, counts from the even ones, of every score; scratch[scores * n]. */
static void
learn(struct projections *self, const struct reference *ref, double *scratch)
{
	uint32_t n = ref->n, odd = (n + 1) / 2;

	for (uint32_t row = 0; row < n; row++) {
		standard(self, ref->value + (size_t)row * self->width);
		project(self);
		for (uint32_t j = 0; j < self->scores; j++)
			scratch[(size_t)j * n + (row % 2 == 0 ? row / 2 : odd + row / 2)] = self->score[j];
	}
	for (uint32_t j = 0; j < self->scores; j++) {
		struct bins *b = &self->bins[j];
		double *score = scratch + (size_t)j * n;

		sort_doubles(score, odd);
		bins_init(b, self->o.bins, score, odd);
		for (uint32_t i = odd; i < n; i++)
			bins_add(b, bins_find(b, score[i]), 1);
	}
	self->reference_n = self->bins[0].total;
}

static int
projections_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                   uint64_t seed, uint64_t stream, struct diag *d)
{
	struct carve c = { carve_memory(projections_bytes(options, ref, phases)), 0 };
	const struct projections_options *o = options;
	size_t values = width_of(ref) > o->projections + 1u ? width_of(ref) : o->projections + 1u;
	double *scratch = malloc((values * (ref ? ref->n : 0) + 1) * sizeof *scratch);
	struct projections *self;
	int err = 0;

	assert(phases == 1);
	if (!c.base || !scratch) {
		free(c.base);
		free(scratch);
		return diag_set(d, ERR_IO, "%s: out of memory", name);
	}
	self = layout(&c, options, width_of(ref));
	self->o = *(const struct projections_options *)options;
	self->seed = seed;
	self->stream = stream;
	self->table = bets_table();
	self->width = width_of(ref);
	draw_directions(self);
	for (uint32_t k = 0; k < BETS_BETA; k++)
		self->place[k] = bets_direction(k) != 0;
	if (ref && ref->n > 0) {
		standardise(self, ref);
		if (self->whiten)
			err = whiten(self, ref, scratch, d);
		if (!err)
			learn(self, ref, scratch);
	} else {
		for (uint32_t j = 0; j < self->scores; j++)
			bins_init(&self->bins[j], self->o.bins, NULL, 0);
	}
	for (uint32_t j = 0; j < self->scores; j++)
		jumper_reset(&self->jumper[j]);
	free(scratch);
	if (err) {
		free(self);
		return err;
	}
	*out = self;
	return 0;
}

/* A change of place moves the mean of p, one of spread that of 1 - |2p - 1|: small = more spread. */
static double
fold(double p)
{
	return p < 0.5 ? 2.0 * p : 2.0 - 2.0 * p;
}

/* Scores and bins of rows side by side: what does not depend on the rows before. */
static void
score_rows(struct projections *self, const double *x, uint32_t rows)
{
	for (uint32_t t = 0; t < rows; t++) {
		standard(self, x + (size_t)t * self->width);
		project(self);
		for (uint32_t j = 0; j < self->scores; j++)
			self->tile[j * TILE + t] = self->score[j];
	}
	for (uint32_t j = 0; j < self->scores; j++)
		edges_index_bins(&self->bins[j].index, self->tile + j * TILE, rows, self->bin + j * TILE);
}

/* Row t of the tile. */
static double
step(struct projections *self, uint32_t t, double g, int64_t time_ms)
{
	static const double nothing[LANES_SUMS] = { 0.0, 0.0, 0.0 };
	double bets, jumpers;

	self->n++;
	for (uint32_t j = 0; j < self->scores; j++) {
		struct bins *b = &self->bins[j];
		uint64_t stream = self->stream + rank_streams + j;
		uint32_t bin = self->bin[j * TILE + t], first = j * BETS_BETA;
		double p = bins_p(b, bin, rng_uniform(self->seed, stream, self->n)), spread = fold(p);

		memcpy(self->factor + first, self->table[bets_cell(p)], sizeof(bets_row));
		self->jump[j] = jumper_step(&self->jumper[j], p);
		if (self->n % 64 == 0)
			jumper_scale(&self->jumper[j]);
		for (uint32_t k = 0; k < BETS_BETA; k++)
			self->bets.own[first + k] += spread + self->place[k] * (p - spread);
		bins_grow(b, bin, self->o.cap);
		self->jumpers.own[j] += p;
	}
	bets = lanes_step(&self->bets, self->factor, g, 0, time_ms, nothing);
	jumpers = lanes_step(&self->jumpers, self->jump, g, 0, time_ms, nothing);
	return (bets / BETS_BETA + jumpers) / (2.0 * self->scores);
}

static uint32_t
projections_update(void *instance, const struct column *column, uint32_t from, double threshold,
                   struct reading *out)
{
	struct projections *self = instance;
	/* Rows of another length are the caller's mistake: they are empty. */
	bool fits = column->width == self->width;

	for (uint32_t i = from; i < column->n; i++) {
		uint32_t t = (i - from) % TILE, left = column->n - i;
		double s = (double)NAN;

		if (fits && t == 0)
			score_rows(self, column->value + (size_t)i * column->width, left < TILE ? left : TILE);
		if (fits)
			s = step(self, t, column->gain ? column->gain[i] : 1.0,
			         column->time_ms ? column->time_ms[i] : 0);
		out[i] = (struct reading){ .statistic = s, .alarm = s >= threshold };
		if (out[i].alarm)
			return i + 1;
	}
	return column->n;
}

static void
projections_reset(void *instance)
{
	struct projections *self = instance;

	lanes_reset(&self->bets);
	lanes_reset(&self->jumpers);
	for (uint32_t j = 0; j < self->scores; j++)
		jumper_reset(&self->jumper[j]);
}

static void
projections_skip(void *instance, uint64_t n)
{
	((struct projections *)instance)->n += n;
}

/* `cell`: twice the score along which the change is clearest, and 1 more when it is one of its spread. */
static void
projections_change(const void *instance, struct change *out)
{
	const struct projections *self = instance;
	struct change jump;
	double since[LANES_SUMS], jumped[LANES_SUMS];
	bool bet = detector_change_start(&self->bets, since, out);
	bool spread;

	if (detector_change_start(&self->jumpers, jumped, &jump) &&
	    (!bet || jump.log_evidence > out->log_evidence)) {
		*out = jump;
		out->cell *= 2;
		rank_change(jumped[0], out);
	} else if (bet) {
		spread = !bets_direction(out->cell % BETS_BETA);
		out->cell = out->cell / BETS_BETA * 2 + spread;
		rank_change(since[0], out);
	}
	out->old_value = out->new_value = (double)NAN;
}

uint32_t
projections_scores(const void *instance)
{
	const struct projections *self = instance;

	return self->scores;
}

double
projections_rank(void *instance, const double *x, uint32_t cell)
{
	struct projections *self = instance;
	uint32_t j = cell / 2 < self->scores ? cell / 2 : 0;
	double p;

	standard(self, x);
	project(self);
	p = bins_p(&self->bins[j], bins_find(&self->bins[j], self->score[j]), 0.5);
	return cell % 2 ? fold(p) : p;
}

double
projections_weight(const void *instance, uint32_t cell, uint32_t column)
{
	const struct projections *self = instance;

	if (cell / 2 >= self->o.projections || column >= self->width)
		return 0.0;
	return self->direction[(size_t)column * self->padded + cell / 2];
}

static void
projections_save(const void *instance, struct codec *out)
{
	const struct projections *self = instance;

	codec_put_u64(out, self->n);
	for (uint32_t j = 0; j < self->scores; j++) {
		bins_save(&self->bins[j], out);
		jumper_save(&self->jumper[j], out);
	}
	lanes_save(&self->bets, out);
	lanes_save(&self->jumpers, out);
}

static int
projections_load(void *instance, struct codec *in, struct diag *d)
{
	struct projections *self = instance;
	uint64_t grown = 0;
	bool fine = true;

	self->n = codec_get_u64(in);
	for (uint32_t j = 0; j < self->scores; j++) {
		fine = bins_load(&self->bins[j], in) && fine;
		fine = jumper_load(&self->jumper[j], in) && fine;
		fine = fine && self->bins[j].total >= self->reference_n
		       && self->bins[j].total == self->bins[0].total;
	}
	fine = lanes_load(&self->bets, in) == 0 && lanes_load(&self->jumpers, in) == 0 && fine;
	grown = fine ? self->bins[0].total - self->reference_n : 0;
	return plain_loaded(fine && !in->bad && self->bets.records <= self->n
	                            && self->jumpers.records == self->bets.records
	                            && grown <= self->bets.records,
	                    name, d);
}

const struct detector projections_detector = {
	.name = name,
	.summary = "any change of the law of a vector, by random directions",
	.source = "contract 10; conformal ranks along random projections, averaged",
	.kind = COLUMN_VECTOR,
	.flags = DETECTOR_WARMS_UP | DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct projections_options),
	.bytes = projections_bytes,
	.create = projections_create,
	.destroy = free,
	.update = projections_update,
	.reset = projections_reset,
	.skip = projections_skip,
	.change = projections_change,
	.save = projections_save,
	.load = projections_load,
};
