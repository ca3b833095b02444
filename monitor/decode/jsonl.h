/* jsonl.h -- one JSON object a line, for the filters that read JSON Lines: simdjson's DOM behind C.
 *
 * jsonl_parse() takes a line; then fields are asked for by key, in any order. `key` may name a
 * field of an inner object as "outer.inner"; a field of the line that is literally so named is
 * found first; where `outer` is no object there is none. The first of duplicate keys counts.
 * Numbers are finite: JSON has no NaN, and one that overflows a double makes the whole line invalid.
 * Text and object names are valid UTF-8.
 */
#ifndef MONITOR_DECODE_JSONL_H
#define MONITOR_DECODE_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct diag;
struct jsonl;

enum jsonl_result {
	JSONL_WRONG = -1, /* there, but of another type, ragged, or memory failed */
	JSONL_ABSENT = 0, /* not there, or null */
	JSONL_FOUND = 1,
};

/* Numbers read from a line: zero it before the first use; grown as needed, reused from line to
 * line. */
struct jsonl_numbers {
	double *value;
	size_t n, capacity;
};
void jsonl_numbers_finish(struct jsonl_numbers *a); /* NULL is fine */

struct jsonl *jsonl_create(void); /* NULL when memory fails */
void jsonl_destroy(struct jsonl *j); /* NULL is fine */

/* Parses one line; `text` may be freed afterwards. ERR_INVALID with a sentence when it is not one
 * JSON object (or nested deeper than LIMIT_DEPTH), ERR_IO when memory fails; then every field is
 * absent. */
int jsonl_parse(struct jsonl *j, const char *text, size_t length, struct diag *d);

enum jsonl_result jsonl_number(const struct jsonl *j, const char *key, double *value);
/* A number without fraction that fits. */
enum jsonl_result jsonl_integer(const struct jsonl *j, const char *key, int64_t *value);
/* Bytes valid until the next jsonl_parse(); not NUL-terminated, may hold NUL. */
enum jsonl_result jsonl_string(const struct jsonl *j, const char *key, const char **text,
                               size_t *length);
/* The index-th key of an object, from 0; JSONL_ABSENT beyond the last. *number: its value is one. */
enum jsonl_result jsonl_key(const struct jsonl *j, const char *key, size_t index, const char **text,
                            size_t *length, int *number);
/* An array of numbers, possibly empty. */
enum jsonl_result jsonl_array(const struct jsonl *j, const char *key, struct jsonl_numbers *out);
/* An array of `rows` arrays of `columns` numbers each: out->value[rows * columns], row by row. */
enum jsonl_result jsonl_matrix(const struct jsonl *j, const char *key, struct jsonl_numbers *out,
                               size_t *rows, size_t *columns);
/* An object of "level": value pairs, in order of appearance: level[n], value[n]. A level that is
 * not a plain number is JSONL_WRONG. */
enum jsonl_result jsonl_levels(const struct jsonl *j, const char *key, struct jsonl_numbers *level,
                               struct jsonl_numbers *value);

/* The numbers of an object, whatever its keys, in order of appearance; JSONL_ABSENT for anything else. */
enum jsonl_result jsonl_values(const struct jsonl *j, const char *key, struct jsonl_numbers *out);
bool jsonl_is_object(const struct jsonl *j, const char *key);

#ifdef __cplusplus
}
#endif

#endif
