/* outbound.h -- what the next commit will write besides states: kept in memory until it has landed, so that
 * a failed transaction can be tried again as it is.
 */
#ifndef MONITOR_ALERT_OUTBOUND_H
#define MONITOR_ALERT_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/detector.h"
#include "detectors/kit/cells.h"
#include "detectors/runner.h"
#include "monitor/alert/diagnosis.h"
#include "storage/store.h"

struct findings;
struct record;
struct stream;

enum news_kind { NEWS_OPEN, NEWS_WORSE, NEWS_OVER, NEWS_ACKNOWLEDGED, NEWS_EXPLAINED, NEWS_NOTE };

/* Something that happened to an alert, with everything that was known at that record. */
struct news {
	enum news_kind kind;
	struct stream *stream;     /* NULL: an alert of the system (gap) */
	uint64_t sequence;         /* of the record in merged order: the order of news */
	uint32_t event;            /* number of the event within its alert, from 1 */
	char alert_id[33];
	char episode_id[33];       /* set when news are sorted */
	int64_t at_ms;             /* watermark */
	int64_t opened_ms, started_ms;
	uint32_t partition;        /* of the opening record */
	int64_t offset;
	uint32_t row;
	double statistic;
	struct effect effect;
	uint32_t cell;             /* categorical: the watched one */
	enum promise promise;
	const char *resolved_by;   /* NEWS_OVER: static text */
	const char *method;
	uint32_t step;
	const char *season;        /* static text; "" none */
	/* set when news are sorted: what is told of it, to the outbox (episodes.h) */
	const char *told;          /* event of the message: open, updated, ...; NULL: none */
	uint32_t message;          /* its number within the episode */
	char lead[33];             /* alert that it is about */
	uint32_t lead_stream;      /* id of that alert's stream */
	int64_t lead_opened_ms, lead_started_ms;
	char *alerts;              /* open alerts of the episode, JSON, malloc()ed, or NULL */
	uint32_t others;           /* of them beside this one */
	char harm[160];            /* coverage or error when the present window began */
	struct standing standing;  /* of each kind of uncertainty then */
	char moved[128], diagnosis[640]; /* diagnosis.h; set when news are sorted, "": nothing to say */
	char *explanation;         /* JSON or NULL, malloc()ed */
	struct findings *findings; /* where hits concentrate, or NULL, malloc()ed */
	char *text;                /* five lines, malloc()ed; filled when sorted */
	char reason[64];           /* system alerts: gap reason */
	char detail[256];
};

struct statistics_out {
	struct stream *stream;
	struct statistics_row row;  /* stream_id is filled at the commit; histogram malloc()ed or NULL */
	bool open;                  /* of a window that goes on: a clean stop */
};

struct rejected_out {
	uint64_t number;
	uint32_t partition;
	int64_t offset;
	const char *reason;
	char detail[96];
	uint8_t *sample;
	uint32_t sample_length;
};

struct gap_out {
	uint32_t partition;
	int64_t from, to, at_ms;
	char reason[32];
	bool put;                   /* in the transaction that is under way */
};

/* No records of a model (stream/silence.h). */
struct silence_out {
	bool over;
	const char *model;
	char alert_id[33];
	int64_t opened_ms, at_ms;
	char topic[256];
	int32_t partition;
	int64_t offset;
	char text[1800];
};

struct outbound {
	struct news *news;
	size_t news_count, news_capacity;
	size_t news_sorted;         /* the first so many have their episode and text */
	struct statistics_out *statistics;
	size_t statistics_count, statistics_capacity;
	struct rejected_out *rejected;
	size_t rejected_count, rejected_capacity;
	struct gap_out *gap;
	size_t gaps, gap_capacity;
	struct silence_out *silence;
	size_t silences, silence_capacity;
	bool alert;                 /* news to be delivered: commit soon */
};

/* Each returns a zeroed new element; ends the process when memory fails (nothing is lost: the
 * transaction did not happen). */
struct news *outbound_news(struct outbound *o);
struct statistics_out *outbound_statistics(struct outbound *o);
struct rejected_out *outbound_rejected(struct outbound *o, const struct record *r, uint64_t number);
struct gap_out *outbound_gap(struct outbound *o);
struct silence_out *outbound_silence(struct outbound *o);
void outbound_clear(struct outbound *o); /* after a commit has landed; gaps that were not put stay */
void outbound_finish(struct outbound *o);

/* malloc and friends for what cannot be done without: on failure a sentence and exit 70. */
void must(bool ok);
void *must_calloc(size_t n, size_t size);
void *must_grow(void *array, size_t *capacity, size_t need, size_t size);
char *must_strndup(const char *text, size_t length);

#endif
