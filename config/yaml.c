/* yaml.c -- recursive descent over libyaml's events. The depth is checked at every event, as the
 * parser hands them out one by one: of 50 000 opening brackets (6 s in libyaml alone) it sees the
 * first 17. */
#include "config/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "config/diag.h"

enum {
	DEPTH_MAX = 16,            /* ours needs five; deeper is a mistake or an attack */
	FILE_BYTES_MAX = 1 << 20,  /* a configuration is written by a person */
	NODES_MAX = 10000,         /* keys and values; duplicate keys are found by comparing all */
	SCALAR_BYTES_MAX = 1 << 16 /* a certificate chain fits */
};

struct loader {
	yaml_parser_t parser;
	const char *name;
	const unsigned char *text; /* without byte order mark */
	size_t length;
	unsigned nodes;
	struct diag *d;
};

static int refuse(struct loader *l, yaml_mark_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int
refuse(struct loader *l, yaml_mark_t at, const char *format, ...)
{
	char sentence[600];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	return diag_set(l->d, ERR_INVALID, "%s:%zu:%zu: %s", l->name, at.line + 1, at.column + 1,
	                sentence);
}

/* libyaml gives reader errors (encoding, control characters) as a byte offset and no position. */
static yaml_mark_t
mark_of_offset(const struct loader *l, size_t offset)
{
	yaml_mark_t at = { 0 };

	for (size_t i = 0; i < offset && i < l->length; i++)
		if (l->text[i] == '\n' ||
		    (l->text[i] == '\r' && i + 1 < l->length && l->text[i + 1] != '\n')) {
			at.line++;
			at.column = 0;
		} else {
			at.column += (l->text[i] & 0xC0) != 0x80; /* characters, as libyaml counts */
		}
	return at;
}

static int
parser_error(struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "not YAML";
	const char *hint = "";

	if (p->error == YAML_MEMORY_ERROR)
		return diag_set(l->d, ERR_IO, "%s: out of memory", l->name);
	if (p->error == YAML_READER_ERROR)
		return refuse(l, mark_of_offset(l, p->problem_offset), "%s (the file must be UTF-8 text)",
		              problem);
	if (p->context && strstr(p->context, "alias"))
		hint = "; a text that begins with * needs quotes";
	else if (p->context && strstr(p->context, "anchor"))
		hint = "; a text that begins with & needs quotes";
	else if (strstr(problem, "unknown escape"))
		hint = "; in single quotes \\ is an ordinary character";
	else if (strstr(problem, "cannot start any token"))
		hint = "; indent with blanks, and quote a text that begins with @, ` or %";
	if (!p->context)
		return refuse(l, p->problem_mark, "%s%s", problem, hint);
	return refuse(l, p->problem_mark, "%s %s%s", problem, p->context, hint);
}

static int
event_next(struct loader *l, yaml_event_t *e)
{
	return yaml_parser_parse(&l->parser, e) ? 0 : parser_error(l);
}

/* Anchors and tags stand in different places of the three kinds of event. */
static int
check_decoration(struct loader *l, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (e->type == YAML_ALIAS_EVENT)
		return refuse(l, e->start_mark,
		              "aliases (*%.40s) are not read; a text that begins with * needs quotes",
		              (const char *)e->data.alias.anchor);
	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (anchor)
		return refuse(l, e->start_mark,
		              "anchors (&%.40s) are not read; a text that begins with & needs quotes",
		              (const char *)anchor);
	if (tag)
		return refuse(l, e->start_mark,
		              "tags (%.40s) are not read; a text that begins with ! needs quotes",
		              (const char *)tag);
	return 0;
}

static int
scalar_read(struct loader *l, const yaml_event_t *e, char **out, bool *quoted)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t length = e->data.scalar.length;

	if (length > SCALAR_BYTES_MAX)
		return refuse(l, e->start_mark, "a text of %zu bytes; at most %d are read", length,
		              SCALAR_BYTES_MAX);
	if (memchr(text, '\0', length))
		return refuse(l, e->start_mark, "a text with a NUL character in it");
	*out = strdup(text);
	*quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return *out ? 0 : diag_set(l->d, ERR_IO, "%s: out of memory", l->name);
}

static int node_read(struct loader *l, const yaml_event_t *e, int depth, struct yaml_node **out);

static int
sequence_read(struct loader *l, int depth, struct yaml_node **tail)
{
	for (;;) {
		yaml_event_t e;
		int err = event_next(l, &e);

		if (err)
			return err;
		bool end = e.type == YAML_SEQUENCE_END_EVENT;
		if (!end)
			err = node_read(l, &e, depth + 1, tail);
		yaml_event_delete(&e);
		if (err || end)
			return err;
		tail = &(*tail)->next;
	}
}

static int
key_check(struct loader *l, const yaml_event_t *e, const struct yaml_node *parent)
{
	int err = check_decoration(l, e);

	if (err)
		return err;
	if (e->type != YAML_SCALAR_EVENT)
		return refuse(l, e->start_mark, "a key must be a word, not a list or a mapping");
	const char *key = (const char *)e->data.scalar.value;
	if (!*key)
		return refuse(l, e->start_mark, "an empty key");
	if (!strcmp(key, "<<") && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return refuse(l, e->start_mark, "merge keys (<<) are not read");
	const struct yaml_node *twin = yaml_get(parent, key);
	if (twin)
		return refuse(l, e->start_mark, "the key '%.80s' stands here twice; first in line %d", key,
		              twin->key_line);
	if (++l->nodes > NODES_MAX)
		return refuse(l, e->start_mark, "more than %d keys and values", NODES_MAX);
	return 0;
}

static int
mapping_read(struct loader *l, int depth, struct yaml_node *parent)
{
	struct yaml_node **tail = &parent->child;

	for (;;) {
		yaml_event_t e, value;
		char *key = NULL;
		bool quoted;
		int err = event_next(l, &e);

		if (err)
			return err;
		if (e.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&e);
			return 0;
		}
		err = key_check(l, &e, parent);
		if (!err)
			err = scalar_read(l, &e, &key, &quoted);
		yaml_mark_t at = e.start_mark;
		yaml_event_delete(&e);
		if (!err && !(err = event_next(l, &value))) {
			err = node_read(l, &value, depth + 1, tail);
			yaml_event_delete(&value);
		}
		if (!*tail) {
			free(key);
			return err;
		}
		(*tail)->key = key;
		(*tail)->key_line = (int)at.line + 1;
		(*tail)->key_column = (int)at.column + 1;
		if (err)
			return err;
		tail = &(*tail)->next;
	}
}

/* On error *out may hold a partial node; it hangs on the tree, whose owner frees it. */
static int
node_read(struct loader *l, const yaml_event_t *e, int depth, struct yaml_node **out)
{
	int err = check_decoration(l, e);

	if (err)
		return err;
	if (depth > DEPTH_MAX)
		return refuse(l, e->start_mark, "nested deeper than %d", DEPTH_MAX);
	if (++l->nodes > NODES_MAX)
		return refuse(l, e->start_mark, "more than %d keys and values", NODES_MAX);
	struct yaml_node *n = calloc(1, sizeof *n);
	if (!n)
		return diag_set(l->d, ERR_IO, "%s: out of memory", l->name);
	*out = n;
	n->line = (int)e->start_mark.line + 1;
	n->column = (int)e->start_mark.column + 1;
	if (e->type == YAML_SCALAR_EVENT) {
		n->kind = YAML_SCALAR;
		return scalar_read(l, e, &n->scalar, &n->quoted);
	}
	if (e->type == YAML_SEQUENCE_START_EVENT) {
		n->kind = YAML_SEQUENCE;
		return sequence_read(l, depth, &n->child);
	}
	assert(e->type == YAML_MAPPING_START_EVENT);
	n->kind = YAML_MAPPING;
	return mapping_read(l, depth, n);
}

/* STREAM-START [DOCUMENT-START node DOCUMENT-END] STREAM-END */
static int
stream_read(struct loader *l, struct yaml_node **root)
{
	for (;;) {
		yaml_event_t e;
		int err = event_next(l, &e);

		if (err)
			return err;
		bool end = e.type == YAML_STREAM_END_EVENT;
		if (e.type == YAML_DOCUMENT_START_EVENT) {
			if (*root)
				err = refuse(l, e.start_mark, "a second document; one file is one configuration");
		} else if (end) {
			if (!*root)
				err = refuse(l, e.start_mark, "the file is empty");
		} else if (e.type != YAML_STREAM_START_EVENT && e.type != YAML_DOCUMENT_END_EVENT) {
			err = node_read(l, &e, 1, root);
		}
		yaml_event_delete(&e);
		if (err || end)
			return err;
	}
}

int
yaml_parse(struct yaml_node **out, const char *text, size_t length, const char *name,
           struct diag *d)
{
	struct loader l = { .name = name, .d = d };
	struct yaml_node *root = NULL;

	*out = NULL;
	if (length > FILE_BYTES_MAX)
		return diag_set(d, ERR_INVALID, "%s:1:1: the file is larger than 1 MiB", name);
	if (length >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
		text += 3;
		length -= 3;
	}
	if (!yaml_parser_initialize(&l.parser))
		return diag_set(d, ERR_IO, "%s: out of memory", name);
	l.text = (const unsigned char *)text;
	l.length = length;
	/* Else libyaml would guess UTF-16 from the first bytes. */
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, l.text, length);
	int err = stream_read(&l, &root);
	yaml_parser_delete(&l.parser);
	if (err) {
		yaml_tree_free(root);
		root = NULL;
	}
	*out = root;
	return err;
}

int
yaml_load(struct yaml_node **out, const char *path, struct diag *d)
{
	int err = 0;
	char *text = NULL;

	*out = NULL;
	FILE *file = fopen(path, "re");
	if (!file)
		return diag_set(d, errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_IO, "%s: %s",
		                path, strerror(errno));
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text) {
		err = diag_set(d, ERR_IO, "%s: out of memory", path);
		goto out;
	}
	errno = 0;
	size_t length = fread(text, 1, FILE_BYTES_MAX + 1, file);
	if (ferror(file)) {
		err = diag_set(d, ERR_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	err = yaml_parse(out, text, length, path, d);
out:
	free(text);
	fclose(file);
	return err;
}

void
yaml_tree_free(struct yaml_node *root)
{
	/* Siblings in a loop, children by recursion: at most DEPTH_MAX deep. */
	while (root) {
		struct yaml_node *next = root->next;
		yaml_tree_free(root->child);
		free(root->key);
		free(root->scalar);
		free(root);
		root = next;
	}
}

const struct yaml_node *
yaml_get(const struct yaml_node *mapping, const char *key)
{
	if (mapping->kind == YAML_MAPPING)
		for (const struct yaml_node *n = mapping->child; n; n = n->next)
			if (n->key && !strcmp(n->key, key))
				return n;
	return NULL;
}
