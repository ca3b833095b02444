/* sort.c -- least significant digit radix sort on the bits of doubles (Knuth, volume 3, 5.2.5): six
 * passes of 11 bits, less those in which all values have the same digit. A tenth of qsort's time for the
 * ten thousand values of a reference; short arrays take qsort.
 */
#include "detectors/kit/sort.h"

#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 6, WORTH = 256 };

struct item {
	uint64_t key;
	uint32_t index;
};

/* Unsigned integers in the order of the doubles. */
static uint64_t
key_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits ^ (bits >> 63 ? UINT64_MAX : (uint64_t)1 << 63);
}

static double
value_of(uint64_t key)
{
	uint64_t bits = key ^ (key >> 63 ? (uint64_t)1 << 63 : UINT64_MAX);
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint64_t
key_at(const uint8_t *at)
{
	uint64_t key;

	memcpy(&key, at, sizeof key);
	return key;
}

/* n things of `size` bytes that begin with their key; returns where they are afterwards: a or b. */
static inline __attribute__((always_inline)) uint8_t *
radix(uint8_t *a, uint8_t *b, uint32_t n, uint32_t (*count)[DIGITS], const size_t size)
{
	memset(count, 0, PASSES * sizeof *count);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t key = key_at(a + i * size);

		for (int pass = 0; pass < PASSES; pass++)
			count[pass][key >> DIGIT_BITS * pass & (DIGITS - 1)]++;
	}
	for (int pass = 0; pass < PASSES; pass++) {
		int shift = DIGIT_BITS * pass;
		uint32_t at = 0;
		uint8_t *other = b;

		if (count[pass][key_at(a) >> shift & (DIGITS - 1)] == n)
			continue;
		for (uint32_t digit = 0; digit < DIGITS; digit++) {
			uint32_t here = count[pass][digit];

			count[pass][digit] = at;
			at += here;
		}
		for (uint32_t i = 0; i < n; i++) {
			uint32_t *place = &count[pass][key_at(a + i * size) >> shift & (DIGITS - 1)];

			memcpy(b + (size_t)(*place)++ * size, a + i * size, size);
		}
		b = a;
		a = other;
	}
	return a;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = key_at(a), y = key_at(b);

	return (x > y) - (x < y);
}

static int
compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = compare(a, b);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

void
sort_doubles(double *value, uint32_t n)
{
	uint64_t *key = n < WORTH ? NULL : malloc(2 * (size_t)n * sizeof *key);
	uint32_t (*count)[DIGITS] = key ? malloc(PASSES * sizeof *count) : NULL;
	uint8_t *from = (uint8_t *)key;

	if (count) {
		for (uint32_t i = 0; i < n; i++)
			key[i] = key_of(value[i]);
		from = radix(from, (uint8_t *)(key + n), n, count, sizeof *key);
		for (uint32_t i = 0; i < n; i++)
			value[i] = value_of(key_at(from + i * sizeof *key));
	} else if (n > 1) { /* in place: the keys take the places of the values */
		for (uint32_t i = 0; i < n; i++) {
			uint64_t bits = key_of(value[i]);

			memcpy(&value[i], &bits, sizeof bits);
		}
		qsort(value, n, sizeof *value, compare);
		for (uint32_t i = 0; i < n; i++)
			value[i] = value_of(key_at((const uint8_t *)&value[i]));
	}
	free(count);
	free(key);
}

bool
sort_indices(const double *value, uint32_t n, uint32_t *index)
{
	struct item *item = malloc((2 * (size_t)n + 1) * sizeof *item);
	uint32_t (*count)[DIGITS] = malloc(PASSES * sizeof *count);
	const struct item *sorted = item;

	for (uint32_t i = 0; item && i < n; i++)
		item[i] = (struct item){ key_of(value[i]), i };
	if (item && count && n >= WORTH)
		sorted = (const struct item *)(const void *)radix((uint8_t *)item, (uint8_t *)(item + n), n,
		                                                  count, sizeof *item);
	else if (item)
		qsort(item, n, sizeof *item, compare_items);
	for (uint32_t i = 0; item && i < n; i++)
		index[i] = sorted[i].index;
	free(count);
	free(item);
	return item != NULL;
}
