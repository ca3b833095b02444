/* labels_outcome.c -- what a label says of its prediction, and how a revised label corrects it. */
#include <math.h>
#include <string.h>

#include "detectors/metric/metric_winkler.h"
#include "monitor/decode/record.h"
#include "monitor/label/labels_inside.h"

double
labels_row_level(const struct labels *l, const struct journal_row *row)
{
	return row->level < l->levels ? l->level[row->level] : (double)NAN;
}

/* Outcome of a numeric label. */
void
labels_judge_number(const struct labels *l, const struct journal_row *row, const double *payload, double y,
                    struct outcome *o)
{
	double lower = row->u.interval.lower, upper = row->u.interval.upper, level = labels_row_level(l, row);
	const double *number = labels_payload_forecast(l, payload);

	o->error = y - row->u.interval.value;
	o->label = y;
	if (number)
		o->forecast = forecast_score(&l->forecast, number, row->u.interval.value, y, label_row_key(row));
	if (number && l->forecast.kind == FORECAST_QUANTILES)
		o->quantile = number;
	if (!(row->flags & JOURNAL_INTERVAL))
		return;
	o->width = upper - lower;
	o->level = level;
	o->score = fmax(lower - y, y - upper);
	if (y < lower)
		o->flags |= JOURNAL_MISS | JOURNAL_BELOW;
	else if (y > upper)
		o->flags |= JOURNAL_MISS | JOURNAL_ABOVE;
	if (!isnan(level) && level < 1 && isfinite(o->width))
		o->winkler = metric_winkler_score(lower, upper, y, 1 - level);
}

/* Outcome of a class; definitions of accuracy, ECE, Brier and NLL as in Guo et al. 2017: confidence is the
 * largest probability, the Brier score sums over classes, a class without a probability has p = 0. */
void
labels_judge_class(const struct labels *l, const struct journal_row *row, const double *probs, uint32_t class,
            struct outcome *o)
{
	/* A label that is none of the model's classes: wrong for the detectors, left out of the scores. Where
	 * not even the predicted class has a place among the probabilities (an array without names, and no
	 * `classes` in the configuration) the classes are not known. */
	o->outside = l->probs && (class >= LIMIT_CLASSES || l->class_prob[class] == UINT16_MAX) &&
	             row->klass < LIMIT_CLASSES && l->class_prob[row->klass] != UINT16_MAX;
	o->classes = row->flags & JOURNAL_CLASS && !o->outside;
	o->correct = o->classes && row->klass == class;
	if (o->classes) {
		o->predicted = row->klass;
		o->actual = class < LIMIT_CLASSES ? (uint16_t)class : UINT16_MAX;
	}
	if (row->flags & JOURNAL_CLASS && row->klass != class)
		o->flags |= JOURNAL_WRONG;
	if (row->flags & JOURNAL_SET) {
		o->width = __builtin_popcountll(row->u.klass.set);
		o->level = labels_row_level(l, row);
		if (class >= 64 || !(row->u.klass.set >> class & 1))
			o->flags |= JOURNAL_MISS;
	}
	if (probs && !o->outside) {
		uint16_t at = class < LIMIT_CLASSES ? l->class_prob[class] : UINT16_MAX;
		double top = 0, squares = 0, p = at < l->probs ? probs[at] : 0;

		for (uint32_t k = 0; k < l->probs; k++) {
			top = fmax(top, probs[k]);
			squares += probs[k] * probs[k];
		}
		o->confidence = top;
		/* without the place of the label there is no score: NaN makes the window's sum unknown */
		o->brier = at < l->probs ? squares - 2 * p + 1 : (double)NAN;
		if (row->flags & JOURNAL_SET)
			o->score = 1 - p;
		if (l->probs == 2 && l->class_prob[1] < 2)
			o->positive = probs[l->class_prob[1]];
		o->nll = at < l->probs ? -log(fmax(p, 1e-12)) : (double)NAN;
	}
}

void
labels_flags_outcome(uint16_t kind, uint16_t flags, struct label_outcome *o)
{
	double none = (double)NAN;
	bool judged = kind & (JOURNAL_INTERVAL | JOURNAL_SET) || flags & JOURNAL_SCORED;

	o->miss = judged ? (flags & JOURNAL_MISS) != 0 : none;
	o->below = kind & JOURNAL_INTERVAL ? (flags & JOURNAL_BELOW) != 0 : none;
	o->above = kind & JOURNAL_INTERVAL ? (flags & JOURNAL_ABOVE) != 0 : none;
	o->wrong = kind & JOURNAL_CLASS && !(flags & JOURNAL_SCORED) ? (flags & JOURNAL_WRONG) != 0 : none;
	for (int f = 0; f < LIMITED; f++)
		o->loss[f] = none;
	o->score_of = SCORE_NONE;
	o->score = none;
	discrepancy_none(o->discrepancy);
}

/* Not of a row from before `revision: last` was configured. */
static bool
was_kept(const struct labels *l, const struct journal_row *row, const double *payload)
{
	return row->flags & JOURNAL_VALUE || !isnan(payload[labels_payload(l) + 1]);
}

/* What the row was before its label, from what the payload kept: both ends of the interval, or the set. */
static void
before_label(const struct labels *l, const struct journal_row *row, const double *payload,
             struct journal_row *out)
{
	const double *kept = payload + labels_payload(l);

	*out = *row;
	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE)) {
		out->u.interval.value = row->u.done.value;
		out->u.interval.lower = kept[0];
		out->u.interval.upper = kept[1];
	} else {
		memcpy(&out->u.klass.set, &kept[0], sizeof out->u.klass.set);
	}
}

static void
set_score(struct label_outcome *o, enum label_score of, double score)
{
	if (!isfinite(score))
		return;
	o->score_of = of;
	o->score = score;
}

bool
labels_have_scores(const struct labels *l)
{
	return l->forecast.kind || labels_kept(l);
}

/* Of a done row: its own score, in the order of enum label_score. */
static void
row_score(const struct labels *l, const struct journal_row *row, const double *payload,
          struct label_outcome *o)
{
	const double *number = labels_payload_forecast(l, payload);
	double value = row->u.done.value, y = row->u.done.label;
	struct journal_row before;

	if (row->flags & JOURNAL_SCORED) {
		set_score(o, SCORE_NONCONFORMITY, y);
	} else if (number) {
		set_score(o, SCORE_CRPS, forecast_score(&l->forecast, number, value, y, label_row_key(row)).crps);
	} else if (payload && labels_kept(l) && row->flags & JOURNAL_INTERVAL && was_kept(l, row, payload)) {
		struct outcome judged = OUTCOME_NONE;

		before_label(l, row, payload, &before);
		labels_judge_number(l, &before, NULL, y, &judged);
		set_score(o, SCORE_WINKLER, judged.winkler);
	}
}

void
labels_record_score(const struct labels *l, const struct record *r, const struct outcome *judged,
                    struct label_outcome *o)
{
	struct forecast_shape shape = l->forecast;
	double value = r->value.tag == CELL_NUMBER ? r->value.number : (double)NAN;

	if (judged->flags & JOURNAL_SCORED)
		set_score(o, SCORE_NONCONFORMITY, judged->score);
	else if (!isnan(judged->label) && !l->probs && forecast_fits(&shape, r))
		set_score(o, SCORE_CRPS,
		          forecast_score(&shape, r->forecast_value, value, judged->label, 0).crps);
	else if (labels_kept(l))
		set_score(o, SCORE_WINKLER, judged->winkler);
}

void
labels_row_outcome(const struct labels *l, uint64_t number, struct label_outcome *o)
{
	const struct journal_row *row = journal_get(l->journal, number);
	const double *payload = journal_probs(l->journal, number), *probs = labels_payload_probs(l, payload);

	labels_flags_outcome(row->flags, row->flags, o);
	for (enum limited f = 0; f < LIMITED; f++)
		if (!isnan(limited_mean(l->model->config, f)))
			o->loss[f] = limited_loss(l, row, probs, f);
	row_score(l, row, payload, o);
}

/* -- revised labels ----------------------------------------------------------------------------------- */

void
labels_keep(const struct labels *l, const struct journal_row *row, double *payload)
{
	double *kept = payload + labels_payload(l);

	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE)) {
		kept[0] = row->u.interval.lower;
		kept[1] = row->u.interval.upper;
	} else {
		memcpy(&kept[0], &row->u.klass.set, sizeof kept[0]);
		kept[1] = 0;
	}
}

static void
judge(struct labels *l, const struct journal_row *row, const double *payload, double label,
      struct outcome *o)
{
	*o = (struct outcome)OUTCOME_NONE;
	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE))
		labels_judge_number(l, row, payload, label, o);
	else
		labels_judge_class(l, row, labels_payload_probs(l, payload), (uint32_t)label, o);
}

/* `revision: last`: the figures of the prediction's window are corrected; the detectors never hear of it. */
void
labels_revise(struct labels *l, uint64_t number, double label, int64_t ts)
{
	const struct journal_row *row = journal_get(l->journal, number);
	const double *payload = journal_probs(l->journal, number);
	struct label_window *w = label_window(l, row->window);
	struct journal_row before;
	struct outcome o;

	if (!payload || !w || !was_kept(l, row, payload))
		return;
	before_label(l, row, payload, &before);
	judge(l, &before, payload, row->u.done.label, &o);
	o.delay_ms = row->u.done.delay_ms;
	label_rows_add(l, row->group, row->segments, w, &o, label_row_key(row), -1);
	judge(l, &before, payload, label, &o);
	o.delay_ms = ts - row->ts;
	label_rows_add(l, row->group, row->segments, w, &o, label_row_key(row), 1);
	journal_done(l->journal, number, label, ts - row->ts,
	             (uint16_t)(o.flags | (row->flags & JOURNAL_SEEN)));
	l->model->counter[COUNT_REVISED]++;
}
