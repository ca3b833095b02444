/* pipeline_metrics.c -- what only the pipeline knows of topics, models and features, for /metrics: figures of
 * this process, which begin again with it. The others come from the database (storage/exposition.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/pipeline_inside.h"
#include "storage/exposition.h"

void
pipeline_count_record(struct position *at, const struct record *r)
{
	at->records += r->row == 0; /* a message may be a batch */
	at->bytes += r->bytes;
	if (r->kafka_ms == INT64_MIN)
		return;
	at->kafka_ms = r->kafka_ms;
	if (!r->reject && r->parts & RECORD_HAS_TS) {
		at->skew_ms = r->kafka_ms - r->ts;
		at->skewed = true;
	}
}

/* -- topics ------------------------------------------------------------------------------------------- */

struct topic {
	const char *name;
	uint64_t records, bytes;
	int64_t kafka_ms, skew_ms;
	bool skewed;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct topic *)a)->name, ((const struct topic *)b)->name);
}

/* The partitions of a topic are one: the sums, the latest arrival, and the skew of that. */
static size_t
topics(const struct pipeline *p, struct topic *out)
{
	int32_t number;
	size_t n = 0;

	for (size_t i = 0; i < p->positions; i++)
		out[i] = (struct topic){ p->common.topic(p->common.context, (uint32_t)i, &number), p->position[i].records,
		                         p->position[i].bytes, p->position[i].kafka_ms, p->position[i].skew_ms,
		                         p->position[i].skewed };
	qsort(out, p->positions, sizeof *out, by_name);
	for (size_t i = 0; i < p->positions; i++) {
		struct topic *last = n ? &out[n - 1] : NULL;

		if (!last || strcmp(last->name, out[i].name)) {
			out[n++] = out[i];
			continue;
		}
		last->records += out[i].records;
		last->bytes += out[i].bytes;
		if (out[i].kafka_ms > last->kafka_ms) {
			last->kafka_ms = out[i].kafka_ms;
			last->skew_ms = out[i].skew_ms;
			last->skewed = out[i].skewed;
		}
	}
	return n;
}

static double
records_of(const struct topic *t)
{
	return (double)t->records;
}

static double
bytes_of(const struct topic *t)
{
	return (double)t->bytes;
}

static double
last_of(const struct topic *t)
{
	return !t->kafka_ms ? (double)NAN : (double)t->kafka_ms / 1000;
}

static double
skew_of(const struct topic *t)
{
	return !t->skewed ? (double)NAN : (double)t->skew_ms / 1000;
}

static void
write_topics(const struct pipeline *p, FILE *out)
{
	static const struct {
		const char *name, *type, *help;
		double (*value)(const struct topic *t); /* NaN: no line */
	} family[] = {
		{ "driftd_records_consumed_total", "counter", "Messages taken from a topic.", records_of },
		{ "driftd_record_bytes_total", "counter", "Bytes of their values.", bytes_of },
		{ "driftd_last_record_timestamp_seconds", "gauge", "Kafka timestamp of the latest message.", last_of },
		{ "driftd_event_time_skew_seconds", "gauge", "How far the event time of the latest message is before its "
		                                             "Kafka timestamp.", skew_of },
	};
	struct topic *topic = must_calloc(p->positions + 1, sizeof *topic);
	size_t n = topics(p, topic);

	for (size_t k = 0; k < sizeof family / sizeof family[0]; k++) {
		exposition_head(out, family[k].name, family[k].type, family[k].help);
		for (size_t i = 0; i < n; i++) {
			double value = family[k].value(&topic[i]);

			if (isnan(value))
				continue;
			fprintf(out, "%s{", family[k].name);
			exposition_label(out, "topic", topic[i].name, strlen(topic[i].name));
			fprintf(out, "} %.17g\n", value);
		}
	}
	free(topic);
}

/* -- models ------------------------------------------------------------------------------------------- */

static void
model_line(FILE *out, const char *name, const struct model *m)
{
	fprintf(out, "%s{", name);
	exposition_label(out, "model", m->name, m->name_length);
}

static void
write_models(const struct pipeline *p, FILE *out)
{
	exposition_head(out, "driftd_join_entries_limit", "gauge",
	                "Predictions of a model that may wait for a label.");
	for (size_t k = 0; k < p->models; k++)
		if (p->model[k] && p->model[k]->labels) {
			model_line(out, "driftd_join_entries_limit", p->model[k]);
			fprintf(out, "} %u\n", p->model[k]->config->labels_capacity);
		}
	exposition_head(out, "driftd_fields_missing_total", "counter", "Records in which a feature was missing.");
	for (size_t k = 0; k < p->models; k++)
		for (uint32_t i = 0; p->model[k] && i < p->model[k]->streams; i++) {
			const struct stream *s = p->model[k]->stream[i];

			if (s->kind != STREAM_FEATURE || s->segment)
				continue;
			model_line(out, "driftd_fields_missing_total", p->model[k]);
			fputc(',', out);
			exposition_label(out, "feature", s->field, s->field_length);
			fprintf(out, "} %llu\n", (unsigned long long)(s->missed + s->summary.missing));
		}
}

void
pipeline_metrics(const struct pipeline *p, FILE *out)
{
	write_topics(p, out);
	write_models(p, out);
}
