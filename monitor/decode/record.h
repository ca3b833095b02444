/* record.h -- one decoded Kafka message: everything that later steps need, in plain numbers.
 *
 * A record owns growable buffers that are reused, so a look-ahead ring of records allocates nothing
 * once it is warm. Texts are (offset, length) into `text`, unescaped, valid UTF-8, may hold NUL.
 */
#ifndef MONITOR_DECODE_RECORD_H
#define MONITOR_DECODE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/uncertainty/uncertainty.h"

struct text {
	uint32_t offset, length;
};

enum cell_tag {
	CELL_ABSENT = 0, /* the record does not name the field */
	CELL_NULL,       /* null */
	CELL_NUMBER,     /* number */
	CELL_TEXT,       /* text and hash: a string, or true/false as "true"/"false" */
	CELL_NONFINITE,  /* NaN (number 0), Infinity, or a number that overflows (infinite): missing, counted */
	CELL_BAD_TYPE,   /* an object, array, or a string too strange: missing, counted */
};

struct cell {
	double number;      /* CELL_NUMBER: |x| finite */
	uint64_t hash;      /* CELL_TEXT: XXH64 of the text; used for table look-up, not for identity */
	struct text text;   /* CELL_TEXT; for numbers that may be classes or labels: the digits */
	uint8_t tag;        /* enum cell_tag */
	bool integral;      /* CELL_NUMBER: written as an integer; text holds its decimal digits where
	                     * the field may be a class or label */
	uint32_t at;        /* of features: byte of the record where its key is, so that new ones come in an
	                     * order that hangs on the record alone */
};

enum record_parts {
	RECORD_FEATURES = 1 << 0,   /* has a features object */
	RECORD_PREDICTION = 1 << 1, /* has a prediction */
	RECORD_LABEL = 1 << 2,      /* has a label; alone (no features, no prediction): a label record */
	RECORD_PROBE = 1 << 3,      /* probe_of: feeds probe statistics only */
	RECORD_HAS_TS = 1 << 4,     /* its own ts was usable */
	RECORD_HAS_ID = 1 << 5,
	RECORD_TS_RANGE = 1 << 6,   /* ts beyond the Kafka timestamp + 1 day: that timestamp was used */
	RECORD_PROB_SUM = 1 << 7,   /* probs do not sum to 1 within 1e-3: kept out of methods on probs */
	RECORD_PROB_RANGE = 1 << 8, /* a prob below 0 or above 1 */
	RECORD_BOM = 1 << 9,
	RECORD_OWN = 1 << 11,       /* has a value of a configured own stream */
	RECORD_OTHER = 1 << 10,     /* has logits or an embedding */
};

/* In which form a record tells how unsure its prediction is (uncertainty.h). */
enum uncertainty_form {
	FORM_NONE = 0,
	FORM_CLASS_MEMBERS,  /* probabilities or logits of members */
	FORM_NORMAL_MEMBERS, /* means and variances of members */
	FORM_MEAN_MEMBERS,   /* means alone */
	FORM_DIRICHLET,
	FORM_NIG,            /* normal-inverse-gamma */
	FORM_NESTED,         /* outcomes by draw of the parameters */
	FORM_SAMPLES,
	FORM_QUANTILES,
	FORM_VARIANCE,       /* prediction.sd or a variance */
	FORMS
};
/* Why its figures are not there. */
enum form_fault {
	FORM_FINE = 0,
	FORM_RAGGED,   /* rows or lists of different lengths, or not all numbers */
	FORM_EMPTY,
	FORM_RANGE,    /* a negative probability or variance, a concentration not above 0, crossed quantiles */
	FORM_PROB_SUM, /* the probabilities of a member do not sum to 1 within 1e-3 */
};

/* A distribution forecast for a numeric label: what pinball loss, CRPS and PIT are computed of. */
enum forecast_kind {
	FORECAST_NONE = 0,
	FORECAST_QUANTILES, /* forecast_value[i] at forecast_level[i], levels ascending; values may cross */
	FORECAST_SAMPLES,   /* ascending */
	FORECAST_NORMAL,    /* one number: the standard deviation about prediction.value */
};

/* Why its embedding is not there, or is not what it should be. */
enum embedding_fault {
	EMBEDDING_FINE = 0,
	EMBEDDING_TYPE,      /* neither a list of numbers nor {"b64f32": ..} or {"b64f16": ..} */
	EMBEDDING_LENGTH,    /* empty, or longer than LIMIT_VECTOR */
	EMBEDDING_NONFINITE, /* NaN, Infinity or a number that overflows is in it */
	EMBEDDING_ZERO,      /* it is there, and all of it is 0 */
};

/* Why a record was refused; 0 = it was not. Names are public (table `rejected`, metrics). */
enum reject {
	REJECT_NONE = 0,
	REJECT_EMPTY,          /* tombstone or no bytes */
	REJECT_TOO_LARGE,
	REJECT_NOT_JSON,       /* Avro/protobuf (magic byte 0), gzip, ...: hint in the detail */
	REJECT_JSON_SYNTAX,    /* malformed, truncated, trailing bytes, not an object */
	REJECT_UTF8,           /* invalid UTF-8 in the record, or a lone surrogate in an id or category */
	REJECT_TOO_DEEP,
	REJECT_TOO_MANY_FIELDS,
	REJECT_DUPLICATE_KEY,  /* in a configured field */
	REJECT_UNKNOWN_MODEL,
	REJECT_MODELS_MAX,     /* as many models as are watched are there already */
	REJECT_MISSING_MODEL,
	REJECT_MISSING_TS,     /* no usable ts and no Kafka timestamp */
	REJECT_NOTHING_KNOWN,  /* no features, prediction or label in it */
	REJECT_MISSING_ID,     /* a label without an id */
	REJECT_FIELD_TYPE,     /* a field that the record cannot do without has another type */
	REJECT_ENVELOPE,       /* its envelope holds nothing that can be used: deletions, odd shapes */
	REJECT_UPDATE,         /* a change of a row that brings no label */
	REJECT_COUNT
};
const char *reject_text(enum reject r); /* "json_syntax", ... */

struct record {
	int64_t ts;               /* event time, ms; valid unless the record was refused without one */
	int64_t kafka_ms;         /* the message's timestamp, or INT64_MIN */
	int64_t offset;           /* of the message; files: line number from 0 */
	uint64_t message_hash;    /* of key and value: the anchor (message_hash) */
	size_t bytes;             /* of the value */
	uint32_t row;             /* of the batch that the message was; all have its offset */
	bool more;                /* further rows follow */
	uint32_t partition;       /* index into the source's partitions */
	uint32_t model;           /* index into the decoder's models */
	enum reject reject;
	uint32_t parts;           /* enum record_parts */
	char detail[96];          /* refused: a few words for a person (position, key, ...) */

	uint64_t id_keyed;        /* SipHash of the id with the database's key: identity in tables */
	uint64_t id_order;        /* XXH64 (no key) of the id: every order that must be reproducible */
	uint64_t id_ts_order;     /* keyless XXH64 of (id, ts); without an id of (value, ts) by the user */
	struct text id;
	struct text version;      /* "" when absent */
	struct text *segment;     /* [decoder segments of the model]; length 0 when absent */

	/* prediction */
	struct cell klass, value, lower, upper, level, top_score, n_cal, qhat, nonconformity;
	uint32_t probs;           /* K, 0 = none */
	double *prob;             /* [probs] in class order when names are known, else as written */
	uint32_t sets;            /* labels of the prediction set ... */
	bool has_set;             /* ... which may be empty */
	struct cell *set;         /* [sets] */
	uint32_t classes;         /* names that came with the record (prediction.classes or object keys) */
	struct text *class_name;  /* [classes]; refers to prob[] by position */
	struct cell label;

	/* a perturbed twin (RECORD_PROBE): of which prediction, how, how much; "" when not said */
	struct text probe_of, perturbation, severity;
	uint64_t probe_of_keyed;  /* as id_keyed */

	/* how unsure it is; FORM_NONE: nothing of the rest is valid, FORM_FINE: uncertainty is */
	uint8_t form, form_fault; /* enum uncertainty_form, enum form_fault */
	uint32_t members, columns; /* members or draws, and classes or outcomes; 0 where they may differ */
	uint32_t draws;           /* members, draws or samples that its figures are made of; 0: of none */
	struct uncertainty uncertainty;

	uint8_t forecast;         /* enum forecast_kind; at most LIMIT_FORECAST numbers, else none */
	uint32_t forecasts;
	double *forecast_level, *forecast_value; /* [forecasts] */

	uint32_t logits;          /* how many; 0: none, or they cannot be used */
	double *logit;            /* [logits], finite */
	double energy;            /* of the logits (logits.h) */
	uint32_t dimension;       /* of the embedding; 0: none, or it cannot be used */
	double *embedding;        /* [dimension], finite */
	uint8_t embedding_fault;  /* enum embedding_fault */

	/* features: cells by the decoder's slot of the model */
	uint32_t slots;           /* slots that the model had when this was decoded */
	struct cell *cell;        /* [slots] */
	uint32_t fields_unknown;  /* top-level or feature fields that are not configured */
	uint32_t fields_type;     /* CELL_BAD_TYPE cells */
	uint32_t fields_nonfinite;

	/* buffers (capacity grows, never shrinks below what the present limits need) */
	char *text;
	uint32_t text_length, text_capacity;
	uint32_t cell_capacity, prob_capacity, set_capacity, class_capacity, segment_capacity;
	uint32_t level_capacity, value_capacity;
	uint32_t logit_capacity, embedding_capacity;
	const char *raw;          /* refused: the first LIMIT_REJECTED_BYTES of the message, in `text` */
	uint32_t raw_length;
};

void record_init(struct record *r);
void record_finish(struct record *r); /* NULL is fine */
/* Empties the record; the buffers stay. */
void record_clear(struct record *r);
/* Room for n cells in all; for more bytes of text, which are returned. */
void record_reserve_cells(struct record *r, uint32_t n);
void record_grow_text(struct record *r, size_t bytes);
static inline char *
record_reserve_text(struct record *r, size_t bytes)
{
	if (r->text_capacity - r->text_length <= bytes)
		record_grow_text(r, bytes);
	return r->text + r->text_length;
}
static inline const char *
record_text(const struct record *r, struct text t)
{
	return r->text + t.offset;
}

#endif
