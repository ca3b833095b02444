/* ood.h -- how unlike its reference each record of a version is: scores, the verdict of their panel, and what
 * is told of them.
 *
 * The first record that has something to score (embedding, logits, ...) decides what the version's records
 * are made of; others are counted and left out. A reference is drawn from a fit or from the first span
 * (ood_sample.h); every other row of it is fitted, the others calibrate. From then on each record has a
 * verdict (detectors/ood/panel.h). Its score goes into stream ood:panel, whether it has neighbours in the
 * reference into ood:support, and windows keep how many were called out of distribution and which were the
 * most unlike (ood_window.h).
 *
 * Records are gathered and scored together; where that cut falls changes nothing.
 */
#ifndef MONITOR_OOD_OOD_H
#define MONITOR_OOD_OOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct model;
struct ood;
struct record;
struct row_facts;
struct store;
struct stream;
struct version;

/* Before the record's row is appended to the version's: makes what is missing (v->ood, streams). */
void ood_prepare(struct model *m, struct version *v, const struct record *r);
/* Has the record something that a panel would score, predictions or not? */
bool ood_concerns(const struct model *m, const struct record *r);
/* The record as row `at` of the version's rows. */
void ood_take(struct ood *o, const struct record *r, const struct row_facts *f, uint32_t at);
/* Scores what was gathered: the values of its rows are there afterwards. */
void ood_flush(struct ood *o);
/* A window closes, or (`keep`) its rows are put as they stand. */
void ood_window(struct ood *o, int64_t window_ms, int64_t width_ms, bool keep);
/* Begins again without a reference. At the end of a fit: its reference, before that of the streams. */
void ood_refit(struct ood *o);
void ood_fitted(struct ood *o);

/* Streams after a restart. True: it is one of these. */
bool ood_bind(struct model *m, struct version *v, struct stream *s);
/* Inside the transaction, after it, and back (after the model's streams). */
int ood_put(struct ood *o, struct store *store);
void ood_saved(struct ood *o, bool landed);
int ood_load(struct model *m, struct version *v, struct store *store, struct diag *d);
/* Takes a record out of the most unlike of windows that are not yet put; how many it was. */
uint32_t ood_forget(struct ood *o, const char *id, size_t length);
void ood_destroy(struct ood *o); /* NULL is fine */
size_t ood_bytes(const struct ood *o);

#endif
