/* runner.c -- the rules that all detectors share (runner.h).
 *
 * Records are taken in tiles: find the usable ones, of those every thin-th one, meter their
 * gains, hand them to the detector densely. A tile without gaps is not copied: the detector reads
 * the caller's arrays and writes the caller's readings. Cost without gaps: about 1 ns a record, 2
 * with a meter.
 */
#include "detectors/runner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/plain.h"
#include "detectors/runner_internal.h"

enum { TILE_ROWS = 256, TILE_ROWS_MIN = 8, WARMUP_DEFAULT = 1000, WARMUP_PHASES = 2000 };
#define GAIN_MAX 1e-3 /* contract 2 */

const struct option runner_option_table[] = {
	OPT_F64(struct runner_options, threshold, "threshold", "1e4", 1e-300, 1e300,
	        "statistic at which an alarm is raised"),
	OPT_BOOL(struct runner_options, metered, "metered", "false",
	         "lines begin with the record's gain g and a comma"),
	OPT_BOOL(struct runner_options, days, "days", "false",
	         "lines of the reference begin with a day label and a comma"),
	OPT_BOOL(struct runner_options, keyed, "keyed", "false",
	         "a key and a comma stand before the value"),
	OPT_AUTO_U32(struct runner_options, thin, "thin", "1", 1, 1e6,
	             "only every such record is used; auto: by the reference's autocorrelation"),
	OPT_AUTO_U32(struct runner_options, phases, "phases", "1", 1, 1e4,
	             "copies that take turns; auto: by the autocorrelation"),
	OPT_AUTO_U32(struct runner_options, warmup, "warmup", "auto", 2, 1e7,
	             "so many first records are the reference if there is none; "
	             "auto: 1000, or 2000 for phases"),
	OPT_END,
};

struct runner_scratch {
	uint32_t rows, width;
	uint32_t *index, *code, *key, *phase;
	double *value, *gain;
	int64_t *time_ms;
	struct reading *reading;
};

const char *
promise_text(enum promise p)
{
	static const char *const text[] = {
		[PROMISE_PROVISIONAL] = "provisional",
		[PROMISE_CERTIFIED] = "certified",
		[PROMISE_VOID_DEPENDENT] = "void: dependent",
		[PROMISE_UNBUDGETED] = "unbudgeted",
		[PROMISE_VOID_SHORT] = "void: short",
	};

	return text[p];
}

struct runner_scratch *
runner_scratch_create(uint32_t rows, uint32_t width)
{
	struct runner_scratch *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->rows = rows < 1 ? 1 : rows < TILE_ROWS ? rows : TILE_ROWS;
	s->width = width < 1 ? 1 : width;
	s->index = calloc(s->rows, sizeof *s->index);
	s->code = calloc(s->rows, sizeof *s->code);
	s->key = calloc(s->rows, sizeof *s->key);
	s->phase = calloc(s->rows, sizeof *s->phase);
	s->value = calloc((size_t)s->rows * s->width, sizeof *s->value);
	s->gain = calloc(s->rows, sizeof *s->gain);
	s->time_ms = calloc(s->rows, sizeof *s->time_ms);
	s->reading = calloc(s->rows, sizeof *s->reading);
	if (s->index && s->code && s->key && s->phase && s->value && s->gain && s->time_ms
	    && s->reading)
		return s;
	runner_scratch_destroy(s);
	return NULL;
}

void
runner_scratch_destroy(struct runner_scratch *s)
{
	if (!s)
		return;
	free(s->index);
	free(s->code);
	free(s->key);
	free(s->phase);
	free(s->value);
	free(s->gain);
	free(s->time_ms);
	free(s->reading);
	free(s);
}

/* Without a reference yet: checks the options on an instance that is thrown away. */
static int
try_options(struct runner *r, struct diag *d)
{
	void *trial = NULL;
	int err;

	r->thin = r->phases = 1;
	if (r->detector->kind == COLUMN_VECTOR)
		return 0;
	err = r->detector->create(&trial, r->own, NULL, 1, r->seed, r->stream, d);
	if (!err)
		r->detector->destroy(trial);
	return err;
}

static int
check(const struct detector *det, const struct runner_options *o, struct diag *d)
{
	if (o->phases != 1 && o->thin != 1)
		return diag_set(d, ERR_INVALID, "%s: thin and phases exclude each other",
		                det->name);
	if (o->phases != 1 && !(det->flags & DETECTOR_PHASES))
		return diag_set(d, ERR_INVALID, "%s: has no phases", det->name);
	if (o->phases == 0 || o->thin == 0)
		return diag_set(d, ERR_INVALID, "%s: thin and phases are at least 1", det->name);
	return 0;
}

int
runner_create(struct runner **out, const struct detector *det, const void *own,
              const struct runner_options *o, const struct reference *ref, uint64_t seed,
              uint64_t stream, struct diag *d)
{
	struct runner *r = calloc(1, sizeof *r);
	bool warms = det->flags & DETECTOR_WARMS_UP || o->phases == OPTION_AUTO;
	int err = check(det, o, d);

	*out = NULL;
	if (ref && ref->n == 0 && warms)
		ref = NULL; /* contract 4: no finite value is no reference */
	if (!err && !ref && det->flags & DETECTOR_NEEDS_REFERENCE)
		err = diag_set(d, ERR_INVALID, "%s: needs a reference", det->name);
	if (!err && r)
		r->own = malloc(det->options_size + 1);
	if (!err && (!r || !r->own))
		err = diag_set(d, ERR_IO, "%s: out of memory", det->name);
	if (err)
		goto out;
	memcpy(r->own, own, det->options_size);
	r->detector = det;
	r->options = *o;
	r->seed = seed;
	r->stream = stream;
	r->statistic = r->statistic_max = (double)NAN;
	r->warmup = o->warmup;
	r->tile = TILE_ROWS;
	if (o->warmup == OPTION_AUTO || o->warmup == 0)
		r->warmup = o->phases == OPTION_AUTO ? WARMUP_PHASES : WARMUP_DEFAULT;
	err = !ref && warms ? try_options(r, d) : runner_start(r, ref, d);
out:
	if (err) {
		runner_destroy(r);
		r = NULL;
	}
	*out = r;
	return err;
}

void
runner_destroy(struct runner *r)
{
	if (!r)
		return;
	if (r->instance)
		r->detector->destroy(r->instance);
	free(r->own);
	free(r->key_known);
	free(r->warm_value);
	free(r->warm_code);
	free(r);
}

void
runner_set_meter(struct runner *r, const struct meter *m)
{
	r->meter = *m;
	r->metered = true;
}

/* Usable: not missing, accepted, and its key has a reference. */
static bool
usable(const struct runner *r, const struct records *rec, uint32_t i)
{
	const struct detector *det = r->detector;
	uint32_t width = rec->width > 1 ? rec->width : 1;

	if (r->stage == RUNNER_RUNNING && det->flags & DETECTOR_KEYED && rec->key
	    && (rec->key[i] >= r->keys || (r->key_known && !r->key_known[rec->key[i]])))
		return false;
	if (det->kind == COLUMN_CATEGORY)
		return rec->code[i] != RUNNER_MISSING;
	for (uint32_t j = 0; j < width; j++)
		if (!isfinite(rec->value[(size_t)i * width + j]))
			return false;
	return !det->accepts || det->accepts(r->own, rec->value[(size_t)i * width]);
}

/* Is every record of [from, to) usable? False may also mean: look closer. */
static bool
all_usable(const struct runner *r, const struct records *rec, uint32_t from, uint32_t to)
{
	const struct detector *det = r->detector;
	const double *v = rec->value;
	uint64_t bad = 0, bits;

	if ((det->flags & DETECTOR_KEYED && rec->key) || rec->width > 1)
		return false;
	if (det->kind == COLUMN_CATEGORY) {
		for (uint32_t i = from; i < to; i++)
			bad |= rec->code[i] == RUNNER_MISSING;
	} else if (det->kind == COLUMN_BINARY) {
		for (uint32_t i = from; i < to; i++)
			bad |= !((v[i] >= 0.0 && v[i] <= 0.0) || (v[i] >= 1.0 && v[i] <= 1.0));
	} else if (!det->accepts) {
		for (uint32_t i = from; i < to; i++) { /* an exponent of all ones carries into the sign */
			memcpy(&bits, &v[i], sizeof bits);
			bad |= (bits & 0x7FF0000000000000u) + 0x0010000000000000u;
		}
		bad >>= 63;
	} else if (det->accepts == plain_is_probability) {
		for (uint32_t i = from; i < to; i++)
			bad |= !(v[i] >= 0.0 && v[i] <= 1.0);
	} else {
		return false;
	}
	return !bad;
}

static void
put_empty(struct reading *out, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; out && i < to; i++)
		out[i] = (struct reading){ .statistic = (double)NAN, .upper = (double)NAN };
}

static bool
warm_take(struct runner *r, const struct records *rec, uint32_t i)
{
	uint32_t width = rec->width > 1 ? rec->width : 1;

	if (!runner_warm_room(r, width))
		return false;
	if (r->warm_code)
		r->warm_code[r->warm_n] = rec->code[i];
	else if (width == r->warm_width)
		memcpy(r->warm_value + (size_t)r->warm_n * width, rec->value + (size_t)i * width,
		       width * sizeof *r->warm_value);
	else
		return false;
	r->warm_n++;
	return true;
}

/* The warm-up is complete: its values are the reference. */
static void
warm_end(struct runner *r, const struct records *rec)
{
	struct reference ref;

	r->warm_text = rec->text;
	r->warm_text_len = rec->text_len;
	r->warm_categories = rec->categories;
	for (uint32_t i = 0; r->warm_code && i < r->warm_n; i++)
		if (r->warm_code[i] >= r->warm_categories) {
			r->warm_text = NULL;
			r->warm_text_len = NULL;
			r->warm_categories = r->warm_code[i] + 1;
		}
	ref = runner_warm_reference(r);
	r->warm_ready = true;
	if (runner_start(r, &ref, NULL))
		r->stage = RUNNER_FAILED;
}

/* Collects records of [from, to) until the warm-up ends. */
static uint32_t
warm(struct runner *r, const struct records *rec, uint32_t from, uint32_t to, struct reading *out)
{
	uint32_t i = from;

	while (i < to && r->stage == RUNNER_WARMING) {
		if (!r->suspended && usable(r, rec, i)) {
			if (!warm_take(r, rec, i))
				r->stage = RUNNER_FAILED;
			else if (r->warm_n == r->warmup)
				warm_end(r, rec);
		}
		i++;
	}
	if (r->stage == RUNNER_FAILED)
		i = to;
	put_empty(out, from, i);
	return i;
}

/* Indices of the records of [from, to) that are used; *position moves behind the last record. */
static uint32_t
choose(const struct runner *r, const struct records *rec, uint32_t from, uint32_t to,
       uint32_t *index, uint32_t *position)
{
	uint32_t used = 0;

	for (uint32_t i = from; i < to; i++) {
		if (!usable(r, rec, i))
			continue;
		if (*position == 0)
			index[used++] = i;
		*position = *position + 1 < r->thin ? *position + 1 : 0;
	}
	return used;
}

/* The used records of a tile: `first` and those behind it, or those of index[]. */
struct used {
	uint32_t n, first;
	const uint32_t *index; /* NULL: dense */
};

static inline uint32_t
used_at(const struct used *u, uint32_t j)
{
	return u->index ? u->index[j] : u->first + j;
}

/* g of the metered budget (contract 2). */
static double
meter_gain(const struct runner *r, bool has_last, int64_t last, int64_t now)
{
	int64_t dt = 0;
	double g;

	if (has_last && now > last && (__builtin_sub_overflow(now, last, &dt) || dt > r->meter.dt_max_ms))
		dt = r->meter.dt_max_ms;
	g = r->meter.rate * (double)dt;
	return g < GAIN_MAX ? g : GAIN_MAX;
}

/* The same of records one behind the other, whose advances are known. */
static void
dense_gains(const struct runner *r, const double *advance_ms, uint32_t n, double *gain)
{
	const double rate = r->meter.rate, most_ms = (double)r->meter.dt_max_ms;

	for (uint32_t j = 0; j < n; j++) {
		double dt = advance_ms[j] < most_ms ? advance_ms[j] : most_ms, g;

		g = rate * (dt > 0.0 ? dt : 0.0);
		gain[j] = g < GAIN_MAX ? g : GAIN_MAX;
	}
}

static void
meter_gains(const struct runner *r, const struct records *rec, const struct used *u, double *gain)
{
	bool has_last = r->has_last;
	int64_t last = r->last_ms;

	if (!u->index && rec->advance_ms && !rec->late) {
		gain[0] = meter_gain(r, has_last, last, rec->watermark_ms[u->first]);
		dense_gains(r, rec->advance_ms + u->first + 1, u->n - 1, gain + 1);
		return;
	}
	for (uint32_t j = 0; j < u->n; j++) {
		uint32_t i = used_at(u, j);
		int64_t now = rec->watermark_ms[i];

		gain[j] = rec->late && rec->late[i] ? 0.0 : meter_gain(r, has_last, last, now);
		last = now;
		has_last = true;
	}
}

static const double *
gains(const struct runner *r, const struct records *rec, const struct used *u, double *gain)
{
	if (rec->gain && !u->index && !rec->late)
		return rec->gain + u->first;
	if (!rec->gain && !r->metered)
		return NULL;
	if (!rec->gain)
		meter_gains(r, rec, u, gain);
	for (uint32_t j = 0; rec->gain && j < u->n; j++) {
		uint32_t i = used_at(u, j);

		gain[j] = rec->late && rec->late[i] ? 0.0 : rec->gain[i];
	}
	return gain;
}

/* The used records as a column: the caller's arrays when they are dense. */
static struct column
pack(const struct runner *r, const struct records *rec, const struct runner_scratch *s,
     const struct used *u)
{
	uint32_t width = rec->width > 1 ? rec->width : 1, first = u->first;
	struct column c = { .n = u->n, .width = width };

	if (!u->index) {
		c.value = rec->value ? rec->value + first : NULL;
		c.code = rec->code ? rec->code + first : NULL;
		c.key = rec->key ? rec->key + first : NULL;
		c.time_ms = rec->time_ms ? rec->time_ms + first : NULL;
	} else {
		c.value = rec->value ? s->value : NULL;
		c.code = rec->code ? s->code : NULL;
		c.key = rec->key ? s->key : NULL;
		c.time_ms = rec->time_ms ? s->time_ms : NULL;
	}
	for (uint32_t j = 0; u->index && j < u->n; j++) {
		uint32_t i = u->index[j];

		if (rec->value)
			memcpy(s->value + (size_t)j * width, rec->value + (size_t)i * width,
			       width * sizeof *s->value);
		s->code[j] = rec->code ? rec->code[i] : 0;
		s->key[j] = rec->key ? rec->key[i] : 0;
		s->time_ms[j] = rec->time_ms ? rec->time_ms[i] : 0;
	}
	if (r->phases > 1) {
		uint32_t phase = (uint32_t)(r->used % r->phases);

		for (uint32_t j = 0; j < u->n; j++) {
			s->phase[j] = phase;
			phase = phase + 1 < r->phases ? phase + 1 : 0;
		}
		c.phase = s->phase;
	}
	c.gain = gains(r, rec, u, s->gain);
	return c;
}

/* Adds the gains (NULL: ones) of n records to the sums. */
static void
spend(struct runner *r, const double *gain, uint32_t n)
{
	double *sum = r->spent, a, b, c, d;
	uint32_t j = 0;

	for (; j < n && (r->used + j) % RUNNER_SPENT; j++)
		sum[(r->used + j) % RUNNER_SPENT] += gain ? gain[j] : 1.0;
	a = sum[0];
	b = sum[1];
	c = sum[2];
	d = sum[3];
	for (; j + RUNNER_SPENT <= n; j += RUNNER_SPENT) {
		a += gain ? gain[j] : 1.0;
		b += gain ? gain[j + 1] : 1.0;
		c += gain ? gain[j + 2] : 1.0;
		d += gain ? gain[j + 3] : 1.0;
	}
	sum[0] = a;
	sum[1] = b;
	sum[2] = c;
	sum[3] = d;
	for (; j < n; j++)
		sum[(r->used + j) % RUNNER_SPENT] += gain ? gain[j] : 1.0;
}

static void
account(struct runner *r, const struct records *rec, const struct used *u, const struct column *c,
        uint32_t done, const struct reading *reading)
{
	double most = isnan(r->statistic_max) ? -(double)INFINITY : r->statistic_max;

	spend(r, c->gain, done);
	for (uint32_t j = 0; j < done; j++) /* NaN is never larger */
		most = reading[j].statistic > most ? reading[j].statistic : most;
	if (most > -(double)INFINITY)
		r->statistic_max = most;
	r->statistic = reading[done - 1].statistic;
	r->used += done;
	r->used_window += done;
	if (r->metered && rec->watermark_ms) {
		r->last_ms = rec->watermark_ms[used_at(u, done - 1)];
		r->has_last = true;
	}
}

/* One tile; returns the next record. */
static uint32_t
tile(struct runner *r, const struct records *rec, uint32_t from, uint32_t to,
     struct runner_scratch *s, struct reading *out, bool *alarm)
{
	bool dense = r->thin == 1 && all_usable(r, rec, from, to);
	struct used u = { to - from, from, dense ? NULL : s->index };
	uint32_t position = r->position, done, next;
	struct reading *reading = dense && out ? out + from : s->reading;
	struct column c;

	if (!dense)
		u.n = choose(r, rec, from, to, s->index, &position);
	if (u.n == 0 || r->suspended) {
		if (u.n)
			r->detector->skip(r->instance, u.n);
		r->position = position;
		put_empty(out, from, to);
		return to;
	}
	c = pack(r, rec, s, &u);
	done = r->detector->update(r->instance, &c, 0, r->options.threshold, reading);
	*alarm = reading[done - 1].alarm;
	account(r, rec, &u, &c, done, reading);
	next = *alarm ? used_at(&u, done - 1) + 1 : to;
	r->position = *alarm ? (r->thin > 1 ? 1 : 0) : position;
	if (out && !dense) {
		put_empty(out, from, next);
		for (uint32_t j = 0; j < done; j++)
			out[s->index[j]] = reading[j];
	}
	return next;
}

uint32_t
runner_update(struct runner *r, const struct records *rec, uint32_t from,
              struct runner_scratch *s, struct reading *out, bool *alarm)
{
	*alarm = false;
	if (r->warm_taken) {
		free(r->warm_value);
		free(r->warm_code);
		r->warm_value = NULL;
		r->warm_code = NULL;
		r->warm_ready = r->warm_taken = false;
	}
	while (from < rec->n && !*alarm) {
		uint32_t rows = r->tile < s->rows ? r->tile : s->rows, before = from;
		uint32_t to = rec->n - from < rows ? rec->n : from + rows;

		if (r->stage == RUNNER_RUNNING)
			from = tile(r, rec, from, to, s, out, alarm);
		else
			from = warm(r, rec, from, to, out);
		/* what lies behind an alarm is looked at again: little of it where alarms are frequent */
		rows = 2 * (*alarm ? from - before : rows);
		r->tile = rows < TILE_ROWS_MIN ? TILE_ROWS_MIN : rows < TILE_ROWS ? rows : TILE_ROWS;
	}
	return from;
}
