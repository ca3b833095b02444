/* score_logits.c -- scores of a classifier's output: energy, entropy, gen, margin, maxlogit, msp.
 *
 * p = softmax(logits), or the probabilities as they are where there are no logits. All but gen and an
 * energy of another temperature are read off the one pass that the scorer makes (tile.h, softmax()).
 * Cost: 3 C operations a record; gen 40 C.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/ood/score.h"

struct output {
	const struct tile_kernel *kernel;
	double temperature, power;
	uint32_t most, classes;
	double *tile, *order; /* room for a tile, and for the values of a row */
};

static void
output_destroy(void *instance)
{
	struct output *self = instance;

	if (self == NULL)
		return;
	free(self->tile);
	free(self->order);
	free(self);
}

static int
output_create(void **out, const struct score_options *o, const struct score_rows *fit, uint32_t width,
              struct diag *d)
{
	struct output *self = calloc(1, sizeof *self);

	(void)fit;
	if (self == NULL)
		return score_no_memory(d);
	self->kernel = tile_kernel(o->isa);
	self->temperature = o->temperature;
	self->power = o->gen_power;
	self->most = o->gen_classes;
	self->classes = width;
	self->tile = score_array(width, TILE_ROWS);
	self->order = score_array(width, 1);
	if (self->tile == NULL || self->order == NULL) {
		output_destroy(self);
		return score_no_memory(d);
	}
	*out = self;
	return 0;
}

/* out[r] = sign * the tile_softmax array at `offset` */
static void
read_off(const struct score_rows *rows, size_t offset, double sign, double *out)
{
	for (uint32_t r = 0; r < rows->n; r++) {
		const struct tile_softmax *s = &rows->softmax[r / TILE_ROWS];
		const double *array = (const double *)(const void *)((const char *)s + offset);

		out[r] = sign * array[r % TILE_ROWS];
	}
}

static void
maxlogit_run(void *self, const struct score_rows *rows, double *out)
{
	(void)self;
	read_off(rows, offsetof(struct tile_softmax, max), -1.0, out);
}

static void
msp_run(void *self, const struct score_rows *rows, double *out)
{
	(void)self;
	read_off(rows, offsetof(struct tile_softmax, top), -1.0, out);
}

static void
margin_run(void *self, const struct score_rows *rows, double *out)
{
	(void)self;
	read_off(rows, offsetof(struct tile_softmax, margin), -1.0, out);
}

static void
entropy_run(void *self, const struct score_rows *rows, double *out)
{
	(void)self;
	read_off(rows, offsetof(struct tile_softmax, entropy), 1.0, out);
}

static void
load(const struct output *self, const struct score_rows *rows, const double *value, uint32_t from)
{
	uint32_t n = rows->n - from < TILE_ROWS ? rows->n - from : TILE_ROWS;

	self->kernel->load(value + (size_t)from * rows->classes, rows->classes, n, rows->classes, self->tile);
}

static void
energy_run(void *instance, const struct score_rows *rows, double *out)
{
	const struct output *self = instance;

	if (!(self->temperature < 1.0) && !(self->temperature > 1.0)) {
		read_off(rows, offsetof(struct tile_softmax, lse), -1.0, out);
		return;
	}
	for (uint32_t from = 0; from < rows->n; from += TILE_ROWS) {
		struct tile_softmax s;

		load(self, rows, rows->logits, from);
		for (size_t i = 0; i < (size_t)rows->classes * TILE_ROWS; i++)
			self->tile[i] /= self->temperature;
		self->kernel->softmax(self->tile, rows->classes, &s);
		for (uint32_t r = 0; r < TILE_ROWS && from + r < rows->n; r++)
			out[from + r] = -self->temperature * s.lse[r];
	}
}

/* The value at `rank` (0 = smallest) of v[n], which is put in another order (Hoare's selection). */
static double
select_rank(double *v, uint32_t n, uint32_t rank)
{
	uint32_t low = 0, high = n - 1;

	while (low < high) {
		double pivot = v[low + (high - low) / 2];
		uint32_t i = low, j = high;

		for (;;) {
			while (v[i] < pivot)
				i++;
			while (pivot < v[j])
				j--;
			if (i <= j) {
				double t = v[i];

				v[i++] = v[j];
				v[j] = t;
				if (j == 0)
					break;
				j--;
			}
			if (i > j)
				break;
		}
		if (rank <= j)
			high = j;
		else if (rank >= i)
			low = i;
		else
			break;
	}
	return v[rank];
}

/* The M largest values of a row: all above `above`, and `ties` equal to it. */
static void
largest(const struct output *self, const double *value, double *above, double *ties)
{
	uint32_t over = 0;

	memcpy(self->order, value, self->classes * sizeof *value);
	*above = select_rank(self->order, self->classes, self->classes - self->most);
	for (uint32_t i = 0; i < self->classes; i++)
		over += value[i] > *above;
	*ties = (double)(self->most - over);
}

static void
gen_run(void *instance, const struct score_rows *rows, double *out)
{
	const struct output *self = instance;
	const double *value = rows->logits != NULL ? rows->logits : rows->probs;
	_Alignas(64) double sum[TILE_ROWS];
	struct tile_gen g = { .g = self->power, .logits = rows->logits != NULL };

	for (uint32_t from = 0; from < rows->n; from += TILE_ROWS) {
		load(self, rows, value, from);
		g.s = &rows->softmax[from / TILE_ROWS];
		for (uint32_t r = 0; r < TILE_ROWS; r++) {
			g.above[r] = -DBL_MAX;
			g.ties[r] = 0.0;
			if (self->most < self->classes && from + r < rows->n)
				largest(self, value + (size_t)(from + r) * rows->classes, &g.above[r],
				        &g.ties[r]);
		}
		self->kernel->gen(self->tile, rows->classes, &g, sum);
		for (uint32_t r = 0; r < TILE_ROWS && from + r < rows->n; r++)
			out[from + r] = sum[r];
	}
}

static const struct option none_table[] = {
	OPT_END,
};

static const struct option energy_table[] = {
	OPT_F64(struct score_options, temperature, "T", "1", 1e-6, 1e6, "temperature"),
	OPT_END,
};

static const struct option gen_table[] = {
	OPT_F64(struct score_options, gen_power, "g", "0.1", 1e-6, 10.0, "power"),
	OPT_U32(struct score_options, gen_classes, "M", "100", 1, SCORE_WIDTH_MAX,
	        "largest probabilities that count"),
	OPT_END,
};

#define OUTPUT_SCORE(symbol, text, reads, about, paper, table, function)                           \
	const struct score symbol = {                                                              \
		.name = text,                                                                      \
		.summary = about,                                                                  \
		.source = paper,                                                                   \
		.flags = reads,                                                                    \
		.options = table,                                                                  \
		.create = output_create,                                                           \
		.destroy = output_destroy,                                                         \
		.run = function,                                                                   \
	}

OUTPUT_SCORE(energy_score, "energy", SCORE_LOGITS, "-T ln sum exp(logit / T)",
             "Liu, Wang, Owens, Li 2020, eq. 4", energy_table, energy_run);
OUTPUT_SCORE(entropy_score, "entropy", SCORE_SHARES, "entropy of the probabilities, in nats",
             "Shannon 1948", none_table, entropy_run);
OUTPUT_SCORE(gen_score, "gen", SCORE_SHARES, "generalised entropy: sum of (p (1 - p))^g, largest M",
             "Liu, Lochman, Zach 2023, eq. 5", gen_table, gen_run);
OUTPUT_SCORE(margin_score, "margin", SCORE_SHARES, "largest probability less the second, negated",
             "Scheffer, Decomain, Wrobel 2001", none_table, margin_run);
OUTPUT_SCORE(maxlogit_score, "maxlogit", SCORE_LOGITS, "largest logit, negated",
             "Hendrycks et al. 2022 (Scaling OOD detection), section 3", none_table, maxlogit_run);
OUTPUT_SCORE(msp_score, "msp", SCORE_SHARES, "largest probability, negated",
             "Hendrycks, Gimpel 2017", none_table, msp_run);
