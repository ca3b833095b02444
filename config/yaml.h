/* yaml.h -- a strict reader: one YAML document into a tree that remembers where everything stood.
 *
 * Refused, each with file:line:column and a sentence: aliases, anchors, tags, merge keys, duplicate
 * keys, a second document, depth > 16, files > 1 MiB, > 10 000 keys and values, scalars > 64 KiB,
 * NUL in a scalar, an empty file.
 * Built on libyaml's event API, so that a nesting bomb is cut while it is parsed. */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

struct diag;

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	int line, column;            /* from 1 */
	char *key;                   /* in a mapping: its key; else NULL */
	int key_line, key_column;
	char *scalar;                /* YAML_SCALAR: its text ... */
	bool quoted;                 /* ... and whether it was quoted (then it is never a number) */
	struct yaml_node *child;     /* first child */
	struct yaml_node *next;      /* next sibling, in file order */
};

/* *out is the root; freed with yaml_tree_free. ERR_MISSING no such file, ERR_IO unreadable, else
 * ERR_INVALID. */
int yaml_load(struct yaml_node **out, const char *path, struct diag *d);
/* The same from memory; `name` stands for the file in messages. */
int yaml_parse(struct yaml_node **out, const char *text, size_t length, const char *name,
               struct diag *d);
/* NULL is fine. Not called yaml_free: libyaml exports and calls a function of that name, which ours
 * would replace in the whole process. */
void yaml_tree_free(struct yaml_node *root);
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key); /* or NULL */

#endif
