/* rows.cc -- see rows.h. */
#include "monitor/envelope/rows.h"

#include <cmath>
#include <cstdlib>

extern "C" {
#include "config/config.h"
#include "config/limits.h"
}

using simdjson::dom::array;
using simdjson::dom::element;

namespace
{
/* Sums of probabilities may be off by this much, as in records. */
constexpr double sum_tolerance = 1e-3;

void
put_quoted(std::string &out, std::string_view text)
{
	static const char digit[] = "0123456789abcdef";

	out += '"';
	for (char c : text) {
		if (c == '"' || c == '\\') {
			out += '\\';
			out += c;
		} else if (static_cast<unsigned char>(c) < 0x20) {
			out += "\\u00";
			out += digit[c >> 4 & 15];
			out += digit[c & 15];
		} else {
			out += c;
		}
	}
	out += '"';
}

void
put_name(std::string &out, std::string_view name)
{
	if (!out.empty() && out.back() != '{')
		out += ',';
	put_quoted(out, name);
	out += ':';
}

std::string
column(const struct config *c, size_t i)
{
	return i < c->columns.n ? c->columns.text[i] : "f" + std::to_string(i);
}

bool
is_number(const std::string &s)
{
	char *end;

	if (s.empty() || s.find_first_not_of("0123456789+-.eE") != s.npos)
		return false;
	return std::isfinite(std::strtod(s.c_str(), &end)) && *end == '\0';
}

/* A cell of CSV as JSON: a number, null, or a text. */
std::string
cell(std::string text)
{
	std::string out;

	if (text.empty())
		return "null";
	if (is_number(text)) { /* JSON knows neither +1 nor 01 nor .5 */
		char number[32];
		snprintf(number, sizeof number, "%.17g", std::strtod(text.c_str(), nullptr));
		return text.find_first_of(".eE+") == text.npos && text[text[0] == '-'] != '0' && text.size() < 16
		               ? text : number;
	}
	put_quoted(out, text);
	return out;
}

bool
is_distribution(const std::vector<std::string> &value)
{
	double sum = 0;

	for (const std::string &v : value) {
		double x = is_number(v) ? std::strtod(v.c_str(), nullptr) : -1;
		if (x < 0 || x > 1)
			return false;
		sum += x;
	}
	return value.size() > 1 && std::fabs(sum - 1) <= sum_tolerance;
}

std::string
list(const std::vector<std::string> &value)
{
	std::string out = "[";

	for (const std::string &v : value)
		out.append(out.size() > 1 ? "," : "").append(v);
	return out + "]";
}

void
flatten(element e, std::vector<element> &out)
{
	array a;

	if (e.get(a) != simdjson::SUCCESS) {
		out.push_back(e);
		return;
	}
	for (element child : a)
		flatten(child, out);
}

/* False: it is not base 64. */
bool
base64_bytes(std::string_view text, std::string &out)
{
	uint32_t bits = 0, n = 0;

	out.clear();
	for (char c : text) {
		int v = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ?
		        c - '0' + 52 : c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
		if (c == '=')
			break;
		if (v < 0)
			return false;
		bits = bits << 6 | static_cast<uint32_t>(v);
		if (++n % 4 != 1)
			out += static_cast<char>(bits >> (3 - (n - 1) % 4) * 2);
	}
	return true;
}

std::vector<std::string>
texts(element e)
{
	std::vector<element> leaf;
	std::vector<std::string> out;

	flatten(e, leaf);
	for (element l : leaf)
		out.push_back(simdjson::minify(l));
	return out;
}

/* Where an output of that name stands in a prediction; "" elsewhere. */
std::string_view
place_of(std::string_view name, size_t width)
{
	static const struct {
		const char *name, *place;
		bool wide;
	} known[] = {
		{ "class", "class", false }, { "label", "class", false }, { "value", "value", false },
		{ "lower", "lower", false }, { "upper", "upper", false }, { "level", "level", false },
		{ "score", "score", false }, { "probs", "probs", true }, { "probabilities", "probs", true },
		{ "predict_proba", "probs", true }, { "logits", "logits", true },
	};

	for (const auto &k : known)
		if (name == k.name && k.wide == (width > 1))
			return k.place;
	return {};
}
} // namespace

void
envelope_put(std::string &out, std::string_view name, std::string_view text)
{
	put_name(out, name);
	put_quoted(out, text);
}

void
envelope_model(element body, std::string &model, std::string &version)
{
	std::string_view s;

	if (model.empty() && body["model_name"].get(s) == simdjson::SUCCESS)
		model.assign(s);
	if (version.empty() && body["model_version"].get(s) == simdjson::SUCCESS)
		version.assign(s);
}

void
envelope_rows::clear()
{
	inputs.clear();
	outputs.clear();
}

void
envelope_rows::write(std::string &out, size_t i) const
{
	if (i < inputs.size()) {
		put_name(out, "features");
		out += "{" + inputs[i] + "}";
	}
	if (i < outputs.size() && !outputs[i].empty())
		out.append(out.back() == '{' ? "" : ",").append(outputs[i]);
}

void
envelope_rows::instance(element row, const struct config *c)
{
	std::string out;
	simdjson::dom::object object;

	if (row.get(object) == simdjson::SUCCESS) {
		for (auto field : object) {
			put_name(out, field.key);
			out += simdjson::minify(field.value);
		}
	} else {
		const std::vector<std::string> value = texts(row);
		for (size_t i = 0; i < value.size(); i++) {
			put_name(out, column(c, i));
			out += value[i];
		}
	}
	inputs.push_back(out);
}

/* A row of one output whose meaning nobody has told. */
void
envelope_rows::numbers_or_texts(const std::vector<std::string> &value)
{
	if (value.size() == 1)
		outputs.push_back("\"prediction\":" + value[0]);
	else if (is_distribution(value))
		outputs.push_back("\"prediction\":{\"probs\":" + list(value) + "}");
	else
		outputs.push_back("\"logits\":" + list(value));
}

void
envelope_rows::prediction(element row)
{
	if (row.is_object())
		outputs.push_back("\"prediction\":" + std::string(simdjson::minify(row)));
	else
		numbers_or_texts(texts(row));
}

/* Tensors of the V2 protocol: the first dimension counts rows. */
std::string
envelope_rows::tensors(array list_of, bool input, const struct config *c)
{
	struct output {
		std::string_view place;
		std::vector<std::string> value;
		size_t width;
	};
	std::vector<output> out;
	size_t rows = 0, count = list_of.size(), at = 0;

	for (element tensor : list_of) {
		element data;
		array shape;
		std::string_view name;
		uint64_t n;
		if (tensor["data"].get(data) != simdjson::SUCCESS || tensor["name"].get(name) != simdjson::SUCCESS)
			return "a tensor without name or data";
		output o = { {}, texts(data), 1 };
		if (tensor["shape"].get(shape) != simdjson::SUCCESS || shape.size() == 0 ||
		    shape.at(0).get(n) != simdjson::SUCCESS)
			n = o.value.size();
		if (n == 0 || n > LIMIT_ENVELOPE_ROWS || o.value.size() % n != 0 || (rows != 0 && n != rows))
			return "shapes and numbers of values do not agree";
		rows = n;
		o.width = o.value.size() / n;
		if (input) {
			inputs.resize(rows);
			for (size_t i = 0; i < o.value.size(); i++) {
				std::string &row = inputs[i / o.width];
				if (o.width == 1)
					put_name(row, name);
				else
					put_name(row, count == 1 ? column(c, i % o.width)
					                         : std::string(name) + "_" + std::to_string(i % o.width));
				row += o.value[i];
			}
			continue;
		}
		o.place = place_of(name, o.width);
		out.push_back(o);
		at++;
	}
	for (size_t r = 0; r < rows && !input; r++) {
		std::string object, beside;
		bool bare = false;
		for (const output &o : out) {
			const auto first = o.value.begin() + static_cast<std::ptrdiff_t>(r * o.width);
			const std::vector<std::string> v(first, first + static_cast<std::ptrdiff_t>(o.width));
			std::string_view place = o.place;
			if (place.empty() && o.width > 1)
				place = is_distribution(v) ? "probs" : "logits";
			else if (place.empty() && !bare) {
				bare = true;
				place = v[0][0] == '"' || out.size() > 1 ? "class" : "value";
			} else if (place.empty())
				continue;
			std::string &to = place == "logits" ? beside : object;
			put_name(to, place);
			to += o.width > 1 ? list(v) : v[0];
		}
		std::string row = object.empty() ? "" : "\"prediction\":{" + object + "}";
		if (!beside.empty())
			row.append(row.empty() ? "" : ",").append(beside);
		outputs.push_back(row);
	}
	return {};
}

std::string
envelope_rows::read(element body, const struct config *c)
{
	array rows;
	std::string why;

	if (body["instances"].get(rows) == simdjson::SUCCESS)
		for (element row : rows)
			instance(row, c);
	else if (body["inputs"].get(rows) == simdjson::SUCCESS)
		why = tensors(rows, true, c);
	if (why.empty() && body["predictions"].get(rows) == simdjson::SUCCESS)
		for (element row : rows)
			prediction(row);
	else if (why.empty() && body["outputs"].get(rows) == simdjson::SUCCESS)
		why = tensors(rows, false, c);
	return why;
}

/* CSV, a row a line; quotes as in RFC 4180. */
std::string
envelope_rows::lines(std::string_view text, bool input, const struct config *c)
{
	std::vector<std::string> row;
	std::string value;
	bool quoted = false;

	for (size_t i = 0; i <= text.size(); i++) {
		const char ch = i < text.size() ? text[i] : '\n';
		if (quoted && ch == '"' && i + 1 < text.size() && text[i + 1] == '"') {
			value += '"';
			i++;
		} else if (ch == '"' && i < text.size()) {
			quoted = !quoted;
		} else if (!quoted && (ch == ',' || ch == '\n')) {
			while (!value.empty() && (value.back() == ' ' || value.back() == '\r'))
				value.pop_back();
			value.erase(0, value.find_first_not_of(' ') == value.npos ? 0 : value.find_first_not_of(' '));
			if (ch == '\n' && row.empty() && value.empty())
				continue; /* an empty line */
			row.push_back(cell(value));
			value.clear();
			if (ch == ',')
				continue;
			if (input) {
				std::string out;
				for (size_t k = 0; k < row.size(); k++) {
					put_name(out, column(c, k));
					out += row[k];
				}
				inputs.push_back(out);
			} else {
				numbers_or_texts(row);
			}
			row.clear();
		} else {
			value += ch;
		}
	}
	return quoted ? "a quote of the CSV has no end" : "";
}

/* A JSON body of no known protocol: a list of rows, or one row. */
void
envelope_rows::values(element body, bool input, const struct config *c)
{
	array rows;
	element first;

	if (body.get(rows) == simdjson::SUCCESS && rows.at(0).get(first) == simdjson::SUCCESS &&
	    (first.is_array() || first.is_object())) {
		for (element row : rows)
			input ? instance(row, c) : prediction(row);
	} else if (input) {
		instance(body, c);
	} else {
		prediction(body);
	}
}

std::string
envelope_rows::captured(element part, bool input, const struct config *c, simdjson::dom::parser &parser)
{
	std::string_view data, encoding, type;
	element body;

	if (part["data"].get(data) != simdjson::SUCCESS)
		return "captured data is no text";
	if (part["encoding"].get(encoding) != simdjson::SUCCESS)
		encoding = "CSV";
	if (part["observedContentType"].get(type) != simdjson::SUCCESS)
		type = "";
	kept.assign(data);
	if (encoding == "BASE64" && !base64_bytes(data, kept))
		return "captured data is not base 64";
	const bool json = encoding == "JSON" || (encoding == "BASE64" && type.find("json") != type.npos);
	if (!json)
		return lines(kept, input, c);
	if (parser.parse(kept).get(body) != simdjson::SUCCESS)
		return "captured data is no JSON";
	const size_t before = input ? inputs.size() : outputs.size();
	if (body.is_object())
		if (std::string why = read(body, c); !why.empty())
			return why;
	if ((input ? inputs.size() : outputs.size()) == before)
		values(body, input, c);
	return {};
}

std::string
envelope_rows::label(element part)
{
	std::string_view data;

	if (part["data"].get(data) != simdjson::SUCCESS)
		return "ground truth is no text";
	outputs.push_back("\"label\":" + cell(std::string(data)));
	return {};
}
