/* instant.h -- event times of records, to milliseconds since 1970 (floor), exactly. */
#ifndef MONITOR_DECODE_INSTANT_H
#define MONITOR_DECODE_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct number;

/* Times beyond these (73 million years) are not used: sums and differences of event times cannot
 * overflow. */
#define INSTANT_MAX (INT64_MAX / 4)

enum instant_status { INSTANT_FINE, INSTANT_BEYOND, INSTANT_BEFORE, INSTANT_WRONG };

/* A scanned number in units of 10^power ms. */
enum instant_status instant_number(const struct number *n, int power, int64_t *ms);
/* RFC 3339: date, T or blank, time, fraction, Z or offset (which must be there). */
enum instant_status instant_text(const char *s, size_t length, int64_t *ms);

#endif
