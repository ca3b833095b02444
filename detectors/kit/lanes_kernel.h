/* lanes_kernel.h -- the loops of lanes.c for one vector width; included once per width with
 *   LANES_NAME(x)  name of x in this width
 *   LANES_TARGET   attribute that allows the instructions
 *   LANES_WIDTH    doubles of a vector: 2, 4 or 8
 *   LANES_TOGETHER lanes whose R and P fit into registers, a multiple of 8
 * Only +, *, comparison and selection: every width gives the same bits. */

typedef double LANES_NAME(vec) __attribute__((vector_size(8 * LANES_WIDTH), may_alias));
typedef int64_t LANES_NAME(mask) __attribute__((vector_size(8 * LANES_WIDTH), may_alias));
typedef double LANES_NAME(loose)
	__attribute__((vector_size(8 * LANES_WIDTH), may_alias, aligned(8)));

/* out = m ? a : b, lane by lane. */
#define LANES_PICK(m, a, b)                                                                        \
	((LANES_NAME(vec))(((LANES_NAME(mask))(a) & (m)) | ((LANES_NAME(mask))(b) & ~(m))))
#define LANES_AT(array, i) (*(LANES_NAME(vec) *)((array) + (i)))

/* Rows [0, rows) of one block, until S >= threshold: R, P and S. Returns the rows consumed. */
LANES_TARGET static uint32_t
LANES_NAME(run)(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t rows,
                double weight, double threshold, double *statistic)
{
	enum { PARTS = 8 / LANES_WIDTH };
	const LANES_NAME(vec) top = (LANES_NAME(vec)){ 0 } + LANES_TOP;
	const uint32_t n = l->n;
	double *p = l->p;

	for (uint32_t row = 0; row < rows; row++) {
		uint32_t at = from + row;
		const double *factor = in->factor + (in->pick ? in->pick[at] : at) * in->stride;
		double *r = l->r + (in->phase ? (size_t)in->phase[at] * n : 0);
		double g = in->gain ? in->gain[at] : 1;
		LANES_NAME(vec) sum[PARTS] = { { 0 } };
		double s[8];

		for (uint32_t i = 0; i < n; i += 8) {
#pragma GCC unroll 4
			for (uint32_t j = 0; j < PARTS; j++) {
				uint32_t k = i + j * LANES_WIDTH;
				LANES_NAME(vec) f = *(const LANES_NAME(loose) *)(factor + k);
				LANES_NAME(vec) x = (LANES_AT(r, k) + g) * f;
				LANES_NAME(vec) q = LANES_AT(p, k) * f;

				x = LANES_PICK(x < top, x, top);
				q = LANES_PICK(q < top, q, top);
				LANES_AT(r, k) = x;
				LANES_AT(p, k) = q;
				sum[j] += x;
			}
		}
		memcpy(s, sum, sizeof(s));
		statistic[row] = (s[0] + s[4]) + (s[2] + s[6]);
		statistic[row] += (s[1] + s[5]) + (s[3] + s[7]);
		statistic[row] *= weight;
		if (statistic[row] >= threshold)
			return row + 1;
	}
	return rows;
}

/* Rows [0, rows) of one block for lanes [first, first + n), n known when compiling: R and P stay in
 * registers and are not clamped. Adds the R of each row to sum[row]. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES_NAME(part)(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t rows,
                 uint32_t first, double (*sum)[8], const uint32_t n)
{
	enum { PARTS = 8 / LANES_WIDTH };
	LANES_NAME(vec) r[LANES_TOGETHER / LANES_WIDTH], p[LANES_TOGETHER / LANES_WIDTH];
	const double *const base = in->factor + first;

#pragma GCC unroll 5
	for (uint32_t k = 0; k < n / LANES_WIDTH; k++) {
		r[k] = LANES_AT(l->r, first + k * LANES_WIDTH);
		p[k] = LANES_AT(l->p, first + k * LANES_WIDTH);
	}
	for (uint32_t row = 0; row < rows; row++) {
		const double *factor = base + (in->pick ? in->pick[from + row] : from + row) * in->stride;
		double g = in->gain ? in->gain[from + row] : 1;
		LANES_NAME(vec) s[PARTS];

#pragma GCC unroll 4
		for (uint32_t j = 0; j < PARTS; j++)
			s[j] = LANES_AT(sum[row], j * LANES_WIDTH);
#pragma GCC unroll 5
		for (uint32_t k = 0; k < n / LANES_WIDTH; k++) {
			LANES_NAME(vec) f = *(const LANES_NAME(loose) *)(factor + k * LANES_WIDTH);

			r[k] = (r[k] + g) * f;
			p[k] *= f;
			s[k % PARTS] += r[k];
		}
#pragma GCC unroll 4
		for (uint32_t j = 0; j < PARTS; j++)
			LANES_AT(sum[row], j * LANES_WIDTH) = s[j];
	}
#pragma GCC unroll 5
	for (uint32_t k = 0; k < n / LANES_WIDTH; k++) {
		LANES_AT(l->r, first + k * LANES_WIDTH) = r[k];
		LANES_AT(l->p, first + k * LANES_WIDTH) = p[k];
	}
}

/* Without clamps and crossings, which is nearly always: false when a row might have needed one or the
 * other; R and P must then be put back. The sum of R shows it: no R is larger. */
LANES_TARGET static bool
LANES_NAME(run_calm)(struct lanes *l, const struct lanes_rows *in, uint32_t from, uint32_t rows,
                     double weight, double threshold, double *statistic)
{
	_Alignas(64) double sum[LANES_BLOCK][8];
	uint32_t first = 0, rest = l->n % LANES_TOGETHER;
	double most = LANES_CALM * weight < threshold ? LANES_CALM * weight : threshold;
	bool calm = true;

	memset(sum, 0, rows * sizeof(sum[0]));
	for (; first + LANES_TOGETHER <= l->n; first += LANES_TOGETHER)
		LANES_NAME(part)(l, in, from, rows, first, sum, LANES_TOGETHER);
#if LANES_WIDTH == 8
	if (rest == 8)
		LANES_NAME(part)(l, in, from, rows, first, sum, 8);
	else if (rest == 16)
		LANES_NAME(part)(l, in, from, rows, first, sum, 16);
	else if (rest == 24)
		LANES_NAME(part)(l, in, from, rows, first, sum, 24);
	else if (rest == 32)
		LANES_NAME(part)(l, in, from, rows, first, sum, 32);
#else
	if (rest == 8)
		LANES_NAME(part)(l, in, from, rows, first, sum, 8);
#endif
	for (uint32_t row = 0; row < rows; row++) {
		const double *s = sum[row];
		double total = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));

		total *= weight;
		statistic[row] = total;
		calm &= total < most;
	}
	return calm;
}

/* End of a block: G <- max(G, 1) P; where G was below 1 the lane starts at the block's start. */
LANES_TARGET static void
LANES_NAME(fold)(struct lanes *l)
{
	const LANES_NAME(vec) zero = { 0 }, one = zero + 1.0, top = zero + LANES_TOP;
	const LANES_NAME(vec) start = zero + l->block_start, start_ms = zero + l->block_ms;

	for (uint32_t i = 0; i < l->n; i += LANES_WIDTH) {
		LANES_NAME(vec) g = LANES_AT(l->g, i);
		LANES_NAME(mask) fresh = (LANES_NAME(mask))(g < one);
		LANES_NAME(vec) x = LANES_PICK(fresh, one, g) * LANES_AT(l->p, i);

		LANES_AT(l->g, i) = LANES_PICK(x < top, x, top);
		LANES_AT(l->p, i) = one;
		LANES_AT(l->start, i) = LANES_PICK(fresh, start, LANES_AT(l->start, i));
		LANES_AT(l->start_ms, i) = LANES_PICK(fresh, start_ms, LANES_AT(l->start_ms, i));
		for (uint32_t s = 0; s < LANES_SUMS; s++) {
			LANES_NAME(vec) sum = zero + l->block_sum[s];

			if (s == 0 && l->own)
				sum = LANES_AT(l->own_block, i);
			LANES_AT(l->snap[s], i) = LANES_PICK(fresh, sum, LANES_AT(l->snap[s], i));
		}
	}
}

#undef LANES_PICK
#undef LANES_AT
#undef LANES_NAME
#undef LANES_TARGET
#undef LANES_TOGETHER
#undef LANES_WIDTH
