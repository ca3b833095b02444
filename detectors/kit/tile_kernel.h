/* tile_kernel.h -- the loops of tile.c, compiled once for each instruction set.
 *
 * The includer defines TILE_NAME(x), TILE_TARGET, TILE_WIDTH (doubles of a vector), TILE_FMA(a, b, c),
 * TILE_MAX(a, b), TILE_MIN(a, b), and TILE_OUTS(M): M(0) M(1) ..., as many vectors of a panel as find
 * room in registers twice. No include guard: it is meant to be included again.
 */
typedef double TILE_NAME(vec) __attribute__((vector_size(TILE_WIDTH * 8)));
typedef int64_t TILE_NAME(mask) __attribute__((vector_size(TILE_WIDTH * 8)));
typedef uint64_t TILE_NAME(bits) __attribute__((vector_size(TILE_WIDTH * 8)));
#define V TILE_NAME(vec)
#define I TILE_NAME(mask) /* of a comparison */
#define U TILE_NAME(bits) /* of doubles */
#define HOT static inline __attribute__((always_inline)) TILE_TARGET

HOT V
TILE_NAME(set)(double x)
{
	V v = { 0 };

	return v + x;
}

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

/* exp(x) for x <= 0, 0 below -708: x = k ln 2 + r, Taylor of degree 13 on |r| <= ln 2 / 2 (truncation
 * 4e-18), then 2^k added to the exponent. */
HOT V
TILE_NAME(exp)(V x)
{
	static const double over_factorial[] = { 1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800,
		                                 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
		                                 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24,
		                                 1.0 / 6, 1.0 / 2, 1.0, 1.0 };
	/* adding it leaves the rounded integer in the low bits */
	const V round = TILE_NAME(set)(0x1.8p52);
	V shifted = TILE_FMA(x, TILE_NAME(set)(0x1.71547652b82fep0), round);
	V k = shifted - round;
	V r = TILE_FMA(k, TILE_NAME(set)(-0x1.62e42fefa39efp-1), x);
	V p = TILE_NAME(set)(over_factorial[0]);

	r = TILE_FMA(k, TILE_NAME(set)(-0x1.abc9e3b39803fp-56), r);
	for (int i = 1; i < 14; i++)
		p = TILE_FMA(p, r, TILE_NAME(set)(over_factorial[i]));
	p = (V)((U)p + ((U)shifted << 52));
	return TILE_NAME(keep)(x >= TILE_NAME(set)(-708.0), p);
}

/* ln(x) for normal x > 0: x = 2^k m, m in [sqrt 1/2, sqrt 2), ln m as in fdlibm's e_log.c. */
HOT V
TILE_NAME(log)(V x)
{
	static const double lg[] = { 1.479819860511658591e-01, 1.531383769920937332e-01,
		                     1.818357216161805012e-01, 2.222219843214978396e-01,
		                     2.857142874366239149e-01, 3.999999999940941908e-01,
		                     6.666666666666735130e-01 };
	const uint64_t half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000; /* sqrt 1/2, 1 */
	const uint64_t fraction = 0x000fffffffffffff, whole = 0x4330000000000000; /* 2^52 */
	U t = (U)x + (one - half);
	V k = (V)((t >> 52) | whole) - TILE_NAME(set)(0x1p52 + 1023.0);
	V f = (V)((t & fraction) + half) - 1.0;
	V s = f / (f + 2.0), z = s * s, h = 0.5 * f * f, p = TILE_NAME(set)(lg[0]);

	for (int i = 1; i < 7; i++)
		p = TILE_FMA(p, z, TILE_NAME(set)(lg[i]));
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
		V c = TILE_NAME(set)(w[o]);                                                        \
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
		V c = TILE_NAME(set)(w[o]), d0 = x0 - c, d1 = x1 - c;                              \
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

TILE_TARGET static void
TILE_NAME(softmax)(const double *tile, uint32_t classes, struct tile_softmax *out)
{
	for (int r = 0; r < TILE_ROWS; r += TILE_WIDTH) {
		V max = TILE_NAME(set)(-DBL_MAX), second = max, one = TILE_NAME(set)(1.0);
		V others = { 0 }, ties = { 0 }, weighted = { 0 }, sum, next;

		for (uint32_t i = 0; i < classes; i++) {
			V x = TILE_NAME(get)(tile + (size_t)i * TILE_ROWS + r);

			second = TILE_MAX(second, TILE_MIN(max, x));
			max = TILE_MAX(max, x);
		}
		for (uint32_t i = 0; i < classes; i++) {
			V x = TILE_NAME(get)(tile + (size_t)i * TILE_ROWS + r) - max;
			V e = TILE_NAME(exp)(x);
			I below = x < 0.0;

			others += TILE_NAME(keep)(below, e);
			ties += TILE_NAME(keep)(~below, one);
			/* e is 0 where x is far below */
			weighted = TILE_FMA(e, TILE_MAX(x, TILE_NAME(set)(-DBL_MAX)), weighted);
		}
		sum = ties + others;
		next = TILE_NAME(exp)(TILE_MAX(second - max, TILE_NAME(set)(-DBL_MAX)));
		TILE_NAME(put)(out->max + r, max);
		TILE_NAME(put)(out->lse + r, max + TILE_NAME(log)(sum));
		TILE_NAME(put)(out->entropy + r, TILE_NAME(log)(sum) - weighted / sum);
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
			V least = TILE_NAME(set)(DBL_MIN);
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
	V least = TILE_NAME(set)(DBL_MIN), one = TILE_NAME(set)(1.0), log_p, rest;

	if (g->logits) {
		log_p = x - TILE_NAME(get)(g->s->lse + r);
		rest = TILE_NAME(pick)(x >= TILE_NAME(get)(g->s->max + r),
		                       TILE_NAME(get)(g->s->rest + r), one - TILE_NAME(exp)(log_p));
		/* -708 is ln of what exp() takes for 0 */
		log_p = TILE_MAX(log_p, TILE_NAME(set)(-DBL_MAX));
	} else {
		log_p = TILE_NAME(log)(TILE_MAX(x, least));
		rest = one - x;
	}
	x = TILE_NAME(exp)(g->g * (log_p + TILE_NAME(log)(TILE_MAX(rest, least))));
	if (!g->logits)
		x = TILE_NAME(keep)(log_p > TILE_NAME(log)(least), x);
	return TILE_NAME(keep)(rest >= least, x);
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
		above = TILE_NAME(keep)(above > TILE_NAME(set)(-DBL_MAX), above);
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
		v = TILE_FMA(TILE_NAME(set)(a), u, v);
		memcpy(y + i, &v, sizeof v);
	}
	for (; i < n; i++)
		y[i] = fma(a, x[i], y[i]);
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
#undef TILE_MAX
#undef TILE_MIN
#undef TILE_OUTS
#undef TILE_OUTS_N
#undef TILE_TRANSPOSE
