/* tolerant_law.c -- reference -> tables of `tolerant` (contract 4b), at creation only.
 *
 *     z = values less the mean of their key, clipped at the 1/200 and 199/200 order statistics
 *     s = sqrt(sum z^2 / (n - keys)),  d = max(min_effect s, W(z)),  d' = max(d, W(z of |v - m|))
 *
 * per key: edges and counts of contract 4 over all its values, for v and for |v - m|; per tail of
 * alpha: the edge, M of N values beyond it, and theta = its Beta quantile or M / N + W of the hits.
 * Cost: O(n log n).
 */
#include "detectors/shift/tolerant_law.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/edges.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/sort.h"
#include "detectors/kit/special.h"
#include "detectors/kit/wander.h"

#define STEP_LEVEL (1 - .005 / 12)  /* all twelve edges of a key hold together with .995 */
#define THETA_MAX .999
#define SQUARES_MAX 1e150           /* above it squares may overflow: work in smaller units */
#define NO_EDGE UINT32_MAX
#define CLIP_PART 200u              /* one value in 200 is clipped at either end */

static const double betas[TOLERANT_BETAS] = { 1.1, 1.3, 2, 4 };
static const double alphas[TOLERANT_ALPHAS] = { .5, .1, .02 };
static const double ratios[2] = { 1.5, 3 };

struct work {
	const struct reference *ref;
	uint32_t cycle, bins;
	double *value;        /* [n] the present variable, in order of arrival */
	double *z, *sorted;   /* [n] */
	double *sum, *count;  /* [max(keys, days)] */
	uint32_t *first;      /* [keys + 1] where a key's values begin in `sorted` */
	uint32_t *bin;        /* [n] bin of value[] */
	uint32_t *tail;       /* [keys] edge of the present tail, or NO_EDGE */
};

static uint32_t
key_at(const struct reference *ref, uint32_t i)
{
	return ref->key ? ref->key[i] : 0;
}

/* Places for the edges of a key of n values: a power of two. */
static size_t
places(uint32_t bins, uint32_t n)
{
	size_t most = EDGES_MAX((size_t)bins), size = 2;

	if (most > 2 * (size_t)n)
		most = 2 * (size_t)n;
	while (size < most + 1)
		size *= 2;
	return size;
}

/* Enough places for all keys, whatever their sizes: each needs at most 2 (2 n + 1). */
static size_t
places_all(uint32_t bins, uint32_t n, uint32_t keys)
{
	size_t by_bins = keys * places(bins, n), by_values = 4 * (size_t)n + 2 * (size_t)keys;

	return ((by_bins < by_values ? by_bins : by_values) + 7) / 8 * 8;
}

size_t
tolerant_law_bytes(const struct tolerant_options *o, const struct reference *ref)
{
	uint32_t n = ref ? ref->n : UINT32_MAX / 4, keys = ref ? ref->keys : 1;

	return TOLERANT_CELLS * sizeof(double[TOLERANT_BETAS]) +
	       keys * sizeof(struct tolerant_key) +
	       TOLERANT_VARIABLES * places_all(o->bins, n, keys) *
	               (sizeof(double) + sizeof(struct tolerant_bin));
}

/* Averages of b (1-p)^(b-1) over the cells: differences of I_x(1, b) = 1 - (1-x)^b, from the nearer
 * end so that no digits are lost; less three standard errors of a reference of n. */
static void
fill_density(double (*density)[TOLERANT_BETAS], double n)
{
	for (uint32_t b = 0; b < TOLERANT_BETAS; b++) {
		double norm = 1 + 3 * (betas[b] - 1) / sqrt((2 * betas[b] - 1) * n);

		for (uint32_t j = 0; j < TOLERANT_CELLS; j++) {
			double x = j / (double)TOLERANT_CELLS, y = (j + 1) / (double)TOLERANT_CELLS;
			double mass;

			if (j < TOLERANT_CELLS / 2)
				mass = expm1(betas[b] * log1p(-x)) - expm1(betas[b] * log1p(-y));
			else
				mass = exp(betas[b] * log1p(-x)) -
				       (y < 1 ? exp(betas[b] * log1p(-y)) : 0);
			density[j][b] = TOLERANT_CELLS * mass / norm;
		}
	}
}

/* z <- its values clipped to the order statistics h + 1 and n - h, centred by key again. Returns
 * the number of keys that have values. */
static uint32_t
clip(struct work *w)
{
	uint32_t n = w->ref->n, h = n / CLIP_PART;
	double low, high;

	memcpy(w->sorted, w->z, n * sizeof(double));
	sort_doubles(w->sorted, n);
	low = w->sorted[h];
	high = w->sorted[n - 1 - h];
	for (uint32_t i = 0; i < n; i++)
		w->z[i] = fmin(fmax(w->z[i], low), high);
	return wander_center(w->z, n, w->ref->key, w->ref->keys, w->sum, w->count);
}

/* W of the present variable times `unit`; *s is its spread, in the same unit. */
static double
variable_wander(struct work *w, double unit, double *s)
{
	const struct reference *ref = w->ref;
	uint32_t present;
	double squares = 0;

	for (uint32_t i = 0; i < ref->n; i++)
		w->z[i] = w->value[i] * unit;
	wander_center(w->z, ref->n, ref->key, ref->keys, w->sum, w->count);
	present = clip(w);
	for (uint32_t i = 0; i < ref->n; i++)
		squares += w->z[i] * w->z[i];
	*s = sqrt(squares / fmax(1, (double)ref->n - present));
	return wander(w->z, ref->n, ref->day, ref->days, w->cycle, w->sum, w->count);
}

/* The values of each key, ascending, in `sorted` from `first`. */
static void
sort_by_key(struct work *w)
{
	const struct reference *ref = w->ref;

	memset(w->first, 0, (ref->keys + 1) * sizeof(*w->first));
	for (uint32_t i = 0; i < ref->n; i++)
		w->first[key_at(ref, i) + 1]++;
	for (uint32_t k = 0; k < ref->keys; k++)
		w->first[k + 1] += w->first[k];
	for (uint32_t i = 0; i < ref->n; i++)
		w->sorted[w->first[key_at(ref, i)]++] = w->value[i];
	for (uint32_t k = ref->keys; k > 0; k--)
		w->first[k] = w->first[k - 1];
	w->first[0] = 0;
	for (uint32_t k = 0; k < ref->keys; k++)
		sort_doubles(w->sorted + w->first[k], w->first[k + 1] - w->first[k]);
}

/* Edges, counts and bins of the present variable of every key. `edge` and `bin` are the places. */
static void
fill_bins(struct work *w, struct tolerant_law *law, uint32_t v, double *edge,
          struct tolerant_bin *bin)
{
	const struct reference *ref = w->ref;

	sort_by_key(w);
	for (uint32_t k = 0; k < law->keys; k++) {
		struct tolerant_key *key = &law->key[k];
		const double *value = w->sorted + w->first[k];
		uint32_t n = w->first[k + 1] - w->first[k], half = 1, at = 0, above = n;
		uint32_t edges = n ? edges_fill(edge, w->bins, value, n) : 0;
		size_t room = places(w->bins, n);

		for (size_t i = edges; i < room; i++)
			edge[i] = HUGE_VAL;
		for (uint32_t b = 0; b <= edges; b++) {
			uint32_t before = at;

			while (at < n && (b == edges || value[at] <= edge[b]))
				at++;
			above -= at - before;
			bin[b] = (struct tolerant_bin){ above, at - before + 1, 0, 0 };
		}
		while (2 * half - 1 < edges)
			half *= 2;
		if (half > key->half)
			key->half = half;
		key->edge[v] = edge;
		key->bin[v] = bin;
		key->n = n + 1.0;
		key->rank = .5 / (n ? n : 1);
		edge += room;
		bin += room;
	}
	for (uint32_t i = 0; i < ref->n; i++) {
		uint32_t k = key_at(ref, i);

		w->bin[i] = edges_bin(law->key[k].edge[v], 2 * law->key[k].half - 1, w->value[i]);
	}
}

/* The edge of the tail of `alpha` of every key: up, the first with at most alpha N values above it;
 * down, the last with at most alpha N at or below it. */
static void
find_tails(struct work *w, const struct tolerant_law *law, uint32_t v, double alpha, bool up)
{
	for (uint32_t k = 0; k < law->keys; k++) {
		const struct tolerant_key *key = &law->key[k];
		const struct tolerant_bin *bin = key->bin[v];
		uint32_t n = w->first[k + 1] - w->first[k], found = NO_EDGE;

		for (uint32_t e = 0; e + 1 < 2 * key->half && isfinite(key->edge[v][e]); e++) {
			if (up && bin[e].above <= alpha * n) {
				found = e;
				break;
			}
			if (!up && n - bin[e].above <= alpha * n)
				found = e;
		}
		w->tail[k] = found;
	}
}

/* W of the reference's own hits of the present tail. */
static double
tail_wander(struct work *w, bool up)
{
	const struct reference *ref = w->ref;

	for (uint32_t i = 0; i < ref->n; i++) {
		uint32_t tail = w->tail[key_at(ref, i)];
		bool hit = tail != NO_EDGE && (up ? w->bin[i] > tail : w->bin[i] <= tail);

		w->z[i] = hit ? 1 : 0;
	}
	wander_center(w->z, ref->n, ref->key, ref->keys, w->sum, w->count);
	return wander(w->z, ref->n, ref->day, ref->days, w->cycle, w->sum, w->count);
}

/* The two bets of one tail of one key; `bin` are the key's bins of this variable. */
static void
fill_step(struct tolerant_key *key, uint32_t v, uint32_t a, bool up, uint32_t tail, uint32_t n,
          double spread)
{
	uint32_t above = tail == NO_EDGE ? 0 : (uint32_t)key->bin[v][tail].above;
	uint32_t m = up || tail == NO_EDGE ? above : n - above;
	double theta = special_beta_quantile(STEP_LEVEL, m + 1.0, (double)n - m);

	theta = fmin(THETA_MAX, fmax(theta, m / fmax(1, n) + spread));
	for (uint32_t r = 0; r < 2; r++) {
		double q = fmin(ratios[r] * theta, (1 + theta) / 2);

		for (uint32_t level = 0; level <= TOLERANT_ALPHAS; level++) {
			double bet = level > a ? q / theta : (1 - q) / (1 - theta);

			key->step[2 * v + !up][level][2 * a + r] = tail == NO_EDGE ? .5 : bet;
		}
	}
}

/* The tails are nested, so a bin's bets are told by the number of tails that it is in. */
static void
fill_steps(struct work *w, struct tolerant_law *law, uint32_t v)
{
	for (uint32_t side = 0; side < 2; side++) {
		for (uint32_t a = 0; a < TOLERANT_ALPHAS; a++) {
			bool up = side == 0;
			double spread;

			find_tails(w, law, v, alphas[a], up);
			spread = tail_wander(w, up);
			for (uint32_t k = 0; k < law->keys; k++) {
				struct tolerant_key *key = &law->key[k];
				struct tolerant_bin *bin = key->bin[v];
				uint32_t n = w->first[k + 1] - w->first[k], tail = w->tail[k];

				fill_step(key, v, a, up, tail, n, spread);
				for (uint32_t b = 0; tail != NO_EDGE && b < 2 * key->half; b++) {
					bin[b].up += up && b > tail;
					bin[b].down += !up && b <= tail;
				}
			}
		}
	}
}

/* The tolerances, and both variables in turn. */
static void
fill_law(struct work *w, struct tolerant_law *law, const struct tolerant_options *o, double *edge,
         struct tolerant_bin *bin)
{
	const struct reference *ref = w->ref;
	size_t room = places_all(o->bins, ref->n, ref->keys);
	double most = 0, unit, s, d;

	memcpy(w->value, ref->value, ref->n * sizeof(double));
	for (uint32_t i = 0; i < ref->n; i++)
		most = fmax(most, fabs(ref->value[i]));
	unit = most < SQUARES_MAX ? 1 : 1 / SQUARES_MAX;
	for (uint32_t i = 0; i < ref->n; i++)
		law->mean += ref->value[i] / ref->n;
	d = variable_wander(w, unit, &s);
	d = fmax(o->min_effect * s, d);
	law->distance[0] = fmin(d / unit, DBL_MAX);
	fill_bins(w, law, 0, edge, bin);
	fill_steps(w, law, 0);
	for (uint32_t k = 0; k < law->keys; k++) {
		uint32_t n = w->first[k + 1] - w->first[k];

		law->key[k].median = n ? w->sorted[w->first[k] + (n + 1) / 2 - 1] : 0;
	}
	for (uint32_t i = 0; i < ref->n; i++)
		w->value[i] = fmin(fabs(ref->value[i] - law->key[key_at(ref, i)].median), DBL_MAX);
	d = fmax(d, variable_wander(w, unit, &s));
	law->distance[1] = fmin(d / unit, DBL_MAX);
	fill_bins(w, law, 1, edge + room, bin + room);
	fill_steps(w, law, 1);
}

static int
work_init(struct work *w, const struct reference *ref, const struct tolerant_options *o)
{
	size_t groups = ref->keys > ref->days ? ref->keys : ref->days;

	*w = (struct work){ .ref = ref, .cycle = o->cycle, .bins = o->bins };
	w->value = calloc(ref->n, sizeof(double));
	w->z = calloc(ref->n, sizeof(double));
	w->sorted = calloc(ref->n, sizeof(double));
	w->sum = calloc(groups, sizeof(double));
	w->count = calloc(groups, sizeof(double));
	w->first = calloc((size_t)ref->keys + 1, sizeof(*w->first));
	w->bin = calloc(ref->n, sizeof(*w->bin));
	w->tail = calloc(ref->keys, sizeof(*w->tail));
	return w->value && w->z && w->sorted && w->sum && w->count && w->first && w->bin && w->tail
	               ? 0
	               : ERR_IO;
}

static void
work_finish(struct work *w)
{
	free(w->value);
	free(w->z);
	free(w->sorted);
	free(w->sum);
	free(w->count);
	free(w->first);
	free(w->bin);
	free(w->tail);
}

int
tolerant_law_init(struct tolerant_law *law, void *memory, const struct tolerant_options *o,
                  const struct reference *ref, struct diag *d)
{
	size_t room = places_all(o->bins, ref->n, ref->keys);
	struct work w;
	double *edge;
	int err;

	*law = (struct tolerant_law){ .keys = ref->keys };
	law->key = memory;
	law->density = (double(*)[TOLERANT_BETAS])(law->key + ref->keys);
	edge = law->density[TOLERANT_CELLS];
	err = work_init(&w, ref, o);
	if (err)
		err = diag_set(d, err, "no memory for a reference of %u values", ref->n);
	if (!err) {
		fill_density(law->density, ref->n);
		fill_law(&w, law, o, edge,
		         (struct tolerant_bin *)(edge + TOLERANT_VARIABLES * room));
	}
	work_finish(&w);
	return err;
}
