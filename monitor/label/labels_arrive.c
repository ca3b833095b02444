/* labels_arrive.c -- labels, and scores in their place, onto the predictions that wait for them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "monitor/decode/record.h"
#include "monitor/label/confidence.h"
#include "monitor/label/labels_inside.h"

static uint32_t
number_class(struct labels *l, double number)
{
	char digits[40];

	return labels_class(l, digits, (uint32_t)snprintf(digits, sizeof digits, "%.17g", number));
}

/* A repeat of a label that was taken: the first one counts, or the last where `revision: last` says so. */
static void
repeat_label(struct labels *l, uint64_t number, double given, bool scored, int64_t ts)
{
	const struct journal_row *row = journal_get(l->journal, number);

	l->model->counter[COUNT_REPEAT_LINES]++;
	if (row->u.done.label == given || scored || row->flags & JOURNAL_SCORED)
		return;
	l->model->counter[COUNT_REPEAT_OTHER_LABEL]++;
	if (l->model->config->revision == REVISION_LAST)
		labels_revise(l, number, given, ts);
}

/* A score above the threshold is a miss. It says nothing of a prediction that has an interval or a set: these
 * wait for the label. False: not judged. */
static bool
judge_score(struct labels *l, const struct journal_row *row, double score, struct outcome *o)
{
	double threshold = l->model->config->coverage_threshold;

	if (isnan(threshold))
		threshold = row->flags & JOURNAL_VALUE ? row->u.interval.upper : row->u.klass.threshold;
	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_SET) || isnan(threshold)) {
		l->model->counter[COUNT_SCORES_UNJUDGED]++;
		return false;
	}
	o->flags = score > threshold ? JOURNAL_SCORED | JOURNAL_MISS : JOURNAL_SCORED;
	o->score = score;
	o->level = labels_row_level(l, row);
	return true;
}

/* The label of a row as the journal keeps it; false: it does not fit. */
static bool
fit_label(struct labels *l, const struct journal_row *row, const struct arrival *a, double *out)
{
	uint32_t class = a->class;

	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE)) {
		*out = a->label;
		return !isnan(a->label);
	}
	if (class == LIMIT_CLASSES)
		class = a->text && a->length ? labels_class(l, a->text, a->length) :
		        isnan(a->label) ? LIMIT_CLASSES : number_class(l, a->label);
	*out = class;
	return class != LIMIT_CLASSES;
}

void
labels_take(struct labels *l, uint64_t id, uint64_t number, const struct arrival *a)
{
	const struct journal_row *row = journal_get(l->journal, number);
	bool numeric = row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE), scored = !isnan(a->score);
	struct outcome o = OUTCOME_NONE;
	struct label_window *w = label_window(l, row->window);
	uint16_t group = row->group, combination = row->segments;
	const double *payload = journal_probs(l->journal, number);
	double label = a->score;
	int64_t ts = a->ts;

	if (!scored && !fit_label(l, row, a, &label)) {
		l->model->counter[COUNT_LABEL_TYPE]++;
		return;
	}
	if (row->flags & JOURNAL_DONE) {
		repeat_label(l, number, label, scored, ts);
		return;
	}
	if (ts - row->ts > l->model->config->labels_wait_ms) {
		l->model->counter[COUNT_LABELS_LATE]++;
		return;
	}
	if (scored && !judge_score(l, row, label, &o))
		return;
	if (!scored && numeric)
		labels_judge_number(l, row, payload, label, &o);
	else if (!scored)
		labels_judge_class(l, row, labels_payload_probs(l, payload), (uint32_t)label, &o);
	o.delay_ms = ts - row->ts;
	l->model->counter[COUNT_MATCHED_IDS]++;
	l->model->counter[COUNT_LABELS_OUTSIDE] += o.outside;
	journal_done(l->journal, number, label, ts - row->ts, o.flags);
	if (o.classes)
		confidence_learn(l->model, labels_version(l, group), o.confidence, !o.correct);
	if (l->model->config->recalibrate)
		recalibrate_label(l, labels_version(l, group), &o, o.level);
	if (w) {
		label_rows_add(l, group, combination, w, &o,
		               label_row_key(journal_get(l->journal, number)), 1);
		labels_arrived(l, w, number);
	}
	twins_labelled(l, id, number);
	probes_labelled(l, number);
}

void
labels_label(struct labels *l, const struct label_event *e)
{
	uint64_t row[TWINS_MAX + 1];
	uint32_t rows = twins_of(l, e->id_keyed, row);
	struct orphan o = { .id = e->id_keyed, .ts = e->ts, .label = e->number };

	l->model->counter[COUNT_LABEL_LINES]++;
	l->partition = e->partition;
	l->offset = e->offset;
	l->row = 0;
	for (uint32_t i = 0; i < rows; i++)
		labels_take(l, e->id_keyed, row[i], &(struct arrival){ e->number, e->score, LIMIT_CLASSES, e->text,
		                                                       e->text_length, e->ts });
	if (rows)
		return;
	if (!isnan(e->score)) {
		o.is_class = ORPHAN_SCORE;
		o.label = e->score;
	} else if (isnan(e->number)) {
		o.is_class = ORPHAN_CLASS;
		o.label = labels_class(l, e->text, e->text_length);
	}
	if (journal_orphan_add(l->journal, &o))
		l->model->counter[COUNT_ORPHAN_ADDED]++;
	else
		l->model->counter[COUNT_REPEAT_LINES]++;
}

void
labels_inline(struct labels *l, const struct record *r, uint64_t key)
{
	uint64_t number;

	if (!(r->parts & RECORD_HAS_ID))
		return;
	number = journal_find(l->journal, key);
	if (number == UINT64_MAX)
		return;
	l->partition = r->partition;
	l->offset = r->offset;
	l->row = r->row;
	l->model->counter[COUNT_LABEL_LINES]++;
	labels_take(l, r->id_keyed, number, &(struct arrival){
		.label = r->label.tag == CELL_NUMBER ? r->label.number : (double)NAN,
		.score = r->label.tag == CELL_ABSENT || r->label.tag == CELL_NULL ? labels_score(r) : (double)NAN,
		.class = LIMIT_CLASSES, .text = record_text(r, r->label.text), .length = r->label.text.length,
		.ts = r->ts });
}

void
labels_outcome(struct labels *l, struct version *v, const struct record *r, struct label_outcome *out)
{
	struct outcome o = OUTCOME_NONE;
	struct journal_row row;

	labels_flags_outcome(0, 0, out);
	if (!labels_fill_row(l, v, r, &row))
		return;
	if (r->label.tag == CELL_ABSENT && !isnan(labels_score(r))) {
		judge_score(l, &row, labels_score(r), &o);
	} else if (row.flags & (JOURNAL_INTERVAL | JOURNAL_VALUE)) {
		if (r->label.tag != CELL_NUMBER)
			return;
		labels_judge_number(l, &row, NULL, r->label.number, &o);
	} else {
		labels_judge_class(l, &row, NULL, labels_cell_class(l, r, &r->label), &o);
	}
	labels_flags_outcome(row.flags, o.flags, out);
	labels_record_score(l, r, &o, out);
	discrepancy_of_record(r, out->discrepancy);
}
