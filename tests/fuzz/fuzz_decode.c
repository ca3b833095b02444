/* fuzz_decode.c -- any bytes are a record or are refused with a reason; nothing else happens.
 *
 * The input is a series of messages, one a line, for two decoders: one that takes every model, one with
 * remapped paths, listed features and segments. Both see all lines, so that what one message leaves behind
 * meets the next. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char any_model[] = "models: auto\ntopics: {records: [\"t*\"]}\n";
static const char remapped[] =
	"topics: {records: [\"t*\"]}\n"
	"models:\n"
	"  - name: m\n"
	"    ts_unit: s\n"
	"    classes: [good, bad]\n"
	"    segments: [country]\n"
	"    features: {income: numeric, purpose: categorical, secret: ignore}\n"
	"    fields: {id: meta.key, ts: meta.time, prediction.value: out.y, features: in.x}\n"
	"  - name: n\n";

struct side {
	struct config *config;
	struct decoder *decoder;
	uint32_t profile;
	struct record record;
};

static void
open_side(struct side *s, const char *text)
{
	static const uint8_t key[16] = { 1 };
	struct diag d = { "" };

	if ((!s->config && config_parse(&s->config, text, strlen(text), "fuzz", stderr, &d)) ||
	    decoder_create(&s->decoder, s->config, key, &d))
		abort();
	s->profile = decoder_profile(s->decoder, "topic");
	record_init(&s->record);
}

static void
close_side(struct side *s)
{
	record_finish(&s->record);
	decoder_destroy(s->decoder);
}

static void
give(struct side *s, const uint8_t *line, size_t length, int64_t offset)
{
	/* a copy that ends where the message ends: reading further is an error that is seen */
	uint8_t *tight = malloc(length ? length : 1);
	struct message m = { .value = tight, .value_length = length, .offset = offset,
		             .kafka_ms = offset % 2 ? 1700000000000 : INT64_MIN, .profile = s->profile };
	const struct record *r = &s->record;

	if (!tight)
		abort();
	memcpy(tight, line, length);
	decode(s->decoder, &m, &s->record);
	free(tight);
	if (r->reject >= REJECT_COUNT || r->text_length > r->text_capacity)
		abort();
	if (r->reject) {
		if (!memchr(r->detail, 0, sizeof r->detail) || !reject_text(r->reject))
			abort();
		return;
	}
	if (r->model >= decoder_models(s->decoder) || r->slots > decoder_slots(s->decoder, r->model))
		abort();
	for (uint32_t i = 0; i < r->slots; i++) {
		const struct cell *c = &r->cell[i];

		if (c->tag > CELL_BAD_TYPE || (c->tag == CELL_NUMBER && !isfinite(c->number)) ||
		    (c->tag == CELL_TEXT && (uint64_t)c->text.offset + c->text.length > r->text_length))
			abort();
	}
	for (uint32_t k = 0; k < r->probs; k++)
		if (!(r->parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE)) && !isfinite(r->prob[k]))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct side side[2];
	int64_t offset = 0;

	open_side(&side[0], any_model);
	open_side(&side[1], remapped);
	for (size_t at = 0; at < size; offset++) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end ? (size_t)(end - data) - at : size - at;

		for (int i = 0; i < 2; i++)
			give(&side[i], data + at, length, offset);
		at += length + 1;
	}
	close_side(&side[0]);
	close_side(&side[1]);
	return 0;
}
