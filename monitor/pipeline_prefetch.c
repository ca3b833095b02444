/* pipeline_prefetch.c -- what the records behind the present one will need, asked of memory in time. */
#include "monitor/decode/record.h"
#include "monitor/label/labels.h"
#include "monitor/pipeline_inside.h"
#include "monitor/source/merge.h"

static const struct labels *
labels_of(const struct pipeline *p, const struct record *r, uint32_t part)
{
	bool wanted = r && r->parts & part && r->model < p->numbers;
	const struct model *m = wanted ? p->numbered[r->model] : NULL;

	return m ? m->labels : NULL;
}

/* The journal is the one large thing that a record looks up; its cache misses are waited for together. */
void
pipeline_prefetch(const struct pipeline *p)
{
	enum { SOON = 8, VERY_SOON = 4 };
	const struct record *soon = merge_later(p->merge, SOON), *next = merge_later(p->merge, VERY_SOON);
	const struct labels *l = labels_of(p, soon, RECORD_HAS_ID);

	if (l)
		labels_prefetch(l, soon->id_keyed, false);
	l = labels_of(p, next, RECORD_LABEL);
	if (l)
		labels_prefetch(l, next->id_keyed, true);
}
