/* pipeline_verdicts.c -- out-of-distribution verdicts leave with the step that their record was taken in. See
 * pipeline.h. */
#include "monitor/pipeline_inside.h"

void
pipeline_on_verdict(struct pipeline *p, void (*send)(void *context, const struct verdict_out *v),
                    void *context)
{
	p->common.verdict = send;
	p->common.verdict_context = context;
}

enum pipeline_step
pipeline_step(struct pipeline *p, uint32_t max, int64_t now_ms)
{
	enum pipeline_step result = pipeline_records(p, max, now_ms);

	for (size_t i = 0; p->common.verdict && i < p->models; i++)
		model_flush_verdicts(p->model[i]);
	return result;
}
