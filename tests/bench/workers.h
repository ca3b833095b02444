/* workers.h -- the cells of a table computed by two processes, with a progress bar on a terminal. */
#ifndef TESTS_BENCH_WORKERS_H
#define TESTS_BENCH_WORKERS_H

#include <stddef.h>
#include <stdint.h>

enum { WORKERS = 2 };
/* Zeroed memory that the workers share; never freed. */
void *workers_memory(size_t bytes);
/* Calls work(context, i) once for each i < n, each in one of the workers; what it is to leave behind it
 * writes into shared memory. 0; -1 when a worker ended otherwise than by the end of its work. */
int workers_run(const char *what, uint32_t n, void (*work)(void *context, uint32_t i), void *context);

#endif
