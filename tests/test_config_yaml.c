/* test_config_yaml.c -- suite `config`: what is refused before a key is looked at. */
#include "tests/test_config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/diag.h"
#include "config/yaml.h"

static void
refused_yaml(const char *text, size_t length, const char *expected)
{
	struct yaml_node *root = NULL;
	struct diag d = { "" };

	assert_int_equal(yaml_parse(&root, text, length, "f", &d), ERR_INVALID);
	assert_null(root);
	if (strncmp(d.text, expected, strlen(expected)))
		fail_msg("'%s' instead of '%s'", d.text, expected);
}

void
yaml_refuses_what_hides_meaning(void **state)
{
	static const char *const cases[][2] = {
		{ "a: &x 1\n", "f:1:4: anchors (&x)" },
		{ "a: *x\n", "f:1:4: aliases (*x)" },
		{ "a: [*.log]\n", "f:1:6: did not find expected alphabetic or numeric character while "
		                  "scanning an alias; a text that begins with * needs quotes" },
		{ "a: !!int 1\n", "f:1:4: tags (tag:yaml.org,2002:int)" },
		{ "a: !mine [1]\n", "f:1:4: tags (!mine)" },
		{ "a: {<<: {b: 1}}\n", "f:1:5: merge keys" },
		{ "a: 1\nb:\n  c: 1\n  c: 2\n", "f:4:3: the key 'c' stands here twice; first in line 3" },
		{ "a: 1\n---\nb: 2\n", "f:2:1: a second document" },
		{ "", "f:1:1: the file is empty" },
		{ "# nothing\n", "f:2:1: the file is empty" },
		{ "a:\n\tb: 1\n", "f:2:1: found" },
		{ "[a]: 1\n", "f:1:1: a key must be a word" },
		{ "{'': 1}\n", "f:1:2: an empty key" },
		{ "a: \"x\\0y\"\n", "f:1:4: a text with a NUL character" },
		{ "a: [1, 2\nb: 3\n", "f:2:2: did not find expected ',' or ']'" },
		{ "a: \"\\.\"\n", "f:1:5: found unknown escape character" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		refused_yaml(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

void
bad_bytes_are_found_where_they_stand(void **state)
{
	static const char utf8[] = "a: 1\nb: \xC3\xA9 \xFF\n", nul[] = "a: 1\nbc\0d: 2\n";
	static const char utf16[] = "\xFF\xFE" "a\0:\0 \0001\0", bom[] = "\xEF\xBB\xBF" "a: &x 1\n";

	(void)state;
	refused_yaml(utf8, sizeof utf8 - 1, "f:2:6: invalid leading UTF-8 octet");
	refused_yaml(nul, sizeof nul - 1, "f:2:3: control characters are not allowed");
	refused_yaml(utf16, sizeof utf16 - 1, "f:1:1: invalid leading UTF-8 octet");
	refused_yaml(bom, sizeof bom - 1, "f:1:4: anchors");
	refused_yaml("a: \xC3", 4, "f:1:4: incomplete UTF-8 octet sequence");
}

void
a_nesting_bomb_is_cut_at_once(void **state)
{
	enum { BYTES = 50000 };
	char *text = malloc(5 * BYTES);

	(void)state;
	assert_non_null(text);
	clock_t start = clock();
	memset(text, '[', BYTES);
	refused_yaml(text, BYTES, "f:1:17: nested deeper than 16");
	for (size_t i = 0; i < BYTES; i++)
		memcpy(text + 5 * i, "{a: ", 5);
	for (size_t i = 0; i < 5 * BYTES; i++)
		text[i] = "{a: "[i % 4];
	refused_yaml(text, BYTES, "f:1:65: nested deeper than 16");
	for (size_t i = 0; i < BYTES; i++)
		text[i] = "- "[i % 2];
	refused_yaml(text, BYTES, "f:1:33: nested deeper than 16");
	/* libyaml alone takes 6 s of processor time for the first. */
	assert_true((double)(clock() - start) / (double)CLOCKS_PER_SEC < 2);
	free(text);
}

void
sizes_are_bounded(void **state)
{
	size_t big = ((size_t)1 << 20) + 1;
	char *text = malloc(big);

	(void)state;
	assert_non_null(text);
	memset(text, '#', big);
	refused_yaml(text, big, "f:1:1: the file is larger than 1 MiB");
	text[0] = '[';
	for (size_t i = 0; i < 20000; i++)
		memcpy(text + 1 + 2 * i, "a,", 2);
	refused_yaml(text, 40001, "f:1:20000: more than 10000 keys and values");
	memset(text, 'x', 70000);
	refused_yaml(text, 70000, "f:1:1: a text of 70000 bytes");
	free(text);
}

void
the_tree_remembers_positions(void **state)
{
	static const char text[] = "a:\n  - 1\n  - \"2\"\nb: {c: d}\n";
	struct yaml_node *root;

	(void)state;
	assert_int_equal(yaml_parse(&root, text, sizeof text - 1, "f", NULL), 0);
	const struct yaml_node *a = yaml_get(root, "a"), *c = yaml_get(yaml_get(root, "b"), "c");
	assert_int_equal(a->kind, YAML_SEQUENCE);
	assert_false(a->child->quoted);
	assert_true(a->child->next->quoted);
	assert_int_equal(a->child->next->line, 3);
	assert_int_equal(a->child->next->column, 5);
	assert_string_equal(c->scalar, "d");
	assert_int_equal(c->key_line, 4);
	assert_int_equal(c->key_column, 5);
	assert_int_equal(c->column, 8);
	assert_null(yaml_get(root, "c"));
	yaml_tree_free(root);
	yaml_tree_free(NULL);
}
