/* pipeline_fit.c -- references from files or from a span of the topics; see pipeline.h. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/decode/decode.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"
#include "monitor/source/merge.h"

enum { BATCH = 256 };

/* First pass over files: which values of segments are frequent. */
static void
count_record(struct pipeline *p, const struct record *r)
{
	struct model *m = r->reject ? NULL : pipeline_admit(p, r->model);

	if (m)
		model_count_record(m, r);
}

static bool
has_segments(const struct config *c)
{
	bool any = c->defaults.segments.n || c->defaults.coverage_groups.n;

	for (size_t i = 0; i < c->models + c->patterns; i++)
		any |= c->model[i].segments.n || c->model[i].coverage_groups.n;
	return any;
}

static void
choose_segments(struct pipeline *p)
{
	for (size_t i = 0; i < p->models; i++)
		segments_choose(p->model[i]);
}

static void
fit_record(struct pipeline *p, const struct record *r, int64_t from_ms, int64_t to_ms)
{
	struct model *m;

	if (r->reject || r->ts < from_ms || r->ts >= to_ms)
		return;
	m = pipeline_admit(p, r->model);
	if (m)
		model_fit_record(m, r);
}

static int
end_fit(struct pipeline *p, struct diag *d)
{
	uint64_t rows = 0;
	int err = 0;

	for (size_t i = 0; i < p->models && !err; i++)
		if (p->model[i]->ref.rows) {
			model_flush(p->model[i]); /* still into the references */
			rows += p->model[i]->ref.rows;
		}
	p->common.fitting = false;
	for (size_t i = 0; i < p->models && !err; i++)
		if (p->model[i]->ref.rows)
			err = model_fitted(p->model[i], d);
	p->dirty = true;
	if (!err && !rows)
		err = diag_set(d, ERR_INVALID, "no usable record to fit a reference from: see the "
		               "messages above, and `driftd explain models.fields`");
	return err;
}

static int
fit_file(struct pipeline *p, char *path, bool count, progress_fn progress, void *context, struct diag *d)
{
	struct source *source;
	struct record r;
	struct message batch[BATCH];
	enum partition_state state = PARTITION_PENDING;
	int err = source_file_open(&source, &path, 1, p->common.decoder, NULL, 0, d);
	uint64_t refused = 0;

	if (err)
		return err;
	record_init(&r);
	while (state != PARTITION_END) {
		size_t n = source->vtable->take(source, 0, batch, BATCH, &state);
		uint64_t done, total;

		for (size_t i = 0; i < n; i++) {
			decode(p->common.decoder, &batch[i], &r);
			if (count) {
				count_record(p, &r);
				continue;
			}
			if (r.reject && !refused++)
				log_event(LOG_WARN, "fit", "%s:%lld: %s: %s", path,
				          (long long)batch[i].offset + 1, reject_text(r.reject), r.detail);
			fit_record(p, &r, INT64_MIN, INT64_MAX);
		}
		source_file_progress(source, &done, &total);
		if (progress && !count)
			progress(context, done, total);
	}
	if (refused)
		log_event(LOG_WARN, "fit", "%s: %llu records could not be used", path,
		          (unsigned long long)refused);
	record_finish(&r);
	source->vtable->close(source);
	return 0;
}

int
pipeline_fit(struct pipeline *p, char *const *path, size_t paths, progress_fn progress, void *context,
             struct diag *d)
{
	int err = 0;

	p->common.fitting = true;
	for (size_t i = 0; i < p->models; i++)
		model_refit(p->model[i]);
	for (size_t i = 0; i < paths && !err && has_segments(p->config); i++)
		err = fit_file(p, path[i], true, NULL, NULL, d);
	choose_segments(p);
	for (size_t i = 0; i < paths && !err; i++)
		err = fit_file(p, path[i], false, progress, context, d);
	return err ? err : end_fit(p, d);
}

int
pipeline_fit_span(struct pipeline *p, int64_t from_ms, int64_t to_ms, struct diag *d)
{
	const struct record *r;
	int64_t watermark_ms;

	p->common.fitting = true;
	for (size_t i = 0; i < p->models; i++)
		model_refit(p->model[i]);
	for (;;) {
		enum merge_result result = merge_next(p->merge, 0, &r, &watermark_ms);

		if (result == MERGE_END)
			break;
		if (result == MERGE_WAIT)
			p->source->vtable->wait(p->source, 1000, -1);
		else
			fit_record(p, r, from_ms, to_ms);
	}
	p->source = NULL; /* nothing of this belongs to the positions of the daemon */
	return end_fit(p, d);
}

/* Has a model that this holds for been seen? */
static bool
has_streams(const struct pipeline *p, const struct model_config *config)
{
	for (size_t i = 0; i < p->models; i++)
		if (p->model[i]->config == config && p->model[i]->streams)
			return true;
	return false;
}

int
pipeline_fit_configured(struct pipeline *p, struct diag *d)
{
	const struct config *c = p->config;
	size_t files = 0;
	int err = 0;

	for (size_t i = 0; i <= c->models + c->patterns && !err; i++) {
		const struct model_config *m = i < c->models + c->patterns ? &c->model[i] : &c->defaults;

		if (!m->reference_file || (m == &c->defaults && !c->models_auto) || has_streams(p, m))
			continue;
		p->common.fitting = true;
		if (has_segments(c))
			err = fit_file(p, m->reference_file, true, NULL, NULL, d);
		choose_segments(p);
		if (!err)
			err = fit_file(p, m->reference_file, false, NULL, NULL, d);
		files++;
	}
	if (err || !files)
		return err;
	return end_fit(p, d);
}
