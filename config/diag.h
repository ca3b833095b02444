/* diag.h -- what we tell a person when something is wrong. Leaf header: libc only. */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

/* Every fallible function returns 0 or one of these as int. */
enum err {
	ERR_NONE = 0,
	ERR_INVALID = -1, /* input or configuration is wrong; retrying cannot help */
	ERR_LIMIT = -2,   /* a documented limit was reached */
	ERR_BUSY = -3,    /* somebody else holds it; try again later */
	ERR_IO = -4,      /* disk, network or memory failed */
	ERR_CORRUPT = -5, /* stored bytes fail a check, or belong to another program */
	ERR_NEWER = -6,   /* stored bytes were written by a newer program */
	ERR_MISSING = -7, /* a file that must exist does not */
	ERR_FULL = -8,    /* the disk is full; try again later */
	ERR_RUNNING = -9, /* another instance has the database */
};

/* A sentence (or a few lines) for a person; set whenever a function returns an error. */
struct diag {
	char text[1024];
};

/* Writes the sentence and returns `err`, so that callers can `return diag_set(...)`.
 * `d` may be NULL (the sentence is then lost). */
int diag_set(struct diag *d, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "while ..." context in front of the sentence that is there. Returns `err`. */
int diag_context(struct diag *d, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
