/* carve.h -- one block of memory, cut into arrays aligned to cache lines. The same function
 * measures (base NULL: every array is NULL) and lays out, so `bytes` and `create` of a detector
 * agree. */
#ifndef DETECTORS_KIT_CARVE_H
#define DETECTORS_KIT_CARVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CARVE_ALIGN = 64 };

struct carve {
	uint8_t *base; /* aligned to CARVE_ALIGN, or NULL */
	size_t used;
};

static inline void *
carve_take(struct carve *c, size_t bytes)
{
	void *p = c->base ? c->base + c->used : NULL;

	c->used += (bytes + CARVE_ALIGN - 1) / CARVE_ALIGN * CARVE_ALIGN;
	return p;
}

/* Zeroed memory for `bytes` (a multiple of CARVE_ALIGN, from measuring), or NULL; freed by
 * free(). */
static inline void *
carve_memory(size_t bytes)
{
	void *p = aligned_alloc(CARVE_ALIGN, bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

#endif
