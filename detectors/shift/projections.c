/* projections.c -- any change of the law of a vector, by random directions (contract 10).
 *
 *   a_{j,i} = N(2^32 + j, i) / sqrt(d), j < J, i < d,
 *   N(s, i) = sqrt(-2 ln U(seed, stream + s, 2i+1)) cos(2 pi U(seed, stream + s, 2i+2))
 *   z = (x - mean)/sd over the odd reference rows (sd divides by n), cut to [-10, 10]; 0 where sd
 *   is 0 s_j = a_j . z goes through contract 4 with U(seed, stream + 2^33 + j, n); S = mean over j
 *
 * Averages of e-detectors keep the promise of each (own construction; bets: conformal.c). One alarm
 * resets all. Cost a record: J (d multiply-adds, one rank and 20 lanes), 15 us at J 64, d 20.
 */
#include <assert.h>

#include "config/option.h"
#include "detectors/kit/bets.h"
#include "detectors/kit/bins.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/rank_change.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/sort.h"
#include "detectors/registry.h"

static const char name[] = "projections";
enum { BINS_MAX = 4096, PROJECTIONS_MAX = 1024 };
static const uint64_t direction_streams = UINT64_C(1) << 32, rank_streams = UINT64_C(1) << 33;
static const double z_max = 10.0;

struct projections_options {
	uint32_t projections, bins, cap;
};

struct projections {
	struct projections_options o;
	uint64_t seed, stream;
	const bets_row *table;
	uint32_t width;
	double *mean, *scale; /* [width]; scale 1/sd, 0 where sd is 0 */
	double *direction;    /* [projections][width] */
	double *z;            /* [width] scratch */
	double *factor;       /* [lanes + BETS_LANES] scratch */
	uint32_t reference_n; /* values counted from the reference, the same for all */
	/* state */
	uint64_t n;
	struct bins *bins;     /* [projections] */
	struct jumper *jumper; /* [projections] */
	struct lanes lanes;    /* BETS_REAL lanes for each projection, side by side */
};

static const struct option options_table[] = {
	OPT_U32(struct projections_options, projections, "projections", "64", 1, PROJECTIONS_MAX,
	        "number of random directions"),
	OPT_U32(struct projections_options, bins, "bins", "256", 2, BINS_MAX,
	        "equal-mass bins of the reference along each direction"),
	OPT_U32(struct projections_options, cap, "cap", "0", 0, 4294967295.0,
	        "the reference grows up to this many values; 0: without end"),
	OPT_END,
};

static uint32_t
width_of(const struct reference *ref)
{
	return ref && ref->width > 1 ? ref->width : 1;
}

static uint32_t
lanes_of(const struct projections_options *o)
{
	return (o->projections * BETS_REAL + 7) / 8 * 8;
}

static struct projections *
layout(struct carve *c, const struct projections_options *o, uint32_t width)
{
	uint32_t lanes = lanes_of(o);
	struct projections *self = carve_take(c, sizeof *self);
	struct projections unused = { 0 }, *p = self ? self : &unused;
	void *own, *rest;

	p->mean = carve_take(c, width * sizeof(double));
	p->scale = carve_take(c, width * sizeof(double));
	p->z = carve_take(c, width * sizeof(double));
	p->direction = carve_take(c, (size_t)o->projections * width * sizeof(double));
	p->factor = carve_take(c, (lanes + BETS_LANES) * sizeof(double));
	p->jumper = carve_take(c, o->projections * sizeof *p->jumper);
	p->bins = carve_take(c, o->projections * sizeof *p->bins);
	for (uint32_t j = 0; j < o->projections; j++) {
		struct bins one = { 0 };

		bins_carve(&one, c, o->bins);
		if (self)
			p->bins[j] = one;
	}
	rest = carve_take(c, lanes_bytes(lanes, 1));
	own = carve_take(c, lanes_own_bytes(lanes));
	if (self) {
		lanes_init(&self->lanes, rest, lanes, 1, o->projections * BETS_REAL);
		lanes_own_init(&self->lanes, own);
	}
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

			self->direction[(size_t)j * d + i] =
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
project(const struct projections *self, uint32_t j)
{
	const double *a = self->direction + (size_t)j * self->width;
	double sum = 0.0;

	for (uint32_t i = 0; i < self->width; i++)
		sum += a[i] * self->z[i];
	return sum;
}

/* Edges from the odd rows, counts from the even ones, along every direction; scratch[n]. */
static void
learn(struct projections *self, const struct reference *ref, double *scratch)
{
	uint32_t n = ref->n, odd = (n + 1) / 2;

	for (uint32_t j = 0; j < self->o.projections; j++) {
		struct bins *b = &self->bins[j];

		for (uint32_t row = 0; row < n; row++) {
			standard(self, ref->value + (size_t)row * self->width);
			scratch[row % 2 == 0 ? row / 2 : odd + row / 2] = project(self, j);
		}
		sort_doubles(scratch, odd);
		bins_init(b, self->o.bins, scratch, odd);
		for (uint32_t i = odd; i < n; i++)
			bins_add(b, bins_find(b, scratch[i]), 1);
	}
	self->reference_n = self->bins[0].total;
}

static int
projections_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                   uint64_t seed, uint64_t stream, struct diag *d)
{
	struct carve c = { carve_memory(projections_bytes(options, ref, phases)), 0 };
	double *scratch = malloc(((ref ? ref->n : 0) + (size_t)1) * sizeof *scratch);
	struct projections *self;

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
	if (ref && ref->n > 0) {
		standardise(self, ref);
		learn(self, ref, scratch);
	} else {
		for (uint32_t j = 0; j < self->o.projections; j++)
			bins_init(&self->bins[j], self->o.bins, NULL, 0);
	}
	for (uint32_t j = 0; j < self->o.projections; j++)
		jumper_reset(&self->jumper[j]);
	free(scratch);
	*out = self;
	return 0;
}

static double
step(struct projections *self, const double *x, double g, int64_t time_ms)
{
	static const double nothing[LANES_SUMS] = { 0.0, 0.0, 0.0 };

	self->n++;
	standard(self, x);
	for (uint32_t j = 0; j < self->o.projections; j++) {
		struct bins *b = &self->bins[j];
		uint64_t stream = self->stream + rank_streams + j;
		uint32_t bin = bins_find(b, project(self, j)), first = j * BETS_REAL;
		double p = bins_p(b, bin, rng_uniform(self->seed, stream, self->n));

		/* Each writes its padding, zeros, over the start of the next. */
		bets_factors(self->table, p, jumper_step(&self->jumper[j], p),
		             self->factor + first);
		for (uint32_t k = 0; k < BETS_REAL; k++)
			self->lanes.own[first + k] += p;
		bins_grow(b, bin, self->o.cap);
	}
	return lanes_step(&self->lanes, self->factor, g, 0, time_ms, nothing)
	       * self->lanes.weight;
}

static uint32_t
projections_update(void *instance, const struct column *column, uint32_t from, double threshold,
                   struct reading *out)
{
	struct projections *self = instance;

	for (uint32_t i = from; i < column->n; i++) {
		double s = (double)NAN;

		/* Rows of another length are the caller's mistake: they are empty. */
		if (column->width == self->width)
			s = step(self, column->value + (size_t)i * column->width,
			         column->gain ? column->gain[i] : 1.0,
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

	lanes_reset(&self->lanes);
	for (uint32_t j = 0; j < self->o.projections; j++)
		jumper_reset(&self->jumper[j]);
}

static void
projections_skip(void *instance, uint64_t n)
{
	((struct projections *)instance)->n += n;
}

/* `cell` is the direction along which the change is clearest. */
static void
projections_change(const void *instance, struct change *out)
{
	const struct projections *self = instance;
	double since[LANES_SUMS];

	if (!detector_change_start(&self->lanes, since, out))
		return;
	out->cell /= BETS_REAL;
	rank_change(since[0], out);
	out->old_value = out->new_value = (double)NAN;
}

static void
projections_save(const void *instance, struct codec *out)
{
	const struct projections *self = instance;

	codec_put_u64(out, self->n);
	for (uint32_t j = 0; j < self->o.projections; j++) {
		bins_save(&self->bins[j], out);
		jumper_save(&self->jumper[j], out);
	}
	lanes_save(&self->lanes, out);
}

static int
projections_load(void *instance, struct codec *in, struct diag *d)
{
	struct projections *self = instance;
	uint64_t grown = 0;
	bool fine = true;

	self->n = codec_get_u64(in);
	for (uint32_t j = 0; j < self->o.projections; j++) {
		fine = bins_load(&self->bins[j], in) && fine;
		fine = jumper_load(&self->jumper[j], in) && fine;
		fine = fine && self->bins[j].total >= self->reference_n
		       && self->bins[j].total == self->bins[0].total;
	}
	fine = lanes_load(&self->lanes, in) == 0 && fine;
	grown = fine ? self->bins[0].total - self->reference_n : 0;
	return plain_loaded(fine && !in->bad && self->lanes.records <= self->n
	                            && grown <= self->lanes.records,
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
