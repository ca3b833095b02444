/* config_model.c -- what can be said about a model, and who inherits it: built-in values, then
 * `windows` and `fields` of the file, then `defaults`, then the model's own keys.
 *
 * Nothing is copied from `defaults` into a model: its section is read again into every model,
 * silently, so that each owns its strings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

static config_key_read_fn read_limit_mae, read_windows, read_reference, read_labels;
static config_key_read_fn read_segments, read_groups;
static config_key_write_fn write_labels;

static const char *const revisions[] = { "first", "last", NULL };
static const char *const recalibrators[] = { "off", "aci", "dtaci", NULL };

static const char *const seasons[] = { "auto", "none", "day", "week", NULL };

#define DAY 86400000.0
#define M struct model_config

static const struct config_key topic_keys[] = {
	CONFIG_OWN_UNSET(M, topics_records, "records", config_value_read_topics,
	                 config_value_write_strings, 1, 1000, "list of topic names with * and ?",
	                 "those of the whole file", "Topics with this model's predictions."),
	CONFIG_OWN_UNSET(M, topics_labels, "labels", config_value_read_topics,
	                 config_value_write_strings, 0, 1000, "list of topic names with * and ?",
	                 "those of the whole file", "Topics with this model's labels."),
	CONFIG_END,
};

static const struct config_key reference_keys[] = {
	CONFIG_OWN(M, reference_records, "from", config_value_read_fallback_only,
	           config_value_write_nothing, "first", 0, 0, "first",
	           "The reference is drawn from the first records, unless `driftd fit` has made one."),
	CONFIG_KEY(OPT_U32(M, reference_records, "records", "10000", LIMIT_REFERENCE_MIN, LIMIT_REFERENCE_MAX,
	                   "Values that a reference holds.")),
	CONFIG_KEY(OPT_DURATION(M, reference_span_ms, "span", "14d", 1000, 3650 * DAY,
	                        "Event time that these values are spread over.")),
	CONFIG_UNSET(OPT_TEXT(M, reference_file, "file", NULL,
	                      "A file of records as the reference, in place of the other three."),
	             "the first records"),
	CONFIG_END,
};

static const struct config_key segment_keys[] = {
	CONFIG_OWN_UNSET(M, segments, "keys", config_value_read_strings, config_value_write_strings, 0, 8,
	                 "list of names", "no segments", "Keys of `segment`: each value is watched by itself."),
	CONFIG_KEY(OPT_BOOL(M, segment_features, "features", "false",
	                    "Features by segment, too; else outputs, coverage and error.")),
	CONFIG_END,
};

static const struct config_key joint_keys[] = {
	CONFIG_KEY(OPT_U32(M, joint_projections, "projections", "64", 0, 1024,
	                   "Random directions that the numeric features are looked at along; 0: not at all.")),
	CONFIG_KEY(OPT_U32(M, joint_records_per_day, "records_per_day", "86400", 100, 1000000000,
	                   "Records of a day of event time that are used at most: every k-th.")),
	CONFIG_END,
};

static const struct config_key rebaseline_keys[] = {
	CONFIG_UNSET(OPT_DURATION(M, rebaseline_after_ms, "after", NULL, 1000, 3650 * DAY,
	                          "Event time after `driftd ack` at which an episode that lasts becomes the "
	                          "new reference."),
	             "only `driftd rebaseline` does that"),
	CONFIG_END,
};

static const struct config_key coverage_keys[] = {
	CONFIG_OWN(M, coverage_level, "level", config_value_read_level, config_value_write_f64,
	           "from-record", 1e-6, 1 - 1e-6, "from-record or a number between 0 and 1",
	           "The coverage that was promised; from-record reads prediction.level."),
	CONFIG_KEY(OPT_F64(M, coverage_tolerance, "tolerance", "0.01", 0, 0.5,
	                   "A loss of coverage, as a share of records, that does not matter.")),
	CONFIG_OWN_UNSET(M, coverage_groups, "groups", read_groups, config_value_write_strings, 0, 2,
	                 "list of class and set_size", "no groups but segments and versions",
	                 "Groups of predictions whose coverage and error are judged apart."),
	CONFIG_OWN(M, coverage_calibration, "calibration", config_value_read_calibration,
	           config_value_write_i64, "from-record", 1, 1e9,
	           "from-record, unknown or the number of calibration scores",
	           "Scores that the intervals were calibrated on; from-record reads conformal.n_cal, "
	           "else unknown."),
	CONFIG_OWN(M, coverage_threshold, "threshold", config_value_read_level, config_value_write_f64,
	           "from-record", -1e300, 1e300, "from-record or a number",
	           "A nonconformity score above it is a miss, where a prediction has no interval and no set; "
	           "from-record reads conformal.qhat."),
	CONFIG_KEY(OPTION_ROW(M, recalibrate, "recalibrate", OPTION_ENUM, enum recalibrate, "off", 0, 0,
	                      recalibrators, "Keep the level that would restore coverage in table "
	                      "`recalibration`; alerts go on judging the intervals as they were made.")),
	CONFIG_END,
};

#define AT_LEAST(field, hlp)                                                                       \
	CONFIG_UNSET(OPT_F64(M, limits.field, "at_least", NULL, 1e-6, 1 - 1e-6, hlp), "no limit")
#define AT_MOST(field, high, hlp)                                                                  \
	CONFIG_UNSET(OPT_F64(M, limits.field, "at_most", NULL, 1e-6, high, hlp), "no limit")
static const struct config_key limit_coverage_keys[] = {
	AT_LEAST(coverage_min, "Coverage below this is an alert."),
	AT_MOST(coverage_max, 1 - 1e-6,
	        "Coverage above this is an alert: intervals or sets are wider than need be."),
	CONFIG_END,
};
static const struct config_key limit_accuracy_keys[] = {
	AT_LEAST(accuracy, "Accuracy below this is an alert."), CONFIG_END,
};
static const struct config_key limit_error_rate_keys[] = {
	AT_MOST(error_rate, 1 - 1e-6, "An error rate above this is an alert."), CONFIG_END,
};
static const struct config_key limit_precision_keys[] = {
	AT_LEAST(precision, "Precision of the second class below this is an alert."), CONFIG_END,
};
static const struct config_key limit_recall_keys[] = {
	AT_LEAST(recall, "Recall of the second class below this is an alert."), CONFIG_END,
};
static const struct config_key limit_mae_keys[] = {
	AT_MOST(mae, 1e300, "A mean absolute error above this is an alert; needs `bound`."),
	CONFIG_UNSET(OPT_F64(M, limits.mae_bound, "bound", NULL, 1e-300, 1e300,
	                     "The largest absolute error that is told apart: larger ones count as this."),
	             "no limit"),
	CONFIG_END,
};
static const struct config_key limit_brier_keys[] = {
	AT_MOST(brier, 2 - 1e-6, "A mean Brier score (over all classes) above this is an alert."), CONFIG_END,
};
static const struct config_key limit_calibration_keys[] = {
	AT_MOST(calibration, 1 - 1e-6, "Mean confidence and accuracy further apart than this are an alert."),
	CONFIG_END,
};
static const struct config_key performance_keys[] = {
	CONFIG_SECTION("coverage", limit_coverage_keys, "Share of labels inside their interval or set."),
	CONFIG_SECTION("accuracy", limit_accuracy_keys, "Share of predicted classes that are right."),
	CONFIG_SECTION("error_rate", limit_error_rate_keys, "Share of predicted classes that are wrong."),
	CONFIG_SECTION("precision", limit_precision_keys, "Right ones among predictions of the second class."),
	CONFIG_SECTION("recall", limit_recall_keys, "Right ones among labels of the second class."),
	{ .option = { .name = "mae", .help = "Mean absolute error." },
		.child = limit_mae_keys,
		.read = read_limit_mae },
	CONFIG_SECTION("brier", limit_brier_keys, "Brier score."),
	CONFIG_SECTION("calibration", limit_calibration_keys, "Mean confidence against accuracy."),
	CONFIG_END,
};

static const struct config_key label_keys[] = {
	CONFIG_KEY(OPT_DURATION(M, labels_wait_ms, "wait", "60d", 1000, 3650 * DAY,
	                        "A label that comes later than this counts as late.")),
	CONFIG_KEY(OPT_DURATION(M, labels_lateness_ms, "lateness", "365d", 0, 3650 * DAY,
	                        "How long after `wait` a prediction is still kept for a late label.")),
	CONFIG_KEY(OPT_U32(M, labels_capacity, "capacity", "4000000", 16, 200000000,
	                   "Predictions that wait for a label at most; the oldest leave first.")),
	CONFIG_KEY(OPT_U32(M, labels_explain, "explain", "64", 0, LIMIT_EXPLAINED,
	                   "Features in which an alert says where misses and errors concentrate; a waiting "
	                   "prediction keeps a byte for each, 0 for none.")),
	CONFIG_KEY(OPTION_ROW(M, revision, "revision", OPTION_ENUM, enum revision, "first", 0, 0,
	                      revisions, "Which of two labels for one prediction the statistics "
	                      "show; detectors always see the first.")),
	CONFIG_END,
};

const struct config_key config_window_keys[] = {
	CONFIG_KEY(OPT_DURATION(M, windows.width_ms, "width", "5m", 1000, DAY,
	                        "Event time of one row of statistics.")),
	CONFIG_UNSET(OPT_U32(M, windows.records, "records", NULL, 1, 100000000,
	                     "Records of one row of statistics, in place of a width."),
	             "windows by width"),
	CONFIG_END,
};

const struct config_key config_model_keys[] = {
	CONFIG_UNSET(OPT_TEXT(M, name, "name", NULL, "The model, as its records call it."),
	             "must be given"),
	CONFIG_SECTION("topics", topic_keys, "This model's topics; without, those of the whole file."),
	CONFIG_OWN_UNSET(M, field, "fields", config_value_read_fields, config_value_write_fields, 0, 0,
	                 "mapping of standard names to paths", "where the standard record has them",
	                 "Where a field stands in the JSON; keys joined with dots, \\. for a dot in a "
	                 "key."),
	CONFIG_OWN_UNSET(M, classes, "classes", config_value_read_strings, config_value_write_strings,
	                 2, LIMIT_CLASSES, "list of names", "as the record gives them",
	                 "Order of the classes, for probabilities that come as an array."),
	{ .option = { "features", OPTION_TEXT, offsetof(M, feature), NULL, 0, LIMIT_FEATURES,
	              config_value_feature_types,
	              "Features to watch: a list leaves the others out, a mapping only sets types." },
		.read = config_value_read_features,
		.write = config_value_write_features,
		.type = "list of names, or mapping of names to numeric | categorical | ignore | auto",
		.unset = "all, with the type that the JSON has" },
	{ .option = { .name = "segments",
		      .help = "Keys of `segment` whose values are watched one by one: a list of keys, or with "
			      "more to say." },
		.child = segment_keys,
		.read = read_segments },
	CONFIG_KEY(OPT_U32(M, segments_max, "segments_max", "20", 1, 200,
	                   "Values of a key: the most frequent ones; all others are __other__.")),
	CONFIG_OWN(M, ts_unit_ms, "ts_unit", config_value_read_ts_unit, config_value_write_f64, "ms", 0,
	           0, "s | ms | us | ns", "Unit of the records' ts since 1970; never guessed."),
	CONFIG_KEY(OPT_F64(M, min_effect, "min_effect", "0.1", 0.001, 10,
	                   "The smallest change that matters, in standard deviations.")),
	CONFIG_KEY(OPT_U32(M, resolve_after, "resolve_after", "0", 0, 10000,
	                   "Records without effect, at least, before an episode ends.")),
	CONFIG_OWN(M, no_data_ms, "no_data", config_value_read_no_data, config_value_write_i64, "auto",
	           60000, 365 * DAY, "auto, off or a duration",
	           "How long no record may come: auto allows 3 times the longest gap of the last weeks, 10 "
	           "minutes at least, once 8 days have been seen."),
	CONFIG_OWN(M, test_list, "detectors", config_detectors_read, config_detectors_write,
	           "{numeric: [tolerant, conformal], binary: [tolerant-binary, binary], "
	           "categorical: [tolerant-categorical, categorical], "
	           "\"ood:panel*\": [{method: e1, bins: 4096, role: paging}, e2]}", 0, 0,
	           "mapping of types, or of globs over names of streams, to lists of methods",
	           "The tests of a stream: a method, or {method: NAME, role: .., OPTION: ..} with the "
	           "options of `driftd detect NAME`."),
	CONFIG_OWN_UNSET(M, own, "streams", config_streams_read, config_streams_write, 0, 0,
	                 "mapping of names to paths, or to {path, type, at_most, at_least, range}", "none",
	                 "Numbers and categories of your own, anywhere in the record; with a limit, its mean is "
	                 "judged against that, else its past."),
	CONFIG_KEY(OPTION_ROW(M, season, "season", OPTION_ENUM, enum season_choice, "auto", 0, 0, seasons,
	                      "Compare with the same hour of the day or of the week (UTC): where the "
	                      "reference shows a season, never, or always.")),
	CONFIG_KEY(OPT_AUTO_U32(M, thin, "thin", "auto", 1, 1000000,
	                        "Detectors take every k-th record; auto measures the dependence.")),
	{ .option = { .name = "reference", .help = "What the records are compared with." },
		.child = reference_keys,
		.read = read_reference },
	CONFIG_SECTION("joint", joint_keys, "The numeric features together: what none of them shows alone."),
	CONFIG_SECTION("rebaseline", rebaseline_keys, "When a stream learns its reference anew by itself."),
	CONFIG_SECTION("coverage", coverage_keys, "Prediction intervals and sets, judged by labels."),
	CONFIG_SECTION("ood", config_ood_keys,
	               "How unlike its reference each record is: out-of-distribution scores."),
	CONFIG_SECTION("performance", performance_keys, "Limits of figures of performance, whatever came before."),
	{ .option = { .name = "labels", .help = "How predictions wait for their labels; `labels: off` "
	                                        "keeps none." },
		.child = label_keys,
		.read = read_labels,
		.write = write_labels },
	{ .option = { .name = "windows", .help = "What one row of statistics covers." },
		.child = config_window_keys,
		.read = read_windows },
	CONFIG_END,
};

static int
read_limit_mae(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	int err = config_key_section(r, k->child, n, k->option.name, target);

	if (!err && !yaml_get(n, "at_most") != !yaml_get(n, "bound"))
		return config_reading_error(r, ERR_INVALID, n,
		                            "mae: `at_most` and `bound` belong together: {at_most: 20, bound: 500}");
	return err;
}

static int
read_windows(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
             void *target)
{
	struct model_config *m = target;

	if (yaml_get(n, "width") && yaml_get(n, "records"))
		return config_reading_error(r, ERR_INVALID, n, "windows: either `width` or `records`");
	int err = config_key_section(r, k->child, n, k->option.name, target);
	if (!err && yaml_get(n, "width"))
		m->windows.records = 0;
	if (!err && yaml_get(n, "records"))
		m->windows.width_ms = 0;
	return err;
}

static int
read_reference(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
               void *target)
{
	struct model_config *m = target;
	bool drawn = yaml_get(n, "from") || yaml_get(n, "records") || yaml_get(n, "span");

	if (drawn && yaml_get(n, "file"))
		return config_reading_error(r, ERR_INVALID, n,
		                            "reference: either `file`, or `from`, `records` and `span`");
	if (drawn) {
		free(m->reference_file);
		m->reference_file = NULL;
	}
	return config_key_section(r, k->child, n, k->option.name, target);
}

static int
read_segments(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	if (n->kind == YAML_MAPPING)
		return config_key_section(r, k->child, n, k->option.name, target);
	return config_value_read_strings(r, &segment_keys[0], n, target);
}

static int
read_groups(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	struct model_config *m = target;
	int err = config_value_read_strings(r, k, n, target);

	for (size_t i = 0; i < m->coverage_groups.n && !err; i++)
		if (strcmp(m->coverage_groups.text[i], "class") && strcmp(m->coverage_groups.text[i], "set_size"))
			err = config_reading_error(r, ERR_INVALID, n, "coverage.groups: '%.40s' is neither class nor "
			                           "set_size", m->coverage_groups.text[i]);
	return err;
}

static int
read_labels(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
            void *target)
{
	struct model_config *m = target;

	if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "off")) {
		m->labels_enabled = false;
		return 0;
	}
	if (n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n,
		                            "labels: expected `off`, or keys as in {wait: 60d}");
	m->labels_enabled = true;
	return config_key_section(r, k->child, n, k->option.name, target);
}

static void
write_labels(FILE *out, const struct config_key *k, const void *target)
{
	const struct model_config *m = target;

	(void)k;
	fputs(m->labels_enabled ? "on" : "off", out);
}

/* Everything but the model's own keys. `loud`: mistakes of the shared sections are reported. */
static int
inherit(struct config_reading *r, const struct yaml_node *root, struct model_config *m, bool loud)
{
	static const char *const shared[] = { "windows", "fields", "no_data" };
	const struct yaml_node *n;
	int err = config_key_defaults(config_model_keys, m);

	if (err)
		return err;
	m->labels_enabled = true;
	r->silent = !loud;
	for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
		if ((n = yaml_get(root, shared[i])))
			config_key_read(r, config_key_find(config_model_keys, shared[i]), n, m);
	/* The first row is the name, which is nobody's default. */
	if ((n = yaml_get(root, "defaults")))
		config_key_section(r, config_model_keys + 1, n, "defaults", m);
	r->silent = false;
	return 0;
}

/* `- name: NAME` with its keys, or `NAME: {keys}`. */
static int
read_model(struct config_reading *r, const struct yaml_node *root, const struct yaml_node *n,
           const struct config *c, struct model_config *m)
{
	bool keyed = n->key != NULL;
	const struct yaml_node *name = keyed ? n : yaml_get(n, "name");

	if (!keyed && n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n, "models: expected `- name: NAME`");
	m->line = keyed ? n->key_line : n->child ? n->child->key_line : n->line;
	if (inherit(r, root, m, false))
		return config_reading_error(r, ERR_IO, n, "out of memory");
	if (keyed && !*n->key)
		return config_reading_error(r, ERR_INVALID, n, "models: an empty name");
	if (keyed && !(m->name = strdup(n->key)))
		return config_reading_error(r, ERR_IO, n, "out of memory");
	config_key_section(r, config_model_keys + keyed, n, keyed ? m->name : "models", m);
	if (!name)
		return config_reading_error(r, ERR_INVALID, n, "models: a model without `name`");
	if (!m->name)
		return ERR_INVALID; /* told already */
	if (strlen(m->name) > LIMIT_TEXT_BYTES)
		return config_reading_error(r, ERR_INVALID, n, "name: more than %d bytes",
		                            LIMIT_TEXT_BYTES);
	for (const struct model_config *other = c->model; other < m; other++)
		if (other->name && !strcmp(other->name, m->name))
			return config_reading_error(r, ERR_INVALID, name,
			                            "name: the model '%.80s' stands here twice; first in "
			                            "line %d",
			                            m->name, other->line);
	return 0;
}

/* Globs go behind the others, in the order of the file. */
static void
part_patterns(struct config *c, size_t n)
{
	struct model_config m;

	for (size_t at = 0, i = 0; i < n; i++) {
		if (c->model[i].name && strpbrk(c->model[i].name, "*?")) {
			c->patterns++;
			continue;
		}
		m = c->model[i];
		memmove(&c->model[at + 1], &c->model[at], (i - at) * sizeof m);
		c->model[at++] = m;
		c->models++;
	}
}

void
config_model_read_all(struct config_reading *r, const struct yaml_node *root, struct config *c)
{
	const struct yaml_node *models = yaml_get(root, "models");
	size_t n = 0, read = 0;

	if (inherit(r, root, &c->defaults, true)) {
		config_reading_error(r, ERR_IO, root, "out of memory");
		return;
	}
	c->models_auto = !models || (models->kind == YAML_SCALAR && !strcmp(models->scalar, "auto"));
	if (c->models_auto)
		return;
	if (models->kind == YAML_SCALAR || !models->child) {
		config_reading_error(r, ERR_INVALID, models,
		                     "models: expected `auto`, or a list of models, each `- name: NAME`, or names with "
		                     "their keys, `NAME: {}`");
		return;
	}
	for (const struct yaml_node *m = models->child; m; m = m->next)
		n++;
	if (n > c->models_max) {
		config_reading_error(r, ERR_LIMIT, models, "models: %zu models; `models_max` is %u", n,
		                     c->models_max);
		return;
	}
	c->model = calloc(n, sizeof *c->model);
	if (!c->model) {
		config_reading_error(r, ERR_IO, models, "out of memory");
		return;
	}
	/* All that was begun is counted: config_free releases what a refused one already owns. */
	for (const struct yaml_node *m = models->child; m; m = m->next)
		read_model(r, root, m, c, &c->model[read++]);
	part_patterns(c, read);
}

void
config_model_free(struct model_config *m)
{
	config_key_finish(config_model_keys, m);
	config_strings_free(&m->topics_records);
	config_strings_free(&m->topics_labels);
	config_strings_free(&m->classes);
	config_strings_free(&m->segments);
	config_strings_free(&m->coverage_groups);
	config_strings_free(&m->ood.scores);
	config_features_free(m->feature, m->features);
	config_fields_free(m->field, m->fields);
	config_streams_free(m->own, m->owns);
	config_detectors_free(m->test_list, m->test_lists);
}
