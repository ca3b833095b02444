/* summary_text.h -- what a replay prints when it is done: records, labels, alerts, budget. */
#ifndef MONITOR_COMMAND_SUMMARY_TEXT_H
#define MONITOR_COMMAND_SUMMARY_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct diag;

/* From the database `path`; *alerts gets the number of alerts of any severity. */
int summary_print(const char *path, bool json, uint32_t *alerts, struct diag *d);

#endif
