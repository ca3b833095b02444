/* learner.h -- a reference taken from the stream itself: of the stream's first span of
 * event time, the N values with the smallest keyless hash of (id, ts), so that it is spread evenly over
 * the days; all of them if there are fewer. Every value that enters is logged once, in order, so that the
 * log can be appended to the database and read back; a value that is displaced later stays in the log.
 */
#ifndef DETECTORS_KIT_LEARNER_H
#define DETECTORS_KIT_LEARNER_H

#include <stdbool.h>
#include <stdint.h>

struct learned {
	uint64_t order; /* keyless hash: smallest stay */
	double value;   /* value, or code of a category */
	int32_t hour;   /* hours since 1970-01-01 UTC, floor: its day and its phase of a season */
};

struct learner {
	uint32_t capacity;      /* N */
	struct learned *log;    /* [logged] everything that entered, in order of arrival */
	uint32_t logged, log_capacity;
	uint32_t *heap;         /* [held] log indices, largest hash first */
	uint32_t held;
};

/* ERR_IO (memory) or 0. */
int learner_init(struct learner *l, uint32_t capacity);
void learner_finish(struct learner *l);
/* True when the value entered (then it is the last of the log). False too when memory failed. */
bool learner_offer(struct learner *l, const struct learned *v);
/* The held values in order of arrival, into out[held]. */
void learner_take(const struct learner *l, struct learned *out);

#endif
