/* decoder_inside.h -- what decode.c and decoder.c share: a decoder and its parts. */
#ifndef MONITOR_DECODE_DECODER_INSIDE_H
#define MONITOR_DECODE_DECODER_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "monitor/decode/decode.h"
#include "monitor/decode/json.h"
#include "monitor/decode/walk.h"

#define DECODER_NO_MODEL UINT32_MAX

enum {
	DECODER_TABLE = 4 * LIMIT_MODELS,
	/* Bytes before and behind the message in the buffer: numbers are read from their right end,
	 * keys are compared in full. */
	DECODER_FRONT = 64,
	DECODER_BACK = JSON_PADDING + LIMIT_TEXT_BYTES,
};

struct profile {
	char *topic;
	uint32_t fallback; /* model of records that name none, or DECODER_NO_MODEL */
	uint32_t last;     /* model of the last record */
};

struct decoder {
	const struct config *config;
	uint8_t hash_key[16];
	uint64_t seed;         /* of hash tables: unknown to those who choose the keys */
	struct json *json;
	char *buffer;
	size_t buffer_size;    /* for a message, without FRONT and BACK */
	struct model *model[LIMIT_MODELS];
	uint32_t models;
	uint16_t table[DECODER_TABLE]; /* model + 1 by hash of the name */
	struct model nameless; /* the defaults, to find the name of a model that is not known yet */
	struct model *pattern; /* [config->patterns] what globs say, to find the name of such a model */
	struct model *path[LIMIT_MODELS]; /* of the configuration: those that differ in where the name stands */
	uint32_t paths;
	struct profile *profile;
	uint32_t profiles, profile_capacity;
	uint32_t generation;
	bool (*object)(struct walk *, uint32_t);
	struct forms forms;    /* of the record at hand */
	pthread_mutex_t *lock; /* of the functions that other threads call while one decodes */
};

/* The number of a model by name, or DECODER_NO_MODEL. */
uint32_t decoder_find_model(const struct decoder *d, const char *name, size_t length);
/* A new one, with what the configuration says of its name: it must say something. There must be room. */
uint32_t decoder_add_model(struct decoder *d, const char *name, size_t length);
/* Takes the newest one back. */
void decoder_drop_model(struct decoder *d);

#endif
