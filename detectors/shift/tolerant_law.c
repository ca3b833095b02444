/* tolerant_law.c -- reference -> tables of `tolerant` (contract 4b), at creation only.
 *
 *     z = values less the mean of their key, clipped at the 1/200 and 199/200 order statistics
 *     s = sqrt(sum z^2 / (n - keys)),  d = max(min_effect s, W(z)),  d' = max(d, W(z of |v - m|))
 *
 * per key: edges and counts of contract 4 over all its values, for v and for |v - m|; per tail of
 * alpha: the edge, M of N values beyond it, and theta = its Beta quantile or M / N + W of the hits. They are
 * drafted first; then the four searches of a key become one (tolerant_place.h).
 * Cost: O(n log n).
 */
#include "detectors/shift/tolerant_law.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "config/diag.h"
#include "detectors/kit/edges.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/sort.h"
#include "detectors/kit/special.h"
#include "detectors/kit/wander.h"
#include "detectors/shift/tolerant_place.h"

#define STEP_LEVEL (1 - .005 / 12)  /* all twelve edges of a key hold together with .995 */
#define THETA_MAX .999
#define SQUARES_MAX 1e150           /* above it squares may overflow: work in smaller units */
#define NO_EDGE UINT32_MAX
#define CLIP_PART 200u              /* one value in 200 is clipped at either end */

static const double betas[TOLERANT_BETAS] = { 1.1, 1.3, 2, 4 };
static const double alphas[TOLERANT_ALPHAS] = { .5, .1, .02 };
static const double ratios[2] = { 1.5, 3 };

/* A bin of a draft: G, E + 1 of contract 4, and how many of the nested tails it is in. */
struct draft_bin {
	uint32_t above, equal, up, down;
};

/* A key while its tables are being made. */
struct draft {
	uint32_t n, edges[TOLERANT_VARIABLES];
	double *edge[TOLERANT_VARIABLES];
	struct draft_bin *bin[TOLERANT_VARIABLES];
	double step[TOLERANT_SEARCHES][TOLERANT_LEVELS][TOLERANT_STEPS];
	double median;
};

struct work {
	const struct reference *ref;
	uint32_t cycle, bins;
	struct draft *draft;  /* [keys] */
	double *value;        /* [n] the present variable, in order of arrival */
	double *z, *sorted;   /* [n] */
	double *sum, *count;  /* [max(keys, days)] */
	uint32_t *first;      /* [keys + 1] where a key's values begin in `sorted` */
	uint32_t *bin;        /* [n] bin of value[] */
	uint32_t *tail;       /* [keys] edge of the present tail, or NO_EDGE */
	double *edge;         /* room for the drafts' edges and bins, both variables */
	struct draft_bin *draft_bin;
	double *step;         /* room for the places of one key */
};

static uint32_t
key_at(const struct reference *ref, uint32_t i)
{
	return ref->key ? ref->key[i] : 0;
}

/* Edges that all keys can have together. */
static size_t
edges_all(uint32_t bins, uint32_t n, uint32_t keys)
{
	size_t by_bins = keys * (size_t)EDGES_MAX(bins), by_values = 2 * (size_t)n;

	return by_bins < by_values ? by_bins : by_values;
}

static size_t
rounded(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

/* Edges of an index of places, of the bins' tables and of the places; each key may round up a little. */
enum { STEPS_OF_EDGE = 2 * (TOLERANT_VARIABLES + 1) }; /* two of x, and two on either side of |x - m| */

size_t
tolerant_law_bytes(const struct tolerant_options *o, const struct reference *ref)
{
	uint32_t n = ref ? ref->n : UINT32_MAX / 4, keys = ref ? ref->keys : 1;
	size_t edges = edges_all(o->bins, n, keys), steps = STEPS_OF_EDGE * edges;
	size_t index = steps * sizeof(double) * EDGES_NODE / (EDGES_NODE - 1) + keys * edges_index_bytes(0);

	return rounded(keys * sizeof(struct tolerant_key)) +
	       rounded(index + keys * (EDGES_LEVELS - 1) * edges_index_bytes(0)) +
	       rounded(TOLERANT_VARIABLES * (edges + keys) * sizeof(struct tolerant_bin)) +
	       rounded((steps + keys) * sizeof(struct tolerant_place));
}

/* Averages of b (1-p)^(b-1) over the cells: differences of I_x(1, b) = 1 - (1-x)^b, from the nearer
 * end so that no digits are lost. Written once, under the flag, before anybody reads it. */
static double density[TOLERANT_CELLS + 1][TOLERANT_BETAS];
static once_flag density_once = ONCE_FLAG_INIT;

static void
fill_density(void)
{
	for (uint32_t b = 0; b < TOLERANT_BETAS; b++) {
		for (uint32_t j = 0; j < TOLERANT_CELLS; j++) {
			double x = j / (double)TOLERANT_CELLS, y = (j + 1) / (double)TOLERANT_CELLS;
			double mass;

			if (j < TOLERANT_CELLS / 2)
				mass = expm1(betas[b] * log1p(-x)) - expm1(betas[b] * log1p(-y));
			else
				mass = exp(betas[b] * log1p(-x)) -
				       (y < 1 ? exp(betas[b] * log1p(-y)) : 0);
			density[j][b] = TOLERANT_CELLS * mass;
		}
		density[TOLERANT_CELLS][b] = density[TOLERANT_CELLS - 1][b]; /* p = 1 */
	}
}

/* Less three standard errors of a reference of n. */
static void
scale_density(struct tolerant_law *law, double n)
{
	call_once(&density_once, fill_density);
	law->density = (const double(*)[TOLERANT_BETAS])density;
	for (uint32_t b = 0; b < TOLERANT_BETAS; b++)
		law->scale[b] = 1 / (1 + 3 * (betas[b] - 1) / sqrt((2 * betas[b] - 1) * n));
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
fill_bins(struct work *w, uint32_t v, double *edge, struct draft_bin *bin)
{
	const struct reference *ref = w->ref;

	sort_by_key(w);
	for (uint32_t k = 0; k < ref->keys; k++) {
		struct draft *key = &w->draft[k];
		const double *value = w->sorted + w->first[k];
		uint32_t n = w->first[k + 1] - w->first[k], at = 0, above = n;
		uint32_t edges = n ? edges_fill(edge, w->bins, value, n) : 0;

		for (uint32_t b = 0; b <= edges; b++) {
			uint32_t before = at;

			while (at < n && (b == edges || value[at] <= edge[b]))
				at++;
			above -= at - before;
			bin[b] = (struct draft_bin){ above, at - before + 1, 0, 0 };
		}
		key->n = n;
		key->edges[v] = edges;
		key->edge[v] = edge;
		key->bin[v] = bin;
		edge += edges;
		bin += edges + 1;
	}
	for (uint32_t i = 0; i < ref->n; i++) {
		const struct draft *key = &w->draft[key_at(ref, i)];

		w->bin[i] = edges_bin(key->edge[v], key->edges[v], w->value[i]);
	}
}

/* The edge of the tail of `alpha` of every key: up, the first with at most alpha N values above it;
 * down, the last with at most alpha N at or below it. */
static void
find_tails(struct work *w, uint32_t v, double alpha, bool up)
{
	for (uint32_t k = 0; k < w->ref->keys; k++) {
		const struct draft *key = &w->draft[k];
		const struct draft_bin *bin = key->bin[v];
		uint32_t found = NO_EDGE;

		for (uint32_t e = 0; e < key->edges[v]; e++) {
			if (up && bin[e].above <= alpha * key->n) {
				found = e;
				break;
			}
			if (!up && key->n - bin[e].above <= alpha * key->n)
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

/* The two bets of one tail of one key. */
static void
fill_step(struct draft *key, uint32_t v, uint32_t a, bool up, uint32_t tail, double spread)
{
	uint32_t n = key->n, above = tail == NO_EDGE ? 0 : key->bin[v][tail].above;
	uint32_t m = up || tail == NO_EDGE ? above : n - above;
	double theta = special_beta_quantile(STEP_LEVEL, m + 1.0, (double)n - m);

	theta = fmin(THETA_MAX, fmax(theta, m / fmax(1, n) + spread));
	for (uint32_t r = 0; r < 2; r++) {
		double q = fmin(ratios[r] * theta, (1 + theta) / 2);

		for (uint32_t level = 0; level < TOLERANT_LEVELS; level++) {
			double bet = level > a ? q / theta : (1 - q) / (1 - theta);

			key->step[2 * v + !up][level][2 * a + r] = tail == NO_EDGE ? .5 : bet;
		}
	}
}

/* The tails are nested, so a bin's bets are told by the number of tails that it is in. */
static void
fill_steps(struct work *w, uint32_t v)
{
	for (uint32_t side = 0; side < 2; side++) {
		for (uint32_t a = 0; a < TOLERANT_ALPHAS; a++) {
			bool up = side == 0;
			double spread;

			find_tails(w, v, alphas[a], up);
			spread = tail_wander(w, up);
			for (uint32_t k = 0; k < w->ref->keys; k++) {
				struct draft *key = &w->draft[k];
				uint32_t tail = w->tail[k];

				fill_step(key, v, a, up, tail, spread);
				for (uint32_t b = 0; tail != NO_EDGE && b <= key->edges[v]; b++) {
					key->bin[v][b].up += up && b > tail;
					key->bin[v][b].down += !up && b <= tail;
				}
			}
		}
	}
}

/* The tolerances, and both variables in turn. */
static void
fill_drafts(struct work *w, struct tolerant_law *law, const struct tolerant_options *o)
{
	const struct reference *ref = w->ref;
	size_t room = edges_all(o->bins, ref->n, ref->keys);
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
	fill_bins(w, 0, w->edge, w->draft_bin);
	fill_steps(w, 0);
	for (uint32_t k = 0; k < ref->keys; k++) {
		uint32_t n = w->first[k + 1] - w->first[k];

		w->draft[k].median = n ? w->sorted[w->first[k] + (n + 1) / 2 - 1] : 0;
	}
	for (uint32_t i = 0; i < ref->n; i++)
		w->value[i] = fmin(fabs(ref->value[i] - w->draft[key_at(ref, i)].median), DBL_MAX);
	d = fmax(d, variable_wander(w, unit, &s));
	law->distance[1] = fmin(d / unit, DBL_MAX);
	fill_bins(w, 1, w->edge + room, w->draft_bin + room + ref->keys);
	fill_steps(w, 1);
}

/* The places of x where one of the searches changes its bin, ascending and distinct. */
static uint32_t
find_places(const struct tolerant_search search[TOLERANT_SEARCHES], double *step)
{
	uint32_t n = 0, distinct = 0;

	for (uint32_t s = 0; s < TOLERANT_SEARCHES; s++)
		n += tolerant_search_steps(&search[s], step + n);
	sort_doubles(step, n);
	for (uint32_t i = 0; i < n; i++)
		if (distinct == 0 || step[i] > step[distinct - 1])
			step[distinct++] = step[i];
	return distinct;
}

/* Where the tables of the keys are put, one behind the other. */
struct tables {
	uint8_t *index;
	struct tolerant_bin *bin;
	struct tolerant_place *place;
};

static void
place_key(const struct tolerant_law *law, const struct draft *from, struct tolerant_key *key,
          struct tables *t, double *step)
{
	struct tolerant_search search[TOLERANT_SEARCHES];
	struct tolerant_place *place = t->place;
	uint32_t n;

	for (uint32_t s = 0; s < TOLERANT_SEARCHES; s++) {
		double d = law->distance[s / 2];

		search[s] = (struct tolerant_search){ from->edge[s / 2], from->edges[s / 2], s / 2 == 1,
			                              from->median, s % 2 ? d : -d };
	}
	n = find_places(search, step);
	edges_index_init(&key->index, t->index, step, n);
	t->index += edges_index_bytes(n);
	key->place = place;
	for (uint32_t i = 0; i <= n; i++) {
		double x = i < n ? step[i] : n ? nextafter(step[n - 1], HUGE_VAL) : from->median;

		for (uint32_t s = 0; s < TOLERANT_SEARCHES; s++)
			place[i].bin[s] = (uint16_t)tolerant_search_bin(&search[s], x);
		for (uint32_t v = 0; v < TOLERANT_VARIABLES; v++)
			place[i].step[v] = (uint16_t)(from->bin[v][place[i].bin[2 * v]].up * TOLERANT_LEVELS +
			                              from->bin[v][place[i].bin[2 * v + 1]].down);
	}
	t->place += n + 1;
}

/* The draft's tables as they are read. */
static void
write_key(const struct draft *from, struct tolerant_key *key, struct tables *t)
{
	double unit = TOLERANT_CELLS / (from->n + 1.0), half = .5 / (from->n ? from->n : 1);

	key->rank[0] = 1 + 2 * half;
	key->rank[1] = half / unit;
	for (uint32_t v = 0; v < TOLERANT_VARIABLES; v++) {
		key->bin[v] = t->bin;
		for (uint32_t b = 0; b <= from->edges[v]; b++)
			*t->bin++ = (struct tolerant_bin){ from->bin[v][b].above * unit,
				                           from->bin[v][b].equal * unit };
		for (uint32_t row = 0; row < TOLERANT_LEVELS * TOLERANT_LEVELS; row++) {
			memcpy(key->step[v][row], from->step[2 * v][row / TOLERANT_LEVELS],
			       sizeof(double[TOLERANT_STEPS]));
			memcpy(key->step[v][row] + TOLERANT_STEPS, from->step[2 * v + 1][row % TOLERANT_LEVELS],
			       sizeof(double[TOLERANT_STEPS]));
		}
	}
}

static int
work_init(struct work *w, const struct reference *ref, const struct tolerant_options *o)
{
	size_t groups = ref->keys > ref->days ? ref->keys : ref->days;
	size_t edges = edges_all(o->bins, ref->n, ref->keys);

	*w = (struct work){ .ref = ref, .cycle = o->cycle, .bins = o->bins };
	w->draft = calloc(ref->keys, sizeof(*w->draft));
	w->value = calloc(ref->n, sizeof(double));
	w->z = calloc(ref->n, sizeof(double));
	w->sorted = calloc(ref->n, sizeof(double));
	w->sum = calloc(groups, sizeof(double));
	w->count = calloc(groups, sizeof(double));
	w->first = calloc((size_t)ref->keys + 1, sizeof(*w->first));
	w->bin = calloc(ref->n, sizeof(*w->bin));
	w->tail = calloc(ref->keys, sizeof(*w->tail));
	w->edge = calloc(TOLERANT_VARIABLES * edges + 1, sizeof(double));
	w->draft_bin = calloc(TOLERANT_VARIABLES * (edges + ref->keys), sizeof(*w->draft_bin));
	w->step = calloc(STEPS_OF_EDGE * edges + 1, sizeof(double));
	return w->draft && w->value && w->z && w->sorted && w->sum && w->count && w->first && w->bin &&
	                       w->tail && w->edge && w->draft_bin && w->step
	               ? 0
	               : ERR_IO;
}

static void
work_finish(struct work *w)
{
	free(w->draft);
	free(w->value);
	free(w->z);
	free(w->sorted);
	free(w->sum);
	free(w->count);
	free(w->first);
	free(w->bin);
	free(w->tail);
	free(w->edge);
	free(w->draft_bin);
	free(w->step);
}

int
tolerant_law_init(struct tolerant_law *law, void *memory, const struct tolerant_options *o,
                  const struct reference *ref, struct diag *d)
{
	size_t edges = edges_all(o->bins, ref->n, ref->keys);
	struct tables t;
	struct work w;
	int err;

	*law = (struct tolerant_law){ .keys = ref->keys };
	law->key = memory;
	t.bin = (struct tolerant_bin *)((uint8_t *)memory + rounded(ref->keys * sizeof(*law->key)));
	t.place = (struct tolerant_place *)(t.bin + TOLERANT_VARIABLES * (edges + ref->keys));
	t.index = (uint8_t *)t.place + rounded((STEPS_OF_EDGE * edges + ref->keys) * sizeof(*t.place));
	err = work_init(&w, ref, o);
	if (err)
		err = diag_set(d, err, "no memory for a reference of %u values", ref->n);
	if (!err) {
		scale_density(law, ref->n);
		fill_drafts(&w, law, o);
		for (uint32_t k = 0; k < ref->keys; k++) {
			write_key(&w.draft[k], &law->key[k], &t);
			place_key(law, &w.draft[k], &law->key[k], &t, w.step);
		}
	}
	work_finish(&w);
	return err;
}
