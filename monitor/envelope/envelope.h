/* envelope.h -- what other systems write around inputs and outputs of a model, as records of our own.
 *
 * `topics: {format: kserve | seldon-v2 | sagemaker-capture | debezium}`. A message becomes any number of
 * records, a row of its batch each: JSON as README describes it, with id ID where there is one row and ID/0,
 * ID/1, ... where there are several. A request and its response are two messages and so two records of one
 * id: the first feeds features, the second predictions. What is not in the envelope passes through as it is
 * (labels may be written as ours, to any topic).
 */
#ifndef MONITOR_ENVELOPE_ENVELOPE_H
#define MONITOR_ENVELOPE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/decode/decode.h"

#ifdef __cplusplus
extern "C" {
#endif

struct config;
struct envelope;

/* The value of a Kafka header of the message; false: it has none of that name. */
typedef bool (*envelope_header_fn)(const void *of, const char *name, const char **value, size_t *length);

struct envelope *envelope_create(const struct config *config); /* NULL: out of memory */
void envelope_destroy(struct envelope *e);                    /* NULL is fine */
/* Unwraps a message of `topic`; returns how many records it holds, at least one. `header` may be NULL. */
uint32_t envelope_unwrap(struct envelope *e, const struct message *m, const char *topic,
                         envelope_header_fn header, const void *of);
/* Record i < that, valid until the next unwrap. Its `refused` says why it cannot be used; NULL: it can. */
struct envelope_record {
	const char *text;    /* NULL: the message itself */
	size_t length;
	const char *refused; /* a few words */
	bool update;         /* of a row that was there before: its label alone is news */
};
struct envelope_record envelope_get(const struct envelope *e, uint32_t i);

#ifdef __cplusplus
}
#endif

#endif
