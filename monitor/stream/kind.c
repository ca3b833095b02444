/* kind.c -- see kind.h. */
#include "monitor/stream/kind.h"

#include <string.h>

const struct kind kind_table[STREAM_KINDS] = {
	[STREAM_FEATURE] = { .name = "feature", .class = CLASS_INPUTS, .alert = "drift",
	                     .rows = ROWS_FEATURES },
	[STREAM_MISSING] = { .name = "missing", .class = CLASS_QUALITY, .alert = "quality",
	                     .rows = ROWS_SOURCE, .always_delivered = true },
	[STREAM_PREDICTION] = { .name = "prediction", .class = CLASS_OUTPUTS, .alert = "drift",
	                        .rows = ROWS_PREDICTIONS },
	[STREAM_OOD] = { .name = "ood", .class = CLASS_OUTPUTS, .alert = "ood", .rows = ROWS_PREDICTIONS },
	[STREAM_UNCERTAINTY] = { .name = "uncertainty", .class = CLASS_OUTPUTS, .alert = "uncertainty",
	                         .rows = ROWS_PREDICTIONS },
	[STREAM_PROBE] = { .name = "probe", .class = CLASS_OUTPUTS, .alert = "robustness",
	                   .rows = ROWS_PROBES, .rises_only = true },
	[STREAM_PROBE_ERROR] = { .name = "probe_error", .class = CLASS_LABELS, .alert = "robustness",
	                         .rows = ROWS_PROBES, .rises_only = true, .residual = true },
	[STREAM_COVERAGE] = { .name = "coverage", .class = CLASS_LABELS, .alert = "coverage",
	                      .rows = ROWS_OUTCOMES, .rises_only = true },
	[STREAM_ERROR] = { .name = "error", .class = CLASS_LABELS, .alert = "performance",
	                   .rows = ROWS_OUTCOMES, .rises_only = true },
	[STREAM_PERFORMANCE] = { .name = "performance", .class = CLASS_LABELS, .alert = "performance",
	                         .unit = "points", .rows = ROWS_OUTCOMES, .rises_only = true },
	[STREAM_SCORE] = { .name = "score", .class = CLASS_LABELS, .alert = "performance", .rows = ROWS_OUTCOMES },
	[STREAM_CONFIDENCE] = { .name = "confidence", .class = CLASS_OUTPUTS, .alert = "confidence",
	                        .rows = ROWS_PREDICTIONS, .rises_only = true },
	[STREAM_CALIBRATION] = { .name = "calibration", .class = CLASS_LABELS, .alert = "calibration",
	                         .unit = "points", .rows = ROWS_OUTCOMES, .rises_only = true },
	[STREAM_SEGMENT] = { .name = "segment", .class = CLASS_INPUTS, .alert = "drift", .rows = ROWS_RECORDS },
	[STREAM_JOINT] = { .name = "joint", .class = CLASS_INPUTS, .alert = "drift", .rows = ROWS_JOINT },
	[STREAM_OWN] = { .name = "own", .class = CLASS_INPUTS, .alert = "drift", .rows = ROWS_OWN },
	[STREAM_AT_MOST] = { .name = "at_most", .class = CLASS_INPUTS, .alert = "performance", .unit = "points",
	                     .rows = ROWS_OWN, .rises_only = true },
	[STREAM_AT_LEAST] = { .name = "at_least", .class = CLASS_INPUTS, .alert = "performance", .unit = "points",
	                      .rows = ROWS_OWN, .rises_only = true },
	[STREAM_QUALITY] = { .name = "quality", .class = CLASS_QUALITY, .alert = "quality",
	                     .unit = "points", .rows = ROWS_ARRIVALS, .always_delivered = true },
	[STREAM_DISCREPANCY] = { .name = "discrepancy", .class = CLASS_LABELS, .alert = "discrepancy",
	                         .rows = ROWS_OUTCOMES, .residual = true },
	[STREAM_STRUCTURE] = { .name = "structure", .class = CLASS_LABELS, .alert = "discrepancy",
	                       .rows = ROWS_OUTCOMES, .residual = true },
};

enum stream_kind
kind_find(const char *name)
{
	enum stream_kind kind = 0;

	while (kind < STREAM_KINDS && strcmp(kind_table[kind].name, name))
		kind++;
	return kind;
}
