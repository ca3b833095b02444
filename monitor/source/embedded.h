/* embedded.h -- librdkafka's mock cluster as the broker of `brokers: embedded`: a real TCP
 * listener on 127.0.0.1 inside this process, for demonstrations and tests. It keeps 5 MiB a
 * partition and forgets everything when the process ends. The API is experimental in librdkafka,
 * so only this file uses it.
 */
#ifndef MONITOR_SOURCE_EMBEDDED_H
#define MONITOR_SOURCE_EMBEDDED_H

#include <stdint.h>

struct diag;
struct embedded;
struct rd_kafka_mock_cluster_s;

int embedded_start(struct embedded **out, struct diag *d);
/* A topic that exists already is fine. */
int embedded_topic(struct embedded *e, const char *topic, uint32_t partitions, struct diag *d);
const char *embedded_bootstrap(const struct embedded *e); /* "127.0.0.1:NNNNN" */
/* For tests that plant faults. */
struct rd_kafka_mock_cluster_s *embedded_cluster(struct embedded *e);
void embedded_stop(struct embedded *e); /* NULL is fine */

#endif
