/* limited.h -- figures of performance with a stated limit: what each labelled prediction adds to them.
 *
 * `performance: {accuracy: {at_least: 0.9}}` states that the mean of a loss is at most 0.1, whatever came
 * before. The losses of a figure are a stream of its own (performance:accuracy); its null is known, so it is
 * judged from the first label on by a test of that mean (sr-bernoulli for 0 and 1, sr-mean for losses in
 * [0, 1]; Podkopaev, Ramdas 2022). Calibration is limited on both sides: the mean of confidence - accuracy.
 */
#ifndef MONITOR_LABEL_LIMITED_H
#define MONITOR_LABEL_LIMITED_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/stream/kind.h"

struct labels;
struct journal_row;
struct model_config;
struct stream;
struct version;

enum limited {
	LIMITED_COVERAGE, LIMITED_OVERCOVERAGE, LIMITED_ACCURACY, LIMITED_ERROR_RATE, LIMITED_PRECISION,
	LIMITED_RECALL, LIMITED_MAE, LIMITED_BRIER, LIMITED_OVERCONFIDENT, LIMITED_UNDERCONFIDENT, LIMITED
};

/* Kind and field of its stream. */
enum stream_kind limited_kind(enum limited figure);
const char *limited_name(enum limited figure);
/* The mean loss that the limit allows, in (0, 1); NaN: the configuration has none. */
double limited_mean(const struct model_config *config, enum limited figure);
uint32_t limited_count(const struct model_config *config);
/* The loss of a labelled row, in [0, 1]; NaN: the figure does not arise. `probs` NULL: it has none. */
double limited_loss(const struct labels *l, const struct journal_row *row, const double *probs,
                    enum limited figure);
/* The stream of a figure, made when its first loss comes; NULL when there are too many. */
struct stream *limited_stream(struct labels *l, struct version *v, enum limited figure);
/* A mean loss as people read the figure: accuracy for errors, MAE in units of the label. False: the stream
 * is not one of these. *falls: smaller is worse. */
bool limited_shown(const struct stream *s, double loss, double *shown, bool *falls);

#endif
