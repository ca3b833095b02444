/* views_uncertainty.h -- parts of the views of uncertainty, for views.c alone. */
#ifndef STORAGE_VIEWS_UNCERTAINTY_H
#define STORAGE_VIEWS_UNCERTAINTY_H

/* Which kind of uncertainty a figure is of; the daemon knows the same (version_uncertainty.h). */
#define UNCERTAINTY_KIND                                                                           \
	"CASE WHEN s.kind = 'discrepancy' THEN 'discrepancy' WHEN s.kind = 'structure' THEN 'structural'" \
	" WHEN s.kind IN ('feature', 'joint') THEN 'distributional' WHEN s.kind = 'ood' THEN 'ood'"  \
	" WHEN s.kind = 'coverage' THEN 'conformal' WHEN s.kind IN ('probe', 'probe_error') THEN 'robustness'" \
	" WHEN s.field IN ('total', 'var_total') THEN 'total'" \
	" WHEN s.field IN ('expected', 'var_aleatoric') THEN 'aleatoric' ELSE 'epistemic' END"
/* Streams that say of some kind of uncertainty where it stands. */
#define OF_UNCERTAINTY                                                                             \
	"y.kind IN ('uncertainty', 'discrepancy', 'structure', 'feature', 'joint', 'ood', 'coverage', 'probe'" \
	", 'probe_error')"
/* Of the spread of one record, for figures that are made of it. */
#define MONTE_CARLO_ERROR                                                                          \
	"CASE WHEN s.kind = 'uncertainty' AND (f.form = 'samples' OR s.field NOT IN ('total', 'expected',"  \
	" 'var_total', 'var_aleatoric')) THEN f.monte_carlo_error END"
/* Share of the reference below x, by its cells: straight inside a cell, halfway in the two outer ones. */
#define PERCENTILE_OF(x, stream)                                                                   \
	"(SELECT 100.0 * sum(c.n * CASE WHEN " x " > c.upto THEN 1.0 WHEN " x " <= c.above"        \
	" THEN 0.0 WHEN c.above IS NULL OR c.upto IS NULL THEN 0.5"                                \
	" ELSE (" x " - c.above) / (c.upto - c.above) END) / sum(c.n) FROM reference_cells c"      \
	" WHERE c.stream_id = " stream ")"
#define PERCENTILE(x) PERCENTILE_OF(x, "s.stream_id")

/* -- one verdict an alert: which kinds of uncertainty moved with it ---------------------------- */

/* Mean of the medians of windows that satisfy `when`, for stream k and alert a. */
#define MEDIAN_WHEN(when)                                                                          \
	"(SELECT sum(x.n * x.q50) / sum(x.n) FROM statistics x WHERE x.stream_id = k.stream_id"    \
	" AND x.n > 0 AND " when ")"
/* The first figure of each kind of a version. */
#define KINDS                                                                                      \
	"kinds AS (SELECT min(s.stream_id) AS stream_id, s.model_id, s.version, " UNCERTAINTY_KIND \
	" AS kind FROM streams s WHERE s.kind = 'uncertainty' AND s.segment = ''"                  \
	" GROUP BY s.model_id, s.version, 4), "
/* Alerts, with the version whose uncertainty they are about. */
#define ABOUT                                                                                      \
	"about AS (SELECT a.alert_id, a.stream_id, ifnull(a.started_ms, a.opened_ms) AS started_ms," \
	" a.opened_ms, ifnull(a.resolved_ms, 9e18) AS resolved_ms, s.model_id, s.name AS stream,"  \
	" ifnull((SELECT y.version FROM streams y WHERE y.model_id = s.model_id"                   \
	" AND y.kind = 'uncertainty' AND y.version = s.version LIMIT 1), (SELECT y.version"        \
	" FROM streams y WHERE y.model_id = s.model_id AND y.kind = 'uncertainty'"                 \
	" ORDER BY y.stream_id DESC LIMIT 1)) AS version"                                          \
	" FROM alerts a JOIN streams s ON s.stream_id = a.stream_id), "
/* Alerts of the model that were open at the same time, itself included. */
#define TOGETHER                                                                                   \
	"together AS (SELECT a.alert_id, b.kind AS alert, b.stream_id, b.opened_ms, s.name AS stream," \
	" s.kind, s.version, s.field FROM about a JOIN streams s ON s.model_id = a.model_id"       \
	" JOIN alerts b ON b.stream_id = s.stream_id WHERE ifnull(b.started_ms, b.opened_ms)"      \
	" <= a.resolved_ms AND a.started_ms <= ifnull(b.resolved_ms, 9e18))"
/* Where each kind stood in its reference in the two days before the change, and in the day from the alert. */
#define MEDIANS                                                                                    \
	", medians AS (SELECT a.alert_id, a.opened_ms, k.model_id, k.version, k.kind, k.stream_id, " \
	MEDIAN_WHEN("x.window_ms >= a.started_ms - 172800000 AND x.window_ms + x.width_ms <= a.started_ms") \
	" AS before, "                                                                             \
	MEDIAN_WHEN("x.window_ms + x.width_ms > a.opened_ms AND x.window_ms < a.opened_ms + 86400000") \
	" AS after FROM about a JOIN kinds k ON k.model_id = a.model_id AND k.version = a.version) "
#define MOVED(kind) "max(v.moved) FILTER (WHERE v.kind = '" kind "') AS " kind ", "
#define WORDS(kind) "max(iif(v.moved, printf('" kind " from percentile %.0f to %.0f', v.before, v.after)," \
	" '" kind " flat')) FILTER (WHERE v.kind = '" kind "') AS " kind "_words, "
#define WIDE                                                                                       \
	", wide AS (SELECT a.alert_id, a.model_id, a.version, a.stream, a.opened_ms, "             \
	MOVED("epistemic") MOVED("aleatoric") MOVED("total") WORDS("epistemic") WORDS("aleatoric")  \
	WORDS("total") "max(v.rank_correlation) AS rank_correlation, EXISTS (SELECT 1 FROM together t" \
	" WHERE t.alert_id = a.alert_id AND t.kind IN ('feature', 'joint')) AS inputs,"            \
	" CASE WHEN EXISTS (SELECT 1 FROM together t WHERE t.alert_id = a.alert_id"                \
	" AND t.alert = 'coverage') THEN 1 WHEN EXISTS (SELECT 1 FROM streams y"                   \
	" WHERE y.model_id = a.model_id AND y.kind = 'coverage') THEN 0 END AS coverage,"                  \
	" (SELECT t.stream FROM together t WHERE t.alert_id = a.alert_id"                          \
	" ORDER BY t.opened_ms, t.stream_id LIMIT 1) AS first FROM about a"                        \
	" LEFT JOIN uncertainty_moves v ON v.alert_id = a.alert_id GROUP BY a.alert_id)"
#define VERDICT                                                                                    \
	"CASE WHEN w.total IS NULL AND w.epistemic IS NULL THEN 'the model does not tell how unsure it is'" \
	" ELSE iif(w.inputs, 'inputs moved, ', 'inputs quiet, ') || CASE WHEN w.aleatoric IS NULL" \
	" THEN ifnull(w.epistemic_words, 'only the total is identifiable: ' || w.total_words)"     \
	" WHEN w.rank_correlation > 0.9 THEN printf('kinds not separable here (rank correlation %.2f): '," \
	" w.rank_correlation) || w.total_words ELSE w.epistemic_words || ', ' || w.aleatoric_words END" \
	" || CASE w.coverage WHEN 1 THEN ', coverage affected' WHEN 0 THEN ', coverage not affected so far'" \
	" ELSE '' END || '; first: ' || w.first END"

#endif
