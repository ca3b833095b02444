/* ood_sample.h -- the reference of a version as rows of numbers: of the records of its first span of event
 * time, the N with the smallest keyless hash of (id, ts), spread evenly over it; all of them if there are
 * fewer. A row that is displaced gives its place to the one that displaces it, so memory and disk hold N rows
 * at most, and what they hold is a function of the records.
 *
 * In the database a sample is chunks of so many places each; only chunks that changed are written again.
 */
#ifndef MONITOR_OOD_OOD_SAMPLE_H
#define MONITOR_OOD_OOD_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct store;

struct ood_row {
	uint64_t order;    /* keyless hash: smallest stay; ties by sequence */
	uint64_t sequence; /* number of the row among all that were offered */
	int64_t ts;
	uint64_t label;    /* hash of the label, or of the predicted class without one; 0: neither */
	uint64_t group;    /* hash of what p-values are told apart by; 0: nothing */
};

struct ood_sample {
	uint32_t width, capacity, held;
	struct ood_row *row;   /* [held] by place */
	double *value;         /* [held][width] */
	uint32_t *heap;        /* [held] places, largest order first */
	size_t row_capacity, value_capacity, heap_capacity;
	uint32_t chunk_rows;   /* places of a chunk */
	uint8_t *changed;      /* [chunks] since the last commit */
	size_t changed_capacity;
};

/* Of at most `records` rows, and LIMIT_OOD_BYTES. */
void ood_sample_init(struct ood_sample *s, uint32_t width, uint32_t records);
void ood_sample_finish(struct ood_sample *s);
size_t ood_sample_bytes(const struct ood_sample *s);
void ood_sample_offer(struct ood_sample *s, const struct ood_row *row, const double *value);
/* Puts the places in the order of the records. Nothing may be offered afterwards. */
void ood_sample_sort(struct ood_sample *s);
/* Chunks (owner "ood", id, part): those that changed; and back, `held` rows. */
int ood_sample_put(struct ood_sample *s, struct store *store, uint32_t id, uint32_t part);
void ood_sample_saved(struct ood_sample *s);
int ood_sample_load(struct ood_sample *s, struct store *store, uint32_t id, uint32_t part, uint32_t held,
                    struct diag *d);

#endif
