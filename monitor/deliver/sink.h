/* sink.h -- one kind of receiver: how a message is handed over, and what the answer means. */
#ifndef MONITOR_DELIVER_SINK_H
#define MONITOR_DELIVER_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "storage/outbox.h"

struct diag;

enum reply_result {
	REPLY_TAKEN,   /* the receiver said so itself */
	REPLY_LATER,   /* no answer, or one that may change: try again */
	REPLY_DENIED,  /* not with these credentials: try again, slowly, until they are mended */
	REPLY_REFUSED, /* never: this message, or this address, is wrong */
};
struct reply {
	enum reply_result result;
	int64_t after_ms;  /* the receiver's own wish, 0 none */
	char error[256];   /* a sentence without secrets */
};
/* Fills *r; `result` is returned for brevity. */
enum reply_result reply_set(struct reply *r, enum reply_result result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What a sink may use. */
struct sink_world {
	const struct config *config;
	const char *bootstrap;     /* brokers */
	const atomic_bool *cancel; /* true: give up what is being sent */
};

struct sink_kind {
	/* *self: of this sink. */
	int (*open)(void **self, const struct sink_config *config, const struct sink_world *world,
	            struct diag *d);
	void (*send)(void *self, const struct outbox_message *m, struct reply *r);
	void (*close)(void *self);
};
/* By type; SINK_ALERTMANAGER has no `send`: it is told states (alertmanager.h). */
extern const struct sink_kind sink_webhook, sink_pagerduty, sink_kafka, sink_command, sink_log;
const struct sink_kind *sink_kind(enum sink_type type);

/* The first line of an alert's text without its heading; *length bytes. */
const char *sink_summary(const struct outbox_message *m, size_t *length);

#endif
