/* stream_reference.h -- the values that a stream has learned as a reference that detectors read.
 */
#ifndef MONITOR_STREAM_STREAM_REFERENCE_H
#define MONITOR_STREAM_STREAM_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/kit/learner.h"
#include "detectors/kit/reference.h"

struct stream;

/* Owns its arrays. */
struct made_reference {
	struct reference ref;
	double *value;
	uint32_t *code, *day, *key;
};

void make_reference(struct made_reference *r, const struct stream *s, const struct learned *v, uint32_t n);
void made_free(struct made_reference *r);
/* Every so many records of a categorical stream are used; 1 where none helps (*dependent). */
uint32_t categorical_step(const struct made_reference *r, bool *dependent);
uint64_t reference_hash(const struct learned *v, uint32_t n);

#endif
