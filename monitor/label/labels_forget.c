/* labels_forget.c -- `driftd forget`: the prediction and the label of an id. */
#include "monitor/label/journal.h"
#include "monitor/label/labels_inside.h"

void
labels_forget_id(struct labels *l, uint64_t id_keyed, uint64_t *number, bool *orphan)
{
	*number = journal_forget(l->journal, id_keyed, orphan);
}

int
labels_forget_put(const struct labels *l, struct store *store, uint64_t id_keyed, uint64_t number)
{
	return journal_forget_put(l->journal, store, id_keyed, number);
}
