/* records.h -- the benchmarks' records: 20 numeric features, an interval, an id; about 550 bytes. */
#ifndef TESTS_BENCH_RECORDS_H
#define TESTS_BENCH_RECORDS_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_FEATURES = 20, BENCH_RECORD_BYTES = 1024, BENCH_RATE = 1000 /* records a second */ };

/* Writes record n (a line with its newline); returns its length. Nothing drifts. */
size_t bench_record(char out[BENCH_RECORD_BYTES], uint64_t n);
/* The same without features, for the journal. */
size_t bench_prediction(char out[BENCH_RECORD_BYTES], uint64_t n);
/* Its label, that comes when record `at` does. */
size_t bench_label(char out[BENCH_RECORD_BYTES], uint64_t n, uint64_t at);
/* Records [0, n) into a file; the process ends when that fails. */
void bench_write(const char *path, uint64_t from, uint64_t n);
extern const char bench_config[];

double bench_cpu_s(void);  /* user + system of this process */
double bench_wall_s(void);
double bench_rss(void);    /* bytes resident */
_Noreturn void bench_die(const char *what, const char *why);
/* A database with its companions. */
void bench_remove(const char *path);

#endif
