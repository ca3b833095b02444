/* episode.c -- see episode.h. The last `span` records are sixteen blocks; at the end of each the oldest
 * one leaves, so the decision needs no memory of single records. */
#include "monitor/alert/episode.h"

#include <math.h>
#include <string.h>

#include "detectors/kit/codec.h"

void
episode_open(struct episode *e, uint32_t span, uint32_t cell, double effect)
{
	e->open = true;
	e->acknowledged = false;
	e->cell = cell;
	e->span = span < EPISODE_BLOCKS ? EPISODE_BLOCKS : span;
	e->reported = fabs(effect);
	memset(e->block, 0, sizeof e->block);
	e->at = 0;
}

struct gauge *
episode_gauge(struct episode *e)
{
	return &e->block[e->at];
}

bool
episode_block_full(const struct episode *e)
{
	return e->block[e->at].n >= (e->span + EPISODE_BLOCKS - 1) / EPISODE_BLOCKS;
}

void
episode_total(const struct episode *e, struct gauge *out)
{
	memset(out, 0, sizeof *out);
	for (uint32_t i = 0; i < EPISODE_BLOCKS; i++) { /* always in the same order: same bits */
		out->n += e->block[i].n;
		out->rank += e->block[i].rank;
		out->spread += e->block[i].spread;
		out->sum += e->block[i].sum;
		out->hits += e->block[i].hits;
		out->expected += e->block[i].expected;
	}
}

enum episode_news
episode_judge(struct episode *e, const struct effect *effect, double min_effect)
{
	enum episode_news news = EPISODE_NOTHING;
	struct gauge total;

	episode_total(e, &total);
	if (total.n >= e->span && effect->standard < min_effect / 2)
		news = EPISODE_OVER;
	else if (total.n * 4 >= e->span && fabs(effect->size) > 1.25 * e->reported) {
		news = EPISODE_WORSE;
		e->reported = fabs(effect->size);
	}
	e->at = (e->at + 1) % EPISODE_BLOCKS;
	memset(&e->block[e->at], 0, sizeof e->block[e->at]);
	return news;
}

void
episode_close(struct episode *e)
{
	e->open = false;
	e->acknowledged = false;
}

void
episode_save(const struct episode *e, struct codec *out)
{
	codec_put_u8(out, (uint8_t)(e->open | e->acknowledged << 1 | e->expected << 2));
	codec_put_bytes(out, e->alert_id, sizeof e->alert_id);
	codec_put_i64(out, e->opened_ms);
	codec_put_i64(out, e->started_ms);
	codec_put_i64(out, e->acknowledged_ms);
	codec_put_u32(out, e->test);
	codec_put_u32(out, e->events);
	codec_put_u32(out, e->cell);
	codec_put_u32(out, e->span);
	codec_put_f64(out, e->reported);
	codec_put_u32(out, e->at);
	codec_put_u64(out, e->closed_sequence);
	for (uint32_t i = 0; i < EPISODE_BLOCKS; i++) {
		codec_put_u64(out, e->block[i].n);
		codec_put_f64(out, e->block[i].rank);
		codec_put_f64(out, e->block[i].spread);
		codec_put_f64(out, e->block[i].sum);
		codec_put_u64(out, e->block[i].hits);
		codec_put_f64(out, e->block[i].expected);
	}
}

void
episode_load(struct episode *e, struct codec *in)
{
	uint8_t bits = codec_get_u8(in);

	e->open = bits & 1;
	e->acknowledged = bits & 2;
	e->expected = bits & 4;
	codec_get_bytes(in, e->alert_id, sizeof e->alert_id);
	e->alert_id[sizeof e->alert_id - 1] = 0;
	e->opened_ms = codec_get_i64(in);
	e->started_ms = codec_get_i64(in);
	e->acknowledged_ms = codec_get_i64(in);
	e->test = codec_get_u32(in);
	e->events = codec_get_u32(in);
	e->cell = codec_get_u32(in);
	e->span = codec_get_u32(in);
	e->reported = codec_get_f64(in);
	e->at = codec_get_u32(in) % EPISODE_BLOCKS;
	e->closed_sequence = codec_get_u64(in);
	for (uint32_t i = 0; i < EPISODE_BLOCKS; i++) {
		e->block[i].n = codec_get_u64(in);
		e->block[i].rank = codec_get_f64(in);
		e->block[i].spread = codec_get_f64(in);
		e->block[i].sum = codec_get_f64(in);
		e->block[i].hits = codec_get_u64(in);
		e->block[i].expected = codec_get_f64(in);
	}
}
