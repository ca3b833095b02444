/* page.h -- the page: one HTML file that holds its style, its script and the chart library, so it asks
 * nothing of any other place. */
#ifndef MONITOR_PAGE_PAGE_H
#define MONITOR_PAGE_PAGE_H

#include <stdio.h>

/* Writes the page. `data` writes the JSON that it shows (storage/page.h, everything); NULL: the page fetches
 * from data/overview, data/model?id=NAME, data/stream?id=N, data/alert?id=ID beside it. Returns what `data`
 * returned, else 0; errors of `out` stay with it (ferror). */
int page_write(FILE *out, int (*data)(void *context, FILE *out), void *context);

#endif
