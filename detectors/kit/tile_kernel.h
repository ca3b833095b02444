/* tile_kernel.h -- the loops of tile.c, compiled once for each instruction set.
 *
 * The includer defines TILE_NAME(x), TILE_TARGET, TILE_TEXT, TILE_WIDTH (doubles of a vector), TILE_SET(x),
 * TILE_FMA(a, b, c), TILE_MAX(a, b), TILE_MIN(a, b), and TILE_OUTS(M): M(0) M(1) ..., TILE_OUTS_N of them:
 * as many vectors of a panel as find room in registers twice. No include guard: included again and again.
 */
typedef double TILE_NAME(vec) __attribute__((vector_size(TILE_WIDTH * 8)));
typedef int64_t TILE_NAME(mask) __attribute__((vector_size(TILE_WIDTH * 8)));
typedef uint64_t TILE_NAME(bits) __attribute__((vector_size(TILE_WIDTH * 8)));
#define V TILE_NAME(vec)
#define I TILE_NAME(mask) /* of a comparison */
#define U TILE_NAME(bits) /* of doubles */
#define HOT static inline __attribute__((always_inline)) TILE_TARGET

HOT V
TILE_NAME(get)(const double *p)
{
	return *(const V *)(const void *)p;
}

HOT void
TILE_NAME(put)(double *p, V v)
{
	*(V *)(void *)p = v;
}

/* a where the mask is set, else 0 */
HOT V
TILE_NAME(keep)(I mask, V a)
{
	return (V)(mask & (I)a);
}

/* a where the mask is set, else b */
HOT V
TILE_NAME(pick)(I mask, V a, V b)
{
	return (V)((mask & (I)a) | (~mask & (I)b));
}

/* exp(x) for -708 <= x <= 0: x = k ln 2 + r, on |r| <= ln 2 / 2 a Chebyshev fit of degree 11 (relative error
 * 3e-18), then k added to the exponent. */
HOT V
TILE_NAME(exp)(V x)
{
	/* adding it leaves the rounded integer in the low bits */
	const V round = TILE_SET(0x1.8p52);
	V shifted = TILE_FMA(x, TILE_SET(0x1.71547652b82fep0), round);
	V k = shifted - round;
	V r = TILE_FMA(k, TILE_SET(-0x1.62e42fefa39efp-1), x);
	V r2, r4, a, b, c, p;

	r = TILE_FMA(k, TILE_SET(-0x1.abc9e3b39803fp-56), r);
	r2 = r * r;
	r4 = r2 * r2;
	/* Estrin's order: short chains, so that more values are under way at once */
	a = TILE_FMA(TILE_FMA(TILE_SET(0x1.555555555555ap-3), r, TILE_SET(0x1.0000000000011p-1)), r2,
	             TILE_SET(1.0) + r);
	b = TILE_FMA(TILE_FMA(TILE_SET(0x1.a01a01b1461c5p-13), r, TILE_SET(0x1.6c16c1880029fp-10)), r2,
	             TILE_FMA(TILE_SET(0x1.111111110f21ep-7), r, TILE_SET(0x1.555555554f0bap-5)));
	c = TILE_FMA(TILE_FMA(TILE_SET(0x1.af632a0f7e2cep-26), r, TILE_SET(0x1.28b4101c77212p-22)), r2,
	             TILE_FMA(TILE_SET(0x1.71ddf56d8deb5p-19), r, TILE_SET(0x1.a01991a10d9aep-16)));
	p = TILE_FMA(TILE_FMA(c, r4, b), r4, a);
	return (V)((U)p + ((U)shifted << 52));
}

/* ln(x) for normal x > 0: x = 2^k m, m in [sqrt 1/2, sqrt 2), ln m as in fdlibm's e_log.c. */
HOT V
TILE_NAME(log)(V x)
{
	const uint64_t half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000; /* sqrt 1/2, 1 */
	const uint64_t fraction = 0x000fffffffffffff, whole = 0x4330000000000000; /* 2^52 */
	U t = (U)x + (one - half);
	V k = (V)((t >> 52) | whole) - TILE_SET(0x1p52 + 1023.0);
	V f = (V)((t & fraction) + half) - 1.0;
	V s = f / (f + 2.0), z = s * s, w = z * z, h = 0.5 * f * f, odd, p;

	odd = TILE_FMA(TILE_SET(1.479819860511658591e-01), w, TILE_SET(1.818357216161805012e-01));
	odd = TILE_FMA(TILE_FMA(odd, w, TILE_SET(2.857142874366239149e-01)), w,
	               TILE_SET(6.666666666666735130e-01));
	p = TILE_FMA(TILE_SET(1.531383769920937332e-01), w, TILE_SET(2.222219843214978396e-01));
	p = TILE_FMA(TILE_FMA(p, w, TILE_SET(3.999999999940941908e-01)), z, odd);
	p = s * TILE_FMA(p, z, h) + k * 1.90821492927058770002e-10;
	return k * 6.93147180369123816490e-01 - ((h - p) - f);
}

TILE_TARGET static void
TILE_NAME(product)(const double *panel, uint32_t columns, const double *tile, double *out)
{
	for (int r = 0; r < TILE_ROWS; r += 2 * TILE_WIDTH)
		for (int first = 0; first < PANEL_ROWS; first += TILE_OUTS_N) {
			const double *x = tile + r, *w = panel + first;
#define ZERO(o) V a##o = { 0 }, b##o = { 0 };
			TILE_OUTS(ZERO)
			for (uint32_t i = 0; i < columns; i++, x += TILE_ROWS, w += PANEL_ROWS) {
				V x0 = TILE_NAME(get)(x), x1 = TILE_NAME(get)(x + TILE_WIDTH);
#define ADD(o)                                                                                     \
	{                                                                                          \
		V c = TILE_SET(w[o]);                                                        \
		a##o = TILE_FMA(c, x0, a##o);                                                      \
		b##o = TILE_FMA(c, x1, b##o);                                                      \
	}
				TILE_OUTS(ADD)
#undef ADD
			}
#define STORE(o)                                                                                   \
	TILE_NAME(put)(out + (first + o) * TILE_ROWS + r, a##o);                                   \
	TILE_NAME(put)(out + (first + o) * TILE_ROWS + r + TILE_WIDTH, b##o);
			TILE_OUTS(STORE)
		}
}

TILE_TARGET static void
TILE_NAME(distance)(const double *panel, uint32_t columns, const double *tile, double *out)
{
	for (int r = 0; r < TILE_ROWS; r += 2 * TILE_WIDTH)
		for (int first = 0; first < PANEL_ROWS; first += TILE_OUTS_N) {
			const double *x = tile + r, *w = panel + first;
			TILE_OUTS(ZERO)
#undef ZERO
			for (uint32_t i = 0; i < columns; i++, x += TILE_ROWS, w += PANEL_ROWS) {
				V x0 = TILE_NAME(get)(x), x1 = TILE_NAME(get)(x + TILE_WIDTH);
#define ADD(o)                                                                                     \
	{                                                                                          \
		V c = TILE_SET(w[o]), d0 = x0 - c, d1 = x1 - c;                              \
		a##o = TILE_FMA(d0, d0, a##o);                                                     \
		b##o = TILE_FMA(d1, d1, b##o);                                                     \
	}
				TILE_OUTS(ADD)
#undef ADD
			}
			TILE_OUTS(STORE)
#undef STORE
		}
}

/* Four by four numbers from rows to lanes. */
TILE_TARGET static void
TILE_NAME(load)(const double *row, size_t stride, uint32_t rows, uint32_t columns, double *tile)
{
	uint32_t whole = 0;

#ifdef TILE_TRANSPOSE
	if (rows == TILE_ROWS)
		for (; whole + 4 <= columns; whole += 4)
			for (uint32_t r = 0; r < TILE_ROWS; r += 4)
				TILE_TRANSPOSE(row + r * stride + whole, stride,
				               tile + (size_t)whole * TILE_ROWS + r);
#endif
	for (uint32_t i = whole; i < columns; i++)
		for (uint32_t r = 0; r < TILE_ROWS; r++)
			tile[(size_t)i * TILE_ROWS + r] = r < rows ? row[r * stride + i] : 0.0;
}

/* Differences below -708 count as -708: their exp is 3e-308. */
TILE_TARGET static void
TILE_NAME(softmax)(const double *tile, uint32_t classes, struct tile_softmax *out)
{
	const V least = TILE_SET(-708.0), one = TILE_SET(1.0), zero = { 0 };

	for (int r = 0; r < TILE_ROWS; r += TILE_WIDTH) {
		V max = TILE_SET(-DBL_MAX), second = max;
		V others = { 0 }, weighted = { 0 }, ties, sum, next, log_sum;
		I below = { 0 }; /* minus the number of values below the largest */

		for (uint32_t i = 0; i < classes; i++) {
			V x = TILE_NAME(get)(tile + (size_t)i * TILE_ROWS + r);

			second = TILE_MAX(second, TILE_MIN(max, x));
			max = TILE_MAX(max, x);
		}
		for (uint32_t i = 0; i < classes; i++) {
			V x = TILE_MAX(TILE_NAME(get)(tile + (size_t)i * TILE_ROWS + r) - max, least);
			V e = TILE_NAME(exp)(x);
			I less = x < zero;

			below += less;
			others += TILE_NAME(keep)(less, e);
			weighted = TILE_FMA(e, x, weighted);
		}
		/* the double of a small integer */
		ties = (V)(((U)below + (uint64_t)classes) | UINT64_C(0x4330000000000000)) - 0x1p52;
		sum = ties + others;
		log_sum = TILE_NAME(log)(sum);
		next = classes > 1 ? TILE_NAME(exp)(TILE_MAX(second - max, least)) : zero;
		TILE_NAME(put)(out->max + r, max);
		TILE_NAME(put)(out->lse + r, max + log_sum);
		TILE_NAME(put)(out->entropy + r, log_sum - weighted / sum);
		TILE_NAME(put)(out->top + r, one / sum);
		TILE_NAME(put)(out->rest + r, (ties - one + others) / sum);
		TILE_NAME(put)(out->margin + r, (one - next) / sum);
	}
}

TILE_TARGET static void
TILE_NAME(shares)(const double *tile, uint32_t classes, struct tile_softmax *out)
{
	for (int r = 0; r < TILE_ROWS; r += TILE_WIDTH) {
		V max = { 0 }, second = { 0 }, entropy = { 0 }, none = { 0 };

		for (uint32_t i = 0; i < classes; i++) {
			V p = TILE_NAME(get)(tile + (size_t)i * TILE_ROWS + r);
			V least = TILE_SET(DBL_MIN);
			V l = TILE_NAME(log)(TILE_MAX(p, least));

			second = TILE_MAX(second, TILE_MIN(max, p));
			max = TILE_MAX(max, p);
			entropy = TILE_FMA(p, none - l, entropy);
		}
		TILE_NAME(put)(out->max + r, max);
		TILE_NAME(put)(out->lse + r, none);
		TILE_NAME(put)(out->entropy + r, entropy);
		TILE_NAME(put)(out->top + r, max);
		TILE_NAME(put)(out->rest + r, 1.0 - max);
		TILE_NAME(put)(out->margin + r, max - second);
	}
}

/* (p (1 - p))^g of one value */
HOT V
TILE_NAME(gen_term)(V x, const struct tile_gen *g, int r)
{
	const V tiny = TILE_SET(DBL_MIN), least = TILE_SET(-708.0), one = TILE_SET(1.0), zero = { 0 };
	V log_p, rest, term;
	I some;

	if (g->logits) {
		log_p = TILE_MAX(x - TILE_NAME(get)(g->s->lse + r), least);
		rest = one - TILE_NAME(exp)(TILE_MIN(log_p, zero));
		rest = TILE_NAME(pick)(x >= TILE_NAME(get)(g->s->max + r), TILE_NAME(get)(g->s->rest + r),
		                       rest);
		some = rest >= tiny;
	} else {
		log_p = TILE_NAME(log)(TILE_MAX(x, tiny));
		rest = one - x;
		some = (rest >= tiny) & (x >= tiny);
	}
	term = TILE_SET(g->g) * (log_p + TILE_NAME(log)(TILE_MAX(rest, tiny)));
	/* both logarithms are negative or rounding about 0 */
	term = TILE_NAME(exp)(TILE_MIN(TILE_MAX(term, least), zero));
	return TILE_NAME(keep)(some, term);
}

TILE_TARGET static void
TILE_NAME(gen)(const double *tile, uint32_t classes, const struct tile_gen *g, double *out)
{
	for (int r = 0; r < TILE_ROWS; r += TILE_WIDTH) {
		V above = TILE_NAME(get)(g->above + r), sum = { 0 };

		for (uint32_t i = 0; i < classes; i++) {
			V x = TILE_NAME(get)(tile + (size_t)i * TILE_ROWS + r);

			sum += TILE_NAME(keep)(x > above, TILE_NAME(gen_term)(x, g, r));
		}
		above = TILE_NAME(keep)(above > TILE_SET(-DBL_MAX), above);
		sum = TILE_FMA(TILE_NAME(get)(g->ties + r), TILE_NAME(gen_term)(above, g, r), sum);
		TILE_NAME(put)(out + r, sum);
	}
}

/* Unaligned: rows of matrices of any width. */
TILE_TARGET static void
TILE_NAME(axpy)(double *y, double a, const double *x, size_t n)
{
	size_t i = 0;

	for (; i + TILE_WIDTH <= n; i += TILE_WIDTH) {
		V u, v;

		memcpy(&u, x + i, sizeof u);
		memcpy(&v, y + i, sizeof v);
		v = TILE_FMA(TILE_SET(a), u, v);
		memcpy(y + i, &v, sizeof v);
	}
	for (; i < n; i++)
		y[i] = fma(a, x[i], y[i]);
}

/* Aligned rows, `stride` a multiple of 8. Four sums at once: one would wait for itself. */
TILE_TARGET static void
TILE_NAME(symmetric)(const double *m, uint32_t rows, uint32_t stride, const double *x, double *out)
{
	uint32_t j = 0;

	for (; j + 4 * TILE_WIDTH <= stride; j += 4 * TILE_WIDTH) {
		V a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

		for (uint32_t i = 0; i < rows; i++) {
			const double *row = m + (size_t)i * stride + j;
			V f = TILE_SET(x[i]);

			a = TILE_FMA(f, TILE_NAME(get)(row), a);
			b = TILE_FMA(f, TILE_NAME(get)(row + TILE_WIDTH), b);
			c = TILE_FMA(f, TILE_NAME(get)(row + 2 * TILE_WIDTH), c);
			d = TILE_FMA(f, TILE_NAME(get)(row + 3 * TILE_WIDTH), d);
		}
		TILE_NAME(put)(out + j, a);
		TILE_NAME(put)(out + j + TILE_WIDTH, b);
		TILE_NAME(put)(out + j + 2 * TILE_WIDTH, c);
		TILE_NAME(put)(out + j + 3 * TILE_WIDTH, d);
	}
	for (; j < stride; j += TILE_WIDTH) {
		V sum = { 0 };

		for (uint32_t i = 0; i < rows; i++)
			sum = TILE_FMA(TILE_SET(x[i]), TILE_NAME(get)(m + (size_t)i * stride + j), sum);
		TILE_NAME(put)(out + j, sum);
	}
}

TILE_TARGET static void
TILE_NAME(rank_one)(double *m, uint32_t rows, uint32_t stride, double c, const double *v)
{
	for (uint32_t i = 0; i < rows; i++) {
		V a = TILE_SET(-v[i]), f = TILE_SET(c);

		for (uint32_t j = 0; j < stride; j += TILE_WIDTH) {
			double *at = m + (size_t)i * stride + j;

			TILE_NAME(put)(at, TILE_FMA(a, TILE_NAME(get)(v + j), f * TILE_NAME(get)(at)));
		}
	}
}

TILE_TARGET static void
TILE_NAME(rotate)(double *x, double *y, double c, double s, size_t n)
{
	size_t i = 0;

	for (; i + TILE_WIDTH <= n; i += TILE_WIDTH) {
		V u, v, t;

		memcpy(&u, x + i, sizeof u);
		memcpy(&v, y + i, sizeof v);
		t = c * u - s * v;
		v = s * u + c * v;
		memcpy(x + i, &t, sizeof t);
		memcpy(y + i, &v, sizeof v);
	}
	for (; i < n; i++) {
		double u = x[i], v = y[i];

		x[i] = c * u - s * v;
		y[i] = s * u + c * v;
	}
}

static const struct tile_kernel TILE_NAME(kernel) = {
	.name = TILE_TEXT,
	.load = TILE_NAME(load),
	.product = TILE_NAME(product),
	.distance = TILE_NAME(distance),
	.softmax = TILE_NAME(softmax),
	.shares = TILE_NAME(shares),
	.gen = TILE_NAME(gen),
	.axpy = TILE_NAME(axpy),
	.symmetric = TILE_NAME(symmetric),
	.rank_one = TILE_NAME(rank_one),
	.rotate = TILE_NAME(rotate),
};

#undef V
#undef I
#undef U
#undef HOT
#undef TILE_NAME
#undef TILE_TEXT
#undef TILE_TARGET
#undef TILE_WIDTH
#undef TILE_FMA
#undef TILE_SET
#undef TILE_MAX
#undef TILE_MIN
#undef TILE_OUTS
#undef TILE_OUTS_N
#undef TILE_TRANSPOSE
