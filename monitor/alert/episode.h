/* episode.h -- what happens to a stream after an alert has opened: it is watched, not tested,
 * until the effect over the last records is below half of what matters. Pure.
 */
#ifndef MONITOR_ALERT_EPISODE_H
#define MONITOR_ALERT_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/kit/cells.h"

struct codec;

enum { EPISODE_BLOCKS = 16 };

struct episode {
	bool open;
	bool acknowledged;
	bool expected;             /* an `expect` span is on: nothing is evaluated */
	char alert_id[33];
	int64_t opened_ms, started_ms;
	int64_t acknowledged_ms;   /* watermark; valid while `acknowledged` */
	uint32_t test;             /* index of the test that opened it */
	uint32_t events;           /* written so far: their sequence numbers */
	uint32_t cell;             /* categorical: the watched cell */
	uint32_t span;             /* records that must be quiet: max(16 / min_effect^2, ...) */
	double reported;           /* |effect| of the last event */
	struct gauge block[EPISODE_BLOCKS];
	uint32_t at;               /* block being filled */
	uint64_t closed_sequence;  /* merged number of the record that opened the last episode */
};

enum episode_news { EPISODE_NOTHING, EPISODE_WORSE, EPISODE_OVER };

void episode_open(struct episode *e, uint32_t span, uint32_t cell, double effect);
/* The block that a record's value is to be added to. */
struct gauge *episode_gauge(struct episode *e);
/* After each record: true when a block is full, that is, when the effect is to be looked at. */
bool episode_block_full(const struct episode *e);
/* Sums over the blocks held. */
void episode_total(const struct episode *e, struct gauge *out);
/* With the effect over the blocks held: what it means; moves on to the next block. */
enum episode_news episode_judge(struct episode *e, const struct effect *effect, double min_effect);
void episode_close(struct episode *e);
void episode_save(const struct episode *e, struct codec *out);
void episode_load(struct episode *e, struct codec *in);

#endif
