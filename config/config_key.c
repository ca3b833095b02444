/* config_key.c -- walks a table of keys: read a section, set defaults, dump, find. */
#include "config/config_key.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"

enum { PATH_BYTES = 400 };

static int report(struct config_reading *r, int err, int line, int column, const char *format,
                  va_list args) __attribute__((format(printf, 5, 0)));

static int
report(struct config_reading *r, int err, int line, int column, const char *format, va_list args)
{
	struct diag d;

	if (r->silent && err != ERR_IO)
		return err;
	if (r->count++ >= CONFIG_ERRORS_MAX) {
		if (r->count == CONFIG_ERRORS_MAX + 1 && r->errors)
			fprintf(r->errors, "%s: more than %d mistakes; the others are not shown\n", r->name,
			        CONFIG_ERRORS_MAX);
		return err;
	}
	int used = snprintf(d.text, sizeof d.text, "%s:%d:%d: ", r->name, line, column);
	if (used >= 0 && (size_t)used < sizeof d.text)
		vsnprintf(d.text + used, sizeof d.text - (size_t)used, format, args);
	/* What is quoted comes from a file: it must not steer the terminal. */
	for (char *p = d.text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	if (r->errors)
		fprintf(r->errors, "%s\n", d.text);
	if (!r->err) {
		r->err = err;
		diag_set(r->first, err, "%s", d.text);
	}
	return err;
}

int
config_reading_error(struct config_reading *r, int err, const struct yaml_node *at,
                     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(r, err, at->line, at->column, format, args);
	va_end(args);
	return err;
}

int
config_reading_error_key(struct config_reading *r, int err, const struct yaml_node *at,
                         const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(r, err, at->key ? at->key_line : at->line, at->key ? at->key_column : at->column,
	       format, args);
	va_end(args);
	return err;
}

const char *
config_key_text(struct config_reading *r, const struct config_key *k, const struct yaml_node *n)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	const char *name = k->option.name;
	char type[400];

	if (n->kind != YAML_SCALAR) {
		option_describe(&k->option, type, sizeof type);
		config_reading_error(r, ERR_INVALID, n, "%s: found a %s where one value stands (%s)", name,
		                     n->kind == YAML_MAPPING ? "mapping" : "list",
		                     k->type ? k->type : type);
		return NULL;
	}
	if (!n->quoted)
		for (size_t i = 0; nulls[i]; i++)
			if (!strcmp(n->scalar, nulls[i])) {
				config_reading_error(r, ERR_INVALID, n,
				                     "%s: no value; leave the key out to have its default", name);
				return NULL;
			}
	if (!*n->scalar) {
		config_reading_error(r, ERR_INVALID, n, "%s: an empty text", name);
		return NULL;
	}
	if (strstr(n->scalar, "${ENV:") || strstr(n->scalar, "${FILE:")) {
		config_reading_error(r, ERR_INVALID, n,
		                     "%s: ${ENV:..} and ${FILE:..} are replaced in kafka.properties and in the "
		                     "secrets of sinks only",
		                     name);
		return NULL;
	}
	for (const char *p = n->scalar; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127) {
			config_reading_error(r, ERR_INVALID, n, "%s: a control character in the text", name);
			return NULL;
		}
	return n->scalar;
}

static bool
is_numeric(enum option_type type)
{
	return type == OPTION_F64 || type == OPTION_U32 || type == OPTION_I64 || type == OPTION_BOOL ||
	       type == OPTION_AUTO_U32 || type == OPTION_LIST;
}

int
config_key_read(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                void *target)
{
	struct diag d;

	if (k->read)
		return k->read(r, k, n, target);
	if (k->child)
		return config_key_section(r, k->child, n, k->option.name, target);
	const char *text = config_key_text(r, k, n);
	if (!text)
		return ERR_INVALID;
	if (n->quoted && is_numeric(k->option.type))
		return config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' is a text; write it without "
		                            "quotes", k->option.name, text);
	int err = option_set(&k->option, target, text, &d);
	return err ? config_reading_error(r, err, n, "%s", d.text) : 0;
}

static int
unknown_key(struct config_reading *r, const struct config_key *table, const struct yaml_node *n,
            const char *what)
{
	char in[120] = "", hint[PATH_BYTES] = "", path[PATH_BYTES];
	const char *near = config_key_nearest(table, n->key);

	if (what)
		snprintf(in, sizeof in, " in '%s'", what);
	if (near)
		snprintf(hint, sizeof hint, " (did you mean '%s'?)", near);
	else if (config_key_elsewhere(config_keys, n->key, "", path, sizeof path))
		snprintf(hint, sizeof hint, " (there is '%.300s')", path);
	return config_reading_error_key(r, ERR_INVALID, n, "unknown key '%.80s'%s%s", n->key, in, hint);
}

int
config_key_section(struct config_reading *r, const struct config_key *table,
                   const struct yaml_node *n, const char *what, void *target)
{
	int err = 0;

	/* A section all of whose keys have been commented out says nothing, which is fine. */
	if (what && n->kind == YAML_SCALAR && !n->quoted && !*n->scalar)
		return 0;
	if (n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n, "%s%sexpected keys with values, found a %s",
		                            what ? what : "", what ? ": " : "",
		                            n->kind == YAML_SCALAR ? "single value" : "list");
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		const struct config_key *k = config_key_find(table, c->key);
		int one = k ? config_key_read(r, k, c, target) : unknown_key(r, table, c, what);
		if (one)
			err = one;
	}
	return err;
}

int
config_key_deferred(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                    void *target)
{
	(void)r, (void)k, (void)n, (void)target;
	return 0;
}

int
config_key_defaults(const struct config_key *table, void *target)
{
	int err = 0;

	for (const struct config_key *k = table; k->option.name; k++) {
		if (k->read == config_key_deferred)
			continue;
		if (k->child && (err = config_key_defaults(k->child, target)))
			return err;
		if (!k->option.fallback)
			continue;
		/* Through the readers that the user's text goes through. */
		struct config_reading r = { .name = k->option.name };
		struct yaml_node *n = NULL;
		const char *text = k->option.fallback;
		err = yaml_parse(&n, text, strlen(text), k->option.name, NULL);
		if (!err)
			err = config_key_read(&r, k, n, target);
		assert(err != ERR_INVALID); /* else the table is wrong */
		yaml_tree_free(n);
		if (err)
			return err;
	}
	return 0;
}

void
config_key_write_text(FILE *out, const char *text)
{
	if (text)
		fprintf(out, "%zu:%s", strlen(text), text);
	else
		fputc('-', out);
}

void
config_key_dump(FILE *out, const struct config_key *table, const char *prefix, const void *target)
{
	char path[PATH_BYTES], value[PATH_BYTES];

	for (const struct config_key *k = table; k->option.name; k++) {
		if (k->read == config_key_deferred)
			continue;
		snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", k->option.name);
		if (k->write || !k->child)
			fprintf(out, "%s=", path);
		if (k->write) {
			k->write(out, k, target);
		} else if (!k->child && k->option.type == OPTION_TEXT) {
			char *const *text = (const void *)((const char *)target + k->option.offset);
			config_key_write_text(out, *text);
		} else if (!k->child) {
			option_format(&k->option, target, value, sizeof value);
			fputs(value, out);
		}
		if (k->write || !k->child)
			fputc('\n', out);
		if (k->child)
			config_key_dump(out, k->child, path, target);
	}
}

void
config_key_finish(const struct config_key *table, void *target)
{
	for (const struct config_key *k = table; k->option.name; k++) {
		if (k->read == config_key_deferred)
			continue;
		if (k->child) {
			config_key_finish(k->child, target);
		} else if (!k->read && k->option.type == OPTION_TEXT) {
			char **text = (void *)((char *)target + k->option.offset);
			free(*text);
			*text = NULL;
		}
	}
}

const struct config_key *
config_key_find(const struct config_key *table, const char *name)
{
	for (const struct config_key *k = table; k->option.name; k++)
		if (!strcmp(k->option.name, name))
			return k;
	return NULL;
}

const char *
config_key_nearest(const struct config_key *table, const char *name)
{
	const char *names[64];
	size_t n = 0;

	for (const struct config_key *k = table; k->option.name; k++) {
		assert(n + 1 < sizeof names / sizeof names[0]);
		names[n++] = k->option.name;
	}
	names[n] = NULL;
	return option_nearest_word(names, name);
}

bool
config_key_elsewhere(const struct config_key *table, const char *name, const char *prefix,
                     char *out, size_t size)
{
	char path[PATH_BYTES];

	for (const struct config_key *k = table; k->option.name; k++) {
		snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", k->option.name);
		if (!strcmp(k->option.name, name)) {
			snprintf(out, size, "%s", path);
			return true;
		}
		if (k->child && config_key_elsewhere(k->child, name, path, out, size))
			return true;
	}
	return false;
}
