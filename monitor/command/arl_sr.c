/* arl_sr.c -- `driftd arl sr-normal|sr-bernoulli|sr-mean`, by the detectors themselves on made-up records.
 * See arl.h. */
#include <math.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/run_length/renewal.h"
#include "monitor/command/arl.h"

enum {
	RECORDS_MAX = 100000, /* of a path; later ones are told as "more than half of the paths miss it" */
	DRAW_STREAM = 7,
};
/* The ARL in units of the threshold hardly changes above it (renewal theory), and costs in proportion. */
static const double simulated_threshold_max = 1e4;

enum law { LAW_NORMAL, LAW_RATE, LAW_MEAN };

struct sr {
	enum law law;
	double mu, sigma; /* LAW_NORMAL */
	double null;      /* the rate or mean that is still fine */
	double spread;    /* LAW_MEAN: x = mean + spread (b - mean), b = 1 with probability mean */
	double size;      /* the change now simulated */
	uint64_t seed, drawn;
};

static void
draw(void *context, bool changed, uint32_t rows, double *value, uint32_t *code)
{
	struct sr *s = context;

	(void)code;
	for (uint32_t i = 0; i < rows; i++) {
		double u = rng_uniform(s->seed, DRAW_STREAM, ++s->drawn), mean = changed ? s->size : s->null;

		if (s->law == LAW_NORMAL)
			value[i] = s->mu + s->sigma * (special_normal_quantile(u) + mean);
		else if (s->law == LAW_RATE)
			value[i] = u < mean;
		else
			value[i] = mean + s->spread * ((u < mean) - mean);
	}
}

static double
own_number(const struct detector *det, const void *own, const char *name)
{
	double x;

	memcpy(&x, (const char *)own + option_find(det->options, name)->offset, sizeof x);
	return x;
}

static bool
own_is_down(const struct detector *det, const void *own)
{
	int side;

	memcpy(&side, (const char *)own + option_find(det->options, "side")->offset, sizeof side);
	return side != 0;
}

static int
law_of(struct sr *s, const struct detector *det, const void *own, const struct arl_options *o,
       struct arl_answer *out, struct diag *d)
{
	double most;

	if (strcmp(det->name, "sr-normal") == 0) {
		s->law = LAW_NORMAL;
		s->mu = own_number(det, own, "mu");
		s->sigma = own_number(det, own, "sigma");
		out->law = "independent normal values, mean and sigma known";
		out->change_name = "shift, sigma";
		return 0;
	}
	if (strcmp(det->name, "sr-bernoulli") == 0) {
		s->law = LAW_RATE;
		s->null = own_number(det, own, "p0");
		out->law = "independent 0/1 records, rate p0";
		out->change_name = "rate";
		return 0;
	}
	s->law = LAW_MEAN;
	s->null = own_number(det, own, "m");
	out->law = "independent values of two kinds with mean m and the stated sd, before and after";
	out->change_name = "mean";
	most = sqrt(s->null * (1 - s->null));
	s->spread = isnan(o->sd) ? 1 : o->sd / most;
	if (s->spread > 1)
		return diag_set(d, ERR_INVALID, "sd: %g, but values in [0, 1] with mean %g have at most %g",
		                o->sd, s->null, most);
	return 0;
}

/* The sizes asked for, or the usual ones. */
static int
sizes(const struct sr *s, bool down, const struct arl_options *o, struct arl_answer *out, struct diag *d)
{
	static const double shift[] = { .25, .5, 1, 2 }, up[] = { 1.2, 1.5, 2, 3 }, lower[] = { .8, .5, .25, .1 },
		toward[] = { .05, .1, .25, .5 };
	bool usual = o->change.n == 1 && o->change.value[0] == 0;
	double room = down ? -s->null : 1 - s->null;

	out->changes = usual ? 4 : o->change.n;
	for (uint32_t i = 0; i < out->changes; i++) {
		double size = !usual                ? o->change.value[i]
		              : s->law == LAW_NORMAL ? shift[i]
		              : s->law == LAW_MEAN   ? s->null + toward[i] * room
		              : down                 ? lower[i] * s->null
		                                     : fmin(up[i] * s->null, (1 + s->null) / 2);

		if (s->law != LAW_NORMAL && !(size >= 0 && size <= 1))
			return diag_set(d, ERR_INVALID, "change: %g is no %s between 0 and 1", size,
			                out->change_name);
		out->change[i].size = size;
	}
	return 0;
}

static void
renewal(const struct detector *det, const void *own, struct arl_answer *out)
{
	struct option_list shifts;

	memcpy(&shifts, (const char *)own + option_find(det->options, "shifts")->offset, sizeof shifts);
	out->length_renewal = out->threshold / renewal_zeta_mixture(shifts.value, shifts.n);
}

static void
measure(const struct paths *p, struct sr *s, const struct arl_options *o, struct arl_answer *out)
{
	double at = fmin(out->threshold, simulated_threshold_max);
	struct paths_length unit = paths_martingale_length(p, at, o->alarms);

	out->length = unit.mean / at * out->threshold;
	out->error = unit.error / at * out->threshold;
	out->length_bound = out->threshold;
	out->before = arl_before(o, out->threshold);
	out->threshold_average = out->threshold * at / unit.mean;
	for (uint32_t i = 0; i < out->changes; i++) {
		double threshold[2] = { out->threshold_average, out->threshold };
		struct paths_length length[2];

		s->size = out->change[i].size;
		paths_delay(p, out->before, o->paths, RECORDS_MAX, threshold, 2, length);
		out->change[i].average = length[0];
		out->change[i].delay = length[1];
	}
}

int
arl_sr(const struct arl_method *m, const struct arl_options *o, const void *own, uint64_t seed,
       struct arl_answer *out, struct diag *d)
{
	const struct detector *det = detector_find(m->name);
	struct sr s = { .seed = seed };
	void *self = NULL;
	int err = det->create(&self, own, NULL, 1, seed, 0, d);

	*out = (struct arl_answer){ .threshold = isnan(o->arl) ? o->threshold : o->arl,
		.length_renewal = (double)NAN, .length_upper = (double)NAN };
	if (!err)
		err = law_of(&s, det, own, o, out, d);
	if (!err)
		err = sizes(&s, s.law != LAW_NORMAL && own_is_down(det, own), o, out, d);
	if (!err && s.law == LAW_NORMAL)
		renewal(det, own, out);
	if (!err)
		measure(&(struct paths){ det, self, draw, &s }, &s, o, out);
	if (self)
		det->destroy(self);
	return err;
}
