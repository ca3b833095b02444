/* forms.h -- what a record says about how unsure its prediction is, from the fields to the figures.
 *
 * While a record is walked its lists of numbers are gathered here; forms_finish() then takes the first
 * form that is there and has it decomposed, so that a record carries a few figures and not its members.
 * The order: members of a classifier, of a regression, a Dirichlet, a normal-inverse-gamma, samples (in
 * rows: outcomes by draw), quantiles, a variance. Probabilities alone make no figure: their score says it.
 */
#ifndef MONITOR_DECODE_FORMS_H
#define MONITOR_DECODE_FORMS_H

#include "monitor/decode/record.h"
#include "monitor/decode/vector.h"

enum form_vector {
	FORM_BARE_MEMBERS,  /* members: [[..]] of probabilities, or [..] of means */
	FORM_MEMBER_PROBS,
	FORM_MEMBER_LOGITS,
	FORM_MEMBER_MU,
	FORM_MEMBER_VAR,
	FORM_DIRICHLET_ALPHA,
	FORM_DRAWS,
	FORM_LEVELS,
	FORM_LEVEL_VALUES,
	FORM_VECTORS
};
enum form_cell { FORM_NIG_NU, FORM_NIG_ALPHA, FORM_NIG_BETA, FORM_SD, FORM_VAR, FORM_CELLS };

/* Zero it before the first use. */
struct forms {
	bool any;   /* one of the fields was there; else nothing of the rest is valid but the buffers */
	struct vector vector[FORM_VECTORS];
	struct cell cell[FORM_CELLS];
	struct numbers numbers, work;
};

void forms_release(struct forms *f); /* the buffers; NULL is fine */
size_t forms_bytes(const struct forms *f);
/* Before a field is read: empties what an earlier record has left. */
void forms_begin(struct forms *f);
/* Fills form, form_fault, members, columns and uncertainty of the record. */
void forms_finish(struct forms *f, struct record *out);

#endif
