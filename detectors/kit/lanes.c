/* lanes.c -- Shiryaev-Roberts accumulators of many bets, as SIMD (contract 2).
 *
 *     R <- min((g + R) L, 1e300)      P <- min(P L, 1e300)      S = weight * sum of R
 *     every LANES_BLOCK records:  G <- min(max(G, 1) P, 1e300),  P <- 1
 *
 * The loops are in lanes_kernel.h, compiled for vectors of 2, 4 and 8 doubles; the processor is
 * asked once, when the lanes are made. Only the sum crosses lanes, and its order is fixed.
 * A block is first computed without clamps; where its sums show that one would have acted, or where the
 * statistic crosses, it is computed again row by row, so the bits are those of the row by row loop.
 * Cost: 4 ns a record for 40 lanes with AVX-512.
 */
#include "detectors/kit/lanes.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"

#define LANES_TOP 1e300  /* R is clamped there, so P and G are */
#define LANES_CALM 1e299 /* a smaller sum of R had no clamped R in it */

struct lanes_kernel {
	uint32_t (*run)(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t rows,
	                double weight, double threshold, double *statistic);
	bool (*run_calm)(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t rows,
	                 double weight, double threshold, double *statistic);
	void (*fold)(struct lanes *l);
};

#define LANES_NAME(x) base_##x
#define LANES_TARGET
#define LANES_WIDTH 2
#define LANES_TOGETHER 8
#include "detectors/kit/lanes_kernel.h"

static const struct lanes_kernel base_kernel = { base_run, base_run_calm, base_fold };

#if defined(__x86_64__)
#define LANES_NAME(x) avx2_##x
#define LANES_TARGET __attribute__((target("avx2")))
#define LANES_WIDTH 4
#define LANES_TOGETHER 16
#include "detectors/kit/lanes_kernel.h"

#define LANES_NAME(x) avx512_##x
#define LANES_TARGET __attribute__((target("avx512f")))
#define LANES_WIDTH 8
#define LANES_TOGETHER 40
#include "detectors/kit/lanes_kernel.h"

static const struct lanes_kernel avx2_kernel = { avx2_run, avx2_run_calm, avx2_fold };
static const struct lanes_kernel avx512_kernel = { avx512_run, avx512_run_calm, avx512_fold };
#endif

bool
lanes_use(struct lanes *l, enum isa isa)
{
	if (!isa_choose(&isa))
		return false;
	l->kernel = &base_kernel;
#if defined(__x86_64__)
	if (isa == ISA_AVX2)
		l->kernel = &avx2_kernel;
	else if (isa == ISA_AVX512)
		l->kernel = &avx512_kernel;
#endif
	return true;
}

size_t
lanes_bytes(uint32_t n, uint32_t phases)
{
	return ((size_t)phases + 4 + LANES_SUMS + 2) * n * sizeof(double);
}

void
lanes_init(struct lanes *l, void *memory, uint32_t n, uint32_t phases, uint32_t real)
{
	double *at = memory;

	assert(n > 0 && n % 8 == 0 && phases > 0 && real > 0 && real <= n);
	*l = (struct lanes){ .n = n, .phases = phases, .real = real, .weight = 1.0 / real };
	l->r = at;
	at += (size_t)phases * n;
	l->p = at;
	l->g = at + n;
	l->start = at + 2 * (size_t)n;
	l->start_ms = at + 3 * (size_t)n;
	for (uint32_t s = 0; s < LANES_SUMS; s++)
		l->snap[s] = at + (4 + (size_t)s) * n;
	l->before = at + (4 + (size_t)LANES_SUMS) * n;
	for (uint32_t i = 0; i < n; i++)
		l->p[i] = 1;
	lanes_use(l, ISA_BEST);
}

size_t
lanes_own_bytes(uint32_t n)
{
	return 2 * sizeof(double) * n;
}

void
lanes_own_init(struct lanes *l, void *memory)
{
	l->own = memory;
	l->own_block = l->own + l->n;
}

static void
begin_block(struct lanes *l, int64_t time_ms)
{
	l->block_start = (double)l->records;
	l->block_ms = (double)time_ms;
	memcpy(l->block_sum, l->sum, sizeof(l->sum));
	if (l->own)
		memcpy(l->own_block, l->own, l->n * sizeof(double));
}

/* Rows of one block. */
static uint32_t
run_block(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t rows, double weight,
          double threshold, double *statistic)
{
	size_t bytes = l->n * sizeof(double);

	if (l->bounded && !in->phase && rows > 1) {
		memcpy(l->before, l->r, bytes);
		memcpy(l->before + l->n, l->p, bytes);
		if (l->kernel->run_calm(l, in, from, rows, weight, threshold, statistic))
			return rows;
		memcpy(l->r, l->before, bytes);
		memcpy(l->p, l->before + l->n, bytes);
	}
	return l->kernel->run(l, in, from, rows, weight, threshold, statistic);
}

static void
add_sums(struct lanes *l, const double (*add)[LANES_SUMS], uint32_t rows)
{
	double a = l->sum[0], b = l->sum[1], c = l->sum[2];

	for (uint32_t row = 0; row < rows; row++) {
		a += add[row][0];
		b += add[row][1];
		c += add[row][2];
	}
	l->sum[0] = a;
	l->sum[1] = b;
	l->sum[2] = c;
}

/* Rows [from, n) with S = weight * sum, until S >= threshold. */
static uint32_t
run(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t n, double weight,
    double threshold, double *statistic)
{
	while (from < n) {
		uint32_t rows = LANES_BLOCK - l->block_n, done;

		if (l->block_n == 0)
			begin_block(l, in->time_ms ? in->time_ms[from] : 0);
		if (rows > n - from)
			rows = n - from;
		done = run_block(l, in, from, rows, weight, threshold, statistic + from);
		if (in->add)
			add_sums(l, in->add + from, done);
		from += done;
		l->records += done;
		l->block_n += done;
		if (l->block_n == LANES_BLOCK) {
			l->kernel->fold(l);
			l->block_n = 0;
		}
		if (statistic[from - 1] >= threshold)
			break;
	}
	return from;
}

uint32_t
lanes_run(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t n,
          double threshold, double *statistic)
{
	return run(l, in, from, n, l->weight, threshold, statistic);
}

double
lanes_step(struct lanes *l, const double *factor, double g, uint32_t phase, int64_t time_ms,
           const double add[LANES_SUMS])
{
	struct lanes_rows in = { factor, 0, NULL, &g, &phase, &time_ms, NULL };
	double sum;

	run(l, &in, 0, 1, 1, HUGE_VAL, &sum);
	for (uint32_t s = 0; s < LANES_SUMS; s++)
		l->sum[s] += add[s];
	return sum;
}

void
lanes_reset(struct lanes *l)
{
	memset(l->r, 0, (size_t)l->phases * l->n * sizeof(double));
	memset(l->g, 0, l->n * sizeof(double));
	for (uint32_t i = 0; i < l->n; i++)
		l->p[i] = 1;
	memset(l->sum, 0, sizeof(l->sum));
	if (l->own)
		memset(l->own, 0, l->n * sizeof(double));
	l->block_n = 0;
}

uint32_t
lanes_best(const struct lanes *l, double *g, double *start, int64_t *start_ms,
           double since[LANES_SUMS])
{
	uint32_t best = UINT32_MAX;
	double most = 1;
	bool fresh;

	for (uint32_t i = 0; i < l->n; i++) {
		double now = l->g[i] < 1 ? 1 : l->g[i];

		if (l->block_n > 0)
			now *= l->p[i];
		if (now > most) {
			most = now;
			best = i;
		}
	}
	if (best == UINT32_MAX)
		return best;
	fresh = l->g[best] < 1; /* then only the present block speaks, and it has begun */
	*g = most < LANES_TOP ? most : LANES_TOP;
	*start = fresh ? l->block_start : l->start[best];
	*start_ms = (int64_t)(fresh ? l->block_ms : l->start_ms[best]);
	for (uint32_t s = 0; s < LANES_SUMS; s++)
		since[s] = l->sum[s] - (fresh ? l->block_sum[s] : l->snap[s][best]);
	if (l->own)
		since[0] = l->own[best] - (fresh ? l->own_block[best] : l->snap[0][best]);
	return best;
}

void
lanes_save(const struct lanes *l, struct codec *out)
{
	codec_put_u64(out, l->records);
	codec_put_u32(out, l->block_n);
	codec_put_f64(out, l->block_start);
	codec_put_f64(out, l->block_ms);
	codec_put_f64s(out, l->sum, LANES_SUMS);
	codec_put_f64s(out, l->block_sum, LANES_SUMS);
	codec_put_f64s(out, l->r, (size_t)l->phases * l->n);
	codec_put_f64s(out, l->p, l->n);
	codec_put_f64s(out, l->g, l->n);
	codec_put_f64s(out, l->start, l->n);
	codec_put_f64s(out, l->start_ms, l->n);
	for (uint32_t s = 0; s < LANES_SUMS; s++)
		codec_put_f64s(out, l->snap[s], l->n);
	if (l->own) {
		codec_put_f64s(out, l->own, l->n);
		codec_put_f64s(out, l->own_block, l->n);
	}
}

static bool
all_in(const double *v, size_t n, double low, double high)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok &= v[i] >= low && v[i] <= high;
	return ok;
}

static bool
all_whole(const double *v, size_t n, double low, double high)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok &= v[i] >= low && v[i] <= high && trunc(v[i]) == v[i];
	return ok;
}

/* What arithmetic can have left in the lanes; padding has L = 0. */
static bool
lanes_sound(const struct lanes *l)
{
	const double big = 0x1p63, huge = 1.7e308;
	double records = (double)l->records;
	bool ok = l->block_n < LANES_BLOCK && all_whole(&l->block_start, 1, 0, records) &&
	          (l->block_n == 0 || l->records - (uint64_t)l->block_start == l->block_n) &&
	          all_whole(&l->block_ms, 1, -big, big - 1024) &&
	          all_in(l->sum, LANES_SUMS, -huge, huge) &&
	          all_in(l->block_sum, LANES_SUMS, -huge, huge) &&
	          all_in(l->p, l->n, 0, LANES_TOP) && all_in(l->g, l->n, 0, LANES_TOP) &&
	          all_in(l->r, (size_t)l->phases * l->n, 0, LANES_TOP) &&
	          all_whole(l->start, l->n, 0, records) &&
	          all_whole(l->start_ms, l->n, -big, big - 1024);

	for (uint32_t s = 0; s < LANES_SUMS; s++)
		ok = ok && all_in(l->snap[s], l->n, -huge, huge);
	for (uint32_t i = l->real; i < l->n; i++) {
		ok = ok && l->g[i] <= 0 && (l->p[i] <= 0 || (l->p[i] >= 1 && l->p[i] <= 1));
		for (uint32_t phase = 0; phase < l->phases; phase++)
			ok = ok && l->r[(size_t)phase * l->n + i] <= 0;
	}
	if (l->own)
		ok = ok && all_in(l->own, l->n, -huge, huge) &&
		     all_in(l->own_block, l->n, -huge, huge);
	return ok;
}

int
lanes_load(struct lanes *l, struct codec *in)
{
	l->records = codec_get_u64(in);
	l->block_n = codec_get_u32(in);
	l->block_start = codec_get_f64(in);
	l->block_ms = codec_get_f64(in);
	codec_get_f64s(in, l->sum, LANES_SUMS);
	codec_get_f64s(in, l->block_sum, LANES_SUMS);
	codec_get_f64s(in, l->r, (size_t)l->phases * l->n);
	codec_get_f64s(in, l->p, l->n);
	codec_get_f64s(in, l->g, l->n);
	codec_get_f64s(in, l->start, l->n);
	codec_get_f64s(in, l->start_ms, l->n);
	for (uint32_t s = 0; s < LANES_SUMS; s++)
		codec_get_f64s(in, l->snap[s], l->n);
	if (l->own) {
		codec_get_f64s(in, l->own, l->n);
		codec_get_f64s(in, l->own_block, l->n);
	}
	if (in->bad || !lanes_sound(l))
		return ERR_CORRUPT;
	return 0;
}
