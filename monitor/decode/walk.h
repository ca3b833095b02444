/* walk.h -- one pass over the tokens of a record, filling the cells of a struct record.
 *
 * walk.c goes through objects, value.c reads the values of fields, finish.c turns what was found
 * into a complete record. A refusal ends a walk; its reason and detail are in the record then.
 */
#ifndef MONITOR_DECODE_WALK_H
#define MONITOR_DECODE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/decode/decode.h"
#include "monitor/decode/forms.h"
#include "monitor/decode/layout.h"
#include "monitor/decode/record.h"

struct model_config;

struct model {
	char *name;
	uint32_t length;
	const struct model_config *config; /* its own, or the defaults */
	int ts_power;          /* a ts in its unit times 10^ts_power is milliseconds */
	struct layout layout;
};

enum walk_result {
	WALK_DONE,
	WALK_OTHER_MODEL, /* the record names another model: walk->name */
	WALK_REFUSED,
};

struct walk {
	const char *text;         /* the message in the padded buffer */
	uint32_t length;
	const struct message *message;
	const uint32_t *token;    /* the next one */
	struct record *out;
	struct model *model;
	struct forms *forms;      /* the decoder's */
	bool (*object)(struct walk *, uint32_t); /* the inner loop for this machine */
	uint32_t generation;      /* stamps entries met in this walk */
	uint32_t depth;
	bool used;                /* `out` holds what an earlier walk has left */
	bool only_model;          /* look for the model's name, skip everything else */
	bool confirmed;           /* the model is known to be right, whatever the record says */
	bool named;               /* the record names a model ... */
	struct text name;         /* ... in out->text */
	bool bare_value;          /* prediction is a plain number: a class beside probs or a set */
	uint8_t rank[FIELD_COUNT]; /* 1 + rank of the alias that was read; 0 = none */
	const uint32_t *ts, *classes; /* tokens of values that are read at the end */
	bool id_wrong, prediction_wrong;
};

/* Walks the whole record from its first token. */
enum walk_result walk_record(struct walk *w, const uint32_t *first, uint32_t tokens);

/* Refuses the record; returns false. `at` is a byte position, or UINT32_MAX for none. */
bool walk_refuse(struct walk *w, enum reject reason, uint32_t at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool walk_syntax(struct walk *w, const uint32_t *token, const char *wanted);
bool walk_too_deep(struct walk *w, uint32_t at);
bool walk_duplicate(struct walk *w, const struct entry *e, uint32_t at);
/* An object whose keys may mean something, from its brace: the inner loop (walk_inside.h). */
bool walk_object_base(struct walk *w, uint32_t context);
bool walk_object_avx2(struct walk *w, uint32_t context);
bool walk_has_avx2(void);
/* The entry of the key at the token, by name; 0 when it means nothing and is not remembered. */
bool walk_look_up(struct walk *w, uint32_t context, uint32_t *number);
/* The value of a feature that is not a plain number; of anything else that has an entry. */
bool walk_feature(struct walk *w, const struct entry *e);
bool walk_other(struct walk *w, const struct entry *e);
/* New slots may have come with a key. */
void walk_cover_slots(struct record *out, uint32_t slots);
/* Passes over one value without reading it. */
bool walk_skip(struct walk *w);
/* Does the scalar that starts at the current token end at `end`? */
bool walk_ends(const struct walk *w, const char *end);

/* value.c: each reads the value at the current token and moves behind it. */
enum value_how {
	VALUE_PLAIN = 0,
	VALUE_DIGITS = 1,   /* numbers keep their decimal digits as text, too */
	VALUE_CATEGORY = 2, /* numbers become text */
	VALUE_NUMERIC = 4,  /* text is of the wrong type */
};
bool value_cell(struct walk *w, struct cell *cell, enum value_how how); /* *cell is zeroed */
/* A name: a string, a number as it is written, true or false. *there is false for null, and for
 * anything else, which also sets *wrong. */
bool value_name(struct walk *w, struct text *out, bool *there, bool *wrong);
bool value_segment(struct walk *w, uint32_t segment);
/* The string at `token`, unescaped. *surrogate: it has a lone one (is not valid UTF-8; *out is
 * empty). */
bool value_string(struct walk *w, const uint32_t *token, struct text *out, bool *surrogate);
/* One that must be valid UTF-8, or the record is refused: ids, categories, classes. */
bool value_strict_string(struct walk *w, const uint32_t *token, struct text *out);

/* field.c: the same for a field. */
bool field_value(struct walk *w, enum field field);
/* Moves to an item of the array at the current token (item 0), or behind its end (*more =
 * false). */
bool field_next_item(struct walk *w, uint32_t item, bool *more);

/* finish.c: event time, ids, order of classes, what the record is. */
bool finish_record(struct walk *w, const uint8_t hash_key[16]);

#endif
