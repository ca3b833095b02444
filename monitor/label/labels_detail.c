/* labels_detail.c -- what days know beyond sums (label_detail), in memory while labels of the day come. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/metric/metric_auc.h"
#include "detectors/metric/metric_bootstrap.h"
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
	double weight[LABEL_REPLICAS];

	metric_bootstrap_weights(SEED, key, weight);
	for (int k = 0; k < 4 && !isnan(o->error); k++)
		for (int b = 0; b < LABEL_REPLICAS; b++)
			d->replica[REPLICA_ERRORS + k][b] += sign * weight[b] * error[k];
	for (int k = 0; k < 3 && !isnan(o->confidence); k++)
		for (int b = 0; b < LABEL_REPLICAS; b++)
			d->replica[REPLICA_PROBS + k][b] += sign * weight[b] * probs[k];
	for (int k = 0; k < 2 && !isnan(o->winkler); k++)
		for (int b = 0; b < LABEL_REPLICAS; b++)
			d->replica[REPLICA_INTERVALS + k][b] += sign * weight[b] * interval[k];
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

void
label_detail_outcome(struct labels *l, struct label_entry *e, const struct outcome *o, uint64_t key, int sign)
{
	struct label_detail *d = label_detail_of(l, e), *total = labels_version(l, e->group)->total_detail;

	if (d) {
		add_replicas(d, o, key, sign);
		add_scores(d, o, (uint32_t)sign);
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
