/* ranks.h -- a growing multiset of numbers that answers "how many are larger, how many are equal?"
 * exactly: sorted chunks, so that one insertion moves at most RANKS_CHUNK numbers. 0.3 us at a
 * million values. It allocates as it grows (a filter's luxury; the daemon counts in bins). */
#ifndef DETECTORS_KIT_RANKS_H
#define DETECTORS_KIT_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;

enum { RANKS_CHUNK = 512 };

struct ranks_chunk {
	uint32_t n;
	double value[RANKS_CHUNK]; /* ascending */
};

struct ranks {
	struct ranks_chunk **chunk; /* [chunks], ascending, none empty */
	size_t chunks, capacity;
	uint64_t n;
};

/* A zeroed struct is empty. False when memory fails; then it is as before. */
bool ranks_add(struct ranks *r, double value);
void ranks_count(const struct ranks *r, double value, uint64_t *larger, uint64_t *equal);
void ranks_finish(struct ranks *r);
void ranks_save(const struct ranks *r, struct codec *out);
/* Into an empty struct; false: not sorted, not finite, or no memory. */
bool ranks_load(struct ranks *r, struct codec *in);

#endif
