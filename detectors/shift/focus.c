/* focus.c -- a shift of a known mean by an amount that is not known (contract 8; FOCuS0, Romano,
 * Eckley, Fearnhead and Rigaill 2023).
 *
 *   statistic = max over tau < n of (S_n - S_tau)^2 / (2 (n - tau)),  S_n = sum z, both directions
 *
 * The tau that can be the best one of an upward shift are vertices of the lower convex hull of the
 * points (tau, S_tau), no earlier than the lowest point; downward shifts see the same walk with its
 * sign changed. About log n vertices are alive. A walk made to keep more than VERTICES loses every
 * second one of its vertices: the statistic is then at most a little too small.
 * Amortised cost: 10 ns a record and direction, and 2 ns a vertex.
 */
#include <string.h>

#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/standard.h"
#include "detectors/registry.h"

enum { VERTICES = 1024 };
static const char name[] = "focus";

struct focus_options {
	double threshold, mu, sigma;
};

struct vertex {
	double tau, sum;
};

struct hull {
	uint32_t n;
	struct vertex vertex[VERTICES];
};

struct focus {
	struct standard standard;
	double threshold;
	/* state */
	double n, sum;
	struct hull side[2]; /* of S and of -S */
};

static const struct option options_table[] = {
	OPT_F64(struct focus_options, threshold, "threshold", "9.428", 0.0, 1e300,
	        "half the log likelihood ratio at which an alarm is raised"),
	STANDARD_OPTIONS(struct focus_options),
	OPT_END,
};

static void
begin(struct focus *self, const struct focus_options *o, const struct reference *ref)
{
	self->standard = standard_of(o->mu, o->sigma, ref);
	self->threshold = o->threshold;
}

/* Does b lie on or above the line from a to c, so that it is no vertex of the lower hull? */
static bool
above(const struct vertex *a, const struct vertex *b, const struct vertex *c)
{
	return (b->sum - a->sum) * (c->tau - a->tau) >= (c->sum - a->sum) * (b->tau - a->tau);
}

static void
push(struct hull *h, struct vertex v)
{
	/* A point at or below all others forgets them. */
	if (h->n > 0 && v.sum <= h->vertex[0].sum)
		h->n = 0;
	while (h->n > 1 && above(&h->vertex[h->n - 2], &h->vertex[h->n - 1], &v))
		h->n--;
	if (h->n == VERTICES) {
		for (uint32_t i = 0; i < VERTICES / 2; i++)
			h->vertex[i] = h->vertex[2 * i];
		h->n = VERTICES / 2;
	}
	h->vertex[h->n++] = v;
}

static double
largest(const struct hull *h, double n, double sum)
{
	double most = 0.0;

	for (uint32_t i = 0; i < h->n; i++) {
		double rise = sum - h->vertex[i].sum;

		if (rise > 0.0)
			most = fmax(most, rise * rise / (2.0 * (n - h->vertex[i].tau)));
	}
	return most;
}

static void
step(void *instance, double x, double g, double threshold, struct reading *out)
{
	struct focus *self = instance;
	double up, down;

	(void)g;
	(void)threshold;
	push(&self->side[0], (struct vertex){ self->n, self->sum });
	push(&self->side[1], (struct vertex){ self->n, -self->sum });
	self->n += 1.0;
	self->sum = plain_cut(self->sum + standard_z(&self->standard, x));
	up = largest(&self->side[0], self->n, self->sum);
	down = largest(&self->side[1], self->n, -self->sum);
	out->statistic = fmax(up, down);
	out->alarm = out->statistic >= self->threshold;
}

PLAIN_DETECTOR(focus)

static void
focus_reset(void *instance)
{
	struct focus *self = instance;

	self->n = self->sum = 0.0;
	self->side[0].n = self->side[1].n = 0;
}

static void
focus_save(const void *instance, struct codec *out)
{
	const struct focus *self = instance;

	codec_put_f64(out, self->n);
	codec_put_f64(out, self->sum);
	for (int i = 0; i < 2; i++) {
		codec_put_u32(out, self->side[i].n);
		for (uint32_t k = 0; k < self->side[i].n; k++) {
			codec_put_f64(out, self->side[i].vertex[k].tau);
			codec_put_f64(out, self->side[i].vertex[k].sum);
		}
	}
}

/* Vertices lie in the past, in order, and rise from the first one. */
static bool
load_hull(struct hull *h, double n, struct codec *in)
{
	h->n = codec_get_u32(in);
	if (in->bad || h->n > VERTICES || (h->n > 0) != (n > 0.0))
		return false;
	for (uint32_t k = 0; k < h->n; k++) {
		struct vertex *v = &h->vertex[k];

		v->tau = codec_get_f64(in);
		v->sum = codec_get_f64(in);
		if (!plain_between(v->tau, k > 0 ? v[-1].tau + 1.0 : 0.0, n - 1.0)
		    || v->tau > floor(v->tau)
		    || !plain_between(v->sum, -PLAIN_VALUE_MAX, PLAIN_VALUE_MAX)
		    || (k > 0 && v->sum < h->vertex[0].sum))
			return false;
	}
	return true;
}

static int
focus_load(void *instance, struct codec *in, struct diag *d)
{
	struct focus *self = instance;
	bool fine;

	self->n = codec_get_f64(in);
	self->sum = codec_get_f64(in);
	fine = plain_between(self->n, 0.0, 0x1p53) && self->n <= floor(self->n)
	       && plain_between(self->sum, -PLAIN_VALUE_MAX, PLAIN_VALUE_MAX)
	       && load_hull(&self->side[0], self->n, in) && load_hull(&self->side[1], self->n, in);
	return plain_loaded(fine && !in->bad, name, d);
}

const struct detector focus_detector = {
	.name = name,
	.summary = "a shift of a known mean by any amount, by likelihood ratios",
	.source = "contract 8; Romano, Eckley, Fearnhead, Rigaill 2023",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct focus_options),
	.bytes = focus_bytes,
	.create = focus_create,
	.destroy = free,
	.update = focus_update,
	.reset = focus_reset,
	.skip = plain_skip,
	.save = focus_save,
	.load = focus_load,
};
