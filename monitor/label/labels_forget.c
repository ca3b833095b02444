/* labels_forget.c -- `driftd forget`: the predictions and the label of an id. */
#include "monitor/label/journal.h"
#include "monitor/label/labels_inside.h"
#include "monitor/label/twins.h"

_Static_assert((int)LABELS_KEYS == (int)TWINS_MAX + 2, "the id, its own row and those of twins");

uint32_t
labels_forget_keys(const struct labels *l, uint64_t id_keyed, uint64_t key[LABELS_KEYS])
{
	uint64_t row[TWINS_MAX + 1];
	uint32_t rows = twins_of(l, id_keyed, row), n = 1;

	key[0] = id_keyed;
	for (uint32_t i = 0; i < rows; i++) {
		key[n] = journal_get(l->journal, row[i])->id;
		n += key[n] != id_keyed;
	}
	return n;
}

void
labels_forget_id(struct labels *l, uint64_t id_keyed, uint64_t *number, bool *orphan)
{
	probes_forget(l, id_keyed);
	*number = journal_forget(l->journal, id_keyed, orphan);
}

int
labels_forget_put(const struct labels *l, struct store *store, uint64_t id_keyed, uint64_t number)
{
	return journal_forget_put(l->journal, store, id_keyed, number);
}
