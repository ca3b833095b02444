/* progress.c -- see progress.h. */
#include "monitor/command/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "monitor/clock.h"

enum { BAR = 30 };

void
progress_begin(struct progress *p, const char *what, bool quiet)
{
	*p = (struct progress){ .on = !quiet && isatty(STDERR_FILENO), .what = what,
		                .begun_ms = clock_monotonic_ms() };
}

void
progress_tell(struct progress *p, uint64_t done, uint64_t total, uint64_t records)
{
	int64_t now = clock_monotonic_ms();
	double share = total ? (double)done / (double)total : 0;
	double seconds = (double)(now - p->begun_ms) / 1000;
	char bar[BAR + 1];
	int full;

	if (!p->on || now - p->told_ms < 100)
		return;
	p->told_ms = now;
	share = share > 1 ? 1 : share;
	full = (int)(share * BAR);
	memset(bar, '#', (size_t)full);
	memset(bar + full, '.', (size_t)(BAR - full));
	bar[BAR] = 0;
	fprintf(stderr, "\r%s [%s] %3.0f %%", p->what, bar, 100 * share);
	if (records && seconds > 0)
		fprintf(stderr, "  %llu records, %.0f/s", (unsigned long long)records,
		        (double)records / seconds);
	if (share > 0.02 && share < 1)
		fprintf(stderr, ", %.0f s left ", seconds / share - seconds);
	fputs("\033[K", stderr);
	fflush(stderr);
}

void
progress_end(struct progress *p)
{
	if (p->on)
		fputs("\r\033[K", stderr);
	p->on = false;
}
