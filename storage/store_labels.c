/* store_labels.c -- table label_statistics, and label_recent, which is made of its days.
 *
 * Figures are computed when a row is put, from its sums alone, so a row says the same whenever it was
 * written.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/metric/metric_auc.h"
#include "storage/store_impl.h"

enum {
	RECENT_LABELS = 1000, /* labels that views of the present look back over, in whole days */
	DETAILS_MAX = 60,     /* days of these whose details are read */
	PAST_LABELS = 10000,  /* ... and those before them that say how right a confidence is */
};

/* -- arrays as JSON, so that SQL can sum them ---------------------------------------------------- */

enum { ARRAYS = 8, ARRAY_BYTES = LABEL_CLASSES * 26 };

static struct value
counts_text(char *out, const uint32_t *n, size_t count)
{
	size_t at = 0;

	while (count > 0 && !n[count - 1])
		count--;
	if (!count)
		return value_text(NULL);
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(out + at, ARRAY_BYTES - at, "%c%u", i ? ',' : '[', n[i]);
	snprintf(out + at, ARRAY_BYTES - at, "]");
	return value_text(out);
}

static struct value
sums_text(char *out, const double *sum, size_t count)
{
	size_t at = 0;
	double any = 0;

	for (size_t i = 0; i < count; i++)
		any += fabs(sum[i]);
	if (any <= 0)
		return value_text(NULL);
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(out + at, ARRAY_BYTES - at, "%c%.17g", i ? ',' : '[', sum[i]);
	snprintf(out + at, ARRAY_BYTES - at, "]");
	return value_text(out);
}

static void
read_array(sqlite3_stmt *q, int column, double *out, size_t count)
{
	const char *at = store_column_text(q, column);

	for (size_t i = 0; i < count; i++) {
		char *end;

		out[i] = 0;
		if (*at && *at != ']')
			out[i] = strtod(at + 1, &end);
		at = *at && *at != ']' ? end : at;
	}
}

static void
read_counts(sqlite3_stmt *q, int column, uint32_t *out, size_t count)
{
	double n[LABEL_CLASSES];

	read_array(q, column, n, count);
	for (size_t i = 0; i < count; i++)
		out[i] = (uint32_t)n[i];
}

/* -- rows ---------------------------------------------------------------------------------------- */

#define NAME(name) ", " #name
#define SUM_COLUMNS "final" LABEL_COUNTS(NAME) LABEL_SUMS(NAME) LABEL_ARRAYS(NAME)
#define FIGURE_COLUMNS LABEL_FIGURES(NAME)
#define PLACE(name) ", ?"
#define ONE(name) +1
enum {
	SUM_VALUES = 1 LABEL_COUNTS(ONE) LABEL_SUMS(ONE) LABEL_ARRAYS(ONE),
	FIGURES = 0 LABEL_FIGURES(ONE),
};

static struct value *
put_figures(struct value *at, const struct label_figures *f)
{
#define X(name) *at++ = value_real(f->name);
	LABEL_FIGURES(X)
#undef X
	return at;
}

static int
put_row(struct store *s, const struct label_row *row, const struct label_detail *detail)
{
	static const char sql[] = "INSERT OR REPLACE INTO label_statistics(window_ms, stream_id, width_ms, "
	                          SUM_COLUMNS FIGURE_COLUMNS ") VALUES(?, ?, ?, ?" LABEL_COUNTS(PLACE)
	                          LABEL_SUMS(PLACE) LABEL_ARRAYS(PLACE) LABEL_FIGURES(PLACE) ")";
	char text[ARRAYS][ARRAY_BYTES];
	struct label_figures f;
	struct value value[3 + SUM_VALUES + FIGURES], *at = value;

	label_figures(row, &f);
	if (detail)
		label_detail_figures(detail, row, &f);
	*at++ = value_int(row->window_ms);
	*at++ = value_int(row->stream_id);
	*at++ = value_int(row->width_ms);
	*at++ = value_int(row->final);
#define X(name) *at++ = value_count(row->name);
	LABEL_COUNTS(X)
#undef X
#define X(name) *at++ = value_real(row->name);
	LABEL_SUMS(X)
#undef X
	*at++ = counts_text(text[0], row->ece_n, LABEL_BINS);
	*at++ = counts_text(text[1], row->ece_correct, LABEL_BINS);
	*at++ = sums_text(text[2], row->ece_confidence, LABEL_BINS);
	*at++ = counts_text(text[3], row->class_tp, LABEL_CLASSES);
	*at++ = counts_text(text[4], row->class_fp, LABEL_CLASSES);
	*at++ = counts_text(text[5], row->class_fn, LABEL_CLASSES);
	*at++ = counts_text(text[6], row->scored_n, LABEL_BINS);
	*at++ = counts_text(text[7], row->pit_n, LABEL_PIT_BINS);
	at = put_figures(at, &f);
	return store_run(s, SLOT_LABEL_PUT, sql, value, (size_t)(at - value));
}

/* The columns SUM_COLUMNS from `column` on. */
static void
read_row(sqlite3_stmt *q, int column, struct label_row *out)
{
	out->final = sqlite3_column_int(q, column++) != 0;
#define X(name) out->name = (uint64_t)sqlite3_column_int64(q, column++);
	LABEL_COUNTS(X)
#undef X
#define X(name) out->name = store_column_real(q, column++);
	LABEL_SUMS(X)
#undef X
	read_counts(q, column, out->ece_n, LABEL_BINS);
	read_counts(q, column + 1, out->ece_correct, LABEL_BINS);
	read_array(q, column + 2, out->ece_confidence, LABEL_BINS);
	read_counts(q, column + 3, out->class_tp, LABEL_CLASSES);
	read_counts(q, column + 4, out->class_fp, LABEL_CLASSES);
	read_counts(q, column + 5, out->class_fn, LABEL_CLASSES);
	read_counts(q, column + 6, out->scored_n, LABEL_BINS);
	read_counts(q, column + 7, out->pit_n, LABEL_PIT_BINS);
}

int store_get_label_row(struct store *s, int64_t window_ms, int64_t width_ms, uint32_t stream_id,
                        struct label_row *out)
{
	const struct value key[] = { value_int(window_ms), value_int(stream_id),
		                     value_int(width_ms) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_LABEL_GET,
	                              "SELECT " SUM_COLUMNS " FROM label_statistics"
	                              " WHERE window_ms = ? AND stream_id = ? AND width_ms = ?", key,
	                              COUNT(key), &d);
	bool found;
	int step, err;

	memset(out, 0, sizeof *out);
	out->window_ms = window_ms;
	out->width_ms = width_ms;
	out->stream_id = stream_id;
	if (!q)
		return store_poison(s, ERR_IO, &d);
	step = sqlite3_step(q);
	found = step == SQLITE_ROW;
	if (found)
		read_row(q, 0, out);
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

int store_put_label_link(struct store *s, const struct label_link *link)
{
	const struct value value[] = { value_int(link->model_id), value_text(link->taken), value_int(link->labels),
		                       value_real(link->correlation), value_real(link->p_value) };

	return store_run(s, SLOT_LINK_PUT,
	                 "INSERT OR REPLACE INTO label_links(model_id, taken, labels, correlation, p_value)"
	                 " VALUES(?, ?, ?, ?, ?)", value, COUNT(value));
}

int store_clear_residuals(struct store *s, uint32_t stream_id)
{
	const struct value value[] = { value_int(stream_id) };

	return store_run(s, SLOT_RESIDUALS_CLEAR, "DELETE FROM residuals WHERE stream_id = ?", value, COUNT(value));
}

int store_put_residual(struct store *s, const struct residual_row *row)
{
	const struct value value[] = { value_int(row->stream_id), value_text(row->measure), value_text(row->field),
		                       value_real(row->n), value_real(row->value), value_real(row->statistic),
		                       value_real(row->p_value) };

	return store_run(s, SLOT_RESIDUAL_PUT,
	                 "INSERT INTO residuals(stream_id, measure, field, n, value, statistic, p_value)"
	                 " VALUES(?, ?, ?, CAST(? AS INTEGER), ?, ?, ?)", value, COUNT(value));
}

int store_put_recalibration(struct store *s, uint32_t stream_id, const struct recalibration_row *row)
{
	const struct value value[] = {
		value_int(row->day_ms), value_int(stream_id), value_text(row->method), value_real(row->nominal),
		value_real(row->level), value_real(row->adjustment), value_count(row->labels),
		value_count(row->covered), value_count(row->covered_adapted), value_count(row->everything),
	};

	return store_run(s, SLOT_RECALIBRATION_PUT,
	                 "INSERT OR REPLACE INTO recalibration(day_ms, stream_id, method, nominal, level,"
	                 " adjustment, labels, covered, covered_adapted, everything)"
	                 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

/* -- the present --------------------------------------------------------------------------------- */

/* The sum of the most recent days that hold RECENT_LABELS labels together, and that of the days before. */
static int
sum_recent(struct store *s, uint32_t stream_id, struct label_row *sum, struct label_row *past,
           struct label_detail *detail, bool *known)
{
	struct label_detail *one = malloc(sizeof *one);
	uint32_t days = 0;
	const struct value key[] = { value_int(stream_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_LABEL_DAYS,
	                              "SELECT window_ms, " SUM_COLUMNS " FROM label_statistics"
	                              " WHERE stream_id = ? AND width_ms >= 86400000 AND labelled > 0"
	                              " ORDER BY window_ms DESC", key, COUNT(key), &d);
	int step = SQLITE_DONE, err;

	*known = one != NULL;
	if (!q) {
		free(one);
		return store_poison(s, ERR_IO, &d);
	}
	while ((sum->labelled < RECENT_LABELS || (sum->scored && past->labelled < PAST_LABELS)) &&
	       (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct label_row day = { .stream_id = stream_id };
		struct label_row *to = sum->labelled < RECENT_LABELS ? sum : past;

		read_row(q, 1, &day);
		label_row_add(to, &day);
		to->window_ms = sqlite3_column_int64(q, 0);
		if (to != sum || !*known)
			continue;
		*known = ++days <= DETAILS_MAX && !store_get_label_detail(s, to->window_ms, stream_id, one);
		if (*known)
			label_detail_add(detail, one);
	}
	free(one);
	err = store_query_end(s, q, step, &d);
	return err ? store_poison(s, err, &d) : 0;
}

static int
put_recent(struct store *s, uint32_t stream_id)
{
	static const char sql[] = "INSERT OR REPLACE INTO label_recent(stream_id, from_ms, predictions, labelled,"
	                          " intervals, calibrator, estimated_accuracy" FIGURE_COLUMNS
	                          ") VALUES(?, ?, ?, ?, ?, ?, ?" LABEL_FIGURES(PLACE) ")";
	struct label_row sum = { .stream_id = stream_id }, past = { .stream_id = stream_id };
	struct label_figures f;
	struct value value[7 + FIGURES], *at = value;
	double accuracy[LABEL_BINS];
	char text[ARRAY_BYTES];
	struct label_detail *detail = calloc(1, sizeof *detail);
	bool known;
	int err = s->error ? s->error : detail ? sum_recent(s, stream_id, &sum, &past, detail, &known) : ERR_IO;

	label_figures(&sum, &f);
	if (!err && known)
		label_detail_figures(detail, &sum, &f);
	if (!err)
		err = store_put_recent_levels(s, stream_id, known ? detail : NULL);
	free(detail);
	if (err || !sum.labelled)
		return err;
	label_calibrator(past.probs_n ? &past : &sum, accuracy);
	*at++ = value_int(stream_id);
	*at++ = value_int(sum.window_ms);
	*at++ = value_count(sum.predictions);
	*at++ = value_count(sum.labelled);
	*at++ = value_count(sum.intervals);
	*at++ = sum.scored ? sums_text(text, accuracy, LABEL_BINS) : value_text(NULL);
	*at++ = value_real(label_estimated_accuracy(&sum, accuracy));
	at = put_figures(at, &f);
	return store_run(s, SLOT_RECENT_PUT, sql, value, (size_t)(at - value));
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
	return store_put_label_day(s, row, NULL);
}

int store_put_label_day(struct store *s, const struct label_row *row, const struct label_detail *detail)
{
	int err = put_row(s, row, detail);

	if (!err && detail)
		err = store_put_label_detail(s, row->window_ms, row->stream_id, detail);
	if (!err && detail)
		err = store_put_label_levels(s, row->stream_id, row->window_ms, detail);
	return err || row->width_ms < DAY_MS ? err : recent_is_due(s, row->stream_id);
}

int store_put_label_total(struct store *s, uint32_t stream_id, const struct label_detail *d)
{
	const struct value value[] = { value_int(stream_id), value_real(metric_auc(d->positive, d->negative)),
		                       value_real(metric_auc(d->right, d->wrong)) };
	int err = store_put_label_detail(s, INT64_MIN, stream_id, d);

	return err ? err : store_run(s, SLOT_TOTAL_PUT,
	                             "INSERT OR REPLACE INTO label_totals(stream_id, auroc, error_auroc)"
	                             " VALUES(?, ?, ?)", value, COUNT(value));
}
