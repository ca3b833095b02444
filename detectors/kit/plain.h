/* plain.h -- what detectors share whose whole state is a few numbers, moved record by record: the
 * loop over a column, memory, and the checks of a loaded state. */
#ifndef DETECTORS_KIT_PLAIN_H
#define DETECTORS_KIT_PLAIN_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/diag.h"
#include "detectors/detector.h"

/* Values are cut to this, so that neither their squares nor sums of those overflow. */
#define PLAIN_VALUE_MAX 1e100

static inline double
plain_cut(double x)
{
	return x < -PLAIN_VALUE_MAX ? -PLAIN_VALUE_MAX : x > PLAIN_VALUE_MAX ? PLAIN_VALUE_MAX : x;
}

/* One record: value x, gain g; fills the reading. */
typedef void plain_step(void *self, double x, double g, double threshold, struct reading *out);

static inline uint32_t
plain_update(void *self, const struct column *column, uint32_t from, double threshold,
             struct reading *out, plain_step *step)
{
	for (uint32_t i = from; i < column->n; i++) {
		out[i] = (struct reading){ .statistic = (double)NAN, .upper = (double)NAN };
		step(self, column->value[i], column->gain ? column->gain[i] : 1.0, threshold,
		     &out[i]);
		if (out[i].alarm)
			return i + 1;
	}
	return column->n;
}

/* Zeroed memory in *out. */
static inline int
plain_create(void **out, size_t size, const char *name, struct diag *d)
{
	*out = calloc(1, size);
	return *out ? 0 : diag_set(d, ERR_IO, "%s: out of memory", name);
}

/* Defines NAME_bytes, NAME_create and NAME_update of a detector whose memory is one `struct NAME`, from its
 * `static void begin(struct NAME *, const struct NAME_options *, const struct reference *)` (memory is
 * zeroed, the reference may be NULL) and its `step`. */
#define PLAIN_DETECTOR(name_)                                                                      \
	static size_t name_##_bytes(const void *options, const struct reference *ref, uint32_t phases) \
	{                                                                                          \
		(void)options;                                                                     \
		(void)ref;                                                                         \
		(void)phases;                                                                      \
		return sizeof(struct name_);                                                       \
	}                                                                                          \
	static int name_##_create(void **out, const void *options, const struct reference *ref,    \
	                          uint32_t phases, uint64_t seed, uint64_t stream, struct diag *d)  \
	{                                                                                          \
		int err = plain_create(out, sizeof(struct name_), name, d);                        \
                                                                                                   \
		(void)phases;                                                                      \
		(void)seed;                                                                        \
		(void)stream;                                                                      \
		if (!err)                                                                          \
			begin(*out, options, ref);                                                 \
		return err;                                                                        \
	}                                                                                          \
	static uint32_t name_##_update(void *self, const struct column *column, uint32_t from,     \
	                               double threshold, struct reading *out)                      \
	{                                                                                          \
		return plain_update(self, column, from, threshold, out, step);                     \
	}

/* For detectors that draw no random numbers: an unused record changes nothing. */
static inline void
plain_skip(void *self, uint64_t n)
{
	(void)self;
	(void)n;
}

/* For detectors that go on after an alarm. */
static inline void
plain_go_on(void *self)
{
	(void)self;
}

/* x is finite and in [low, high]; the end of every load(). */
static inline bool
plain_between(double x, double low, double high)
{
	return isfinite(x) && x >= low && x <= high;
}

static inline int
plain_loaded(bool possible, const char *name, struct diag *d)
{
	return possible ? 0 : diag_set(d, ERR_CORRUPT, "%s: impossible state", name);
}

/* plain.c, one function for all, so that the runner knows it by its address. */
bool plain_is_probability(const void *options, double value);

#endif
