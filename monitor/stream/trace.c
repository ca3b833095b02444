/* trace.c -- see trace.h. */
#include "monitor/stream/trace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "monitor/stream/model.h"

struct reading *
trace_readings(const struct test *t)
{
	const struct stream *s = t->stream;
	struct trace *trace = s->model->common->trace;

	if (!trace || trace->done)
		return NULL;
	return !strcmp(trace->model, s->model->name) && !strcmp(trace->segment, stream_segment(s)) &&
	       !strcmp(trace->kind, kind_table[s->kind].name) && !strcmp(trace->field, s->field) &&
	       !strcmp(trace->version, s->version) && !strcmp(trace->method, t->method) ? trace->reading : NULL;
}

static void
describe(struct traced_record *r, const struct stream *s, const struct rows *rows, uint32_t i)
{
	const struct common *common = s->model->common;

	*r = (struct traced_record){ .offset = rows->offset[i], .time_ms = rows->time_ms[i], .value = (double)NAN };
	snprintf(r->topic, sizeof r->topic, "%s",
	         common->topic(common->context, rows->partition[i], &r->partition));
	if (s->code && s->code[i] < s->categories->n)
		snprintf(r->category, sizeof r->category, "%.*s", (int)s->categories->length[s->code[i]],
		         s->categories->text[s->code[i]]);
	else if (!s->code && !s->vector)
		r->value = s->value[i];
}

/* Among the records with the most growth, if there is room or it has more than the least. */
static void
keep(struct trace *trace, const struct stream *s, const struct rows *rows, uint32_t i, double growth)
{
	uint32_t at = trace->n < TRACE_RECORDS ? trace->n : TRACE_RECORDS - 1;

	if (trace->n == TRACE_RECORDS && growth <= trace->record[at].growth)
		return;
	trace->n = at + 1;
	for (; at && trace->record[at - 1].growth < growth; at--)
		trace->record[at] = trace->record[at - 1];
	describe(&trace->record[at], s, rows, i);
	trace->record[at].growth = growth;
}

static bool
opens(const struct trace *trace, const struct stream *s, const struct rows *rows, uint32_t i)
{
	int32_t number = 0;
	const char *topic = s->model->common->topic(s->model->common->context, rows->partition[i], &number);

	return rows->offset[i] == trace->offset && number == trace->partition && !strcmp(topic, trace->topic);
}

void
trace_rows(const struct test *t, const struct rows *rows, uint32_t from, uint32_t to)
{
	const struct stream *s = t->stream;
	struct trace *trace = s->model->common->trace;

	if (!trace_readings(t))
		return;
	for (uint32_t i = from; i < to && !trace->done; i++) {
		double statistic = trace->reading[i].statistic, growth;

		trace->done = trace->reading[i].alarm && opens(trace, s, rows, i);
		if (isnan(statistic))
			continue;
		growth = trace->last > 0 && statistic > 0 ? log(statistic / trace->last) : 0;
		trace->last = statistic;
		if (rows->time_ms[i] < trace->from_ms)
			continue;
		trace->records++;
		if (growth <= 0)
			continue;
		trace->growth += growth;
		keep(trace, s, rows, i, growth);
	}
}
