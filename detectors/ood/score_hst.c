/* score_hst.c -- half-space trees (Tan, Ting, Liu 2011), for streams without a reference.
 *
 * Each tree cuts a box about a random point at the middle of a random feature, `depth` times. A record
 * walks down to the first node that is at full depth or held less than a tenth of a window before; the
 * node's mass times 2^depth is summed over the trees, negated: few earlier records = unlike. Every node on
 * the way down counts the record for the next window. Features are expected in [0, 1]. Cost:
 * trees * depth steps a record.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/rng.h"
#include "detectors/ood/score.h"

enum { TREES_MAX = 200 };
/* Random numbers of tree t: stream 3 * 2^32 + t. */
static const uint64_t first_stream = UINT64_C(3) << 32;

struct hst_node {
	double split;
	uint32_t feature;
	uint32_t reference; /* records of the window before */
};

struct hst {
	uint32_t d, trees, depth, window, records; /* records: of this window */
	size_t nodes;          /* of a tree, the root first, children of i at 2i + 1, 2i + 2 */
	struct hst_node *node; /* [trees * nodes] */
	uint32_t *latest;      /* [trees * nodes] records of this window */
};

static void
hst_destroy(void *instance)
{
	struct hst *self = instance;

	if (self == NULL)
		return;
	free(self->node);
	free(self->latest);
	free(self);
}

struct grower {
	uint64_t seed, stream, n;
	struct hst_node *node;
	uint32_t d, depth;
	double *low, *high; /* [d] */
};

static void
grow(struct grower *g, size_t at, uint32_t depth)
{
	struct hst_node *node = &g->node[at];
	double u, low, high;
	uint32_t f;

	if (depth == g->depth)
		return;
	u = rng_uniform(g->seed, g->stream, ++g->n);
	f = (uint32_t)(u * (double)g->d);
	f = f < g->d ? f : g->d - 1;
	low = g->low[f];
	high = g->high[f];
	node->feature = f;
	node->split = (low + high) / 2.0;
	g->high[f] = node->split;
	grow(g, 2 * at + 1, depth + 1);
	g->high[f] = high;
	g->low[f] = node->split;
	grow(g, 2 * at + 2, depth + 1);
	g->low[f] = low;
}

static int
hst_create(void **out, const struct score_options *o, const struct score_rows *fit, uint32_t d,
           struct diag *diag)
{
	struct hst *self = calloc(1, sizeof *self);
	double *range = score_array(d, 2);

	(void)fit;
	if (self == NULL || range == NULL)
		goto failed;
	*self = (struct hst){ .d = d, .trees = o->trees, .depth = o->depth, .window = o->window };
	self->nodes = ((size_t)2 << o->depth) - 1;
	self->node = calloc(o->trees * self->nodes, sizeof *self->node);
	self->latest = calloc(o->trees * self->nodes, sizeof *self->latest);
	if (self->node == NULL || self->latest == NULL)
		goto failed;
	for (uint32_t t = 0; t < o->trees; t++) {
		struct grower g = { (uint64_t)o->seed, first_stream + t, 0, self->node + t * self->nodes, d,
			            o->depth, range, range + d };

		for (uint32_t f = 0; f < d; f++) {
			double s = rng_uniform(g.seed, g.stream, ++g.n), half = 2.0 * (s > 0.5 ? s : 1.0 - s);

			g.low[f] = s - half;
			g.high[f] = s + half;
		}
		grow(&g, 0, 0);
	}
	free(range);
	*out = self;
	return 0;
failed:
	free(range);
	hst_destroy(self);
	return score_no_memory(diag);
}

/* Down all trees together, level by level, so that their steps overlap. A tree that has given its mass goes
 * on counting. */
static double
walk(struct hst *self, const double *x)
{
	uint32_t at[TREES_MAX] = { 0 }, open[TREES_MAX], few = (self->window + 9) / 10;
	double sum = 0.0;

	for (uint32_t t = 0; t < self->trees; t++)
		open[t] = UINT32_MAX;
	for (uint32_t depth = 0; depth <= self->depth; depth++) {
		uint32_t least = depth == self->depth ? UINT32_MAX : few;
		uint64_t mass = 0;

		for (uint32_t t = 0; t < self->trees; t++) {
			const struct hst_node *node = &self->node[t * self->nodes + at[t]];
			uint32_t here = 0u - (uint32_t)(node->reference < least);

			self->latest[t * self->nodes + at[t]]++;
			mass += node->reference & here & open[t];
			open[t] &= ~here;
			at[t] = 2 * at[t] + 2 - (uint32_t)(x[node->feature] < node->split);
		}
		sum += ldexp((double)mass, (int)depth);
	}
	return sum;
}

static void
hst_run(void *instance, const struct score_rows *rows, double *out)
{
	struct hst *self = instance;

	for (uint32_t r = 0; r < rows->n; r++) {
		out[r] = -walk(self, rows->feature + (size_t)r * self->d);
		if (++self->records < self->window)
			continue;
		self->records = 0;
		for (size_t i = 0; i < self->trees * self->nodes; i++) {
			self->node[i].reference = self->latest[i];
			self->latest[i] = 0;
		}
	}
}

static const struct option options_table[] = {
	OPT_U32(struct score_options, trees, "trees", "25", 1, TREES_MAX, "trees"),
	OPT_U32(struct score_options, depth, "depth", "8", 1, 15, "cuts from root to leaf"),
	OPT_U32(struct score_options, window, "window", "250", 1, 1000000, "records of a window"),
	OPT_I64(struct score_options, seed, "seed", "1", 0, 0x1p53, "seed of the trees"),
	OPT_END,
};

const struct score hst_score = {
	.name = "hst",
	.summary = "few earlier records in the same half-spaces",
	.source = "Tan, Ting, Liu 2011, algorithms 1-3",
	.flags = SCORE_FEATURES | SCORE_ADAPTIVE,
	.options = options_table,
	.create = hst_create,
	.destroy = hst_destroy,
	.run = hst_run,
};
