/* check_plan.c -- models, their streams, shares of the budget and g. See check.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/limits.h"
#include "config/option.h"
#include "monitor/command/check.h"
#include "monitor/decode/text.h"
#include "monitor/label/discrepancy.h"
#include "monitor/label/limited.h"
#include "monitor/stream/segment.h"

enum { G_PARTS = 50, SHORT_MS = 7 * 86400000, NAME_BYTES = 60 };
#define G_MAX 1e-3

const double check_rates[CHECK_RATES_MAX] = { 1, 10, 100 };

int
check_warn(struct check *c, const char *format, ...)
{
	char **grown = realloc(c->warning, (c->warnings + 1) * sizeof *grown);
	char text[512];
	va_list args;

	if (!grown)
		return ERR_IO;
	c->warning = grown;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	c->warning[c->warnings] = strdup(text);
	if (!c->warning[c->warnings])
		return ERR_IO;
	c->warnings++;
	return 0;
}

/* -- the database ------------------------------------------------------------------------------ */

static int
read_error(const struct check *c, struct diag *d)
{
	return diag_set(d, ERR_IO, "cannot read %s: %s", c->config->database, sqlite3_errmsg(c->db));
}

/* First column of the first row; 0 when it is NULL or there is none. */
static int
scalar(const struct check *c, const char *sql, sqlite3_int64 argument, double *x, struct diag *d)
{
	sqlite3_stmt *q = NULL;

	*x = 0;
	if (sqlite3_prepare_v2(c->db, sql, -1, &q, NULL) != SQLITE_OK)
		return read_error(c, d);
	if (sqlite3_bind_parameter_count(q))
		sqlite3_bind_int64(q, 1, argument);
	if (sqlite3_step(q) == SQLITE_ROW)
		*x = sqlite3_column_double(q, 0);
	return sqlite3_finalize(q) == SQLITE_OK ? 0 : read_error(c, d);
}

static int
read_database(struct check *c, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	double partitions;
	int err = scalar(c, "SELECT total(n) FROM counters WHERE name = 'records' AND model_id <> 0", 0,
	                 &c->records, d);

	if (!err)
		err = scalar(c, "SELECT avg(length(data)) FROM state WHERE owner = 'stream'", 0, &c->state_bytes,
		             d);
	if (!err)
		err = scalar(c, "SELECT count(*) FROM offsets", 0, &partitions, d);
	if (err)
		return err;
	c->partitions = (uint32_t)partitions;
	if (sqlite3_prepare_v2(c->db, "SELECT watermark FROM budget", -1, &q, NULL) != SQLITE_OK)
		return read_error(c, d);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0))
		snprintf(c->watermark, sizeof c->watermark, "%s", (const char *)sqlite3_column_text(q, 0));
	return sqlite3_finalize(q) == SQLITE_OK ? 0 : read_error(c, d);
}

static void
add_stream(struct check_model *m, enum share_class class, enum stream_type type, uint32_t n)
{
	m->class[class].streams += n;
	m->class[class].type[type] += n;
	m->type[type] += n;
	m->streams += n;
}

/* Of errors: they have a part of the class of labels, but are none of its shares. */
static void
add_residuals(struct check_model *m, enum stream_type type, uint32_t n)
{
	m->residuals += n;
	m->type[type] += n;
	m->streams += n;
}

static int
read_streams(struct check *c, struct check_model *m, sqlite3_int64 id, struct diag *d)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(c->db, "SELECT s.kind, s.type, count(*), total("
	                       "iif(d.step > 1 AND d.method <> 'sr-bernoulli', d.step, 1)) FROM streams s"
	                       " LEFT JOIN detectors d ON d.stream_id = s.stream_id AND d.role = 'paging'"
	                       " WHERE s.model_id = ?1 GROUP BY s.kind, s.type", -1, &q,
	                       NULL) != SQLITE_OK)
		return read_error(c, d);
	sqlite3_bind_int64(q, 1, id);
	while (sqlite3_step(q) == SQLITE_ROW) { /* phases of a known null use every record */
		enum stream_kind kind = kind_find((const char *)sqlite3_column_text(q, 0));
		uint32_t n = (uint32_t)sqlite3_column_int(q, 2);
		struct check_class *class;

		m->joint |= kind == STREAM_JOINT;
		if (kind == STREAM_KINDS || kind == STREAM_JOINT) /* rows of figures, nothing that is tested */
			continue;
		for (int t = 0; t < CHECK_TYPES; t++) {
			if (strcmp((const char *)sqlite3_column_text(q, 1), stream_type_text((enum stream_type)t)))
				continue;
			if (kind_table[kind].residual)
				add_residuals(m, (enum stream_type)t, n);
			else
				add_stream(m, kind_table[kind].class, (enum stream_type)t, n);
		}
		if (kind_table[kind].residual)
			continue;
		class = &m->class[kind_table[kind].class];
		class->step += sqlite3_column_double(q, 3);
		class->coverage |= kind == STREAM_COVERAGE;
		class->error |= kind == STREAM_ERROR;
	}
	for (int i = 0; i < SHARE_CLASSES; i++) /* it began with 1 */
		m->class[i].step = m->class[i].streams ? (m->class[i].step - 1) / m->class[i].streams : 1;
	m->known = m->streams > 0;
	return sqlite3_finalize(q) == SQLITE_OK ? 0 : read_error(c, d);
}

/* Records a second of event time, predictions of a record, labels of a prediction. */
static int
read_rates(struct check *c, struct check_model *m, sqlite3_int64 id, struct diag *d)
{
	double records, predictions, labels, span;
	int err = scalar(c, "SELECT n FROM counters WHERE model_id = ?1 AND name = 'records'", id,
	                 &records, d);

	if (!err)
		err = scalar(c, "SELECT n FROM counters WHERE model_id = ?1 AND name = 'predictions'", id,
		             &predictions, d);
	if (!err)
		err = scalar(c, "SELECT n FROM counters WHERE model_id = ?1 AND name = 'matched_ids'", id,
		             &labels, d);
	if (!err)
		err = scalar(c,
		             "SELECT (SELECT CAST(value AS REAL) FROM meta WHERE key = 'watermark_ms') - first_ms"
		             " FROM models WHERE model_id = ?1", id, &span, d);
	if (err || !(records > 1) || !(span > 0))
		return err;
	m->rates = 1;
	m->rate[0] = records / (span / 1000);
	m->predictions = predictions / records;
	if (labels > 0 && predictions > 0)
		m->labelled = labels / predictions;
	return 0;
}

/* -- models ------------------------------------------------------------------------------------ */

static struct check_model *
add_model(struct check *c, const struct model_config *config, const char *name, struct diag *d)
{
	struct check_model *grown = realloc(c->model, (c->models + 1) * sizeof *grown), *m;
	char shown[4 * NAME_BYTES + 1];

	if (!grown) {
		diag_set(d, ERR_IO, "out of memory");
		return NULL;
	}
	c->model = grown;
	m = &c->model[c->models++];
	*m = (struct check_model){ .config = config, .predictions = 1, .labelled = 1,
		                   .rates = CHECK_RATES_MAX };
	memcpy(m->rate, check_rates, sizeof m->rate);
	for (int i = 0; i < SHARE_CLASSES; i++)
		m->class[i].step = 1;
	if (name) {
		text_printable(name, strlen(name), NAME_BYTES, shown, sizeof shown);
		m->name = strdup(shown);
	}
	return m;
}

/* Every value of every key, if there are so many. */
static void
expect_segments(struct check_model *m, uint32_t numeric, uint32_t categorical)
{
	const struct model_config *config = m->config;
	uint32_t families = (uint32_t)config->segments.n * (config->segments_max + 1);

	if (!families)
		return;
	add_stream(m, CLASS_INPUTS, STREAM_CATEGORICAL, (uint32_t)config->segments.n);
	add_stream(m, CLASS_OUTPUTS, STREAM_NUMERIC, 2 * families);
	add_stream(m, CLASS_QUALITY, STREAM_BINARY, 2 * families);
	if (!config->segment_features)
		return;
	add_stream(m, CLASS_INPUTS, STREAM_NUMERIC, numeric * families);
	add_stream(m, CLASS_INPUTS, STREAM_CATEGORICAL, categorical * families);
}

/* Streams that the configuration lets expect: of a feature itself and its gaps, two outputs and
 * their gaps, two of labels, and those of errors. */
static void
expect_streams(struct check_model *m)
{
	const struct model_config *config = m->config;
	uint32_t numeric = 0, categorical = 0;

	for (size_t i = 0; i < config->features; i++) {
		categorical += config->feature[i].type == FEATURE_CATEGORICAL;
		numeric += config->feature[i].type == FEATURE_NUMERIC ||
		           config->feature[i].type == FEATURE_FROM_JSON;
	}
	for (size_t i = 0; i < config->owns; i++) {
		const struct own_stream_config *own = &config->own[i];

		add_stream(m, CLASS_INPUTS, own->type == FEATURE_CATEGORICAL ? STREAM_CATEGORICAL : STREAM_NUMERIC, 1);
		add_stream(m, CLASS_INPUTS, STREAM_NUMERIC, (isnan(own->at_most) ? 0 : 1u) +
		                                            (isnan(own->at_least) ? 0 : 1u));
	}
	m->assumed = !config->features_only_listed && numeric + categorical == 0;
	if (m->assumed)
		numeric = CHECK_FEATURES;
	m->joint = numeric > 1 && config->joint_projections;
	if (numeric)
		add_stream(m, CLASS_INPUTS, STREAM_NUMERIC, numeric);
	if (categorical)
		add_stream(m, CLASS_INPUTS, STREAM_CATEGORICAL, categorical);
	if (config->thin != OPTION_AUTO) /* labels run in phases instead */
		m->class[CLASS_INPUTS].step = m->class[CLASS_OUTPUTS].step = m->class[CLASS_QUALITY].step =
			config->thin;
	add_stream(m, CLASS_QUALITY, STREAM_BINARY, numeric + categorical + 2);
	/* of the records themselves: late ones, predictions told twice, type errors, numbers of classes */
	add_stream(m, CLASS_QUALITY, STREAM_BINARY, config->labels_enabled ? 2 : 1);
	add_stream(m, CLASS_QUALITY, STREAM_CATEGORICAL, config->classes.n ? 2 : 1);
	add_stream(m, CLASS_OUTPUTS, STREAM_NUMERIC, 1);
	add_stream(m, CLASS_OUTPUTS, config->classes.n ? STREAM_CATEGORICAL : STREAM_NUMERIC, 1);
	expect_segments(m, numeric, categorical);
	if (config->labels_enabled) {
		add_stream(m, CLASS_LABELS, STREAM_BINARY,
		           2 * segment_families(config) + segment_contracts(config) + limited_count(config));
		m->class[CLASS_LABELS].coverage = m->class[CLASS_LABELS].error = true;
		add_residuals(m, STREAM_NUMERIC, DISCREPANCIES);
	}
}

static int
find_model(struct check *c, const char *name, sqlite3_int64 *id, struct diag *d)
{
	sqlite3_stmt *q = NULL;

	*id = 0;
	if (!c->db)
		return 0;
	if (sqlite3_prepare_v2(c->db, "SELECT model_id FROM models WHERE name = ?1", -1, &q,
	                       NULL) != SQLITE_OK)
		return read_error(c, d);
	sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(q) == SQLITE_ROW)
		*id = sqlite3_column_int64(q, 0);
	return sqlite3_finalize(q) == SQLITE_OK ? 0 : read_error(c, d);
}

static int
fill_model(struct check *c, struct check_model *m, sqlite3_int64 id, struct diag *d)
{
	int err = 0;

	if (id)
		err = read_streams(c, m, id, d);
	if (!err && id)
		err = read_rates(c, m, id, d);
	if (!m->known)
		expect_streams(m);
	return err;
}

static int
configured_models(struct check *c, struct diag *d)
{
	const struct config *config = c->config;
	int err = 0;

	for (size_t i = 0; i < config->models && !err; i++) {
		struct check_model *m = add_model(c, &config->model[i], config->model[i].name, d);
		sqlite3_int64 id;

		if (!m)
			return ERR_IO;
		err = find_model(c, config->model[i].name, &id, d);
		if (!err)
			err = fill_model(c, m, id, d);
	}
	return err;
}

static bool
has_model(const struct check *c, const struct model_config *config)
{
	for (size_t i = 0; i < c->models; i++)
		if (c->model[i].config == config)
			return true;
	return false;
}

/* What globs and `models: auto` have let in: those of the database; and where there is none, whichever comes
 * first. */
static int
seen_models(struct check *c, struct diag *d)
{
	const struct config *config = c->config;
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (!config->models_auto && !config->patterns)
		return 0;
	if (c->db && sqlite3_prepare_v2(c->db, "SELECT model_id, name FROM models ORDER BY model_id", -1,
	                                &q, NULL) != SQLITE_OK)
		return read_error(c, d);
	while (!err && q && sqlite3_step(q) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(q, 1);
		const struct model_config *of = config_model_for(config, name, strlen(name));
		struct check_model *m;

		if (!of || config_model_is_listed(config, of))
			continue;
		m = add_model(c, of, name, d);
		err = m ? fill_model(c, m, sqlite3_column_int64(q, 0), d) : ERR_IO;
	}
	sqlite3_finalize(q);
	for (size_t i = 0; i <= config->patterns && !err; i++) {
		const struct model_config *of = i < config->patterns ? &config->model[config->models + i] :
		                                                       &config->defaults;
		struct check_model *m;

		if (has_model(c, of) || (of == &config->defaults && !config->models_auto))
			continue;
		m = add_model(c, of, of->name, d);
		err = m ? fill_model(c, m, 0, d) : ERR_IO;
	}
	return err;
}

/* -- shares and thresholds --------------------------------------------------------------------- */

static void
share(const struct check *c, struct check_model *m, uint32_t rank)
{
	double period_s = (double)c->plan.period_ms / 1000;
	uint32_t streams[SHARE_CLASSES];

	for (int i = 0; i < SHARE_CLASSES; i++)
		streams[i] = m->class[i].streams;
	if (m->config->labels_enabled && streams[CLASS_OUTPUTS] &&
	    streams[CLASS_LABELS] < 2 * segment_families(m->config)) /* room for coverage and error */
		streams[CLASS_LABELS] = 2 * segment_families(m->config);
	for (int i = 0; i < SHARE_CLASSES; i++) {
		struct check_class *class = &m->class[i];
		double part = i == CLASS_LABELS ? m->predictions * m->labelled :
		              i == CLASS_OUTPUTS ? m->predictions : 1;

		class->share = plan_share(&c->plan, (enum share_class)i, streams) * plan_model(rank);
		if ((i == CLASS_INPUTS && m->joint) || (i == CLASS_LABELS && m->residuals))
			class->share *= PLAN_SINGLE;
		for (uint32_t r = 0; r < m->rates; r++) {
			double used = m->rate[r] * part / class->step;
			double dt = fmin(1 / used, period_s / G_PARTS);

			class->rate[r] = used;
			class->g[r] = fmin(class->share / period_s * dt, G_MAX);
		}
	}
}

static int
warn_model(struct check *c, const struct check_model *m)
{
	const struct model_config *config = m->config;
	const char *name = m->name ? m->name : "auto";
	int err = 0;

	if (!config->reference_file && config->reference_span_ms < SHORT_MS)
		err = check_warn(c,
		                 "model %s: reference.span is shorter than 7 days: the tests of inputs and"
		                 " outputs stay `void: short`, their alerts are of severity info", name);
	if (!err && !config->reference_file && config->season == SEASON_CHOICE_WEEK &&
	    config->reference_span_ms < 2 * (int64_t)SHORT_MS)
		err = check_warn(c, "model %s: `season: week` needs a reference of two weeks: with reference.span "
		                 "below 14d its tests stay `void: short`", name);
	for (int i = 0; i < SHARE_CLASSES && !err; i++)
		if (m->class[i].streams && m->class[i].g[0] >= G_MAX) {
			err = check_warn(c, "model %s: at %.3g records a second g is at its limit of 0.001: part of "
			                 "the budget stays unspent", name, m->rate[0]);
			break;
		}
	return err;
}

int
check_plan(struct check *c, struct diag *d)
{
	const struct config *config = c->config;
	uint32_t streams = 0, rank = 0;
	int err = c->db ? read_database(c, d) : 0;

	c->plan = (struct plan){ config->budget_alarms, config->budget_period_ms, plan_models(config), 0 };
	if (!err)
		err = configured_models(c, d);
	if (!err)
		err = seen_models(c, d);
	c->rates = 1;
	for (size_t i = 0; i < c->models && !err; i++) {
		struct check_model *m = &c->model[i];

		share(c, m, config_model_is_listed(config, m->config) ? 0 : ++rank);
		err = check_delays(c, m, d);
		if (!err)
			err = warn_model(c, m);
		streams += m->streams;
		c->rates = m->rates > c->rates ? m->rates : c->rates;
	}
	if (!err && streams > LIMIT_STREAMS)
		return diag_set(d, ERR_LIMIT,
		                "%u streams are more than the %d of one process: list fewer features, "
		                "or share the models over several", streams, LIMIT_STREAMS);
	return err;
}

void
check_finish(struct check *c)
{
	for (size_t i = 0; i < c->models; i++)
		free(c->model[i].name);
	for (size_t i = 0; i < c->topics; i++)
		free(c->topic[i].name);
	for (size_t i = 0; i < c->warnings; i++)
		free(c->warning[i]);
	free(c->model);
	free(c->topic);
	free(c->warning);
	free(c->delay);
	sqlite3_close(c->db);
	memset(c, 0, sizeof *c);
}
