/* tolerant_cells.c -- reference -> tables of the share detectors (contract 4b), at creation only.
 *
 *     w  = max(min_effect sqrt(theta (1 - theta)), W of the cell's indicator), over all keys
 *     hi = min(.999, Beta quantile(1 - .005/(2K); a + 1, n - a) + w)     per key
 *     (ceiling: leave: where it would be above .999, no bet on a rise)
 *     lo =           Beta quantile(.005/(2K); a, n - a + 1) - w
 *
 * Cells: the `top` most frequent values (ties in byte order), __other__ if there are more, __new__.
 * The reference tells how often values are new by those that it holds once.
 * Cost: O(cells n).
 */
#include "detectors/shift/tolerant_cells.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/special.h"
#include "detectors/kit/wander.h"

#define ERROR_LEVEL .005 /* all bounds of a key hold together but for this */
#define HIGH_MAX .999
#define LOW_MIN .001     /* a share that cannot be bet to fall */

static const double ups[TOLERANT_UPS] = { 1.1, 1.3, 2, 5 };
static const double downs[TOLERANT_DOWNS] = { .9, .7, .4 };

struct value {
	const char *text;
	uint32_t length, count, code;
};

struct work {
	const struct reference *ref;
	uint32_t cycle;
	double *z;            /* [n] */
	double *sum, *count;  /* [max(keys, days)] */
	double *inside;       /* [keys] hits of the present cell */
	double *size;         /* [keys] values */
	struct value *value;  /* [categories] most frequent first */
	uint8_t *once;        /* [categories] occurs exactly once */
};

uint32_t
tolerant_cells_lanes(const struct tolerant_share_options *o, const struct reference *ref)
{
	uint32_t cells = ref && ref->categories < o->top ? ref->categories : o->top;
	uint32_t bets = TOLERANT_UPS + (o->side == TOLERANT_UP ? 0 : TOLERANT_DOWNS);

	cells = ref && ref->value ? 1 : cells + 2;
	return (bets * cells + 7) / 8 * 8;
}

size_t
tolerant_cells_bytes(const struct tolerant_share_options *o, const struct reference *ref)
{
	size_t lanes = tolerant_cells_lanes(o, ref), keys = ref ? ref->keys : 1;
	size_t codes = ref ? ref->categories : 0;

	return lanes * sizeof(double) * (1 + 2 * keys) + (codes * sizeof(uint32_t) + 63) / 64 * 64;
}

static int
more_frequent(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	uint32_t shared = x->length < y->length ? x->length : y->length;
	int order;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	order = shared ? memcmp(x->text, y->text, shared) : 0;
	return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Gives every code of the reference its cell. */
static void
name_cells(struct work *w, struct tolerant_cells *c, uint32_t top)
{
	const struct reference *ref = w->ref;
	uint32_t seen = 0, kept;

	for (uint32_t i = 0; i < c->codes; i++)
		w->value[i] = (struct value){ ref->text[i], ref->text_len[i], 0, i };
	for (uint32_t i = 0; i < ref->n; i++)
		w->value[ref->code[i]].count++;
	qsort(w->value, c->codes, sizeof(*w->value), more_frequent);
	while (seen < c->codes && w->value[seen].count > 0)
		seen++;
	kept = seen < top ? seen : top;
	c->cells = kept + (seen > kept) + 1;
	for (uint32_t i = 0; i < c->codes; i++) {
		c->cell[w->value[i].code] = i < kept ? i : i < seen ? kept : c->cells - 1;
		w->once[w->value[i].code] = w->value[i].count == 1;
	}
}

/* z <- indicator of the cell; hits by key. Returns all hits. __new__ is hit by the values that
 * occur once, but has no indicator. */
static double
count_hits(struct work *w, const struct tolerant_cells *c, uint32_t cell)
{
	const struct reference *ref = w->ref;
	bool fresh = ref->code && cell == c->cells - 1;
	double hits = 0;

	memset(w->inside, 0, ref->keys * sizeof(double));
	for (uint32_t i = 0; i < ref->n; i++) {
		bool hit;

		if (ref->value)
			hit = ref->value[i] > .5;
		else
			hit = fresh ? w->once[ref->code[i]] : c->cell[ref->code[i]] == cell;
		w->z[i] = hit && !fresh ? 1 : 0;
		w->inside[ref->key ? ref->key[i] : 0] += hit ? 1 : 0;
		hits += hit ? 1 : 0;
	}
	return hits;
}

/* The bets of one cell of one key with a hits of n, forgiven w. */
static void
fill_bets(const struct tolerant_cells *c, double *hit, double *miss, double a, double n, double w)
{
	double level = ERROR_LEVEL / (2 * (double)c->cells);
	double high = special_beta_quantile(1 - level, a + 1, n - a) + w;
	double low = special_beta_quantile(level, a, n - a + 1) - w;

	/* cut to less than it is, a share of 1 would gain at every record */
	bool none = c->ceiling == TOLERANT_LEAVE && high > HIGH_MAX;

	high = fmin(HIGH_MAX, high);
	for (uint32_t i = 0; i < TOLERANT_UPS; i++) {
		double q = fmin(ups[i] * high, (1 + high) / 2);

		hit[i] = none ? .5 : q / high;
		miss[i] = none ? .5 : (1 - q) / (1 - high);
	}
	for (uint32_t i = TOLERANT_UPS; i < c->bets; i++) {
		double q = downs[i - TOLERANT_UPS] * low;

		hit[i] = low > LOW_MIN ? q / low : .5;
		miss[i] = low > LOW_MIN ? (1 - q) / (1 - low) : .5;
	}
}

static void
fill_cell(struct work *w, struct tolerant_cells *c, uint32_t cell, double min_effect)
{
	const struct reference *ref = w->ref;
	double hits = count_hits(w, c, cell);
	double theta = (hits + .5) / (ref->n + (ref->value ? 1 : .5 * c->cells));
	double spread;

	wander_center(w->z, ref->n, ref->key, ref->keys, w->sum, w->count);
	spread = wander(w->z, ref->n, ref->day, ref->days, w->cycle, w->sum, w->count);
	spread = fmax(min_effect * sqrt(theta * (1 - theta)), spread);
	c->share[cell] = ref->code && cell == c->cells - 1 ? 0 : hits / ref->n;
	for (uint32_t k = 0; k < c->keys; k++) {
		size_t lane = (size_t)k * c->lanes + (size_t)cell * c->bets;

		fill_bets(c, c->hit + lane, c->miss + lane, w->inside[k], w->size[k], spread);
	}
}

static int
work_init(struct work *w, const struct reference *ref, uint32_t cycle)
{
	size_t groups = ref->keys > ref->days ? ref->keys : ref->days;
	size_t codes = (size_t)ref->categories + 1;

	*w = (struct work){ .ref = ref, .cycle = cycle };
	w->z = calloc(ref->n, sizeof(double));
	w->sum = calloc(groups, sizeof(double));
	w->count = calloc(groups, sizeof(double));
	w->inside = calloc(ref->keys, sizeof(double));
	w->size = calloc(ref->keys, sizeof(double));
	w->value = calloc(codes, sizeof(*w->value));
	w->once = calloc(codes, sizeof(*w->once));
	if (!w->z || !w->sum || !w->count || !w->inside || !w->size || !w->value || !w->once)
		return ERR_IO;
	for (uint32_t i = 0; i < ref->n; i++)
		w->size[ref->key ? ref->key[i] : 0] += 1;
	return 0;
}

static void
work_finish(struct work *w)
{
	free(w->z);
	free(w->sum);
	free(w->count);
	free(w->inside);
	free(w->size);
	free(w->value);
	free(w->once);
}

int
tolerant_cells_init(struct tolerant_cells *c, void *memory, const struct tolerant_share_options *o,
                    const struct reference *ref, struct diag *d)
{
	size_t most = tolerant_cells_lanes(o, ref);
	struct work w;
	int err;

	*c = (struct tolerant_cells){ .cells = 1, .keys = ref->keys, .codes = ref->categories };
	c->bets = TOLERANT_UPS + (o->side == TOLERANT_UP ? 0 : TOLERANT_DOWNS);
	c->ceiling = (enum tolerant_ceiling)o->ceiling;
	c->hit = memory;
	c->miss = c->hit + most * ref->keys;
	c->share = c->miss + most * ref->keys;
	c->cell = (uint32_t *)(c->share + most);
	if (ref->value)
		c->codes = 0;
	err = work_init(&w, ref, o->cycle);
	if (err)
		err = diag_set(d, err, "no memory for a reference of %u values", ref->n);
	if (!err) {
		if (ref->code)
			name_cells(&w, c, o->top);
		c->lanes = (c->bets * c->cells + 7) / 8 * 8;
		for (uint32_t cell = 0; cell < c->cells; cell++)
			fill_cell(&w, c, cell, o->min_effect);
	}
	work_finish(&w);
	return err;
}
