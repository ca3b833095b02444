/* decoder.c -- the models and topics that a decoder knows. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/limits.h"
#include "monitor/decode/decoder_inside.h"
#include "monitor/decode/number.h"
#include "monitor/grow.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert((int)DECODER_FRONT >= (int)NUMBER_MARGIN, "numbers are read so far before a token");

static int
power_of_unit(double unit_ms)
{
	return unit_ms > 0 ? (int)lround(log10(unit_ms)) : 0;
}

static uint32_t
model_place(const struct decoder *d, const char *name, size_t length)
{
	uint32_t at = (uint32_t)XXH3_64bits_withSeed(name, length, d->seed) % DECODER_TABLE;

	while (d->table[at] != 0) {
		const struct model *m = d->model[d->table[at] - 1];
		if (m->length == length && memcmp(m->name, name, length) == 0)
			break;
		at = (at + 1) % DECODER_TABLE;
	}
	return at;
}

static void
model_init(struct decoder *d, struct model *m, const struct model_config *config)
{
	m->config = config;
	m->ts_power = power_of_unit(config->ts_unit_ms);
	layout_build(&m->layout, config, d->seed);
}

uint32_t
decoder_find_model(const struct decoder *d, const char *name, size_t length)
{
	uint32_t at = d->table[model_place(d, name, length)];

	return at != 0 ? at - 1 : DECODER_NO_MODEL;
}

static uint32_t
add_model(struct decoder *d, const char *name, size_t length, const struct model_config *config)
{
	struct model *m = grow_new(sizeof(*m));

	m->name = grow_copy(name, length);
	m->length = (uint32_t)length;
	model_init(d, m, config);
	d->table[model_place(d, name, length)] = (uint16_t)(d->models + 1);
	d->model[d->models] = m;
	return d->models++;
}

uint32_t
decoder_add_model(struct decoder *d, const char *name, size_t length)
{
	return add_model(d, name, length, config_model_for(d->config, name, length));
}

/* Only the newest can go: nothing was placed behind it in the table. */
void
decoder_drop_model(struct decoder *d)
{
	struct model *m = d->model[d->models - 1];

	d->table[model_place(d, m->name, m->length)] = 0;
	layout_finish(&m->layout);
	free(m->name);
	free(m);
	d->models--;
}

static void
add_path(struct decoder *d, struct model *m)
{
	for (uint32_t k = 0; k < d->paths; k++)
		if (!layout_model_path_differs(d->path[k]->config, m->config))
			return;
	d->path[d->paths++] = m;
}

int
decoder_create(struct decoder **out, const struct config *config, const uint8_t hash_key[16],
               struct diag *diag)
{
	*out = NULL;
	if (config->models + config->patterns > LIMIT_MODELS)
		return diag_set(diag, ERR_LIMIT, "%zu models are configured, the limit is %d",
		                config->models + config->patterns, LIMIT_MODELS);
	struct decoder *d = calloc(1, sizeof(*d));
	pthread_mutex_t *lock = calloc(1, sizeof(*lock));
	if (d == NULL || lock == NULL || (d->json = json_create()) == NULL) {
		free(lock);
		free(d);
		return diag_set(diag, ERR_IO, "out of memory for the decoder");
	}
	pthread_mutex_init(lock, NULL);
	d->lock = lock;
	d->config = config;
	d->object = walk_has_avx2() ? walk_object_avx2 : walk_object_base;
	memcpy(d->hash_key, hash_key, sizeof(d->hash_key));
	memcpy(&d->seed, hash_key, sizeof(d->seed));
	for (size_t i = 0; i < config->models; i++) {
		const struct model_config *m = &config->model[i];

		add_path(d, d->model[add_model(d, m->name, strlen(m->name), m)]);
	}
	d->pattern = config->patterns ? grow_new(config->patterns * sizeof(*d->pattern)) : NULL;
	for (size_t i = 0; i < config->patterns; i++) {
		model_init(d, &d->pattern[i], &config->model[config->models + i]);
		add_path(d, &d->pattern[i]);
	}
	model_init(d, &d->nameless, &config->defaults);
	*out = d;
	return 0;
}

const struct config *
decoder_config(const struct decoder *d)
{
	return d->config;
}

void
decoder_destroy(struct decoder *d)
{
	if (d == NULL)
		return;
	for (uint32_t i = 0; i < d->models; i++) {
		layout_finish(&d->model[i]->layout);
		free(d->model[i]->name);
		free(d->model[i]);
	}
	layout_finish(&d->nameless.layout);
	for (size_t i = 0; d->pattern != NULL && i < d->config->patterns; i++)
		layout_finish(&d->pattern[i].layout);
	free(d->pattern);
	for (uint32_t i = 0; i < d->profiles; i++)
		free(d->profile[i].topic);
	free(d->profile);
	free(d->buffer);
	forms_release(&d->forms);
	json_destroy(d->json);
	pthread_mutex_destroy(d->lock);
	free(d->lock);
	free(d);
}

static bool
any_glob(const struct strings *globs, const char *topic)
{
	for (size_t i = 0; i < globs->n; i++)
		if (config_glob(globs->text[i], topic))
			return true;
	return false;
}

static bool
claims(const struct config *config, const struct model_config *m, const char *topic)
{
	bool own = m->topics_records.n != 0 || m->topics_labels.n != 0;
	const struct strings *records = own ? &m->topics_records : &config->topics_records;
	const struct strings *labels = own ? &m->topics_labels : &config->topics_labels;

	return any_glob(records, topic) || any_glob(labels, topic);
}

uint32_t
decoder_profile(struct decoder *d, const char *topic)
{
	const struct config *config = d->config;
	uint32_t claimed = 0, fallback = DECODER_NO_MODEL;

	for (uint32_t i = 0; i < d->profiles; i++)
		if (strcmp(d->profile[i].topic, topic) == 0)
			return i;
	for (size_t i = 0; i < config->models + config->patterns; i++) {
		if (config->models + config->patterns > 1 && !claims(config, &config->model[i], topic))
			continue;
		fallback = i < config->models ? (uint32_t)i : DECODER_NO_MODEL;
		claimed++;
	}
	d->profile = grow(d->profile, &d->profile_capacity, (size_t)d->profiles + 1,
	                  sizeof(*d->profile));
	if (claimed != 1)
		fallback = DECODER_NO_MODEL;
	d->profile[d->profiles] =
		(struct profile){ grow_copy(topic, strlen(topic)), fallback, fallback };
	return d->profiles++;
}

void
decoder_lock(struct decoder *d)
{
	pthread_mutex_lock(d->lock);
}

void
decoder_unlock(struct decoder *d)
{
	pthread_mutex_unlock(d->lock);
}

uint32_t
decoder_models(const struct decoder *d)
{
	uint32_t models;

	pthread_mutex_lock(d->lock);
	models = d->models;
	pthread_mutex_unlock(d->lock);
	return models;
}

const char *
decoder_model_name(const struct decoder *d, uint32_t model, uint32_t *length)
{
	const struct model *m;

	pthread_mutex_lock(d->lock);
	assert(model < d->models);
	m = d->model[model];
	*length = m->length;
	pthread_mutex_unlock(d->lock);
	return m->name;
}

uint32_t
decoder_slots(const struct decoder *d, uint32_t model)
{
	uint32_t slots;

	pthread_mutex_lock(d->lock);
	assert(model < d->models);
	slots = d->model[model]->layout.slots;
	pthread_mutex_unlock(d->lock);
	return slots;
}

const char *
decoder_slot_name(const struct decoder *d, uint32_t model, uint32_t slot, uint32_t *length)
{
	const char *name;

	pthread_mutex_lock(d->lock);
	assert(model < d->models && slot < d->model[model]->layout.slots);
	*length = d->model[model]->layout.slot[slot].length;
	name = d->model[model]->layout.slot[slot].name; /* stays where it is when there are more */
	pthread_mutex_unlock(d->lock);
	return name;
}

int
decoder_slot_type(const struct decoder *d, uint32_t model, uint32_t slot)
{
	int type;

	pthread_mutex_lock(d->lock);
	assert(model < d->models && slot < d->model[model]->layout.slots);
	type = d->model[model]->layout.slot[slot].type;
	pthread_mutex_unlock(d->lock);
	return type;
}

size_t
decoder_bytes(const struct decoder *d)
{
	size_t bytes;

	pthread_mutex_lock(d->lock);
	bytes = sizeof(*d) + DECODER_FRONT + d->buffer_size + DECODER_BACK + json_bytes(d->json) +
	        forms_bytes(&d->forms) + layout_bytes(&d->nameless.layout) +
	        d->profile_capacity * sizeof(*d->profile);
	for (uint32_t i = 0; i < d->models; i++)
		bytes += sizeof(struct model) + layout_bytes(&d->model[i]->layout);
	for (size_t i = 0; i < d->config->patterns; i++)
		bytes += sizeof(struct model) + layout_bytes(&d->pattern[i].layout);
	pthread_mutex_unlock(d->lock);
	return bytes;
}

uint32_t
decoder_model(struct decoder *d, const char *name, uint32_t length)
{
	uint32_t number;

	pthread_mutex_lock(d->lock);
	number = decoder_find_model(d, name, length);
	if (number == DECODER_NO_MODEL && config_model_for(d->config, name, length) && d->models < LIMIT_MODELS)
		number = decoder_add_model(d, name, length);
	pthread_mutex_unlock(d->lock);
	return number;
}
