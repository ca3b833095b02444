/* store_history.c -- statistics of windows, their histograms, cells of references. */
#include <math.h>
#include <stdlib.h>

#include "storage/store_impl.h"

int store_put_statistics(struct store *s, const struct statistics_row *row)
{
	const struct value value[] = {
		value_int(row->window_ms), value_int(row->stream_id), value_int(row->width_ms),
		value_count(row->n), value_count(row->missing), value_real(row->mean),
		value_real(row->sd), value_real(row->min), value_real(row->max), value_real(row->q05),
		value_real(row->q25), value_real(row->q50), value_real(row->q75), value_real(row->q90),
		value_real(row->q95),
		value_real(row->psi), value_real(row->psi_null95), value_real(row->sigma_shift),
		value_real(row->statistic),
	};
	const struct value counts[] = { value_int(row->window_ms), value_int(row->stream_id),
		                        value_text(row->histogram) };
	int err = store_run(s, SLOT_STATISTICS_PUT,
	                    "INSERT OR REPLACE INTO statistics(window_ms, stream_id, width_ms, n,"
	                    " missing, mean, sd, min, max, q05, q25, q50, q75, q90, q95, psi, psi_null95,"
	                    " sigma_shift, statistic)"
	                    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value,
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

int store_put_separability(struct store *s, uint32_t stream_id, uint32_t other_id, double rank_correlation,
                           uint32_t n)
{
	const struct value value[] = { value_int(stream_id), value_int(other_id),
		                       value_real(rank_correlation), value_count(n) };

	return store_run(s, SLOT_SEPARABILITY_PUT,
	                 "INSERT OR REPLACE INTO separability(stream_id, other_id, rank_correlation, n)"
	                 " VALUES(?, ?, ?, ?)", value, COUNT(value));
}

int store_put_comparison(struct store *s, const struct comparison_row *row)
{
	const struct value value[] = {
		value_int(row->model_id), value_bytes(row->version, row->version_length),
		value_bytes(row->other, row->other_length), value_text(row->figure),
		value_text(row->paired ? "id" : "neighbour"), value_count(row->n), value_real(row->mean),
		value_real(row->other_mean), value_real(row->difference), value_real(row->low), value_real(row->high),
		value_text(row->relative ? "relative" : "points"), value_count(row->higher), value_count(row->lower),
		value_real(row->evidence), value_int(row->updated_ms),
	};

	return store_run(s, SLOT_COMPARISON_PUT, "INSERT OR REPLACE INTO version_comparisons VALUES("
	                 "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

int store_put_robustness(struct store *s, const struct robustness_row *row)
{
	const struct value value[] = {
		value_int(row->stream_id), row->error_id ? value_int(row->error_id) : value_real((double)NAN),
		value_count(row->labelled), value_count(row->clean_right), value_count(row->right),
		value_count(row->both_right), value_real(row->reference_flip_rate), value_real(row->reference_error),
	};

	return store_run(s, SLOT_ROBUSTNESS_PUT, "INSERT OR REPLACE INTO robustness VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
	                 value, COUNT(value));
}

int store_put_form(struct store *s, const struct form_row *row)
{
	const struct value value[] = {
		value_int(row->model_id), value_bytes(row->version, row->version_length), value_text(row->form),
		row->members ? value_int(row->members) : value_real((double)NAN), value_real(row->monte_carlo_error),
	};

	return store_run(s, SLOT_FORM_PUT, "INSERT OR REPLACE INTO uncertainty_forms VALUES(?, ?, ?, ?, ?)", value,
	                 COUNT(value));
}
