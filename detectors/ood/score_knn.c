/* score_knn.c -- squared distance to the k-th nearest row of the reference, exact (Sun et al. 2022).
 *
 * Embeddings lie on the unit sphere with k = max(1, round(n / 1000)); features are standardised with k = 5.
 * Differences are squared and summed as they are, without |x|^2 - 2 x'b + |b|^2: a copy of a reference row
 * has distance 0. Cost: n d subtractions and fused operations, and k - 1 insertions at most where a
 * distance is among the smallest so far.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/ood/space.h"

struct knn {
	const struct tile_kernel *kernel;
	struct space space;
	bool features;
	uint32_t n, k;
	double *bank;    /* panels of reference rows */
	double *tiles;   /* [SCORER_ROWS * columns] */
	double *nearest; /* [SCORER_ROWS][k] ascending */
};

static void
knn_destroy(void *instance)
{
	struct knn *self = instance;

	if (self == NULL)
		return;
	space_finish(&self->space);
	free(self->bank);
	free(self->tiles);
	free(self->nearest);
	free(self);
}

static uint32_t
choose_k(const struct score_options *o, bool features, uint32_t n)
{
	uint32_t k = o->neighbours;

	if (k == OPTION_AUTO)
		k = features ? 5 : (uint32_t)(0.001 * (double)n + 0.5);
	if (k > n)
		k = n;
	return k < 1 ? 1 : k;
}

/* Which rows are compared with: `most` of n, from each class in proportion and evenly over it. Their number;
 * SIZE_MAX: no memory. */
static size_t
choose_bank(const struct score_rows *rows, uint32_t d, const double *from, uint32_t most, double *bank)
{
	uint32_t n = rows->n, kept = 0, labels = 0;
	uint32_t *seen;

	for (uint32_t r = 0; rows->label != NULL && r < n; r++)
		if (rows->label[r] != SCORE_NO_LABEL && rows->label[r] >= labels)
			labels = rows->label[r] + 1;
	seen = calloc((size_t)labels + 1, sizeof *seen);
	if (seen == NULL)
		return SIZE_MAX;
	for (uint32_t r = 0; r < n; r++) {
		uint32_t c = rows->label == NULL || rows->label[r] == SCORE_NO_LABEL ? labels : rows->label[r];
		uint64_t i = seen[c]++;

		/* the first of each class always, so that none is left out */
		if (most != 0 && i > 0 && (i * most) / n == ((i - 1) * most) / n)
			continue;
		memcpy(bank + (size_t)kept++ * d, from + (size_t)r * d, d * sizeof *bank);
	}
	free(seen);
	return kept;
}

static int
knn_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t d,
           struct diag *diag)
{
	bool features = rows->embedding == NULL;
	const double *from = features ? rows->feature : rows->embedding;
	enum space_choice kind = o->space != SPACE_AUTO ? (enum space_choice)o->space
	                         : features ? SPACE_STANDARD : SPACE_UNIT;
	struct knn *self = calloc(1, sizeof *self);
	double *copy = score_array(rows->n, d);
	size_t kept;
	int err = 0;

	if (self == NULL || copy == NULL) {
		free(copy);
		free(self);
		return score_no_memory(diag);
	}
	self->kernel = tile_kernel(o->isa);
	self->features = features;
	kept = choose_bank(rows, d, from, o->bank < rows->n ? o->bank : 0, copy);
	if (kept == SIZE_MAX) {
		free(copy);
		free(self);
		return score_no_memory(diag);
	}
	self->n = (uint32_t)kept;
	self->k = choose_k(o, features, self->n);
	self->bank = score_array((size_t)panel_count(self->n) * PANEL_ROWS, d);
	self->tiles = score_array(SCORER_ROWS, d);
	self->nearest = score_array(SCORER_ROWS, self->k);
	if (self->bank == NULL || self->tiles == NULL || self->nearest == NULL)
		err = score_no_memory(diag);
	if (err == 0)
		err = space_fit(&self->space, kind, from, rows->n, d, diag);
	if (err == 0) {
		space_rows(&self->space, copy, self->n);
		panel_pack(copy, self->n, d, self->bank);
	}
	free(copy);
	if (err != 0)
		knn_destroy(self);
	else
		*out = self;
	return err;
}

/* near[k] ascending; x < near[k - 1] */
static void
insert(double *near, uint32_t k, double x)
{
	uint32_t i = k - 1;

	for (; i > 0 && near[i - 1] > x; i--)
		near[i] = near[i - 1];
	near[i] = x;
}

static void
take(struct knn *self, uint32_t tile, uint32_t left, const double *distance)
{
	for (uint32_t j = 0; j < PANEL_ROWS && j < left; j++)
		for (uint32_t r = 0; r < TILE_ROWS; r++) {
			double *near = self->nearest + (size_t)(tile * TILE_ROWS + r) * self->k;

			if (distance[j * TILE_ROWS + r] < near[self->k - 1])
				insert(near, self->k, distance[j * TILE_ROWS + r]);
		}
}

static void
knn_run(void *instance, const struct score_rows *rows, double *out)
{
	struct knn *self = instance;
	uint32_t d = self->space.columns;
	_Alignas(64) double distance[PANEL_ROWS * TILE_ROWS];

	space_load(&self->space, self->kernel, self->features ? rows->feature : rows->embedding, rows->n,
	           self->tiles);
	for (size_t i = 0; i < (size_t)SCORER_ROWS * self->k; i++)
		self->nearest[i] = DBL_MAX;
	for (uint32_t p = 0; p < panel_count(self->n); p++)
		for (uint32_t t = 0; t < tile_count(rows->n); t++) {
			self->kernel->distance(self->bank + (size_t)p * PANEL_ROWS * d, d,
			                       self->tiles + (size_t)t * d * TILE_ROWS, distance);
			take(self, t, self->n - p * PANEL_ROWS, distance);
		}
	for (uint32_t r = 0; r < rows->n; r++)
		out[r] = self->nearest[(size_t)r * self->k + self->k - 1];
}

static const char *const spaces[] = { "auto", "none", "unit", "standard", NULL };

static const struct option options_table[] = {
	OPT_AUTO_U32(struct score_options, neighbours, "k", "auto", 1, 100000,
	             "neighbour; auto: a thousandth of the rows (embedding), 5 (features)"),
	OPT_U32(struct score_options, bank, "bank", "0", 0, 10000000,
	        "reference rows that are compared with, stratified by label; 0: all"),
	OPT_ENUM(struct score_options, space, "space", "auto", spaces,
	         "none, unit norm, or standardised; auto: unit (embedding), standard (features)"),
	OPT_END,
};

const struct score knn_score = {
	.name = "knn",
	.summary = "squared distance to the k-th nearest row of the reference",
	.source = "Sun, Ming, Zhu, Li 2022, section 3",
	.flags = SCORE_VECTOR | SCORE_FITTED,
	.options = options_table,
	.create = knn_create,
	.destroy = knn_destroy,
	.run = knn_run,
};
