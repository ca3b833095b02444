/* arl_chart.c -- `driftd arl cusum|ewma`, by the integral equation of the run length. See arl.h. */
#include <math.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/run_length/chart.h"
#include "monitor/command/arl.h"

static const double usual_before = 1000;
static const double usual_shift[] = { 0.25, 0.5, 1, 2, 3 };

static int
find_limit(const struct arl_method *m, const struct arl_options *o, struct chart *c, struct diag *d)
{
	if (isnan(o->arl)) {
		c->limit = c->kind == CHART_CUSUM ? o->h : o->l;
		return 0;
	}
	c->limit = chart_limit(c, o->arl);
	return isnan(c->limit) ? diag_set(d, ERR_INVALID, "%s: no %s gives %g records to a false alarm",
	                                  m->name, m->threshold_name, o->arl) : 0;
}

uint32_t
arl_before(const struct arl_options *o, double length)
{
	return o->before == OPTION_AUTO ? (uint32_t)fmin(usual_before, length / 10) : o->before;
}

int
arl_chart(const struct arl_method *m, const struct arl_options *o, const void *own, uint64_t seed,
          struct arl_answer *out, struct diag *d)
{
	bool cusum = strcmp(m->name, "cusum") == 0, usual = o->change.n == 1 && o->change.value[0] == 0;
	struct chart c = { cusum ? CHART_CUSUM : CHART_EWMA, cusum ? o->k : o->lambda, 0 };
	int err = find_limit(m, o, &c, d);

	(void)own;
	(void)seed;
	if (err)
		return err;
	*out = (struct arl_answer){ .law = "independent normal values, mean and sigma known",
		.change_name = "shift, sigma", .threshold = c.limit, .length = chart_length(&c, 0),
		.error = (double)NAN, .length_bound = (double)NAN, .length_renewal = (double)NAN,
		.length_upper = (double)NAN, .threshold_average = (double)NAN };
	if (isnan(out->length))
		return diag_set(d, ERR_INVALID, "%s: %s = %g is too far out for %s = %g to be computed", m->name,
		                m->threshold_name, c.limit, cusum ? "k" : "lambda", c.weight);
	if (cusum)
		out->length_upper = chart_length_upper(&c, 0);
	out->before = arl_before(o, out->length);
	out->changes = usual ? sizeof usual_shift / sizeof usual_shift[0] : o->change.n;
	for (uint32_t i = 0; i < out->changes; i++) {
		double size = usual ? usual_shift[i] : o->change.value[i];

		out->change[i] = (struct arl_change){ .size = size,
			.delay = { .mean = chart_delay(&c, size, out->before), .error = (double)NAN },
			.average = { .mean = (double)NAN, .error = (double)NAN } };
	}
	return 0;
}
