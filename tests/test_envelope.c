/* test_envelope.c -- messages as other systems write them become records of ours. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/envelope/envelope.h"
#include "tests/tests.h"

struct wrap {
	struct config *config;
	struct envelope *e;
	const char *const *header; /* name, value, ..., NULL */
	uint32_t n;
};

static void
wrap_open(struct wrap *w, const char *topics)
{
	char text[512];
	struct diag d = { "" };

	snprintf(text, sizeof text, "kafka: {brokers: embedded}\ntopics: {records: [r], %s}\n", topics);
	*w = (struct wrap){ 0 };
	if (config_parse(&w->config, text, strlen(text), "test", NULL, &d))
		fail_msg("%s", d.text);
	w->e = envelope_create(w->config);
}

static void
wrap_close(struct wrap *w)
{
	envelope_destroy(w->e);
	config_free(w->config);
}

static bool
find(const void *of, const char *name, const char **value, size_t *length)
{
	const struct wrap *w = of;

	for (size_t i = 0; w->header && w->header[i]; i += 2)
		if (!strcmp(w->header[i], name)) {
			*value = w->header[i + 1];
			*length = strlen(*value);
			return true;
		}
	return false;
}

static void
give(struct wrap *w, const char *topic, const char *key, const char *value)
{
	struct message m = { .key = (const uint8_t *)key, .key_length = key ? strlen(key) : 0,
		             .value = (const uint8_t *)value, .value_length = strlen(value) };

	w->n = envelope_unwrap(w->e, &m, topic, find, w);
}

static void
expect(const struct wrap *w, uint32_t i, const char *text)
{
	struct envelope_record r = envelope_get(w->e, i);

	if (r.refused || !r.text)
		fail_msg("%s, wanted %s", r.refused ? r.refused : "passed through", text);
	assert_int_equal(r.length, strlen(text));
	assert_memory_equal(r.text, text, r.length);
}

static void
refused(const struct wrap *w, const char *why)
{
	struct envelope_record r = envelope_get(w->e, 0);

	assert_int_equal(w->n, 1);
	assert_non_null(r.refused);
	assert_string_equal(r.refused, why);
}

/* Binary mode, as Knative's Kafka broker writes what the logger of an InferenceService sends. */
static void
kserve_events_become_rows(void **state)
{
	static const char *const request[] = { "ce_specversion", "1.0", "ce_id", "0009f3cb", "ce_type",
		"org.kubeflow.serving.inference.request", "ce_inferenceservicename", "sklearn-iris",
		"ce_namespace", "default", "ce_time", "2026-11-02T10:00:00.5Z", NULL };
	static const char *const response[] = { "ce_id", "0009f3cb", "ce_type",
		"org.kubeflow.serving.inference.response", "ce_inferenceservicename", "sklearn-iris", NULL };
	struct wrap w;
	(void)state;

	wrap_open(&w, "format: kserve, columns: [length, width]");
	w.header = request;
	give(&w, "r", NULL, "{\"instances\": [[6.8, 2.8], [6.0, 3.4]]}");
	assert_int_equal(w.n, 2);
	expect(&w, 0, "{\"id\":\"0009f3cb/0\",\"ts\":\"2026-11-02T10:00:00.5Z\",\"model\":\"sklearn-iris\","
	              "\"features\":{\"length\":6.8,\"width\":2.8}}");
	expect(&w, 1, "{\"id\":\"0009f3cb/1\",\"ts\":\"2026-11-02T10:00:00.5Z\",\"model\":\"sklearn-iris\","
	              "\"features\":{\"length\":6.0,\"width\":3.4}}");
	w.header = response;
	give(&w, "r", NULL, "{\"predictions\": [1, 2]}");
	assert_int_equal(w.n, 2);
	expect(&w, 1, "{\"id\":\"0009f3cb/1\",\"model\":\"sklearn-iris\",\"prediction\":2}");
	give(&w, "r", NULL, "{\"predictions\": [[0.1, 0.9]]}");
	expect(&w, 0, "{\"id\":\"0009f3cb\",\"model\":\"sklearn-iris\",\"prediction\":{\"probs\":[0.1,0.9]}}");
	give(&w, "r", NULL, "{\"error\": \"no\"}");
	refused(&w, "neither inputs nor outputs in a org.kubeflow.serving.inference.response");
	w.header = NULL;
	give(&w, "r", NULL, "{\"specversion\":\"1.0\",\"type\":\"org.kubeflow.serving.inference.request\",\"id\":\"a\","
	     "\"inferenceservicename\":\"m\",\"data\":{\"instances\":[{\"age\":3,\"town\":\"Delft\"}]}}");
	expect(&w, 0, "{\"id\":\"a\",\"model\":\"m\",\"features\":{\"age\":3,\"town\":\"Delft\"}}");
	give(&w, "r", NULL, "{\"id\":\"a\",\"label\":\"good\"}");
	assert_null(envelope_get(w.e, 0).text);
	wrap_close(&w);
}

static void
seldon_tensors_become_rows(void **state)
{
	struct wrap w;
	(void)state;

	wrap_open(&w, "format: seldon-v2");
	give(&w, "seldon.default.model.income.inputs", "cdeb7a",
	     "{\"inputs\":[{\"name\":\"age\",\"shape\":[2,1],\"datatype\":\"INT64\",\"data\":[31,47]},"
	     "{\"name\":\"job\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"nurse\",\"cook\"]}]}");
	assert_int_equal(w.n, 2);
	expect(&w, 1, "{\"id\":\"cdeb7a/1\",\"model\":\"income\",\"features\":{\"age\":47,\"job\":\"cook\"}}");
	give(&w, "seldon.default.model.income.outputs", "cdeb7a",
	     "{\"model_name\":\"income_1\",\"model_version\":\"1\",\"id\":\"cdeb7a\",\"outputs\":["
	     "{\"name\":\"predict\",\"shape\":[2,1],\"datatype\":\"INT64\",\"data\":[0,1]},"
	     "{\"name\":\"predict_proba\",\"shape\":[2,2],\"datatype\":\"FP64\",\"data\":[[0.9,0.1],[0.2,0.8]]}]}");
	assert_int_equal(w.n, 2);
	expect(&w, 1, "{\"id\":\"cdeb7a/1\",\"model\":\"income\",\"version\":\"1\",\"prediction\":{\"class\":1,"
	              "\"probs\":[0.2,0.8]}}");
	give(&w, "t", "k", "{\"inputs\":[{\"name\":\"x\",\"shape\":[3],\"datatype\":\"FP32\",\"data\":[1,2]}]}");
	refused(&w, "shapes and numbers of values do not agree");
	wrap_close(&w);
}

static void
sagemaker_captures_become_rows(void **state)
{
	struct wrap w;
	(void)state;

	wrap_open(&w, "format: sagemaker-capture, columns: [age, town]");
	give(&w, "r", NULL, "{\"captureData\":{\"endpointInput\":{\"observedContentType\":\"text/csv\",\"mode\":\"INPUT\","
	     "\"data\":\"31,\\\"Den Haag\\\"\\n,Delft\\n\",\"encoding\":\"CSV\"},\"endpointOutput\":{"
	     "\"observedContentType\":\"text/csv; charset=utf-8\",\"mode\":\"OUTPUT\",\"data\":\"0.0254\\n.5\\n\","
	     "\"encoding\":\"CSV\"}},\"eventMetadata\":{\"eventId\":\"aaaa-bbbb\",\"inferenceTime\":"
	     "\"2026-11-02T10:00:00Z\"},\"eventVersion\":\"0\"}");
	assert_int_equal(w.n, 2);
	expect(&w, 0, "{\"id\":\"aaaa-bbbb/0\",\"ts\":\"2026-11-02T10:00:00Z\",\"features\":{\"age\":31,\"town\":"
	              "\"Den Haag\"},\"prediction\":0.025399999999999999}");
	expect(&w, 1, "{\"id\":\"aaaa-bbbb/1\",\"ts\":\"2026-11-02T10:00:00Z\",\"features\":{\"age\":null,\"town\":"
	              "\"Delft\"},\"prediction\":0.5}");
	give(&w, "r", NULL, "{\"captureData\":{\"endpointInput\":{\"observedContentType\":\"application/json\","
	     "\"data\":\"eyJpbnN0YW5jZXMiOiBbWzEsIDJdXX0=\",\"encoding\":\"BASE64\"},\"endpointOutput\":{\"data\":"
	     "\"{\\\"predictions\\\": [[0.3, 0.7]]}\",\"encoding\":\"JSON\"}},\"eventMetadata\":{\"eventId\":\"e\","
	     "\"inferenceId\":\"i7\"}}");
	expect(&w, 0, "{\"id\":\"i7\",\"features\":{\"age\":1,\"town\":2},\"prediction\":{\"probs\":[0.3,0.7]}}");
	give(&w, "r", NULL, "{\"groundTruthData\":{\"data\":\"1\",\"encoding\":\"CSV\"},\"eventMetadata\":{\"eventId\":"
	     "\"aaaa-bbbb\"},\"eventVersion\":\"0\"}");
	expect(&w, 0, "{\"id\":\"aaaa-bbbb\",\"label\":1}");
	give(&w, "r", NULL, "{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"e\"}}");
	refused(&w, "captureData holds neither input nor output");
	wrap_close(&w);
}

static void
debezium_changes_become_records(void **state)
{
	struct wrap w;
	(void)state;

	wrap_open(&w, "format: debezium");
	give(&w, "r", NULL, "{\"schema\":{},\"payload\":{\"before\":null,\"after\":{\"id\":7,\"income\":51000.5,"
	     "\"y_pred\":\"good\"},\"source\":{\"connector\":\"postgresql\",\"ts_ms\":1700000000123,\"table\":\"p\"},"
	     "\"op\":\"c\",\"ts_ms\":1700000000200}}");
	expect(&w, 0, "{\"id\":7,\"income\":51000.5,\"y_pred\":\"good\",\"ts\":1700000000123}");
	assert_false(envelope_get(w.e, 0).update);
	give(&w, "r", NULL, "{\"before\":{\"id\":7},\"after\":{\"id\":7,\"ts\":5,\"label\":\"bad\"},\"op\":\"u\",\"ts_ms\":9}");
	expect(&w, 0, "{\"id\":7,\"ts\":5,\"label\":\"bad\"}");
	assert_true(envelope_get(w.e, 0).update);
	give(&w, "r", NULL, "{\"before\":{\"id\":7},\"after\":null,\"op\":\"d\",\"ts_ms\":9}");
	refused(&w, "the row was deleted");
	wrap_close(&w);
}

static void
hostile_envelopes_never_crash(void **state)
{
	static const char *const formats[] = { "kserve", "seldon-v2", "sagemaker-capture", "debezium" };
	static const char *const seeds[] = {
		"{\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],\"data\":[[1,2],[3,4]]}],\"outputs\":[{\"name\":\"y\",\"data\":[1]}]}",
		"{\"captureData\":{\"endpointInput\":{\"data\":\"1,\\\"a\\\"\\n2,b\",\"encoding\":\"CSV\"}},\"eventMetadata\":{}}",
		"{\"payload\":{\"op\":\"u\",\"after\":{\"id\":[1,{}]},\"source\":{\"ts_ms\":1}}}",
		"{\"specversion\":\"1.0\",\"data\":{\"instances\":[[1,[2]],{\"a\":1},3,\"x\",null]}}",
	};
	uint64_t draw = 1;
	(void)state;

	for (size_t f = 0; f < 4; f++) {
		char topics[64], text[256];
		struct wrap w;

		snprintf(topics, sizeof topics, "format: %s", formats[f]);
		wrap_open(&w, topics);
		for (int i = 0; i < 20000; i++) {
			size_t length = strlen(seeds[i % 4]);

			memcpy(text, seeds[i % 4], length + 1);
			for (int k = 0; k < i % 5; k++) {
				draw = draw * 6364136223846793005u + 1442695040888963407u;
				text[(draw >> 33) % length] = "{}[]\",:0-e\\x"[(draw >> 20) % 12];
			}
			give(&w, "a.model.b.inputs", "k", text);
			for (uint32_t r = 0; r < w.n; r++)
				(void)envelope_get(w.e, r);
		}
		wrap_close(&w);
	}
}

const struct CMUnitTest envelope_tests[] = {
	TEST("envelope/kserve_events_become_rows", kserve_events_become_rows),
	TEST("envelope/seldon_tensors_become_rows", seldon_tensors_become_rows),
	TEST("envelope/sagemaker_captures_become_rows", sagemaker_captures_become_rows),
	TEST("envelope/debezium_changes_become_records", debezium_changes_become_records),
	TEST("envelope/hostile_envelopes_never_crash", hostile_envelopes_never_crash),
	TESTS_END,
};
