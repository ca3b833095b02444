/* test_score.c -- suite `score`: rows read from JSON, and the filter on input that is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/command/score_rows.h"
#include "monitor/decode/base64.h"
#include "tests/tests.h"

/* -- rows ---------------------------------------------------------------------------------------- */

/* Reads the lines into a set; the kind of the last one, its sentence in d. */
static enum row_kind
read_lines(const char *const *line, struct score_wish wish, struct row_set *set, struct diag *d)
{
	struct row_reader r;
	enum row_kind kind = ROW_FAILED;

	*set = (struct row_set){ .capacity = 0 };
	assert_true(row_reader_init(&r, &wish));
	for (; *line != NULL; line++)
		kind = row_read(&r, *line, strlen(*line), true, set, d);
	row_reader_finish(&r);
	return kind;
}

static void
an_embedding_is_an_array_or_base64(void **state)
{
	static const char *const line[] = {
		"{\"embedding\":[1.5,-2,0.25]}",
		"{\"embedding\":{\"b64f32\":\"AADAPwAAAMAAAIA+\"}}",
		"{\"embedding\":{\"b64f16\":\"AD4AwAA0\"}}", NULL };
	struct row_set set;
	struct diag d;

	(void)state;
	assert_int_equal(read_lines(line, (struct score_wish){ .all = INPUT_EMBEDDING }, &set, &d), ROW_FINE);
	assert_int_equal(set.rows.n, 3);
	for (int i = 3; i < 9; i++)
		assert_true(!(set.value[2][i] < set.value[2][i % 3]) && !(set.value[2][i] > set.value[2][i % 3]));
	row_set_finish(&set);
}

static void
base64_keeps_every_kind_of_float(void **state)
{
	double v[4];

	(void)state;
	/* the smallest half, -0, the largest half, and infinity: 01 00 00 80 ff 7b 00 7c */
	assert_int_equal(base64_count("AQAAgP97AHw=", 12, BASE64_F16), 4);
	assert_true(base64_decode("AQAAgP97AHw=", 12, BASE64_F16, v));
	assert_true(v[0] > 0.0 && v[0] < 6e-8 && v[2] > 65503.0 && v[2] < 65505.0 && v[3] > 1e300);
	assert_true(base64_count("AQAAgP97AH", 10, BASE64_F16) == SIZE_MAX);
	assert_true(base64_count("AQAAg", 5, BASE64_F16) == SIZE_MAX);
	assert_true(base64_count("", 0, BASE64_F32) == 0);
	assert_false(base64_decode("AQ?A", 4, BASE64_F16, v));
}

struct bad_row {
	const char *line, *sentence;
};

static void
a_bad_row_is_told_in_words(void **state)
{
	static const struct bad_row bad[] = {
		{ "{\"embedding\":[1,2,NaN]}", "NaN" },
		{ "{\"embedding\":[1,2]}", "holds 2 numbers, and 3 before" },
		{ "{\"embedding\":\"x\"}", "not an array" },
		{ "{\"embedding\":{\"b64f32\":\"AADAfwAAwH8AAMB/\"}}", "number 1 of the embedding is not finite" },
		{ "{\"embedding\":{\"b64f32\":\"!!!!\"}}", "not base64" },
		{ "{\"embedding\":[]}", "holds 0 numbers" },
		{ "[1]", "not a JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *const line[] = { "{\"embedding\":[1,2,3]}", bad[i].line, NULL };
		struct row_set set;
		struct diag d = { "" };

		assert_int_equal(read_lines(line, (struct score_wish){ .all = INPUT_EMBEDDING }, &set, &d),
		                 ROW_BAD);
		if (strstr(d.text, bad[i].sentence) == NULL)
			fail_msg("\"%s\" is not in: %s", bad[i].sentence, d.text);
		assert_int_equal(set.rows.n, 1);
		row_set_finish(&set);
	}
}

static void
probabilities_must_sum_to_one(void **state)
{
	static const char *const line[] = { "{\"probs\":[0.5,0.4999]}", "{\"probs\":[0.5,0.4]}", NULL };
	static const char *const negative[] = { "{\"prediction\":{\"probs\":[1.5,-0.5]}}", NULL };
	struct row_set set;
	struct diag d = { "" };

	(void)state;
	assert_int_equal(read_lines(line, (struct score_wish){ .shares = true }, &set, &d), ROW_BAD);
	assert_non_null(strstr(d.text, "sum to 0.9, not to 1"));
	assert_int_equal(set.rows.n, 1);
	row_set_finish(&set);
	assert_int_equal(read_lines(negative, (struct score_wish){ .shares = true }, &set, &d), ROW_BAD);
	row_set_finish(&set);
}

static void
features_of_an_object_keep_the_order_of_the_first_row(void **state)
{
	static const char *const line[] = { "{\"features\":{\"a.b\":1,\"color\":\"red\",\"c\":2}}",
		                            "{\"features\":{\"c\":20,\"d\":3,\"a.b\":10}}",
		                            "{\"features\":{\"c\":20,\"a.b\":null}}", NULL };
	struct row_set set;
	struct diag d = { "" };

	(void)state;
	assert_int_equal(read_lines(line, (struct score_wish){ .vector = true }, &set, &d), ROW_MISSING);
	assert_int_equal(set.rows.n, 2);
	assert_int_equal(set.rows.features, 2);
	assert_int_equal((int)set.value[3][2], 10);
	assert_int_equal((int)set.value[3][3], 20);
	row_set_finish(&set);
}

static void
labels_compare_as_text(void **state)
{
	static const char *const line[] = { "{\"logits\":[1],\"label\":5}", "{\"logits\":[1],\"label\":\"5\"}",
		                            "{\"logits\":[1],\"label\":\"cat\"}", "{\"logits\":[1]}", NULL };
	struct row_set set;
	struct diag d = { "" };

	(void)state;
	assert_int_equal(read_lines(line, (struct score_wish){ .all = INPUT_LOGITS }, &set, &d), ROW_FINE);
	assert_int_equal(set.label[0], 0);
	assert_int_equal(set.label[1], 0);
	assert_int_equal(set.label[2], 1);
	assert_true(set.label[3] == SCORE_NO_LABEL);
	row_set_finish(&set);
}

/* -- the filter ---------------------------------------------------------------------------------- */

struct shop {
	char directory[64], out[8192], err[8192];
};

static void
put(const struct shop *s, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", s->directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
get(const struct shop *s, const char *name, char out[8192])
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", s->directory, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(out, 1, 8191, f);
	out[n] = '\0';
	fclose(f);
}

/* driftd score ARGUMENTS < in; the exit status. */
static int
score(struct shop *s, const char *arguments, const char *in)
{
	const char *binary = getenv("DRIFTD");
	char command[1024];
	int status;

	assert_non_null(binary);
	put(s, "in", in);
	snprintf(command, sizeof command, "cd %s && '%s' score %s < in > out 2> err", s->directory, binary,
	         arguments);
	status = system(command);
	get(s, "out", s->out);
	get(s, "err", s->err);
	return status >= 0 ? status >> 8 & 255 : -1;
}

static void
open_shop(struct shop *s)
{
	snprintf(s->directory, sizeof s->directory, "/tmp/driftd-score-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
}

static void
close_shop(const struct shop *s)
{
	static const char *const name[] = { "in", "out", "err", "ref" };
	char path[128];

	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		snprintf(path, sizeof path, "%s/%s", s->directory, name[i]);
		unlink(path);
	}
	rmdir(s->directory);
}

static void
says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static const char ten_rows[] =
	"{\"embedding\":[1,2]}\n{\"embedding\":[2,1]}\n{\"embedding\":[1,1]}\n{\"embedding\":[3,1]}\n"
	"{\"embedding\":[1,4]}\n{\"embedding\":[2,3]}\n{\"embedding\":[2,2]}\n{\"embedding\":[0,1]}\n"
	"{\"embedding\":[5,1]}\n{\"embedding\":[2,5]}\n";

static void
every_line_has_a_line_and_bad_ones_are_told(void **state)
{
	struct shop s;

	(void)state;
	open_shop(&s);
	put(&s, "ref", ten_rows);
	assert_int_equal(score(&s, "mds --reference ref",
	                       "{\"id\":\"a,\\\"b\",\"embedding\":[1,1]}\n{\"id\":7,\"embedding\":[1,1,1]}\n"
	                       "nonsense\n\n{\"id\":\"c\"}\n{\"id\":\"z\",\"embedding\":[0,0]}\n"), 2);
	says(s.out, "id,score,p\n\"a,\"\"b\",");
	says(s.out, "\n7,,\n,,\n,,\nc,,\nz,");
	says(s.err, "ref: 10 rows, of which 5 rank the verdict: no p is below 0.167");
	says(s.err, "standard input:2: embedding holds 3 numbers, and 2 before");
	says(s.err, "standard input:3: not JSON");
	says(s.err, "2 lines without embedding have no score");
	says(s.err, "1 embeddings are all zero");
	assert_int_equal(score(&s, "mds --reference ref -p alpha=0.2", ""), 0);
	says(s.err, "5 rows rank the verdict. Nominal threshold for 20 %: score > ");
	says(s.err, "no threshold is safe for 20 % with so few rows: 14 are needed");
	close_shop(&s);
}

static void
a_reference_that_cannot_serve_is_refused_in_words(void **state)
{
	struct shop s;

	(void)state;
	open_shop(&s);
	put(&s, "ref", "{\"embedding\":[1,2]}\n");
	assert_int_equal(score(&s, "mds --reference ref", ""), 2);
	says(s.err, "1 usable rows: at least one must fit and one calibrate");
	assert_string_equal(s.out, "");
	put(&s, "ref", "{\"embedding\":[1,2]}\n{\"embedding\":[1,2]}\n{\"embedding\":[1,2]}\n{\"embedding\":[1,2]}\n");
	assert_int_equal(score(&s, "mds --reference ref", ""), 2);
	says(s.err, "while fitting mds: the covariance is singular");
	says(s.err, "2 of the 2 rows that calibrate are copies of rows that fit");
	assert_int_equal(score(&s, "mds", ""), 2);
	says(s.err, "--reference FILE is missing");
	assert_int_equal(score(&s, "vim --reference ref", ""), 2);
	says(s.err, "without logits");
	assert_int_equal(score(&s, "panel --reference ref -p scores=hst", ""), 2);
	says(s.err, "cannot be a member");
	assert_int_equal(score(&s, "mds --reference nowhere", ""), 66);
	assert_int_equal(score(&s, "mahalanobis --reference ref", ""), 2);
	says(s.err, "unknown score mahalanobis");
	close_shop(&s);
}

static void
without_a_reference_there_is_a_score_and_no_p(void **state)
{
	struct shop s;

	(void)state;
	open_shop(&s);
	assert_int_equal(score(&s, "msp", "{\"id\":1,\"probs\":[0.25,0.75]}\n"), 0);
	assert_string_equal(s.out, "id,score,p\n1,-0.75,\n");
	assert_int_equal(score(&s, "msp --strict", "{\"id\":1,\"probs\":[0.25,0.5]}\n{\"probs\":[0,1]}\n"), 2);
	assert_string_equal(s.out, "id,score,p\n1,,\n");
	close_shop(&s);
}

extern const struct CMUnitTest score_tests[];
const struct CMUnitTest score_tests[] = {
	TEST("score/an_embedding_is_an_array_or_base64", an_embedding_is_an_array_or_base64),
	TEST("score/base64_keeps_every_kind_of_float", base64_keeps_every_kind_of_float),
	TEST("score/a_bad_row_is_told_in_words", a_bad_row_is_told_in_words),
	TEST("score/probabilities_must_sum_to_one", probabilities_must_sum_to_one),
	TEST("score/features_of_an_object_keep_the_order_of_the_first_row",
	     features_of_an_object_keep_the_order_of_the_first_row),
	TEST("score/labels_compare_as_text", labels_compare_as_text),
	TEST("score/every_line_has_a_line_and_bad_ones_are_told", every_line_has_a_line_and_bad_ones_are_told),
	TEST("score/a_reference_that_cannot_serve_is_refused_in_words",
	     a_reference_that_cannot_serve_is_refused_in_words),
	TEST("score/without_a_reference_there_is_a_score_and_no_p",
	     without_a_reference_there_is_a_score_and_no_p),
	TESTS_END,
};
