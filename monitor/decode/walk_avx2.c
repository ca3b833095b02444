/* walk_avx2.c -- the inner loop for x86-64 with AVX2; walk_record() asks the processor first. */
#include "monitor/decode/walk.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/number.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt")
#endif

#include "monitor/decode/number_avx2.h"

#define WALK_OBJECT walk_object_avx2
#define WALK_NUMBER number_wide
#include "monitor/decode/walk_inside.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool
walk_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

#else

bool
walk_object_avx2(struct walk *w, uint32_t context)
{
	return walk_object_base(w, context);
}

bool
walk_has_avx2(void)
{
	return false;
}

#endif
