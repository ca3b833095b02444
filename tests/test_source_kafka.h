/* test_source_kafka.h -- tests of the Kafka source against librdkafka's mock cluster in this
 * process; listed in the table of test_source.c. */
#ifndef TESTS_TEST_SOURCE_KAFKA_H
#define TESTS_TEST_SOURCE_KAFKA_H

void kafka_resumes_exactly(void **state);
void kafka_gap_is_reported(void **state);
void kafka_other_anchor_is_reported(void **state);
void kafka_truncation_is_reported(void **state);
void kafka_errors_are_survived(void **state);
void kafka_tombstones_and_keys(void **state);
void kafka_topics_are_waited_for(void **state);
void kafka_embedded_has_its_topics(void **state);
void kafka_merge_is_one_sequence(void **state);
void kafka_broker_that_is_away(void **state);
void kafka_properties_are_checked(void **state);

#endif
