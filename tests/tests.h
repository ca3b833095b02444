/* tests.h -- one binary, one cmocka group, one closing line. A suite is a NULL-name-terminated table
 * `const struct CMUnitTest NAME_tests[]` in tests/test_NAME.c and one line in main.c. Test names say the
 * promise: "store/a_torn_commit_is_invisible". */
#ifndef TESTS_TESTS_H
#define TESTS_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST(name, function) { name, function, NULL, NULL, NULL }
#define TESTS_END { NULL, NULL, NULL, NULL, NULL }

#endif
