/* labels_rows.c -- rows of label_statistics in memory: the prediction's window, its hour, its day.
 *
 * Sums are added record by record and rows are written whole, so the figures do not depend on when commits
 * happen. A row that is not in memory is read back before it is added to. At most ENTRIES_MAX rows are
 * held; when that many are held, those that are clean leave together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/metric/metric_pit.h"
#include "monitor/label/labels_inside.h"

enum { ENTRIES_MAX = 1 << 15, HOUR_MS = 3600000, DAY_MS = 86400000 };

static uint32_t
slot_of(const struct labels *l, uint16_t group, int64_t window_ms, int64_t width_ms)
{
	uint64_t hash = (uint64_t)window_ms * 0x9E3779B97F4A7C15u ^
	                (uint64_t)width_ms * 0xD1B54A32D192ED03u ^ (uint64_t)group * 0x94D049BB133111EBu;

	return (uint32_t)((hash ^ hash >> 32) & (l->entry_capacity - 1));
}

static struct label_entry *
find(struct labels *l, uint16_t group, int64_t window_ms, int64_t width_ms)
{
	uint32_t at = slot_of(l, group, window_ms, width_ms);

	while (l->entry[at].used && !(l->entry[at].group == group &&
	                              l->entry[at].row.window_ms == window_ms &&
	                              l->entry[at].row.width_ms == width_ms))
		at = (at + 1) & (l->entry_capacity - 1);
	return &l->entry[at];
}

/* More room; with `drop`, clean rows are left out. */
static void
rehash(struct labels *l, uint32_t capacity, bool drop)
{
	struct label_entry *old = l->entry;
	uint32_t n = l->entry_capacity;

	l->entry = must_calloc(capacity, sizeof *l->entry);
	l->entry_capacity = capacity;
	l->entries = 0;
	for (uint32_t i = 0; i < n; i++)
		if (old[i].used && (old[i].dirty || !drop)) {
			*find(l, old[i].group, old[i].row.window_ms, old[i].row.width_ms) = old[i];
			l->entries++;
		} else if (old[i].detail) {
			free(old[i].detail);
			l->details--;
		}
	free(old);
}

static struct label_entry *
entry_of(struct labels *l, uint16_t group, int64_t window_ms, int64_t width_ms)
{
	struct version *v = labels_version(l, group);
	struct label_entry *e;

	if (2 * (l->entries + 1) > l->entry_capacity)
		rehash(l, l->entry_capacity ? 2 * l->entry_capacity : 256,
		       l->entry_capacity >= 2 * ENTRIES_MAX);
	e = find(l, group, window_ms, width_ms);
	if (!e->used) {
		e->used = true;
		e->group = group;
		l->entries++;
		if (!l->store || !v->label_stream_id ||
		    store_get_label_row(l->store, window_ms, width_ms, v->label_stream_id, &e->row))
			memset(&e->row, 0, sizeof e->row);
		e->row.window_ms = window_ms;
		e->row.width_ms = width_ms;
	}
	e->dirty = true;
	return e;
}

/* The widths that a window counts in besides its own. */
static int
widths(const struct labels *l, const struct label_window *w, int64_t window[3], int64_t width[3])
{
	int n = 0;

	window[n] = w->window_ms;
	width[n++] = l->width_ms;
	if (l->width_ms < HOUR_MS) {
		window[n] = floor_to(w->window_ms, HOUR_MS);
		width[n++] = HOUR_MS;
	}
	if (l->width_ms < DAY_MS) {
		window[n] = floor_to(w->window_ms, DAY_MS);
		width[n++] = DAY_MS;
	}
	return n;
}

/* bins (lo, hi] of equal width */
static int
bin_of(double confidence)
{
	int bin = (int)ceil(confidence * LABEL_BINS) - 1;

	return bin < 0 ? 0 : bin > LABEL_BINS - 1 ? LABEL_BINS - 1 : bin;
}

/* The group itself, and those of its version in the segments of the combination. */
static uint32_t
groups_of(struct labels *l, uint16_t group, uint16_t combination, uint16_t out[SEGMENT_KEYS_MAX + 1])
{
	const struct version *v = labels_version(l, group);
	struct segment *segment[SEGMENT_KEYS_MAX];
	uint32_t n = v ? segments_in(l->model, combination, segment) : 0, groups = 1;

	out[0] = group;
	for (uint32_t i = 0; i < n; i++) {
		const struct version *own = model_version(l->model, segment[i], v->text, v->length);

		if (own)
			out[groups++] = own->number;
	}
	return groups;
}

void
label_rows_prediction(struct labels *l, uint16_t group, uint16_t combination, const struct label_window *w,
                      double confidence)
{
	int64_t window[3], width[3];
	int n = widths(l, w, window, width);
	uint16_t of[SEGMENT_KEYS_MAX + 1];
	uint32_t groups = groups_of(l, group, combination, of);

	for (uint32_t k = 0; k < groups * (uint32_t)n; k++) {
		uint32_t i = k % (uint32_t)n;
		struct label_row *row = &entry_of(l, of[k / (uint32_t)n], window[i], width[i])->row;

		row->predictions++;
		if (isnan(confidence))
			continue;
		row->scored++;
		row->scored_n[bin_of(confidence)]++;
	}
}

/* Unsigned counts take -1 as well: they never go below what was added. */
static void
add_interval(struct label_row *row, const struct outcome *o, uint64_t one, double d)
{
	row->intervals += one;
	row->covered += o->flags & JOURNAL_MISS ? 0 : one;
	row->below += o->flags & JOURNAL_BELOW ? one : 0;
	row->above += o->flags & JOURNAL_ABOVE ? one : 0;
	if (isnan(o->width)) /* a score against a threshold has none */
		return;
	row->infinite += isinf(o->width) ? one : 0;
	row->empty_sets += o->width < 0 || (isnan(o->error) && o->width == 0) ? one : 0;
	if (isinf(o->width))
		return;
	row->widths += one;
	row->width_sum += d * o->width;
	if (isnan(o->winkler))
		return;
	row->winklers += one;
	row->winkler_sum += d * o->winkler;
}

static void
add_class(struct label_row *row, const struct outcome *o, uint64_t one)
{
	uint32_t n = (uint32_t)one;

	row->class_n += one;
	row->correct += o->correct ? one : 0;
	if (o->predicted < LABEL_CLASSES)
		(o->correct ? row->class_tp : row->class_fp)[o->predicted] += n;
	if (!o->correct && o->actual < LABEL_CLASSES)
		row->class_fn[o->actual] += n;
}

static void
add_probs(struct label_row *row, const struct outcome *o, uint64_t one, double d)
{
	int bin = bin_of(o->confidence);

	row->probs_n += one;
	row->confidence_sum += d * o->confidence;
	row->confidence_sq_sum += d * o->confidence * o->confidence;
	row->right_confidence_sum += o->correct ? d * o->confidence : 0;
	row->brier_sum += d * o->brier;
	row->nll_sum += d * o->nll;
	row->ece_n[bin] += (uint32_t)one;
	row->ece_correct[bin] += o->correct ? (uint32_t)one : 0;
	row->ece_confidence[bin] += d * o->confidence;
}

static void
add_forecast(struct label_row *row, const struct outcome *o, uint64_t one, double d)
{
	double polynomial[METRIC_PIT_ORDER];
	int bin = (int)(o->forecast.pit * LABEL_PIT_BINS);

	metric_pit_polynomials(o->forecast.pit, polynomial);
	row->forecasts += one;
	row->crps_sum += d * o->forecast.crps;
	row->pit_sum += d * o->forecast.pit;
	row->pit1_sum += d * polynomial[0];
	row->pit2_sum += d * polynomial[1];
	row->pit3_sum += d * polynomial[2];
	row->pit4_sum += d * polynomial[3];
	row->pit_n[bin < LABEL_PIT_BINS ? bin : LABEL_PIT_BINS - 1] += (uint32_t)one;
	if (isnan(o->forecast.pinball))
		return;
	row->quantiles += one;
	row->pinball_sum += d * o->forecast.pinball;
}

static void
add_outcome(struct label_row *row, const struct outcome *o, int sign)
{
	enum { WEEK_MS = 7 * DAY_MS };
	uint64_t one = (uint64_t)(int64_t)sign;
	double d = sign;

	if (!o->outside) {
		row->labelled += one;
		row->within_hour += o->delay_ms <= HOUR_MS ? one : 0;
		row->within_day += o->delay_ms <= DAY_MS ? one : 0;
		row->within_week += o->delay_ms <= WEEK_MS ? one : 0;
		row->delay_sum += d * (double)o->delay_ms / 1000;
	}
	if (!isnan(o->width) || o->flags & JOURNAL_SCORED)
		add_interval(row, o, one, d);
	if (!isnan(o->error)) {
		row->errors_n += one;
		row->error_sum += d * o->error;
		row->abs_error_sum += d * fabs(o->error);
		row->sq_error_sum += d * o->error * o->error;
		row->label_sum += d * o->label;
		row->label_sq_sum += d * o->label * o->label;
	}
	if (!isnan(o->forecast.crps))
		add_forecast(row, o, one, d);
	if (o->classes)
		add_class(row, o, one);
	if (!isnan(o->confidence))
		add_probs(row, o, one, d);
}

void
label_rows_add(struct labels *l, uint16_t group, uint16_t combination, const struct label_window *w,
               const struct outcome *o, uint64_t key, int sign)
{
	int64_t window[3], width[3];
	int n = widths(l, w, window, width);
	uint16_t of[SEGMENT_KEYS_MAX + 1];
	uint32_t groups = groups_of(l, group, combination, of);

	for (uint32_t k = 0; k < groups * (uint32_t)n; k++) {
		uint32_t g = k / (uint32_t)n, i = k % (uint32_t)n;
		struct label_entry *e = entry_of(l, of[g], window[i], width[i]);

		if (!g) /* curves and limits are of all records; before the row says that there is a label */
			label_detail_outcome(l, e, o, key, sign);
		add_outcome(&e->row, o, sign);
	}
}

static int
by_key(const void *a, const void *b)
{
	const struct label_entry *x = *(struct label_entry *const *)a, *y = *(struct label_entry *const *)b;

	return (x->row.window_ms > y->row.window_ms) - (x->row.window_ms < y->row.window_ms);
}

int
label_rows_put(struct labels *l, struct store *store)
{
	struct label_entry **dirty = must_calloc(l->entries, sizeof *dirty);
	int64_t until = labels_deadline(l);
	size_t n = 0;
	int err = 0;

	for (uint32_t i = 0; i < l->entry_capacity; i++)
		if (l->entry[i].used && l->entry[i].dirty)
			dirty[n++] = &l->entry[i];
	qsort(dirty, n, sizeof *dirty, by_key); /* neighbours in the table are written together */
	for (size_t i = 0; i < n && !err; i++) {
		struct label_row *row = &dirty[i]->row;

		row->stream_id = labels_version(l, dirty[i]->group)->label_stream_id;
		row->final = row->window_ms + row->width_ms <= until;
		err = store_put_label_day(store, row, label_detail_of(l, dirty[i]));
	}
	for (uint32_t i = 0; i < l->model->versions && !err; i++)
		if (l->model->version[i]->total_changed)
			err = store_put_label_total(store, l->model->version[i]->label_stream_id,
			                            l->model->version[i]->total_detail);
	free(dirty);
	return err;
}

void
label_rows_saved(struct labels *l, bool landed)
{
	for (uint32_t i = 0; i < l->entry_capacity && landed; i++)
		l->entry[i].dirty = false;
	for (uint32_t i = 0; i < l->model->versions && landed; i++)
		l->model->version[i]->total_changed = false;
	if (landed && l->entries > ENTRIES_MAX)
		rehash(l, 256, true);
	if (landed)
		label_details_forget(l);
}
