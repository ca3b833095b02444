/* logits.h -- the logits of a record, and their energy.
 *
 * energy = -ln sum exp(logit) (Liu, Wang, Owens, Li 2020, eq. 4, T = 1): larger where the model has seen
 * little of the kind.
 */
#ifndef MONITOR_DECODE_LOGITS_H
#define MONITOR_DECODE_LOGITS_H

#include <stdbool.h>

struct walk;

/* Reads the value at the current token: `logits`, `logit` and `energy` of the record. A list that is empty,
 * longer than LIMIT_VECTOR or not all numbers counts as a field of another type. False: the record is
 * refused. */
bool logits_value(struct walk *w);

#endif
