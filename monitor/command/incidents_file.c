/* incidents_file.c -- see incidents_file.h. */
#include "monitor/command/incidents_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "config/option.h"
#include "monitor/decode/instant.h"
#include "monitor/decode/number.h"
#include "storage/store.h"

enum { LINE_BYTES = 1024, CELLS = 4 };

static bool
instant(const char *text, int64_t *ms)
{
	struct number n;
	const char *end = number_scan(text, &n);

	if (end && !*end)
		return instant_number(&n, 0, ms) == INSTANT_FINE;
	return instant_text(text, strlen(text), ms) == INSTANT_FINE;
}

static int
read_line(char *line, const char *path, unsigned number, struct incident *out, struct diag *d)
{
	char *cell[CELLS] = { line, NULL, NULL, NULL };
	size_t cells = 1;

	line[strcspn(line, "\r\n")] = 0;
	for (char *p = line; *p; p++)
		if (*p == ',' && cells < CELLS) {
			*p = 0;
			cell[cells++] = p + 1;
		}
	memset(out, 0, sizeof *out);
	if (cells < 2 || !instant(cell[0], &out->start_ms) || !instant(cell[1], &out->end_ms))
		return diag_set(d, ERR_INVALID, "%s:%u: expected start,end[,model[,name]] with times as epoch milliseconds "
		                "or RFC 3339", path, number);
	if (out->end_ms <= out->start_ms)
		return diag_set(d, ERR_INVALID, "%s:%u: its end is not after its start", path, number);
	snprintf(out->model, sizeof out->model, "%s", cells > 2 ? cell[2] : "");
	if (cells > 3 && *cell[3])
		snprintf(out->name, sizeof out->name, "%s", cell[3]);
	else
		snprintf(out->name, sizeof out->name, "%u", number);
	return 0;
}

int
incidents_read(const char *path, struct incident **incident, size_t *n, struct diag *d)
{
	FILE *f = fopen(path, "re");
	char line[LINE_BYTES];
	unsigned number = 0;
	int err = 0;

	*n = 0;
	*incident = NULL;
	if (!f)
		return diag_set(d, errno == ENOENT ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(errno));
	*incident = calloc(INCIDENTS_MAX, sizeof **incident);
	if (!*incident)
		err = diag_set(d, ERR_IO, "out of memory");
	while (!err && fgets(line, sizeof line, f)) {
		number++;
		if (line[strspn(line, " \t\r\n")] == 0 || (number == 1 && !strncmp(line, "start", 5)))
			continue;
		if (*n == INCIDENTS_MAX)
			err = diag_set(d, ERR_LIMIT, "%s: more than %d incidents", path, INCIDENTS_MAX);
		else if (!(err = read_line(line, path, number, &(*incident)[*n], d)))
			++*n;
	}
	if (!err && !*n)
		err = diag_set(d, ERR_INVALID, "%s: no incident in it", path);
	fclose(f);
	return err;
}

int
naive_rules_read(const char *text, struct naive_rule rule[NAIVE_RULES_MAX], size_t *n, struct diag *d)
{
	static const struct option option[] = {
		{ "psi", OPTION_F64, offsetof(struct naive_rule, threshold), NULL, 1e-6, 100, NULL, "" },
		{ "ks", OPTION_F64, offsetof(struct naive_rule, threshold), NULL, 1e-12, 1, NULL, "" },
		OPT_END,
	};
	char one[64];

	for (*n = 0; *text;) {
		size_t length = strcspn(text, ",");
		const struct option *row = NULL;
		char *equals;

		snprintf(one, sizeof one, "%.*s", (int)(length < sizeof one ? length : 0), text);
		equals = strchr(one, '=');
		if (equals) {
			*equals = 0;
			row = option_find(option, one);
		}
		if (!row || *n == NAIVE_RULES_MAX)
			return diag_set(d, ERR_INVALID, "--compare: expected rules like psi=.2,ks=.05");
		rule[*n].rule = row == option ? NAIVE_PSI : NAIVE_KS;
		if (option_set(row, &rule[*n], equals + 1, d))
			return ERR_INVALID;
		snprintf(rule[*n].name, sizeof rule[*n].name, "%s=%g", row->name, rule[*n].threshold);
		++*n;
		text += length + (text[length] == ',');
	}
	return 0;
}

int
incidents_print(const char *path, const struct incident *incident, size_t n, const struct naive_rule *rule,
                size_t rules, bool json, struct diag *d)
{
	struct sqlite3 *db = NULL;
	int err = store_open_reader(&db, path, d);

	if (!json)
		putchar('\n');
	if (!err)
		err = incidents_report(db, stdout, incident, n, rule, rules, json, d);
	sqlite3_close(db);
	return err;
}
