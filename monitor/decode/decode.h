/* decode.h -- JSON messages into records: directed by the configuration, no DOM, no allocation per
 * record, no name hashing on the hot path (keys are predicted from the record before).
 *
 * simdjson stands behind json.h/json.cc: its first stage finds the structure and checks UTF-8, walk.h
 * goes along it; its DOM parser names the error of a record that was refused. Accepted beyond JSON: bare
 * NaN and Infinity (missing), one BOM.
 */
#ifndef MONITOR_DECODE_DECODE_H
#define MONITOR_DECODE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/decode/record.h"

struct config;
struct decoder;
struct diag;

/* One message as it came. */
struct message {
	const uint8_t *key, *value; /* value NULL: a tombstone */
	size_t key_length, value_length;
	int64_t offset, kafka_ms;   /* kafka_ms INT64_MIN: none (files) */
	uint32_t partition;         /* index of the source */
	uint32_t profile;           /* decode profile of its topic (decoder_profile) */
	/* of messages that were unwrapped (source_envelope.c); all zero otherwise */
	const char *id;             /* [id_length] of a record that has none itself */
	size_t id_length;
	const char *refused;        /* why it cannot be used; NULL: it can */
	uint64_t hash;              /* hashed: of key and value as they were read */
	uint32_t row;               /* of its batch */
	bool hashed, more, update;  /* more: further rows of this offset follow. update: only a label counts */
	const void *native;         /* the source's own, for headers */
};

/* `hash_key`: SipHash-1-3 key of ids. The configuration must outlive the decoder. */
int decoder_create(struct decoder **out, const struct config *config, const uint8_t hash_key[16],
                   struct diag *d);
const struct config *decoder_config(const struct decoder *d);
void decoder_destroy(struct decoder *d); /* NULL is fine */
/* Profile for messages of `topic`: field paths, and the model of records that do not name one (a model
 * that alone claims the topic, or the only model there is). Same topic, same number. */
uint32_t decoder_profile(struct decoder *d, const char *topic);

/* For a thread that decodes ahead: held around decode(), so that what others ask of the decoder meanwhile
 * (the functions below) waits. One thread decodes at a time. */
void decoder_lock(struct decoder *d);
void decoder_unlock(struct decoder *d);

/* Fills `out` completely (also when refused). Never fails otherwise. The padding that simdjson needs is
 * taken care of inside. */
void decode(struct decoder *d, const struct message *m, struct record *out);

/* Models in order of appearance (those configured by name first, in order of the file); with `models: auto`
 * or globs the list grows up to LIMIT_MODELS. Feature slots of a model in order of appearance. */
uint32_t decoder_models(const struct decoder *d);
const char *decoder_model_name(const struct decoder *d, uint32_t model, uint32_t *length);
/* The number of a model by name; made when the configuration has something for it and there is room.
 * UINT32_MAX: none. */
uint32_t decoder_model(struct decoder *d, const char *name, uint32_t length);
uint32_t decoder_slots(const struct decoder *d, uint32_t model);
const char *decoder_slot_name(const struct decoder *d, uint32_t model, uint32_t slot, uint32_t *length);
/* Configured type of a slot (enum feature_type of config.h). */
int decoder_slot_type(const struct decoder *d, uint32_t model, uint32_t slot);
size_t decoder_bytes(const struct decoder *d);

/* Keyed hash of an id (SipHash-1-3, Aumasson and Bernstein 2012). */
uint64_t siphash13(const uint8_t key[16], const void *data, size_t length);

#endif
