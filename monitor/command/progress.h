/* progress.h -- a progress bar on standard error, only when that is a terminal. */
#ifndef MONITOR_COMMAND_PROGRESS_H
#define MONITOR_COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;            /* standard error is a terminal, and not --quiet */
	const char *what;   /* "replay", "fit" */
	int64_t begun_ms, told_ms;
};
void progress_begin(struct progress *p, const char *what, bool quiet);
/* At most ten times a second. `records` may be 0. */
void progress_tell(struct progress *p, uint64_t done, uint64_t total, uint64_t records);
void progress_end(struct progress *p);

#endif
