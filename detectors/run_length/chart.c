/* chart.c -- see chart.h.
 *
 *   CUSUM, upper side, x ~ N(s, 1):  N(u) = 1 + N(0) Phi(k - u - s) + int_0^h N(y) phi(y + k - u - s) dy
 *   EWMA:                            N(z) = 1 + int_{-H}^{H} N(y) phi((y - (1-l) z)/l - s)/l dy
 *
 * With nodes y_j and weights w_j the integrals become sums: state i moves to state j with probability
 * K_ij = w_j phi(.) and is absorbed with probability r_i, the exact tail beyond the limits. K_ii is taken
 * as 1 - r_i - sum of the others, so that (I - K) N = 1 can be solved by sums of positive numbers alone.
 */
#include "detectors/run_length/chart.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/special.h"

enum {
	NODES_BASE = 32,   /* for the edges of the interval */
	NODES_A_SIGMA = 4, /* the kernel is resolved to rounding from about 3 on */
	NEWTON_STEPS = 100,
	LIMIT_STEPS = 100,
};
static const double limit_most = 1e4, two_sided_excess = 1.166;

struct chain {
	uint32_t n;           /* states */
	uint32_t start;
	double *move;         /* [n][n] K, row = from */
	double *absorbed;     /* [n] r */
	double *node, *node_weight, *scratch; /* [n] */
};

static void
chain_free(struct chain *m)
{
	free(m->move);
	free(m->absorbed);
	*m = (struct chain){ 0 };
}

static bool
chain_allocate(struct chain *m, uint32_t n)
{
	*m = (struct chain){ .n = n };
	m->move = malloc((size_t)n * n * sizeof *m->move);
	m->absorbed = malloc(4 * (size_t)n * sizeof *m->absorbed);
	if (!m->move || !m->absorbed) {
		chain_free(m);
		return false;
	}
	m->node = m->absorbed + n;
	m->node_weight = m->node + n;
	m->scratch = m->node_weight + n;
	return true;
}

/* Gauss-Legendre on [low, high]: zeros of P_n by Newton's method, weights 2 / ((1 - x^2) P_n'^2). */
static void
gauss_legendre(uint32_t n, double low, double high, double *node, double *weight)
{
	double middle = 0.5 * (low + high), half = 0.5 * (high - low);

	for (uint32_t i = 0; i < n; i++) {
		double x = -cos(M_PI * (i + 0.75) / (n + 0.5)), slope = 1, step = 1;

		for (int k = 0; k < NEWTON_STEPS && fabs(step) > 1e-16; k++) {
			double p = 1, before = 0;

			for (uint32_t j = 0; j < n; j++) {
				double next = ((2.0 * j + 1) * x * p - j * before) / (j + 1.0);

				before = p;
				p = next;
			}
			slope = n * (x * p - before) / (x * x - 1);
			step = p / slope;
			x -= step;
		}
		node[i] = middle + half * x;
		weight[i] = 2 * half / ((1 - x * x) * slope * slope);
	}
}

static double
density(double z)
{
	return exp(-0.5 * z * z) * 0.39894228040143267794;
}

/* Nodes for an interval of `width`, in sigma of the kernel; 0: too many. Odd: an EWMA has one at 0. */
static uint32_t
nodes_for(double width)
{
	double n = NODES_BASE + NODES_A_SIGMA * width;

	return n < CHART_NODES_MAX - 1 ? (uint32_t)n | 1u : 0;
}

/* State 0 is the atom at 0, the others are nodes in (0, h). */
static bool
chain_cusum(struct chain *m, const struct chart *c, double shift)
{
	double down = c->weight - shift;
	uint32_t nodes = nodes_for(c->limit);

	if (!nodes || !chain_allocate(m, nodes + 1))
		return false;
	m->node[0] = 0;
	m->node_weight[0] = 0;
	gauss_legendre(nodes, 0, c->limit, m->node + 1, m->node_weight + 1);
	for (uint32_t i = 0; i < m->n; i++) {
		double *row = m->move + (size_t)i * m->n, u = m->node[i];

		row[0] = special_normal_cdf(down - u);
		for (uint32_t j = 1; j < m->n; j++)
			row[j] = m->node_weight[j] * density(m->node[j] + down - u);
		m->absorbed[i] = special_normal_cdf(u - c->limit - down);
	}
	return true;
}

static bool
chain_ewma(struct chain *m, const struct chart *c, double shift)
{
	double l = c->weight, edge = c->limit * sqrt(l / (2 - l));
	uint32_t nodes = nodes_for(2 * edge / l);

	if (!nodes || !chain_allocate(m, nodes))
		return false;
	m->start = nodes / 2;
	gauss_legendre(nodes, -edge, edge, m->node, m->node_weight);
	for (uint32_t i = 0; i < m->n; i++) {
		double *row = m->move + (size_t)i * m->n, kept = (1 - l) * m->node[i];

		for (uint32_t j = 0; j < m->n; j++)
			row[j] = m->node_weight[j] / l * density((m->node[j] - kept) / l - shift);
		m->absorbed[i] = special_normal_cdf((-edge - kept) / l - shift)
		                 + special_normal_cdf(-(edge - kept) / l + shift);
	}
	return true;
}

static bool
chain_make(struct chain *m, const struct chart *c, double shift)
{
	return c->kind == CHART_CUSUM ? chain_cusum(m, c, shift) : chain_ewma(m, c, shift);
}

/* Mean steps to absorption from every state, into m->scratch. Destroys the chain. States are left out one
 * by one from the last: i -> m -> j becomes i -> j, and what m stood for (its own steps, its absorption)
 * goes to i. leave = 1 - K_mm is the sum of what leaves m. */
static void
chain_solve(struct chain *m)
{
	double *steps = m->scratch, *leave = m->node_weight;
	uint32_t n = m->n;

	for (uint32_t i = 0; i < n; i++)
		steps[i] = 1;
	for (uint32_t k = n; k-- > 0;) {
		const double *out = m->move + (size_t)k * n;

		leave[k] = m->absorbed[k];
		for (uint32_t j = 0; j < k; j++)
			leave[k] += out[j];
		for (uint32_t i = 0; i < k; i++) {
			double *row = m->move + (size_t)i * n, part = row[k] / leave[k];

			for (uint32_t j = 0; j < k; j++)
				row[j] += part * out[j];
			m->absorbed[i] += part * m->absorbed[k];
			steps[i] += part * steps[k];
		}
	}
	for (uint32_t k = 0; k < n; k++) {
		for (uint32_t j = 0; j < k; j++)
			steps[k] += m->move[(size_t)k * n + j] * steps[j];
		steps[k] /= leave[k];
	}
}

/* Mean steps to absorption under `shift`, from the distribution over states that `before` steps without a
 * shift and without absorption leave. */
static double
length_after(const struct chart *c, double shift, uint32_t before)
{
	struct chain calm, moved;
	double *part = NULL, *next, length = (double)NAN;

	if (!chain_make(&calm, c, 0))
		return length;
	if (!chain_make(&moved, c, shift)) {
		chain_free(&calm);
		return length;
	}
	part = calloc(2 * (size_t)calm.n, sizeof *part);
	if (!part)
		goto out;
	next = part + calm.n;
	part[calm.start] = 1;
	for (uint32_t t = 0; t < before; t++) {
		double sum = 0;

		memset(next, 0, calm.n * sizeof *next);
		for (uint32_t i = 0; i < calm.n; i++)
			for (uint32_t j = 0; part[i] > 0 && j < calm.n; j++)
				next[j] += part[i] * calm.move[(size_t)i * calm.n + j];
		for (uint32_t j = 0; j < calm.n; j++)
			sum += next[j];
		for (uint32_t j = 0; j < calm.n; j++)
			part[j] = next[j] / sum;
	}
	chain_solve(&moved);
	length = 0;
	for (uint32_t i = 0; i < calm.n; i++)
		if (part[i] > 0)
			length += part[i] * moved.scratch[i];
out:
	free(part);
	chain_free(&calm);
	chain_free(&moved);
	return length;
}

double
chart_delay(const struct chart *c, double shift, uint32_t before)
{
	double upper = length_after(c, shift, before);

	if (c->kind == CHART_EWMA)
		return upper;
	return 1 / (1 / upper + 1 / length_after(c, -shift, before));
}

double
chart_length(const struct chart *c, double shift)
{
	return chart_delay(c, shift, 0);
}

double
chart_length_upper(const struct chart *c, double shift)
{
	return length_after(c, shift, 0);
}

/* A limit with less and one with more than `length`, from Siegmund's (1985) approximation of a CUSUM, or
 * from the limit that a single value would need. */
static void
bracket(struct chart *c, double length, double *low, double *high)
{
	double guess = c->kind == CHART_CUSUM && c->weight > 0.05 ?
	                   log(4 * c->weight * c->weight * length + 2) / (2 * c->weight) - two_sided_excess :
	                   -special_normal_quantile(0.5 / (length + 1));

	*high = guess > 0.1 ? guess : 0.1;
	for (c->limit = *high; chart_length(c, 0) < length && *high < limit_most; c->limit = *high)
		*high *= 1.25;
	*low = *high / 1.25;
	for (c->limit = *low; chart_length(c, 0) > length && *low > 1e-9; c->limit = *low)
		*low /= 1.25;
}

double
chart_limit(const struct chart *of, double length)
{
	struct chart c = *of;
	double low, high, at_low, at_high, target = log(length);

	if (!(length <= CHART_ARL_MAX))
		return (double)NAN;
	bracket(&c, length, &low, &high);
	c.limit = low;
	at_low = log(chart_length(&c, 0)) - target;
	c.limit = high;
	at_high = log(chart_length(&c, 0)) - target;
	if (!(at_low <= 0 && at_high >= 0))
		return (double)NAN;
	/* Regula falsi with the Illinois rule: the logarithm of the length is almost linear in the limit. */
	for (int i = 0, side = 0; i < LIMIT_STEPS && high - low > 1e-12 * high; i++) {
		double at;

		c.limit = (low * at_high - high * at_low) / (at_high - at_low);
		at = log(chart_length(&c, 0)) - target;
		if (fabs(at) < 1e-12)
			break;
		if (at < 0) {
			low = c.limit;
			at_low = at;
			at_high = side < 0 ? at_high / 2 : at_high;
			side = -1;
		} else {
			high = c.limit;
			at_high = at;
			at_low = side > 0 ? at_low / 2 : at_low;
			side = 1;
		}
	}
	return c.limit;
}
