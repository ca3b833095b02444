/* joint.h -- the numeric features of a model taken together: what no feature shows alone.
 *
 * Two streams, made when the features have their references and from then on with these features:
 *   joint:projections   rows of the features that are all there, through random directions and the
 *                       Mahalanobis norm (detectors/shift/projections.c); its value is the distance from
 *                       the reference's centre, sqrt(mean z^2)
 *   joint:mean          at the end of each window the mean of the statistics of the features' paging tests,
 *                       each in units of its own share: many features that all move a little
 * They split the joint share of the inputs equally. The references of the features were sampled by one hash
 * of each record, so rows of the vector reference are found again by it: nothing more is stored. When a
 * feature gets another reference, the joint begins again with it.
 *
 * Its first JOINT_OWN rows tell how much records hang together; the test begins after them.
 *
 * A used record costs some microseconds, so a model with more records a day than `joint.records_per_day`
 * gives every k-th.
 */
#ifndef MONITOR_STREAM_JOINT_H
#define MONITOR_STREAM_JOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/detector.h"

struct cells;
struct codec;
struct effect;
struct gauge;
struct made_reference;
struct model;
struct outbound;
struct rows;
struct stream;
struct stream_row;

enum { JOINT_OWN = 1000 };

struct joint {
	struct model *model;
	struct stream **member;   /* [members] numeric features, in order of creation */
	uint32_t *number;         /* [members] their numbers in the model */
	uint32_t members;
	uint32_t every, position; /* one record in `every` is used: twice as many when a day has too many */
	int64_t day;              /* of the watermark, and how many rows it has had */
	uint32_t day_rows;
	bool running;
	/* Conformal ranks promise nothing for records that hang together, and a reference that is a sample of
	 * them does not show it: the first so many rows in a row do. */
	double *own;              /* [JOINT_OWN][members], NULL once they are all there */
	uint32_t owned, thin;     /* thin: what they need; 0: not known yet */
	bool dependent;           /* no step makes them independent */
	struct rows *rows, *windows;
	double *vector;           /* [ROWS_MAX][members] */
	struct stream *projections, *mean;
	double *wander;           /* [2 * scores] of the directions' place and spread from day to day */
	uint32_t tests;           /* most tests that the mean was of: their weight is one over it */
	double accounted;         /* sum of g of the mean up to the last window */
};

/* Does the plan keep a share for it? */
bool joint_expected(const struct model *m);
/* A window has closed at the model's watermark, and all rows went through their streams. */
void joint_window(struct model *m, struct outbound *out);
/* A feature has begun to learn anew: the joint waits until all have references again. */
void joint_member_rebaselined(const struct stream *member, int64_t now_ms, struct outbound *out);
/* Rows of the features are about to be flushed: those that are used become rows of the joint. */
void joint_take_rows(struct model *m, const struct rows *features);
void joint_flush(struct model *m);
void joint_destroy(struct joint *j); /* NULL is fine */
size_t joint_bytes(const struct joint *j);

/* sqrt(mean z^2) of a row; NaN where a value is missing. */
double joint_distance(const struct stream *s, const double *x);
/* The vector reference; its values as the stream's reference. False: too few rows. */
bool joint_reference(struct stream *s, struct made_reference *r);
bool joint_take_reference(struct stream *s);
/* One used row in so many: what the first rows, the reference and the configuration need. Sets
 * `dependent`. */
uint32_t joint_step(struct stream *s, const struct made_reference *r);
/* After the test was made: how far days differ along its directions. */
void joint_learn_wander(struct stream *s, const struct made_reference *r);
/* The smallest change that matters along a cell of a struct change. */
double joint_min_effect(const struct stream *s, uint32_t cell);
/* An open episode: row i into the block; what the blocks say. */
void joint_gauge(const struct stream *s, struct gauge *g, uint32_t i);
void joint_effect(const struct stream *s, const struct gauge *g, struct effect *out);
/* The mean crossed: what it was made of begins anew. *started_ms: when the first of them did. */
void joint_mean_alarm(struct stream *s, int64_t *started_ms);
/* The features behind an alert, in the order of their evidence, as JSON; malloc()ed. */
char *joint_explanation(const struct stream *s);

void joint_save(const struct joint *j, struct codec *out); /* NULL is fine */
int joint_load(struct model *m, struct codec *in);
/* Where a stream of the joint belongs (restart). */
struct rows *joint_place(struct model *m, const struct stream_row *row);
void joint_bind(struct model *m, struct stream *s);

#endif
