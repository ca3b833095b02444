/* pipeline_removed.c -- models that left the configuration: their state stays, for they may come back, but
 * nothing will ever end their alerts, so these are resolved at the start, by nobody's evidence. */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/label/explain.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"
#include "storage/store.h"

int
pipeline_note_removed(struct pipeline *p, uint32_t model_id, const char *name, size_t length)
{
	uint32_t open = store_model_alerts(p->store, model_id);

	log_event(LOG_WARN, "model_removed", "model %.*s is in the database but no longer configured; its state "
	          "stays, its %u open alerts are resolved", (int)length, name, open);
	if (!open)
		return 0;
	p->removed = must_grow(p->removed, &p->removed_capacity, p->removals + 1, sizeof *p->removed);
	p->removed[p->removals++] = model_id;
	return 0;
}

/* What is open of each episode is what the alerts say. */
static void
count_open(struct pipeline *p)
{
	struct episodes *e = &p->common.episodes;

	for (size_t i = e->n; i-- > 0;) {
		e->item[i].open = store_episode_open(p->store, e->item[i].id);
		if (!e->item[i].open)
			e->item[i] = e->item[--e->n];
	}
	e->dirty = true;
}

/* The stream of a model that is back: its alert was resolved while it was away. */
static void
resume_stream(struct pipeline *p, struct stream *s)
{
	if (!s->episode.open || !store_alert_removed(p->store, s->episode.alert_id))
		return;
	episode_close(&s->episode);
	s->settled_open = false;
	if (s->explain)
		explain_closed(s->explain);
	stream_suspend(s, s->episode.expected);
	s->model->dirty = s->dirty = true;
}

static void
resume_models(struct pipeline *p)
{
	for (size_t k = 0; k < p->models; k++) {
		struct model *m = p->model[k];

		for (uint32_t i = 0; m && i < m->streams; i++)
			resume_stream(p, m->stream[i]);
		if (m && m->silence.open && store_alert_removed(p->store, m->silence.alert_id)) {
			m->silence.open = false;
			m->dirty = true;
		}
	}
}

int
pipeline_removed(struct pipeline *p, struct diag *d)
{
	int err;

	resume_models(p);
	if (!p->removals)
		return 0;
	err = store_begin(p->store, d);
	if (err)
		return err;
	for (size_t i = 0; i < p->removals && !err; i++)
		err = store_remove_alerts(p->store, p->removed[i]);
	if (!err) {
		count_open(p);
		(void)pipeline_put_episodes(p); /* the commit tells */
	}
	err = store_commit(p->store, d);
	if (!err)
		p->common.episodes.dirty = false;
	return err;
}
