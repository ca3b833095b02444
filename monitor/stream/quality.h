/* quality.h -- faults of records as streams: what is wrong with them, whatever the values say.
 *
 * A set of rows of its own (ROWS_ARRIVALS) has one row for each record of the model, those that are
 * told twice too:
 *   quality:type_errors  categorical: the first feature or own stream whose value has another JSON
 *                        type than the stream, "none" where there is none. One stream for all
 *                        fields: each is a cell, so an alert names it, and the budget is not
 *                        split for every field.
 *   quality:class_count  categorical: how many probabilities there are
 *   quality:late         binary: is the event time before the current window?
 *   quality:duplicates   binary, of predictions with an id: was it told before?
 * They have no version: how records are made does not depend on the model's. Their references are
 * learned like any other's; a fit tells nothing of lateness and repetition, which are then learned
 * from the first records.
 */
#ifndef MONITOR_STREAM_QUALITY_H
#define MONITOR_STREAM_QUALITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model;
struct record;
struct row_facts;
struct stream;

enum quality_fault {
	QUALITY_TYPE_ERRORS,
	QUALITY_CLASS_COUNT,
	QUALITY_LATE,
	QUALITY_DUPLICATES,
	QUALITY_FAULTS
};

/* The record's row. Its features and own streams, if it has any, were taken before: m->wrong_type is
 * the first stream that found a value of another type, or NULL. */
void quality_take(struct model *m, const struct record *r, const struct row_facts *f, bool duplicate);
/* After a restart: a stream of m->arrivals finds its place. */
void quality_bind(struct model *m, struct stream *s);
/* What an alert is about, as one would say it: "type errors of `age`", "missing values of `income`".
 * `cell`: the one that is watched of a categorical stream. Only for streams that the budget's class
 * `quality` pays for. */
void quality_words(const struct stream *s, uint32_t cell, char *out, size_t size);

#endif
