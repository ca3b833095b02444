#include "monitor/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *memory)
{
	if (memory == NULL) {
		fputs("driftd: out of memory while decoding\n", stderr);
		abort();
	}
	return memory;
}

void *
grow(void *array, uint32_t *capacity, size_t n, size_t size)
{
	if (n <= *capacity)
		return array;
	size_t wanted = *capacity < 8 ? 8 : (size_t)*capacity * 2;
	if (wanted < n)
		wanted = n;
	if (wanted > UINT32_MAX || wanted > SIZE_MAX / size)
		checked(NULL);
	array = checked(realloc(array, wanted * size));
	*capacity = (uint32_t)wanted;
	return array;
}

void *
grow_new(size_t size)
{
	return checked(calloc(1, size));
}

char *
grow_copy(const char *text, size_t length)
{
	char *copy = checked(malloc(length + 1));
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}
