/* rows.h -- rows of a batch: inputs become features, outputs predictions. Used by envelope.cc alone. */
#ifndef MONITOR_ENVELOPE_ROWS_H
#define MONITOR_ENVELOPE_ROWS_H

#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

struct config;

/* Appends "name":"text" with a comma where one is needed. */
void envelope_put(std::string &out, std::string_view name, std::string_view text);
/* model_name and model_version of a V2 body, where nothing better is known. */
void envelope_model(simdjson::dom::element body, std::string &model, std::string &version);

class envelope_rows
{
public:
	void clear();
	size_t size() const { return inputs.size() > outputs.size() ? inputs.size() : outputs.size(); }
	/* A body of the V1 or V2 protocol. "", or why not; likewise below. */
	std::string read(simdjson::dom::element body, const struct config *c);
	/* endpointInput or endpointOutput; groundTruthData. */
	std::string captured(simdjson::dom::element part, bool input, const struct config *c,
	                     simdjson::dom::parser &parser);
	std::string label(simdjson::dom::element part);
	/* Appends the members of row i. */
	void write(std::string &out, size_t i) const;

private:
	std::vector<std::string> inputs;  /* members of "features", without braces */
	std::vector<std::string> outputs; /* members of the record */
	std::string kept;                 /* what a nested document points into */

	void instance(simdjson::dom::element row, const struct config *c);
	void prediction(simdjson::dom::element row);
	void numbers_or_texts(const std::vector<std::string> &value);
	std::string tensors(simdjson::dom::array list, bool input, const struct config *c);
	std::string lines(std::string_view text, bool input, const struct config *c);
	void values(simdjson::dom::element body, bool input, const struct config *c);
};

#endif
