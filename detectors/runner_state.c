/* runner_state.c -- a runner's state: reset, suspension, status, save and load.
 *
 *   u8 version, u8 stage, u8 flags, u32 position, u64 used, u64 used in the window, f64 S, f64
 *   largest S, f64 spent[4], i64 watermark of the last used record, then the detector's state, or while
 *   warming up u32 n, u32 width, and the n values or codes.
 */
#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/runner_internal.h"

enum { STATE_VERSION = 1, FLAG_SUSPENDED = 1, FLAG_HAS_LAST = 2 };
/* A stream keeps far fewer categories; without a limit a damaged code would size the tables. */
enum { CODES_MAX = 1 << 20 };

void
runner_reset(struct runner *r)
{
	if (r->instance)
		r->detector->reset(r->instance);
}

void
runner_suspend(struct runner *r, bool on)
{
	r->suspended = on;
	if (on) {
		r->has_last = false;
		r->last_ms = 0;
	}
}

void *
runner_instance(const struct runner *r)
{
	return r ? r->instance : NULL;
}

void
runner_status(const struct runner *r, struct runner_status *out)
{
	*out = (struct runner_status){
		.promise = r->stage == RUNNER_RUNNING ? r->promise : PROMISE_PROVISIONAL,
		.step = r->thin > 1 ? r->thin : r->phases,
		.warming_up = r->stage == RUNNER_WARMING,
		.statistic = r->statistic,
		.statistic_max = r->statistic_max,
		.spent = (r->spent[0] + r->spent[2]) + (r->spent[1] + r->spent[3]),
		.used = r->used,
		.used_window = r->used_window,
	};
}

void
runner_window(struct runner *r)
{
	r->statistic_max = (double)NAN;
	r->used_window = 0;
}

bool
runner_change(const struct runner *r, struct change *out)
{
	*out = (struct change){ 0 };
	if (r->instance && r->detector->change)
		r->detector->change(r->instance, out);
	return out->records > 0;
}

const struct detector *
runner_detector(const struct runner *r)
{
	return r->detector;
}

size_t
runner_bytes(const struct runner *r)
{
	size_t bytes = sizeof *r + r->detector->options_size + r->keys;
	size_t value = r->detector->kind == COLUMN_CATEGORY ? sizeof *r->warm_code
	                                                    : sizeof *r->warm_value;

	if (r->stage == RUNNER_WARMING || r->warm_value || r->warm_code)
		bytes += value * r->warmup * (r->warm_width ? r->warm_width : 1);
	if (r->instance)
		return bytes + r->instance_bytes;
	return bytes + r->detector->bytes(r->own, NULL, 1);
}

bool
runner_take_warmup(struct runner *r, struct reference *out)
{
	if (!r->warm_ready || r->warm_taken)
		return false;
	*out = runner_warm_reference(r);
	r->warm_taken = true;
	return true;
}

void
runner_save(const struct runner *r, struct codec *out)
{
	codec_put_u8(out, STATE_VERSION);
	codec_put_u8(out, (uint8_t)r->stage);
	codec_put_u8(out, (uint8_t)((r->suspended ? FLAG_SUSPENDED : 0)
	                            | (r->has_last ? FLAG_HAS_LAST : 0)));
	codec_put_u32(out, r->position);
	codec_put_u64(out, r->used);
	codec_put_u64(out, r->used_window);
	codec_put_f64(out, r->statistic);
	codec_put_f64(out, r->statistic_max);
	codec_put_f64s(out, r->spent, RUNNER_SPENT);
	codec_put_i64(out, r->last_ms);
	if (r->stage == RUNNER_RUNNING)
		r->detector->save(r->instance, out);
	if (r->stage != RUNNER_WARMING)
		return;
	codec_put_u32(out, r->warm_n);
	codec_put_u32(out, r->warm_width);
	if (r->warm_code)
		codec_put_u32s(out, r->warm_code, r->warm_n);
	else if (r->warm_value)
		codec_put_f64s(out, r->warm_value, (size_t)r->warm_n * r->warm_width);
}

static bool
load_warm(struct runner *r, struct codec *in)
{
	uint32_t n = codec_get_u32(in), width = codec_get_u32(in);
	bool codes = r->detector->kind == COLUMN_CATEGORY, ok = true;
	size_t bytes = codes ? sizeof *r->warm_code : sizeof *r->warm_value;

	if (in->bad || n >= r->warmup || (n == 0) != (width == 0))
		return false;
	if (n == 0) {
		r->warm_n = 0;
		return true;
	}
	if ((r->detector->kind != COLUMN_VECTOR && width != 1)
	    || (r->warm_width && width != r->warm_width)
	    || (in->size - in->at) / bytes / n < width || !runner_warm_room(r, width))
		return false;
	r->warm_n = n;
	if (codes)
		codec_get_u32s(in, r->warm_code, n);
	else
		codec_get_f64s(in, r->warm_value, (size_t)n * width);
	for (uint32_t i = 0; i < n; i++) {
		if (codes) {
			ok = ok && r->warm_code[i] < CODES_MAX;
			continue;
		}
		for (uint32_t j = 0; j < width; j++)
			ok = ok && isfinite(r->warm_value[(size_t)i * width + j]);
		ok = ok && (!r->detector->accepts
		            || r->detector->accepts(r->own, r->warm_value[(size_t)i * width]));
	}
	return ok && !in->bad;
}

int
runner_load(struct runner *r, struct codec *in, struct diag *d)
{
	uint8_t version = codec_get_u8(in), stage = codec_get_u8(in), flags = codec_get_u8(in);
	bool spent_fine = true;
	int err;

	if (version > STATE_VERSION)
		return diag_set(d, ERR_NEWER, "%s: state version %u is newer than %d",
		                r->detector->name, version, STATE_VERSION);
	r->position = codec_get_u32(in);
	r->used = codec_get_u64(in);
	r->used_window = codec_get_u64(in);
	r->statistic = codec_get_f64(in);
	r->statistic_max = codec_get_f64(in);
	codec_get_f64s(in, r->spent, RUNNER_SPENT);
	for (int i = 0; i < RUNNER_SPENT; i++)
		spent_fine = spent_fine && r->spent[i] >= 0.0 && !isinf(r->spent[i]);
	r->last_ms = codec_get_i64(in);
	r->suspended = flags & FLAG_SUSPENDED;
	r->has_last = flags & FLAG_HAS_LAST;
	if (in->bad || version != STATE_VERSION || stage != (uint8_t)r->stage
	    || r->stage == RUNNER_FAILED
	    || flags > (FLAG_SUSPENDED | FLAG_HAS_LAST) || (r->suspended && r->has_last)
	    || (!r->has_last && r->last_ms) || r->position >= r->thin || r->used_window > r->used
	    || !spent_fine || (r->stage == RUNNER_WARMING && r->used))
		return diag_set(d, ERR_CORRUPT, "%s: impossible state of a stream",
		                r->detector->name);
	if (r->stage == RUNNER_WARMING)
		return load_warm(r, in) ? 0
		       : diag_set(d, ERR_CORRUPT, "%s: impossible warm-up", r->detector->name);
	err = r->detector->load(r->instance, in, d);
	if (!err && in->bad)
		err = diag_set(d, ERR_CORRUPT, "%s: state is cut short", r->detector->name);
	return err;
}
