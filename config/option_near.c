/* option_near.c -- "did you mean": the nearest of a few names. */
#include <string.h>

#include "config/option.h"

enum { FAR = 3, NAME_MAX_COMPARED = 64 };

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
option_distance(const char *a, const char *b)
{
	/* Three rows of the usual table: a swap of neighbours looks two rows back. */
	unsigned rows[3][NAME_MAX_COMPARED + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > NAME_MAX_COMPARED || m > NAME_MAX_COMPARED || n > m + 2 || m > n + 2)
		return FAR;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = rows[i % 3];
		const unsigned *before = rows[(i - 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = before[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = least(now[j], least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return least(rows[n % 3][m], FAR);
}

/* Keeps the nearer of two; a name of which nothing would be left is not near anything. */
static void
consider(const char *candidate, const char *name, const char **best, unsigned *distance)
{
	unsigned d = option_distance(candidate, name);

	if (d < *distance && d < strlen(name)) {
		*best = candidate;
		*distance = d;
	}
}

const char *
option_nearest_word(const char *const *words, const char *name)
{
	const char *best = NULL;
	unsigned distance = FAR;

	for (size_t i = 0; words[i]; i++)
		consider(words[i], name, &best, &distance);
	return best;
}

const char *
option_nearest(const struct option *table, const char *name)
{
	const char *best = NULL;
	unsigned distance = FAR;

	for (const struct option *row = table; row->name; row++)
		consider(row->name, name, &best, &distance);
	return best;
}
