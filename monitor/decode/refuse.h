/* refuse.h -- why bytes are not a JSON record, in words that help the person who sent them. */
#ifndef MONITOR_DECODE_REFUSE_H
#define MONITOR_DECODE_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/decode/json.h"

struct record;

/* Looks at bytes that do not start like JSON: true when another format was recognised, or they are
 * binary; then the refusal is set. */
bool refuse_format(struct record *r, const char *s, size_t length);
/* What json_index() did not like, with its position. */
void refuse_status(struct record *r, enum json_status status, const char *s, size_t length);

#endif
