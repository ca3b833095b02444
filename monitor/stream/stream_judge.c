/* stream_judge.c -- the tests of a stream over its rows. See stream.h. */
#include <math.h>
#include <stdint.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/reference.h"
#include "monitor/alert/alert.h"
#include "monitor/stream/model.h"
#include "monitor/stream/trace.h"

void
stream_records(const struct stream *s, const struct rows *rows, struct records *rec)
{
	*rec = (struct records){
		.n = rows->n,
		.width = 1,
		.value = s->value,
		.code = s->code,
		.watermark_ms = rows->watermark_ms,
		.advance_ms = rows->advance_ms,
		.late = rows->any_late ? rows->late : NULL,
		.time_ms = rows->time_ms,
	};
	if (s->vector) {
		rec->value = s->vector;
		rec->width = s->width;
	}
	rec->gain = s->gain;
	if (s->season) {
		uint32_t *key = s->model->common->key;

		for (uint32_t i = 0; i < rows->n; i++)
			key[i] = stream_key(s, rows, i);
		rec->key = key;
	}
	if (s->code) {
		rec->value = NULL;
		rec->categories = s->categories->n;
		rec->text = (const char *const *)s->categories->text;
		rec->text_len = s->categories->length;
	}
}

/* The rows as this test sees them: a copy in standard deviations of the reference where it wants that. */
static void
standardise(const struct test *t, struct records *rec, uint32_t from)
{
	double *column = t->stream->model->common->column;

	for (uint32_t i = from; i < rec->n; i++)
		column[i] = (rec->value[i] - t->centre) / t->scale;
	rec->value = column;
}

/* Is what the evidence points to large enough to matter? Tests with the tolerance inside their null say so
 * by crossing; where nothing can be told of the size, the crossing stands. */
bool
test_material(const struct test *t)
{
	double min_effect = t->stream->model->config->min_effect, rate;
	struct change ch = { 0 };

	if (!runner_change(t->runner, &ch) || !ch.records)
		return t->tolerant;
	if (t->stream->kind == STREAM_JOINT)
		min_effect = joint_min_effect(t->stream, ch.cell);
	if (t->stream->type == STREAM_NUMERIC)
		return fabs(ch.effect) >= min_effect;
	rate = fmin(fmax(ch.old_value, 1e-9), 1 - 1e-9); /* of a cell: in its own standard deviations */
	return fabs(ch.effect) >= min_effect * sqrt(rate * (1 - rate));
}

/* Rows [from, to) until an alarm that matters. A warm-up that ends with them is kept: it is the reference
 * that makes this test again. */
static uint32_t
run_test(struct test *t, const struct records *rows, uint32_t from, uint32_t to, bool *alarm)
{
	struct records rec = *rows;
	struct reference ref;

	rec.n = to;
	if (t->scale > 0)
		standardise(t, &rec, from);
	do
		from = runner_update(t->runner, &rec, from, t->stream->model->common->scratch,
		                     trace_readings(t), alarm);
	while (*alarm && !t->tolerant && !test_material(t) && from < to);
	*alarm = *alarm && (t->tolerant || test_material(t));
	if (runner_take_warmup(t->runner, &ref))
		test_keep_warmup(t, &ref);
	return from;
}

/* Up to the next alarm that is noted; UINT32_MAX: there is none before `to`. */
static uint32_t
next_note(struct test *t, const struct records *rec, uint32_t from, uint32_t to)
{
	while (t->runner && from < to) {
		bool alarm = false;

		from = run_test(t, rec, from, to, &alarm);
		if (alarm && t->role == TEST_UNBUDGETED)
			return from;
	}
	return UINT32_MAX;
}

/* Each test runs ahead to its next alarm; the alarms are noted in the order of their rows, each when the rows
 * up to it and no others are counted. */
uint32_t
stream_evidence(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to, struct outbound *out)
{
	uint32_t next[LIMIT_TESTS], first;
	struct records rec;

	stream_records(s, rows, &rec);
	for (uint32_t i = s->pagers; i < s->tests; i++)
		next[i] = next_note(&s->test[i], &rec, from, to);
	for (;;) {
		first = s->pagers;
		for (uint32_t i = s->pagers; i < s->tests; i++)
			first = next[i] < next[first] ? i : first;
		if (s->pagers == s->tests || next[first] == UINT32_MAX)
			return from;
		stream_count(s, rows, from, next[first]);
		from = next[first];
		alert_note(&s->test[first], rows, from - 1, out);
		next[first] = next_note(&s->test[first], &rec, from, to);
	}
}

/* States of the paging tests before rows that they may have to take back. */
struct kept_states {
	size_t at[LIMIT_TESTS + 1];
};

static void
keep_states(struct stream *s, struct kept_states *kept)
{
	struct common *common = s->model->common;

	kept->at[0] = 0;
	for (uint32_t i = 0; i < s->pagers; i++) {
		struct codec c = { .measure = true, .size = SIZE_MAX };

		if (s->test[i].runner)
			runner_save(s->test[i].runner, &c);
		kept->at[i + 1] = kept->at[i] + c.at;
	}
	common_bytes(common, kept->at[s->pagers]);
	for (uint32_t i = 0; i < s->pagers; i++) {
		struct codec c = { .data = common->bytes + kept->at[i],
			           .size = kept->at[i + 1] - kept->at[i] };

		if (s->test[i].runner)
			runner_save(s->test[i].runner, &c);
	}
}

/* Test i goes from the state that it had before row `from` to row `to` again. */
static void
take_back(struct stream *s, const struct kept_states *kept, uint32_t i, const struct records *rec,
          uint32_t from, uint32_t to)
{
	struct codec c = { .data = s->model->common->bytes + kept->at[i],
		           .size = kept->at[i + 1] - kept->at[i] };
	struct diag d = { "" };
	bool alarm;

	must(runner_load(s->test[i].runner, &c, &d) == 0);
	run_test(&s->test[i], rec, from, to, &alarm);
}

static bool
warming_up(const struct test *t)
{
	struct runner_status st;

	runner_status(t->runner, &st);
	return st.warming_up;
}

/* The paging tests until one crosses. Each test goes as far as it can; where one
 * crosses before the row that another has reached, that one is put back to it. Tests that warm up come
 * last, because a state of their warm-up cannot be put back once it is over; a stream has one at most. */
uint32_t
stream_judge(struct stream *s, const struct rows *rows, uint32_t from, uint32_t to, struct test **crossed)
{
	struct kept_states kept;
	bool ran[LIMIT_TESTS] = { false };
	struct records rec;

	stream_records(s, rows, &rec);
	if (s->pagers > 1)
		keep_states(s, &kept);
	for (uint32_t k = 0; k < 2 * s->pagers; k++) {
		uint32_t i = k % s->pagers, end;
		struct test *t = &s->test[i];
		bool alarm = false;

		if (!t->runner || ran[i] || (k < s->pagers && warming_up(t)))
			continue;
		ran[i] = true;
		end = run_test(t, &rec, from, to, &alarm);
		if (!alarm || (*crossed && end == to))
			continue;
		*crossed = t;
		for (uint32_t j = 0; j < s->pagers && end < to; j++)
			if (j != i && ran[j])
				take_back(s, &kept, j, &rec, from, end);
		to = end;
	}
	for (uint32_t i = 0; s->model->common->trace && i < s->pagers; i++)
		trace_rows(&s->test[i], rows, from, to);
	return to;
}
