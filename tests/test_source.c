/* test_source.c -- files as partitions. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "config/limits.h"
#include "monitor/source/source.h"
#include "tests/fixture.h"
#include "tests/test_source_kafka.h"

static char folder[64];

static void
clean(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r '%s'", folder);
	if (system(command))
		perror(folder);
}

static char *
path_of(const char *name)
{
	static char path[4][128];
	static int turn;

	if (!folder[0]) {
		snprintf(folder, sizeof folder, "/tmp/driftd-source-XXXXXX");
		assert_non_null(mkdtemp(folder));
		atexit(clean);
	}
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static char *
write_file(const char *name, const void *bytes, size_t length, const char *mode)
{
	char *path = path_of(name);
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, length, f), length);
	assert_int_equal(fclose(f), 0);
	return path;
}

static char *
write_gzip(const char *name, const char *text, const char *mode)
{
	char *path = path_of(name);
	gzFile f = gzopen(path, mode);

	assert_non_null(f);
	assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), strlen(text));
	assert_int_equal(gzclose(f), Z_OK);
	return path;
}

/* Everything a source gives, as "offset:value;" of short values, with its hash for long runs. */
struct got {
	char text[512];
	uint64_t messages, hash, last_hash;
	size_t longest;
	int64_t last;
};

static struct got
read_all(struct source *s, uint32_t partition, uint64_t most)
{
	struct got g = { .last = -1 };
	struct message m[100];
	enum partition_state state = PARTITION_PENDING;
	size_t used = 0;

	while (state == PARTITION_PENDING && (!most || g.messages < most)) {
		const size_t room = most && most - g.messages < 100 ? most - g.messages : 100;
		const size_t n = s->vtable->take(s, partition, m, room, &state);
		for (size_t i = 0; i < n; i++) {
			if (m[i].value_length < 100 && used < sizeof g.text - 128)
				used += (size_t)snprintf(g.text + used, sizeof g.text - used, "%" PRId64 ":%.*s;",
				                         m[i].offset, (int)m[i].value_length,
				                         (const char *)m[i].value);
			if (m[i].value_length > g.longest)
				g.longest = m[i].value_length;
			g.last_hash = message_hash(&m[i]);
			g.hash = XXH64(&g.last_hash, 8, g.hash);
			g.messages++;
			g.last = m[i].offset;
		}
		if (!n)
			s->vtable->wait(s, 10, -1);
	}
	return g;
}

static struct source *
open_files(struct fixture *f, char *const *path, size_t n, const struct resume *resume)
{
	struct source *s;
	struct diag d = { "" };

	fixture_open(f, NULL);
	if (source_file_open(&s, path, n, f->decoder, resume, resume ? 1 : 0, &d))
		fail_msg("%s", d.text);
	return s;
}

static void
check_file(char *path, const char *expected)
{
	struct fixture f;
	struct source *s = open_files(&f, &path, 1, NULL);
	struct source_event e;
	const struct got g = read_all(s, 0, 0);

	assert_string_equal(g.text, expected);
	assert_false(s->vtable->event(s, &e));
	s->vtable->close(s);
	fixture_close(&f);
}

static void
lines(void **state)
{
	(void)state;
#define WRITE(text) write_file("lines.jsonl", text, sizeof text - 1, "w")
	check_file(WRITE("a\nb\nc\n"), "0:a;1:b;2:c;");
	check_file(WRITE("a\r\nb\r\n\r\nc"), "0:a;1:b;3:c;");
	check_file(WRITE("\n\na\n\n"), "2:a;");
	check_file(WRITE(""), "");
	check_file(WRITE("\n"), "");
	check_file(WRITE("\r"), "");
	check_file(WRITE("a"), "0:a;");
	check_file(WRITE("a\rb\n\xef\xbb\xbfz"), "0:a\rb;1:\xef\xbb\xbfz;");
}

static void
gzip_members(void **state)
{
	char *path = write_gzip("m.jsonl.gz", "a\nb", "w");

	(void)state;
	check_file(path, "0:a;1:b;");
	write_gzip("m.jsonl.gz", "b\nc\n", "a");
	write_gzip("m.jsonl.gz", "", "a");
	check_file(path, "0:a;1:bb;2:c;");
	check_file(write_file("one", "\x1f", 1, "w"), "0:\x1f;");
}

static void
a_cut_gzip(void **state)
{
	struct fixture f;
	struct source_event e;
	static char text[40000];
	uint64_t seed = 5;
	struct stat st;
	char *path;

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = i % 20 == 19 ? '\n' : (char)('a' + fixture_random(&seed) % 26);
	path = write_gzip("cut.jsonl.gz", text, "w");
	assert_int_equal(stat(path, &st), 0);
	for (int damage = 0; damage < 2; damage++) {
		if (damage) { /* a byte in the middle */
			path = write_gzip("cut.jsonl.gz", text, "w");
			FILE *file = fopen(path, "r+");
			assert_non_null(file);
			assert_int_equal(fseek(file, st.st_size - 6, SEEK_SET), 0);
			assert_int_equal(fputc('#', file), '#');
			assert_int_equal(fclose(file), 0);
		} else {
			assert_int_equal(truncate(path, st.st_size / 2), 0);
		}
		struct source *s = open_files(&f, &path, 1, NULL);
		const struct got g = read_all(s, 0, 0);
		assert_in_range(g.messages, 500, 2000);
		assert_int_equal(g.longest, 19); /* the unfinished line is not given */
		assert_true(s->vtable->event(s, &e));
		assert_int_equal(e.kind, SOURCE_ERROR);
		assert_false(s->vtable->event(s, &e));
		assert_int_equal(s->vtable->end_offset(s, 0), g.messages);
		s->vtable->close(s);
		fixture_close(&f);
	}
}

static void
lines_of_any_length(void **state)
{
	static const size_t size[] = {
		100, LIMIT_RECORD_BYTES - 1, LIMIT_RECORD_BYTES, LIMIT_RECORD_BYTES + 1,
		LIMIT_RECORD_BYTES + 2, 3 * LIMIT_RECORD_BYTES + 12345,
	};
	char *text = malloc(4 * LIMIT_RECORD_BYTES);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
		for (int crlf = 0; crlf < 2; crlf++) {
			struct fixture f;
			struct message m[4];
			enum partition_state end;
			size_t n = size[i];
			const size_t expected = n > LIMIT_RECORD_BYTES ? LIMIT_RECORD_BYTES + 1 : n;
			memset(text, 'x', n);
			memcpy(text + n, crlf ? "\r\ntail" : "\ntail", crlf ? 6 : 5);
			n += crlf ? 6 : 5;
			char *path = write_file("long.jsonl", text, n, "w");
			struct source *s = open_files(&f, &path, 1, NULL);
			assert_int_equal(s->vtable->take(s, 0, m, 1, &end), 1);
			assert_int_equal(m[0].value_length, expected);
			assert_int_equal(m[0].value[expected - 1], 'x');
			assert_int_equal(s->vtable->take(s, 0, m, 4, &end), 1);
			assert_int_equal(m[0].offset, 1);
			assert_memory_equal(m[0].value, "tail", 4);
			s->vtable->close(s);
			fixture_close(&f);
		}
	free(text);
}

static void
names(void **state)
{
	struct fixture f;
	char *path[4];
	int32_t number;

	(void)state;
	mkdir(path_of("x"), 0700);
	mkdir(path_of("y"), 0700);
	path[0] = write_file("x/a.jsonl", "1\n", 2, "w");
	path[1] = write_file("y/a.jsonl", "2\n", 2, "w");
	path[2] = write_file("b.jsonl", "3\n", 2, "w");
	struct source *s = open_files(&f, path, 3, NULL);
	assert_int_equal(s->vtable->partitions(s), 3);
	assert_string_equal(s->vtable->topic(s, 0, &number), "a.jsonl");
	assert_string_equal(s->vtable->topic(s, 1, &number), "y/a.jsonl");
	assert_string_equal(s->vtable->topic(s, 2, &number), "b.jsonl");
	s->vtable->close(s);
	path[2] = path[1];
	assert_int_equal(source_file_open(&s, path, 3, f.decoder, NULL, 0, NULL), 0); /* by whole path */
	s->vtable->close(s);
	path[3] = path[1];
	assert_int_equal(source_file_open(&s, path, 4, f.decoder, NULL, 0, NULL), ERR_INVALID);
	path[0] = path_of("missing.jsonl");
	assert_int_equal(source_file_open(&s, path, 1, f.decoder, NULL, 0, NULL), ERR_MISSING);
	path[0] = folder;
	assert_int_equal(source_file_open(&s, path, 1, f.decoder, NULL, 0, NULL), ERR_IO);
	fixture_close(&f);
}

static void
a_file_resumes(void **state)
{
	struct fixture f;
	struct source_event e;
	char *path[2] = { write_file("r.jsonl", "a\nb\n\nc\n", 7, "w"), NULL };

	(void)state;
	path[1] = write_gzip("r.jsonl.gz", "a\nb\n\nc\n", "w");
	for (int i = 0; i < 2; i++) {
		struct source *s = open_files(&f, &path[i], 1, NULL);
		const struct got g = read_all(s, 0, 3);
		struct resume r = {
			.topic = i ? "r.jsonl.gz" : "r.jsonl", .next_offset = g.last + 1,
			.anchor_offset = g.last, .anchor_hash = g.last_hash, .epoch = 2,
		};
		s->vtable->close(s);
		fixture_close(&f);
		if (i)
			write_gzip("r.jsonl.gz", "d\n", "a");
		else
			write_file("r.jsonl", "d\n", 2, "a");
		s = open_files(&f, &path[i], 1, &r);
		assert_int_equal(s->vtable->position(s, 0), 4);
		assert_string_equal(read_all(s, 0, 0).text, "4:d;");
		assert_false(s->vtable->event(s, &e));
		assert_int_equal(s->vtable->epoch(s, 0), 2);
		s->vtable->close(s);
		fixture_close(&f);

		/* Another file of that name: told, and read from its first line. */
		for (int shorter = 0; shorter < 2; shorter++) {
			const char *text = shorter ? "a\n" : "a\nb\n\nX\nd\ne\n";
			if (i)
				write_gzip("r.jsonl.gz", text, "w");
			else
				write_file("r.jsonl", text, strlen(text), "w");
			s = open_files(&f, &path[i], 1, &r);
			assert_string_equal(read_all(s, 0, 0).text, shorter ? "0:a;" : "0:a;1:b;3:X;4:d;5:e;");
			assert_true(s->vtable->event(s, &e));
			assert_int_equal(e.kind, SOURCE_GAP);
			assert_string_equal(e.reason, "recreated");
			assert_int_equal(e.from, 4);
			assert_int_equal(e.to, 0);
			assert_int_equal(s->vtable->epoch(s, 0), 3);
			s->vtable->close(s);
			fixture_close(&f);
		}
	}
}

/* Runs `body` with standard input from a pipe. */
static void
standard_input(void **state)
{
	struct fixture f;
	struct message m[4];
	enum partition_state end;
	char *path = (char[]){ "-" };
	const struct resume r = { .topic = "-", .next_offset = 10, .anchor_offset = 9 };
	int fd[2];

	(void)state;
	for (int resumed = 0; resumed < 2; resumed++) {
		const int saved = dup(0);
		assert_int_equal(pipe(fd), 0);
		assert_int_equal(dup2(fd[0], 0), 0);
		struct source *s = open_files(&f, &path, 1, resumed ? &r : NULL);
		assert_int_equal(s->vtable->take(s, 0, m, 4, &end), 0);
		assert_int_equal(end, PARTITION_PENDING); /* nothing yet is no end, and does not block */
		assert_int_equal(write(fd[1], "a\nb", 3), 3);
		s->vtable->wait(s, 1000, -1);
		assert_int_equal(s->vtable->take(s, 0, m, 4, &end), 1);
		assert_int_equal(m[0].offset, resumed ? 10 : 0);
		assert_int_equal(s->vtable->take(s, 0, m, 4, &end), 0);
		assert_int_equal(end, PARTITION_PENDING);
		close(fd[1]);
		assert_int_equal(s->vtable->take(s, 0, m, 4, &end), 1);
		assert_int_equal(end, PARTITION_END);
		assert_int_equal(m[0].offset, resumed ? 11 : 1);
		s->vtable->close(s);
		fixture_close(&f);
		dup2(saved, 0);
		close(saved);
		close(fd[0]);
	}
}

static void
the_hash_tells_key_from_value(void **state)
{
	const struct message a = { .key = (const uint8_t *)"k", .key_length = 1,
		                   .value = (const uint8_t *)"v", .value_length = 1 };
	const struct message b = { .value = (const uint8_t *)"kv", .value_length = 2 };
	const struct message none = { .value = NULL };

	(void)state;
	assert_int_equal(message_hash(&a), XXH3_64bits_withSeed("v", 1, XXH3_64bits("k", 1)));
	assert_int_not_equal(message_hash(&a), message_hash(&b));
	assert_int_equal(message_hash(&none), XXH3_64bits("", 0));
}

const struct CMUnitTest source_tests[] = {
	TEST("source/lines_end_with_lf_crlf_or_the_file", lines),
	TEST("source/gzip_members_are_one_file", gzip_members),
	TEST("source/a_cut_gzip_is_reported", a_cut_gzip),
	TEST("source/a_line_of_any_length_costs_bounded_memory", lines_of_any_length),
	TEST("source/files_of_one_name_stay_apart", names),
	TEST("source/a_file_resumes_at_the_next_line", a_file_resumes),
	TEST("source/standard_input_never_blocks", standard_input),
	TEST("source/the_hash_tells_key_from_value", the_hash_tells_key_from_value),
	TEST("source/kafka_resumes_at_exactly_the_next_message", kafka_resumes_exactly),
	TEST("source/kafka_expired_messages_are_a_gap_not_a_jump", kafka_gap_is_reported),
	TEST("source/kafka_another_anchor_is_another_topic", kafka_other_anchor_is_reported),
	TEST("source/kafka_a_shorter_log_is_reported", kafka_truncation_is_reported),
	TEST("source/kafka_errors_are_survived", kafka_errors_are_survived),
	TEST("source/kafka_tombstones_are_messages", kafka_tombstones_and_keys),
	TEST("source/kafka_topics_are_waited_for", kafka_topics_are_waited_for),
	TEST("source/kafka_embedded_has_its_topics", kafka_embedded_has_its_topics),
	TEST("source/kafka_partitions_a_day_apart_are_one_sequence", kafka_merge_is_one_sequence),
	TEST("source/kafka_a_broker_may_go_and_come_back", kafka_broker_that_is_away),
	TEST("source/kafka_properties_are_checked", kafka_properties_are_checked),
	TESTS_END,
};
