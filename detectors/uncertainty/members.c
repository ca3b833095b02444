/* members.c -- the decomposition of classifier members (uncertainty.h), and of a single row.
 *
 * Two passes: the first scales each row, takes its logarithms and sums what a member tells by itself and
 * what the mean needs; the second, of members that all but agree, does so again and compares each with the
 * mean: their KL is summed as sum p (ln p - ln q), as a difference of entropies would keep few digits. The
 * rows share one buffer, so that everything but the record itself stays in the first cache. epkl follows
 * from mi + rmi in O(M C): sum_ij KL(p_i, p_j) / M^2 = sum_m sum_c p ln p / M - sum_c q mean ln p.
 *
 * Logits cost an exponential instead of a logarithm each: ln p = z - ln sum exp z. Rows are padded with
 * zeros to a multiple of eight, whose terms are all zero.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "detectors/kit/vector_exp.h"
#include "detectors/uncertainty/uncertainty.h"
#include "detectors/uncertainty/uncertainty_inside.h"

#define PROB_FLOOR 1e-12
/* exp of less is below PROB_FLOOR whatever the sum is. */
#define EXP_FLOOR 60.0

/* (ln((1 + s) / (1 - s)) - 2 s) / s as a polynomial in s^2 without a constant: it meets the series at the six
 * Chebyshev points of s^2 in [0, (3 - 2 sqrt 2)^2] and is nowhere off by more than 1.4e-15. */
#define LN_POLY_1 0x1.55555555553b8p-1
#define LN_POLY_3 0x1.2492462af8366p-2
#define LN_POLY_5 0x1.7382dbf72872cp-3
#define LN_POLY_2 0x1.9999999b8677bp-2
#define LN_POLY_4 0x1.c71fccd964d71p-3
#define LN_POLY_6 0x1.546a31826025ap-3
#define LN2 0.693147180559945309417

/* Bits of sqrt(1/2): below it the exponent counts one less. 1024 keeps exponents positive. */
#define ln_offset UINT64_C(0x3fe6a09e667f3bcd)
#define ln_bias (UINT64_C(1024) << 52)
#define ln_fraction UINT64_C(0x000fffffffffffff)
/* 2^52 as bits and as a number, with the 1024: an integer in the last bits becomes a double. */
#define ln_magic_bits UINT64_C(0x4330000000000000)
#define ln_magic (0x1p52 + 1024.0)

/* Of a member p, ln; mean, mean_ln, ln_mean, real; of a second pass sums that nobody needs. */
enum { WORK_ROWS = 8 };

struct member {
	double entropy, spread, top; /* H(p), sum p (1-p), max p */
};

struct kernel {
	double (*exps)(double *row, double *ln, const double *real, size_t n, double top, double *least);
	double (*highest)(const double *row, size_t n);
	size_t (*find)(const double *row, size_t n, double x);
	double (*look)(const double *from, const double *tail, const double *real, size_t whole, size_t n,
	               double *least);
	double (*raise)(const double *from, size_t whole, double *row, const double *real, double low, size_t n,
	                double *gap);
	void (*take)(bool known, const double *from, const double *tail, const double *real, size_t whole,
	             double *row, double *ln, size_t n, double share, double *mean, double *mean_ln,
	             struct member *one);
	void (*middle)(double *mean, double *mean_ln, double *ln_mean, size_t n, double share,
	               struct member *out, double *reverse);
	void (*compare)(const double *p, const double *ln, size_t n, const double *mean,
	                const double *ln_mean, double *kl, double *squares);
};

#define MEMBERS_NAME(x) base_##x
#define MEMBERS_TARGET
#define MEMBERS_WIDTH 2
#if defined(__x86_64__)
#define MEMBERS_MAX(a, b) _mm_max_pd(a, b)
#define MEMBERS_MIN(a, b) _mm_min_pd(a, b)
#define MEMBERS_HITS(a, b) (unsigned)_mm_movemask_pd(_mm_cmpge_pd(a, b))
#else
#define MEMBERS_MAX(a, b) ((base_vec){ fmax((a)[0], (b)[0]), fmax((a)[1], (b)[1]) })
#define MEMBERS_MIN(a, b) ((base_vec){ fmin((a)[0], (b)[0]), fmin((a)[1], (b)[1]) })
#define MEMBERS_HITS(a, b) (((a)[0] >= (b)[0] ? 1u : 0u) | ((a)[1] >= (b)[1] ? 2u : 0u))
#endif
#include "detectors/uncertainty/members_kernel.h"

#if defined(__x86_64__)
#define MEMBERS_NAME(x) avx2_##x
#define MEMBERS_TARGET __attribute__((target("avx2")))
#define MEMBERS_WIDTH 4
#define MEMBERS_MAX(a, b) _mm256_max_pd(a, b)
#define MEMBERS_MIN(a, b) _mm256_min_pd(a, b)
#define MEMBERS_HITS(a, b) (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GE_OQ))
#include "detectors/uncertainty/members_kernel.h"

#define MEMBERS_NAME(x) avx512_##x
#define MEMBERS_TARGET __attribute__((target("avx512f")))
#define MEMBERS_WIDTH 8
#define MEMBERS_MAX(a, b) _mm512_max_pd(a, b)
#define MEMBERS_MIN(a, b) _mm512_min_pd(a, b)
#define MEMBERS_HITS(a, b) (unsigned)_mm512_cmp_pd_mask(a, b, _CMP_GE_OQ)
#include "detectors/uncertainty/members_kernel.h"
#endif

static const struct kernel *
kernel_for(int isa)
{
#if defined(__x86_64__)
	if ((isa == 0 || isa == 3) && __builtin_cpu_supports("avx512f"))
		return &avx512_kernel;
	if ((isa == 0 || isa == 2) && __builtin_cpu_supports("avx2"))
		return &avx2_kernel;
#endif
	(void)isa;
	return &base_kernel;
}

/* Rows are aligned to 64 bytes and padded to a multiple of eight. */
enum { BLOCK = 8 };

static size_t
padded(size_t classes)
{
	return (classes + BLOCK - 1) / BLOCK * BLOCK;
}

size_t
uncertainty_work(size_t members, size_t classes)
{
	(void)members;
	return WORK_ROWS * padded(classes) + BLOCK;
}

/* The memory of one call, n doubles a row. */
struct work {
	const struct kernel *kernel;
	size_t members, classes, n;
	double *p, *ln;                          /* [n] of one member */
	double *mean, *mean_ln, *ln_mean, *real; /* [n] q, mean ln p, ln q; 1, of padding 0 */
	double *again;                           /* [2][n] in the place of mean and mean_ln */
};

static void
lay_out(struct work *w, const struct kernel *kernel, size_t members, size_t classes, double *memory)
{
	size_t n = padded(classes);
	double *at = memory + (BLOCK - (uintptr_t)memory / sizeof *memory % BLOCK) % BLOCK;

	*w = (struct work){ .kernel = kernel, .members = members, .classes = classes, .n = n };
	w->p = at;
	w->ln = w->p + n;
	w->mean = w->ln + n;
	w->mean_ln = w->mean + n;
	w->ln_mean = w->mean_ln + n;
	w->real = w->ln_mean + n;
	w->again = w->real + n;
	memset(w->mean, 0, 2 * n * sizeof *w->mean);
	for (size_t c = 0; c < n; c++)
		w->real[c] = c < classes ? 1.0 : 0.0;
}

/* The row from the probabilities of a member. Its last block is read where it is, with the beginning of the
 * next member behind it: copied first it would be waited for. `ends`: the matrix ends within that block. */
static enum uncertainty_fault
take_probs(struct work *w, const double *from, bool ends, struct member *one, struct uncertainty *out)
{
	size_t whole = w->classes / BLOCK * BLOCK;
	const double *tail = ends ? w->p : from;
	double *row = w->p, sum, gap = 0.0, least, off;

	if (tail == row)
		for (size_t c = whole; c < w->n; c++)
			row[c] = c < w->classes ? from[c] : 0.0;
	sum = w->kernel->look(from, tail, w->real, whole, w->n, &least);
	if (least < PROB_FLOOR) {
		for (size_t c = whole; c < w->n; c++)
			row[c] = c < w->classes ? from[c] : 0.0;
		sum = w->kernel->raise(from, whole, row, w->real, PROB_FLOOR, w->n, &gap);
		from = tail = row;
	}
	if (gap < -1.5 * PROB_FLOOR) /* by more than rounding */
		return UNCERTAINTY_PROB_NEGATIVE;
	if (sum < 2.0 * PROB_FLOOR * (double)w->classes)
		return UNCERTAINTY_PROB_NOTHING;
	if (!(sum < 1e300))
		return UNCERTAINTY_RANGE;
	w->kernel->take(false, from, tail, w->real, whole, row, w->ln, w->n, 1.0 / sum, w->mean, w->mean_ln, one);
	off = fabs(sum - 1.0);
	out->sum_error = off > out->sum_error ? off : out->sum_error;
	out->notes |= gap < 0.0 ? 1u << UNCERTAINTY_CLIPPED : 0;
	return UNCERTAINTY_FINE;
}

/* The row from the logits of a member. Probabilities that had to be raised need a logarithm of their own. */
static enum uncertainty_fault
take_logits(struct work *w, const double *from, struct member *one, struct uncertainty *out)
{
	double *row = w->p, *ln = w->ln, sum, least, gap = 0.0;

	memcpy(row, from, w->classes * sizeof *row);
	for (size_t c = w->classes; c < w->n; c++)
		row[c] = row[0];
	sum = w->kernel->exps(row, ln, w->real, w->n, w->kernel->highest(row, w->n), &least);
	if (least < PROB_FLOOR * sum)
		sum = w->kernel->raise(row, w->classes / BLOCK * BLOCK, row, w->real, PROB_FLOOR * sum, w->n, &gap);
	w->kernel->take(gap == 0.0, row, row, w->real, 0, row, ln, w->n, 1.0 / sum, w->mean, w->mean_ln, one);
	out->notes |= gap < 0.0 ? 1u << UNCERTAINTY_CLIPPED : 0;
	return UNCERTAINTY_FINE;
}

static enum uncertainty_fault
take_row(struct work *w, const double *matrix, size_t m, bool logits, struct member *one,
         struct uncertainty *out)
{
	const double *from = matrix + m * w->classes;
	bool ends = m * w->classes + w->n > w->members * w->classes;

	return logits ? take_logits(w, from, one, out) : take_probs(w, from, ends, one, out);
}

struct votes {
	double *of;         /* [classes] */
	double most, pairs; /* the largest; ordered pairs of members that agree */
};

/* The row votes for the first class with its largest probability. */
static void
vote(const struct work *w, struct votes *v, double top)
{
	size_t c = w->kernel->find(w->p, w->n, top);
	double before = v->of[c < w->classes ? c : w->classes - 1]++;

	v->pairs += 2.0 * before;
	v->most = before + 1.0 > v->most ? before + 1.0 : v->most;
}

static void
count_votes(const struct work *w, const struct votes *v, struct uncertainty *out)
{
	double m = (double)w->members;

	out->value[UNCERTAINTY_VARIATION_RATIO] = 1.0 - v->most / m;
	if (w->members > 1)
		out->value[UNCERTAINTY_DISAGREEMENT] = 1.0 - v->pairs / (m * (m - 1.0));
}

/* What of the mean is not of the members: where it is a good part of the whole the difference loses no more
 * than some 1e-12 of it. Else its terms must be added one by one. */
static bool
is_apart(double whole, double part)
{
	return whole - part > 0x1p-13 * whole;
}

/* Sums over the members of KL(p, mean) and of the squares between them. */
static void
distances(const struct work *w, const double *row, bool logits, const struct member *sum,
          const struct member *mean, double *kl, double *squares)
{
	double m = (double)w->members, one_kl, one_squares;
	struct work again = *w;
	struct uncertainty none = { .notes = 0 };
	struct member one;

	*kl = m * mean->entropy - sum->entropy;
	*squares = m * mean->spread - sum->spread;
	if (is_apart(m * mean->entropy, sum->entropy) && is_apart(m * mean->spread, sum->spread))
		return;
	*kl = *squares = 0.0;
	memset(w->again, 0, 2 * w->n * sizeof *w->again);
	again.mean = w->again;
	again.mean_ln = w->again + w->n;
	for (size_t i = 0; i < w->members; i++) {
		take_row(&again, row, i, logits, &one, &none);
		w->kernel->compare(w->p, w->ln, w->n, w->mean, w->ln_mean, &one_kl, &one_squares);
		*kl += one_kl;
		*squares += one_squares;
	}
}

/* `sum`: of the members; `mean`: of their mean. */
static void
fill(const struct work *w, const struct member *sum, const struct member *mean, double kl, double reverse,
     double squares, struct uncertainty *out)
{
	double *v = out->value, m = (double)w->members;

	v[UNCERTAINTY_TOTAL] = mean->entropy;
	v[UNCERTAINTY_EXPECTED] = sum->entropy / m;
	v[UNCERTAINTY_MI] = fmax(kl / m, 0.0);
	v[UNCERTAINTY_RMI] = fmax(reverse, 0.0);
	v[UNCERTAINTY_EPKL] = v[UNCERTAINTY_MI] + v[UNCERTAINTY_RMI];
	v[UNCERTAINTY_VAR_TOTAL] = mean->spread;
	v[UNCERTAINTY_VAR_ALEATORIC] = sum->spread / m;
	v[UNCERTAINTY_VAR_EPISTEMIC] = squares / m;
	v[UNCERTAINTY_ZO_TOTAL] = 1.0 - mean->top;
	v[UNCERTAINTY_ZO_ALEATORIC] = 1.0 - sum->top / m;
	v[UNCERTAINTY_ZO_EPISTEMIC] = fmax(sum->top / m - mean->top, 0.0);
	if (w->members > 1) {
		v[UNCERTAINTY_MI_CORRECTED] = v[UNCERTAINTY_MI] * (m / (m - 1.0));
		v[UNCERTAINTY_EPKL_CORRECTED] = v[UNCERTAINTY_EPKL] * (m / (m - 1.0));
	} else {
		out->notes |= 1u << UNCERTAINTY_ONE;
	}
}

enum uncertainty_fault
uncertainty_members_with(int isa, const double *row, size_t members, size_t classes, int logits,
                         double *work, struct uncertainty *out)
{
	const struct kernel *k = kernel_for(isa);
	struct member one, mean, sum = { 0 };
	double kl, squares, reverse;
	struct votes votes = { 0 };
	struct work w;

	uncertainty_none(out);
	if (members == 0 || classes == 0)
		return UNCERTAINTY_EMPTY;
	lay_out(&w, k, members, classes, work);
	votes.of = memset(w.ln_mean, 0, w.n * sizeof *w.ln_mean); /* until the logarithms come */
	for (size_t m = 0; m < members; m++) {
		enum uncertainty_fault fault = take_row(&w, row, m, logits != 0, &one, out);

		if (fault) {
			uncertainty_none(out);
			return fault;
		}
		sum.entropy += one.entropy;
		sum.spread += one.spread;
		sum.top += one.top;
		vote(&w, &votes, one.top);
	}
	count_votes(&w, &votes, out);
	k->middle(w.mean, w.mean_ln, w.ln_mean, w.n, 1.0 / (double)members, &mean, &reverse);
	distances(&w, row, logits != 0, &sum, &mean, &kl, &squares);
	fill(&w, &sum, &mean, kl, reverse, squares, out);
	return UNCERTAINTY_FINE;
}

enum uncertainty_fault
uncertainty_members(const double *row, size_t members, size_t classes, int logits, double *work,
                    struct uncertainty *out)
{
	return uncertainty_members_with(0, row, members, classes, logits, work, out);
}

enum uncertainty_fault
uncertainty_single(const double *row, size_t classes, int logits, double *work, struct uncertainty *out)
{
	struct member one;
	enum uncertainty_fault fault;
	struct work w;

	uncertainty_none(out);
	if (classes == 0)
		return UNCERTAINTY_EMPTY;
	lay_out(&w, kernel_for(0), 1, classes, work);
	fault = take_row(&w, row, 0, logits != 0, &one, out);
	if (fault)
		return fault;
	out->value[UNCERTAINTY_TOTAL] = one.entropy;
	out->value[UNCERTAINTY_VAR_TOTAL] = one.spread;
	out->value[UNCERTAINTY_ZO_TOTAL] = 1.0 - one.top;
	return UNCERTAINTY_FINE;
}
