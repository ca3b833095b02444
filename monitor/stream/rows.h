/* rows.h -- a set of rows in merged order with the streams that have one value in each of them.
 *
 * A model has one set for its features, one per version for its predictions and one per version for the
 * outcomes of its labels. Rows are gathered until the set is full, a window closes or a commit is due, and
 * then go through the streams column by column. Where that cut falls changes nothing.
 */
#ifndef MONITOR_STREAM_ROWS_H
#define MONITOR_STREAM_ROWS_H

#include <stdbool.h>
#include <stdint.h>

struct ood;
struct segment;
struct stream;

enum { ROWS_MAX = 1024 }; /* a column of doubles is 8 KiB: 20 of them stay in the second-level cache */

struct rows {
	uint32_t n;
	uint32_t in_window;           /* rows of the open window, those that have left the batch too */
	struct segment *segment;      /* whose records these are; NULL: all */
	int64_t watermark_ms[ROWS_MAX];
	double advance_ms[ROWS_MAX];  /* watermark_ms less that of the row before; of the first: 0 */
	int64_t time_ms[ROWS_MAX];    /* event time of the record (labels: of the prediction) */
	uint8_t late[ROWS_MAX];       /* older than the current window: g is 0 */
	uint32_t partition[ROWS_MAX]; /* where the row came from: the identity of an alert */
	int64_t offset[ROWS_MAX];
	uint32_t row[ROWS_MAX];       /* of the batch that the message was */
	uint64_t sequence[ROWS_MAX];  /* number of the record in merged order */
	uint64_t order[ROWS_MAX];     /* keyless hash of (id, ts); 0: the stream makes one of (value, ts) */
	/* outcomes: the cells of the prediction's outputs and features (label/explain.h), EXPLAIN_UNKNOWN
	 * beyond those that it has; NULL: not kept */
	uint8_t *bins;                /* [ROWS_MAX][bins_stride] */
	uint32_t bins_stride, bins_used; /* no row has more than bins_used */
	uint16_t *combination;        /* [ROWS_MAX] beside bins: the segments of the prediction (segment.h) */
	bool any_late;
	struct ood *ood;              /* fills columns of its own before rows are passed on; NULL: nobody */
	struct stream **stream;       /* columns, in order of creation */
	uint32_t streams, stream_capacity;
};

#endif
