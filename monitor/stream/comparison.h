/* comparison.h -- two versions of a model side by side: how much larger a figure is with the one than with
 * the other, with an interval that holds at every moment.
 *
 * A version is compared with the COMPARED_BEFORE versions that were seen last before it. What is compared
 * are pairs of records: `paired`, the predictions of both versions for one id (shadow deployments); else
 * neighbours, a record of the one version with the last record of the other that has not been compared yet
 * (canaries: part of the traffic each). Neighbours lie close in time, so that a season or drift of the
 * inputs, which both versions see, does not look like a difference between them.
 *
 * Each pair gives x in [-1, 1]: the difference b - a of a share (error, miss, score), or the relative
 * difference (b - a) / (|b| + |a|) of figures with a unit (value, width, loss), or 1 for two classes that
 * disagree. The interval is the confidence sequence of detector cs-mean (Waudby-Smith and Ramdas 2024) at
 * .05. The sign test beside it is McNemar's for errors, made sequential: with h pairs in which b is larger
 * and l in which a is, E = 2^(h+l) B(h+1, l+1), a martingale under equal chances, so P(E ever >= 20) <=
 * .05.
 */
#ifndef MONITOR_STREAM_COMPARISON_H
#define MONITOR_STREAM_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;
struct comparisons;
struct diag;
struct model;
struct store;
struct version;

enum compared_figure {
	COMPARED_DISAGREEMENT, /* of predicted classes; paired only */
	COMPARED_VALUE,
	COMPARED_WIDTH,        /* of an interval, or the size of a set */
	COMPARED_SCORE,        /* the highest probability */
	COMPARED_ERROR,        /* the class was wrong */
	COMPARED_MISS,         /* the label was outside the interval or set */
	COMPARED_LOSS,         /* absolute error */
	COMPARED_PROBE_FLIP,   /* a perturbed twin has another class than its prediction; paired only, ... */
	COMPARED_PROBE_ERROR,  /* ... or a wrong one; all perturbations together */
	COMPARED_FIGURES
};
enum { COMPARED_BEFORE = 3 };

/* A version (of all records, not of a segment) appears. */
void comparison_version(struct model *m, const struct version *v);
/* The figure of a record of v; NaN is no value. */
void comparison_value(struct model *m, const struct version *v, enum compared_figure f, double value);
/* The figures of two versions for one id. */
void comparison_pair(struct model *m, const struct version *v, double of_v, const struct version *w,
                     double of_w, enum compared_figure f);
void comparison_destroy(struct comparisons *c); /* NULL is fine */
size_t comparison_bytes(const struct comparisons *c);
/* Inside the transaction; after it. */
int comparison_put(struct model *m, struct store *store);
void comparison_saved(struct model *m);
/* Once the model has its versions. */
int comparison_load(struct model *m, struct store *store, struct diag *d);

#endif
