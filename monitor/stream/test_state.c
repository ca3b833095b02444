/* test_state.c -- the tests of a stream in its state: which there were, and each one's own. */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "detectors/kit/codec.h"
#include "monitor/stream/model.h"

/* Which tests there are: the configuration may have others when this is read. */
void
stream_save_tests(const struct stream *s, struct codec *out)
{
	codec_put_u8(out, (uint8_t)s->tests);
	for (uint32_t i = 0; i < s->tests; i++) {
		const struct test *t = &s->test[i];
		const char *method = t->config->method.name;

		codec_put_u8(out, (uint8_t)t->slot);
		codec_put_u8(out, (uint8_t)t->role);
		codec_put_u8(out, (uint8_t)strlen(method));
		codec_put_bytes(out, method, strlen(method));
		codec_put_u32(out, t->warmups);
	}
}

void
test_save(const struct test *t, struct codec *out)
{
	struct codec measure = { .measure = true, .size = SIZE_MAX };

	codec_put_u8(out, t->runner != NULL);
	codec_put_u64(out, t->quiet_until);
	codec_put_f64(out, t->window_statistic);
	codec_put_f64(out, t->share);
	codec_put_f64(out, t->spent_past);
	codec_put_f64(out, t->spent_past_apart);
	codec_put_u32(out, t->alarms);
	codec_put_u64(out, t->fingerprint);
	if (!t->runner)
		return;
	runner_save(t->runner, &measure);
	codec_put_u32(out, (uint32_t)measure.at);
	runner_save(t->runner, out);
}

static struct test *
find_test(struct stream *s, const struct saved_tests *saved, const char *method, int role)
{
	for (uint32_t i = 0; i < s->tests; i++) {
		struct test *t = &s->test[i];
		bool taken = false;

		for (uint32_t k = 0; k < saved->n; k++)
			taken |= saved->now[k] == t;
		if (!taken && (int)t->role == role && !strcmp(t->config->method.name, method))
			return t;
	}
	return NULL;
}

/* Tests keep their slots whatever stands before them in the list; new ones take free slots, and rows of
 * those that are gone are to be deleted. */
int
stream_load_tests(struct stream *s, struct codec *in, struct saved_tests *saved)
{
	uint32_t used = 0, gone = 0, n = codec_get_u8(in);
	bool kept[LIMIT_TESTS] = { false };

	for (saved->n = 0; saved->n < n && !in->bad; saved->n++) {
		uint32_t slot = codec_get_u8(in);
		int role = codec_get_u8(in);
		char method[256];
		uint32_t length = codec_get_u8(in), warmups;
		struct test *t;

		if (n > LIMIT_TESTS || slot >= LIMIT_TESTS || used >> slot & 1)
			return ERR_CORRUPT;
		codec_get_bytes(in, method, length);
		method[length] = 0;
		warmups = codec_get_u32(in);
		used |= 1u << slot;
		t = saved->now[saved->n] = find_test(s, saved, method, role);
		if (!t) {
			gone |= 1u << slot;
			continue;
		}
		t->slot = slot;
		t->warmups = warmups;
		kept[t - s->test] = true;
	}
	used &= ~gone;
	for (uint32_t i = 0; i < s->tests; i++) {
		if (kept[i])
			continue;
		s->test[i].slot = (uint32_t)__builtin_ctz(~used);
		used |= 1u << s->test[i].slot;
	}
	s->retired = gone & ~used;
	return in->bad ? ERR_CORRUPT : 0;
}

int
test_load(struct stream *s, struct test *t, struct codec *in, struct diag *d)
{
	bool running = codec_get_u8(in);
	uint64_t fingerprint;
	uint32_t bytes;
	struct codec own;

	t->quiet_until = codec_get_u64(in);
	t->window_statistic = codec_get_f64(in);
	t->share = codec_get_f64(in);
	t->spent_past = codec_get_f64(in);
	t->spent_past_apart = codec_get_f64(in);
	t->alarms = codec_get_u32(in);
	fingerprint = codec_get_u64(in);
	if (!running)
		return 0;
	bytes = codec_get_u32(in);
	if (in->bad || bytes > in->size - in->at)
		return ERR_CORRUPT;
	own = (struct codec){ .data = in->data + in->at, .size = bytes };
	in->at += bytes;
	if (!t->runner || t->fingerprint != fingerprint) {
		notes_add(&s->model->common->notes, "state_reset", "%.*s %s: %s starts again on its reference: "
		          "method, parameters, reference or seed changed", (int)s->model->name_length,
		          s->model->name, s->name, t->method ? t->method : "test");
		return 0;
	}
	return runner_load(t->runner, &own, d);
}

/* A test that the configuration no longer has: what it has spent is not forgotten. */
int
test_pass(struct stream *s, struct codec *in)
{
	bool running = codec_get_u8(in);
	uint32_t alarms, bytes;
	double spent, apart;

	codec_get_u64(in); /* quiet_until, window_statistic, share */
	codec_get_f64(in);
	codec_get_f64(in);
	spent = codec_get_f64(in);
	apart = codec_get_f64(in);
	alarms = codec_get_u32(in);
	codec_get_u64(in); /* fingerprint */
	if (s->pagers) {
		s->test[0].spent_past += spent;
		s->test[0].spent_past_apart += apart;
		s->test[0].alarms += alarms;
	}
	if (!running)
		return 0;
	bytes = codec_get_u32(in);
	if (in->bad || bytes > in->size - in->at)
		return ERR_CORRUPT;
	in->at += bytes;
	return 0;
}
