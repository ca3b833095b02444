/* labels.c -- predictions into the journal, labels onto them, and what came of it. See labels.h. */
#include "monitor/label/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/decode/record.h"
#include "monitor/label/confidence.h"
#include "monitor/label/labels_inside.h"

int
labels_create(struct labels **out, struct model *m, struct diag *d)
{
	struct labels *l = must_calloc(1, sizeof *l);
	struct journal_config config = {
		.capacity = m->config->labels_capacity,
		.keep_ms = m->config->labels_wait_ms + m->config->labels_lateness_ms,
	};
	int err;

	l->model = m;
	l->store = m->common->store;
	l->explained.features_max = m->config->labels_explain;
	if (l->explained.features_max)
		l->explain_rows = must_calloc(1, sizeof *l->explain_rows);
	memset(l->class_prob, 0xff, sizeof l->class_prob);
	err = journal_create(&l->journal, &config, d);
	for (size_t i = 0; i < m->config->classes.n; i++)
		labels_class(l, m->config->classes.text[i], (uint32_t)strlen(m->config->classes.text[i]));
	*out = l;
	return err;
}

void
labels_destroy(struct labels *l)
{
	if (!l)
		return;
	journal_destroy(l->journal);
	explain_columns_finish(&l->explained);
	free(l->explain_rows);
	for (uint32_t i = 0; i < l->classes.n; i++)
		free(l->classes.text[i]);
	free(l->prob_scratch);
	free(l->window);
	for (uint32_t i = 0; i < l->entry_capacity; i++)
		free(l->entry[i].detail);
	free(l->entry);
	probes_destroy(l->twins_waiting);
	free(l);
}

void
labels_prefetch(const struct labels *l, uint64_t id_keyed, bool row)
{
	if (row)
		journal_prefetch_row(l->journal, id_keyed);
	else
		journal_prefetch(l->journal, id_keyed);
}

void
labels_batch_ends(struct labels *l)
{
	if (l->explain_rows && l->explain_rows->n)
		explain_rows_fill(l->explain_rows, &l->explained, l->journal);
}

const struct journal *
labels_journal(const struct labels *l)
{
	return l->journal;
}

const struct explain_columns *
labels_explained(const struct labels *l)
{
	return &l->explained;
}

size_t
labels_bytes(const struct labels *l)
{
	size_t recalibration = 0;

	for (uint32_t i = 0; i < l->model->versions; i++)
		recalibration += recalibration_bytes(l->model->version[i]->recalibration);
	return sizeof *l + recalibration + journal_bytes(l->journal) + probes_bytes(l->twins_waiting) +
	       l->window_capacity * sizeof *l->window +
	       l->entry_capacity * sizeof *l->entry + l->details * sizeof(struct label_detail) +
	       explain_columns_bytes(&l->explained);
}

uint32_t
labels_class(struct labels *l, const char *text, uint32_t length)
{
	struct classes *c = &l->classes;

	if (length > LIMIT_TEXT_BYTES)
		length = LIMIT_TEXT_BYTES;
	if (c->n && c->length[c->last] == length && !memcmp(c->text[c->last], text, length))
		return c->last;
	for (uint32_t i = 0; i < c->n; i++)
		if (c->length[i] == length && !memcmp(c->text[i], text, length))
			return c->last = i;
	if (c->n == LIMIT_CLASSES)
		return LIMIT_CLASSES;
	c->text[c->n] = must_strndup(text, length);
	c->length[c->n] = length;
	return c->last = c->n++;
}

struct version *
labels_version(struct labels *l, uint16_t group)
{
	return group < l->model->versions ? l->model->version[group] : NULL;
}

uint32_t
labels_cell_class(struct labels *l, const struct record *r, const struct cell *c)
{
	char digits[40];

	if (c->tag == CELL_TEXT || c->text.length)
		return labels_class(l, record_text(r, c->text), c->text.length);
	if (c->tag != CELL_NUMBER)
		return LIMIT_CLASSES;
	return labels_class(l, digits, (uint32_t)snprintf(digits, sizeof digits, "%.17g", c->number));
}

/* -- probabilities: position k of a record's array belongs to which class? --------------------------- */

/* At the first record with probabilities, and never again: names in the configuration, else names with the
 * record, else the index as text. */
static bool
learn_probs(struct labels *l, const struct record *r)
{
	const struct model_config *config = l->model->config;

	if (r->probs > LIMIT_CLASSES || l->forecast.kind || journal_set_probs(l->journal, r->probs + labels_kept(l)))
		return false;
	l->probs = r->probs;
	free(l->prob_scratch);
	l->prob_scratch = must_calloc(l->probs + KEPT, sizeof *l->prob_scratch);
	for (uint32_t k = 0; k < r->probs; k++) {
		char digits[16];
		uint32_t class;

		if (config->classes.n)
			class = k < config->classes.n ? k : LIMIT_CLASSES;
		else if (k < r->classes)
			class = labels_class(l, record_text(r, r->class_name[k]), r->class_name[k].length);
		else
			class = labels_class(l, digits,
			                     (uint32_t)snprintf(digits, sizeof digits, "%u", k));
		l->prob_class[k] = (uint16_t)class;
		if (class < LIMIT_CLASSES)
			l->class_prob[class] = (uint16_t)k;
	}
	return true;
}

/* The record's probabilities in the order of the first record's; NULL when they cannot be used. */
static const double *
ordered_probs(struct labels *l, const struct record *r)
{
	if (!r->probs || r->parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE))
		return NULL;
	if (!l->probs && !learn_probs(l, r))
		return NULL;
	if (r->probs != l->probs) {
		l->model->counter[COUNT_CLASS_COUNT]++;
		return NULL;
	}
	if (!r->classes || r->classes != r->probs)
		return r->prob;
	for (uint32_t k = 0; k < r->probs; k++) { /* names may come in another order */
		uint32_t class = l->prob_class[k];

		if (class < l->classes.n && l->classes.length[class] == r->class_name[k].length &&
		    !memcmp(l->classes.text[class], record_text(r, r->class_name[k]),
		            r->class_name[k].length)) {
			l->prob_scratch[k] = r->prob[k];
			continue;
		}
		class = labels_class(l, record_text(r, r->class_name[k]), r->class_name[k].length);
		if (class == LIMIT_CLASSES || l->class_prob[class] == UINT16_MAX) {
			l->model->counter[COUNT_CLASS_COUNT]++;
			return NULL;
		}
		l->prob_scratch[l->class_prob[class]] = r->prob[k];
	}
	return l->prob_scratch;
}

/* The numbers of the record's forecast; NULL when there is none to keep. */
static const double *
forecast_of(struct labels *l, const struct record *r, const struct journal_row *row)
{
	bool first = !l->forecast.kind, numeric = row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE);

	if (!r->forecast || !numeric || l->probs)
		return NULL;
	if (!forecast_fits(&l->forecast, r)) {
		l->model->counter[COUNT_FORECAST_CHANGED]++;
		return NULL;
	}
	if (first && journal_set_probs(l->journal, labels_payload(l) + labels_kept(l))) {
		l->forecast = (struct forecast_shape){ 0 }; /* an earlier record has fixed another width */
		return NULL;
	}
	if (first) {
		free(l->prob_scratch);
		l->prob_scratch = must_calloc(labels_payload(l) + KEPT, sizeof *l->prob_scratch);
	}
	return r->forecast_value;
}

/* -- predictions ------------------------------------------------------------------------------------- */

double
labels_confidence(const struct record *r)
{
	double top = 0;

	if (!r->probs || r->parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE))
		return (double)NAN;
	for (uint32_t k = 0; k < r->probs; k++)
		top = fmax(top, r->prob[k]);
	return top;
}

double
labels_score(const struct record *r)
{
	return r->nonconformity.tag == CELL_NUMBER ? r->nonconformity.number : (double)NAN;
}

static uint16_t
level_index(struct labels *l, double level)
{
	if (isnan(level))
		return UINT16_MAX;
	for (uint32_t i = 0; i < l->levels; i++)
		if (l->level[i] == level)
			return (uint16_t)i;
	if (l->levels == LEVELS_MAX)
		return UINT16_MAX;
	l->level[l->levels] = level;
	return (uint16_t)l->levels++;
}

static void
fill_class(struct labels *l, const struct record *r, struct journal_row *row)
{
	uint64_t set = 0;
	bool known = true;

	for (uint32_t i = 0; i < r->sets; i++) {
		uint32_t class = labels_cell_class(l, r, &r->set[i]);

		if (class < 64)
			set |= (uint64_t)1 << class;
		else
			known = false;
	}
	row->u.klass.set = set;
	row->u.klass.top = (double)NAN;
	if (r->has_set && known)
		row->flags |= JOURNAL_SET;
	else if (r->has_set)
		l->model->counter[COUNT_SET_UNKNOWN]++;
	if (r->klass.tag == CELL_TEXT || r->klass.tag == CELL_NUMBER) {
		uint32_t class = labels_cell_class(l, r, &r->klass);

		if (class < LIMIT_CLASSES) {
			row->flags |= JOURNAL_CLASS;
			row->klass = (uint16_t)class;
		}
	}
}

/* Of an interval: a number, or infinite. */
static bool
is_end(const struct cell *c)
{
	return c->tag == CELL_NUMBER || (c->tag == CELL_NONFINITE && isinf(c->number));
}

/* False: there is nothing in the record that a label could be compared with. */
bool
labels_fill_row(struct labels *l, struct version *v, const struct record *r, struct journal_row *row)
{
	double level = l->model->config->coverage_level;
	double threshold = r->qhat.tag == CELL_NUMBER ? r->qhat.number : (double)NAN;

	*row = (struct journal_row){ .id = r->id_keyed, .ts = r->ts, .group = v->number,
		                     .klass = UINT16_MAX };
	if (isnan(level) && r->level.tag == CELL_NUMBER)
		level = r->level.number;
	row->level = level_index(l, level);
	row->window = (uint32_t)(l->window_base + l->windows - 1);
	row->segments = l->model->combination;
	if (r->value.tag == CELL_NUMBER || is_end(&r->lower)) {
		bool interval = is_end(&r->lower) && is_end(&r->upper);

		row->flags |= interval ? JOURNAL_INTERVAL : JOURNAL_VALUE;
		row->u.interval.value = r->value.tag == CELL_NUMBER ? r->value.number : (double)NAN;
		row->u.interval.lower = interval ? r->lower.number : (double)NAN;
		row->u.interval.upper = interval ? r->upper.number : threshold;
		return true;
	}
	fill_class(l, r, row);
	row->u.klass.threshold = threshold;
	return row->flags || r->probs || !isnan(threshold) || r->nonconformity.tag == CELL_NUMBER;
}

/* `revision: last`: the payload of a row also keeps what its label will overwrite. */
static const double *
keep_for_revision(struct labels *l, const struct journal_row *row, const double *probs)
{
	uint32_t n;

	if (!l->prob_scratch) {
		if (journal_set_probs(l->journal, KEPT))
			return NULL;
		l->prob_scratch = must_calloc(KEPT, sizeof *l->prob_scratch);
	}
	n = labels_payload(l);
	if (probs && probs != l->prob_scratch)
		memcpy(l->prob_scratch, probs, n * sizeof *probs);
	for (uint32_t i = 0; i < n && !probs; i++)
		l->prob_scratch[i] = (double)NAN;
	labels_keep(l, row, l->prob_scratch);
	return l->prob_scratch;
}

void
labels_prediction(struct labels *l, struct version *v, const struct record *r, uint64_t key)
{
	struct label_window *w = &l->window[l->windows - 1];
	struct journal_row row;
	struct orphan orphan;
	const double *probs;
	uint64_t number;

	if (!(r->parts & RECORD_HAS_ID)) {
		l->model->counter[COUNT_MISSING_ID]++;
		return;
	}
	probs = ordered_probs(l, r);
	if (!labels_fill_row(l, v, r, &row))
		return;
	row.id = key;
	if (!probs)
		probs = forecast_of(l, r, &row);
	if (labels_kept(l))
		probs = keep_for_revision(l, &row, probs);
	row.bins = (uint16_t)explain_width(&l->explained, v->number);
	number = journal_append(l->journal, &row, probs, NULL);
	must(number != UINT64_MAX);
	if (row.bins)
		explain_rows_add(l->explain_rows, &l->explained, l->journal, l->model, v, number, l->model->features_at);
	if (!w->predictions)
		w->first_row = number;
	w->predictions++;
	label_rows_prediction(l, v->number, row.segments, w, labels_confidence(r));
	if (key != r->id_keyed)
		twins_predicted(l, r, number);
	else if (!(r->parts & RECORD_LABEL) && journal_orphan_take(l->journal, r->id_keyed, &orphan)) {
		l->model->counter[COUNT_ORPHAN_MATCHED]++;
		l->partition = r->partition;
		l->offset = r->offset;
		l->row = r->row;
		labels_take(l, key, number, &(struct arrival){
			.label = orphan.is_class == ORPHAN_NUMBER ? orphan.label : (double)NAN,
			.score = orphan.is_class == ORPHAN_SCORE ? orphan.label : (double)NAN,
			.class = orphan.is_class == ORPHAN_CLASS ? (uint32_t)orphan.label : LIMIT_CLASSES,
			.ts = orphan.ts });
	}
}

void
labels_harm(const struct labels *l, char *out, size_t size)
{
	uint32_t judged = 0, missed = 0, classes = 0, wrong = 0;
	int at = 0;

	for (uint32_t i = 0; i < l->recents; i++) {
		judged += l->recent[i].has_miss;
		missed += l->recent[i].miss;
		classes += l->recent[i].has_wrong;
		wrong += l->recent[i].wrong;
	}
	if (!judged && !classes) {
		snprintf(out, size, "not labelled yet");
		return;
	}
	if (judged)
		at = snprintf(out, size, "coverage %.3f over the last %u labels", 1 - (double)missed / judged,
		              judged);
	if (classes && at >= 0 && (size_t)at < size)
		snprintf(out + at, size - (size_t)at, "%serror %.3f over the last %u labels",
		         at ? ", " : "", (double)wrong / classes, classes);
}
