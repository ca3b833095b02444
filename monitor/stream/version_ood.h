/* version_ood.h -- the stream that says how unlike what it knows a version finds its inputs: the energy of
 * its logits. Their number is that of the version's first record that has some; records with another one are
 * counted and left out, for their energy is of another size. */
#ifndef MONITOR_STREAM_VERSION_OOD_H
#define MONITOR_STREAM_VERSION_OOD_H

#include <stdint.h>

struct model;
struct record;
struct version;

/* The energy of a record, NaN when it has none that belongs to the version; its stream is made when the first
 * one comes. Call it before the row is appended. */
double version_ood_take(struct model *m, struct version *v, const struct record *r);
/* Into row `at` of the version's rows. */
void version_ood_put(struct version *v, uint32_t at, double energy);

#endif
