/* metric_crps.c -- `crps`: means of the continuous ranked probability score
 * (Gneiting and Raftery 2007; fair: Ferro 2014).
 *
 *   samples    1/n sum |x_i - y| - 1/n^2 sum (2i - n - 1) x_(i);  fair: 1/(n (n-1)) instead of
 *   1/n^2 normal     sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)),  z = (y - mu)/sigma
 *   quantiles  2/n sum (tau - [y < q]) (y - q)
 *
 * A row may hold several kinds of forecast; each mean is over the rows that hold its kind.
 */
#include "detectors/metric/metric_crps.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/special.h"
#include "detectors/metric/metric.h"

double
metric_crps_samples(const double *sorted, size_t n, double y, double *fair)
{
	double size = (double)n, distance = 0.0, spread = 0.0;

	for (size_t i = 0; i < n; i++) {
		distance += fabs(sorted[i] - y);
		spread += (2.0 * (double)i + 1.0 - size) * sorted[i];
	}
	distance /= size;
	*fair = n > 1 ? distance - spread / (size * (size - 1.0)) : (double)NAN;
	return distance - spread / (size * size);
}

double
metric_crps_normal(double mu, double sigma, double y)
{
	const double inv_sqrt_pi = 0.56418958354775628695, sqrt_2_by_pi = 0.79788456080286535588;
	const double sqrt_half = 0.70710678118654752440;
	double z;

	if (sigma <= 0.0)
		return fabs(y - mu);
	z = (y - mu) / sigma;
	return sigma * (z * erf(z * sqrt_half) + sqrt_2_by_pi * exp(-0.5 * z * z) - inv_sqrt_pi);
}

double
metric_crps_quantiles(const double *level, const double *value, size_t n, double y)
{
	double sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += (level[i] - (y < value[i] ? 1.0 : 0.0)) * (y - value[i]);
	return 2.0 * sum / (double)n;
}

enum { Y, SAMPLES, MU, SIGMA, QUANTILES };

static const struct metric_field fields[] = {
	[Y] = { "y", METRIC_NUMBER, METRIC_SELECTS, -HUGE_VAL, HUGE_VAL },
	[SAMPLES] = { "samples", METRIC_ARRAY, METRIC_OPTIONAL, 0.0, 0.0 },
	[MU] = { "mu", METRIC_NUMBER, METRIC_OPTIONAL, -HUGE_VAL, HUGE_VAL },
	[SIGMA] = { "sigma", METRIC_NUMBER, METRIC_OPTIONAL, 0.0, HUGE_VAL },
	[QUANTILES] = { "quantiles", METRIC_LEVELS, METRIC_OPTIONAL, 0.0, 0.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static const struct option options[] = { OPT_END };

struct mean {
	double n, sum;
};

struct crps_state {
	struct mean samples, fair, normal, quantiles;
	struct metric_series sorted;
};

static int
create(void **out, const void *opts, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct crps_state), opts, 0, d);
}

static void
destroy(void *self)
{
	struct crps_state *s = self;

	if (s == NULL)
		return;
	metric_series_finish(&s->sorted);
	free(s);
}

static void
mean_add(struct mean *m, double value)
{
	m->n += 1.0;
	m->sum += value;
}

static int
add(void *self, const struct metric_row *row, struct diag *d)
{
	struct crps_state *s = self;
	const struct metric_input *in = row->in;
	double y = in[Y].number, fair;

	if (in[MU].given != in[SIGMA].given)
		return diag_set(d, ERR_INVALID, "mu and sigma belong together");
	if (!in[SAMPLES].given && !in[MU].given && !in[QUANTILES].given)
		return diag_set(d, ERR_INVALID, "no samples, no mu and sigma, no quantiles");
	if (in[SAMPLES].given) {
		s->sorted.n = 0;
		for (size_t i = 0; i < in[SAMPLES].n; i++)
			if (metric_series_push(&s->sorted, in[SAMPLES].value[i], d) != 0)
				return ERR_IO;
		metric_sort(s->sorted.value, s->sorted.n);
		mean_add(&s->samples,
		         metric_crps_samples(s->sorted.value, s->sorted.n, y, &fair));
		mean_add(&s->fair, fair);
	}
	if (in[MU].given)
		mean_add(&s->normal, metric_crps_normal(in[MU].number, in[SIGMA].number, y));
	if (in[QUANTILES].given)
		mean_add(&s->quantiles, metric_crps_quantiles(in[QUANTILES].level,
		                                              in[QUANTILES].value,
		                                              in[QUANTILES].n, y));
	return 0;
}

/* A kind without rows is left out; so is `fair` when one row of it was undefined. */
static size_t
put(struct metric_value *out, size_t n, const char *name, const struct mean *m)
{
	if (m->n <= 0.0 || isnan(m->sum))
		return n;
	out[n] = (struct metric_value){ name, m->sum / m->n };
	return n + 1;
}

static size_t
values(void *self, struct metric_value *out)
{
	const struct crps_state *s = self;
	size_t n = 0;

	n = put(out, n, "crps", &s->samples);
	n = put(out, n, "crps_fair", &s->fair);
	n = put(out, n, "crps_normal", &s->normal);
	return put(out, n, "crps_quantiles", &s->quantiles);
}

extern const struct metric metric_crps;

const struct metric metric_crps = {
	.name = "crps",
	.summary = "continuous ranked probability score of samples, a normal or quantiles for y",
	.source = "Gneiting and Raftery 2007; Ferro 2014",
	.fields = fields,
	.options = options,
	.create = create,
	.destroy = destroy,
	.add = add,
	.values = values,
};
