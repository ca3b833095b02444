/* probes.h -- perturbed twins that wait for the label of the prediction they are of: robust accuracy.
 *
 * The label comes once, for the clean prediction: each of its twins is right or wrong too. That is counted at
 * once, and a value of the stream of errors when the label is handed to the detectors (labels_mature.c). Of
 * twins of one prediction, perturbation and severity the first is judged. The last LIMIT_PROBES_WAITING
 * twins of a model are kept, 20 bytes each with their index; what is older is not judged. A twin stays in
 * the ring after its label: each prediction is handed on once, so nothing needs to be marked, and the ring
 * is a function of the records alone.
 *
 * On disk: table `chunks`, owner "probes", parts of PROBES_PART twins, the last of which is put again until
 * it is full; state "probes": the counts.
 */
#ifndef MONITOR_LABEL_PROBES_H
#define MONITOR_LABEL_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct labels;
struct probes;
struct record;
struct store;
struct version;

/* What a twin is beside its clean prediction. */
struct probe_pair {
	uint64_t number; /* of the row of the clean prediction in the journal */
	uint32_t class;  /* of the twin */
	bool flipped;    /* that is another one */
};
/* False: the clean prediction of this version is not in the journal, or one of the two has no class. */
bool probes_pair(struct labels *l, const struct version *v, const struct record *r, struct probe_pair *out);
/* A twin of v->probe[family]: waits, or is counted and judged as far as its label has come. Beside the same
 * twin of other versions of that id, if there are any. */
void probes_add(struct labels *l, struct version *v, uint32_t family, const struct record *r,
                const struct probe_pair *pair);
/* Row `number` has its label: twins are counted; it is handed to the detectors: so are they. */
void probes_labelled(struct labels *l, uint64_t number);
void probes_judge(struct labels *l, uint64_t number);
/* Twins of the prediction under this key of the journal are not known any more. */
void probes_forget(struct labels *l, uint64_t key);

void probes_destroy(struct probes *p); /* NULL is fine */
size_t probes_bytes(const struct probes *p);
int probes_put(struct labels *l, struct store *store);
void probes_saved(struct labels *l, bool landed);
/* Once the streams and classes of the model are there. */
int probes_load(struct labels *l, struct store *store, struct diag *d);

#endif
