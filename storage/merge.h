/* merge.h -- statistics of several windows as those of one; part of storage/ only. */
#ifndef STORAGE_MERGE_H
#define STORAGE_MERGE_H

#include "storage/store_impl.h"

struct part;

/* The rows of one stream and hour, or day. Zeroed = empty. */
struct merge { /* the rows of one stream and hour, or day */
	uint32_t stream_id;
	struct part *part;
	size_t parts, size;
	uint64_t *cell; /* sum of the histograms */
	size_t cells, cells_size;
	bool histograms; /* every row so far with values had one, of as many cells */
};

/* What merge_add reads, in this order. */
#define MERGE_COLUMNS                                                                              \
	"s.stream_id, n, missing, mean, sd, min, q05, q25, q50, q75, q90, q95, max, sigma_shift,"       \
	" statistic, h.counts"
enum { MERGE_COUNT = 16 }; /* columns of it */
/* Adds the row that the query stands on. ERR_IO: out of memory. */
int merge_add(struct merge *m, sqlite3_stmt *q);
/* Adds a row that is not in the database, as if it had been read from there. */
int merge_add_row(struct merge *m, const struct statistics_row *row);
/* The merge as a row of [start, start + width), to be freed with merge_free_row; empties m. */
int merge_finish(struct merge *m, int64_t start, int64_t width, struct statistics_row *row);
void merge_free_row(struct statistics_row *row);
void merge_release(struct merge *m);

#endif
