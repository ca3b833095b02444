/* explain.c -- the tables as documentation: a commented YAML file that changes nothing. */
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"

enum { WIDTH = 92, INDENT = 2 };

static void
margin(FILE *out, int depth)
{
	fprintf(out, "%*s", depth * INDENT, "");
}

/* A comment, wrapped at blanks. */
static void
comment(FILE *out, int depth, const char *text)
{
	size_t room = WIDTH - (size_t)(depth * INDENT) - 2;

	while (*text) {
		size_t length = strlen(text);
		if (length > room) {
			length = room;
			while (length && text[length] != ' ')
				length--;
			if (!length)
				length = strcspn(text, " ");
		}
		margin(out, depth);
		fprintf(out, "# %.*s\n", (int)length, text);
		text += length;
		text += *text == ' ';
	}
}

static void
describe(FILE *out, const struct config_key *k, int depth)
{
	char type[400], line[600];
	const char *fallback = k->option.fallback;

	comment(out, depth, k->option.help);
	if (k->child && !k->type)
		return;
	option_describe(&k->option, type, sizeof type);
	snprintf(line, sizeof line, "(%s; %s%s)", k->type ? k->type : type,
	         fallback ? "default " : k->unset ? "default: " : "default: none",
	         fallback ? fallback : k->unset ? k->unset : "");
	comment(out, depth, line);
}

static void
print_table(FILE *out, const struct config_key *table, int depth, bool whole);

/* `whole`: the file, in which everything a model may say is told once, under `defaults`. */
static void
print_key(FILE *out, const struct config_key *k, int depth, bool whole)
{
	const char *name = k->option.name, *fallback = k->option.fallback;
	bool models = k->child == config_model_keys;

	describe(out, k, depth);
	margin(out, depth);
	if (models)
		fprintf(out, "%s: %s\n", name, fallback);
	else if (k->child && !(k->list && whole))
		fprintf(out, "%s:\n", name);
	else if (fallback)
		fprintf(out, "%s: %s\n", name, fallback);
	else
		fprintf(out, "#%s:\n", name);
	if (k->list && whole) {
		margin(out, depth);
		fprintf(out, "# (`driftd explain alerts.%s` prints what an entry may be)\n", name);
	} else if (k->child && !(models && whole))
		print_table(out, k->child, depth + 1, whole);
}

/* The root's own `windows` and `fields` are the models' too; in the whole file they come once. */
static bool
told_above(const struct config_key *k, int depth)
{
	return depth > 0 && k->child == config_window_keys;
}

static void
print_table(FILE *out, const struct config_key *table, int depth, bool whole)
{
	for (const struct config_key *k = table; k->option.name; k++) {
		if (whole && told_above(k, depth))
			continue;
		if (depth == 0 && k != table)
			fputc('\n', out);
		print_key(out, k, depth, whole);
	}
}

/* NULL: there is none, which d says. */
static const struct config_key *
find_key(const char *key, struct diag *d)
{
	const struct config_key *table = config_keys, *k = NULL;
	char name[80], path[400];
	const char *p = key;

	for (;;) {
		size_t length = strcspn(p, ".");
		int cut = (int)(length < sizeof name ? length : sizeof name - 1);
		snprintf(name, sizeof name, "%.*s", cut, p);
		k = table ? config_key_find(table, name) : NULL;
		if (!k)
			break;
		p += length;
		if (!*p)
			return k;
		p++;
		table = k->child;
	}
	const char *near = table ? config_key_nearest(table, name) : NULL;
	if (near)
		diag_set(d, ERR_MISSING, "there is no key '%.200s' (did you mean '%.*s%s'?)", key, (int)(p - key), key,
		         near);
	else if (config_key_elsewhere(config_keys, name, "", path, sizeof path))
		diag_set(d, ERR_MISSING, "there is no key '%.200s' (did you mean '%s'?)", key, path);
	else
		diag_set(d, ERR_MISSING, "there is no key '%.200s'; `driftd explain` prints all", key);
	return NULL;
}

int
config_explain(FILE *out, const char *key, struct diag *d)
{
	const struct config_key *k;

	if (!key) {
		print_table(out, config_keys, 0, true);
		return 0;
	}
	k = find_key(key, d);
	if (!k)
		return ERR_MISSING;
	fprintf(out, "# %s\n", key);
	print_key(out, k, 0, false);
	return 0;
}

/* -- JSON ------------------------------------------------------------------------------------------- */

/* Texts of ours: printable, ASCII or UTF-8. */
static void
json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void
json_key(FILE *out, const struct config_key *k, const char *path, bool *any)
{
	char type[400];
	const char *fallback = k->option.fallback ? k->option.fallback : k->unset;

	option_describe(&k->option, type, sizeof type);
	fputs(*any ? ",\n" : "[", out);
	*any = true;
	fputs("{\"key\":", out);
	json_text(out, path);
	fputs(",\"type\":", out);
	json_text(out, k->type ? k->type : k->child ? "keys" : type);
	fputs(",\"default\":", out);
	if (fallback)
		json_text(out, fallback);
	else
		fputs("null", out);
	fputs(",\"help\":", out);
	json_text(out, k->option.help);
	fputc('}', out);
}

enum { DEPTH_MAX = 8 };

/* A model's keys are told once, under `defaults`, unless they are asked for. */
static void
json_below(FILE *out, const struct config_key *k, const char *path, int depth, bool *any)
{
	char below[400];

	json_key(out, k, path, any);
	for (const struct config_key *c = k->child; c && c->option.name && depth < DEPTH_MAX; c++) {
		snprintf(below, sizeof below, "%.300s.%.80s", path, c->option.name);
		json_below(out, c, below, depth + 1, any);
	}
}

int
config_explain_json(FILE *out, const char *key, struct diag *d)
{
	const struct config_key *k;
	bool any = false;

	if (key) {
		k = find_key(key, d);
		if (!k)
			return ERR_MISSING;
		json_below(out, k, key, 0, &any);
	}
	for (k = config_keys; !key && k->option.name; k++)
		if (k->child == config_model_keys && strcmp(k->option.name, "defaults"))
			json_key(out, k, k->option.name, &any);
		else
			json_below(out, k, k->option.name, 0, &any);
	fputs("]\n", out);
	return 0;
}
