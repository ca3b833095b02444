/* diagnosis.h -- which kinds of uncertainty moved with an alert, from which percentile of the reference to
 * which, and what was seen first: one sentence an alert.
 *
 * Where a kind stands is the mean percentile of its last hundred or so values in the reference of its stream,
 * as of the last window, or where the alert's own effect puts it: 50 when nothing has changed. A kind moved
 * when one of its streams has an alert open, or stands ten percentiles off with a tenth of the evidence for
 * an alarm. Streams are those of all records: inputs of the model, the others of the alert's version (of an
 * input's alert: of the latest). Nothing is said of a model that tells nothing but its inputs. The sentence
 * abstains where the kinds cannot be told apart: where epistemic and aleatoric figures rank the records of
 * the reference alike (above .9; Mucsanyi et al. 2024), or where one kind has more than ten times as many
 * values as another, so that one is seen long before the other.
 */
#ifndef MONITOR_ALERT_DIAGNOSIS_H
#define MONITOR_ALERT_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

struct news;
struct stream;
struct version;

enum diagnosis_kind {
	DIAGNOSIS_INPUTS,
	DIAGNOSIS_OOD,
	DIAGNOSIS_EPISTEMIC,
	DIAGNOSIS_ALEATORIC,
	DIAGNOSIS_TOTAL,
	DIAGNOSIS_DISCREPANCY,
	DIAGNOSIS_STRUCTURE,
	DIAGNOSIS_COVERAGE,
	DIAGNOSIS_PERFORMANCE,
	DIAGNOSIS_ROBUSTNESS,
	DIAGNOSIS_KINDS
};

/* What the streams of a model said when its last window closed: it does not depend on how far rows have gone
 * through them. */
struct standing {
	const struct version *version; /* that the alert is about: of an input's, the latest then; NULL: none */
	const struct stream *stream[DIAGNOSIS_KINDS]; /* that says most of the kind; NULL: the kind is not told */
	double rank_correlation;   /* of epistemic and aleatoric figures on the reference; NaN: not known */
	double rate[DIAGNOSIS_KINDS]; /* values a window; 0: not known */
	double percentile[DIAGNOSIS_KINDS]; /* NaN: not known, or of no meaning (rates) */
	bool evidence[DIAGNOSIS_KINDS]; /* a tenth of an alarm's, and ten percentiles off */
};

/* Before the alert's effect is known. */
void diagnosis_look(const struct stream *s, struct standing *out);
/* At settling, when the alerts before it are known. `moved`: names of the kinds, or "abstained"; both are
 * left empty where nothing can be said. */
void diagnosis_words(const struct news *n, char *moved, size_t moved_size, char *words, size_t size);

#endif
