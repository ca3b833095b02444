/* floor.h -- the least that any consumer of JSON must do: visit every key and read every value. */
#ifndef TESTS_BENCH_FLOOR_H
#define TESTS_BENCH_FLOOR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct floor_parser;
struct floor_parser *floor_create(void);
void floor_destroy(struct floor_parser *p);
/* Sum of all numbers and lengths of all texts of one record, so that nothing is optimised away; NaN when it
 * is no JSON. */
double floor_parse(struct floor_parser *p, const char *text, size_t length);

#ifdef __cplusplus
}
#endif

#endif
