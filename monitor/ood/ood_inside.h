/* ood_inside.h -- between the files of monitor/ood/. */
#ifndef MONITOR_OOD_OOD_INSIDE_H
#define MONITOR_OOD_OOD_INSIDE_H

#include "config/limits.h"
#include "detectors/ood/panel.h"
#include "detectors/ood/threshold.h"
#include "monitor/ood/ood.h"
#include "monitor/ood/ood_sample.h"
#include "monitor/ood/ood_window.h"
#include "storage/ood.h"

enum ood_input { OOD_LOGITS, OOD_PROBS, OOD_EMBEDDING, OOD_FEATURES, OOD_INPUTS };

/* The records that a p-value is among: all, or a group of them. */
struct ood_ranks {
	uint64_t group;            /* 0: all */
	struct calibration least;  /* ranks of the verdict's scores */
	struct threshold threshold;
};
enum { OOD_GROUPS = 256, OOD_GROUP_MIN = 200, OOD_BATCH = SCORER_ROWS };

/* A record that waits for its verdict. */
struct ood_waiting {
	uint32_t at;               /* its row */
	uint16_t combination;      /* of segments */
	int64_t ts;
	uint64_t sequence, group;
	uint32_t id_length;
	char id[LIMIT_TEXT_BYTES];
};

struct ood {
	struct model *model;
	struct version *version;
	struct stream *panel_stream, *support; /* the first one's id is that of all that is kept */

	/* what records are made of */
	bool shaped;
	uint32_t width[OOD_INPUTS]; /* 0: no such input */
	uint32_t columns;           /* all of them */
	struct stream **feature;    /* [width[OOD_FEATURES]] */
	uint32_t scores;
	const struct score *score[SCORER_MAX];
	uint32_t knn;               /* its place among them, SCORER_MAX: none */

	bool ready;                 /* there is a reference */
	bool retired;               /* there was one: LIMIT_OOD_VERSIONS later versions have theirs */
	uint32_t generation;        /* of references: the part of its chunks */
	uint32_t generation_saved;  /* chunks of those before it are not in the database */
	int64_t learn_from_ms;
	uint64_t taken;             /* rows offered so far */
	struct ood_sample sample;   /* empty once it is fitted and in the database */
	uint32_t held;              /* rows of the reference */
	double *row;                /* [columns] room */

	struct panel panel;
	struct scorer explainer;    /* ecod, where there are features */
	struct ood_ranks *ranks;    /* [rankings] the first is of all */
	uint32_t rankings;
	struct ood_reference_row reference; /* what is told of it */
	uint64_t made_by;           /* hash of the configuration that made the panel */
	char notes[1200], text[160], name[32];
	bool reference_changed;

	uint32_t waitings;
	struct ood_waiting *waiting; /* [OOD_BATCH] */
	double *input[OOD_INPUTS];   /* [OOD_BATCH][width] */
	struct verdict *verdict;     /* [OOD_BATCH] */

	struct ood_windows windows;
	bool dirty;
};

static inline bool
ood_has(const struct ood *o, enum ood_input i)
{
	return o->width[i] != 0;
}

/* ood.c */
struct ood *ood_create(struct model *m, struct version *v);
/* After a restart: scores by the configuration of now. False: none suits what there is. */
bool ood_shape_again(struct ood *o);
/* ood_fit.c: rows of the sample, sorted, into panel and ranks. ERR_INVALID with a sentence: they make
 * none. */
int ood_build(struct ood *o, struct diag *d);
/* The rows that rank the verdict, as reference of the two streams. */
void ood_teach_streams(struct ood *o);
void ood_learned(struct ood *o, const char *source);
void ood_forget_panel(struct ood *o);
/* ood_window.c: the verdict of a waiting record counts. */
void ood_count(struct ood *o, const struct ood_waiting *w, const struct verdict *v, const double *features);
/* p-value and call of a verdict among its group. */
const struct ood_ranks *ood_ranks_of(const struct ood *o, uint64_t group);
/* Arrays for a batch. */
void ood_make_room(struct ood *o);

#endif
