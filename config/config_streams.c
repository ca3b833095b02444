/* config_streams.c -- values of the user's own, anywhere in the record:
 * `streams: {revenue: business.revenue, loss: {path: metrics.loss, at_most: 0.3, range: [0, 1]}}`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

/* As written; what a stream has is made of it. */
struct written {
	char *path;
	int type;
	double at_most, at_least;
	struct option_list range;
};
#define W struct written
#define HUGE_VALUE 1e300

static const char *const types[] = { [FEATURE_FROM_JSON] = "auto", [FEATURE_NUMERIC] = "numeric",
	[FEATURE_CATEGORICAL] = "categorical", NULL };

static const struct option rows[] = {
	OPT_TEXT(W, path, "path", NULL, "Where it stands: keys joined with dots."),
	OPT_ENUM(W, type, "type", "auto", types, "auto takes the type that the JSON has."),
	OPT_F64(W, at_most, "at_most", NULL, -HUGE_VALUE, HUGE_VALUE, "Its mean may not be above."),
	OPT_F64(W, at_least, "at_least", NULL, -HUGE_VALUE, HUGE_VALUE, "Its mean may not be below."),
	OPT_LIST(W, range, "range", NULL, -HUGE_VALUE, HUGE_VALUE, "Its smallest and largest value."),
	OPT_END,
};

static void
free_one(struct own_stream_config *own)
{
	free(own->name);
	config_strings_free(&own->path);
}

void
config_streams_free(struct own_stream_config *own, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free_one(&own[i]);
	free(own);
}

/* Two numbers, [low, high]; the table reads them joined with a comma. */
static int
read_range(struct config_reading *r, const struct yaml_node *n, struct written *w)
{
	const struct yaml_node *a = n->kind == YAML_SEQUENCE ? n->child : NULL, *b = a ? a->next : NULL;
	char text[200];
	struct diag d;

	if (!a || !b || b->next || a->kind != YAML_SCALAR || b->kind != YAML_SCALAR || a->quoted || b->quoted)
		return config_reading_error(r, ERR_INVALID, n, "range: expected two numbers, as in [0, 1]");
	snprintf(text, sizeof text, "%.90s,%.90s", a->scalar, b->scalar);
	if (option_set(option_find(rows, "range"), w, text, &d))
		return config_reading_error(r, ERR_INVALID, n, "%s", d.text);
	if (!(w->range.value[0] < w->range.value[1]))
		return config_reading_error(r, ERR_INVALID, n, "range: the first number is not below the second");
	return 0;
}

static int
read_keys(struct config_reading *r, const struct yaml_node *n, struct written *w)
{
	int err = 0;

	for (const struct yaml_node *c = n->child; c; c = c->next) {
		const struct option *row = option_find(rows, c->key);
		const char *near = option_nearest(rows, c->key);
		int one;

		if (!row) {
			one = config_reading_error_key(r, ERR_INVALID, c, "unknown key '%.80s' in 'streams'%s%s%s",
			                               c->key, near ? " (did you mean '" : "", near ? near : "",
			                               near ? "'?)" : "");
		} else if (row->type == OPTION_LIST) {
			one = read_range(r, c, w);
		} else {
			struct config_key k = CONFIG_KEY(*row);

			one = config_key_read(r, &k, c, w);
		}
		err = one ? one : err;
	}
	return err;
}

static int
check(struct config_reading *r, const struct yaml_node *n, const struct written *w)
{
	bool limited = !isnan(w->at_most) || !isnan(w->at_least);
	double low = w->range.value[0], high = w->range.value[1];

	if (!w->path)
		return config_reading_error(r, ERR_INVALID, n, "streams: '%.80s' without a `path`", n->key);
	if (limited && w->type == FEATURE_CATEGORICAL)
		return config_reading_error(r, ERR_INVALID, n, "streams: a limit is for numbers");
	if (limited && w->range.n != 2)
		return config_reading_error(r, ERR_INVALID, n, "streams: a limit needs `range: [smallest, largest]`: "
		                            "the test bets within these bounds");
	if ((!isnan(w->at_most) && !(w->at_most > low && w->at_most < high)) ||
	    (!isnan(w->at_least) && !(w->at_least > low && w->at_least < high)))
		return config_reading_error(r, ERR_INVALID, n, "streams: a limit lies between the two of `range`");
	return 0;
}

static int
read_stream(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
            struct own_stream_config *own)
{
	struct written w = { .at_most = (double)NAN, .at_least = (double)NAN };
	int err = 0;

	option_defaults(rows, &w);
	if (strlen(n->key) > LIMIT_TEXT_BYTES || !*n->key)
		err = config_reading_error_key(r, ERR_INVALID, n, "streams: a name of 1 to %d bytes", LIMIT_TEXT_BYTES);
	else if (n->kind == YAML_MAPPING)
		err = read_keys(r, n, &w);
	else if (config_key_text(r, k, n))
		w.path = strdup(n->scalar);
	else
		err = ERR_INVALID;
	if (!err)
		err = check(r, n, &w);
	if (!err)
		err = config_split_path(r, n, "streams", w.path, &own->path);
	if (!err && !(own->name = strdup(n->key)))
		err = config_reading_error(r, ERR_IO, n, "out of memory");
	own->type = isnan(w.at_most) && isnan(w.at_least) ? (enum feature_type)w.type : FEATURE_NUMERIC;
	own->at_most = w.at_most;
	own->at_least = w.at_least;
	own->low = w.range.n == 2 ? w.range.value[0] : (double)NAN;
	own->high = w.range.n == 2 ? w.range.value[1] : (double)NAN;
	option_finish(rows, &w);
	return err;
}

int
config_streams_read(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                    void *target)
{
	struct model_config *m = target;
	int err = 0;

	if (n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n, "%s: expected names with paths, as in {revenue: "
		                            "business.revenue}", k->option.name);
	config_streams_free(m->own, m->owns); /* a model's own list takes the place of the inherited one */
	m->own = NULL;
	m->owns = 0;
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		struct own_stream_config one = { 0 }, *grown;
		int bad = m->owns == LIMIT_OWN_STREAMS ?
			config_reading_error(r, ERR_LIMIT, c, "%s: more than %d", k->option.name,
			                     LIMIT_OWN_STREAMS) : read_stream(r, k, c, &one);

		grown = bad ? NULL : realloc(m->own, (m->owns + 1) * sizeof *grown);
		if (!grown) {
			free_one(&one);
			err = bad ? bad : config_reading_error(r, ERR_IO, c, "out of memory");
			continue;
		}
		m->own = grown;
		m->own[m->owns++] = one;
	}
	return err;
}

void
config_streams_write(FILE *out, const struct config_key *k, const void *target)
{
	const struct model_config *m = target;

	(void)k;
	for (size_t i = 0; i < m->owns; i++) {
		const struct own_stream_config *own = &m->own[i];

		config_key_write_text(out, own->name);
		for (size_t j = 0; j < own->path.n; j++)
			config_key_write_text(out, own->path.text[j]);
		fprintf(out, " %s %a %a %a %a;", types[own->type], own->at_most, own->at_least, own->low, own->high);
	}
}
