/* pages.h -- the page over HTTP: one document, and the data that it asks for.
 *
 * Everything is read through a connection of its own, one snapshot an answer, for at most PAGES_MS: a
 * question that takes longer is given up, so that /metrics and /health, of the same thread, stay quick. */
#ifndef MONITOR_HTTP_PAGES_H
#define MONITOR_HTTP_PAGES_H

#include <stddef.h>

struct config;
struct diag;
struct pages;

enum { PAGES_MS = 2000 };

int pages_create(struct pages **out, const struct config *config, struct diag *d);
void pages_destroy(struct pages *p); /* NULL is fine */
/* The document; valid until pages_destroy. It holds no data. */
const char *pages_document(const struct pages *p, size_t *length);
/* Its Content-Security-Policy: the scripts that are in it, data from the same place, nothing else. */
const char *pages_policy(const struct pages *p);
/* JSON of `kind` (overview, model, stream, alert; `id` NULL for overview) in *text, which the caller frees.
 * Returns the HTTP status: 200, 404 there is none, 503 it took too long or could not be read (then *text is
 * a sentence). */
unsigned pages_data(struct pages *p, const char *kind, const char *id, char **text, size_t *length);

#endif
