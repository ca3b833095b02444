/* config_ood.c -- `ood: {panel: [energy, knn], alpha: 0.01}`: how unlike its reference each record of a model
 * is, and what becomes of the answer. */
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

static config_key_read_fn read_panel;
static config_key_write_fn write_panel;

static const char *const thresholds[] = { "nominal", "pac", NULL };

#define M struct model_config

const struct config_key config_ood_keys[] = {
	CONFIG_OWN(M, ood.scores, "panel", read_panel, write_panel, "auto", 0, 8, "auto, off or a list of scores",
	           "Scores whose least p-value is the verdict; auto takes those that suit the records' "
	           "embeddings and logits, `driftd score --help` lists all."),
	CONFIG_KEY(OPT_BOOL(M, ood.features, "features", "false",
	                    "Numeric features count too where there is no embedding; each record is then compared "
	                    "with the whole reference.")),
	CONFIG_KEY(OPT_U32(M, ood.records, "records", "10000", LIMIT_OOD_MIN, 1000000,
	                   "Records of the reference, spread over reference.span: every other one is fitted, the "
	                   "others calibrate; 64 MB at most.")),
	CONFIG_KEY(OPT_U32(M, ood.bank, "bank", "2000", 0, 1000000,
	                   "Fitted records that knn compares with, stratified by class; 0: all.")),
	CONFIG_KEY(OPT_F64(M, ood.alpha, "alpha", "0.01", 1e-6, 0.5,
	                   "Share of records like the reference that may be called out of distribution.")),
	CONFIG_KEY(OPTION_ROW(M, ood.threshold, "threshold", OPTION_ENUM, enum ood_threshold, "nominal", 0, 0,
	                      thresholds, "That share is expected (nominal), or is not exceeded but for a chance of "
	                      "delta (pac).")),
	CONFIG_KEY(OPT_F64(M, ood.delta, "delta", "0.05", 1e-9, 0.5, "The chance that a pac threshold fails.")),
	CONFIG_UNSET(OPT_TEXT(M, ood.by, "by", NULL,
	                      "`class`, or a key of `segment`: p-values within the group of the record, where 200 "
	                      "or more records rank it."),
	             "among all records"),
	CONFIG_KEY(OPT_U32(M, ood.extremes, "extremes", "20", 0, LIMIT_OOD_EXTREMES,
	                   "Records of each window that view `ood_records` keeps, the most unlike ones.")),
	CONFIG_UNSET(OPT_TEXT(M, ood.verdicts, "verdicts", NULL,
	                      "Kafka topic that `driftd run` sends each verdict to, keyed by id, as soon as it is "
	                      "there: for gating at serving time."),
	             "verdicts stay in the database"),
	CONFIG_END,
};

static int
read_panel(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	struct model_config *m = target;
	int err;

	m->ood.off = false;
	if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "auto")) {
		config_strings_free(&m->ood.scores);
		return 0;
	}
	if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "off")) {
		config_strings_free(&m->ood.scores);
		m->ood.off = true;
		return 0;
	}
	if (n->kind != YAML_SEQUENCE)
		return config_reading_error(r, ERR_INVALID, n, "panel: expected auto, off or a list of scores, as in "
		                            "[energy, knn]");
	err = config_value_read_strings(r, k, n, target);
	for (size_t i = 0; i < m->ood.scores.n && !err; i++)
		if (!method_is_panel_score(m->ood.scores.text[i]))
			err = config_reading_error(r, ERR_INVALID, n, "panel: '%.40s' is no score with a reference; "
			                           "`driftd score --help` lists them", m->ood.scores.text[i]);
	return err;
}

static void
write_panel(FILE *out, const struct config_key *k, const void *target)
{
	const struct model_config *m = target;

	fputs(m->ood.off ? "off" : "on", out);
	config_value_write_strings(out, k, target);
}
