/* score_mds.c -- Mahalanobis distances: mds, mds_pp, rmds_pp on embeddings, maha on features.
 *
 *     mds      min over classes c of (x - mu_c)' S^-1 (x - mu_c), S the covariance within classes
 *     mds_pp   the same on x / |x| (Mueller, Hein 2025)
 *     rmds_pp  mds_pp - (x - mu_0)' S_0^-1 (x - mu_0), mean and covariance of all rows (Ren et al. 2021)
 *     maha     features standardised, one class
 *
 * Covariances are Ledoit-Wolf's. With W the inverse of the Cholesky factor, S^-1 = W'W: a record is
 * whitened once, y = W x, and its distance to a class is |y - W mu_c|^2. Cost: d^2 / 2 + 2 C d fused
 * operations a record, twice the first for rmds_pp.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/kit/linear.h"
#include "detectors/ood/space.h"

/* One quadratic form: |W x - m|^2, the least over the means m. */
struct form {
	uint32_t d, means;
	double *whiten; /* panels of the lower triangle W */
	double *mean;   /* panels of whitened means */
};

struct mds {
	const struct tile_kernel *kernel;
	struct space space;
	bool features, relative;
	struct form within, global;
	double *tiles, *white; /* [SCORER_ROWS * columns] */
	double *least;         /* [SCORER_ROWS] */
};

static void
form_finish(struct form *f)
{
	free(f->whiten);
	free(f->mean);
}

static void
mds_destroy(void *instance)
{
	struct mds *self = instance;

	if (self == NULL)
		return;
	space_finish(&self->space);
	form_finish(&self->within);
	form_finish(&self->global);
	free(self->tiles);
	free(self->white);
	free(self->least);
	free(self);
}

/* Classes that occur, by code: index[code] and their number; 1 class when a row has no label. index has
 * room for every code. */
static uint32_t
number_classes(const uint32_t *label, uint32_t n, uint32_t *index, uint32_t codes)
{
	uint32_t classes = 0;

	for (uint32_t i = 0; i < codes; i++)
		index[i] = SCORE_NO_LABEL;
	for (uint32_t r = 0; r < n; r++) {
		if (label == NULL || label[r] == SCORE_NO_LABEL)
			return 1;
		if (index[label[r]] == SCORE_NO_LABEL)
			index[label[r]] = classes++;
	}
	return classes;
}

/* Means of the classes, and each row less the mean of its class. */
static int
centre_classes(double *rows, uint32_t n, uint32_t d, const uint32_t *label, double **mean, uint32_t *classes,
               struct diag *diag)
{
	uint32_t codes = 1, *index, *count;
	double *m = NULL;

	for (uint32_t r = 0; r < n && label != NULL; r++)
		if (label[r] != SCORE_NO_LABEL && label[r] >= codes)
			codes = label[r] + 1;
	index = calloc(codes, sizeof *index);
	count = calloc(codes, sizeof *count);
	if (index != NULL && count != NULL) {
		*classes = number_classes(label, n, index, codes);
		m = score_array(*classes, d);
	}
	for (uint32_t r = 0; r < n && m != NULL; r++) {
		uint32_t c = *classes == 1 ? 0 : index[label[r]];

		count[c]++;
		for (uint32_t i = 0; i < d; i++)
			m[(size_t)c * d + i] += rows[(size_t)r * d + i];
	}
	for (uint32_t c = 0; m != NULL && c < *classes; c++)
		for (uint32_t i = 0; i < d; i++)
			m[(size_t)c * d + i] /= (double)count[c];
	for (uint32_t r = 0; r < n && m != NULL; r++) {
		uint32_t c = *classes == 1 ? 0 : index[label[r]];

		for (uint32_t i = 0; i < d; i++)
			rows[(size_t)r * d + i] -= m[(size_t)c * d + i];
	}
	free(index);
	free(count);
	*mean = m;
	return m == NULL ? score_no_memory(diag) : 0;
}

/* The form of centred rows z and means. */
static int
form_fit(struct form *f, const double *z, uint32_t n, uint32_t d, const double *mean, uint32_t means,
         double ridge, struct diag *diag)
{
	double *s = score_array(d, d), *w = score_array(d, d), *white = score_array(means, d);
	int err = 0;

	f->d = d;
	f->means = means;
	f->whiten = score_array(panel_offset(panel_count(d)), 1);
	f->mean = score_array((size_t)panel_count(means) * PANEL_ROWS, d);
	if (s == NULL || w == NULL || white == NULL || f->whiten == NULL || f->mean == NULL) {
		err = score_no_memory(diag);
		goto out;
	}
	linear_scatter(z, n, d, s);
	if (isnan(ridge))
		linear_ledoit_wolf(z, n, d, s);
	else
		linear_ridge(s, d, ridge);
	err = linear_whiten(s, d, w, diag);
	if (err != 0)
		goto out;
	panel_pack_lower(w, d, f->whiten);
	for (uint32_t c = 0; c < means; c++)
		for (uint32_t j = 0; j < d; j++) {
			double sum = 0.0;

			for (uint32_t i = 0; i <= j; i++)
				sum = fma(w[(size_t)j * d + i], mean[(size_t)c * d + i], sum);
			white[(size_t)c * d + j] = sum;
		}
	panel_pack(white, means, d, f->mean);
out:
	free(s);
	free(w);
	free(white);
	return err;
}

static int
fit(struct mds *self, const double *from, uint32_t n, uint32_t d, const uint32_t *label, double ridge,
    enum space_choice kind, struct diag *diag)
{
	double *rows = score_array(n, d), *mean = NULL, *origin = NULL;
	uint32_t classes = 0;
	int err = rows == NULL ? score_no_memory(diag) : 0;

	if (err == 0)
		err = space_fit(&self->space, kind, from, n, d, diag);
	if (err != 0)
		goto out;
	memcpy(rows, from, (size_t)n * d * sizeof *rows);
	space_rows(&self->space, rows, n);
	/* the origin goes to the mean of all rows, so that nothing cancels */
	if (kind != SPACE_STANDARD)
		space_centre(&self->space, rows, n);
	if (self->relative) {
		origin = score_array(d, 1);
		err = origin == NULL ? score_no_memory(diag)
		      : form_fit(&self->global, rows, n, d, origin, 1, ridge, diag);
	}
	if (err == 0)
		err = centre_classes(rows, n, d, label, &mean, &classes, diag);
	if (err == 0)
		err = form_fit(&self->within, rows, n, d, mean, classes, ridge, diag);
out:
	free(rows);
	free(mean);
	free(origin);
	return err;
}

static int
create(void **out, const struct score_options *o, const struct score_rows *rows, bool features, bool relative,
       enum space_choice kind, struct diag *diag)
{
	uint32_t d = features ? rows->features : rows->dimension;
	const double *from = features ? rows->feature : rows->embedding;
	struct mds *self = calloc(1, sizeof *self);
	int err;

	if (self == NULL)
		return score_no_memory(diag);
	self->kernel = tile_kernel(o->isa);
	self->features = features;
	self->relative = relative;
	self->tiles = score_array(SCORER_ROWS, d);
	/* whole panels are written */
	self->white = score_array(SCORER_ROWS, (size_t)panel_count(d) * PANEL_ROWS);
	self->least = score_array(SCORER_ROWS, 1);
	err = self->tiles == NULL || self->white == NULL || self->least == NULL ? score_no_memory(diag) : 0;
	if (err == 0)
		err = fit(self, from, rows->n, d, features ? NULL : rows->label, o->ridge, kind, diag);
	if (err != 0)
		mds_destroy(self);
	else
		*out = self;
	return err;
}

static int
mds_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t width,
           struct diag *d)
{
	(void)width;
	return create(out, o, rows, false, false, SPACE_NONE, d);
}

static int
mds_pp_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t width,
              struct diag *d)
{
	(void)width;
	return create(out, o, rows, false, false, SPACE_UNIT, d);
}

static int
rmds_pp_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t width,
               struct diag *d)
{
	(void)width;
	return create(out, o, rows, false, true, SPACE_UNIT, d);
}

static int
maha_create(void **out, const struct score_options *o, const struct score_rows *rows, uint32_t width,
            struct diag *d)
{
	(void)width;
	return create(out, o, rows, true, false, SPACE_STANDARD, d);
}

/* least[r] of the rows whose tiles are loaded */
static void
form_run(const struct mds *self, const struct form *f, uint32_t n)
{
	uint32_t d = f->d, room = panel_count(d) * PANEL_ROWS;
	_Alignas(64) double out[PANEL_ROWS * TILE_ROWS];

	for (uint32_t p = 0; p < panel_count(d); p++)
		for (uint32_t t = 0; t < tile_count(n); t++)
			self->kernel->product(f->whiten + panel_offset(p), panel_width(p, d),
			                      self->tiles + (size_t)t * d * TILE_ROWS,
			                      self->white + ((size_t)t * room + p * PANEL_ROWS) * TILE_ROWS);
	for (uint32_t r = 0; r < SCORER_ROWS; r++)
		self->least[r] = DBL_MAX;
	for (uint32_t p = 0; p < panel_count(f->means); p++)
		for (uint32_t t = 0; t < tile_count(n); t++) {
			uint32_t left = f->means - p * PANEL_ROWS;
			double *least = self->least + t * TILE_ROWS;

			self->kernel->distance(f->mean + (size_t)p * PANEL_ROWS * d, d,
			                       self->white + (size_t)t * room * TILE_ROWS, out);
			for (uint32_t j = 0; j < PANEL_ROWS && j < left; j++)
				for (uint32_t r = 0; r < TILE_ROWS; r++)
					least[r] = out[j * TILE_ROWS + r] < least[r]
					           ? out[j * TILE_ROWS + r] : least[r];
		}
}

static void
mds_run(void *instance, const struct score_rows *rows, double *out)
{
	struct mds *self = instance;

	space_load(&self->space, self->kernel, self->features ? rows->feature : rows->embedding, rows->n,
	           self->tiles);
	form_run(self, &self->within, rows->n);
	memcpy(out, self->least, rows->n * sizeof *out);
	if (!self->relative)
		return;
	form_run(self, &self->global, rows->n);
	for (uint32_t r = 0; r < rows->n; r++)
		out[r] -= self->least[r];
}

static const struct option options_table[] = {
	OPT_AUTO_F64(struct score_options, ridge, "ridge", "auto", 0.0, 1e6,
	             "covariance + this share of its mean variance on the diagonal; auto: Ledoit-Wolf"),
	OPT_END,
};

#define MDS_SCORE(symbol, text, reads, about, paper, make)                                         \
	const struct score symbol = {                                                              \
		.name = text,                                                                      \
		.summary = about,                                                                  \
		.source = paper,                                                                   \
		.flags = (reads) | SCORE_FITTED,                                                   \
		.options = options_table,                                                          \
		.create = make,                                                                    \
		.destroy = mds_destroy,                                                            \
		.run = mds_run,                                                                    \
	}

MDS_SCORE(mds_score, "mds", SCORE_EMBEDDING, "Mahalanobis distance to the nearest class mean",
          "Lee, Lee, Lee, Shin 2018, eq. 2; Ledoit, Wolf 2004", mds_create);
MDS_SCORE(mds_pp_score, "mds_pp", SCORE_EMBEDDING, "the same on embeddings of norm 1",
          "Mueller, Hein 2025 (Mahalanobis++)", mds_pp_create);
MDS_SCORE(rmds_pp_score, "rmds_pp", SCORE_EMBEDDING, "mds_pp less the distance to the mean of all",
          "Ren et al. 2021, eq. 3; Mueller, Hein 2025", rmds_pp_create);
MDS_SCORE(maha_score, "maha", SCORE_FEATURES, "Mahalanobis distance of standardised features",
          "Mahalanobis 1936; Ledoit, Wolf 2004", maha_create);
