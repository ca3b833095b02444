/* verdict_topic.h -- each record's verdict as a message, for gating at serving time: `ood: {verdicts:
 * TOPIC}`.
 *
 *     {"id":"a1","model":"m","version":"7","ts":1700000000123,
 *      "ood":{"out":true,"p":0.0004,"score":-0.0004,"reason":"knn","members":{"energy":0.2,"knn":0.0004}}}
 *
 * The key is the record's id. A verdict depends on the record and the reference alone. It is sent as soon as
 * it is there, before the commit: after a crash those since the last commit are sent again, the same. A queue
 * that is full (the brokers do not answer) drops verdicts, counted and told, and never stops the pipeline.
 */
#ifndef MONITOR_OOD_VERDICT_TOPIC_H
#define MONITOR_OOD_VERDICT_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct diag;
struct verdict_topic;

/* One verdict; everything belongs to the caller. */
struct verdict_out {
	const char *topic;         /* of the model */
	const char *model, *version, *id;
	size_t model_length, version_length, id_length; /* id_length 0: it has none */
	int64_t ts;
	double p, score;
	bool out;                  /* above the threshold */
	uint32_t scores, reason;   /* members, and which is the least */
	const char *const *name;   /* [scores] */
	const double *member;      /* [scores] */
};

/* Does a model of the configuration want verdicts sent? */
bool verdict_topic_wanted(const struct config *config);
int verdict_topic_open(struct verdict_topic **out, const struct config *config, const char *bootstrap,
                       struct diag *d);
/* The callback of pipeline_on_verdict: `context` is the struct verdict_topic. */
void verdict_topic_send(void *context, const struct verdict_out *v);
/* Waits a few seconds for what is under way. NULL is fine. */
void verdict_topic_close(struct verdict_topic *t);

#endif
