/* incidents_file.h -- `replay --incidents FILE --compare RULES`: what people know, and rules of thumb. */
#ifndef MONITOR_COMMAND_INCIDENTS_FILE_H
#define MONITOR_COMMAND_INCIDENTS_FILE_H

#include <stddef.h>

#include "storage/incidents.h"

struct diag;

enum { INCIDENTS_MAX = 1000, NAIVE_RULES_MAX = 8 };

/* CSV: start,end[,model[,name]], times as epoch milliseconds or RFC 3339, a line of names first if it
 * begins with "start". *incident is malloc()ed. ERR_MISSING no such file; ERR_INVALID with the line. */
int incidents_read(const char *path, struct incident **incident, size_t *n, struct diag *d);
/* psi=.2,ks=.05 */
int naive_rules_read(const char *text, struct naive_rule rule[NAIVE_RULES_MAX], size_t *n, struct diag *d);
/* Prints what incidents_report says of the database `path`. */
int incidents_print(const char *path, const struct incident *incident, size_t n,
                    const struct naive_rule *rule,
                    size_t rules, bool json, struct diag *d);

#endif
