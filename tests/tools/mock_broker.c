/* mock_broker.c -- librdkafka's mock broker in a process of its own, which outlives a killed daemon.
 *
 *   mock_broker DELAY TOPIC PARTITIONS [TOPIC PARTITIONS]...   prints host:port, serves until its input ends
 *
 * Every answer comes DELAY milliseconds late; an answer to a fetch holds one batch of a partition. It keeps the
 * last 5 MiB of a partition.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "config/diag.h"
#include "monitor/source/embedded.h"

int
main(int argc, char **argv)
{
	struct embedded *e;
	struct diag d = { "" };
	char byte;
	int err = embedded_start(&e, &d);

	for (int i = 2; i + 1 < argc && !err; i += 2)
		err = embedded_topic(e, argv[i], (uint32_t)strtoul(argv[i + 1], NULL, 10), &d);
	if (err) {
		fprintf(stderr, "mock_broker: %s\n", d.text);
		return 1;
	}
	if (argc > 1)
		rd_kafka_mock_broker_set_rtt(embedded_cluster(e), 1, atoi(argv[1]));
	printf("%s\n", embedded_bootstrap(e));
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	embedded_stop(e);
	return 0;
}
