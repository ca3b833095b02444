/* print.c -- results of queries as text or JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "storage/print.h"
#include "storage/store_impl.h"

enum {
	CELL_POINTS = 44, /* code points of a cell: longer text is cut in tables */
	GAP = 2,          /* blanks between columns */
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, const char *argument, struct diag *d)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK ||
	    (argument && sqlite3_bind_text(q, 1, argument, -1, SQLITE_STATIC) != SQLITE_OK)) {
		store_sqlite_error(db, "read", d);
		sqlite3_finalize(q);
		return NULL;
	}
	return q;
}

static int finish(sqlite3 *db, sqlite3_stmt *q, int step, struct diag *d)
{
	int err = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : store_sqlite_error(db, "read", d);

	sqlite3_finalize(q);
	return err;
}

/* Control characters, of ASCII and C1, could drive a terminal. */
static void put_text(FILE *out, const char *text, size_t length, const char *newline)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n' && newline)
			fputs(newline, out);
		else if (c < 0x20 || c == 0x7f)
			fputc('?', out);
		else if (c == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0) {
			fputc('?', out);
			i++;
		} else
			fputc(c, out);
	}
}

static size_t points(const char *text, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

/* Bytes of the first `count` code points. */
static size_t cut(const char *text, size_t length, size_t count)
{
	size_t i = 0;

	for (size_t n = 0; i < length; i++)
		if ((text[i] & 0xc0) != 0x80 && n++ == count)
			break;
	return i;
}

/* One cell as text for people, in memory of its own; NULL when memory ran out. */
static char *cell_text(sqlite3_stmt *q, int column, size_t *length)
{
	char number[32];
	const char *text = number;
	char *copy;

	switch (sqlite3_column_type(q, column)) {
	case SQLITE_FLOAT:
		*length = (size_t)snprintf(number, sizeof number, "%.4g",
		                           sqlite3_column_double(q, column));
		break;
	case SQLITE_NULL:
		*length = 0;
		break;
	default:
		text = store_column_text(q, column);
		*length = (size_t)sqlite3_column_bytes(q, column);
	}
	copy = malloc(*length + 1);
	if (copy)
		memcpy(copy, text, *length);
	return copy;
}

struct table {
	int columns;
	size_t rows, size;
	struct cell {
		char *text;
		size_t length;
	} *cell;              /* [rows * columns] */
	size_t *width;        /* [columns] */
	bool *is_number;      /* [columns] */
};

static int add_row(struct table *t, sqlite3_stmt *q)
{
	if (t->rows == t->size) {
		size_t size = t->size ? 2 * t->size : 32;
		struct cell *grown = realloc(t->cell, size * (size_t)t->columns * sizeof *grown);

		if (!grown)
			return ERR_IO;
		t->cell = grown;
		t->size = size;
	}
	for (int c = 0; c < t->columns; c++) {
		struct cell *cell = &t->cell[t->rows * (size_t)t->columns + (size_t)c];
		size_t n;
		int type = sqlite3_column_type(q, c);

		cell->text = cell_text(q, c, &cell->length);
		if (!cell->text) {
			while (c-- > 0)
				free((--cell)->text);
			return ERR_IO;
		}
		n = points(cell->text, cell->length);
		n = n > CELL_POINTS ? CELL_POINTS : n;
		t->width[c] = t->width[c] > n ? t->width[c] : n;
		t->is_number[c] = t->is_number[c] && type != SQLITE_TEXT && type != SQLITE_BLOB;
	}
	t->rows++;
	return 0;
}

static void put_cell(FILE *out, const char *text, size_t length, size_t width, bool right, bool last)
{
	size_t n = points(text, length), pad;
	bool is_cut = n > CELL_POINTS;

	if (is_cut) {
		length = cut(text, length, CELL_POINTS - 1);
		n = CELL_POINTS;
	}
	pad = width > n ? width - n : 0;
	if (right)
		fprintf(out, "%*s", (int)pad, "");
	put_text(out, text, length, " ");
	if (is_cut)
		fputs("…", out);
	if (!last)
		fprintf(out, "%*s", (int)(right ? GAP : pad + GAP), "");
}

static void put_table(FILE *out, const struct table *t, sqlite3_stmt *q)
{
	for (int c = 0; c < t->columns; c++) {
		const char *name = sqlite3_column_name(q, c);

		put_cell(out, name, strlen(name), t->width[c], t->is_number[c], c == t->columns - 1);
	}
	fputc('\n', out);
	for (size_t r = 0; r < t->rows; r++) {
		for (int c = 0; c < t->columns; c++) {
			const struct cell *cell = &t->cell[r * (size_t)t->columns + (size_t)c];

			put_cell(out, cell->text, cell->length, t->width[c], t->is_number[c],
			         c == t->columns - 1);
		}
		fputc('\n', out);
	}
}

int print_table(sqlite3 *db, FILE *out, const char *sql, const char *argument, const char *none,
                struct diag *d)
{
	sqlite3_stmt *q = prepare(db, sql, argument, d);
	struct table t = { 0 };
	int step = SQLITE_DONE, err = 0, end;

	if (!q)
		return ERR_IO;
	t.columns = sqlite3_column_count(q);
	t.width = calloc((size_t)t.columns, sizeof *t.width);
	t.is_number = calloc((size_t)t.columns, sizeof *t.is_number);
	if (!t.width || !t.is_number)
		err = ERR_IO;
	for (int c = 0; !err && c < t.columns; c++) {
		t.width[c] = strlen(sqlite3_column_name(q, c));
		t.is_number[c] = true;
	}
	while (!err && (step = sqlite3_step(q)) == SQLITE_ROW)
		err = add_row(&t, q);
	if (err)
		diag_set(d, err, "out of memory");
	else if (t.rows)
		put_table(out, &t, q);
	else
		fprintf(out, "%s\n", none);
	for (size_t i = 0; i < t.rows * (size_t)t.columns; i++)
		free(t.cell[i].text);
	free(t.cell);
	free(t.width);
	free(t.is_number);
	end = finish(db, q, step, err ? NULL : d);
	return err ? err : end;
}

int print_record(sqlite3 *db, FILE *out, const char *sql, const char *argument, struct diag *d)
{
	sqlite3_stmt *q = prepare(db, sql, argument, d);
	int step;

	if (!q)
		return ERR_IO;
	while ((step = sqlite3_step(q)) == SQLITE_ROW)
		for (int c = 0; c < sqlite3_column_count(q); c++) {
			size_t length;
			char *text = cell_text(q, c, &length);

			if (text && length) {
				fprintf(out, "%-14s  ", sqlite3_column_name(q, c));
				put_text(out, text, length, "\n                ");
				fputc('\n', out);
			}
			free(text);
		}
	return finish(db, q, step, d);
}

void print_json_text(FILE *out, const char *text, size_t length)
{
	fputc('"', out);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c == 0x7f || c == '<')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void put_json_cell(FILE *out, sqlite3_stmt *q, int column)
{
	double x;

	switch (sqlite3_column_type(q, column)) {
	case SQLITE_NULL:
		fputs("null", out);
		break;
	case SQLITE_INTEGER:
		fprintf(out, "%lld", (long long)sqlite3_column_int64(q, column));
		break;
	case SQLITE_FLOAT:
		x = sqlite3_column_double(q, column);
		if (isfinite(x))
			fprintf(out, "%.17g", x);
		else
			fputs("null", out);
		break;
	default: {
		const char *text = store_column_text(q, column);

		print_json_text(out, text, (size_t)sqlite3_column_bytes(q, column));
	}
	}
}

int print_json(sqlite3 *db, FILE *out, const char *sql, const char *argument, bool single,
               struct diag *d)
{
	sqlite3_stmt *q = prepare(db, sql, argument, d);
	int step, rows = 0;

	if (!q)
		return ERR_IO;
	if (!single)
		fputc('[', out);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		if (rows++)
			fputc(',', out);
		for (int c = 0; c < sqlite3_column_count(q); c++) {
			const char *name = sqlite3_column_name(q, c);

			fputc(c ? ',' : '{', out);
			print_json_text(out, name, strlen(name));
			fputc(':', out);
			put_json_cell(out, q, c);
		}
		fputc('}', out);
		if (single)
			break;
	}
	if (!single)
		fputc(']', out);
	else if (!rows)
		fputs("null", out);
	return finish(db, q, step, d);
}

int print_columns(sqlite3 *db, FILE *out, const char *sql, const char *argument, struct diag *d)
{
	sqlite3_stmt *q = prepare(db, sql, argument, d);
	int step, rows = 0;

	if (!q)
		return ERR_IO;
	for (int c = 0; c < sqlite3_column_count(q); c++) {
		const char *name = sqlite3_column_name(q, c);

		fputs(c ? "," : "{\"columns\":[", out);
		print_json_text(out, name, strlen(name));
	}
	fputs("],\"rows\":[", out);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		fputs(rows++ ? ",[" : "[", out);
		for (int c = 0; c < sqlite3_column_count(q); c++) {
			if (c)
				fputc(',', out);
			put_json_cell(out, q, c);
		}
		fputc(']', out);
	}
	fputs("]}", out);
	return finish(db, q, step, d);
}
