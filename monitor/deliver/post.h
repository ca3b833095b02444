/* post.h -- one HTTP POST with everything bounded: time, redirects (none), bytes of the answer. */
#ifndef MONITOR_DELIVER_POST_H
#define MONITOR_DELIVER_POST_H

#include <stddef.h>

#include "monitor/deliver/sink.h"

struct post;

/* `path` is put behind the configured address; `type` is the content type. */
int post_open(struct post **out, const struct sink_config *config, const char *path, const char *type,
              const struct sink_world *world, struct diag *d);
void post_close(struct post *p); /* NULL is fine */
/* `header`: NULL-terminated lines of this request, or NULL. *status: of HTTP, 0 when there was no answer. */
void post_send(struct post *p, const char *body, size_t length, const char *const *header, struct reply *r,
               long *status);

#endif
