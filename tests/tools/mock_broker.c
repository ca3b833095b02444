/* mock_broker.c -- librdkafka's mock broker in a process of its own, which outlives a killed daemon.
 *
 *   mock_broker TOPIC PARTITIONS [TOPIC PARTITIONS]...   prints host:port, serves until its input ends
 *
 * It keeps the last 5 MiB of a partition.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/diag.h"
#include "monitor/embedded.h"

int
main(int argc, char **argv)
{
	struct embedded *e;
	struct diag d = { "" };
	char byte;
	int err = embedded_start(&e, &d);

	for (int i = 1; i + 1 < argc && !err; i += 2)
		err = embedded_topic(e, argv[i], (uint32_t)strtoul(argv[i + 1], NULL, 10), &d);
	if (err) {
		fprintf(stderr, "mock_broker: %s\n", d.text);
		return 1;
	}
	printf("%s\n", embedded_bootstrap(e));
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	embedded_stop(e);
	return 0;
}
