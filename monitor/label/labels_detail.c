/* labels_detail.c -- what days know beyond sums (label_detail), in memory while labels of the day come. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/metric/metric_auc.h"
#include "detectors/metric/metric_bootstrap.h"
#include "detectors/metric/metric_winkler.h"
#include "monitor/label/labels_inside.h"

enum { DETAILS_KEPT = 8, DAY_MS = 86400000, SEED = 1 };

uint64_t
label_row_key(const struct journal_row *row)
{
	bool number = row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE);
	double value = !number ? row->klass : row->flags & JOURNAL_DONE ? row->u.done.value : row->u.interval.value;
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return (uint64_t)row->ts * 0xD1B54A32D192ED03u ^ bits;
}

static struct label_detail *
read_back(struct labels *l, int64_t window_ms, uint32_t stream_id)
{
	struct label_detail *d = must_calloc(1, sizeof *d);

	if (l->store && stream_id && !store_get_label_detail(l->store, window_ms, stream_id, d))
		return d;
	free(d);
	return NULL;
}

/* NULL: the row is none of a day, or of a day that is too old to be known so well. */
struct label_detail *
label_detail_of(struct labels *l, struct label_entry *e)
{
	if (e->row.width_ms < DAY_MS || e->detail)
		return e->detail;
	/* also of a row without a label: one outside the classes is none, and has left its trace */
	e->detail = read_back(l, e->row.window_ms, labels_version(l, e->group)->label_stream_id);
	if (!e->detail && !e->row.labelled)
		e->detail = must_calloc(1, sizeof *e->detail);
	l->details += e->detail != NULL;
	return e->detail;
}

static void
add_replicas(struct label_detail *d, const struct outcome *o, uint64_t key, double sign)
{
	const double error[] = { 1, o->error, fabs(o->error), o->error * o->error };
	const double probs[] = { 1, o->brier, o->nll }, interval[] = { 1, o->winkler };
	const double forecast[] = { 1, o->forecast.crps };
	double weight[LABEL_REPLICAS];

	metric_bootstrap_weights(ISA_BEST, SEED, key, weight);
	for (int k = 0; k < 4 && !isnan(o->error); k++)
		metric_bootstrap_add(weight, sign * error[k], d->replica[REPLICA_ERRORS + k]);
	for (int k = 0; k < 3 && !isnan(o->confidence); k++)
		metric_bootstrap_add(weight, sign * probs[k], d->replica[REPLICA_PROBS + k]);
	for (int k = 0; k < 2 && !isnan(o->winkler); k++)
		metric_bootstrap_add(weight, sign * interval[k], d->replica[REPLICA_INTERVALS + k]);
	for (int k = 0; k < 2 && !isnan(o->forecast.crps); k++)
		metric_bootstrap_add(weight, sign * forecast[k], d->replica[REPLICA_FORECASTS + k]);
}

static void
add_scores(struct label_detail *d, const struct outcome *o, uint32_t one)
{
	uint32_t bin;

	if (isnan(o->confidence) || !o->classes)
		return;
	bin = metric_auc_bin(o->confidence);
	(o->correct ? d->right : d->wrong)[bin] += one;
	if (isnan(o->positive))
		return;
	bin = metric_auc_bin(o->positive);
	(o->actual == 1 ? d->positive : d->negative)[bin] += one;
}

static void
add_interval(struct label_detail *d, double level, double width, double winkler, bool below, bool above,
             bool miss, int sign)
{
	struct label_interval *x = isnan(level) ? NULL : label_interval(d, level);
	uint32_t one = (uint32_t)sign;

	if (!x)
		return;
	x->n += one;
	x->covered += miss ? 0 : one;
	x->below += below ? one : 0;
	x->above += above ? one : 0;
	x->width_sum += sign * width;
	x->winkler_sum += isnan(winkler) ? 0 : sign * winkler;
}

/* The interval or set of the record, and the central pairs of its quantiles at other levels. */
static void
add_levels(const struct forecast_shape *shape, struct label_detail *d, const struct outcome *o, int sign)
{
	const double *level = shape->level, *at = o->quantile, y = o->label;

	if (!isnan(o->width) || o->flags & JOURNAL_SCORED)
		add_interval(d, o->level, isfinite(o->width) ? o->width : 0, o->winkler, o->flags & JOURNAL_BELOW,
		             o->flags & JOURNAL_ABOVE, o->flags & JOURNAL_MISS, sign);
	for (uint32_t i = 0; at && i < shape->n; i++) {
		struct label_quantile *q = label_quantile(d, level[i]);

		if (q) {
			q->n += (uint32_t)sign;
			q->below += y <= at[i] ? (uint32_t)sign : 0;
			q->pinball_sum += sign * (level[i] - (y < at[i] ? 1 : 0)) * (y - at[i]);
		}
	}
	for (uint32_t i = 0, j = shape->n; at && i < j;) {
		double sum = level[i] + level[j - 1], between = level[j - 1] - level[i];

		if (fabs(sum - 1) > 1e-9) { /* no partner: on from the end that lies further out */
			sum > 1 ? j-- : i++;
			continue;
		}
		if (j - 1 > i && !(fabs(between - o->level) <= 1e-9))
			add_interval(d, between, at[j - 1] - at[i],
			             metric_winkler_score(at[i], at[j - 1], y, 1 - between), y < at[i],
			             y > at[j - 1], y < at[i] || y > at[j - 1], sign);
		i++;
		j--;
	}
}

void
label_detail_outcome(struct labels *l, struct label_entry *e, const struct outcome *o, uint64_t key, int sign)
{
	struct label_detail *d = label_detail_of(l, e), *total = labels_version(l, e->group)->total_detail;

	if (d) {
		add_replicas(d, o, key, sign);
		add_scores(d, o, (uint32_t)sign);
		add_levels(&l->forecast, d, o, sign);
	}
	if (isnan(o->confidence) || e->row.width_ms < DAY_MS)
		return;
	if (!total) {
		total = read_back(l, INT64_MIN, labels_version(l, e->group)->label_stream_id);
		if (!total)
			total = must_calloc(1, sizeof *total);
		labels_version(l, e->group)->total_detail = total;
	}
	add_scores(total, o, (uint32_t)sign);
	labels_version(l, e->group)->total_changed = true;
}

/* After a commit nothing is lost when they leave memory. */
void
label_details_forget(struct labels *l)
{
	if (l->details <= DETAILS_KEPT)
		return;
	for (uint32_t i = 0; i < l->entry_capacity; i++) {
		free(l->entry[i].detail);
		l->entry[i].detail = NULL;
	}
	l->details = 0;
}
