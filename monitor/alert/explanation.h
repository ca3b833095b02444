/* explanation.h -- where the hits of an outcome stream (misses, errors) concentrate, in words and figures. */
#ifndef MONITOR_ALERT_EXPLANATION_H
#define MONITOR_ALERT_EXPLANATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/coverage/concentration.h"

struct explanation_row;
struct stream;

enum { FINDINGS_MAX = 5 };

/* One feature, output or key of segments, and the range, category or gap of it in which hits concentrate
 * most. */
struct finding {
	struct concentration c;
	uint32_t stream_id;        /* of the feature or output; of the same outcomes in a segment */
	char field[80];            /* its name */
	char place[240];           /* "hour above 16 to 19", "weather = rain", "income missing" */
	double above, to;          /* bounds of a range: above < value <= to; NaN: none */
	double old_rate;           /* of hits in the same place before; NaN below 100 records there */
};

struct findings {
	uint32_t n;
	struct finding finding[FINDINGS_MAX]; /* by likelihood gain, largest first */
	uint32_t searched;         /* ranges and categories that were looked at: Bonferroni's divisor */
	uint32_t columns;          /* features, outputs and keys of segments that they belong to */
	uint64_t records;          /* outcomes they were computed on */
	bool after;                /* ... which came after the alert opened: evidence, not description */
};

/* False: nothing can be said (no explanation is kept, or no outcome has its cells yet). With n 0: hits are
 * alike everywhere. */
bool explanation_find(const struct stream *s, bool after, struct findings *out);
/* JSON, malloc()ed. */
char *explanation_json(const struct findings *f);
/* One sentence for `who`: where, how much, against elsewhere. */
void explanation_words(const struct stream *s, const struct findings *f, char *out, size_t size);
/* Row number `rank` (from 0) as table `explanations` takes it; texts belong to *f. */
void explanation_row(const struct findings *f, uint32_t rank, struct explanation_row *out);

#endif
