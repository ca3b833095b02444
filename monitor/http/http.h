/* http.h -- read-only HTTP: the page at /, its data at /data/..., and for machines /metrics, /health/live,
 * /health/ready.
 *
 * One thread of libmicrohttpd answers from texts that another thread renders; neither waits for the
 * pipeline, and no request reaches the database that the pipeline writes. GET and HEAD alone, no bodies, a
 * fixed list of paths, at most 64 connections (8 an address), each closed after its answer or after
 * HTTP_DEADLINE_MS. The Host must be one that is listened on or configured. */
#ifndef MONITOR_HTTP_HTTP_H
#define MONITOR_HTTP_HTTP_H

#include <stddef.h>

struct config;
struct deliver;
struct diag;
struct http;
struct live;

enum { HTTP_DEADLINE_MS = 10000 };

/* config->http.listen must be set; everything passed must outlive the server. */
int http_start(struct http **out, const struct config *config, struct live *live, struct deliver *deliver,
               struct diag *d);
/* "127.0.0.1:9465", with the port that was really taken. */
const char *http_address(const struct http *h);
void http_stop(struct http *h); /* NULL is fine */

#endif
