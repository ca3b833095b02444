/* floor.cc -- simdjson On-Demand over every key, nothing else. See floor.h. */
#include "tests/bench/floor.h"

#include <cmath>
#include <cstring>
#include <new>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <simdjson.h>
#pragma GCC diagnostic pop

using namespace simdjson;

struct floor_parser {
	ondemand::parser parser;
	char *text = nullptr;
	size_t size = 0;
};

extern "C" struct floor_parser *
floor_create(void)
{
	return new (std::nothrow) floor_parser;
}

extern "C" void
floor_destroy(struct floor_parser *p)
{
	if (p)
		delete[] p->text;
	delete p;
}

static double
visit(ondemand::value v)
{
	ondemand::json_type type;
	double sum = 0;

	if (v.type().get(type))
		return NAN;
	if (type == ondemand::json_type::number) {
		if (v.get_double().get(sum))
			return NAN;
	} else if (type == ondemand::json_type::string) {
		std::string_view s;

		if (v.get_string().get(s))
			return NAN;
		sum = static_cast<double>(s.size());
	} else if (type == ondemand::json_type::object) {
		ondemand::object object;

		if (v.get_object().get(object))
			return NAN;
		for (auto result : object) {
			ondemand::field field;
			std::string_view key;

			if (std::move(result).get(field) || field.unescaped_key().get(key))
				return NAN;
			sum += static_cast<double>(key.size()) + visit(field.value());
		}
	} else if (type == ondemand::json_type::array) {
		ondemand::array array;

		if (v.get_array().get(array))
			return NAN;
		for (auto result : array) {
			ondemand::value element;

			if (std::move(result).get(element))
				return NAN;
			sum += visit(element);
		}
	}
	return sum;
}

extern "C" double
floor_parse(struct floor_parser *p, const char *text, size_t length)
{
	ondemand::document document;
	ondemand::value root;

	if (length + SIMDJSON_PADDING > p->size) {
		delete[] p->text;
		p->size = 2 * (length + SIMDJSON_PADDING);
		p->text = new (std::nothrow) char[p->size];
		if (!p->text)
			return NAN;
	}
	memcpy(p->text, text, length);
	if (p->parser.iterate(p->text, length, p->size).get(document) || document.get_value().get(root))
		return NAN;
	return visit(root);
}
