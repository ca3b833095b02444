/* layout.h -- where the fields of one model stand in its JSON: a tree of objects with the keys
 * that are expected in each, and for each key which one usually follows.
 *
 * Every object of the configured paths is a `context`; its keys are `entry`s. Entry 0 of a
 * context is the opening brace, so that it too has a successor. Keys that mean nothing are
 * remembered as well (up to a limit), because only a remembered key can be predicted. Features
 * get their slots here.
 *
 * Keys added for a record that is refused in the end are taken back by layout_rollback():
 * nothing that was not accepted leaves a trace.
 */
#ifndef MONITOR_DECODE_LAYOUT_H
#define MONITOR_DECODE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct model_config;

enum field {
	FIELD_NONE, /* a step of a path, or nothing */
	FIELD_ID,
	FIELD_TS,
	FIELD_MODEL,
	FIELD_VERSION,
	FIELD_PROBE_OF,
	FIELD_PERTURBATION,
	FIELD_SEVERITY,
	FIELD_LABEL,
	FIELD_NONCONFORMITY,
	FIELD_CLASS,
	FIELD_PROBS,
	FIELD_TOP_SCORE,
	FIELD_VALUE,
	FIELD_LOWER,
	FIELD_UPPER,
	FIELD_LEVEL,
	FIELD_SET,
	FIELD_CLASSES,
	FIELD_N_CAL,
	FIELD_QHAT,
	FIELD_MEMBER_PROBS,
	FIELD_MEMBER_LOGITS,
	FIELD_MEMBER_MU,
	FIELD_MEMBER_VAR,
	FIELD_DIRICHLET,
	FIELD_NIG_NU,
	FIELD_NIG_ALPHA,
	FIELD_NIG_BETA,
	FIELD_DRAWS,
	FIELD_QUANTILES,
	FIELD_SD,
	FIELD_VAR,
	FIELD_LOGITS,
	FIELD_EMBEDDING,
	/* Objects: */
	FIELD_FEATURES,
	FIELD_SEGMENT,
	FIELD_PREDICTION,
	FIELD_CONFORMAL,
	FIELD_MEMBERS,
	FIELD_NIG,
	FIELD_COUNT
};

enum entry_kind {
	ENTRY_UNKNOWN, /* skipped and counted */
	ENTRY_KNOWN,   /* skipped: documented */
	ENTRY_FIELD,   /* enum field, or FIELD_NONE for a step of a path; index counts from klass */
	ENTRY_FEATURE, /* index = slot */
	ENTRY_SEGMENT, /* index = number of the segment */
};

struct entry {
	/* The first 16 bytes of the key and its quotes as they stand in the text, and which of
	 * their bits count. Keys that need an escape never match: they are found by name. */
	uint64_t word[2], mask[2];
	char *name;         /* unescaped, NUL-terminated */
	uint32_t length;
	uint32_t next;      /* the entry that followed last time */
	uint32_t index;
	uint32_t seen;      /* the walk that met it last: another meeting is a duplicate key */
	uint16_t hash;
	union {
		uint16_t child;   /* ENTRY_FIELD: context of an object found here, or 0 */
		uint16_t segment; /* ENTRY_FEATURE: number + 1 of a segment that stands here, or 0 */
	};
	uint8_t kind;       /* enum entry_kind */
	uint8_t field;      /* ENTRY_FIELD: enum field */
	uint8_t quick;      /* 1 = a number here goes straight into cell `index` of its object, and
	                     * all of the name is in `word` */
	union {
		uint8_t rank; /* ENTRY_FIELD: among the aliases of a field; lower wins */
		uint8_t type; /* ENTRY_FEATURE: enum feature_type, | ENTRY_OWN */
	};
};
_Static_assert(sizeof(struct entry) == 64, "one entry, one cache line");

enum { ENTRY_OWN = 0x80 /* an own stream: the slots below layout.own */ };

struct context {
	struct entry *entry;
	uint32_t entries, capacity, committed;
	uint32_t unknown;     /* remembered keys that mean nothing */
	uint32_t *table;      /* entry numbers by hash, 0 = free */
	uint32_t table_mask;
	bool features;        /* other keys are features */
	bool segments;        /* other keys are segments nobody asked for */
};

struct layout {
	struct context *context; /* [0] is the root */
	uint32_t contexts, capacity;
	uint16_t object[FIELD_COUNT]; /* context of an object field, 0 = none (or the root) */
	struct layout_slot {
		char *name;
		uint32_t length;
		uint8_t type;
	} *slot;
	uint32_t slots, slots_committed, slot_capacity;
	uint32_t own;         /* the first so many slots are own streams, in the order of the configuration */
	uint64_t seed;        /* of the key hash */
	bool only_listed;     /* features that are not configured are ignored */
	bool grew;            /* since the last commit */
	size_t name_bytes;
};

void layout_build(struct layout *l, const struct model_config *m, uint64_t seed);
void layout_finish(struct layout *l);
size_t layout_bytes(const struct layout *l);
/* The entry called `name`, made if it is new and may be kept; 0 when it may not. */
uint32_t layout_find(struct layout *l, uint32_t context, const char *name, size_t length);
/* Forgets which entries were met: when the numbers of the walks start again. */
void layout_unsee(struct layout *l);
void layout_commit(struct layout *l);
void layout_rollback(struct layout *l);
/* Does the path of the model's name differ between the two? */
bool layout_model_path_differs(const struct model_config *a, const struct model_config *b);

#endif
