/* score_vim.c -- virtual-logit matching (Wang, Li, Feng, Zhang 2022, eqs. 3-8).
 *
 *     alpha |N'(x - u)| - ln sum exp(logit)
 *
 * u is the mean of the reference, N its principal axes after the first D, and alpha the mean largest
 * logit over the mean |N'(x - u)| there. Cost: d (d - D) fused operations a record.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/linear.h"
#include "detectors/ood/space.h"

struct vim {
	const struct tile_kernel *kernel;
	struct space space;
	uint32_t axes;      /* of the residual: d - D */
	double alpha;
	double *residual;   /* panels of them */
	double *tiles;      /* [SCORER_ROWS * columns] */
};

static void
vim_destroy(void *instance)
{
	struct vim *self = instance;

	if (self == NULL)
		return;
	space_finish(&self->space);
	free(self->residual);
	free(self->tiles);
	free(self);
}

/* norm[r] of N'(x - u) */
static void
residuals(struct vim *self, const double *rows, uint32_t n, double *norm)
{
	_Alignas(64) double out[PANEL_ROWS * TILE_ROWS];
	uint32_t d = self->space.columns;
	double square[SCORER_ROWS] = { 0 };

	space_load(&self->space, self->kernel, rows, n, self->tiles);
	for (uint32_t p = 0; p < panel_count(self->axes); p++)
		for (uint32_t t = 0; t < tile_count(n); t++) {
			self->kernel->product(self->residual + (size_t)p * PANEL_ROWS * d, d,
			                      self->tiles + (size_t)t * d * TILE_ROWS, out);
			/* axes beyond the last are zero */
			for (uint32_t j = 0; j < PANEL_ROWS; j++)
				for (uint32_t r = 0; r < TILE_ROWS; r++) {
					double x = out[j * TILE_ROWS + r];

					square[t * TILE_ROWS + r] += x * x;
				}
		}
	for (uint32_t r = 0; r < n; r++)
		norm[r] = sqrt(square[r]);
}

static uint32_t
choose_axes(const struct score_options *o, uint32_t d)
{
	if (o->axes != OPTION_AUTO)
		return o->axes;
	return d >= 2048 ? 1000 : d >= 768 ? 512 : d / 2;
}

/* alpha, from the rows it was fitted on */
static int
balance(struct vim *self, const struct score_rows *rows, struct diag *d)
{
	double norm[SCORER_ROWS], largest = 0.0, residual = 0.0;

	for (uint32_t from = 0; from < rows->n; from += SCORER_ROWS) {
		uint32_t n = rows->n - from < SCORER_ROWS ? rows->n - from : SCORER_ROWS;

		residuals(self, rows->embedding + (size_t)from * rows->dimension, n, norm);
		for (uint32_t r = 0; r < n; r++) {
			const double *logit = rows->logits + (size_t)(from + r) * rows->classes;
			double max = logit[0];

			for (uint32_t c = 1; c < rows->classes; c++)
				max = logit[c] > max ? logit[c] : max;
			largest += max;
			residual += norm[r];
		}
	}
	if (!(residual > 0.0))
		return diag_set(d, ERR_INVALID, "the embeddings never leave their %u principal axes: "
		                "choose a smaller dim", self->space.columns - self->axes);
	self->alpha = largest / residual;
	return 0;
}

static int
fit(struct vim *self, const struct score_rows *rows, uint32_t axes, struct diag *diag)
{
	uint32_t d = rows->dimension;
	double *copy = score_array(rows->n, d), *s = score_array(d, d), *vector = score_array(d, d);
	double *value = score_array(d, 2);
	int err = copy == NULL || s == NULL || vector == NULL || value == NULL ? score_no_memory(diag) : 0;

	if (err == 0)
		err = space_fit(&self->space, SPACE_NONE, rows->embedding, rows->n, d, diag);
	if (err == 0) {
		memcpy(copy, rows->embedding, (size_t)rows->n * d * sizeof *copy);
		space_centre(&self->space, copy, rows->n);
		linear_scatter(copy, rows->n, d, s);
		err = linear_eigen(s, d, value, vector, value + d, diag);
	}
	if (err == 0) {
		self->axes = d - axes;
		panel_pack(vector, self->axes, d, self->residual);
		err = balance(self, rows, diag);
	}
	free(copy);
	free(s);
	free(vector);
	free(value);
	return err;
}

static int
vim_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t d,
           struct diag *diag)
{
	uint32_t axes = choose_axes(o, d);
	struct vim *self;
	int err = 0;

	if (axes >= d)
		return diag_set(diag, ERR_INVALID, "dim is %u, and must be below the %u numbers of an "
		                "embedding", axes, d);
	self = calloc(1, sizeof *self);
	if (self == NULL)
		return score_no_memory(diag);
	self->kernel = tile_kernel(o->isa);
	self->residual = score_array((size_t)panel_count(d - axes) * PANEL_ROWS, d);
	self->tiles = score_array(SCORER_ROWS, d);
	if (self->residual == NULL || self->tiles == NULL)
		err = score_no_memory(diag);
	if (err == 0)
		err = fit(self, rows, axes, diag);
	if (err != 0)
		vim_destroy(self);
	else
		*out = self;
	return err;
}

static void
vim_run(void *instance, const struct score_rows *rows, double *out)
{
	struct vim *self = instance;

	residuals(self, rows->embedding, rows->n, out);
	for (uint32_t r = 0; r < rows->n; r++)
		out[r] = self->alpha * out[r] - rows->softmax[r / TILE_ROWS].lse[r % TILE_ROWS];
}

static const struct option options_table[] = {
	OPT_AUTO_U32(struct score_options, axes, "dim", "auto", 0, SCORE_WIDTH_MAX,
	             "principal axes that are explained; auto: half, 512 from 768 on, 1000 from 2048 on"),
	OPT_END,
};

const struct score vim_score = {
	.name = "vim",
	.summary = "distance from the principal axes against the logits",
	.source = "Wang, Li, Feng, Zhang 2022, eqs. 3-8",
	.flags = SCORE_EMBEDDING | SCORE_LOGITS | SCORE_FITTED,
	.options = options_table,
	.create = vim_create,
	.destroy = vim_destroy,
	.run = vim_run,
};
