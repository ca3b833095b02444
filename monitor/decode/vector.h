/* vector.h -- fields that are lists of numbers, [..], or rows of them, [[..], ..], all of one length.
 *
 * The numbers of all such fields of a record stand one behind the other in one buffer, which is
 * reused from record to record and holds at most LIMIT_NUMBERS.
 */
#ifndef MONITOR_DECODE_VECTOR_H
#define MONITOR_DECODE_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct walk;

/* Zero it before the first use. */
struct numbers {
	double *value;
	uint32_t n, capacity;
};
void numbers_finish(struct numbers *a); /* NULL is fine */
/* Room for n numbers in all; what is there stays. */
void numbers_reserve(struct numbers *a, size_t n);

enum vector_shape {
	VECTOR_ABSENT = 0, /* not there, or null */
	VECTOR_LIST,       /* rows = 1 */
	VECTOR_ROWS,
	VECTOR_WRONG,      /* rows of several lengths, or something in it is no finite number */
};

struct vector {
	uint32_t at;            /* first number in the buffer; they stand row by row */
	uint32_t rows, columns;
	uint8_t shape;          /* enum vector_shape */
};

/* Reads the value at the current token and moves behind it, appending to `to`. What is of another type is
 * VECTOR_WRONG and counted like that of any field. False: the record is refused, because its grammar is
 * broken or it has more than LIMIT_NUMBERS. */
bool vector_value(struct walk *w, struct numbers *to, struct vector *out);
/* {"level": value, ..}: levels and values as two lists, in order of appearance. */
bool vector_levels(struct walk *w, struct numbers *to, struct vector *level, struct vector *value);

#endif
