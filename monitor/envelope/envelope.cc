/* envelope.cc -- see envelope.h. KServe: CloudEvents around the V1 or V2 protocol; Seldon Core 2: V2 bodies
 * in topics NAME.inputs and NAME.outputs, the request id as key; SageMaker: data capture and ground truth;
 * Debezium: change events of a table. */
#include "monitor/envelope/envelope.h"

#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

extern "C" {
#include "config/config.h"
#include "config/limits.h"
}
#include "monitor/envelope/rows.h"

using simdjson::dom::element;

struct envelope {
	const struct config *config;
	simdjson::dom::parser outer, inner;
	std::string text, id, ts, model, version, refused;
	std::string inner_text;
	envelope_rows rows;
	std::vector<std::string> out;
	bool passes, update;
};

namespace
{
constexpr size_t text_end = std::string_view::npos;

std::string_view
text_at(element root, std::string_view key)
{
	std::string_view s;
	return root.at_key(key).get(s) == simdjson::SUCCESS ? s : std::string_view();
}

bool
member(element of, std::string_view key, element &out)
{
	return of.at_key(key).get(out) == simdjson::SUCCESS;
}

struct headers {
	envelope_header_fn find;
	const void *of;

	std::string_view get(const char *name) const
	{
		const char *value;
		size_t length;
		return find != nullptr && find(of, name, &value, &length) ? std::string_view(value, length)
		                                                         : std::string_view();
	}
};

void
unwrap_data(envelope *e, element data)
{
	std::string_view text;

	/* A body that is no JSON object stands as a string. */
	if (data.get(text) == simdjson::SUCCESS) {
		e->inner_text.assign(text);
		if (e->inner.parse(e->inner_text).get(data) != simdjson::SUCCESS) {
			e->refused = "data is no JSON";
			return;
		}
	}
	envelope_model(data, e->model, e->version);
	if (e->id.empty())
		e->id.assign(text_at(data, "id"));
	e->refused = e->rows.read(data, e->config);
}

void
kserve(envelope *e, element root, const headers &h)
{
	element data = root;
	std::string_view type = h.get("ce_type");

	if (!type.empty()) { /* binary mode: attributes are headers, the value is the body */
		e->id.assign(h.get("ce_id"));
		e->ts.assign(h.get("ce_time"));
		e->model.assign(h.get("ce_inferenceservicename"));
	} else if (member(root, "specversion", data) && member(root, "data", data)) {
		type = text_at(root, "type");
		e->id.assign(text_at(root, "id"));
		e->ts.assign(text_at(root, "time"));
		e->model.assign(text_at(root, "inferenceservicename"));
	} else {
		e->passes = true;
		return;
	}
	unwrap_data(e, data);
	if (e->refused.empty() && e->rows.size() == 0)
		e->refused.assign("neither inputs nor outputs in a ").append(type.substr(0, 40));
}

/* The model of a topic NAMESPACE.model.NAME.inputs. */
std::string_view
model_of_topic(std::string_view topic)
{
	size_t at = topic.find(".model."), end = topic.rfind('.');

	return at == topic.npos || end <= at + 7 ? std::string_view() : topic.substr(at + 7, end - at - 7);
}

void
seldon(envelope *e, element root, const struct message *m, std::string_view topic)
{
	element any;

	if (!member(root, "inputs", any) && !member(root, "outputs", any)) {
		e->passes = true;
		return;
	}
	unwrap_data(e, root);
	if (m->key_length != 0)
		e->id.assign(reinterpret_cast<const char *>(m->key), m->key_length);
	if (std::string_view name = model_of_topic(topic); !name.empty())
		e->model.assign(name);
}

void
sagemaker(envelope *e, element root)
{
	element capture, meta, part;

	if (member(root, "eventMetadata", meta)) {
		std::string_view id = text_at(meta, "inferenceId");
		e->id.assign(id.empty() ? text_at(meta, "eventId") : id);
		e->ts.assign(text_at(meta, "inferenceTime"));
	}
	if (member(root, "groundTruthData", part)) {
		e->refused = e->rows.label(part);
	} else if (member(root, "captureData", capture)) {
		for (const char *which : { "endpointInput", "endpointOutput", "batchTransformInput",
		                           "batchTransformOutput" })
			if (e->refused.empty() && member(capture, which, part))
				e->refused = e->rows.captured(part, std::string_view(which).find("Input") != text_end,
				                              e->config, e->inner);
		if (e->refused.empty() && e->rows.size() == 0)
			e->refused = "captureData holds neither input nor output";
	} else {
		e->passes = true;
	}
}

void
debezium(envelope *e, element root)
{
	element payload = root, after, value;

	if (member(root, "payload", value) && value.is_object())
		payload = value;
	std::string_view op = text_at(payload, "op");
	if (op.empty()) {
		e->passes = true;
		return;
	}
	if (op == "d" || op == "t" || !member(payload, "after", after) || !after.is_object()) {
		e->refused = op == "d" ? "the row was deleted" : "no row behind the change";
		return;
	}
	e->update = op == "u";
	std::string row = simdjson::minify(after);
	bool timed = false;
	for (const char *name : { "ts", "timestamp", "event_time" })
		timed |= member(after, name, value);
	int64_t ms;
	if (!timed && (payload["source"]["ts_ms"].get(ms) == simdjson::SUCCESS ||
	               payload["ts_ms"].get(ms) == simdjson::SUCCESS))
		row.replace(row.size() - 1, 1, (row.size() > 2 ? ",\"ts\":" : "\"ts\":") + std::to_string(ms) + "}");
	e->out.push_back(row);
}

/* The rows that were found, each a record. */
void
write_rows(envelope *e)
{
	const size_t n = e->rows.size();

	if (n > LIMIT_ENVELOPE_ROWS) {
		e->refused = "more than " + std::to_string(LIMIT_ENVELOPE_ROWS) + " rows";
		return;
	}
	for (size_t i = 0; i < n; i++) {
		std::string row = "{";
		if (!e->id.empty())
			envelope_put(row, "id", n > 1 ? e->id + "/" + std::to_string(i) : e->id);
		if (!e->ts.empty())
			envelope_put(row, "ts", e->ts);
		if (!e->model.empty())
			envelope_put(row, "model", e->model);
		if (!e->version.empty())
			envelope_put(row, "version", e->version);
		e->rows.write(row, i);
		e->out.push_back(row + "}");
	}
}
} // namespace

extern "C" struct envelope *
envelope_create(const struct config *config)
{
	envelope *e = new (std::nothrow) envelope;

	if (e != nullptr)
		e->config = config;
	return e;
}

extern "C" void
envelope_destroy(struct envelope *e)
{
	delete e;
}

extern "C" uint32_t
envelope_unwrap(struct envelope *e, const struct message *m, const char *topic, envelope_header_fn header,
                const void *of)
{
	const headers h = { header, of };
	element root;

	for (std::string *s : { &e->id, &e->ts, &e->model, &e->version, &e->refused })
		s->clear();
	e->out.clear();
	e->rows.clear();
	e->passes = e->update = false;
	if (m->value == nullptr || m->value_length > LIMIT_RECORD_BYTES) {
		e->passes = true; /* refused as always */
		return 1;
	}
	e->text.assign(reinterpret_cast<const char *>(m->value), m->value_length);
	if (e->outer.parse(e->text).get(root) != simdjson::SUCCESS || !root.is_object()) {
		e->passes = true;
		return 1;
	}
	switch (e->config->format) {
	case FORMAT_DRIFTD:
		e->passes = true;
		break;
	case FORMAT_KSERVE:
		kserve(e, root, h);
		break;
	case FORMAT_SELDON_V2:
		seldon(e, root, m, topic);
		break;
	case FORMAT_SAGEMAKER:
		sagemaker(e, root);
		break;
	case FORMAT_DEBEZIUM:
		debezium(e, root);
		break;
	}
	if (!e->passes && e->refused.empty() && e->out.empty())
		write_rows(e);
	if (!e->passes && e->refused.empty() && e->out.empty())
		e->refused = "an empty batch";
	return e->passes || !e->refused.empty() ? 1 : static_cast<uint32_t>(e->out.size());
}

extern "C" struct envelope_record
envelope_get(const struct envelope *e, uint32_t i)
{
	struct envelope_record r = { nullptr, 0, nullptr, e->update };

	if (!e->refused.empty())
		r.refused = e->refused.c_str();
	else if (!e->passes) {
		r.text = e->out[i].data();
		r.length = e->out[i].size();
	}
	return r;
}
