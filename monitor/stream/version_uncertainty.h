/* version_uncertainty.h -- the streams that say how unsure a version's predictions are.
 *
 * Each form of output (members, samples, ...) has its figures; each figure that becomes a stream is of one
 * kind: epistemic (the members disagree), aleatoric (each of them expects noise), or total, which is all
 * that flat samples, quantiles and variances tell. The form and the number of members of a version are those
 * of its first record: figures of another number of members are of another size, so records that come with
 * one are counted and left out, never mixed.
 */
#ifndef MONITOR_STREAM_VERSION_UNCERTAINTY_H
#define MONITOR_STREAM_VERSION_UNCERTAINTY_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/uncertainty/uncertainty.h"
#include "monitor/decode/record.h"

struct model;
struct store;
struct version;

/* "epistemic", "aleatoric", "total"; NULL: the figure is never a stream. */
const char *version_uncertainty_kind(enum uncertainty_figure f);
/* 1 << enum uncertainty_figure of the streams of a form. */
uint32_t version_uncertainty_streams(enum uncertainty_form form);
/* The figures of a record, NULL when it has none that belong to the version; its streams are made when their
 * first figures come. Call it before the row is appended. */
const struct uncertainty *version_uncertainty_take(struct model *m, struct version *v,
                                                   const struct record *r);
/* Inside the transaction: how alike the version's epistemic and aleatoric figures are on their references,
 * once these are complete. A function of the references, so it does not matter which commit writes it. */
int version_uncertainty_put_separability(struct version *v, struct store *store);
/* Inside the transaction: form and number of members, once; after it. */
int version_uncertainty_put_form(struct model *m, struct version *v, struct store *store);
void version_uncertainty_saved(struct version *v, bool landed);
/* The same of the first pair of figures that a version has, as of its last window; NaN: not known. */
double version_uncertainty_separability(const struct version *v);
/* Into row `at` of the version's rows; `u` NULL: missing. */
void version_uncertainty_put(struct version *v, uint32_t at, const struct uncertainty *u);

#endif
