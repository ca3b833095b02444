/* shares.c -- see shares.h. */
#include "detectors/kit/shares.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/reference.h"

struct ranked {
	uint32_t code, count, length;
	const char *text; /* NULL: ties in order of the codes */
};

static int
compare(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	uint32_t shorter = x->length < y->length ? x->length : y->length;
	int order;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	order = x->text && y->text && shorter ? memcmp(x->text, y->text, shorter) : 0;
	if (order)
		return order;
	if (x->length != y->length)
		return x->length < y->length ? -1 : 1;
	return (x->code > y->code) - (x->code < y->code);
}

uint32_t
shares_cells(uint32_t *cell_of, const struct reference *ref, uint32_t step, uint32_t top)
{
	uint32_t categories = ref ? ref->categories : 0, cells = 0;
	struct ranked *ranked = calloc(categories + (size_t)1, sizeof *ranked);
	bool other = false;

	if (!ranked)
		return 0;
	for (uint32_t i = 0; i < categories; i++) {
		ranked[i].code = i;
		ranked[i].text = ref->text ? ref->text[i] : NULL;
		ranked[i].length = ref->text ? ref->text_len[i] : 0;
	}
	for (uint64_t i = 0; ref && i < ref->n; i += step)
		ranked[ref->code[i]].count++;
	if (categories)
		qsort(ranked, categories, sizeof *ranked, compare);
	while (cells < categories && cells < top && ranked[cells].count > 0)
		cells++;
	other = cells < categories && ranked[cells].count > 0;
	for (uint32_t i = 0; i < categories; i++)
		cell_of[ranked[i].code] = i < cells ? i : cells + (other && ranked[i].count == 0);
	free(ranked);
	return cells + other + 1;
}
