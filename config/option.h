/* option.h -- one table row is parser, range check, default and documentation of one setting.
 * Used by the YAML configuration, by `-p name=value` of the filters and by `driftd explain`. */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

enum { OPTION_LIST_MAX = 32 };

/* A comma-separated list of numbers. */
struct option_list {
	uint32_t n;
	double value[OPTION_LIST_MAX];
};

enum option_type {
	OPTION_F64,      /* double */
	OPTION_U32,      /* uint32_t */
	OPTION_I64,      /* int64_t */
	OPTION_BOOL,     /* bool: true|false (filters also 1|0) */
	OPTION_DURATION, /* int64_t milliseconds: 500ms 30s 5m 2h 14d 1w */
	OPTION_BYTES,    /* int64_t: 64k 16M 2G */
	OPTION_ENUM,     /* int: index into `choices` */
	OPTION_LIST,     /* struct option_list */
	OPTION_AUTO_U32, /* uint32_t; the word `auto` gives OPTION_AUTO */
	OPTION_AUTO_F64, /* double; the word `auto` gives NaN */
	OPTION_TEXT,     /* char *, strdup()ed; freed by option_finish */
};
#define OPTION_AUTO UINT32_MAX

struct option {
	const char *name;            /* as the user writes it; NULL ends a table */
	enum option_type type;
	size_t offset;               /* into the options struct */
	const char *fallback;        /* default as a user would write it; NULL = must be given */
	double low, high;            /* inclusive range of numbers (list: of each element) */
	const char *const *choices;  /* OPTION_ENUM: NULL-terminated words */
	const char *help;            /* one sentence with the unit */
};

/* Adds 0, but compiles only when S.f has type T. */
#define OPTION_CHECK(S, f, T)                                                                      \
	(0 * sizeof(struct {                                                                       \
		 _Static_assert(_Generic(((S *)0)->f, T: 1, default: 0), #S "." #f " is not a " #T); \
		 int unused;                                                                       \
	 }))
#define OPTION_ROW(S, f, nm, ty, T, fb, lo, hi, ch, help)                                          \
	{ nm, ty, offsetof(S, f) + OPTION_CHECK(S, f, T), fb, lo, hi, ch, help }
#define OPT_F64(S, f, nm, fb, lo, hi, help)                                                        \
	OPTION_ROW(S, f, nm, OPTION_F64, double, fb, lo, hi, NULL, help)
#define OPT_U32(S, f, nm, fb, lo, hi, help)                                                        \
	OPTION_ROW(S, f, nm, OPTION_U32, uint32_t, fb, lo, hi, NULL, help)
#define OPT_I64(S, f, nm, fb, lo, hi, help)                                                        \
	OPTION_ROW(S, f, nm, OPTION_I64, int64_t, fb, lo, hi, NULL, help)
#define OPT_BOOL(S, f, nm, fb, help)                                                               \
	OPTION_ROW(S, f, nm, OPTION_BOOL, bool, fb, 0, 1, NULL, help)
#define OPT_DURATION(S, f, nm, fb, lo, hi, help)                                                   \
	OPTION_ROW(S, f, nm, OPTION_DURATION, int64_t, fb, lo, hi, NULL, help)
#define OPT_BYTES(S, f, nm, fb, lo, hi, help)                                                      \
	OPTION_ROW(S, f, nm, OPTION_BYTES, int64_t, fb, lo, hi, NULL, help)
#define OPT_ENUM(S, f, nm, fb, ch, help)                                                           \
	OPTION_ROW(S, f, nm, OPTION_ENUM, int, fb, 0, 0, ch, help)
#define OPT_LIST(S, f, nm, fb, lo, hi, help)                                                       \
	OPTION_ROW(S, f, nm, OPTION_LIST, struct option_list, fb, lo, hi, NULL, help)
#define OPT_AUTO_U32(S, f, nm, fb, lo, hi, help)                                                   \
	OPTION_ROW(S, f, nm, OPTION_AUTO_U32, uint32_t, fb, lo, hi, NULL, help)
#define OPT_AUTO_F64(S, f, nm, fb, lo, hi, help)                                                   \
	OPTION_ROW(S, f, nm, OPTION_AUTO_F64, double, fb, lo, hi, NULL, help)
#define OPT_TEXT(S, f, nm, fb, help)                                                               \
	OPTION_ROW(S, f, nm, OPTION_TEXT, char *, fb, 0, 0, NULL, help)
#define OPT_END { NULL, OPTION_F64, 0, NULL, 0, 0, NULL, NULL }

/* Sets every option of the table that has a default; the others are left as they are (zeroed). */
void option_defaults(const struct option *table, void *options);
/* The row called `name`, or NULL. */
const struct option *option_find(const struct option *table, const char *name);
/* Parses `text` into the row's field. ERR_INVALID with "name: sentence" when it is malformed or out
 * of range; the field is then unchanged. Numbers: decimal, '.' in any locale, no trailing bytes. */
int option_set(const struct option *row, void *options, const char *text, struct diag *d);
/* The nearest known name within edit distance 2, or NULL: "did you mean". */
const char *option_nearest(const struct option *table, const char *name);
/* Edit distance (insert, delete, replace, swap of neighbours), or 3 for anything above 2. */
unsigned option_distance(const char *a, const char *b);
/* The same as option_nearest among the NULL-terminated `words`. */
const char *option_nearest_word(const char *const *words, const char *name);
/* Type and range in words ("duration, 1s to 1d"), for documentation and messages. */
void option_describe(const struct option *row, char *out, size_t size);
/* Writes the field's value as a user would write it. */
void option_format(const struct option *row, const void *options, char *out, size_t size);
/* Frees OPTION_TEXT fields. */
void option_finish(const struct option *table, void *options);

#endif
