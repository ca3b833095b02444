/* metric_pit.c -- `pit`: is the probability integral transform u = F(y) uniform? Neyman's smooth
 * test (1937) with the orthonormal Legendre polynomials on [0, 1]:
 *
 *   psi_j = sum sqrt(2j+1) P_j(2u - 1) / sqrt n, j = 1..4;  neyman = sum psi_j^2 ~ chi2_4
 *
 * psi1 points at bias, psi2 at spread, psi3 at skew, psi4 at tails. u is given, or
 * Phi((y-mu)/sigma), or the randomised rank of y among the samples: (#{v < y} + U (#{v = y} + 1)) /
 * (S + 1), U by row number.
 */
#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/metric/metric.h"

enum { ORDER = 4 };
enum { U, MU, SIGMA, SAMPLES, Y };

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

static double
randomised_rank(const struct pit_state *s, const struct metric_input *samples, double y,
                uint64_t row)
{
	double below = 0.0, equal = 0.0;

	for (size_t i = 0; i < samples->n; i++) {
		below += samples->value[i] < y ? 1.0 : 0.0;
		equal += samples->value[i] <= y && samples->value[i] >= y ? 1.0 : 0.0;
	}
	return (below + rng_uniform(s->seed, 0, row) * (equal + 1.0)) / ((double)samples->n + 1.0);
}

static int
add(void *self, const struct metric_row *row, struct diag *d)
{
	struct pit_state *s = self;
	const struct metric_input *in = row->in;
	double u, x, last = 1.0, legendre;

	if (!in[U].given && !in[Y].given)
		return diag_set(d, ERR_INVALID, "no u and no y");
	if (in[U].given)
		u = in[U].number;
	else if (in[MU].given && in[SIGMA].given && in[SIGMA].number > 0.0)
		u = special_normal_cdf((in[Y].number - in[MU].number) / in[SIGMA].number);
	else if (in[SAMPLES].given)
		u = randomised_rank(s, &in[SAMPLES], in[Y].number, row->number);
	else
		return diag_set(d, ERR_INVALID, "no u, no mu and sigma above 0, no samples");
	s->n += 1.0;
	s->sum += u;
	x = 2.0 * u - 1.0;
	legendre = x;
	for (int j = 1; j <= ORDER; j++) {
		double next = ((2.0 * j + 1.0) * x * legendre - j * last) / (j + 1.0);

		s->psi[j - 1] += sqrt(2.0 * j + 1.0) * legendre;
		last = legendre;
		legendre = next;
	}
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
	.summary = "uniformity of u = F(y) from u, mu and sigma, or samples",
	.source = "Neyman 1937; Dawid 1984",
	.fields = fields,
	.options = options,
	.seeded = true,
	.create = create,
	.destroy = free,
	.add = add,
	.values = values,
};
