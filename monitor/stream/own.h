/* own.h -- streams of the user's own (`streams:`): values anywhere in a record, and their limits.
 *
 * own:NAME has the values as they are. With a limit there is at_most:NAME or at_least:NAME beside it: the
 * value as a loss in [0, 1] within the configured range, whose mean is judged against the limit from the
 * first value on (a known null); own:NAME then has figures only, unless `detectors` names it.
 */
#ifndef MONITOR_STREAM_OWN_H
#define MONITOR_STREAM_OWN_H

#include <stdbool.h>

struct model;
struct record;
struct row_facts;
struct rows;
struct stream;

/* A record with RECORD_OWN: a row of m->own; streams are made when their first value comes. */
void own_take(struct model *m, const struct record *r, const struct row_facts *f);
/* After a restart: a stream of m->own finds its place in the configuration and its source. */
void own_bind(struct model *m, struct stream *s);
/* The limit may be another one now. */
void own_restate(struct stream *s);
bool own_limited(const struct stream *s); /* an own:NAME that is judged against a limit */
/* Column of a limit's stream, from that of its source. */
void own_losses(struct stream *s, const struct rows *rows);
/* A mean loss in the units of the values; false: s is no limit's stream. *falls: smaller is worse. */
bool own_shown(const struct stream *s, double loss, double *shown, bool *falls);

#endif
