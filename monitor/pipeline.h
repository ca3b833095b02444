/* pipeline.h -- the whole path: records in merged order, through models and streams, into one transaction.
 *
 * The pipeline owns the models and what they share; the caller owns configuration, store and source. A
 * failed commit leaves everything as it was in memory: call pipeline_commit again later and take no records
 * meanwhile.
 */
#ifndef MONITOR_PIPELINE_H
#define MONITOR_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct config;
struct diag;
struct notes;
struct pipeline;
struct resume;
struct source;
struct store;
struct verdict_out;
struct decoder;

/* Loads what the store holds. `errors` etc. go to the log. */
int pipeline_create(struct pipeline **out, const struct config *config, struct store *store,
                    struct diag *d);
void pipeline_destroy(struct pipeline *p); /* NULL is fine; nothing is committed */
struct decoder *pipeline_decoder(struct pipeline *p);
/* Offsets to resume at; valid until pipeline_attach. */
const struct resume *pipeline_resume(const struct pipeline *p, size_t *n);

/* References from files, before any record: `progress` (may be NULL) is told bytes done and in all. */
typedef void (*progress_fn)(void *context, uint64_t done, uint64_t total);
int pipeline_fit(struct pipeline *p, char *const *path, size_t paths, progress_fn progress, void *context,
                 struct diag *d);
/* From the records of the attached source with from <= ts < to (epoch ms), up to its end. */
int pipeline_fit_span(struct pipeline *p, int64_t from_ms, int64_t to_ms, struct diag *d);
/* Files named by `reference: {file: ...}` of models that have no reference yet. */
int pipeline_fit_configured(struct pipeline *p, struct diag *d);

int pipeline_attach(struct pipeline *p, struct source *source, struct diag *d);
/* Asked now and then during work that takes long (reading a span of the past again): true = give it up. */
/* Each verdict of a model with `ood: {verdicts: ..}` goes to `send`, at the end of the step at the latest. */
void pipeline_on_verdict(struct pipeline *p, void (*send)(void *context, const struct verdict_out *v),
                         void *context);
void pipeline_on_long_work(struct pipeline *p, bool (*interrupted)(void *context), void *context);

enum pipeline_step {
	PIPELINE_MORE, /* `max` records were taken; there may be more */
	PIPELINE_WAIT, /* some partition is pending */
	PIPELINE_END,  /* every partition is at its end */
	PIPELINE_STOP, /* a gap with on_gap: stop, or a fatal error of the source: the log says why */
};
/* Takes up to max records. now_ms: monotonic clock for merge_stall, 0 = wait for ever. */
enum pipeline_step pipeline_step(struct pipeline *p, uint32_t max, int64_t now_ms);

/* Are there models of which no records come (stream/silence.h)? To be called between steps. now_ms:
 * monotonic clock; `ended`: the last step was PIPELINE_END; `outage`: no broker can be reached. */
void pipeline_silence(struct pipeline *p, int64_t now_ms, bool ended, bool outage);

/* Everything so far in one transaction. ERR_BUSY, ERR_FULL: try again; else stop. */
int pipeline_commit(struct pipeline *p, struct diag *d);
/* A row of `runs` with the next commit, and a warning in the log. */
#define pipeline_note(p, event, ...) notes_add(pipeline_notes(p), event, __VA_ARGS__)
struct notes *pipeline_notes(struct pipeline *p);
/* The open windows' rows as they stand, for the last commit of a clean stop. */
void pipeline_put_open_windows(struct pipeline *p);
/* Records, bytes of the last commit, alerts waiting to be committed. */
struct pipeline_status {
	uint64_t records, rejected;
	uint64_t commit_bytes;
	bool alert_waiting, dirty;
	int64_t watermark_ms;
	size_t bytes; /* memory, as far as it is ours */
	uint32_t models, streams;
};
void pipeline_status(const struct pipeline *p, struct pipeline_status *out);
/* One test is traced from now on (stream/trace.h); the trace stays the caller's. */
struct trace;
void pipeline_trace(struct pipeline *p, struct trace *trace);
/* What only the pipeline knows of topics, models and features, in Prometheus' text format; counters of this
 * process. */
void pipeline_metrics(const struct pipeline *p, FILE *out);

#endif
