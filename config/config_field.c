/* config_field.c -- `fields: {prediction.value: out.mean}`: where a standard field stands. */
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

static const char *const standard[] = { "id", "ts", "model", "version", "features", "segment",
	"prediction", "prediction.class", "prediction.probs", "prediction.score", "prediction.value",
	"prediction.lower", "prediction.upper", "prediction.level", "prediction.set",
	"prediction.classes", "label", "score", "conformal.n_cal", "conformal.qhat",
	"probe_of", "perturbation", "severity",
	"members", "members.probs", "members.logits",
	"members.mu", "members.var", "dirichlet", "nig", "nig.nu", "nig.alpha", "nig.beta", "samples",
	"quantiles", "logits", "embedding", "prediction.sd", "prediction.var", NULL };

static void
field_free(struct field_config *f)
{
	free(f->name);
	config_strings_free(&f->path);
}

void
config_fields_free(struct field_config *field, size_t n)
{
	for (size_t i = 0; i < n; i++)
		field_free(&field[i]);
	free(field);
}

int
config_split_path(struct config_reading *r, const struct yaml_node *n, const char *what, const char *text,
                  struct strings *path)
{
	char *key = malloc(strlen(text) + 1);
	size_t used = 0;
	int err = 0;

	if (!key)
		return config_reading_error(r, ERR_IO, n, "out of memory");
	for (const char *p = text; !err; p++) {
		if (*p == '\\' && (p[1] == '.' || p[1] == '\\')) {
			key[used++] = *++p;
		} else if (*p == '\\') {
			err = config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' has a \\ before neither "
			                           "a dot nor another \\", what, text);
		} else if (*p && *p != '.') {
			key[used++] = *p;
		} else if (!used) {
			err = config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' has an empty key; a "
			                           "path is keys joined with dots", what, text);
		} else if (path->n == LIMIT_DEPTH) {
			err = config_reading_error(r, ERR_INVALID, n, "%s: a path of more than %d keys", what,
			                           LIMIT_DEPTH);
		} else {
			if (config_strings_add(path, key, used))
				err = config_reading_error(r, ERR_IO, n, "out of memory");
			used = 0;
			if (!*p)
				break;
		}
	}
	free(key);
	return err;
}

/* An own path replaces an inherited one where that stands; others are appended. */
static int
put_field(struct config_reading *r, const struct yaml_node *n, struct model_config *m,
          struct field_config *f)
{
	for (size_t i = 0; i < m->fields; i++)
		if (!strcmp(m->field[i].name, f->name)) {
			field_free(&m->field[i]);
			m->field[i] = *f;
			return 0;
		}
	struct field_config *grown = realloc(m->field, (m->fields + 1) * sizeof *grown);
	if (!grown)
		return config_reading_error(r, ERR_IO, n, "out of memory");
	m->field = grown;
	m->field[m->fields++] = *f;
	return 0;
}

static int
read_field(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
           struct model_config *m)
{
	struct field_config f = { 0 };
	size_t i = 0;

	while (standard[i] && strcmp(standard[i], n->key))
		i++;
	if (!standard[i]) {
		const char *near = option_nearest_word(standard, n->key);
		return config_reading_error_key(r, ERR_INVALID, n, "unknown key '%.80s' in 'fields'%s%s%s",
		                                n->key, near ? " (did you mean '" : "",
		                                near ? near : "", near ? "'?)" : "");
	}
	const char *text = config_key_text(r, k, n);
	if (!text)
		return ERR_INVALID;
	int err = config_split_path(r, n, "fields", text, &f.path);
	if (!err && !(f.name = strdup(standard[i])))
		err = config_reading_error(r, ERR_IO, n, "out of memory");
	if (!err)
		err = put_field(r, n, m, &f);
	if (err)
		field_free(&f);
	return err;
}

int
config_value_read_fields(struct config_reading *r, const struct config_key *k,
                         const struct yaml_node *n, void *target)
{
	int err = 0;

	if (n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n,
		                            "fields: expected names with paths, as in {label: outcome.y}");
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		int one = read_field(r, k, c, target);
		if (one)
			err = one;
	}
	return err;
}

void
config_value_write_fields(FILE *out, const struct config_key *k, const void *target)
{
	const struct model_config *m = target;

	(void)k;
	for (size_t i = 0; i < m->fields; i++) {
		fprintf(out, "%s ", m->field[i].name);
		for (size_t j = 0; j < m->field[i].path.n; j++)
			config_key_write_text(out, m->field[i].path.text[j]);
		fputc(' ', out);
	}
}
