/* joint.c -- when the joint streams of a model begin, and what their rows are. See joint.h. */
#include "monitor/stream/joint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/dependence.h"
#include "monitor/alert/alert.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

enum { MEMBERS_MIN = 2 };
#define DAY_MS 86400000.0
#define Z_MAX 10.0

static bool
is_feature(const struct stream *s)
{
	return s->kind == STREAM_FEATURE && s->type == STREAM_NUMERIC && !s->latecomer && !s->segment;
}

static bool
complete(const struct stream *s)
{
	return !s->learning && s->references >= LIMIT_REFERENCE_MIN;
}

bool
joint_expected(const struct model *m)
{
	uint32_t n = 0;

	if (!m->config->joint_projections)
		return false;
	for (uint32_t i = 0; i < m->streams && n < MEMBERS_MIN; i++)
		n += is_feature(m->stream[i]);
	return n == MEMBERS_MIN;
}

const struct test_config *
joint_test(bool mean)
{
	static struct test_config of[2] = {
		{ .method = { .name = "projections", .types = METHOD_NUMERIC, .budget = METHOD_SHOWS },
		  .role = TEST_PAGING },
		{ .method = { .name = "level", .types = METHOD_NUMERIC, .budget = METHOD_PAGES },
		  .role = TEST_PAGING },
	};

	return &of[mean];
}

/* -- made, begun, ended ------------------------------------------------------------------------------- */

static struct joint *
make(struct model *m, uint32_t members)
{
	struct joint *j = must_calloc(1, sizeof *j);

	j->model = m;
	j->member = must_calloc(members, sizeof *j->member);
	j->number = must_calloc(members, sizeof *j->number);
	j->vector = must_calloc((size_t)ROWS_MAX * members, sizeof *j->vector);
	j->rows = must_calloc(1, sizeof *j->rows);
	j->windows = must_calloc(1, sizeof *j->windows);
	j->members = members;
	j->every = 1;
	return j;
}

void
joint_destroy(struct joint *j)
{
	if (!j)
		return;
	free(j->rows->stream);
	free(j->windows->stream);
	free(j->rows);
	free(j->windows);
	free(j->member);
	free(j->number);
	free(j->vector);
	free(j->wander);
	free(j->own);
	free(j);
}

size_t
joint_bytes(const struct joint *j)
{
	size_t rows = ROWS_MAX + (j->own ? JOINT_OWN : 0);

	return sizeof *j + 2 * sizeof *j->rows + rows * j->members * sizeof *j->vector;
}

/* What is known of the rate when it begins: so many records that joint.records_per_day suffices. */
static uint32_t
step_of(const struct model *m)
{
	const struct window_config *w = &m->config->windows;
	double per_day = m->ref.rate_per_s * DAY_MS / 1000;

	if (w->width_ms)
		per_day = fmax(per_day, m->window_records * DAY_MS / (double)w->width_ms);
	per_day = floor(per_day / m->config->joint_records_per_day);
	return per_day < 1 ? 1 : per_day > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)per_day;
}

/* And what turns out: fewer from the next window on, never more, so records stay as far apart as the test
 * was told. */
static void
watch_rate(struct joint *j)
{
	int64_t day = floor_to(j->model->common->watermark_ms, (int64_t)DAY_MS);

	if (day != j->day)
		j->day_rows = 0;
	j->day = day;
	if (j->day_rows < j->model->config->joint_records_per_day || j->every > UINT32_MAX / 4)
		return;
	j->every *= 2;
	j->day_rows /= 2;
}

static void
create(struct model *m)
{
	uint32_t n = 0;
	struct joint *j;

	for (uint32_t i = 0; i < m->streams; i++)
		n += is_feature(m->stream[i]) && complete(m->stream[i]);
	if (n < MEMBERS_MIN)
		return;
	j = m->joint = make(m, n < LIMIT_JOINT ? n : LIMIT_JOINT);
	n = 0;
	for (uint32_t i = 0; i < m->streams && n < j->members; i++)
		if (is_feature(m->stream[i]) && complete(m->stream[i])) {
			j->member[n] = m->stream[i];
			j->number[n++] = i;
		}
	j->projections = model_stream(m, j->rows, STREAM_JOINT, STREAM_NUMERIC, "projections", 11, NULL);
	j->mean = model_stream(m, j->windows, STREAM_JOINT, STREAM_NUMERIC, "mean", 4, NULL);
	if (j->projections)
		joint_bind(m, j->projections);
	if (j->mean)
		joint_bind(m, j->mean);
}

/* With the references that the features have now. */
static void
begin(struct joint *j)
{
	struct model *m = j->model;

	for (uint32_t i = 0; i < j->members; i++)
		if (!complete(j->member[i]))
			return;
	j->every = step_of(m);
	j->position = 0;
	j->running = true;
	m->common->at_ms = m->common->watermark_ms;
	free(j->own);
	j->own = must_calloc((size_t)JOINT_OWN * j->members, sizeof *j->own);
	j->owned = j->thin = 0;
	if (j->projections && joint_take_reference(j->projections)) {
		stream_start_tests(j->projections, NULL); /* its cells */
		j->projections->dirty = true;
	}
	if (j->mean)
		stream_start_tests(j->mean, NULL);
}

static bool
is_member(const struct joint *j, const struct stream *s)
{
	for (uint32_t i = 0; i < j->members; i++)
		if (j->member[i] == s)
			return true;
	return false;
}

/* At once, not with the window: a restart makes the reference of the projections of those of the members. */
void
joint_member_rebaselined(const struct stream *member, int64_t now_ms, struct outbound *out)
{
	struct joint *j = member->model->joint;

	if (!j || !j->running || !is_member(j, member))
		return;
	j->running = false;
	if (j->projections && j->projections->references)
		stream_rebaseline(j->projections, 0, now_ms, out);
}

static void
begin_anew(struct joint *j, struct outbound *out)
{
	int64_t now = j->model->common->watermark_ms;

	if (j->mean && j->mean->episode.open)
		stream_rebaseline(j->mean, 0, now, out);
	begin(j);
}

/* -- rows --------------------------------------------------------------------------------------------- */

/* Distance from the centre of the reference, in its standard deviations; NaN where a value is missing. */
static double
distance(const struct joint *j, const double *x)
{
	double sum = 0;

	for (uint32_t i = 0; i < j->members; i++) {
		const struct cells *c = j->member[i]->cells;
		double z = c->sd > 0 ? (x[i] - c->mean) / c->sd : 0;

		if (isnan(x[i]))
			return (double)NAN;
		z = z < -Z_MAX ? -Z_MAX : z > Z_MAX ? Z_MAX : z;
		sum += z * z;
	}
	return sqrt(sum / j->members);
}

double
joint_distance(const struct stream *s, const double *x)
{
	return distance(s->model->joint, x);
}

static struct row_facts
facts_of(const struct rows *rows, uint32_t i)
{
	return (struct row_facts){
		.watermark_ms = rows->watermark_ms[i],
		.time_ms = rows->time_ms[i],
		.offset = rows->offset[i], .row = rows->row[i],
		.sequence = rows->sequence[i],
		.order = rows->order[i],
		.partition = rows->partition[i],
		.late = rows->late[i],
	};
}

/* The largest step that a member needs. */
static void
find_step(struct joint *j)
{
	double *column = must_calloc(j->owned, sizeof *column);

	j->thin = 1;
	j->dependent = false;
	for (uint32_t k = 0; k < j->members; k++) {
		bool none;
		uint32_t step;

		for (uint32_t i = 0; i < j->owned; i++)
			column[i] = j->own[(size_t)i * j->members + k];
		step = dependence_step(column, j->owned, &none);
		j->thin = step > j->thin ? step : j->thin;
		j->dependent |= none;
	}
	j->thin = j->dependent ? 1 : j->thin;
	free(column);
	free(j->own);
	j->own = NULL;
}

/* One of the first rows; with the last of them the test begins. */
static void
own_row(struct joint *j, const double *x, const struct rows *features, uint32_t i)
{
	for (uint32_t k = 0; k < j->members; k++)
		if (isnan(x[k]))
			return;
	memcpy(j->own + (size_t)j->owned * j->members, x, j->members * sizeof *x);
	if (++j->owned < JOINT_OWN)
		return;
	rows_flush(j->model, j->rows);
	find_step(j);
	j->model->common->at_ms = features->watermark_ms[i];
	stream_start_tests(j->projections, NULL);
}

void
joint_take_rows(struct model *m, const struct rows *features)
{
	struct joint *j = m->joint;

	if (!j || !j->running || !j->projections || !m->config->joint_projections)
		return;
	for (uint32_t i = 0; i < features->n; i++) {
		struct row_facts f;
		double *x;
		uint32_t at;

		if (j->position++ % j->every)
			continue;
		f = facts_of(features, i);
		at = rows_append(m, j->rows, &f);
		j->day_rows++;
		x = j->vector + (size_t)at * j->members;
		for (uint32_t k = 0; k < j->members; k++)
			x[k] = j->member[k]->value[i];
		j->projections->value[at] = distance(j, x);
		if (j->own)
			own_row(j, x, features, i);
	}
}

void
joint_flush(struct model *m)
{
	if (!m->joint)
		return;
	rows_flush(m, m->joint->rows);
	rows_flush(m, m->joint->windows);
}

/* -- the mean ----------------------------------------------------------------------------------------- */

/* Paging tests of features whose promise holds: their mean obeys the same bound. */
static bool
counts(const struct test *t)
{
	return t->role == TEST_PAGING && t->runner && t->share > 0 && test_promise(t) == PROMISE_CERTIFIED;
}

void
joint_mean_alarm(struct stream *s, int64_t *started_ms)
{
	struct model *m = s->model;

	for (uint32_t i = 0; i < m->features->streams; i++) {
		struct stream *f = m->features->stream[i];

		for (uint32_t k = 0; k < f->pagers && f->kind == STREAM_FEATURE; k++) {
			struct change ch = { 0 };

			if (!counts(&f->test[k]))
				continue;
			if (runner_change(f->test[k].runner, &ch) && ch.records && ch.start_ms < *started_ms)
				*started_ms = ch.start_ms;
			runner_reset(f->test[k].runner);
			f->dirty = true;
		}
	}
}

/* Each statistic in units of its share: what it would be with the share of the mean. */
static void
take_mean(struct model *m)
{
	struct joint *j = m->joint;
	const struct test *mean = j->mean->test;
	struct common *c = m->common;
	double statistic = 0, spent = 0;
	uint32_t tests = 0, at;
	struct row_facts f = { .watermark_ms = c->watermark_ms, .time_ms = c->watermark_ms, .offset = c->offset,
		.row = c->row,
		               .sequence = c->sequence, .partition = c->partition };

	for (uint32_t i = 0; i < m->features->streams; i++) {
		const struct stream *s = m->features->stream[i];

		for (uint32_t k = 0; k < s->pagers && s->kind == STREAM_FEATURE; k++) {
			const struct test *t = &s->test[k];
			struct runner_status st;

			if (!counts(t))
				continue;
			runner_status(t->runner, &st);
			tests++;
			statistic += isnan(st.statistic) || s->episode.open ? 0 : st.statistic / t->share;
			spent += (t->spent_past + st.spent) / t->share;
		}
	}
	j->tests = tests > j->tests ? tests : j->tests; /* a weight never grows */
	if (tests < MEMBERS_MIN || !mean->runner)
		return;
	spent *= mean->share / j->tests;
	at = rows_append(m, j->windows, &f);
	j->mean->value[at] = statistic * mean->share / j->tests;
	j->mean->gain[at] = spent > j->accounted ? spent - j->accounted : 0;
	j->accounted = spent;
	rows_flush(m, j->windows);
}

void
joint_window(struct model *m, struct outbound *out)
{
	if (!m->config->joint_projections || m->common->fitting)
		return;
	if (!m->joint && m->common->watermark_ms >= m->plan_ms && m->plan_ms != INT64_MAX)
		create(m);
	if (!m->joint)
		return;
	if (!m->joint->running)
		begin_anew(m->joint, out);
	watch_rate(m->joint);
	if (m->joint->running && m->joint->mean)
		take_mean(m);
}

/* -- state -------------------------------------------------------------------------------------------- */

void
joint_save(const struct joint *j, struct codec *out)
{
	codec_put_u32(out, j ? j->members : 0);
	if (!j)
		return;
	for (uint32_t i = 0; i < j->members; i++)
		codec_put_u32(out, j->number[i]);
	codec_put_u32(out, j->every);
	codec_put_u32(out, j->position);
	codec_put_i64(out, j->day);
	codec_put_u32(out, j->day_rows);
	codec_put_u8(out, j->running);
	codec_put_u32(out, j->tests);
	codec_put_f64(out, j->accounted);
	codec_put_u32(out, j->thin);
	codec_put_u8(out, j->dependent);
	codec_put_u32(out, j->own ? j->owned : JOINT_OWN);
	if (j->own)
		codec_put_f64s(out, j->own, (size_t)j->owned * j->members);
}

int
joint_load(struct model *m, struct codec *in)
{
	uint32_t members = codec_get_u32(in);
	struct joint *j;

	if (!members)
		return 0;
	if (members > LIMIT_JOINT || in->bad)
		return -1;
	j = m->joint = make(m, members);
	for (uint32_t i = 0; i < members; i++)
		j->number[i] = codec_get_u32(in);
	j->every = codec_get_u32(in);
	j->position = codec_get_u32(in);
	j->day = codec_get_i64(in);
	j->day_rows = codec_get_u32(in);
	j->running = codec_get_u8(in);
	j->tests = codec_get_u32(in);
	j->accounted = codec_get_f64(in);
	j->thin = codec_get_u32(in);
	j->dependent = codec_get_u8(in);
	j->owned = codec_get_u32(in);
	if (in->bad || j->owned > JOINT_OWN)
		return -1;
	if (j->owned < JOINT_OWN) {
		j->own = must_calloc((size_t)JOINT_OWN * members, sizeof *j->own);
		codec_get_f64s(in, j->own, (size_t)j->owned * members);
	}
	return in->bad || !j->every ? -1 : 0;
}

struct rows *
joint_place(struct model *m, const struct stream_row *row)
{
	struct joint *j = m->joint;

	if (!j)
		return NULL;
	return row->key.field_length == 4 && !memcmp(row->key.field, "mean", 4) ? j->windows : j->rows;
}

void
joint_bind(struct model *m, struct stream *s)
{
	struct joint *j = m->joint;

	s->learning = false; /* what it is compared with belongs to the features */
	if (!strcmp(s->field, "mean")) {
		s->gain = must_calloc(ROWS_MAX, sizeof *s->gain);
		j->mean = s;
		return;
	}
	for (uint32_t i = 0; i < j->members; i++)
		j->member[i] = j->number[i] < m->streams ? m->stream[j->number[i]] : s;
	s->vector = j->vector;
	s->width = j->members;
	j->projections = s;
	common_scratch(m->common, j->members);
}
