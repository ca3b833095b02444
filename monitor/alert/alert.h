/* alert.h -- news of a stream as people read it: identity, text in five lines, explanation. */
#ifndef MONITOR_ALERT_ALERT_H
#define MONITOR_ALERT_ALERT_H

#include <stddef.h>
#include <stdint.h>

#include "detectors/kit/cells.h"
#include "detectors/runner.h"

struct alert_row;
struct common;
struct news;
struct outbound;
struct rows;
struct stream;
struct test;

/* The test crossed at row i: opens the episode and adds the news. */
void alert_open(struct test *t, const struct rows *rows, uint32_t i, struct outbound *out);
/* Enough outcomes came after the opening to say where hits concentrate. */
void alert_explained(struct stream *s, const struct rows *rows, uint32_t i, const struct effect *effect,
                     struct outbound *out);
/* An unbudgeted test alarmed at row i: a row that is resolved at once, and the test begins again. */
void alert_note(struct test *t, const struct rows *rows, uint32_t i, struct outbound *out);
void alert_worse(struct stream *s, const struct rows *rows, uint32_t i, const struct effect *effect,
                 struct outbound *out);
/* Closes the episode; `by`: "evidence", "command", "rebaseline", "removed". */
void alert_over(struct stream *s, uint64_t sequence, int64_t watermark_ms,
                const struct effect *effect, const char *by, struct outbound *out);
void alert_acknowledged(struct stream *s, uint64_t sequence, int64_t watermark_ms, struct outbound *out);
/* Sorts the news that are new by (sequence, stream), gives each its episode, writes the texts. To be called
 * when every row up to now went through its streams. */
void alert_settle(struct common *common, struct outbound *out);

const char *alert_severity(const struct news *n);   /* info, warning, critical */
/* Text of records inside JSON: quotes, backslashes and control bytes escaped, cut at 64 bytes. */
size_t alert_json_text(const char *text, uint32_t length, char *out, size_t size);
/* A cell in words: `"above":1,"to":2` or `"category":"x"`. */
size_t alert_cell_json(const struct stream *s, uint32_t cell, char *out, size_t size);
void alert_promise_words(const struct common *common, enum promise promise, char *out, size_t size);
/* The message of an episode for the outbox: JSON, malloc()ed. n: the news, NULL of the system. The message's
 * id, "EPISODE-NUMBER", is the same whenever the record is read. s NULL: an alert of the system. What the row
 * leaves out (NULL, INT64_MIN) is left out; NaN is null. The severity is added by store_put_outbox. */
char *alert_body(const struct alert_row *row, const struct stream *s, const char *event,
                 const struct news *n);
/* 2026-01-02T03:04:05.678Z; size >= 32. */
void time_text(int64_t ms, char *out, int size);

#endif
