/* json.h -- what driftd takes from simdjson, as a small C interface.
 *
 * json_index() is simdjson's first stage, the one On-Demand stands on: it validates UTF-8, finds
 * strings, and lists where structural characters, opening quotes and other scalars start. The
 * walk over that list is ours (walk.c), because it knows which key should come next.
 * json_decimal() and json_digits() are simdjson's exact number conversions; json_error() asks
 * its DOM parser what is wrong with a record that was refused.
 */
#ifndef MONITOR_DECODE_JSON_H
#define MONITOR_DECODE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Readable bytes that must follow a text. */
enum { JSON_PADDING = 64 };

enum json_status {
	JSON_FINE = 0,
	JSON_EMPTY,    /* nothing but blanks */
	JSON_UTF8,     /* invalid UTF-8 somewhere */
	JSON_CONTROL,  /* a control character in a string */
	JSON_UNCLOSED, /* a string without its end */
	JSON_MEMORY,
	JSON_OTHER,
};

struct json;
struct json *json_create(void); /* NULL when memory fails */
void json_destroy(struct json *j); /* NULL is fine */
size_t json_bytes(const struct json *j);

/* Positions of the tokens of text[0..length), ascending, valid until the next call. Two more
 * follow the last one and equal `length`. */
enum json_status json_index(struct json *j, const char *text, size_t length, const uint32_t **token,
                            uint32_t *tokens);

/* (-1 if negative) * digits * 10^exponent, correctly rounded; false when this way cannot decide
 * or the result is not finite: then ask json_digits(). */
bool json_decimal(uint64_t digits, int64_t exponent, bool negative, double *value);
/* The JSON number at `text` (its grammar already checked, a byte that ends it follows), correctly
 * rounded whatever its length; infinite on overflow. */
double json_digits(const char *text);

/* What simdjson's DOM parser says about the text (padded as above); NULL when it finds no fault. */
const char *json_error(struct json *j, const char *text, size_t length);

#ifdef __cplusplus
}
#endif

#endif
