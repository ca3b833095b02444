/* stream_rebaseline.c -- another reference for a stream: fitted, learned anew from the next record on, or
 * taken from a span of the past. See stream.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/alert/alert.h"
#include "monitor/stream/joint.h"
#include "monitor/stream/model.h"

int
stream_fitted(struct stream *s, struct diag *d)
{
	if (s->kind == STREAM_JOINT)
		return 0; /* it begins again with the references of its features */
	free(s->reference);
	s->references = s->learner.logged;
	s->reference = must_calloc(s->references, sizeof *s->reference);
	if (s->references)
		memcpy(s->reference, s->learner.log, s->references * sizeof *s->reference);
	if (s->references < stream_reference_min(s) && (s->kind != STREAM_FEATURE || s->segment))
		s->references = 0;
	stream_forget_season(s);
	s->learning = s->references == 0; /* nothing fitted: learn from the stream */
	s->fitted = !s->learning;
	if (s->learning)
		s->learner.logged = 0;
	stream_stop_tests(s);
	return stream_start_tests(s, d);
}

void
stream_set_learner(struct stream *s, uint32_t capacity)
{
	learner_finish(&s->learner);
	must(learner_init(&s->learner, capacity) == 0);
}

void
stream_rebaseline(struct stream *s, uint32_t records, int64_t watermark_ms, struct outbound *out)
{
	struct effect none = { (double)NAN, (double)NAN, (double)NAN, 0, (double)NAN, (double)NAN };

	if (s->episode.open)
		alert_over(s, s->model->common->sequence, watermark_ms, &none, "rebaseline", out);
	stream_stop_tests(s);
	free(s->reference);
	s->reference = NULL;
	s->references = s->row_values = 0;
	stream_forget_season(s);
	s->learn_records = records;
	stream_set_learner(s, records ? records : s->model->config->reference_records);
	s->log_saved = 0;
	s->generation++;
	s->learning = s->kind != STREAM_JOINT;
	s->fitted = false;
	s->learn_from_ms = watermark_ms;
	free(s->cells); /* histograms begin again with the new reference's cells */
	s->cells = NULL;
	s->warms = s->warm_window = 0;
	s->standing_n = s->standing_sum = 0;
	if (s->type == STREAM_NUMERIC && !s->warm)
		s->warm = must_calloc(LIMIT_WARMUP, sizeof *s->warm);
	memset(s->summary.count, 0, sizeof s->summary.count);
	memset(s->summary.recent, 0, sizeof s->summary.recent);
	s->dirty = true;
	stream_start_tests(s, NULL);
	joint_member_rebaselined(s, watermark_ms, out);
}

void
stream_refit(struct stream *s)
{
	s->refit = must_calloc(1, sizeof *s->refit);
	must(learner_init(s->refit, s->model->config->reference_records) == 0);
}

bool
stream_refitted(struct stream *s, int64_t watermark_ms, struct outbound *out)
{
	struct learner *l = s->refit;
	bool enough = l->held >= stream_reference_min(s);

	s->refit = NULL;
	if (enough) {
		struct learned *values = must_calloc(l->held, sizeof *values);

		learner_take(l, values);
		stream_rebaseline(s, 0, watermark_ms, out);
		free(s->learner.log);
		s->learner.log = values;
		s->learner.logged = s->learner.log_capacity = l->held;
		stream_fitted(s, NULL);
	}
	learner_finish(l);
	free(l);
	return enough;
}
