/* grow.h -- arrays that grow while records are decoded. Running out of memory there ends the
 * process: the supervisor restarts it from the last commit, which is the path that is tested
 * most. */
#ifndef MONITOR_GROW_H
#define MONITOR_GROW_H

#include <stddef.h>
#include <stdint.h>

/* `array` with room for at least `n` elements of `size` bytes; *capacity is in elements. New
 * bytes are not set. */
void *grow(void *array, uint32_t *capacity, size_t n, size_t size);
/* Zeroed memory for one thing, and a NUL-terminated copy of bytes. */
void *grow_new(size_t size);
char *grow_copy(const char *text, size_t length);

#endif
