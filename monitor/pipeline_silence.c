/* pipeline_silence.c -- models of which no records come (stream/silence.h): looked for, and written. */
#include <math.h>
#include <string.h>

#include "monitor/pipeline_inside.h"
#include "storage/store.h"

void
pipeline_silence(struct pipeline *p, int64_t now_ms, bool ended, bool outage)
{
	for (size_t i = 0; i < p->models; i++)
		silence_look(p->model[i], now_ms, ended, outage);
}

int
pipeline_put_silence(struct pipeline *p, const struct silence_out *o)
{
	const double none = (double)NAN;
	const char *event = o->over ? "resolved" : "open";
	struct alert_row row = {
		.kind = "no_data",
		.severity = "critical",
		.promise = "certified",
		.promise_words = "outside the budget",
		.method = "silence",
		.state = event,
		.resolved_by = o->over ? "evidence" : NULL,
		.statistic = none,
		.effect = none,
		.effect_low = none,
		.effect_high = none,
		.old_value = none,
		.new_value = none,
		.opened_ms = o->opened_ms,
		.started_ms = o->opened_ms,
		.updated_ms = o->at_ms,
		.resolved_ms = o->over ? o->at_ms : INT64_MIN,
		.topic = o->topic,
		.partition = o->partition,
		.offset = o->offset,
		.harm = "nothing is judged meanwhile",
		.text = o->text,
		.model = o->model,
		.message = o->over ? 2 : 1,
	};
	int err;

	memcpy(row.alert_id, o->alert_id, sizeof row.alert_id);
	memcpy(row.episode_id, o->alert_id, sizeof row.episode_id);
	err = o->over ? store_update_alert(p->store, &row) : store_insert_alert(p->store, &row);
	if (!err)
		err = store_put_alert_event(p->store, row.alert_id, row.message, event, o->at_ms, none, none,
		                            o->text);
	return err ? err : pipeline_put_outbox(p, &row, NULL, event, NULL);
}
