/* known_null.h -- what the detectors with a known null law share (contract 3, 11a): lanes of bets
 * whose factors depend on the record alone, in `phases` copies. A detector embeds struct
 * known_null as its first member and adds the function that fills the factors. */
#ifndef DETECTORS_KIT_KNOWN_NULL_H
#define DETECTORS_KIT_KNOWN_NULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/carve.h"
#include "detectors/kit/lanes.h"

struct change;
struct codec;
struct column;
struct diag;
struct reading;

struct known_null;
/* Factors (row i at factor + i * lanes.n; padding is zero already) and addends of `rows` values. */
typedef void known_null_fill(const struct known_null *self, const double *value, uint32_t rows,
                             double *factor, double (*add)[LANES_SUMS]);

struct known_null {
	known_null_fill *fill;
	const char *name;
	double *factor; /* [LANES_BLOCK][lanes.n] scratch of an update */
	/* state */
	struct lanes lanes;
	uint64_t n;
};

/* Zeroed memory for `size` bytes of a detector with `bets` lanes and its known_null set up, or
 * NULL. extra[0 .. extras) become zeroed arrays of as many doubles as there are lanes; NULL if
 * extras is 0. */
void *known_null_create(size_t size, const char *name, known_null_fill *fill, uint32_t bets,
                        uint32_t phases, double **extra, uint32_t extras);
size_t known_null_bytes(size_t size, uint32_t bets, uint32_t phases, uint32_t extras);

/* The functions of the vtable, but for `change`. */
uint32_t known_null_update(void *instance, const struct column *column, uint32_t from,
                           double threshold, struct reading *out);
bool known_null_use(void *instance, enum isa isa);
void known_null_reset(void *instance);
void known_null_skip(void *instance, uint64_t n);
void known_null_save(const void *instance, struct codec *out);
int known_null_load(void *instance, struct codec *in, struct diag *d);

#endif
