/* stream_season.h -- the phases of a stream's season: each has a reference of its own.
 */
#ifndef MONITOR_STREAM_STREAM_SEASON_H
#define MONITOR_STREAM_STREAM_SEASON_H

#include <stdint.h>

#include "detectors/kit/season.h"

struct cells;
struct learned;
struct rows;
struct stream;

struct stream_season {
	enum season season;              /* not SEASON_NONE */
	uint32_t keys;                   /* phases that the reference has values of */
	uint32_t key_of[SEASON_PHASES_MAX]; /* of a phase, in order of appearance; keys: no such values */
	double usual[SEASON_PHASES_MAX]; /* by key: mean of values, rate of ones, share of the watched cell */
	uint32_t watched;                /* categories: the cell that usual[] is of */
	struct cells *around;            /* numbers: the reference, each value less its phase's mean */
};

/* Looks for the season that the configuration lets it have; s->season stays NULL without one. */
void stream_learn_season(struct stream *s);
void stream_forget_season(struct stream *s);
/* Key of row i; season->keys where the reference knows nothing of the phase. */
uint32_t stream_key(const struct stream *s, const struct rows *rows, uint32_t i);
/* Share of a cell by key, for what follows. */
void stream_watch_cell(struct stream *s, uint32_t cell);
int32_t hour_of(int64_t ms); /* since 1970 */

#endif
