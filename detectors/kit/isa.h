/* isa.h -- which vector instructions a kernel uses: chosen once, when an instance is made. All give the same
 * bits. */
#ifndef DETECTORS_KIT_ISA_H
#define DETECTORS_KIT_ISA_H

#include <stdbool.h>

enum isa { ISA_BEST, ISA_BASE, ISA_AVX2, ISA_AVX512 };

/* ISA_BEST becomes the best that the processor has; false when it lacks the one that was asked for. */
static inline bool
isa_choose(enum isa *isa)
{
	bool avx2 = false, avx512 = false;

#if defined(__x86_64__)
	avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
	avx512 = avx2 && __builtin_cpu_supports("avx512f");
#endif
	if (*isa == ISA_BEST)
		*isa = avx512 ? ISA_AVX512 : avx2 ? ISA_AVX2 : ISA_BASE;
	return *isa == ISA_BASE || (*isa == ISA_AVX2 && avx2) || (*isa == ISA_AVX512 && avx512);
}

#endif
