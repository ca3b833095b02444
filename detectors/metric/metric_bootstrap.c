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
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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
 * cumulative probability P exactly when m >= floor(2^52 P - .5) + 1, in integers. Beyond the table, which is
 * one weight in 1700, the function itself is asked. */
enum { STEPS = 6, LANES_MAX = 8 };

_Static_assert(METRIC_REPLICAS % LANES_MAX == 0, "whole vectors of replicas");

struct bootstrap_kernel {
	/* rng_bits() of streams whose sums of seed, stream and number are first, first + STREAM_STEP ..
	 * True: some weight is STEPS or more. */
	bool (*weights)(uint64_t first, double *weight);
	void (*add)(const double *weight, double x, double *sum);
};

/* floor(2^52 P - .5) + 1 for P = sum of exp(-1) / i! over i <= k. */
static const int64_t above[STEPS] = {
	0x5e2d58d8b3bce, 0xbc5ab1b16779c, 0xeb715e1dc1583,
	0xfb23979734a26, 0xff1025f59174e, 0xffd90f3ba4056,
};

#define STREAM_STEP 0xD1B54A32D192ED03u
#define MIX_1 0xBF58476D1CE4E5B9u
#define MIX_2 0x94D049BB133111EBu
/* An integer in the last bits of 2^52 becomes a double. */
#define NUMBER_BITS 0x4330000000000000

/* `lanes` streams side by side. */
#define BOOTSTRAP_WEIGHTS(name, target, lanes)                                                     \
	target static bool name##_weights(uint64_t first, double *weight)                          \
	{                                                                                          \
		typedef uint64_t bits __attribute__((vector_size(8 * (lanes)), may_alias, aligned(8))); \
		typedef int64_t whole __attribute__((vector_size(8 * (lanes)), may_alias, aligned(8))); \
		typedef double number __attribute__((vector_size(8 * (lanes)), may_alias, aligned(8))); \
		bits state = { 0 };                                                                \
		whole beyond = { 0 };                                                              \
		int64_t any = 0;                                                                   \
                                                                                                   \
		for (uint64_t i = 0; i < (lanes); i++)                                             \
			state[i] = first + i * STREAM_STEP;                                        \
		for (int b = 0; b < METRIC_REPLICAS; b += (lanes)) {                               \
			bits z = state;                                                            \
			whole m, k = { 0 };                                                        \
                                                                                                   \
			z = (z ^ (z >> 30)) * MIX_1;                                               \
			z = (z ^ (z >> 27)) * MIX_2;                                               \
			m = (whole)((z ^ (z >> 31)) >> 12);                                        \
			for (int i = 0; i < STEPS; i++)                                            \
				k -= m >= above[i];                                                \
			beyond |= m >= above[STEPS - 1];                                           \
			*(number *)(weight + b) = (number)(k | NUMBER_BITS) - 0x1p52;              \
			state += (uint64_t)(lanes) * STREAM_STEP;                                  \
		}                                                                                  \
		for (int i = 0; i < (lanes); i++)                                                  \
			any |= beyond[i];                                                          \
		return any;                                                                        \
	}

#define BOOTSTRAP_ADD(name, target, lanes)                                                         \
	target static void name##_add(const double *weight, double x, double *sum)                 \
	{                                                                                          \
		typedef double number __attribute__((vector_size(8 * (lanes)), may_alias, aligned(8))); \
                                                                                                   \
		for (int b = 0; b < METRIC_REPLICAS; b += (lanes))                                 \
			*(number *)(sum + b) += *(const number *)(weight + b) * x;                 \
	}                                                                                          \
	static const struct bootstrap_kernel name = { name##_weights, name##_add };

/* SSE2 multiplies no numbers of 64 bits: one by one. */
BOOTSTRAP_WEIGHTS(base, , 1)
BOOTSTRAP_ADD(base, , 2)
#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512dq")))
BOOTSTRAP_WEIGHTS(avx2, AVX2, 4)
BOOTSTRAP_ADD(avx2, AVX2, 4)

/* Counted where the comparison holds, which takes a third fewer instructions. */
AVX512 static bool
avx512_weights(uint64_t first, double *weight)
{
	const __m512i mix_1 = _mm512_set1_epi64((int64_t)MIX_1), mix_2 = _mm512_set1_epi64((int64_t)MIX_2);
	const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	const __m512i step = _mm512_set1_epi64((int64_t)(8 * STREAM_STEP));
	const __m512d one = _mm512_set1_pd(1.0);
	__m512i state = _mm512_mullo_epi64(lane, _mm512_set1_epi64((int64_t)STREAM_STEP));
	unsigned any = 0;

	state = _mm512_add_epi64(state, _mm512_set1_epi64((int64_t)first));
	for (int b = 0; b < METRIC_REPLICAS; b += 8) {
		__m512i z = _mm512_xor_si512(state, _mm512_srli_epi64(state, 30));
		__m512d count = _mm512_setzero_pd();
		__mmask8 more = 0;

		z = _mm512_mullo_epi64(z, mix_1);
		z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 27)), mix_2);
		z = _mm512_srli_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 31)), 12);
		_Pragma("GCC unroll 6")
		for (int i = 0; i < STEPS; i++) {
			more = _mm512_cmpge_epi64_mask(z, _mm512_set1_epi64(above[i]));
			count = _mm512_mask_add_pd(count, more, count, one);
		}
		any |= more;
		_mm512_storeu_pd(weight + b, count);
		state = _mm512_add_epi64(state, step);
	}
	return any;
}
BOOTSTRAP_ADD(avx512, AVX512, 8)
#endif

static const struct bootstrap_kernel *
kernel_for(enum isa isa)
{
#if defined(__x86_64__)
	if ((isa == ISA_BEST || isa == ISA_AVX512) && __builtin_cpu_supports("avx512dq"))
		return &avx512;
	if ((isa == ISA_BEST || isa == ISA_AVX2) && __builtin_cpu_supports("avx2"))
		return &avx2;
#endif
	return &base;
}

void
metric_bootstrap_weights(enum isa isa, uint64_t seed, uint64_t key, double weight[METRIC_REPLICAS])
{
	if (!kernel_for(isa)->weights(seed + STREAM_STEP + key * 0x9E3779B97F4A7C15u, weight))
		return;
	for (uint64_t b = 0; b < METRIC_REPLICAS; b++)
		if (weight[b] >= STEPS)
			weight[b] = poisson_1(rng_uniform(seed, b + 1, key));
}

void
metric_bootstrap_add(const double weight[METRIC_REPLICAS], double x, double sum[METRIC_REPLICAS])
{
	kernel_for(ISA_BEST)->add(weight, x, sum);
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
