/* metric_pit.c -- `pit`: is the probability integral transform u = F(y) uniform? Neyman's smooth
 * test (1937) with the orthonormal Legendre polynomials on [0, 1]:
 *
 *   psi_j = sum sqrt(2j+1) P_j(2u - 1) / sqrt n, j = 1..4;  neyman = sum psi_j^2 ~ chi2_4
 *
 * psi1 points at bias, psi2 at spread, psi3 at skew, psi4 at tails. u is given, or
 * Phi((y-mu)/sigma), or the randomised rank of y among the samples: (#{v < y} + U (#{v = y} + 1)) /
 * (S + 1), or uniform between the levels of the quantiles around y; U by row number.
 */
#include "detectors/metric/metric_pit.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/metric/metric.h"

enum { ORDER = METRIC_PIT_ORDER };
enum { U, MU, SIGMA, SAMPLES, Y, QUANTILES };

struct pit_state {
	uint64_t seed;
	double n, sum;
	double psi[ORDER]; /* sums of the polynomials */
};

static const struct option options[] = { OPT_END };

static const struct metric_field fields[] = {
	[U] = { "u", METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 1.0 },
	[MU] = { "mu", METRIC_NUMBER, METRIC_OPTIONAL, -HUGE_VAL, HUGE_VAL },
	[SIGMA] = { "sigma", METRIC_NUMBER, METRIC_OPTIONAL, 0.0, HUGE_VAL },
	[SAMPLES] = { "samples", METRIC_ARRAY, METRIC_OPTIONAL, 0.0, 0.0 },
	[Y] = { "y", METRIC_NUMBER, METRIC_OPTIONAL, -HUGE_VAL, HUGE_VAL },
	[QUANTILES] = { "quantiles", METRIC_LEVELS, METRIC_OPTIONAL, 0.0, 0.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
create(void **out, const void *opts, uint64_t seed, struct diag *d)
{
	int err = metric_state(out, sizeof(struct pit_state), opts, 0, d);

	if (err == 0)
		((struct pit_state *)*out)->seed = seed;
	return err;
}

double
metric_pit_samples(const double *value, size_t n, double y, double uniform)
{
	double below = 0.0, equal = 0.0;

	for (size_t i = 0; i < n; i++) {
		below += value[i] < y ? 1.0 : 0.0;
		equal += value[i] <= y && value[i] >= y ? 1.0 : 0.0;
	}
	return (below + uniform * (equal + 1.0)) / ((double)n + 1.0);
}

double
metric_pit_normal(double mu, double sigma, double y)
{
	return special_normal_cdf((y - mu) / sigma);
}

double
metric_pit_quantiles(const double *level, const double *value, size_t n, double y, double uniform)
{
	size_t below = 0;
	double low, high;

	for (size_t i = 0; i < n; i++)
		below += value[i] < y;
	low = below > 0 ? level[below - 1] : 0.0;
	high = below < n ? level[below] : 1.0;
	return low + uniform * (high - low);
}

void
metric_pit_polynomials(double u, double out[METRIC_PIT_ORDER])
{
	double x = 2.0 * u - 1.0, last = 1.0, legendre = x;

	for (int j = 1; j <= METRIC_PIT_ORDER; j++) {
		double next = ((2.0 * j + 1.0) * x * legendre - j * last) / (j + 1.0);

		out[j - 1] = sqrt(2.0 * j + 1.0) * legendre;
		last = legendre;
		legendre = next;
	}
}

static bool
ascending(const struct metric_input *quantiles)
{
	for (size_t i = 1; i < quantiles->n; i++)
		if (quantiles->level[i] <= quantiles->level[i - 1])
			return false;
	return true;
}

static int
add(void *self, const struct metric_row *row, struct diag *d)
{
	struct pit_state *s = self;
	const struct metric_input *in = row->in;
	double u, polynomial[ORDER], uniform = rng_uniform(s->seed, 0, row->number);

	if (!in[U].given && !in[Y].given)
		return diag_set(d, ERR_INVALID, "no u and no y");
	if (in[U].given)
		u = in[U].number;
	else if (in[MU].given && in[SIGMA].given && in[SIGMA].number > 0.0)
		u = metric_pit_normal(in[MU].number, in[SIGMA].number, in[Y].number);
	else if (in[SAMPLES].given)
		u = metric_pit_samples(in[SAMPLES].value, in[SAMPLES].n, in[Y].number, uniform);
	else if (in[QUANTILES].given && ascending(&in[QUANTILES]))
		u = metric_pit_quantiles(in[QUANTILES].level, in[QUANTILES].value, in[QUANTILES].n,
		                         in[Y].number, uniform);
	else
		return diag_set(d, ERR_INVALID, "no u, no mu and sigma above 0, no samples, no quantiles at"
		                                " ascending levels");
	s->n += 1.0;
	s->sum += u;
	metric_pit_polynomials(u, polynomial);
	for (int j = 0; j < ORDER; j++)
		s->psi[j] += polynomial[j];
	return 0;
}

static size_t
values(void *self, struct metric_value *out)
{
	static const char *const names[ORDER] = { "psi1", "psi2", "psi3", "psi4" };
	const struct pit_state *s = self;
	double neyman = 0.0;

	out[0] = (struct metric_value){ "pit_mean", s->n > 0.0 ? s->sum / s->n : (double)NAN };
	for (int j = 0; j < ORDER; j++) {
		double psi = s->n > 0.0 ? s->psi[j] / sqrt(s->n) : (double)NAN;

		neyman += psi * psi;
		out[1 + j] = (struct metric_value){ names[j], psi };
	}
	out[ORDER + 1] = (struct metric_value){ "neyman", neyman };
	out[ORDER + 2] = (struct metric_value){
		"p_value", isnan(neyman) ? neyman : special_chi2_tail(neyman, ORDER)
	};
	return ORDER + 3;
}

extern const struct metric metric_pit;

const struct metric metric_pit = {
	.name = "pit",
	.summary = "uniformity of u = F(y) from u, mu and sigma, samples or quantiles",
	.source = "Neyman 1937; Dawid 1984",
	.fields = fields,
	.options = options,
	.seeded = true,
	.create = create,
	.destroy = free,
	.add = add,
	.values = values,
};
