/* pipeline_inside.h -- the parts of pipeline.c and pipeline_commit.c. */
#ifndef MONITOR_PIPELINE_INSIDE_H
#define MONITOR_PIPELINE_INSIDE_H

#include "monitor/decode/record.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "monitor/stream/model.h"

/* So many rows of statistics wait at least before they are rolled up between two commits. */
enum { ROLL_ROWS = 16384 };

/* How far a partition has been processed: what the `offsets` table will say. */
struct position {
	int64_t next, anchor;
	uint64_t anchor_hash;
	int64_t written_next, written_end, saved_next, saved_end; /* in the transaction, in the database */
	bool touched;       /* known since the start: its row is ours to write */
	bool held;          /* a label of it waits in the run: `next` stays before it */
	/* of this process alone, for metrics */
	uint64_t records, bytes; /* messages */
	int64_t kafka_ms;   /* timestamp of the last one; 0 none */
	int64_t skew_ms;    /* its timestamp less its ts, if `skewed` */
	bool skewed;
};

struct held_label {
	struct label_event event;
	uint64_t message_hash;
};

struct resume_list {
	struct resume *item;
	size_t n, capacity;
};

struct pipeline {
	const struct config *config;
	struct store *store;
	struct source *source;
	struct merge *merge;
	struct common common;
	/* [models] in order of their creation, which is that of their ids: the decoder's numbers are given where
	 * records are read ahead, and others after a restart, so nothing may follow from them */
	struct model **model;
	size_t models, model_capacity;
	struct model **numbered;    /* [numbers] by the decoder's number; NULL: not seen yet */
	size_t numbers, number_capacity;
	uint32_t ranked;            /* models so far that no name in the configuration lists */
	struct position *position;  /* [positions] by partition of the source */
	size_t positions, position_capacity;
	struct held_label *held;    /* labels of equal ts, to be taken in order of their id's hash */
	size_t helds, held_capacity;
	int64_t tick_ms, next_tick_ms;
	uint64_t rejected[REJECT_COUNT], rejected_saved[REJECT_COUNT], rejected_total;
	struct resume_list resume;
	uint64_t commit_bytes;
	size_t roll_at;             /* so many rows of statistics wait: roll them up */
	bool dirty, stop;
	bool within;                /* more rows follow of the message of the last record */
	int64_t *command_done;      /* executed, to be marked in the transaction */
	char (*command_result)[160];
	size_t commands, command_capacity, result_capacity;
	struct forget *forget;      /* [forgets] what `driftd forget` takes out with the next commit */
	size_t forgets, forget_capacity;
	uint32_t *removed;          /* [removals] models that the configuration names no more */
	size_t removals, removed_capacity;
	bool last;                  /* the next commit is that of a clean stop */
	bool (*interrupted)(void *context); /* asked during long work; may be NULL */
	void *interrupt_context;
};

struct model *pipeline_model(struct pipeline *p, uint32_t number);
/* pipeline_admit.c: the same for one that a record names; NULL when there are `models_max` already. */
struct model *pipeline_admit(struct pipeline *p, uint32_t number);
/* The record of such a model is counted and noted. */
void pipeline_refuse_model(struct pipeline *p, const struct record *r);
void pipeline_reject(struct pipeline *p, const struct record *r);
void pipeline_flush_held(struct pipeline *p);
/* pipeline_roll.c: rows of statistics that wait and are old already become hours and days. */
void pipeline_roll(struct pipeline *p);
/* pipeline_commit.c: a message of an alert. */
int pipeline_put_outbox(struct pipeline *p, const struct alert_row *row, const struct stream *s,
                        const char *event, const struct news *n);
int pipeline_put_silence(struct pipeline *p, const struct silence_out *o); /* pipeline_silence.c */
void pipeline_note_put(const struct statistics_out *o);
/* pipeline_refit.c: records of the model with from <= ts < to go once more into the streams that stream_refit
 * has prepared. *span: what was found of it (rows, from, to, hash). ERR_BUSY: interrupted. */
int pipeline_refit(struct pipeline *p, struct model *m, int64_t from_ms, int64_t to_ms, struct ref_row *span,
                   struct diag *d);
/* pipeline_control.c: commands of people, executed between two transactions. */
void pipeline_run_commands(struct pipeline *p);

/* Up to `max` records: a step but for what waits for its verdict (pipeline_verdicts.c). */
enum pipeline_step pipeline_records(struct pipeline *p, uint32_t max, int64_t now_ms);
/* pipeline_forget.c: in memory; in the transaction, after the models were put; after it has landed. */
struct command_row;
void pipeline_forget(struct pipeline *p, const struct command_row *c);
int pipeline_forget_put(struct pipeline *p);
void pipeline_forget_landed(struct pipeline *p);
void pipeline_forget_finish(struct pipeline *p);

/* pipeline_tenant.c: a database belongs to the tenant that created it. ERR_INVALID: to another one. */
int pipeline_tenant(struct pipeline *p, struct diag *d);

/* pipeline_metrics.c */
void pipeline_count_record(struct position *at, const struct record *r);

/* pipeline_removed.c: a model of the database that the configuration names no more; then, when everything is
 * loaded, alerts of such models are resolved, and those of models that are back are not open any more. */
int pipeline_note_removed(struct pipeline *p, uint32_t model_id, const char *name, size_t length);
int pipeline_removed(struct pipeline *p, struct diag *d);

/* pipeline_commit.c: which episodes are open, when that has changed. */
int pipeline_put_episodes(struct pipeline *p);

void pipeline_prefetch(const struct pipeline *p); /* pipeline_prefetch.c: after merge_next gave a record */

#endif
