/* sparkline.h -- SQL function sparkline(x, low, high): the values of a group as a row of bars, in their
 * order. */
#ifndef STORAGE_SPARKLINE_H
#define STORAGE_SPARKLINE_H

struct sqlite3;

int sparkline_install(struct sqlite3 *db); /* an SQLite code */

#endif
