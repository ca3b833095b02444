/* pages.c -- see pages.h. Used by the thread of the server alone. */
#include "monitor/http/pages.h"

#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/page/page.h"
#include "storage/page.h"
#include "storage/store.h"

/* STEPS of SQLite's machine between two looks at the clock */
enum { STEPS = 20000, HASH_BYTES = 32, SCRIPTS_MAX = 8 };

struct pages {
	struct sqlite3 *db;
	char *document;
	size_t length;
	char policy[256 + SCRIPTS_MAX * 64];
	int64_t until_ms;          /* monotonic: when the present question is given up */
};

static int
out_of_time(void *context)
{
	const struct pages *p = context;

	return clock_monotonic_ms() > p->until_ms;
}

/* A script that runs is named by its hash, so that nothing that came with records could ever run. */
static bool
make_policy(struct pages *p)
{
	static const char begin[] = "<script>", end[] = "</script>";
	static const char fixed[] = "default-src 'none'; connect-src 'self'; img-src data:; "
	                            "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
	                            "frame-ancestors 'none'; script-src";
	size_t at = (size_t)snprintf(p->policy, sizeof p->policy, "%s", fixed);

	for (const char *script = p->document; (script = strstr(script, begin)); script++) {
		const char *text = script + sizeof begin - 1, *over = strstr(text, end);
		unsigned char hash[HASH_BYTES], base64[64];

		if (!over || at + 80 > sizeof p->policy ||
		    !EVP_Digest(text, (size_t)(over - text), hash, NULL, EVP_sha256(), NULL))
			return false;
		EVP_EncodeBlock(base64, hash, HASH_BYTES);
		at += (size_t)snprintf(p->policy + at, sizeof p->policy - at, " 'sha256-%s'", (const char *)base64);
	}
	return true;
}

int
pages_create(struct pages **out, const struct config *config, struct diag *d)
{
	struct pages *p = calloc(1, sizeof *p);
	FILE *f = p ? open_memstream(&p->document, &p->length) : NULL;
	bool fine = f != NULL;
	int err;

	*out = NULL;
	if (f) {
		page_write(f, NULL, NULL);
		fine = fclose(f) == 0 && make_policy(p);
	}
	err = fine ? store_open_reader(&p->db, config->database, d) : diag_set(d, ERR_IO, "out of memory");
	if (err) {
		pages_destroy(p);
		return err;
	}
	sqlite3_progress_handler(p->db, STEPS, out_of_time, p);
	*out = p;
	return 0;
}

void
pages_destroy(struct pages *p)
{
	if (!p)
		return;
	sqlite3_close(p->db);
	free(p->document);
	free(p);
}

const char *
pages_document(const struct pages *p, size_t *length)
{
	*length = p->length;
	return p->document;
}

const char *
pages_policy(const struct pages *p)
{
	return p->policy;
}

static int
put(struct pages *p, FILE *out, const char *kind, const char *id, struct diag *d)
{
	char *end;

	if (!strcmp(kind, "overview"))
		return page_overview(p->db, out, d);
	if (!id)
		return diag_set(d, ERR_MISSING, "which %.40s? ?id= is missing", kind);
	if (!strcmp(kind, "model"))
		return page_model(p->db, out, id, d);
	if (!strcmp(kind, "alert"))
		return page_alert(p->db, out, id, d);
	if (!strcmp(kind, "stream")) {
		long long number = strtoll(id, &end, 10);

		if (*id && !*end)
			return page_stream(p->db, out, number, d);
	}
	return diag_set(d, ERR_MISSING, "there is no %.40s %.80s", kind, id);
}

unsigned
pages_data(struct pages *p, const char *kind, const char *id, char **text, size_t *length)
{
	struct diag d = { "" };
	FILE *out = open_memstream(text, length);
	int err;

	if (!out) {
		*text = NULL;
		return 503;
	}
	p->until_ms = clock_monotonic_ms() + PAGES_MS;
	sqlite3_exec(p->db, "BEGIN", NULL, NULL, NULL); /* one snapshot */
	err = put(p, out, kind, id, &d);
	p->until_ms = INT64_MAX;
	sqlite3_exec(p->db, "ROLLBACK", NULL, NULL, NULL);
	if (err) {
		rewind(out); /* the sentence instead of half an answer */
		fprintf(out, "%s\n", d.text);
		fflush(out);
		*length = strlen(d.text) + 1;
	}
	fclose(out);
	if (err)
		*length = strlen(d.text) + 1;
	return !err ? 200 : err == ERR_MISSING ? 404 : 503;
}
