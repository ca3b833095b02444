/* cmd_report.c -- `driftd report DB`: the page as one file that needs nothing else. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/command/cli.h"
#include "monitor/command/commands.h"
#include "monitor/command/progress.h"
#include "monitor/page/page.h"
#include "storage/page.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd report DB [-o FILE.html]\n"
	"\n"
	"Writes one self-contained page: models, coverage and its limits over time, how much of its\n"
	"threshold each stream has used, distributions against the reference, alerts and their evidence.\n"
	"A snapshot, read beside a running daemon or without one. Open it with any browser; it asks\n"
	"nothing of any server.\n"
	"\n"
	"  -o, --output FILE  where to write it (default: DB with .html for its ending; - is standard\n"
	"                     output); a file that is there is replaced\n"
	"      --quiet        no progress bar\n"
	"\n"
	"Exit status: 0; 65 not a database of ours, 66 there is none, 74 it cannot be read or the page\n"
	"cannot be written, 78 it is newer.\n";

struct writing {
	struct sqlite3 *db;
	struct progress *progress;
	struct diag d;
};

static void
told(void *context, unsigned done, unsigned all)
{
	progress_tell(context, done, all, 0);
}

static int
data(void *context, FILE *out)
{
	struct writing *w = context;

	return page_everything(w->db, out, told, w->progress, &w->d);
}

/* "a/b.db" -> "a/b.html"; another ending stays and gets ".html" after it. NULL: no memory. */
static char *
default_output(const char *database)
{
	size_t length = strlen(database);
	char *name = malloc(length + sizeof ".html");

	if (!name)
		return NULL;
	if (length > 3 && !strcmp(database + length - 3, ".db"))
		length -= 3;
	memcpy(name, database, length);
	memcpy(name + length, ".html", sizeof ".html");
	return name;
}

/* Written beside its place and then put there, so that nobody sees half a page. */
static int
write_page(struct writing *w, const char *output)
{
	size_t length = strlen(output);
	char *temporary = malloc(length + sizeof ".new");
	FILE *out;
	int err = 0;

	if (!temporary)
		return diag_set(&w->d, ERR_IO, "out of memory");
	memcpy(temporary, output, length);
	memcpy(temporary + length, ".new", sizeof ".new");
	out = fopen(temporary, "w");
	if (!out) {
		err = diag_set(&w->d, ERR_IO, "cannot write %s: %s", temporary, strerror(errno));
		free(temporary);
		return err;
	}
	err = page_write(out, data, w);
	if ((ferror(out) | fclose(out)) && !err)
		err = diag_set(&w->d, ERR_IO, "cannot write %s: %s", temporary, strerror(errno));
	if (!err && rename(temporary, output))
		err = diag_set(&w->d, ERR_IO, "cannot write %s: %s", output, strerror(errno));
	if (err)
		remove(temporary);
	free(temporary);
	return err;
}

int
cmd_report(int argc, char **argv)
{
	const char *output = NULL;
	bool quiet = false;
	const struct cli_option options[] = {
		{ "--output", NULL, &output },
		{ "-o", NULL, &output },
		{ "--quiet", &quiet, NULL },
		{ NULL, NULL, NULL },
	};
	struct progress bar;
	struct writing w = { .progress = &bar };
	struct cli c;
	char *named = NULL;
	int err, status = cli_parse(&c, argc, argv, options, 1, 1, help);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	if ((err = store_open_reader(&w.db, c.word[0], &w.d)))
		return cli_fail(&c, exit_status(err), "%s", w.d.text);
	if (!output)
		output = named = default_output(c.word[0]);
	sqlite3_exec(w.db, "BEGIN", NULL, NULL, NULL); /* one snapshot for all that is read */
	progress_begin(&bar, "report", quiet);
	if (!output)
		err = diag_set(&w.d, ERR_IO, "out of memory");
	else if (!strcmp(output, "-"))
		err = page_write(stdout, data, &w);
	else
		err = write_page(&w, output);
	progress_end(&bar);
	sqlite3_close(w.db);
	if (err)
		status = cli_fail(&c, exit_status(err), "%s", w.d.text);
	else if (strcmp(output, "-"))
		printf("%s\n", output);
	free(named);
	return err ? status : cli_finish(&c, EXIT_FINE);
}
