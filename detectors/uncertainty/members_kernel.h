/* members_kernel.h -- the loops of members.c over one row for one vector width; included once per width
 *   MEMBERS_NAME(x)  name of x in this width
 *   MEMBERS_TARGET   attribute that allows the instructions
 *   MEMBERS_WIDTH    doubles of a vector: 2, 4 or 8
 *   MEMBERS_MAX(a, b), MEMBERS_MIN(a, b)   lane by lane; neither is NaN
 *   MEMBERS_HITS(a, b)   a bit for each lane, from the lowest: a >= b
 * Only +, -, *, /, comparison, selection and shifts of bits, and sums in eight parts that are added in one
 * order: every width gives the same bits.
 *
 * ln: x = 2^k z, z in [sqrt(1/2), sqrt 2), ln z = s (2 + R(s^2)), s = (z-1)/(z+1), R the polynomial of
 * LN_POLY_: within 1e-15, without tables or branches. exp: vector_exp.h.
 */
typedef double MEMBERS_NAME(vec) __attribute__((vector_size(8 * MEMBERS_WIDTH), may_alias));
typedef double MEMBERS_NAME(loose)
	__attribute__((vector_size(8 * MEMBERS_WIDTH), may_alias, aligned(8)));
typedef uint64_t MEMBERS_NAME(bits) __attribute__((vector_size(8 * MEMBERS_WIDTH), may_alias));
#define VEC MEMBERS_NAME(vec)
#define LOOSE MEMBERS_NAME(loose)
#define BITS MEMBERS_NAME(bits)
#define AT(array, i) (*(VEC *)((array) + (i)))
#define AT_CONST(array, i) (*(const VEC *)((array) + (i)))
/* The block of eight at i, as vectors: j counts them, k is where each begins. */
#define EACH(j, k, i)                                                                              \
	_Pragma("GCC unroll 4")                                                                    \
	for (size_t j = 0, k = (i); j < 8 / MEMBERS_WIDTH; j++, k += MEMBERS_WIDTH)

MEMBERS_TARGET static inline double
MEMBERS_NAME(add_up)(const VEC *part)
{
	double s[8];

	memcpy(s, part, sizeof s);
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* x a normal number in [1e-300, 1e300]; whatever finite comes of 0 is multiplied by 0 later. */
#define LN_INTO(out, x_)                                                                           \
	do {                                                                                       \
		BITS moved_ = (BITS)(x_) + (ln_bias - ln_offset);                                  \
		VEC e_ = (VEC)((moved_ >> 52) | ln_magic_bits) - ln_magic;                         \
		VEC z_ = (VEC)((moved_ & ln_fraction) + ln_offset);                                \
		VEC s_ = (z_ - 1.0) / (z_ + 1.0), t_ = s_ * s_, w_ = t_ * t_;                      \
		VEC r_ = w_ * (LN_POLY_2 + w_ * (LN_POLY_4 + w_ * LN_POLY_6))                      \
		         + t_ * (LN_POLY_1 + w_ * (LN_POLY_3 + w_ * LN_POLY_5));                   \
		(out) = e_ * LN2 + s_ * (2.0 + r_);                                                \
	} while (0)

/* ln[] <- row[] - top, at least -EXP_FLOOR; row[] <- exp of it; both 0 where real[] is. The sum, and the
 * least before that. */
MEMBERS_TARGET static double
MEMBERS_NAME(exps)(double *row, double *ln, const double *real, size_t n, double top, double *least)
{
	const VEC floor = (VEC){ 0 } - EXP_FLOOR;
	VEC sum[8 / MEMBERS_WIDTH] = { { 0 } }, low = (VEC){ 0 } + 1.0;

	for (size_t i = 0; i < n; i += 8)
		EACH(j, k, i) {
			VEC x = AT(row, k) - top, y;

			x = MEMBERS_MAX(x, floor);
			VECTOR_EXP(VEC, BITS, x, y);
			low = MEMBERS_MIN(y, low);
			y *= AT_CONST(real, k);
			AT(ln, k) = x * AT_CONST(real, k);
			AT(row, k) = y;
			sum[j] += y;
		}
	*least = low[0];
	for (size_t j = 1; j < MEMBERS_WIDTH; j++)
		*least = low[j] < *least ? low[j] : *least;
	return MEMBERS_NAME(add_up)(sum);
}

/* The largest of row[]. */
MEMBERS_TARGET static double
MEMBERS_NAME(highest)(const double *row, size_t n)
{
	VEC top = AT_CONST(row, 0);
	double best;

	for (size_t i = MEMBERS_WIDTH; i < n; i += MEMBERS_WIDTH)
		top = MEMBERS_MAX(AT_CONST(row, i), top);
	best = top[0];
	for (size_t j = 1; j < MEMBERS_WIDTH; j++)
		best = top[j] > best ? top[j] : best;
	return best;
}

/* Index of the first that is not below x; n where all are. */
MEMBERS_TARGET static size_t
MEMBERS_NAME(find)(const double *row, size_t n, double x)
{
	const VEC least = (VEC){ 0 } + x;

	for (size_t i = 0; i < n; i += MEMBERS_WIDTH) {
		unsigned hits = MEMBERS_HITS(AT_CONST(row, i), least);

		if (hits)
			return i + (size_t)__builtin_ctz(hits);
	}
	return n;
}

/* The sum of from[0..whole) and, where real[] is 1, tail[whole..n); the least of them. */
MEMBERS_TARGET static double
MEMBERS_NAME(look)(const double *from, const double *tail, const double *real, size_t whole, size_t n,
                   double *least)
{
	VEC sum[8 / MEMBERS_WIDTH] = { { 0 } }, low = (VEC){ 0 } + 1e300;

	for (size_t i = 0; i < whole; i += 8)
		EACH(j, k, i) {
			VEC x = *(const LOOSE *)(from + k);

			low = MEMBERS_MIN(x, low);
			sum[j] += x;
		}
	for (size_t i = whole; i < n; i += 8)
		EACH(j, k, i) {
			VEC is = AT_CONST(real, k), x = *(const LOOSE *)(tail + k) * is;

			sum[j] += x;
			x += 1e300 * (1.0 - is);
			low = MEMBERS_MIN(x, low);
		}
	*least = low[0];
	for (size_t j = 1; j < MEMBERS_WIDTH; j++)
		*least = low[j] < *least ? low[j] : *least;
	return MEMBERS_NAME(add_up)(sum);
}

/* row[] <- from[0..whole), raised to low, row[whole..n), raised to low where real[] is 1, to 0 where it is 0.
 * The sum; *gap the least of a value less what it is raised to, at most 0. */
MEMBERS_TARGET static double
MEMBERS_NAME(raise)(const double *from, size_t whole, double *row, const double *real, double low,
                    size_t n, double *gap)
{
	VEC sum[8 / MEMBERS_WIDTH] = { { 0 } }, lows = (VEC){ 0 } + low, least = lows, off;

	for (size_t i = 0; i < whole; i += 8)
		EACH(j, k, i) {
			VEC x = *(const LOOSE *)(from + k);

			least = MEMBERS_MIN(x, least);
			x = MEMBERS_MAX(x, lows);
			AT(row, k) = x;
			sum[j] += x;
		}
	off = least - lows; /* rounding keeps the order: the least of the differences, too */
	for (size_t i = whole; i < n; i += 8)
		EACH(j, k, i) {
			VEC x = AT(row, k), at = AT_CONST(real, k) * low;

			off = MEMBERS_MIN(x - at, off);
			x = MEMBERS_MAX(x, at);
			AT(row, k) = x;
			sum[j] += x;
		}
	*gap = 0.0;
	for (size_t j = 0; j < MEMBERS_WIDTH; j++)
		*gap = off[j] < *gap ? off[j] : *gap;
	return MEMBERS_NAME(add_up)(sum);
}

/* Of the vector x at k, whose logarithms are l. */
#define TAKE(j, k, x, l)                                                                           \
	do {                                                                                       \
		AT(row, k) = (x);                                                                  \
		AT(ln, k) = (l);                                                                   \
		entropy[j] -= (x) * (l);                                                           \
		spread[j] += (x) * (1.0 - (x));                                                    \
		AT(mean, k) += (x);                                                                \
		AT(mean_ln, k) += (l);                                                             \
		top = MEMBERS_MAX(x, top);                                                         \
	} while (0)

/* row[] <- share times from[0..whole) and tail[whole..n), 0 where real[] is; ln[] its logarithms, where
 * `known` from those of the row before. Adds it to mean[] and mean_ln[]; what it is by itself goes
 * to *one. */
MEMBERS_TARGET static void
MEMBERS_NAME(take)(bool known, const double *from, const double *tail, const double *real, size_t whole,
                   double *row, double *ln, size_t n, double share, double *mean, double *mean_ln,
                   struct member *one)
{
	VEC entropy[8 / MEMBERS_WIDTH] = { { 0 } }, spread[8 / MEMBERS_WIDTH] = { { 0 } };
	VEC top = (VEC){ 0 };
	double best, ln_share = known ? log(share) : 0.0;
	size_t i = 0;

	for (; i < n && known; i += 8)
		EACH(j, k, i) {
			VEC x = AT(row, k) * share, l = AT(ln, k) + ln_share;

			TAKE(j, k, x, l);
		}
	for (; i < whole; i += 8)
		EACH(j, k, i) {
			VEC x = *(const LOOSE *)(from + k) * share, l;

			LN_INTO(l, x);
			TAKE(j, k, x, l);
		}
	for (; i < n; i += 8)
		EACH(j, k, i) {
			VEC x = *(const LOOSE *)(tail + k) * AT_CONST(real, k) * share, l;

			LN_INTO(l, x);
			TAKE(j, k, x, l);
		}
	best = top[0];
	for (size_t j = 1; j < MEMBERS_WIDTH; j++)
		best = top[j] > best ? top[j] : best;
	one->entropy = MEMBERS_NAME(add_up)(entropy);
	one->spread = MEMBERS_NAME(add_up)(spread);
	one->top = best;
}

/* Of the mean, mean[] *= share, with its logarithms: entropy, sum q (1-q), largest, and *reverse =
 * sum q (ln q - mean_ln[] * share). */
MEMBERS_TARGET static void
MEMBERS_NAME(middle)(double *mean, double *mean_ln, double *ln_mean, size_t n, double share,
                     struct member *out, double *reverse)
{
	VEC entropy[8 / MEMBERS_WIDTH] = { { 0 } }, spread[8 / MEMBERS_WIDTH] = { { 0 } };
	VEC back[8 / MEMBERS_WIDTH] = { { 0 } };

	for (size_t i = 0; i < n; i += 8)
		EACH(j, k, i) {
			VEC q = AT(mean, k) * share, l;

			LN_INTO(l, q);
			AT(mean, k) = q;
			AT(ln_mean, k) = l;
			entropy[j] -= q * l;
			spread[j] += q * (1.0 - q);
			back[j] += q * (l - AT(mean_ln, k) * share);
		}
	out->entropy = MEMBERS_NAME(add_up)(entropy);
	out->spread = MEMBERS_NAME(add_up)(spread);
	out->top = MEMBERS_NAME(highest)(mean, n);
	*reverse = MEMBERS_NAME(add_up)(back);
}

/* KL(p, mean) and the squares between them. */
MEMBERS_TARGET static void
MEMBERS_NAME(compare)(const double *p, const double *ln, size_t n, const double *mean,
                      const double *ln_mean, double *kl, double *squares)
{
	VEC a[8 / MEMBERS_WIDTH] = { { 0 } }, b[8 / MEMBERS_WIDTH] = { { 0 } };

	for (size_t i = 0; i < n; i += 8)
		EACH(j, k, i) {
			VEC x = AT_CONST(p, k), off = x - AT_CONST(mean, k);

			a[j] += x * (AT_CONST(ln, k) - AT_CONST(ln_mean, k));
			b[j] += off * off;
		}
	*kl = MEMBERS_NAME(add_up)(a);
	*squares = MEMBERS_NAME(add_up)(b);
}

static const struct kernel MEMBERS_NAME(kernel) = {
	MEMBERS_NAME(exps), MEMBERS_NAME(highest), MEMBERS_NAME(find), MEMBERS_NAME(look),
	MEMBERS_NAME(raise),
	MEMBERS_NAME(take), MEMBERS_NAME(middle), MEMBERS_NAME(compare),
};

#undef VEC
#undef LOOSE
#undef BITS
#undef AT
#undef AT_CONST
#undef EACH
#undef LN_INTO
#undef TAKE
#undef MEMBERS_NAME
#undef MEMBERS_TARGET
#undef MEMBERS_WIDTH
#undef MEMBERS_MAX
#undef MEMBERS_MIN
#undef MEMBERS_HITS
