/* roll.c -- windows that are old before they were ever written become hours and days in memory.
 *
 * A backlog or a replay passes days between two commits. Putting its windows only to merge them in the next
 * call of store_retain (retain.c) would cost some twenty visits of the tables' trees for each; here it is one
 * for a day. The rules and the arithmetic are those of retain.c, so the tables do not tell.
 */
#include <stdlib.h>

#include "storage/merge.h"

struct rolling {
	int64_t width_ms, finer_ms; /* of the result; least width of what goes into it */
	int64_t limit_ms, after_ms;
};

/* End of the rows from `at` on that belong into one result; *is_due: they are to be merged now. */
static size_t group_end(const struct statistics_row *row, size_t n, size_t at, const struct rolling *r,
                        bool *is_due)
{
	int64_t start = store_floor(row[at].window_ms, r->width_ms);
	bool has_finer = false, is_fit = true;
	size_t end = at;

	for (; end < n && row[end].width_ms > 0 && row[end].width_ms <= r->width_ms &&
	       store_floor(row[end].window_ms, r->width_ms) == start; end++) {
		has_finer = has_finer || row[end].width_ms < r->width_ms;
		is_fit = is_fit && row[end].width_ms >= r->finer_ms;
	}
	*is_due = has_finer && is_fit && start < r->limit_ms &&
	          (r->after_ms == INT64_MIN || start > store_floor(r->after_ms, r->width_ms));
	return end > at ? end : at + 1;
}

static int roll_level(struct statistics_row *row, size_t *n, const struct rolling *r)
{
	struct merge m = { 0 };
	size_t kept = 0;
	int err = 0;

	for (size_t at = 0, end; at < *n && !err; at = end) {
		struct statistics_row merged;
		bool is_due;

		end = group_end(row, *n, at, r, &is_due);
		for (size_t i = at; !is_due && i < end; i++)
			row[kept++] = row[i];
		if (!is_due)
			continue;
		m.stream_id = row[at].stream_id;
		for (size_t i = at; i < end && !err; i++)
			err = merge_add_row(&m, &row[i]);
		if (!err)
			err = merge_finish(&m, store_floor(row[at].window_ms, r->width_ms), r->width_ms,
			                   &merged);
		for (size_t i = at; i < end && !err; i++)
			merge_free_row(&row[i]);
		if (!err)
			row[kept++] = merged;
	}
	merge_release(&m);
	if (!err)
		*n = kept;
	return err;
}

int store_roll_rows(struct statistics_row *row, size_t *n, int64_t now_ms, int64_t keep_fine_ms,
                    int64_t keep_hour_ms, int64_t after_ms)
{
	int64_t keep_hour = keep_hour_ms > keep_fine_ms ? keep_hour_ms : keep_fine_ms;
	const struct rolling hour = { HOUR_MS, 1, store_floor(store_ago(now_ms, keep_fine_ms), HOUR_MS),
		                      after_ms };
	const struct rolling day = { DAY_MS, HOUR_MS, store_floor(store_ago(now_ms, keep_hour), DAY_MS),
		                     after_ms };
	int err = roll_level(row, n, &hour);

	return err ? err : roll_level(row, n, &day);
}
