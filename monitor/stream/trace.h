/* trace.h -- which records carried the evidence of an alert: of one test, the factors by which its statistic
 * grew with each record, for `driftd reproduce`. Nobody else pays more than a look at a pointer. */
#ifndef MONITOR_STREAM_TRACE_H
#define MONITOR_STREAM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/detector.h"
#include "monitor/stream/rows.h"

struct test;

enum { TRACE_RECORDS = 10 };

struct traced_record {
	char topic[256];
	int32_t partition;
	int64_t offset, time_ms; /* event time */
	double value;            /* NaN of categories ... */
	char category[64];       /* ... whose text, cut, is here; else "" */
	double growth;           /* ln of the statistic after it less ln before it */
};

struct trace {
	/* what to look for: set by the caller */
	const char *model, *segment, *kind, *field, *version, *method;
	int64_t from_ms;         /* records of earlier event time are not told */
	const char *topic;       /* of the record that opens the alert, the last that is told */
	int32_t partition;
	int64_t offset;
	/* found: most growth first */
	struct traced_record record[TRACE_RECORDS];
	uint32_t n;
	uint64_t records;        /* that the test used since from_ms */
	double growth;           /* of all that made it grow */
	double last;             /* statistic; 0 before the first */
	bool done;
	struct reading reading[ROWS_MAX];
};

/* Where run_test is to write its readings: NULL when nobody wants those of this test. */
struct reading *trace_readings(const struct test *t);
/* Rows [from, to) are what the test has really passed. */
void trace_rows(const struct test *t, const struct rows *rows, uint32_t from, uint32_t to);

#endif
