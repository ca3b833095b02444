/* plan.h -- who may spend how much of the false-alarm budget.
 *
 * 5 % is a reserve for streams that appear later; 95 % is split over the models (plan_models); within one by
 * class (labels .4, outputs .3, inputs .25, quality .05, absent classes shared out in proportion), within
 * a class equally over its streams. A model's shares are fixed when its first paging test starts; a stream
 * that appears afterwards takes 6 / (pi i)^2 of the reserve, i = 1, 2, ..., so the sum never exceeds it.
 */
#ifndef MONITOR_STREAM_PLAN_H
#define MONITOR_STREAM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct codec;
struct config;
struct stream;

enum share_class { CLASS_LABELS, CLASS_OUTPUTS, CLASS_INPUTS, CLASS_QUALITY, SHARE_CLASSES };

struct plan {
	double budget;        /* alarms per period */
	int64_t period_ms;
	uint32_t models;      /* that the 95 % are split over */
	uint32_t latecomers;  /* i */
};
#define PLAN_RESERVE 0.05

/* Share of one stream of a class when `streams[class]` says how many each class of the model has. */
double plan_share(const struct plan *p, enum share_class class, const uint32_t streams[SHARE_CLASSES]);
/* Share of the i-th latecomer, i = 1, 2, ... */
double plan_latecomer(const struct plan *p, uint32_t i);
/* Parts that the models' budget is split into: one for each model that is listed by name, and one for all
 * that globs or `models: auto` let in. */
uint32_t plan_models(const struct config *config);
/* Part of such a part for the i-th model that was let in, whose number is not known beforehand: 6 / (pi i)^2;
 * 1 for i = 0 (listed by name). */
double plan_model(uint32_t i);
/* Part of a class for all its streams but those that look at many things together (joint ones of inputs,
 * those of errors of labels), where there are some: else 1. */
#define PLAN_SINGLE 0.7
const char *share_class_text(enum share_class c);

#endif
