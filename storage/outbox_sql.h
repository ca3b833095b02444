/* outbox_sql.h -- what outbox.c and outbox_command.c share. */
#ifndef STORAGE_OUTBOX_SQL_H
#define STORAGE_OUTBOX_SQL_H

#include <stddef.h>
#include <stdint.h>

#include "storage/store_impl.h"

/* One statement without rows, its values bound. *changed (may be NULL): rows that it changed. */
int outbox_sql_run(sqlite3 *db, const char *sql, const struct value *value, size_t values, uint64_t *changed,
                   struct diag *d);

#endif
