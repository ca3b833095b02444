/* config_detectors.c -- `detectors: {"feature:income": [tolerant, {method: adwin, delta: 0.002}]}`: which
 * tests watch which streams. Methods and their options come from the same tables as those of the filters.
 */
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

static const char *const role_words[] = { [TEST_PAGING] = "paging", [TEST_EVIDENCE] = "evidence",
	[TEST_UNBUDGETED] = "unbudgeted", NULL };

const char *
test_role_text(enum test_role role)
{
	return role_words[role];
}

static void
free_list(struct tests_config *list)
{
	for (size_t i = 0; i < list->tests; i++) {
		if (list->test[i].options)
			option_finish(list->test[i].method.options, list->test[i].options);
		free(list->test[i].options);
	}
	free(list->pattern);
}

void
config_detectors_free(struct tests_config *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free_list(&list[i]);
	free(list);
}

/* Several numbers as the option tables read them: joined with commas. */
static int
read_numbers(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *options)
{
	char text[400] = "";
	struct diag d;
	size_t at = 0;

	for (const struct yaml_node *c = n->child; c; c = c->next) {
		const char *one = config_key_text(r, k, c);

		if (!one)
			return ERR_INVALID;
		if (at + strlen(one) + 2 > sizeof text)
			return config_reading_error(r, ERR_INVALID, c, "%s: too long a list", k->option.name);
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? "," : "", one);
	}
	int err = option_set(&k->option, options, text, &d);
	return err ? config_reading_error(r, err, n, "%s", d.text) : 0;
}

static int
read_option(struct config_reading *r, struct test_config *t, const struct yaml_node *n)
{
	const struct option *table = t->method.options, *row = option_find(table, n->key);
	const char *near = option_nearest(table, n->key);

	if (!row)
		return config_reading_error_key(r, ERR_INVALID, n, "unknown option '%.80s' of %s%s%s%s", n->key,
		                                t->method.name, near ? " (did you mean '" : "",
		                                near ? near : "", near ? "'?)" : "");
	struct config_key k = { .option = *row };
	int err = row->type == OPTION_LIST && n->kind == YAML_SEQUENCE ?
		read_numbers(r, &k, n, t->options) : config_key_read(r, &k, n, t->options);
	if (!err)
		t->given |= 1ull << (row - table);
	return err;
}

static int
read_role(struct config_reading *r, struct test_config *t, const struct yaml_node *n)
{
	struct option row = { .name = "role", .type = OPTION_ENUM, .choices = role_words };
	struct config_key k = { .option = row };
	int role = 0;
	int err = config_key_read(r, &k, n, &role);

	t->role = (enum test_role)role;
	t->role_given = true;
	return err;
}

/* What its options say about the budget: forms that are no sr have no gain, so nothing meters them. */
static bool
unbudgeted(const struct test_config *t)
{
	const struct option *form = option_find(t->method.options, "form");
	int index;

	if (!form || form->type != OPTION_ENUM)
		return t->method.budget == METHOD_UNBUDGETED;
	memcpy(&index, (const char *)t->options + form->offset, sizeof index);
	return strcmp(form->choices[index], "sr") != 0;
}

static int
check_test(struct config_reading *r, struct test_config *t, const struct yaml_node *n)
{
	const char *name = t->method.name;

	for (const char *const *must = t->method.must; *must; must++) {
		const struct option *row = option_find(t->method.options, *must);

		if (!(t->given >> (row - t->method.options) & 1))
			return config_reading_error(r, ERR_INVALID, n, "%s: needs `%s`, as in {method: %s, %s: ...}",
			                            name, *must, name, *must);
	}
	if (!unbudgeted(t)) {
		if (t->role_given && t->role == TEST_UNBUDGETED)
			return config_reading_error(r, ERR_INVALID, n, "%s: the budget bounds its false alarms; "
			                            "paging or evidence", name);
		return 0;
	}
	if (t->role_given && t->role != TEST_UNBUDGETED)
		return config_reading_error(r, ERR_INVALID, n, "%s: no budget bounds its false alarms, so it "
		                            "can only be unbudgeted", name);
	t->role = TEST_UNBUDGETED;
	t->role_given = true;
	return 0;
}

static int
read_test(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
          struct test_config *t)
{
	const struct yaml_node *named = n->kind == YAML_MAPPING ? yaml_get(n, "method") : n;
	const char *name, *near;
	int err = 0;

	if (!named)
		return config_reading_error(r, ERR_INVALID, n, "%s: a test without `method`", k->option.name);
	if (!(name = config_key_text(r, k, named)))
		return ERR_INVALID;
	if (!method_find(name, &t->method)) {
		near = option_nearest_word(method_names(), name);
		return config_reading_error(r, ERR_INVALID, named, "%s: unknown method '%.80s'%s%s%s",
		                            k->option.name, name, near ? " (did you mean '" : "",
		                            near ? near : "", near ? "'?)" : "");
	}
	t->options = calloc(1, t->method.options_size + 1);
	if (!t->options)
		return config_reading_error(r, ERR_IO, n, "out of memory");
	option_defaults(t->method.options, t->options);
	for (const struct yaml_node *c = n->kind == YAML_MAPPING ? n->child : NULL; c; c = c->next) {
		int one = 0;

		if (!strcmp(c->key, "role"))
			one = read_role(r, t, c);
		else if (strcmp(c->key, "method"))
			one = read_option(r, t, c);
		err = one ? one : err;
	}
	return err ? err : check_test(r, t, n);
}

/* Beside a test that pages the others show; where none does, they page themselves. */
static void
settle_roles(struct tests_config *list)
{
	bool pages = false;

	for (size_t i = 0; i < list->tests; i++) {
		const struct test_config *t = &list->test[i];

		pages |= t->role_given ? t->role == TEST_PAGING : t->method.budget == METHOD_PAGES;
	}
	for (size_t i = 0; i < list->tests; i++) {
		struct test_config *t = &list->test[i];

		if (!t->role_given)
			t->role = pages && t->method.budget == METHOD_SHOWS ? TEST_EVIDENCE : TEST_PAGING;
	}
}

static const char *const type_words[] = { "numeric", "binary", "categorical", NULL };

static unsigned
types_of(const char *pattern)
{
	for (unsigned i = 0; type_words[i]; i++)
		if (!strcmp(type_words[i], pattern))
			return 1u << i;
	return METHOD_NUMERIC | METHOD_BINARY | METHOD_CATEGORICAL;
}

static int
read_list(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
          struct tests_config *list)
{
	unsigned types = types_of(n->key);
	int err = 0;

	if (!(list->pattern = strdup(n->key)))
		return config_reading_error(r, ERR_IO, n, "out of memory");
	if (n->kind != YAML_SEQUENCE)
		return config_reading_error(r, ERR_INVALID, n, "%s: expected a list of methods, as in "
		                            "[tolerant, conformal]; [] for none", k->option.name);
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		struct test_config *t = &list->test[list->tests];
		int one;

		if (list->tests == LIMIT_TESTS)
			return config_reading_error(r, ERR_LIMIT, c, "%s: more than %d tests of a stream",
			                            k->option.name, LIMIT_TESTS);
		list->tests++;
		one = read_test(r, k, c, t);
		err = one ? one : err;
		if (!one && !(types & t->method.types))
			err = config_reading_error(r, ERR_INVALID, c, "%s: %s is not for a stream of this type "
			                           "(%s)", k->option.name, t->method.name, n->key);
		types &= one ? types : t->method.types;
	}
	settle_roles(list);
	return err;
}

int
config_detectors_read(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                      void *target)
{
	struct model_config *m = target;
	int err = 0;

	if (n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n, "%s: expected types or names of streams with "
		                            "methods, as in {numeric: [tolerant, conformal]}", k->option.name);
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		struct tests_config one = { 0 }, *grown;
		size_t at = 0;
		int bad = read_list(r, k, c, &one);

		err = bad ? bad : err;
		while (at < m->test_lists && one.pattern && strcmp(m->test_list[at].pattern, one.pattern))
			at++;
		if (bad || (at == m->test_lists && at == LIMIT_TEST_LISTS)) {
			free_list(&one);
			if (!bad)
				return config_reading_error(r, ERR_LIMIT, c, "%s: more than %d lists",
				                            k->option.name, LIMIT_TEST_LISTS);
			continue;
		}
		if (at < m->test_lists) { /* an own list takes the place of an inherited one */
			free_list(&m->test_list[at]);
			m->test_list[at] = one;
			continue;
		}
		grown = realloc(m->test_list, (at + 1) * sizeof *grown);
		if (!grown) {
			free_list(&one);
			return config_reading_error(r, ERR_IO, c, "out of memory");
		}
		m->test_list = grown;
		m->test_list[m->test_lists++] = one;
	}
	return err;
}

void
config_detectors_write(FILE *out, const struct config_key *k, const void *target)
{
	const struct model_config *m = target;
	char value[400];

	(void)k;
	for (size_t i = 0; i < m->test_lists; i++) {
		const struct tests_config *list = &m->test_list[i];

		config_key_write_text(out, list->pattern);
		for (size_t j = 0; j < list->tests; j++) {
			const struct test_config *t = &list->test[j];

			fprintf(out, " %s %s", t->method.name, role_words[t->role]);
			for (const struct option *row = t->method.options; row->name; row++) {
				option_format(row, t->options, value, sizeof value);
				fprintf(out, " %s", value);
			}
		}
		fputc(';', out);
	}
}

const struct tests_config *
config_stream_tests(const struct model_config *m, const char *stream, const char *type)
{
	const struct tests_config *of_type = NULL;

	for (size_t i = m->test_lists; i-- > 0;) {
		const struct tests_config *list = &m->test_list[i];

		if (!strcmp(list->pattern, type))
			of_type = list;
		else if (config_glob(list->pattern, stream))
			return list;
	}
	return of_type;
}
