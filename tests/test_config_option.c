/* test_config_option.c -- suite `config`: rows of option tables, messages. */
#include "tests/test_config.h"

#include <stdbool.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"

struct sample {
	double ratio;
	uint32_t count, step;
	int64_t offset, wait_ms, bytes;
	bool on;
	int mode;
	struct option_list list;
	char *text;
};

static const char *const modes[] = { "first", "last", NULL };
static const struct option sample_table[] = {
	OPT_F64(struct sample, ratio, "ratio", "0.5", -1, 5, "A ratio."),
	OPT_U32(struct sample, count, "count", "10", 0, 4294967295.0, "A count."),
	OPT_AUTO_U32(struct sample, step, "step", "auto", 1, 4294967295.0, "A step."),
	OPT_I64(struct sample, offset, "offset", "-3", -1e19, 1e19, "An offset."),
	OPT_DURATION(struct sample, wait_ms, "wait", "14d", 0, 1e15, "A wait."),
	OPT_BYTES(struct sample, bytes, "bytes", "64k", 0, 1e18, "A size."),
	OPT_BOOL(struct sample, on, "on", "true", "A switch."),
	OPT_ENUM(struct sample, mode, "mode", "last", modes, "A mode."),
	OPT_LIST(struct sample, list, "list", "1.2, 3", 0, 100, "A list."),
	OPT_TEXT(struct sample, text, "text", "plain", "A text."),
	OPT_END,
};

static int
set(struct sample *s, const char *name, const char *text, struct diag *d)
{
	const struct option *row = option_find(sample_table, name);

	assert_non_null(row);
	return option_set(row, s, text, d);
}

void
defaults_go_through_the_parser(void **state)
{
	struct sample s = { 0 };

	(void)state;
	option_defaults(sample_table, &s);
	assert_true(s.ratio >= 0.5 && s.ratio <= 0.5);
	assert_int_equal(s.count, 10);
	assert_true(s.step == OPTION_AUTO);
	assert_true(s.offset == -3);
	assert_true(s.wait_ms == 14 * INT64_C(86400000));
	assert_true(s.bytes == 65536);
	assert_true(s.on);
	assert_int_equal(s.mode, 1);
	assert_int_equal(s.list.n, 2);
	assert_true(s.list.value[1] >= 3 && s.list.value[1] <= 3);
	assert_string_equal(s.text, "plain");
	option_finish(sample_table, &s);
	assert_null(s.text);
}

void
what_is_written_reads_back(void **state)
{
	static const char *const pairs[][2] = { { "ratio", "0.1" }, { "ratio", "-0.30000000000000004" },
		{ "count", "4294967295" }, { "step", "auto" }, { "step", "7" },
		{ "offset", "-9223372036854775808" }, { "offset", "9223372036854775807" },
		{ "wait", "500ms" }, { "wait", "90s" }, { "wait", "14d" }, { "wait", "0s" },
		{ "bytes", "16M" }, { "bytes", "1025" }, { "on", "false" }, { "mode", "first" },
		{ "list", "1,2.5,3" }, { "text", "a b" } };
	struct sample s = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		char out[400];
		assert_int_equal(set(&s, pairs[i][0], pairs[i][1], NULL), 0);
		option_format(option_find(sample_table, pairs[i][0]), &s, out, sizeof out);
		assert_string_equal(out, pairs[i][1]);
	}
	option_finish(sample_table, &s);
}

void
a_refused_value_changes_nothing_and_names_its_option(void **state)
{
	static const char *const bad[][2] = { { "ratio", "" }, { "ratio", "0x10" }, { "ratio", "inf" },
		{ "ratio", "nan" }, { "ratio", "1 " }, { "ratio", " 1" }, { "ratio", "1,5" },
		{ "ratio", "1e" }, { "ratio", "--1" }, { "ratio", "1e999" }, { "ratio", "5.0001" },
		{ "ratio", "1." }, { "ratio", "." }, { "ratio", "01" }, { "count", "4294967296" },
		{ "count", "99999999999999999999" }, { "count", "-1" }, { "count", "1.0" },
		{ "count", "010" }, { "count", "0x1" }, { "count", "+1" }, { "count", "" },
		{ "step", "4294967295" }, { "step", "Auto" }, { "step", "0" },
		{ "offset", "9223372036854775808" }, { "offset", "-9223372036854775809" },
		{ "wait", "300" }, { "wait", "5 m" }, { "wait", "5x" }, { "wait", "-5m" }, { "wait", "m" },
		{ "wait", "1.5h" }, { "wait", "9223372036854775807w" }, { "wait", "5mm" },
		{ "bytes", "16 M" }, { "bytes", "16MB" }, { "bytes", "9223372036854775807T" },
		{ "on", "yes" }, { "on", "off" }, { "on", "TRUE" }, { "on", "" }, { "mode", "fist" },
		{ "mode", "" }, { "list", "" }, { "list", "1,,2" }, { "list", "1," }, { "list", "1,101" },
		{ "list", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1" } };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct sample s, before;
		struct diag d = { "" };
		memset(&s, 0x5A, sizeof s);
		memcpy(&before, &s, sizeof s);
		if (set(&s, bad[i][0], bad[i][1], &d) != ERR_INVALID)
			fail_msg("%s '%s' was taken", bad[i][0], bad[i][1]);
		assert_memory_equal(&s, &before, sizeof s);
		assert_memory_equal(d.text, bad[i][0], strlen(bad[i][0]));
	}
}

void
numbers_may_begin_with_the_point(void **state)
{
	struct sample s = { 0 };

	(void)state;
	assert_int_equal(set(&s, "ratio", ".25", NULL), 0);
	assert_true(s.ratio >= 0.25 && s.ratio <= 0.25);
	assert_int_equal(set(&s, "ratio", "-1e-3", NULL), 0);
	assert_int_equal(set(&s, "ratio", "2.5E0", NULL), 0);
}

void
messages_say_what_is_allowed(void **state)
{
	struct sample s = { 0 };
	struct diag d;

	(void)state;
	set(&s, "ratio", "7", &d);
	assert_string_equal(d.text, "ratio: 7 is out of range (-1 to 5)");
	set(&s, "mode", "frist", &d);
	assert_string_equal(d.text, "mode: unknown word 'frist' (did you mean 'first'?)");
	set(&s, "mode", "middle", &d);
	assert_string_equal(d.text, "mode: unknown word 'middle' (known: first, last)");
	set(&s, "on", "yes", &d);
	assert_non_null(strstr(d.text, "write true or false"));
	set(&s, "wait", "300", &d);
	assert_non_null(strstr(d.text, "500ms 30s 5m 2h 14d 1w"));
}

void
the_nearest_name_is_at_most_two_edits_away(void **state)
{
	(void)state;
	assert_string_equal(option_nearest(sample_table, "cuont"), "count");
	assert_string_equal(option_nearest(sample_table, "ofset"), "offset");
	assert_string_equal(option_nearest(sample_table, "lost"), "list");
	assert_null(option_nearest(sample_table, "sample"));
	assert_null(option_nearest(sample_table, "x"));
	assert_null(option_nearest(sample_table, ""));
	assert_int_equal(option_distance("abc", "acb"), 1);
	assert_int_equal(option_distance("abcd", "wxyz"), 3);
}

void
a_context_keeps_the_sentence(void **state)
{
	struct diag d;

	(void)state;
	assert_int_equal(diag_set(&d, ERR_IO, "disk %d", 7), ERR_IO);
	assert_int_equal(diag_context(&d, ERR_IO, "while opening %s", "x"), ERR_IO);
	assert_string_equal(d.text, "while opening x: disk 7");
	assert_int_equal(diag_set(NULL, ERR_BUSY, "lost"), ERR_BUSY);
	for (int i = 0; i < 200; i++)
		diag_context(&d, ERR_IO, "while looking at number %d", i);
	assert_int_equal(strlen(d.text), sizeof d.text - 1);
}
