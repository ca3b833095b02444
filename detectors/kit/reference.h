/* reference.h -- the values that a stream is compared with, in their order of arrival.
 *
 * Read-only; owned by the caller; a detector copies what it needs while it is created.
 * Numeric and binary streams use value[], categorical ones code[] with the texts of the codes.
 * day and key are small indices in order of first appearance, or NULL (all in one day, one key).
 */
#ifndef DETECTORS_KIT_REFERENCE_H
#define DETECTORS_KIT_REFERENCE_H

#include <stdint.h>

struct reference {
	uint32_t n;
	const double *value;      /* [n] finite; 0 or 1 for binary streams; NULL for categories */
	const uint32_t *code;     /* [n] < categories; NULL for numbers */
	const uint32_t *day;      /* [n] or NULL */
	const uint32_t *key;      /* [n] or NULL: seasonal key */
	uint32_t days;            /* number of distinct days (1 if day is NULL) */
	uint32_t keys;            /* number of distinct keys (1 if key is NULL) */
	uint32_t width;           /* values a row of a COLUMN_VECTOR; else 0 or 1 */
	uint32_t categories;      /* number of codes */
	const char *const *text;  /* [categories] bytes of a category, not NUL-terminated ... */
	const uint32_t *text_len; /* [categories] ... and their lengths */
	/* How the values stand in the stream: 0 or 1, in a row; q > 1, they are a random one in q records. Then
	 * neighbours are q records apart, and how records hang together is seen in `row` (NULL: unknown): other
	 * values of the stream, in a row. Read only by `thin: auto` and `phases: auto`. */
	double spacing;
	const struct reference *row;
};

#endif
