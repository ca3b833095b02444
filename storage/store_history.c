/* store_history.c -- statistics and label statistics, with the figures people read.
 *
 * Figures are computed when a row is put, from its sums alone, so a row says the same whenever it was
 * written. Limits of the coverage are Clopper-Pearson 95 %: exact for any number of labels.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/special.h"
#include "storage/store_impl.h"

enum {
	ECE_BINS = 15,
	RECENT_LABELS = 1000, /* labels that views of the present look back over, in whole days */
};

int store_put_statistics(struct store *s, const struct statistics_row *row)
{
	const struct value value[] = {
		value_int(row->window_ms), value_int(row->stream_id), value_int(row->width_ms),
		value_count(row->n), value_count(row->missing), value_real(row->mean),
		value_real(row->sd), value_real(row->min), value_real(row->max), value_real(row->q05),
		value_real(row->q25), value_real(row->q50), value_real(row->q75), value_real(row->q95),
		value_real(row->psi), value_real(row->psi_null95), value_real(row->sigma_shift),
		value_real(row->statistic),
	};
	const struct value counts[] = { value_int(row->window_ms), value_int(row->stream_id),
		                        value_text(row->histogram) };
	int err = store_run(s, SLOT_STATISTICS_PUT,
	                    "INSERT OR REPLACE INTO statistics(window_ms, stream_id, width_ms, n,"
	                    " missing, mean, sd, min, max, q05, q25, q50, q75, q95, psi, psi_null95,"
	                    " sigma_shift, statistic)"
	                    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value,
	                    COUNT(value));

	if (err || !row->histogram)
		return err;
	return store_run(s, SLOT_HISTOGRAM_PUT,
	                 "INSERT OR REPLACE INTO histograms(window_ms, stream_id, counts)"
	                 " VALUES(?, ?, ?)", counts, COUNT(counts));
}

int store_put_reference_cells(struct store *s, uint32_t stream_id, const struct reference_cell *cell,
                              uint32_t cells)
{
	const struct value beyond[] = { value_int(stream_id), value_int(cells) };
	int err = store_run(s, SLOT_CELL_DELETE,
	                    "DELETE FROM reference_cells WHERE stream_id = ? AND cell >= ?", beyond,
	                    COUNT(beyond));

	for (uint32_t i = 0; i < cells && !err; i++) {
		const struct reference_cell *c = &cell[i];
		const struct value value[] = {
			value_int(stream_id), value_int(c->cell), value_real(c->above), value_real(c->upto),
			c->category ? value_bytes(c->category, c->category_length) : value_text(NULL),
			value_count(c->n),
		};

		err = store_run(s, SLOT_CELL_PUT,
		                "INSERT OR REPLACE INTO reference_cells(stream_id, cell, above, upto,"
		                " category, n) VALUES(?, ?, ?, ?, ?, ?)", value, COUNT(value));
	}
	return err;
}

static double share(double part, uint64_t n)
{
	return n ? part / (double)n : (double)NAN;
}

static void coverage_limits(uint64_t covered, uint64_t n, double *low, double *high)
{
	double k = (double)covered, m = (double)(n - covered);

	*low = *high = (double)NAN;
	if (!n || covered > n)
		return;
	*low = special_beta_quantile(.025, k, m + 1);
	*high = special_beta_quantile(.975, k + 1, m);
}

/* Bins weighted by their n: sum of n |accuracy - mean confidence| is the sum of |correct - confidence|. */
static double ece15(const struct label_row *row)
{
	double sum = 0;
	uint64_t n = 0;

	for (size_t b = 0; b < ECE_BINS; b++) {
		n += row->ece_n[b];
		sum += fabs((double)row->ece_correct[b] - row->ece_confidence[b]);
	}
	return share(sum, n);
}

struct ece_text {
	char n[ECE_BINS * 12], correct[ECE_BINS * 12], confidence[ECE_BINS * 26];
};

/* JSON arrays, so that SQL can sum them bin by bin. False: no bin has anything. */
static bool write_ece(const struct label_row *row, struct ece_text *text)
{
	size_t at[3] = { 0 };
	uint64_t n = 0;

	for (size_t b = 0; b < ECE_BINS; b++) {
		char open = b ? ',' : '[';
		const char *close = b == ECE_BINS - 1 ? "]" : "";

		n += row->ece_n[b];
		at[0] += (size_t)snprintf(text->n + at[0], sizeof text->n - at[0], "%c%u%s", open,
		                          row->ece_n[b], close);
		at[1] += (size_t)snprintf(text->correct + at[1], sizeof text->correct - at[1], "%c%u%s",
		                          open, row->ece_correct[b], close);
		at[2] += (size_t)snprintf(text->confidence + at[2], sizeof text->confidence - at[2],
		                          "%c%.17g%s", open, row->ece_confidence[b], close);
	}
	return n > 0;
}

static void read_ece(sqlite3_stmt *q, int column, double out[ECE_BINS])
{
	const char *at = store_column_text(q, column);

	for (size_t b = 0; b < ECE_BINS; b++) {
		char *end;

		out[b] = *at ? strtod(at + 1, &end) : 0;
		at = *at ? end : at;
	}
}

#define LABEL_COLUMNS                                                                              \
	"final, predictions, labelled, intervals, covered, below, above, width_sum, winkler_sum,"  \
	" errors_n, abs_error_sum, sq_error_sum, class_n, correct, probs_n, confidence_sum,"       \
	" brier_sum, nll_sum, ece_n, ece_correct, ece_confidence"
#define FIGURE_COLUMNS                                                                             \
	"labelled_share, coverage, coverage_low, coverage_high, below_share, above_share,"         \
	" mean_width, winkler, mae, rmse, accuracy, mean_confidence, brier, nll, ece15"
#define LABEL_VALUES                                                                               \
	"?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22," \
	" ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39"

static int put_row(struct store *s, const struct label_row *row)
{
	struct ece_text ece;
	bool bins = write_ece(row, &ece);
	double low, high;

	coverage_limits(row->covered, row->intervals, &low, &high);
	/* A Winkler score is at least the width; sets have a size but no such score. */
	double winkler = row->winkler_sum >= row->width_sum ? row->winkler_sum : (double)NAN;
	const struct value value[] = {
		value_int(row->window_ms), value_int(row->stream_id), value_int(row->width_ms),
		value_int(row->final), value_count(row->predictions), value_count(row->labelled),
		value_count(row->intervals), value_count(row->covered), value_count(row->below),
		value_count(row->above), value_real(row->width_sum), value_real(row->winkler_sum),
		value_count(row->errors_n), value_real(row->abs_error_sum),
		value_real(row->sq_error_sum), value_count(row->class_n), value_count(row->correct),
		value_count(row->probs_n), value_real(row->confidence_sum), value_real(row->brier_sum),
		value_real(row->nll_sum), value_text(bins ? ece.n : NULL),
		value_text(bins ? ece.correct : NULL), value_text(bins ? ece.confidence : NULL),
		value_real(share((double)row->labelled, row->predictions)),
		value_real(share((double)row->covered, row->intervals)), value_real(low),
		value_real(high), value_real(share((double)row->below, row->intervals)),
		value_real(share((double)row->above, row->intervals)),
		value_real(share(row->width_sum, row->intervals)),
		value_real(share(winkler, row->intervals)),
		value_real(share(row->abs_error_sum, row->errors_n)),
		value_real(sqrt(share(row->sq_error_sum, row->errors_n))),
		value_real(share((double)row->correct, row->class_n)),
		value_real(share(row->confidence_sum, row->probs_n)),
		value_real(share(row->brier_sum, row->probs_n)),
		value_real(share(row->nll_sum, row->probs_n)), value_real(ece15(row)),
	};
	return store_run(s, SLOT_LABEL_PUT,
	                 "INSERT INTO label_statistics(window_ms, stream_id, width_ms, " LABEL_COLUMNS
	                 ", " FIGURE_COLUMNS ") VALUES(?1, ?2, ?3, " LABEL_VALUES ")"
	                 " ON CONFLICT(window_ms, stream_id, width_ms) DO UPDATE SET (" LABEL_COLUMNS
	                 ", " FIGURE_COLUMNS ") = (" LABEL_VALUES ")", value, COUNT(value));
}

/* The most recent days that hold RECENT_LABELS labels together, and the exact limits over them: a pure
 * function of the day rows. */
static int put_recent(struct store *s, uint32_t stream_id)
{
	const struct value key[] = { value_int(stream_id) };
	struct diag d;
	sqlite3_stmt *q;
	uint64_t labelled = 0, intervals = 0, covered = 0;
	int64_t from = INT64_MIN;
	double low, high;
	int step = SQLITE_DONE, err;

	if (s->error)
		return s->error;
	q = store_query(s, SLOT_LABEL_DAYS,
	                "SELECT window_ms, labelled, intervals, covered FROM label_statistics"
	                " WHERE stream_id = ? AND width_ms >= 86400000 AND labelled > 0"
	                " ORDER BY window_ms DESC", key, COUNT(key), &d);
	if (!q)
		return store_poison(s, ERR_IO, &d);
	while (labelled < RECENT_LABELS && (step = sqlite3_step(q)) == SQLITE_ROW) {
		from = sqlite3_column_int64(q, 0);
		labelled += (uint64_t)sqlite3_column_int64(q, 1);
		intervals += (uint64_t)sqlite3_column_int64(q, 2);
		covered += (uint64_t)sqlite3_column_int64(q, 3);
	}
	err = store_query_end(s, q, step, &d);
	if (err)
		return store_poison(s, err, &d);
	if (!labelled)
		return 0;
	coverage_limits(covered, intervals, &low, &high);
	const struct value value[] = { value_int(stream_id), value_int(from), value_count(labelled),
		                       value_count(intervals), value_count(covered), value_real(low),
		                       value_real(high) };
	return store_run(s, SLOT_RECENT_PUT,
	                 "INSERT OR REPLACE INTO label_recent(stream_id, from_ms, labelled, intervals,"
	                 " covered, coverage_low, coverage_high) VALUES(?, ?, ?, ?, ?, ?, ?)", value,
	                 COUNT(value));
}

int store_put_recent(struct store *s)
{
	int err = 0;

	for (size_t i = 0; i < s->recents && !err; i++)
		err = put_recent(s, s->recent[i]);
	s->recents = 0;
	return err;
}

/* label_recent looks back over many days, so it waits until all of them are there. */
static int recent_is_due(struct store *s, uint32_t stream_id)
{
	for (size_t i = s->recents; i-- > 0;)
		if (s->recent[i] == stream_id)
			return 0;
	if (s->recents == s->recents_size) {
		size_t size = s->recents_size ? 2 * s->recents_size : 16;
		uint32_t *grown = realloc(s->recent, size * sizeof *grown);
		struct diag d;

		if (!grown)
			return store_poison(s, diag_set(&d, ERR_IO, "out of memory"), &d);
		s->recent = grown;
		s->recents_size = size;
	}
	s->recent[s->recents++] = stream_id;
	return 0;
}

int store_put_label_row(struct store *s, const struct label_row *row)
{
	int err = put_row(s, row);

	return err || row->width_ms < DAY_MS ? err : recent_is_due(s, row->stream_id);
}

static void read_row(sqlite3_stmt *q, struct label_row *out)
{
	double n[ECE_BINS], correct[ECE_BINS];

	out->final = sqlite3_column_int(q, 0) != 0;
	out->predictions = (uint64_t)sqlite3_column_int64(q, 1);
	out->labelled = (uint64_t)sqlite3_column_int64(q, 2);
	out->intervals = (uint64_t)sqlite3_column_int64(q, 3);
	out->covered = (uint64_t)sqlite3_column_int64(q, 4);
	out->below = (uint64_t)sqlite3_column_int64(q, 5);
	out->above = (uint64_t)sqlite3_column_int64(q, 6);
	out->width_sum = store_column_real(q, 7);
	out->winkler_sum = store_column_real(q, 8);
	out->errors_n = (uint64_t)sqlite3_column_int64(q, 9);
	out->abs_error_sum = store_column_real(q, 10);
	out->sq_error_sum = store_column_real(q, 11);
	out->class_n = (uint64_t)sqlite3_column_int64(q, 12);
	out->correct = (uint64_t)sqlite3_column_int64(q, 13);
	out->probs_n = (uint64_t)sqlite3_column_int64(q, 14);
	out->confidence_sum = store_column_real(q, 15);
	out->brier_sum = store_column_real(q, 16);
	out->nll_sum = store_column_real(q, 17);
	read_ece(q, 18, n);
	read_ece(q, 19, correct);
	read_ece(q, 20, out->ece_confidence);
	for (size_t b = 0; b < ECE_BINS; b++) {
		out->ece_n[b] = (uint32_t)n[b];
		out->ece_correct[b] = (uint32_t)correct[b];
	}
}

int store_get_label_row(struct store *s, int64_t window_ms, int64_t width_ms, uint32_t stream_id,
                        struct label_row *out)
{
	const struct value key[] = { value_int(window_ms), value_int(stream_id),
		                     value_int(width_ms) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_LABEL_GET,
	                              "SELECT " LABEL_COLUMNS " FROM label_statistics"
	                              " WHERE window_ms = ? AND stream_id = ? AND width_ms = ?", key,
	                              COUNT(key), &d);
	bool found;
	int step, err;

	*out = (struct label_row){ .window_ms = window_ms, .width_ms = width_ms,
		                   .stream_id = stream_id };
	if (!q)
		return store_poison(s, ERR_IO, &d);
	step = sqlite3_step(q);
	found = step == SQLITE_ROW;
	if (found)
		read_row(q, out);
	err = store_query_end(s, q, step, &d);
	if (err)
		return store_poison(s, err, &d);
	return found ? 0 : ERR_MISSING;
}

int store_finish_label_rows(struct store *s, uint32_t model_id, int64_t until_ms)
{
	const struct value value[] = { value_int(model_id), value_int(until_ms) };

	return store_run(s, SLOT_LABEL_FINISH,
	                 "UPDATE label_statistics SET final = 1 WHERE final = 0 AND stream_id IN"
	                 " (SELECT stream_id FROM streams WHERE model_id = ?1 AND type = 'labels')"
	                 " AND window_ms < ?2 AND window_ms + width_ms <= ?2", value, COUNT(value));
}
