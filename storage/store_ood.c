/* store_ood.c -- out-of-distribution scores: references, windows, the most unlike records. See ood.h. */
#include "storage/ood.h"

#include "storage/store_impl.h"

int store_put_ood_reference(struct store *s, const struct ood_reference_row *r)
{
	const struct value value[] = {
		value_int(r->stream_id), value_text(r->source), value_int(r->from_ms), value_int(r->to_ms),
		value_int(r->rows), value_int(r->fitted), value_int(r->ranked), value_int(r->classes),
		value_text(r->inputs), value_text(r->scores), value_real(r->alpha), value_real(r->delta),
		value_real(r->threshold), value_real(r->rate_low), value_real(r->rate_high),
		value_int(r->discoveries_min), value_count(r->hash), value_text(r->notes),
	};

	return store_run(s, SLOT_OOD_REF_PUT,
	                 "INSERT OR REPLACE INTO ood_refs(stream_id, source, from_ms, to_ms, rows, fitted, ranked,"
	                 " classes, inputs, scores, alpha, delta, threshold, rate_low, rate_high, discoveries_min,"
	                 " hash, notes) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value,
	                 COUNT(value));
}

int store_put_ood_window(struct store *s, const struct ood_window_row *r)
{
	const struct value value[] = {
		value_int(r->window_ms), value_int(r->stream_id), value_text(r->segment), value_int(r->width_ms),
		value_count(r->n), value_count(r->flagged), value_count(r->unsupported), value_real(r->rate_low),
		value_real(r->rate_high), value_count(r->tested), value_count(r->discoveries),
	};

	return store_run(s, SLOT_OOD_WINDOW_PUT,
	                 "INSERT OR REPLACE INTO ood_windows(window_ms, stream_id, segment, width_ms, n, flagged,"
	                 " unsupported, rate_low, rate_high, tested, discoveries)"
	                 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

int store_put_ood_extreme(struct store *s, const struct ood_extreme_row *r)
{
	const struct value value[] = {
		value_int(r->window_ms), value_int(r->stream_id), value_int(r->rank),
		r->id_length ? value_bytes(r->id, r->id_length) : value_text(NULL), value_int(r->ts_ms),
		value_real(r->p), value_real(r->score), value_text(r->reason), value_text(r->feature),
		value_text(r->members),
	};

	return store_run(s, SLOT_OOD_EXTREME_PUT,
	                 "INSERT OR REPLACE INTO ood_extremes(window_ms, stream_id, rank, id, ts_ms, p, score,"
	                 " reason, feature, members) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

/* By time first, so each of these goes from the oldest row to the first that stays. */
int store_drop_ood(struct store *s, int64_t fine_ms, int64_t hour_ms)
{
	const struct value fine[] = { value_int(fine_ms) }, hour[] = { value_int(hour_ms) };
	int err = store_run(s, SLOT_OOD_DROP_FINE, "DELETE FROM ood_windows INDEXED BY ood_fine"
	                    " WHERE width_ms < 3600000 AND window_ms < ?", fine, COUNT(fine));

	if (!err)
		err = store_run(s, SLOT_OOD_DROP_HOUR, "DELETE FROM ood_windows INDEXED BY ood_hour WHERE"
		                " width_ms >= 3600000 AND width_ms < 86400000 AND window_ms < ?", hour, COUNT(hour));
	return err ? err : store_run(s, SLOT_OOD_DROP_EXTREMES, "DELETE FROM ood_extremes WHERE window_ms < ?", fine,
	                             COUNT(fine));
}
