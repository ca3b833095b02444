/* test_config.h -- the files of suite `config` share its table and a few helpers. */
#ifndef TESTS_TEST_CONFIG_H
#define TESTS_TEST_CONFIG_H

#include "tests/tests.h"

struct config;

/* The checked configuration of a text in file `f`; fails the test when it is refused. */
struct config *config_accept(const char *text);
/* All messages about a text that must be refused; freed by the caller. */
char *config_refusal(const char *text);
/* The messages begin with `expected`. */
void config_refuse(const char *text, const char *expected);
uint64_t config_hash(const char *text);

/* clang-format off */
#define CONFIG_OPTION_TESTS(X) \
	X(defaults_go_through_the_parser) \
	X(what_is_written_reads_back) \
	X(a_refused_value_changes_nothing_and_names_its_option) \
	X(numbers_may_begin_with_the_point) \
	X(messages_say_what_is_allowed) \
	X(the_nearest_name_is_at_most_two_edits_away) \
	X(a_context_keeps_the_sentence)
/* clang-format on */

/* clang-format off */
#define CONFIG_YAML_TESTS(X) \
	X(yaml_refuses_what_hides_meaning) \
	X(bad_bytes_are_found_where_they_stand) \
	X(a_nesting_bomb_is_cut_at_once) \
	X(sizes_are_bounded) \
	X(the_tree_remembers_positions)
/* clang-format on */

/* clang-format off */
#define CONFIG_KAFKA_TESTS(X) \
	X(forced_and_denied_properties_are_refused) \
	X(integers_that_librdkafka_would_truncate_are_refused) \
	X(secrets_are_expanded_but_never_written) \
	X(a_secret_stands_for_the_whole_value) \
	X(the_example_is_accepted)
/* clang-format on */

/* clang-format off */
#define CONFIG_SINK_TESTS(X) \
	X(every_sink_reaches_its_fields) \
	X(a_sink_that_cannot_work_is_refused) \
	X(secrets_of_sinks_come_from_elsewhere) \
	X(http_beyond_this_machine_needs_a_token)
/* clang-format on */

#define CONFIG_TEST_DECLARE(f) void f(void **state);
CONFIG_OPTION_TESTS(CONFIG_TEST_DECLARE)
CONFIG_YAML_TESTS(CONFIG_TEST_DECLARE)
CONFIG_KAFKA_TESTS(CONFIG_TEST_DECLARE)
CONFIG_SINK_TESTS(CONFIG_TEST_DECLARE)

#endif
