/* pipeline_tenant.c -- `tenant:` of the configuration and of the database agree, or nothing is read. */
#include <string.h>

#include "config/diag.h"
#include "monitor/pipeline_inside.h"
#include "storage/store.h"

static int
seen(void *ctx, uint32_t model_id, const char *name, size_t length)
{
	(void)model_id;
	(void)name;
	(void)length;
	*(bool *)ctx = true;
	return 0;
}

static int
adopt(struct pipeline *p, struct diag *d)
{
	int err = store_begin(p->store, d);

	if (!err)
		(void)store_put_meta(p->store, "tenant", p->config->tenant); /* the commit tells */
	return err ? err : store_commit(p->store, d);
}

int
pipeline_tenant(struct pipeline *p, struct diag *d)
{
	char of[LIMIT_TENANT_BYTES + 1] = "";
	const char *mine = p->config->tenant ? p->config->tenant : "";
	bool used = false;
	int err = store_get_meta(p->store, "tenant", of, sizeof of);

	if (err && err != ERR_MISSING)
		return err;
	if (!strcmp(of, mine))
		return 0;
	err = store_each_model(p->store, seen, &used);
	if (!err && !of[0] && !used)
		return adopt(p, d);
	if (err)
		return err;
	if (!of[0])
		return diag_set(d, ERR_INVALID, "the database holds records of no tenant: `tenant: %s` needs one of "
		                "its own (`database:`)", mine);
	return diag_set(d, ERR_INVALID, "the database belongs to tenant %s%s%s: `database:` must name another one",
	                of, mine[0] ? ", not to " : ", and the configuration names none", mine);
}
