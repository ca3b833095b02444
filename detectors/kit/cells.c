/* cells.c -- see cells.h. */
#include "detectors/kit/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/reference.h"
#include "detectors/kit/sort.h"

#define TWO_ROOT_PI 3.5449077018110318 /* d / (mean rank - 1/2) of a small normal shift */

/* Mid-ranks from counts: everything below, and half of the own cell. */
static void
mid_ranks(double *mid, const uint32_t *count, uint32_t n, uint32_t total)
{
	double below = 0;

	for (uint32_t i = 0; i < n; i++) {
		mid[i] = total ? (below + 0.5 * count[i]) / total : 0.5;
		below += count[i];
	}
}

/* Every edge of the ten PSI bins is one of ours, so a cell lies in exactly one of them. */
static void
psi_bins(struct cells *c, const double *sorted, uint32_t n)
{
	double edge[EDGES_MAX(CELLS_PSI_BINS)];
	uint32_t edges = edges_fill(edge, CELLS_PSI_BINS, sorted, n);

	for (uint32_t i = 0; i < c->n; i++) {
		double upper = i < c->edges ? c->edge[i] : (double)INFINITY;

		c->psi_of[i] = (uint8_t)edges_bin(edge, edges, upper);
	}
	c->psi_cells = edges + 1;
}

static void
build_numeric(struct cells *c, const struct reference *ref, double *scratch)
{
	uint32_t spread_count[CELLS_MAX] = { 0 };
	double sum = 0, squares = 0;

	memcpy(scratch, ref->value, ref->n * sizeof *scratch);
	sort_doubles(scratch, ref->n);
	c->low = scratch[0];
	c->high = scratch[ref->n - 1];
	c->median = scratch[(ref->n + 1) / 2 - 1];
	c->edges = edges_fill(c->edge, CELLS_BINS, scratch, ref->n);
	edges_index_init(&c->index, c->index_level, c->edge, c->edges);
	c->n = c->edges + 1;
	psi_bins(c, scratch, ref->n);
	for (uint32_t i = 0; i < ref->n; i++) {
		double delta = ref->value[i] - c->median;

		c->count[cells_of_value(c, ref->value[i])]++;
		sum += delta;
		squares += delta * delta;
		scratch[i] = fabs(delta);
	}
	c->mean = c->median + sum / ref->n;
	c->sd = ref->n > 1 ? sqrt(fmax(0, squares - sum * sum / ref->n) / (ref->n - 1)) : 0;
	mid_ranks(c->mid, c->count, c->n, ref->n);
	sort_doubles(scratch, ref->n);
	c->spread_edges = edges_fill(c->spread_edge, CELLS_BINS, scratch, ref->n);
	for (uint32_t i = 0; i < ref->n; i++)
		spread_count[edges_bin(c->spread_edge, c->spread_edges, scratch[i])]++;
	mid_ranks(c->spread_mid, spread_count, c->spread_edges + 1, ref->n);
}

struct ranked {
	uint32_t code, count, length;
	const char *text;
};

/* Most frequent first; ties in byte order. */
static int
by_frequency(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	uint32_t shorter = x->length < y->length ? x->length : y->length;
	int order;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	order = shorter ? memcmp(x->text, y->text, shorter) : 0;
	return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void
build_categorical(struct cells *c, const struct reference *ref)
{
	static const char nothing[1];
	struct ranked *rank = calloc(ref->categories + 1u, sizeof *rank);
	uint32_t codes = ref->categories < 1024 ? ref->categories : 1024, kept = 0, other = 0;

	c->categorical = true;
	c->n = 1;
	c->psi_cells = 1;
	if (!rank)
		return;
	for (uint32_t i = 0; i < ref->categories; i++)
		rank[i] = (struct ranked){ i, 0, ref->text ? ref->text_len[i] : 0,
			                   ref->text ? ref->text[i] : nothing };
	for (uint32_t i = 0; i < ref->n; i++)
		rank[ref->code[i]].count++;
	qsort(rank, ref->categories, sizeof *rank, by_frequency);
	while (kept < ref->categories && kept < CELLS_CATEGORIES && rank[kept].count)
		kept++;
	for (uint32_t i = kept; i < ref->categories; i++)
		other += rank[i].count;
	c->n = kept + (other ? 1 : 0) + 1;
	c->codes = codes;
	for (uint32_t i = 0; i < ref->categories; i++) {
		uint32_t cell = i < kept ? i : rank[i].count ? kept : c->n - 1;

		if (rank[i].code < codes)
			c->cell_of[rank[i].code] = (uint16_t)cell;
		c->count[cell] += rank[i].count;
	}
	free(rank);
	c->psi_cells = c->n;
	for (uint32_t i = 0; i < c->n; i++)
		c->psi_of[i] = (uint8_t)i;
	mid_ranks(c->mid, c->count, c->n, ref->n);
}

void
cells_build(struct cells *c, const struct reference *ref, double *scratch)
{
	memset(c, 0, sizeof *c);
	c->total = ref->n;
	if (ref->code)
		build_categorical(c, ref);
	else
		build_numeric(c, ref, scratch);
	for (uint32_t i = 0; i < c->n; i++)
		c->psi_count[c->psi_of[i]] += c->count[i];
	distance_table_init(&c->table[0], c->psi_cells, c->table_edge[0]);
	distance_table_init(&c->table[1], c->psi_cells > 1 ? c->psi_cells - 1 : 1, c->table_edge[1]);
}

void
cells_psi(const struct cells *c, const uint64_t *count, double *psi, double *null95,
          double *sigma_shift)
{
	uint64_t now[CELLS_MAX] = { 0 };
	struct distance_psi d;

	*psi = *null95 = *sigma_shift = (double)NAN;
	for (uint32_t i = 0; i < c->n; i++)
		now[c->psi_of[i]] += count[i];
	distance_psi(c->psi_count, now, c->psi_cells, &d);
	if (isnan(d.psi))
		return;
	*psi = d.psi;
	for (int i = 0; i < 2; i++)
		if (c->table[i].cells == d.cells) {
			*null95 = distance_psi_null95(&c->table[i], d.scale);
			*sigma_shift = distance_shift(&c->table[i], d.corrected);
		}
}

double
cells_quantile(const struct cells *c, const uint64_t *count, double min, double max, double q)
{
	double n = 0, below = 0, target;

	for (uint32_t i = 0; i < c->n; i++)
		n += (double)count[i];
	if (n < 1)
		return (double)NAN;
	target = q * n;
	for (uint32_t i = 0; i < c->n; i++) {
		double here = (double)count[i], lower, upper;

		if (below + here < target || here == 0) {
			below += here;
			continue;
		}
		lower = i ? fmax(c->edge[i - 1], min) : min;
		upper = i < c->edges ? fmin(c->edge[i], max) : max;
		return lower + (upper - lower) * (target - below) / here;
	}
	return max;
}

void
gauge_add(struct gauge *g, const struct cells *c, double value)
{
	g->n++;
	g->rank += c->mid[cells_of_value(c, value)];
	g->spread += c->spread_mid[edges_bin(c->spread_edge, c->spread_edges, fabs(value - c->median))];
	g->sum += value;
}

void
gauge_add_code(struct gauge *g, const struct cells *c, uint32_t code, uint32_t cell)
{
	g->n++;
	g->hits += cells_of_code(c, code) == cell;
}

void
gauge_effect(const struct gauge *g, const struct cells *c, struct effect *out)
{
	double n = (double)g->n, shift, spread, error;

	*out = (struct effect){ (double)NAN, (double)NAN, (double)NAN, 0, c->mean, (double)NAN };
	if (!g->n)
		return;
	shift = (g->rank / n - 0.5) * TWO_ROOT_PI;
	spread = (g->spread / n - 0.5) * TWO_ROOT_PI;
	error = 1.959963984540054 * TWO_ROOT_PI * sqrt(1 / (12 * n));
	out->size = fabs(spread) > fabs(shift) ? spread : shift;
	out->low = out->size - error;
	out->high = out->size + error;
	out->standard = fabs(out->size);
	out->new_value = g->sum / n;
}

void
gauge_add_loss(struct gauge *g, double loss)
{
	g->n++;
	g->sum += loss;
	g->spread += loss * loss;
}

void
gauge_loss_effect(const struct gauge *g, double stated, struct effect *out)
{
	double n = (double)g->n, mean, variance, error;

	*out = (struct effect){ (double)NAN, (double)NAN, (double)NAN, 0, stated, (double)NAN };
	if (!g->n)
		return;
	mean = g->sum / n;
	variance = fmax(0, g->spread / n - mean * mean);
	error = 1.959963984540054 * sqrt((variance + 1 / (n + 4)) / n); /* never 0 */
	out->size = mean - stated;
	out->low = out->size - error;
	out->high = out->size + error;
	out->new_value = mean;
	out->standard = variance > 0 ? fabs(out->size) / sqrt(variance) : fabs(out->size) > 0;
}

void
gauge_rate_effect(const struct gauge *g, double reference_rate, uint32_t reference_n,
                  struct effect *out)
{
	double n = (double)g->n, rate, error, sd;

	*out = (struct effect){ (double)NAN, (double)NAN, (double)NAN, 0, reference_rate, (double)NAN };
	if (!g->n)
		return;
	rate = (double)g->hits / n;
	/* variance at the rate drawn towards 1/2 by one record (Agresti): never 0 */
	error = 1.959963984540054 * sqrt((rate * (1 - rate) + 1 / (n + 4)) / n);
	out->size = rate - reference_rate;
	out->low = out->size - error;
	out->high = out->size + error;
	out->new_value = rate;
	sd = (reference_rate * reference_n + 0.5) / (reference_n + 1.0);
	out->standard = fabs(out->size) / sqrt(sd * (1 - sd));
}
