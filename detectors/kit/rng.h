/* rng.h -- random numbers without a generator: U(seed, stream, n), a pure function.
 * Source: contract of the detectors, section 1 (SplitMix64 finaliser, Steele, Lea, Flood 2014). */
#ifndef DETECTORS_KIT_RNG_H
#define DETECTORS_KIT_RNG_H

#include <stdint.h>

/* 52 random bits. */
static inline uint64_t
rng_bits(uint64_t seed, uint64_t stream, uint64_t n)
{
	uint64_t z = seed + stream * 0xD1B54A32D192ED03u + n * 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	z = z ^ (z >> 31);
	return z >> 12;
}

/* Uniform in (0, 1), exact; n starts at 1. */
static inline double
rng_uniform(uint64_t seed, uint64_t stream, uint64_t n)
{
	return ((double)rng_bits(seed, stream, n) + 0.5) * 0x1p-52;
}

#endif
