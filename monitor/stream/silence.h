/* silence.h -- do records of a model still come? The one alarm on a wall clock.
 *
 * How long a model may be silent is a function of its records: `no_data: auto` allows SILENCE_FACTOR
 * times the longest gap between two arrivals (Kafka timestamps) of the last two to four weeks, and
 * SILENCE_LEAST_MS at least. It is armed once arrivals span SILENCE_ARMED_MS, so that a weekend has
 * been seen. A gap that opened an alarm counts as no more than was allowed. How long the model has
 * been silent is told by the monotonic clock of the process: from its last record, the start, or the
 * end of an outage on, whichever came last, and only while everything that the brokers have was read.
 * So a daemon that was down, a broker that cannot be reached, and a backlog are no silence. The
 * alert's place is that of the last record, its times are event times; the next record resolves it.
 */
#ifndef MONITOR_STREAM_SILENCE_H
#define MONITOR_STREAM_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct codec;
struct model;
struct record;

#define SILENCE_FACTOR 3
#define SILENCE_LEAST_MS 600000     /* 10 min */
#define SILENCE_ARMED_MS 691200000  /* 8 d */
#define SILENCE_LONGEST_MS 2592000000 /* 30 d: a longer gap counts as this */
#define SILENCE_PERIOD_MS 1209600000 /* 14 d */
enum { SILENCE_TOPIC_BYTES = 256 };

struct silence {
	/* arrivals */
	int64_t first_ms, last_ms;  /* earliest in time of reading, and latest; INT64_MIN: none */
	int64_t period_ms;          /* begin of the present period */
	int64_t longest_ms[2];      /* gap of this period and of the one before */
	/* the last record */
	uint64_t records;
	int64_t watermark_ms, offset;
	int32_t partition;
	char topic[SILENCE_TOPIC_BYTES];
	/* the alert */
	bool open;
	char alert_id[33];
	/* of this process alone */
	uint32_t source_partition;  /* of the last record; UINT32_MAX: topic and partition say it */
	uint64_t heard;             /* records when the clock began */
	int64_t heard_ms;
	bool listening;             /* the clock runs */
};

void silence_init(struct silence *s);
void silence_arrival(struct silence *s, int64_t kafka_ms);
/* Silence that is allowed, ms; INT64_MAX: any. `configured`: model_config.no_data_ms. */
int64_t silence_allowed(const struct silence *s, int64_t configured);

/* A record of the model: resolves the alert. */
void silence_record(struct model *m, const struct record *r);
/* now_ms: monotonic. `ended`: everything that there is was read. `outage`: no broker can be reached. */
void silence_look(struct model *m, int64_t now_ms, bool ended, bool outage);

void silence_save(const struct model *m, struct codec *c);
void silence_load(struct silence *s, struct codec *c);

#endif
