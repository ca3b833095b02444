/* pipeline_forget.c -- `driftd forget`: what the process and the database know of an id.
 *
 * Memory forgets when the command is executed; what earlier commits wrote is taken out in the transaction
 * that marks the command done, and again when that has to be repeated. The id itself is in the command alone,
 * until then; neither log nor result name it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/decode/privacy.h"
#include "monitor/label/labels.h"
#include "monitor/log.h"
#include "monitor/ood/ood.h"
#include "monitor/pipeline_inside.h"
#include "storage/store.h"

struct forget { /* one model of one command; the first of a command has model NULL */
	int64_t command_id;
	char *id;
	struct model *model;
	uint64_t keyed, number; /* of the row in the journal, UINT64_MAX: none */
	bool orphan;
	uint32_t extremes;      /* times among the most unlike records of windows */
};

static struct forget *
add(struct pipeline *p, const struct command_row *c, uint64_t keyed)
{
	struct forget *f;

	p->forget = must_grow(p->forget, &p->forget_capacity, p->forgets + 1, sizeof *p->forget);
	f = &p->forget[p->forgets++];
	*f = (struct forget){ .command_id = c->command_id, .keyed = keyed, .number = UINT64_MAX };
	return f;
}

static void
hash_text(uint64_t keyed, char out[PRIVACY_TEXT])
{
	snprintf(out, PRIVACY_TEXT, "#%016llx", (unsigned long long)keyed);
}

/* As it stands there: itself, or its hash with `privacy:`. */
static uint32_t
forget_extremes(struct model *m, const char *id, size_t length, const char *hashed)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->versions; i++) {
		struct ood *o = m->version[i]->ood;

		n += o ? ood_forget(o, id, length) + ood_forget(o, hashed, strlen(hashed)) : 0;
	}
	return n;
}

/* Of twins there are several rows; the first is in the entry that was added last. */
static void
forget_labels(struct pipeline *p, const struct command_row *c, struct model *m, uint64_t keyed)
{
	uint64_t key[LABELS_KEYS];
	uint32_t keys = m->labels ? labels_forget_keys(m->labels, keyed, key) : 0;

	for (uint32_t k = 0; k < keys; k++) {
		struct forget *f = k ? add(p, c, key[k]) : &p->forget[p->forgets - 1];

		f->model = m;
		labels_forget_id(m->labels, key[k], &f->number, &f->orphan);
	}
}

void
pipeline_forget(struct pipeline *p, const struct command_row *c)
{
	size_t length = strlen(c->target);
	char hashed[PRIVACY_TEXT];
	uint8_t key[16];

	store_id_hash_key(p->store, key);
	const uint64_t keyed = siphash13(key, c->target, length);
	struct forget *f = add(p, c, keyed);
	hash_text(keyed, hashed);
	f->id = must_calloc(length + 1, 1);
	memcpy(f->id, c->target, length);
	for (size_t i = 0; i < p->models; i++) {
		struct model *m = p->model[i];

		f = add(p, c, keyed);
		f->model = m;
		f->extremes = forget_extremes(m, c->target, length, hashed);
		forget_labels(p, c, m, keyed);
		m->dirty = true;
	}
}

static void
tell(struct pipeline *p, int64_t command_id, const struct forgotten *n)
{
	for (size_t i = 0; i < p->commands; i++)
		if (p->command_done[i] == command_id)
			snprintf(p->command_result[i], sizeof p->command_result[i],
			         "%s: %u predictions, %u labels that waited, %u rejected records, %u unlike records, "
			         "%u messages", n->predictions + n->labels + n->rejected + n->extremes + n->messages ?
			         "done" : "nothing to do", n->predictions, n->labels, n->rejected, n->extremes,
			         n->messages);
}

int
pipeline_forget_put(struct pipeline *p)
{
	int err = 0;

	for (size_t i = 0; i < p->forgets && !err;) {
		const struct forget *first = &p->forget[i++];
		struct forgotten n = { 0 };
		char hashed[PRIVACY_TEXT];

		for (; i < p->forgets && p->forget[i].model && !err; i++) {
			const struct forget *f = &p->forget[i];

			n.predictions += f->number != UINT64_MAX;
			n.labels += f->orphan;
			n.extremes += f->extremes;
			if (f->model->labels)
				err = labels_forget_put(f->model->labels, p->store, f->keyed, f->number);
		}
		hash_text(first->keyed, hashed);
		if (!err)
			err = store_forget(p->store, first->command_id, first->id, hashed, &n);
		tell(p, first->command_id, &n);
	}
	return err;
}

static void
clear(struct pipeline *p)
{
	for (size_t i = 0; i < p->forgets; i++)
		free(p->forget[i].id);
	p->forgets = 0;
}

void
pipeline_forget_landed(struct pipeline *p)
{
	struct trace_of *of = p->forgets ? must_calloc(p->forgets, sizeof *of) : NULL;
	struct diag d;

	for (size_t i = 0; i < p->forgets; i++)
		of[i] = (struct trace_of){ p->forget[i].keyed, p->forget[i].id };
	if (p->forgets && store_forgotten(p->store, of, p->forgets, &d))
		log_event(LOG_WARN, "command", "forget: free space of the file may still hold what was overwritten; "
		          "run VACUUM when there is room: %s", d.text);
	free(of);
	clear(p);
}

void
pipeline_forget_finish(struct pipeline *p)
{
	clear(p);
	free(p->forget);
}
