/* views_ood.h -- views about out-of-distribution scores; part of views.c. */
#ifndef STORAGE_VIEWS_OOD_H
#define STORAGE_VIEWS_OOD_H

/* What surely is no chance: the least rate that the window allows, less the most that records like the
 * reference may have, as a share of the records. */
#define OOD_EXCESS "max(0.0, (o.rate_low - r.rate_high) / (1 - r.rate_high))"
#define OOD_OF(table) \
	" FROM " table " o JOIN streams s ON s.stream_id = o.stream_id" \
	" JOIN models m ON m.model_id = s.model_id" \
	" LEFT JOIN ood_refs r ON r.stream_id = o.stream_id"

#define VIEWS_OOD \
	{ "ood_rate", \
	  "SELECT " ISO("o.window_ms") " AS window, o.width_ms / 1000.0 AS width_s, m.name AS model," \
	  " s.version AS version, o.segment, o.n, o.flagged, 1.0 * o.flagged / o.n AS rate, o.rate_low," \
	  " o.rate_high," \
	  " r.alpha AS expected, " OOD_EXCESS " AS excess_low, 1.0 * o.unsupported / o.n AS unsupported_share," \
	  " o.tested, o.discoveries" OOD_OF("ood_windows") " ORDER BY o.window_ms DESC, o.width_ms, m.name," \
	  " s.version, o.segment" }, \
	{ "ood_records", \
	  "SELECT " ISO("o.window_ms") " AS window, m.name AS model, s.version AS version, o.rank, o.id, " \
	  ISO("o.ts_ms") " AS ts, o.p, o.score, o.reason, o.feature, o.members" OOD_OF("ood_extremes") \
	  " ORDER BY o.window_ms DESC, m.name, s.version, o.rank" }, \
	{ "label_next", \
	  "SELECT m.name AS model, s.version AS version, o.id, " ISO("o.ts_ms") " AS ts, o.p, o.reason, o.feature" \
	  OOD_OF("ood_extremes") " WHERE o.id IS NOT NULL AND (o.score > r.threshold OR o.p <= r.alpha)" \
	  " ORDER BY o.p, o.score DESC, o.ts_ms DESC, o.id LIMIT 1000" }, \
	{ "ood_reference", \
	  "SELECT m.name AS model, s.version AS version, r.source, " ISO("r.from_ms") " AS since, " ISO("r.to_ms") \
	  " AS until, r.rows, r.fitted, r.ranked, r.classes, r.inputs, r.scores, r.alpha," \
	  " iif(r.delta IS NULL, 'nominal', 'pac') AS kind, r.delta, r.threshold, r.rate_low, r.rate_high," \
	  " r.discoveries_min, r.notes FROM ood_refs r JOIN streams s ON s.stream_id = r.stream_id" \
	  " JOIN models m ON m.model_id = s.model_id ORDER BY m.name, s.version" }

#endif
