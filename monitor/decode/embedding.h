/* embedding.h -- the embedding of a record: [0.1, ..], or base64 of little-endian floats,
 * {"b64f32": "..."} or {"b64f16": "..."} (base64.h).
 */
#ifndef MONITOR_DECODE_EMBEDDING_H
#define MONITOR_DECODE_EMBEDDING_H

#include <stdbool.h>

struct walk;

/* Reads the value at the current token: `dimension`, `embedding` and `embedding_fault` of the record. What
 * cannot be used costs the embedding, never the record. False: the record is refused, because its grammar is
 * broken. */
bool embedding_value(struct walk *w);

#endif
