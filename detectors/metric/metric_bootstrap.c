/* metric_bootstrap.c -- `bootstrap`: interval of a mean by the Poisson bootstrap (Chamandy et al.
 * 2012), in one pass: replica b counts a row w ~ Poisson(1) times, w by inversion of U(seed, b,
 * key), so rows of one key (a user, a day) stay together and the weights do not depend on the
 * order.
 *
 *   lower, upper = ordered replica means number ceil(B alpha/2) and ceil(B (1 - alpha/2))
 *
 * A replica without a row has no mean; it sorts last. Cost per row: B draws.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/rng.h"
#include "detectors/metric/metric.h"
#include "detectors/metric/metric_bootstrap.h"

enum { X, KEY, REPLICAS_MAX = 100000 };

struct bootstrap_options {
	uint32_t replicas;
	double alpha;
};

struct replica {
	double weight, sum;
};

struct bootstrap_state {
	struct bootstrap_options o;
	uint64_t seed;
	double n, sum;
	double *mean;             /* [replicas] scratch of values() */
	struct replica replica[]; /* [replicas] */
};

static const struct option options[] = {
	OPT_U32(struct bootstrap_options, replicas, "B", "200", 1, REPLICAS_MAX,
	        "Number of replicas."),
	OPT_F64(struct bootstrap_options, alpha, "alpha", "0.05", 1e-12, 1.0,
	        "Share of intervals that may miss the true mean."),
	OPT_END,
};

static const struct metric_field fields[] = {
	[X] = { "x", METRIC_NUMBER, METRIC_REQUIRED, -HUGE_VAL, HUGE_VAL },
	[KEY] = { "key", METRIC_INTEGER, METRIC_OPTIONAL, -0x1p63, 0x1p63 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
create(void **out, const void *opts, uint64_t seed, struct diag *d)
{
	const struct bootstrap_options *o = opts;
	struct bootstrap_state *s;
	void *memory;
	int err = metric_state(&memory,
	                       sizeof *s + o->replicas * (sizeof s->replica[0] + sizeof *s->mean),
	                       o, sizeof *o, d);

	*out = memory;
	if (err != 0)
		return err;
	s = memory;
	s->seed = seed;
	s->mean = (double *)(void *)(s->replica + o->replicas);
	return 0;
}

/* Number of the first cumulative Poisson(1) probability at or above u. */
static double
poisson_1(double u)
{
	double probability = 0.36787944117144232160, total = probability, k = 0.0;

	while (u > total && k < 32.0) {
		k += 1.0;
		probability /= k;
		total += probability;
	}
	return k;
}

/* The same weights as poisson_1(rng_uniform()) without a branch or a division: u = (m + .5) 2^-52 is above a
 * cumulative probability P exactly when m >= floor(2^52 P - .5) + 1, in integers. */
void
metric_bootstrap_weights(uint64_t seed, uint64_t key, double weight[METRIC_REPLICAS])
{
	enum { STEPS = 5 };
	static const double number[STEPS + 1] = { 0, 1, 2, 3, 4, 5 };
	double probability = 0.36787944117144232160, total = probability;
	uint64_t above[STEPS];

	for (int k = 0; k < STEPS; k++) {
		above[k] = (uint64_t)floor(total * 0x1p52 - 0.5) + 1;
		probability /= k + 1;
		total += probability;
	}
	for (uint64_t b = 0; b < METRIC_REPLICAS; b++) {
		uint64_t m = rng_bits(seed, b + 1, key);
		unsigned k = 0;

		for (int i = 0; i < STEPS; i++)
			k += m >= above[i];
		weight[b] = number[k];
		if (__builtin_expect(k == STEPS, 0)) /* one in 270 */
			weight[b] = poisson_1(rng_uniform(seed, b + 1, key));
	}
}

static int
add(void *self, const struct metric_row *row, struct diag *d)
{
	struct bootstrap_state *s = self;
	double x = row->in[X].number;
	uint64_t key = row->in[KEY].given ? (uint64_t)row->in[KEY].integer : row->number;

	(void)d;
	s->n += 1.0;
	s->sum += x;
	for (uint32_t b = 0; b < s->o.replicas; b++) {
		double w = poisson_1(rng_uniform(s->seed, (uint64_t)b + 1, key));

		s->replica[b].weight += w;
		s->replica[b].sum += w * x;
	}
	return 0;
}

/* The mean number ceil(rank) from 1; the small term keeps 200 * .975 = 195 from becoming 196. */
static double
ordered(const double *mean, uint32_t defined, uint32_t replicas, double rank)
{
	double at = ceil(rank - 1e-9);

	at = fmin(fmax(at, 1.0), replicas);
	return at <= defined ? mean[(size_t)at - 1] : (double)NAN;
}

void
metric_bootstrap_limits(double *mean, uint32_t n, uint32_t replicas, double alpha, double *lower,
                        double *upper)
{
	metric_sort(mean, n);
	*lower = ordered(mean, n, replicas, replicas * alpha / 2.0);
	*upper = ordered(mean, n, replicas, replicas * (1.0 - alpha / 2.0));
}

static size_t
values(void *self, struct metric_value *out)
{
	struct bootstrap_state *s = self;
	uint32_t defined = 0, b = s->o.replicas;
	double lower, upper;

	for (uint32_t i = 0; i < b; i++)
		if (s->replica[i].weight > 0.0)
			s->mean[defined++] = s->replica[i].sum / s->replica[i].weight;
	metric_bootstrap_limits(s->mean, defined, b, s->o.alpha, &lower, &upper);
	out[0] = (struct metric_value){ "mean", s->n > 0.0 ? s->sum / s->n : (double)NAN };
	out[1] = (struct metric_value){ "lower", lower };
	out[2] = (struct metric_value){ "upper", upper };
	return 3;
}

extern const struct metric metric_bootstrap;

const struct metric metric_bootstrap = {
	.name = "bootstrap",
	.summary = "mean of x with a bootstrap interval that keeps rows of one key together",
	.source = "Chamandy, Muralidharan, Najmi and Naidu 2012",
	.fields = fields,
	.options = options,
	.options_size = sizeof(struct bootstrap_options),
	.seeded = true,
	.create = create,
	.destroy = free,
	.add = add,
	.values = values,
};
