/* kafka_admin.c -- what tests do to topics of a real broker.
 *
 *   kafka_admin BROKERS create TOPIC PARTITIONS [NAME=VALUE ...]
 *   kafka_admin BROKERS delete TOPIC
 *   kafka_admin BROKERS grow TOPIC PARTITIONS          partitions in all
 *   kafka_admin BROKERS truncate TOPIC PARTITION OFFSET  records before OFFSET are deleted
 *   kafka_admin BROKERS committed GROUP TOPIC PARTITION  prints the committed offset
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

enum { PATIENCE_MS = 30000 };

static rd_kafka_t *client;
static char text[512];

static int
complain(const char *what, const char *why)
{
	fprintf(stderr, "kafka_admin: %s: %s\n", what, why);
	return 1;
}

/* Waits for the answer of an admin request and prints its first error. */
static int
answer(rd_kafka_queue_t *queue, const char *what)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);
	const rd_kafka_topic_result_t **topics = NULL;
	size_t n = 0;
	int status = 0;

	if (!event)
		return complain(what, "no answer");
	if (rd_kafka_event_error(event))
		status = complain(what, rd_kafka_event_error_string(event));
	else if (rd_kafka_event_CreateTopics_result(event))
		topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	else if (rd_kafka_event_DeleteTopics_result(event))
		topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
	else if (rd_kafka_event_CreatePartitions_result(event))
		topics = rd_kafka_CreatePartitions_result_topics(
			rd_kafka_event_CreatePartitions_result(event), &n);
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_topic_result_error(topics[i]))
			status = complain(what, rd_kafka_topic_result_error_string(topics[i]));
	rd_kafka_event_destroy(event);
	return status;
}

static int
create(rd_kafka_queue_t *queue, int argc, char **argv)
{
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(argv[0], atoi(argv[1]), 1, text, sizeof text);

	if (!topic)
		return complain("create", text);
	for (int i = 2; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		if (!equals)
			return complain(argv[i], "is not NAME=VALUE");
		*equals = 0;
		rd_kafka_NewTopic_set_config(topic, argv[i], equals + 1);
	}
	rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
	rd_kafka_NewTopic_destroy(topic);
	return answer(queue, "create");
}

static int
delete(rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[0]);

	rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
	rd_kafka_DeleteTopic_destroy(topic);
	return answer(queue, "delete");
}

static int
grow(rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_NewPartitions_t *more =
		rd_kafka_NewPartitions_new(argv[0], (size_t)atoi(argv[1]), text, sizeof text);

	if (!more)
		return complain("grow", text);
	rd_kafka_CreatePartitions(client, &more, 1, NULL, queue);
	rd_kafka_NewPartitions_destroy(more);
	return answer(queue, "grow");
}

static int
cut(rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))->offset = atoll(argv[2]);
	rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(client, &records, 1, NULL, queue);
	rd_kafka_DeleteRecords_destroy(records);
	rd_kafka_topic_partition_list_destroy(list);
	return answer(queue, "truncate");
}

static int
committed(char **argv)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]));
	const rd_kafka_resp_err_t err = rd_kafka_committed(client, list, PATIENCE_MS);
	printf("%" PRId64 "\n", list->elems[0].offset);
	rd_kafka_topic_partition_list_destroy(list);
	return err ? complain("committed", rd_kafka_err2str(err)) : 0;
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *verb = argc > 3 ? argv[2] : "";
	int status;

	if (argc < 4)
		return complain("usage", "BROKERS create|delete|grow|truncate|committed ...");
	const bool reads = !strcmp(verb, "committed");
	rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], NULL, 0);
	if (reads)
		rd_kafka_conf_set(conf, "group.id", argv[3], NULL, 0);
	client = rd_kafka_new(reads ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof text);
	if (!client)
		return complain("client", text);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	if (!strcmp(verb, "create") && argc >= 5)
		status = create(queue, argc - 3, argv + 3);
	else if (!strcmp(verb, "delete"))
		status = delete(queue, argv + 3);
	else if (!strcmp(verb, "grow") && argc == 5)
		status = grow(queue, argv + 3);
	else if (!strcmp(verb, "truncate") && argc == 6)
		status = cut(queue, argv + 3);
	else if (reads && argc == 6)
		status = committed(argv + 4);
	else
		status = complain(verb, "is not a command with these arguments");
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
	return status;
}
