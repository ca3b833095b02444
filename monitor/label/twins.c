/* twins.c -- see twins.h. */
#include "monitor/label/twins.h"

#include <math.h>
#include <string.h>

#include "monitor/decode/record.h"
#include "monitor/label/labels_inside.h"
#include "monitor/stream/comparison.h"

static uint64_t
key_of(uint64_t id, uint16_t version)
{
	return id ^ 0x9E3779B97F4A7C15u * (version + 1u);
}

/* Is the version one that tells ids that another has told? It becomes one while there is room. */
static bool
is_twin(struct labels *l, uint16_t version)
{
	for (uint32_t i = 0; i < l->twins; i++)
		if (l->twin[i] == version)
			return true;
	if (l->twins == TWINS_MAX)
		return false;
	l->twin[l->twins++] = version;
	return true;
}

enum place
labels_place(struct labels *l, const struct record *r, uint64_t *key)
{
	uint64_t number = r->parts & RECORD_HAS_ID ? journal_find(l->journal, r->id_keyed) : UINT64_MAX;
	const struct version *first, *v;

	*key = r->id_keyed;
	if (number == UINT64_MAX)
		return PLACE_NEW;
	first = labels_version(l, journal_get(l->journal, number)->group);
	v = model_version(l->model, NULL, record_text(r, r->version), r->version.length);
	if (!first || v == first || !is_twin(l, v->number))
		return PLACE_DUPLICATE;
	*key = key_of(r->id_keyed, v->number);
	return journal_find(l->journal, *key) == UINT64_MAX ? PLACE_TWIN : PLACE_DUPLICATE;
}

uint32_t
twins_of(const struct labels *l, uint64_t id, uint64_t row[TWINS_MAX + 1])
{
	uint32_t n = 0;

	row[n] = journal_find(l->journal, id);
	n += row[n] != UINT64_MAX;
	for (uint32_t i = 0; i < l->twins; i++) {
		row[n] = journal_find(l->journal, key_of(id, l->twin[i]));
		n += row[n] != UINT64_MAX;
	}
	return n;
}

uint64_t
twins_id(const struct labels *l, uint64_t number)
{
	const struct journal_row *row = journal_get(l->journal, number);
	uint64_t id = key_of(row->id, row->group); /* its own inverse */

	return journal_find(l->journal, id) == UINT64_MAX ? row->id : id;
}

struct figures {
	double of[COMPARED_FIGURES]; /* NaN: none */
	uint16_t klass;              /* UINT16_MAX: none */
};

/* Of a row that waits: what it predicts. */
static void
predicted(const struct labels *l, uint64_t number, struct figures *f)
{
	const struct journal_row *row = journal_get(l->journal, number);
	const double *probs = labels_payload_probs(l, journal_probs(l->journal, number));

	for (int i = 0; i < COMPARED_FIGURES; i++)
		f->of[i] = (double)NAN;
	f->klass = row->flags & JOURNAL_CLASS ? row->klass : UINT16_MAX;
	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE))
		f->of[COMPARED_VALUE] = row->u.interval.value;
	if (row->flags & JOURNAL_INTERVAL)
		f->of[COMPARED_WIDTH] = row->u.interval.upper - row->u.interval.lower;
	if (row->flags & JOURNAL_SET)
		f->of[COMPARED_WIDTH] = __builtin_popcountll(row->u.klass.set);
	for (uint32_t k = 0; probs && k < l->probs; k++)
		f->of[COMPARED_SCORE] = fmax(f->of[COMPARED_SCORE], probs[k]);
}

/* Of a row with a label: what that says of it. */
static void
outcome(const struct labels *l, uint64_t number, struct figures *f)
{
	const struct journal_row *row = journal_get(l->journal, number);

	for (int i = 0; i < COMPARED_FIGURES; i++)
		f->of[i] = (double)NAN;
	f->klass = UINT16_MAX;
	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_SET | JOURNAL_SCORED))
		f->of[COMPARED_MISS] = (row->flags & JOURNAL_MISS) != 0;
	if (row->flags & JOURNAL_SCORED)
		return; /* no label has come */
	if (row->flags & JOURNAL_CLASS)
		f->of[COMPARED_ERROR] = (row->flags & JOURNAL_WRONG) != 0;
	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE))
		f->of[COMPARED_LOSS] = fabs(row->u.done.label - row->u.done.value);
}

static void
compare(struct labels *l, uint64_t id, uint64_t number, bool done)
{
	uint64_t row[TWINS_MAX + 1];
	uint32_t n = twins_of(l, id, row);
	struct version *v = labels_version(l, journal_get(l->journal, number)->group);
	struct figures mine, theirs;

	(done ? outcome : predicted)(l, number, &mine);
	for (uint32_t i = 0; i < n; i++) {
		const struct journal_row *other = journal_get(l->journal, row[i]);
		struct version *w = labels_version(l, other->group);

		if (row[i] == number || !(other->flags & JOURNAL_DONE) != !done)
			continue;
		(done ? outcome : predicted)(l, row[i], &theirs);
		if (mine.klass != UINT16_MAX && theirs.klass != UINT16_MAX) {
			/* a difference of 0 or 1, whichever of the two is the earlier version */
			bool differ = mine.klass != theirs.klass, earlier = v->number < w->number;

			comparison_pair(l->model, v, differ && !earlier, w, differ && earlier, COMPARED_DISAGREEMENT);
		}
		for (enum compared_figure f = COMPARED_DISAGREEMENT + 1; f <= COMPARED_LOSS; f++)
			comparison_pair(l->model, v, mine.of[f], w, theirs.of[f], f);
	}
}

void
twins_predicted(struct labels *l, const struct record *r, uint64_t number)
{
	uint64_t first = journal_find(l->journal, r->id_keyed);
	const struct journal_row *row = first == UINT64_MAX ? NULL : journal_get(l->journal, first);
	bool scored = row && row->flags & JOURNAL_SCORED;
	bool numeric = row && row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE) && !scored;

	compare(l, r->id_keyed, number, false);
	if (!row || !(row->flags & JOURNAL_DONE) || r->parts & RECORD_LABEL)
		return;
	l->partition = r->partition;
	l->offset = r->offset;
	labels_take(l, r->id_keyed, number, &(struct arrival){
		.label = numeric ? row->u.done.label : (double)NAN,
		.score = scored ? row->u.done.label : (double)NAN,
		.class = numeric || scored ? LIMIT_CLASSES : (uint32_t)row->u.done.label,
		.ts = row->ts + row->u.done.delay_ms });
}

/* A row alone with its id is compared with its neighbours instead. */
void
twins_labelled(struct labels *l, uint64_t id, uint64_t number)
{
	uint64_t row[TWINS_MAX + 1];
	struct figures f;

	if (!l->model->comparisons)
		return;
	if (l->twins && twins_of(l, id, row) > 1) {
		compare(l, id, number, true);
		return;
	}
	outcome(l, number, &f);
	for (enum compared_figure i = COMPARED_ERROR; i <= COMPARED_LOSS; i++)
		comparison_value(l->model, labels_version(l, journal_get(l->journal, number)->group), i, f.of[i]);
}
