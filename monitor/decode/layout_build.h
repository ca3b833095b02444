/* layout_build.h -- between layout.c and layout_build.c only. */
#ifndef MONITOR_DECODE_LAYOUT_BUILD_H
#define MONITOR_DECODE_LAYOUT_BUILD_H

#include "monitor/decode/layout.h"

/* A new, empty object; a new key, which must not be there yet; the number of a key, 0 = not
 * there; a new feature. */
uint32_t layout_context(struct layout *l);
uint32_t layout_add(struct layout *l, uint32_t context, const char *name, size_t length);
uint32_t layout_peek(const struct layout *l, uint32_t context, const char *name, size_t length);
uint32_t layout_slot(struct layout *l, const char *name, size_t length, uint8_t type);

#endif
