/* recalibrate.c -- see recalibrate.h. Cost of a label: one pass over the scores held. */
#include "monitor/label/recalibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/sort.h"
#include "monitor/label/labels_inside.h"

enum { STATE_VERSION = 1, DAY_MS = 86400000 };

struct recalibration {
	const struct detector *method;
	void *self;
	double alpha;                /* 1 - level, of the first label */
	double score[RECALIBRATE_SCORES]; /* a ring */
	uint32_t scores, at;
	double level;                /* alpha in force */
	struct recalibration_row day; /* the present one */
	bool dirty;
	struct recalibration_row *over; /* days that ended since the last commit */
	size_t overs, over_capacity;
};

static struct recalibration *
create(const struct labels *l, double level)
{
	static const char *const name[] = { "", "aci", "dtaci" };
	struct recalibration *r = must_calloc(1, sizeof *r);
	struct diag d = { "" };
	char alpha[40];
	void *options;

	r->method = detector_find(name[l->model->config->recalibrate]);
	r->alpha = r->level = 1 - level;
	options = must_calloc(1, r->method->options_size);
	option_defaults(r->method->options, options);
	snprintf(alpha, sizeof alpha, "%.17g", r->alpha);
	for (const struct option *row = r->method->options; row->name; row++)
		if (!strcmp(row->name, "alpha"))
			must(option_set(row, options, alpha, &d) == 0);
	must(r->method->create(&r->self, options, NULL, 1, 1, 0, &d) == 0);
	option_finish(r->method->options, options);
	free(options);
	return r;
}

void
recalibration_destroy(struct recalibration *r)
{
	if (!r)
		return;
	r->method->destroy(r->self);
	free(r->over);
	free(r);
}

size_t
recalibration_bytes(const struct recalibration *r)
{
	return r ? sizeof *r + r->over_capacity * sizeof *r->over : 0;
}

/* Share of the scores held that are at least s, the new one among them. */
static double
rank(const struct recalibration *r, double s)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < r->scores; i++)
		n += r->score[i] >= s;
	return n / (r->scores + 1.0);
}

/* The score that a share alpha of those held exceeds; +inf where that asks for everything. */
static double
quantile(const struct recalibration *r)
{
	double sorted[RECALIBRATE_SCORES], k = ceil((1 - r->level) * (r->scores + 1));

	if (r->level <= 0 || k > r->scores)
		return (double)INFINITY;
	if (r->level >= 1 || k < 1)
		return -(double)INFINITY;
	memcpy(sorted, r->score, r->scores * sizeof *sorted);
	sort_doubles(sorted, r->scores);
	return sorted[(uint32_t)k - 1];
}

static void
finish_row(struct recalibration *r)
{
	double q = quantile(r);

	r->day.method = r->method->name;
	r->day.nominal = 1 - r->alpha;
	r->day.level = fmin(1, fmax(0, 1 - r->level));
	r->day.adjustment = isinf(q) ? (double)NAN : q;
}

static void
enter_day(struct recalibration *r, int64_t watermark_ms)
{
	int64_t day = floor_to(watermark_ms, DAY_MS);

	if (r->day.labels && day > r->day.day_ms) {
		finish_row(r);
		r->over = must_grow(r->over, &r->over_capacity, r->overs + 1, sizeof *r->over);
		r->over[r->overs++] = r->day;
	}
	if (!r->day.labels || day > r->day.day_ms)
		r->day = (struct recalibration_row){ .day_ms = day };
}

void
recalibrate_label(struct labels *l, struct version *v, const struct outcome *o, double level)
{
	struct recalibration *r = v->recalibration;
	struct reading reading = { 0 };
	double beta;

	if (isnan(o->score) || isnan(level) || level <= 0 || level >= 1)
		return;
	if (!r)
		r = v->recalibration = create(l, level);
	r->dirty = true;
	if (r->scores >= RECALIBRATE_WARMUP) {
		struct column column = { .n = 1, .width = 1, .value = &beta };

		enter_day(r, l->model->common->watermark_ms);
		beta = rank(r, o->score);
		r->method->update(r->self, &column, 0, 1, &reading);
		r->level = reading.statistic;
		r->day.labels++;
		r->day.covered += !(o->flags & JOURNAL_MISS);
		r->day.covered_adapted += !reading.alarm;
		r->day.everything += r->level <= 0;
	}
	r->score[r->at] = o->score;
	r->at = (r->at + 1) % RECALIBRATE_SCORES;
	r->scores += r->scores < RECALIBRATE_SCORES;
}

/* -- state -------------------------------------------------------------------------------------------- */

static void
save(const struct recalibration *r, struct codec *out)
{
	codec_put_u16(out, STATE_VERSION);
	codec_put_f64(out, 1 - r->alpha);
	codec_put_f64(out, r->level);
	codec_put_u32(out, r->scores);
	codec_put_u32(out, r->at);
	codec_put_f64s(out, r->score, r->scores);
	codec_put_i64(out, r->day.day_ms);
	codec_put_u64(out, r->day.labels);
	codec_put_u64(out, r->day.covered);
	codec_put_u64(out, r->day.covered_adapted);
	codec_put_u64(out, r->day.everything);
	codec_put_bytes(out, r->method->name, strlen(r->method->name) + 1);
	r->method->save(r->self, out);
}

int
recalibration_put(const struct labels *l, const struct version *v, struct store *store)
{
	struct recalibration *r = v->recalibration;
	struct codec out = { .measure = true, .size = SIZE_MAX };
	int err = 0;

	if (!r || !r->dirty)
		return 0;
	for (size_t i = 0; i < r->overs && !err; i++)
		err = store_put_recalibration(store, v->label_stream_id, &r->over[i]);
	finish_row(r);
	if (!err && r->day.labels)
		err = store_put_recalibration(store, v->label_stream_id, &r->day);
	if (err)
		return err;
	save(r, &out);
	out = (struct codec){ .data = common_bytes(l->model->common, out.at), .size = out.at };
	save(r, &out);
	return store_put_state(store, "recalibration", v->label_stream_id, out.data, out.at);
}

void
recalibration_saved(struct recalibration *r)
{
	if (!r)
		return;
	r->dirty = false;
	r->overs = 0;
}

static int
load(struct recalibration *r, struct codec *in, struct diag *d)
{
	char name[16];
	size_t length = strlen(r->method->name) + 1;

	r->level = codec_get_f64(in);
	r->scores = codec_get_u32(in);
	r->at = codec_get_u32(in);
	if (in->bad || r->scores > RECALIBRATE_SCORES || r->at >= RECALIBRATE_SCORES)
		return ERR_CORRUPT;
	codec_get_f64s(in, r->score, r->scores);
	r->day.day_ms = codec_get_i64(in);
	r->day.labels = codec_get_u64(in);
	r->day.covered = codec_get_u64(in);
	r->day.covered_adapted = codec_get_u64(in);
	r->day.everything = codec_get_u64(in);
	codec_get_bytes(in, name, length);
	if (in->bad)
		return ERR_CORRUPT;
	if (memcmp(name, r->method->name, length) != 0)
		return 0; /* another recalibrator is configured: it starts on the same scores */
	return r->method->load(r->self, in, d);
}

int
recalibration_load(struct labels *l, struct version *v, struct store *store, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	struct codec in;
	int err = store_get_state(store, "recalibration", v->label_stream_id, &blob, &length, d);

	if (err || !blob)
		return err;
	in = (struct codec){ .data = blob, .size = length };
	err = codec_get_u16(&in) == STATE_VERSION ? 0 : ERR_CORRUPT;
	if (!err && l->model->config->recalibrate) {
		double level = codec_get_f64(&in);

		err = level > 0 && level < 1 ? 0 : ERR_CORRUPT;
		if (!err) {
			v->recalibration = create(l, level);
			err = load(v->recalibration, &in, d);
		}
	}
	free(blob);
	return err ? diag_set(d, ERR_CORRUPT, "model %s: the state of its recalibration is damaged",
	                      l->model->name) : 0;
}
