/* ood.h -- rows about out-of-distribution scores: part of store.h. */
#ifndef STORAGE_OOD_H
#define STORAGE_OOD_H

#include <stdint.h>

struct store;

/* The reference of a version; stream_id is that of its ood:panel. */
struct ood_reference_row {
	uint32_t stream_id;
	const char *source;            /* fit, first */
	int64_t from_ms, to_ms;
	uint32_t rows, fitted, ranked; /* all, those that the scores were fitted on, that rank the verdict */
	uint32_t classes;              /* 0: none are told apart */
	const char *inputs;            /* "logits[10] embedding[64]" */
	const char *scores;            /* "energy mds mds_pp knn" */
	double alpha, delta;           /* delta NaN: nominal */
	double threshold;              /* of the score; NaN: none is possible */
	double rate_low, rate_high;    /* central 95 % of the true share above it */
	uint32_t discoveries_min;      /* fewest that false discovery control can tell in one go */
	uint64_t hash;
	const char *notes;             /* warnings, a line each; "" */
};
int store_put_ood_reference(struct store *s, const struct ood_reference_row *row);

/* A window, hour or day of one segment ('' all). */
struct ood_window_row {
	int64_t window_ms, width_ms;
	uint32_t stream_id;
	const char *segment;
	uint64_t n, flagged, unsupported, tested, discoveries;
	double rate_low, rate_high;
};
int store_put_ood_window(struct store *s, const struct ood_window_row *row);

/* One of the most unlike records of a window. */
struct ood_extreme_row {
	int64_t window_ms, ts_ms;
	uint32_t stream_id, rank;
	const char *id;
	uint32_t id_length;
	double score, p;
	const char *reason, *feature;  /* score with the least p; feature NULL: none */
	const char *members;           /* JSON: p by score */
};
int store_put_ood_extreme(struct store *s, const struct ood_extreme_row *row);
/* Drops windows and hours that are older than kept, with their records. */
int store_drop_ood(struct store *s, int64_t fine_ms, int64_t hour_ms);

#endif
