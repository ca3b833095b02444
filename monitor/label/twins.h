/* twins.h -- predictions of several versions for one id, as shadow deployments send them.
 *
 * The first one in merged order has the row of the id in the journal; one of another version while that is
 * there is its twin, with a row of its own under a key made of the id and the version. So twins wait for
 * the label, are bounded, expire and survive restarts like every prediction, and one label is taken for
 * all of them.
 */
#ifndef MONITOR_LABEL_TWINS_H
#define MONITOR_LABEL_TWINS_H

#include <stdbool.h>
#include <stdint.h>

struct labels;
struct record;

enum place {
	PLACE_NEW,       /* the first prediction with this id, or without one */
	PLACE_TWIN,
	PLACE_DUPLICATE, /* this version has told this id already, or there are too many versions of it */
};
/* Where a prediction belongs; *key: of its row in the journal. */
enum place labels_place(struct labels *l, const struct record *r, uint64_t *key);

/* The rows of an id, its own and its twins': their keys, present ones only. */
enum { TWINS_MAX = 8 };
uint32_t twins_of(const struct labels *l, uint64_t id, uint64_t row[TWINS_MAX + 1]);
/* The id of a row, its own or a twin's. */
uint64_t twins_id(const struct labels *l, uint64_t number);
/* A twin's row was appended: its figures beside those of the others that wait; it has their label at once
 * where that has come. */
void twins_predicted(struct labels *l, const struct record *r, uint64_t number);
/* The label of row `number` was taken: its outcome beside those of the others that have theirs. */
void twins_labelled(struct labels *l, uint64_t id, uint64_t number);

#endif
