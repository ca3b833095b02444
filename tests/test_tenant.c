/* test_tenant.c -- whose database it is. */
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/pipeline.h"
#include "storage/store.h"
#include "tests/history.h"
#include "tests/tests.h"

#define BASE "kafka: {brokers: embedded}\nmodels: auto\n"

/* Creates a pipeline over the history's database under this configuration; 0 or the error. */
static int
open_as(struct history *w, const char *configuration, enum store_mode mode, struct diag *d)
{
	struct pipeline *p = NULL;
	struct store *s;
	int err;

	history_configure(w, configuration);
	assert_int_equal(store_open(&s, w->database, mode, NULL, d), 0);
	err = pipeline_create(&p, w->config, s, d);
	if (!err)
		pipeline_destroy(p);
	store_close(s);
	return err;
}

static void
a_database_belongs_to_its_first_tenant(void **state)
{
	struct history w;
	struct diag d = { "" };
	(void)state;

	history_open(&w, BASE);
	assert_int_equal(open_as(&w, "tenant: a\n" BASE, STORE_CREATE, &d), 0);
	assert_int_equal(open_as(&w, "tenant: a\n" BASE, STORE_APPEND, &d), 0);
	assert_int_equal(open_as(&w, "tenant: b\n" BASE, STORE_APPEND, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "belongs to tenant a, not to b"));
	assert_int_equal(open_as(&w, BASE, STORE_APPEND, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "the configuration names none"));
	history_close(&w);
}

static void
what_was_read_for_nobody_is_given_to_nobody(void **state)
{
	struct history w;
	struct diag d = { "" };
	(void)state;

	history_open(&w, BASE);
	fprintf(w.records, "{\"id\":\"1\",\"ts\":5,\"model\":\"m\",\"features\":{\"x\":1}}\n");
	history_written(&w);
	history_replay(&w, BASE);
	assert_int_equal(open_as(&w, BASE, STORE_APPEND, &d), 0);
	assert_int_equal(open_as(&w, "tenant: a\n" BASE, STORE_APPEND, &d), ERR_INVALID);
	history_close(&w);
}

static void
a_tenant_needs_a_token(void **state)
{
	static const char with[] = "tenant: a\nhttp: {listen: \"127.0.0.1:0\"}\n" BASE;
	static const char wrong[] = "tenant: \"a b\"\n" BASE;
	struct config *c;
	struct diag d = { "" };
	(void)state;

	assert_int_equal(config_parse(&c, with, strlen(with), "test", NULL, &d), ERR_INVALID);
	assert_non_null(strstr(d.text, "`token_file` is needed"));
	assert_int_equal(config_parse(&c, wrong, strlen(wrong), "test", NULL, &d), ERR_INVALID);
}

const struct CMUnitTest tenant_tests[] = {
	TEST("tenant/a_database_belongs_to_its_first_tenant", a_database_belongs_to_its_first_tenant),
	TEST("tenant/what_was_read_for_nobody_is_given_to_nobody", what_was_read_for_nobody_is_given_to_nobody),
	TEST("tenant/a_tenant_needs_a_token", a_tenant_needs_a_token),
	TESTS_END,
};
