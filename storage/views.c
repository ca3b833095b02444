/* views.c -- the questions people ask, as views: no join, names in words, times as ISO text.
 *
 * Only functions that every SQLite since 3.38 has are used, so any client can read them; sqrt is not
 * among those. documentation.c has a sentence for each column, and a test holds the two together.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "storage/schema.h"
#include "storage/store_impl.h"
#include "storage/views_ood.h"
#include "storage/views_uncertainty.h"

#define ISO(ms) "strftime('%Y-%m-%dT%H:%M:%fZ', " ms " / 1000.0, 'unixepoch')"
/* Start of the day, towards minus infinity. */
#define DAY_START(ms) "(" ms " - ((" ms " % 86400000) + 86400000) % 86400000)"
#define DAY_TEXT(ms) "strftime('%Y-%m-%d', " ms " / 1000.0, 'unixepoch')"
#define NAMES "m.name AS model, s.version AS version, s.segment AS segment, "
#define STREAM NAMES "s.name AS stream, "
#define META(key) "(SELECT CAST(value AS REAL) FROM meta WHERE key = '" key "')"
/* Newton from above; 60 rounds reach any double from 1e-30 to 1e30. */
#define SQRT(v)                                                                                    \
	"(WITH RECURSIVE root(x, i) AS (SELECT (" v ") / 2 + 0.5, 0 UNION ALL"                     \
	" SELECT (x + (" v ") / x) / 2, i + 1 FROM root WHERE i < 60)"                             \
	" SELECT iif((" v ") = 0, 0.0, x) FROM root WHERE i = 60)"
/* "void: dependent" as two columns. */
#define PROMISE(p)                                                                                 \
	"iif(substr(" p ", 1, 4) = 'void', 'void', " p ") AS promise,"                             \
	" iif(substr(" p ", 1, 6) = 'void: ', substr(" p ", 7), '') AS why, "

struct view {
	const char *name, *sql;
};

#define ALERTS                                                                                     \
	"SELECT a.alert_id, " ISO("a.opened_ms") " AS opened, " ISO("a.started_ms") " AS since, "  \
	ISO("a.updated_ms") " AS updated, ifnull(m.name, '') AS model,"                            \
	" ifnull(s.version, '') AS version, ifnull(s.segment, '') AS segment,"                     \
	" ifnull(s.name, '') AS stream, a.kind, a.severity, " PROMISE("a.promise")                 \
	"a.method, a.state, a.statistic, a.effect, a.effect_low, a.effect_high, a.effect_unit,"    \
	" a.old_value, a.new_value, a.promise_words, a.dependence, a.explanation, a.harm, a.text," \
	" a.moved, a.diagnosis, a.topic, a.partition, a.offset, a.episode_id"
#define FROM_ALERTS                                                                                \
	" FROM alerts a LEFT JOIN streams s ON s.stream_id = a.stream_id"                          \
	" LEFT JOIN models m ON m.model_id = s.model_id"

#define FROM_LABELS                                                                                \
	" FROM label_statistics l JOIN streams s ON s.stream_id = l.stream_id"                     \
	" JOIN models m ON m.model_id = s.model_id"
#define COVERAGE_FIGURES                                                                           \
	"l.intervals AS n, l.coverage, l.coverage_low, l.coverage_high,"                           \
	" l.coverage_anytime_low, l.coverage_anytime_high, l.coverage_worst,"         \
	" l.coverage_best, l.below_share AS below,"                                                \
	" l.above_share AS above, l.mean_width AS width, l.winkler, l.empty_sets, l.infinite,"       \
	" l.predictions, l.labelled,"                                                              \
	" l.labelled_share, l.final"

/* Rows of the recent days together have no day. */
#define IS_RECENT " = -9223372036854775807 - 1"
#define FROM_LEVELS(table)                                                                         \
	" FROM " table " l JOIN streams s ON s.stream_id = l.stream_id JOIN models m ON m.model_id = s.model_id"
#define MEAN(sum, n) "sum(l." sum ") / nullif(sum(l." n "), 0)"
#define SHARE(part, n) "1.0 * " MEAN(part, n)
#define WINKLER                                                                                    \
	MEAN("winkler_sum", "winklers")
#define COVERAGE_SUMS                                                                              \
	SHARE("covered", "intervals") " AS coverage, "
#define INTERVAL_SUMS                                                                              \
	SHARE("below", "intervals") " AS below, " SHARE("above", "intervals") " AS above, "        \
	MEAN("width_sum", "widths") " AS width, " WINKLER " AS winkler"
#define JOIN_SUMS                                                                                  \
	"sum(l.predictions) AS predictions, sum(l.labelled) AS labelled, "                         \
	SHARE("labelled", "predictions") " AS labelled_share"
/* Bins are added up over the rows before the distance is taken. json_each is the one JSON function that
 * works under trusted_schema = OFF. */
#define ECE_BIN(column, n, correct, confidence)                                                    \
	"SELECT b.key AS bin, " n " AS n, " correct " AS correct, " confidence " AS confidence"    \
	" FROM label_statistics x, json_each(x." column ") b WHERE x.stream_id = l.stream_id"      \
	" AND x.width_ms >= 86400000"
#define ECE15                                                                                      \
	"(SELECT sum(gap) / nullif(sum(n), 0) FROM (SELECT sum(n) AS n,"                           \
	" abs(sum(correct) - sum(confidence)) AS gap FROM ("                                       \
	ECE_BIN("ece_n", "b.value", "0", "0.0") " UNION ALL "                                      \
	ECE_BIN("ece_correct", "0", "b.value", "0.0") " UNION ALL "                                \
	ECE_BIN("ece_confidence", "0", "0", "b.value") ") GROUP BY bin))"
/* The sums of each stream over everything, and what needs them twice around it. */
#define PERFORMANCE_TOTAL                                                                          \
	"SELECT " NAMES ISO("g.since_ms") " AS since, g.n, g.coverage, g.below, g.above, g.width," \
	" g.winkler, g.bias, g.mae, " SQRT("g.mse") " AS rmse, g.accuracy, g.mean_confidence,"     \
	" g.brier, g.nll, g.ece15, t.auroc, t.error_auroc, g.predictions,"                        \
	" g.labelled_share FROM (SELECT l.stream_id,"                                              \
	" min(l.window_ms) AS since_ms, sum(l.labelled) AS n, " COVERAGE_SUMS INTERVAL_SUMS ", "   \
	MEAN("error_sum", "errors_n") " AS bias, " MEAN("abs_error_sum", "errors_n") " AS mae, "   \
	MEAN("sq_error_sum", "errors_n") " AS mse, " SHARE("correct", "class_n") " AS accuracy, "  \
	MEAN("confidence_sum", "probs_n") " AS mean_confidence, " MEAN("brier_sum", "probs_n")     \
	" AS brier, " MEAN("nll_sum", "probs_n") " AS nll, " ECE15                                 \
	" AS ece15, sum(l.predictions) AS predictions, " SHARE("labelled", "predictions")          \
	" AS labelled_share FROM label_statistics l WHERE l.width_ms >= 86400000"                  \
	" GROUP BY l.stream_id) g LEFT JOIN label_totals t ON t.stream_id = g.stream_id"           \
	" JOIN streams s ON s.stream_id = g.stream_id"                                             \
	" JOIN models m ON m.model_id = s.model_id ORDER BY m.name, s.version, s.segment"
/* Figures of a row of label_statistics or label_recent, as the views of performance show them. */
#define PERFORMANCE(t)                                                                             \
	t ".labelled AS n, " t ".error_rate, " t ".accuracy, " t ".accuracy_low, "                 \
	t ".accuracy_high, " t ".precision, " t ".recall, " t ".f1, " t ".precision_macro, "       \
	t ".recall_macro, " t ".f1_macro, " t ".bias, " t ".mae, " t ".rmse, " t ".r2, "           \
	t ".coverage, " t ".below_share AS below, " t ".above_share AS above, "                    \
	t ".mean_width AS width, " t ".winkler, " t ".mean_confidence, " t ".brier, " t ".nll, "   \
	t ".auroc, " t ".error_auroc, " t ".bias_low, " t ".bias_high, " t ".mae_low, "            \
	t ".mae_high, " t ".rmse_low, " t ".rmse_high, " t ".brier_low, " t ".brier_high, "        \
	t ".nll_low, " t ".nll_high, " t ".winkler_low, " t ".winkler_high, " t ".crps, "          \
	t ".crps_low, " t ".crps_high, " t ".pinball, " t ".pit_mean, " t ".pit_bias, "            \
	t ".pit_spread, " t ".pit_skew, " t ".pit_tails, " t ".pit_p_value, "                      \
	t ".ece15, " t ".ece_debiased, " t ".ece_adaptive, " t ".mce, " t ".reliability, "         \
	t ".resolution, " t ".uncertainty, " t ".predictions, " t ".labelled_share"
/* Of the coverage stream beside a row of label_statistics or label_recent (s is its labels stream). */
#define ASSUMPTION                                                                                 \
	"(SELECT CASE WHEN EXISTS(SELECT 1 FROM alerts a WHERE a.stream_id = c.stream_id"          \
	" AND a.state <> 'resolved') THEN 'drifting' WHEN d.promise LIKE 'void: dependent'"        \
	" OR d.step > 1 THEN 'dependent' WHEN d.promise = 'certified' THEN 'exchangeable'"         \
	" ELSE 'not known yet' END FROM streams c JOIN detectors d ON d.stream_id = c.stream_id"   \
	" AND d.role = 'paging' WHERE c.model_id = s.model_id AND c.version = s.version"           \
	" AND c.segment = s.segment AND c.kind = 'coverage' AND c.field = ''"                      \
	" ORDER BY d.detector_id LIMIT 1) AS assumption, "
#define RECENT                                                                                     \
	" JOIN label_recent r ON r.stream_id = l.stream_id"                                        \
	" WHERE l.width_ms >= 86400000 AND l.window_ms >= r.from_ms"
#define COVERAGE_RECENT                                                                            \
	"SELECT " NAMES ISO("r.from_ms") " AS since, sum(l.intervals) AS n, " COVERAGE_SUMS        \
	"r.coverage_low, r.coverage_high, r.coverage_anytime_low, r.coverage_anytime_high,"        \
	" r.coverage_worst, r.coverage_best, " ASSUMPTION INTERVAL_SUMS ", " JOIN_SUMS

/* Of a day's predictions, labelled or not: by their confidence, with the calibrator of label_recent r. */
#define ESTIMATED_ACCURACY                                                                         \
	"(SELECT sum(b.value * c.value) / sum(b.value) FROM json_each(l.scored_n) b"               \
	" JOIN json_each(r.calibrator) c ON c.key = b.key) AS estimated_accuracy, "
#define METRIC(name, column) " UNION ALL SELECT window_ms, width_ms, stream_id, '" name "', " column \
	" FROM statistics"
#define LABEL_METRIC(name, column) " UNION ALL SELECT window_ms, width_ms, stream_id, '" name "', " \
	column " FROM label_statistics"

static const struct view views[] = {
	{ "alerts_open",
	  ALERTS FROM_ALERTS " WHERE a.state <> 'resolved' ORDER BY"
	  " CASE a.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,"
	  " a.opened_ms DESC, a.alert_id" },
	{ "alerts_history",
	  ALERTS ", " ISO("a.resolved_ms") " AS resolved, a.resolved_by, a.verdict" FROM_ALERTS
	  " ORDER BY a.opened_ms DESC, a.alert_id" },
	{ "drift_now",
	  "SELECT " STREAM "d.method, d.role, d.statistic, d.effect, d.effect_low, d.effect_high,"
	  " d.effect_unit, " ISO("d.since_ms") " AS since, d.old_value, d.new_value, "
	  PROMISE("d.promise") "d.season, d.material, d.step, d.used, d.share"
	  " FROM detectors d JOIN streams s ON s.stream_id = d.stream_id"
	  " JOIN models m ON m.model_id = s.model_id"
	  " ORDER BY ifnull(d.statistic, -1) DESC, ifnull(abs(d.effect), -1) DESC, d.detector_id" },
	{ "drift_daily",
	  "SELECT " DAY_TEXT("h.day_ms") " AS day, " STREAM "h.windows, h.n, h.missing, h.mean,"
	  " h.min, h.max, h.sigma_shift, h.psi, h.statistic FROM (SELECT "
	  DAY_START("window_ms") " AS day_ms, stream_id, count(*) AS windows, sum(n) AS n,"
	  " sum(missing) AS missing, sum(n * mean) / nullif(sum(iif(mean IS NULL, 0, n)), 0) AS mean,"
	  " min(min) AS min, max(max) AS max, sum(n * sigma_shift)"
	  " / nullif(sum(iif(sigma_shift IS NULL, 0, n)), 0) AS sigma_shift, max(psi) AS psi,"
	  " max(statistic) AS statistic FROM statistics GROUP BY 1, 2) h"
	  " JOIN streams s ON s.stream_id = h.stream_id JOIN models m ON m.model_id = s.model_id"
	  " ORDER BY h.day_ms DESC, ifnull(h.statistic, -1) DESC, h.stream_id" },
	{ "coverage_now",
	  COVERAGE_RECENT FROM_LABELS RECENT " GROUP BY l.stream_id HAVING sum(l.intervals) > 0"
	  " ORDER BY m.name, s.version, s.segment" },
	{ "coverage_hourly",
	  "SELECT " ISO("l.window_ms") " AS hour, " NAMES COVERAGE_FIGURES FROM_LABELS
	  " WHERE l.width_ms >= 3600000 AND l.width_ms < 86400000 AND l.intervals > 0"
	  " ORDER BY l.window_ms DESC, m.name, s.version, s.segment" },
	{ "coverage_daily",
	  "SELECT " DAY_TEXT("l.window_ms") " AS day, " NAMES COVERAGE_FIGURES FROM_LABELS
	  " WHERE l.width_ms >= 86400000 AND l.intervals > 0"
	  " ORDER BY l.window_ms DESC, m.name, s.version, s.segment" },
	{ "coverage_by_segment",
	  "SELECT c.model, c.version, c.segment, c.since, c.n, c.coverage, c.coverage_low,"
	  " c.coverage_high, c.coverage - a.coverage AS difference, c.below, c.above, c.width,"
	  " c.winkler, c.predictions, c.labelled, c.labelled_share FROM coverage_now c"
	  " LEFT JOIN coverage_now a ON a.model = c.model AND a.version = c.version"
	  " AND a.segment = '' WHERE c.segment <> '' ORDER BY c.coverage_high, c.model, c.version,"
	  " c.segment" },
	{ "coverage_by_level",
	  "SELECT " NAMES "l.level AS nominal, l.n, l.coverage, l.coverage_low, l.coverage_high, l.below, l.above,"
	  " l.width, l.winkler" FROM_LEVELS("label_levels") " WHERE l.window_ms" IS_RECENT
	  " ORDER BY m.name, s.version, s.segment, l.level" },
	{ "coverage_levels_daily",
	  "SELECT " DAY_TEXT("l.window_ms") " AS day, " NAMES "l.level AS nominal, l.n, l.coverage,"
	  " l.coverage_low, l.coverage_high, l.below, l.above, l.width, l.winkler"
	  FROM_LEVELS("label_levels") " WHERE NOT l.window_ms" IS_RECENT
	  " ORDER BY l.window_ms DESC, m.name, s.version, s.segment, l.level" },
	{ "quantiles_now",
	  "SELECT " NAMES "l.level AS quantile, l.n, l.share, l.share_low, l.share_high, l.pinball"
	  FROM_LEVELS("label_quantiles") " WHERE l.window_ms" IS_RECENT
	  " ORDER BY m.name, s.version, s.segment, l.level" },
	{ "coverage_explained",
	  "SELECT " STREAM "a.alert_id, a.state, " ISO("a.opened_ms") " AS opened, e.phase, e.rank, e.field,"
	  " e.place, e.n, e.hits, e.rate, e.rate_low, e.rate_high, e.outside_rate, e.old_rate, e.lift,"
	  " e.hits_share, e.records_share, e.p_value, e.records, e.searched FROM explanations e"
	  " JOIN alerts a ON a.alert_id = e.alert_id JOIN streams s ON s.stream_id = a.stream_id"
	  " JOIN models m ON m.model_id = s.model_id ORDER BY a.opened_ms DESC, a.alert_id, e.rank" },
	{ "uncertainty_now",
	  "SELECT " STREAM UNCERTAINTY_KIND " AS kind, " ISO("h.window_ms") " AS since, h.n, h.mean AS level,"
	  " h.q50 AS median, " PERCENTILE("h.q50") " AS percentile, h.sigma_shift,"
	  " (SELECT r.rank_correlation FROM separability r"
	  " WHERE s.stream_id IN (r.stream_id, r.other_id) ORDER BY r.stream_id LIMIT 1) AS rank_correlation,"
	  " iif(s.kind = 'uncertainty', f.members, NULL) AS members, " MONTE_CARLO_ERROR " AS monte_carlo_error,"
	  " CASE WHEN " MONTE_CARLO_ERROR " > 0.5 THEN 'too few ' || iif(f.form = 'samples', 'samples',"
	  " 'members') END AS note,"
	  " (SELECT max(d.statistic)"
	  " FROM detectors d WHERE d.stream_id = s.stream_id AND d.role = 'paging') AS statistic,"
	  " ifnull((SELECT a.state FROM alerts a WHERE a.stream_id = s.stream_id AND a.state <> 'resolved'"
	  " ORDER BY a.opened_ms DESC LIMIT 1), 'quiet') AS state FROM streams s"
	  " JOIN models m ON m.model_id = s.model_id JOIN (SELECT x.stream_id, max(x.window_ms) AS window_ms"
	  " FROM statistics x JOIN streams y ON y.stream_id = x.stream_id WHERE " OF_UNCERTAINTY " AND x.n > 0"
	  " GROUP BY x.stream_id) l ON l.stream_id = s.stream_id JOIN statistics h ON h.stream_id = l.stream_id"
	  " AND h.window_ms = l.window_ms LEFT JOIN uncertainty_forms f ON f.model_id = s.model_id"
	  " AND f.version = s.version ORDER BY m.name, s.version, s.segment, kind, s.stream_id" },
	{ "uncertainty_moves",
	  "WITH " KINDS ABOUT TOGETHER MEDIANS "SELECT e.alert_id, m.name AS model, e.version, e.kind, "
	  ISO("e.opened_ms") " AS opened, " PERCENTILE_OF("e.before", "e.stream_id") " AS before, "
	  PERCENTILE_OF("e.after", "e.stream_id") " AS after, EXISTS (SELECT 1 FROM together s"
	  " WHERE s.alert_id = e.alert_id AND s.kind = 'uncertainty' AND s.version = e.version AND "
	  UNCERTAINTY_KIND " = e.kind) AS moved, (SELECT r.rank_correlation FROM separability r"
	  " WHERE e.stream_id = r.stream_id) AS rank_correlation FROM medians e"
	  " JOIN models m ON m.model_id = e.model_id ORDER BY e.opened_ms DESC, e.alert_id, e.kind" },
	{ "uncertainty_verdicts",
	  "WITH " ABOUT TOGETHER WIDE " SELECT w.alert_id, m.name AS model, w.version, w.stream, "
	  ISO("w.opened_ms") " AS opened, w.first, w.inputs, w.epistemic, w.aleatoric, w.total,"
	  " w.coverage AS coverage_alert, w.rank_correlation, " VERDICT " AS verdict FROM wide w"
	  " JOIN models m ON m.model_id = w.model_id ORDER BY w.opened_ms DESC, w.alert_id" },
	{ "uncertainty_daily",
	  "SELECT " DAY_TEXT("h.day_ms") " AS day, " STREAM UNCERTAINTY_KIND " AS kind, h.n, h.level, h.median, "
	  PERCENTILE("h.median") " AS percentile, h.statistic, ifnull((SELECT 'open' FROM alerts a"
	  " WHERE a.stream_id = s.stream_id AND a.opened_ms < h.day_ms + 86400000 AND (a.resolved_ms IS NULL"
	  " OR a.resolved_ms >= h.day_ms) LIMIT 1), 'quiet') AS state FROM (SELECT "
	  DAY_START("x.window_ms") " AS day_ms, x.stream_id, sum(x.n) AS n, sum(x.n * x.mean) / sum(x.n) AS level,"
	  " sum(x.n * x.q50) / sum(x.n) AS median, max(x.statistic) AS statistic FROM statistics x"
	  " JOIN streams y ON y.stream_id = x.stream_id WHERE " OF_UNCERTAINTY " AND x.n > 0 GROUP BY 1, 2) h"
	  " JOIN streams s ON s.stream_id = h.stream_id JOIN models m ON m.model_id = s.model_id"
	  " ORDER BY h.day_ms DESC, m.name, s.version, s.segment, kind, s.stream_id" },
	VIEWS_OOD,
	{ "residual_structure",
	  "SELECT " NAMES "r.measure, r.field, r.n, r.value, r.statistic, r.p_value, min(1.0, r.p_value * (SELECT"
	  " count(*) FROM residuals o WHERE o.stream_id = r.stream_id AND o.measure = r.measure)) AS p_adjusted"
	  " FROM residuals r JOIN streams s ON s.stream_id = r.stream_id"
	  " JOIN models m ON m.model_id = s.model_id ORDER BY p_adjusted, m.name, s.version, r.measure, r.field" },
	{ "robustness_total",
	  "SELECT " STREAM "s.field AS perturbation, " ISO("h.first_ms") " AS since, h.n AS pairs,"
	  " CAST(round(h.flips) AS INTEGER) AS flips, h.flips / h.n AS flip_rate, r.reference_flip_rate,"
	  " d.statistic, ifnull(r.labelled, 0) AS labelled, 1.0 * r.clean_right / r.labelled AS clean_accuracy,"
	  " 1.0 * r.right / r.labelled AS robust_accuracy, 1 - r.reference_error AS reference_accuracy,"
	  " 1 - 1.0 * r.both_right / r.clean_right AS lost_share, e.statistic AS accuracy_statistic"
	  " FROM (SELECT x.stream_id, min(x.window_ms) AS first_ms, sum(x.n) AS n,"
	  " sum(x.n * x.mean) AS flips FROM statistics x JOIN streams y ON y.stream_id = x.stream_id"
	  " WHERE y.kind = 'probe' AND x.n > 0 GROUP BY x.stream_id) h JOIN streams s ON s.stream_id = h.stream_id"
	  " JOIN models m ON m.model_id = s.model_id LEFT JOIN detectors d ON d.stream_id = s.stream_id"
	  " AND d.role = 'paging' LEFT JOIN robustness r ON r.stream_id = s.stream_id"
	  " LEFT JOIN detectors e ON e.stream_id = r.error_id AND e.role = 'paging'"
	  " ORDER BY m.name, s.version, s.segment, s.field" },
	{ "performance_now",
	  "SELECT " NAMES ISO("r.from_ms") " AS since, r.estimated_accuracy, " PERFORMANCE("r")
	  " FROM label_recent r"
	  " JOIN streams s ON s.stream_id = r.stream_id JOIN models m ON m.model_id = s.model_id"
	  " ORDER BY m.name, s.version, s.segment" },
	{ "performance_daily",
	  "SELECT " DAY_TEXT("l.window_ms") " AS day, " NAMES ESTIMATED_ACCURACY PERFORMANCE("l") ", l.final"
	  FROM_LABELS " LEFT JOIN label_recent r ON r.stream_id = l.stream_id WHERE l.width_ms >= 86400000"
	  " ORDER BY l.window_ms DESC, m.name, s.version, s.segment" },
	{ "scenarios",
	  "SELECT " NAMES DAY_TEXT("l.window_ms") " AS day, iif(l.final OR l.labelled >= 0.95 * l.predictions,"
	  " 'realised', 'estimated') AS basis, l.predictions, l.labelled_share, l.accuracy, " ESTIMATED_ACCURACY
	  "l.coverage, l.coverage_worst, l.coverage_best, l.mae, l.brier" FROM_LABELS
	  " LEFT JOIN label_recent r ON r.stream_id = l.stream_id WHERE l.width_ms >= 86400000"
	  " ORDER BY m.name, s.segment, s.version, l.window_ms DESC" },
	{ "performance_total", PERFORMANCE_TOTAL },
	{ "efficiency",
	  "SELECT " ISO("t.window_ms") " AS window, t.width_ms / 1000.0 AS width_s, " NAMES "s.field AS measure,"
	  " t.n, t.mean, t.q50 AS median, t.q75, t.q90, t.q95, t.min, t.max, t.sigma_shift FROM statistics t"
	  " JOIN streams s ON s.stream_id = t.stream_id JOIN models m ON m.model_id = s.model_id"
	  " WHERE s.kind = 'prediction' AND s.field IN ('width', 'set_size')"
	  " ORDER BY t.window_ms DESC, m.name, s.version, s.segment, s.field" },
	{ "recalibration_daily",
	  "SELECT " DAY_TEXT("c.day_ms") " AS day, " NAMES "c.method, c.nominal, c.level, c.adjustment, c.labels,"
	  " 1.0 * c.covered / c.labels AS coverage, 1.0 * c.covered_adapted / c.labels AS coverage_adapted,"
	  " c.everything FROM recalibration c JOIN streams s ON s.stream_id = c.stream_id"
	  " JOIN models m ON m.model_id = s.model_id ORDER BY c.day_ms DESC, m.name, s.version, s.segment" },
	{ "label_order",
	  "SELECT m.name AS model, k.taken, k.labels, k.correlation, k.p_value,"
	  " k.p_value <= 0.01 AS informative FROM label_links k JOIN models m ON m.model_id = k.model_id"
	  " ORDER BY m.name" },
	{ "labels_waiting",
	  "SELECT " DAY_TEXT("l.window_ms") " AS day, " NAMES "l.predictions, l.labelled,"
	  " l.predictions - l.labelled AS waiting, l.labelled_share" FROM_LABELS
	  " WHERE l.width_ms >= 86400000 AND l.final = 0 AND l.predictions > l.labelled"
	  " ORDER BY l.window_ms, m.name, s.version, s.segment" },
	{ "label_delay",
	  "SELECT " DAY_TEXT("l.window_ms") " AS day, " NAMES "l.labelled, l.mean_delay_s / 3600.0"
	  " AS mean_delay_h, 1.0 * l.within_hour / l.labelled AS within_hour, 1.0 * l.within_day"
	  " / l.labelled AS within_day, 1.0 * l.within_week / l.labelled AS within_week,"
	  " l.labelled_share, l.final" FROM_LABELS " WHERE l.width_ms >= 86400000 AND l.labelled > 0"
	  " ORDER BY l.window_ms DESC, m.name, s.version, s.segment" },
	{ "statistics_total",
	  "SELECT " STREAM "s.type, " ISO("h.first_ms") " AS since, h.windows, h.n, h.missing,"
	  " 1.0 * h.missing / nullif(h.n + h.missing, 0) AS missing_share, h.mean, h.min, h.max"
	  " FROM (SELECT stream_id, min(window_ms) AS first_ms, count(*) AS windows, sum(n) AS n,"
	  " sum(missing) AS missing, sum(n * mean) / nullif(sum(iif(mean IS NULL, 0, n)), 0) AS mean,"
	  " min(min) AS min, max(max) AS max FROM statistics GROUP BY stream_id) h"
	  " JOIN streams s ON s.stream_id = h.stream_id JOIN models m ON m.model_id = s.model_id"
	  " ORDER BY m.name, s.name, s.segment" },
	{ "statistics_long",
	  "SELECT " ISO("v.window_ms") " AS window, v.width_ms / 1000.0 AS width_s, " STREAM
	  "v.metric, v.value FROM (SELECT window_ms, width_ms, stream_id, 'n' AS metric, n AS value"
	  " FROM statistics" METRIC("missing", "missing") METRIC("mean", "mean") METRIC("sd", "sd")
	  METRIC("min", "min") METRIC("max", "max") METRIC("q05", "q05") METRIC("q25", "q25")
	  METRIC("q50", "q50") METRIC("q75", "q75") METRIC("q90", "q90") METRIC("q95", "q95") METRIC("psi", "psi")
	  METRIC("psi_null95", "psi_null95") METRIC("sigma_shift", "sigma_shift")
	  METRIC("statistic", "statistic") LABEL_METRIC("predictions", "predictions")
	  LABEL_METRIC("labelled", "labelled") LABEL_METRIC("coverage", "coverage")
	  LABEL_METRIC("coverage_low", "coverage_low") LABEL_METRIC("coverage_high", "coverage_high")
	  LABEL_METRIC("below", "below_share") LABEL_METRIC("above", "above_share")
	  LABEL_METRIC("width", "mean_width") LABEL_METRIC("winkler", "winkler")
	  LABEL_METRIC("mae", "mae") LABEL_METRIC("rmse", "rmse")
	  LABEL_METRIC("accuracy", "accuracy") LABEL_METRIC("mean_confidence", "mean_confidence")
	  LABEL_METRIC("brier", "brier") LABEL_METRIC("nll", "nll") LABEL_METRIC("ece15", "ece15")
	  LABEL_METRIC("crps", "crps") LABEL_METRIC("pinball", "pinball") LABEL_METRIC("pit_mean", "pit_mean")
	  ") v JOIN streams s ON s.stream_id = v.stream_id JOIN models m ON m.model_id = s.model_id"
	  " WHERE v.value IS NOT NULL" },
#define JUDGED(verdict) \
	"(SELECT count(*) FROM alerts WHERE promise = 'certified' AND stream_id <> 0 AND verdict " verdict ")"
	{ "budget",
	  "WITH plan AS (SELECT " META("budget_alarms") " AS promised, " META("budget_period_ms")
	  " AS period_ms, " META("first_watermark_ms") " AS first_ms, " META("watermark_ms")
	  " AS now_ms), kinds AS (SELECT total(spent) AS spent, total(alarms) AS alarms,"
	  " total(iif(promise LIKE 'void%' OR promise = 'unbudgeted', 0, spent_apart)) AS provisional,"
	  " total(iif(promise LIKE 'void%' OR promise = 'unbudgeted', 0, alarms_apart)) AS provisional_alarms,"
	  " total(iif(promise LIKE 'void%', spent_apart, 0)) AS void,"
	  " total(iif(promise LIKE 'void%', alarms_apart, 0)) AS void_alarms FROM detectors)"
	  " SELECT promised, period_ms / 86400000.0 AS period_days, " ISO("first_ms") " AS since, "
	  ISO("now_ms") " AS watermark, promised * (now_ms - first_ms) / period_ms AS allowance,"
	  " spent, promised * (now_ms - first_ms) / period_ms - spent AS unspent,"
	  " CAST(alarms AS INTEGER) AS alarms, provisional,"
	  " CAST(provisional_alarms AS INTEGER) AS provisional_alarms, void,"
	  " CAST(void_alarms AS INTEGER) AS void_alarms, " JUDGED("= 'true'") " AS judged_true, "
	  JUDGED("= 'false'") " AS judged_false, " JUDGED("= 'expected'") " AS judged_expected, "
	  JUDGED("IS NULL") " AS unjudged FROM plan, kinds" },
	{ "versions_now",
	  "SELECT m.name AS model, c.version, c.other, c.figure, c.matched, c.n, c.mean, c.other_mean,"
	  " c.difference, c.difference_low, c.difference_high, c.unit, CASE WHEN c.difference_low > 0"
	  " THEN 'higher' WHEN c.difference_high < 0 THEN 'lower' ELSE 'undecided' END AS verdict,"
	  " c.higher, c.lower, c.evidence, " ISO("c.updated_ms") " AS updated FROM version_comparisons c"
	  " JOIN models m ON m.model_id = c.model_id ORDER BY m.name, c.updated_ms / 86400000 DESC, c.version,"
	  " c.other, c.figure, c.matched" },
	{ "lag",
	  "SELECT o.topic, o.partition, o.next_offset, nullif(o.end_offset, -1) AS end_offset,"
	  " iif(o.end_offset < 0, NULL, max(o.end_offset - o.next_offset, 0)) AS lag, "
	  ISO(META("watermark_ms")) " AS watermark, o.epoch, (SELECT count(*) FROM gaps g"
	  " WHERE g.topic = o.topic AND g.partition = o.partition) AS gaps, (SELECT"
	  " ifnull(sum(g.to_offset - g.from_offset), 0) FROM gaps g WHERE g.topic = o.topic"
	  " AND g.partition = o.partition) AS lost FROM offsets o ORDER BY o.topic, o.partition" },
#define JOINED(counter) "ifnull(max(c.n) FILTER (WHERE c.name = '" counter "'), 0)"
	{ "joins",
	  "SELECT m.name AS model, " JOINED("predictions") " AS predictions, "
	  JOINED("label_lines") " AS label_lines, " JOINED("matched_ids") " AS matched_ids, "
	  JOINED("waiting") " + " JOINED("expired") " + " JOINED("evicted") " AS never_arrived, "
	  JOINED("waiting") " AS waiting, " JOINED("expired") " AS expired, "
	  JOINED("evicted") " AS evicted, " JOINED("repeat_lines") " AS repeat_lines, "
	  JOINED("repeat_other_label") " AS repeat_other_label, " JOINED("labels_late")
	  " AS labels_late, " JOINED("orphans") " + " JOINED("orphans_expired")
	  " AS orphan_lines FROM models m"
	  " LEFT JOIN counters c ON c.model_id = m.model_id GROUP BY m.model_id ORDER BY m.name" },
};

static const struct documentation *const documented[] = {
	documentation_table, documentation_labels, documentation_ood
};

/* Changes with any view or sentence, and with the columns of tables through the schema version. */
static void text_hash(char hash[17])
{
	uint64_t h = STORE_SCHEMA_VERSION;

	for (size_t i = 0; i < COUNT(views); i++) {
		h = XXH64(views[i].name, strlen(views[i].name), h);
		h = XXH64(views[i].sql, strlen(views[i].sql), h);
	}
	for (size_t i = 0; i < COUNT(documented); i++)
		for (const struct documentation *t = documented[i]; t->name; t++) {
			h = XXH64(t->name, strlen(t->name), h);
			h = XXH64(t->column, strlen(t->column), h);
			h = XXH64(t->meaning, strlen(t->meaning), h);
		}
	snprintf(hash, 17, "%016" PRIx64, h);
}

static const char *meaning_of(const char *name, const char *column)
{
	const char *common = NULL;

	for (size_t i = 0; i < COUNT(documented); i++)
		for (const struct documentation *t = documented[i]; t->name; t++) {
			if (strcmp(t->column, column) != 0)
				continue;
			if (strcmp(t->name, name) == 0)
				return t->meaning;
			if (*column && strcmp(t->name, "*") == 0)
				common = t->meaning;
		}
	return common;
}

static int document(sqlite3 *db, struct diag *d)
{
	sqlite3_stmt *columns = NULL, *add = NULL;
	int err = 0, step = SQLITE_DONE;

	/* The row of the table itself comes first, then its columns in their order. */
	if (sqlite3_prepare_v2(db, "SELECT t.name, '', -1 FROM sqlite_schema t WHERE t.type IN"
	                       " ('table', 'view') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
	                       " UNION ALL SELECT t.name, c.name, c.cid FROM sqlite_schema t,"
	                       " pragma_table_xinfo(t.name) c WHERE t.type IN ('table', 'view')"
	                       " AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, 3", -1,
	                       &columns, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "INSERT INTO documentation VALUES(?, ?, ?)", -1, &add, NULL) !=
	    SQLITE_OK)
		goto out;
	while ((step = sqlite3_step(columns)) == SQLITE_ROW) {
		const char *name = store_column_text(columns, 0);
		const char *column = store_column_text(columns, 1);
		const char *meaning = meaning_of(name, column);

		if (!meaning)
			continue;
		sqlite3_bind_text(add, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(add, 2, column, -1, SQLITE_STATIC);
		sqlite3_bind_text(add, 3, meaning, -1, SQLITE_STATIC);
		if (sqlite3_step(add) != SQLITE_DONE)
			goto out;
		sqlite3_reset(add);
	}
out:
	if (step != SQLITE_DONE || !columns || !add)
		err = store_sqlite_error(db, "document", d);
	sqlite3_finalize(add);
	sqlite3_finalize(columns);
	return err;
}

/* Views that an earlier version wrote; a view that a person added is not documented, and stays. */
static int drop_views(sqlite3 *db, struct diag *d)
{
	char sql[256];
	sqlite3_stmt *q = NULL;
	int err = 0;

	for (;;) {
		if (sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'view' AND name"
		                       " IN (SELECT name FROM documentation) LIMIT 1", -1, &q, NULL) !=
		    SQLITE_OK)
			return store_sqlite_error(db, "read", d);
		bool found = sqlite3_step(q) == SQLITE_ROW;
		if (found)
			sqlite3_snprintf(sizeof sql, sql, "DROP VIEW \"%w\"", store_column_text(q, 0));
		sqlite3_finalize(q);
		if (!found)
			break;
		if ((err = store_exec(db, sql, d)))
			return err;
	}
	return store_exec(db, "DELETE FROM documentation", d);
}

int views_install(sqlite3 *db, struct diag *d)
{
	char hash[17], sql[128];
	int64_t same;
	int err;

	text_hash(hash);
	snprintf(sql, sizeof sql, "SELECT count(*) FROM meta WHERE key = 'views' AND value = '%s'",
	         hash);
	err = store_scalar(db, sql, &same, d);
	if (err || same)
		return err;
	err = drop_views(db, d);
	for (size_t i = 0; !err && i < COUNT(views); i++) {
		char *create = sqlite3_mprintf("CREATE VIEW %s AS %s", views[i].name, views[i].sql);

		err = create ? store_exec(db, create, d) : diag_set(d, ERR_IO, "out of memory");
		sqlite3_free(create);
	}
	if (!err)
		err = document(db, d);
	snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('views', '%s')", hash);
	return err ? err : store_exec(db, sql, d);
}
