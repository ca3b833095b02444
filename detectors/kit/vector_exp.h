/* vector_exp.h -- exp of many numbers side by side, with the same bits in every vector width.
 *
 * x = k ln 2 + 2 r, |r| <= ln 2 / 4; the square of the Taylor series to r^10 (error below 2^-52): within
 * 1e-15, without tables or branches. Added up in pairs (Estrin), so that the processor need not wait. */

#ifndef DETECTORS_KIT_VECTOR_EXP_H
#define DETECTORS_KIT_VECTOR_EXP_H

#include <stdint.h>

/* ln 2 in two parts, the higher with 21 zero bits at its end (fdlibm, e_exp.c). */
#define VECTOR_EXP_LN2_HIGH 6.93147180369123816490e-01
#define VECTOR_EXP_LN2_LOW 1.90821492927058770002e-10
#define VECTOR_EXP_LOG2_E 1.44269504088896340736
/* 1.5 2^52: adding it leaves the nearest integer in the last bits. */
#define VECTOR_EXP_MAGIC 0x1.8p52

/* out = exp(x), x in [-708, 709]; what comes of others is no number to use, and does no harm.
 * vec: a vector of doubles; bits: one of as many uint64_t. */
#define VECTOR_EXP(vec, bits, x, out)                                                              \
	do {                                                                                       \
		vec t_ = (x) * VECTOR_EXP_LOG2_E + VECTOR_EXP_MAGIC, k_ = t_ - VECTOR_EXP_MAGIC;   \
		vec r_ = 0.5 * (((x) - k_ * VECTOR_EXP_LN2_HIGH) - k_ * VECTOR_EXP_LN2_LOW);       \
		vec r2_ = r_ * r_, r4_ = r2_ * r2_;                                                \
		vec low_ = (1.0 + r_) + r2_ * (0.5 + r_ * (1.0 / 6));                              \
		vec mid_ = (1.0 / 24 + r_ * (1.0 / 120)) + r2_ * (1.0 / 720 + r_ * (1.0 / 5040));  \
		vec top_ = (1.0 / 40320 + r_ * (1.0 / 362880)) + r2_ * (1.0 / 3628800);            \
		vec y_ = low_ + r4_ * (mid_ + r4_ * top_);                                         \
                                                                                                   \
		y_ *= y_;                                                                          \
		(out) = (vec)((bits)y_ + ((bits)t_ << 52));                                        \
	} while (0)

#endif
