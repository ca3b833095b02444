/* metric_binomial.c -- `clopper-pearson` (1934) and `p0`, the null rate of conformal coverage.
 *
 *   lower = Beta quantile(alpha/2; k, n-k+1)    upper = Beta quantile(1 - alpha/2; k+1, n-k)
 *
 * The coverage of a split-conformal set given its calibration is Beta distributed (Vovk 2012).
 */
#include "detectors/metric/metric_binomial.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/special.h"
#include "detectors/metric/metric.h"

/* Beta quantile(1 - tail; a, b). From the small tail, as 1 - tail would round; but a quantile near
 * 0 would lose its own digits there. */
static double
upper_quantile(double tail, double a, double b)
{
	const double small = 1e-4;
	double x = 1.0 - special_beta_quantile(tail, b, a);

	return x < small ? special_beta_quantile(1.0 - tail, a, b) : x;
}

void
metric_clopper_pearson_limits(double k, double n, double alpha, double *lower, double *upper)
{
	*lower = k <= 0.0 ? 0.0 : special_beta_quantile(0.5 * alpha, k, n - k + 1.0);
	*upper = k >= n ? 1.0 : upper_quantile(0.5 * alpha, k + 1.0, n - k);
}

double
metric_binomial_tail(double k, double n, double p0)
{
	return k <= 0.0 ? 1.0 : special_beta_cdf(p0, k, n - k + 1.0);
}

double
metric_p0_rank(double n_cal, double alpha)
{
	return floor((n_cal + 1.0) * alpha);
}

double
metric_p0_value(double n_cal, double alpha, double delta, double streams, double tolerance)
{
	double l = metric_p0_rank(n_cal, alpha);

	if (l <= 0.0)
		return tolerance;
	if (l >= n_cal + 1.0)
		return 1.0 + tolerance;
	return upper_quantile(delta / streams, l, n_cal + 1.0 - l) + tolerance;
}

/* With more, limits near 0 and 1 are no longer told apart from them. */
#define COUNT_MAX 1e15

struct interval_options {
	double alpha;
};

struct interval_state {
	struct interval_options o;
	double lower, upper, tail; /* of the last row */
};

static const struct option interval_options[] = {
	OPT_F64(struct interval_options, alpha, "alpha", "0.05", 1e-12, 1.0,
	        "Share of intervals that may miss the true rate."),
	OPT_END,
};

static const struct metric_field interval_fields[] = {
	{ "k", METRIC_INTEGER, METRIC_REQUIRED, 0.0, COUNT_MAX },
	{ "n", METRIC_INTEGER, METRIC_REQUIRED, 0.0, COUNT_MAX },
	{ "p0", METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 1.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
interval_create(void **out, const void *options, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct interval_state), options,
	                    sizeof(struct interval_options), d);
}

static int
interval_add(void *self, const struct metric_row *row, struct diag *d)
{
	struct interval_state *s = self;
	double k = (double)row->in[0].integer, n = (double)row->in[1].integer;

	if (k > n)
		return diag_set(d, ERR_INVALID, "k is %.0f, more than n = %.0f", k, n);
	metric_clopper_pearson_limits(k, n, s->o.alpha, &s->lower, &s->upper);
	s->tail = row->in[2].given ? metric_binomial_tail(k, n, row->in[2].number) : (double)NAN;
	return 0;
}

static size_t
interval_values(void *self, struct metric_value *out)
{
	const struct interval_state *s = self;

	out[0] = (struct metric_value){ "lower", s->lower };
	out[1] = (struct metric_value){ "upper", s->upper };
	out[2] = (struct metric_value){ "tail", s->tail };
	return 3;
}

struct p0_options {
	double delta, streams, tolerance;
};

struct p0_state {
	struct p0_options o;
	double l, p0; /* of the last row */
};

static const struct option p0_options[] = {
	OPT_F64(struct p0_options, delta, "delta", "0.01", 1e-12, 1.0,
	        "Probability that any of the streams is above its p0."),
	OPT_F64(struct p0_options, streams, "streams", "1", 1.0, 1e9,
	        "Coverage streams that share the calibration."),
	OPT_F64(struct p0_options, tolerance, "tolerance", "0", 0.0, 1.0,
	        "Loss of coverage that does not matter, added to p0."),
	OPT_END,
};

static const struct metric_field p0_fields[] = {
	{ "n_cal", METRIC_INTEGER, METRIC_REQUIRED, 0.0, COUNT_MAX },
	{ "alpha", METRIC_NUMBER, METRIC_REQUIRED, 0.0, 1.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
p0_create(void **out, const void *options, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct p0_state), options, sizeof(struct p0_options), d);
}

static int
p0_add(void *self, const struct metric_row *row, struct diag *d)
{
	struct p0_state *s = self;
	double n_cal = (double)row->in[0].integer, alpha = row->in[1].number;

	(void)d;
	s->l = metric_p0_rank(n_cal, alpha);
	s->p0 = metric_p0_value(n_cal, alpha, s->o.delta, s->o.streams, s->o.tolerance);
	return 0;
}

static size_t
p0_values(void *self, struct metric_value *out)
{
	const struct p0_state *s = self;

	out[0] = (struct metric_value){ "l", s->l };
	out[1] = (struct metric_value){ "p0", s->p0 };
	return 2;
}

extern const struct metric metric_clopper_pearson, metric_p0;

const struct metric metric_clopper_pearson = {
	.name = "clopper-pearson",
	.summary = "exact limits for k of n, and the tail of k under p0",
	.source = "Clopper and Pearson 1934",
	.fields = interval_fields,
	.options = interval_options,
	.options_size = sizeof(struct interval_options),
	.each_row = true,
	.create = interval_create,
	.destroy = free,
	.add = interval_add,
	.values = interval_values,
};

const struct metric metric_p0 = {
	.name = "p0",
	.summary = "miss rate that a conformal predictor stays below, from n_cal and alpha",
	.source = "Vovk 2012, proposition 2",
	.fields = p0_fields,
	.options = p0_options,
	.options_size = sizeof(struct p0_options),
	.each_row = true,
	.create = p0_create,
	.destroy = free,
	.add = p0_add,
	.values = p0_values,
};
