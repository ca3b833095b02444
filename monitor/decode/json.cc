/* json.cc -- simdjson behind json.h. Written against simdjson 3.0: structural_indexes of the parser
 * implementation and numberparsing::compute_float_64 are its internals, stable through 3.x. */
#include "monitor/decode/json.h"

#include <memory>
#include <new>

#include <simdjson.h>

namespace
{
/* Most records are below this; larger ones grow the index once. */
constexpr size_t first_capacity = 65536;
constexpr size_t dom_depth = 1024;

enum json_status
status(simdjson::error_code error)
{
	switch (error) {
	case simdjson::SUCCESS:
		return JSON_FINE;
	case simdjson::EMPTY:
		return JSON_EMPTY;
	case simdjson::UTF8_ERROR:
		return JSON_UTF8;
	case simdjson::UNESCAPED_CHARS:
		return JSON_CONTROL;
	case simdjson::UNCLOSED_STRING:
		return JSON_UNCLOSED;
	case simdjson::MEMALLOC:
		return JSON_MEMORY;
	default:
		return JSON_OTHER;
	}
}
} // namespace

struct json {
	std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
	std::unique_ptr<simdjson::dom::parser> dom; /* made when the first record is refused */
	size_t capacity = 0;
};

struct json *
json_create(void)
{
	struct json *j = new (std::nothrow) json;
	if (j == nullptr)
		return nullptr;
	const simdjson::implementation *best = simdjson::get_active_implementation();
	if (best->create_dom_parser_implementation(first_capacity, 1, j->parser) !=
	    simdjson::SUCCESS) {
		delete j;
		return nullptr;
	}
	j->capacity = first_capacity;
	return j;
}

void
json_destroy(struct json *j)
{
	delete j;
}

size_t
json_bytes(const struct json *j)
{
	return sizeof(*j) + j->capacity * sizeof(uint32_t);
}

enum json_status
json_index(struct json *j, const char *text, size_t length, const uint32_t **token,
           uint32_t *tokens)
{
	if (length > j->capacity) {
		size_t capacity = j->capacity;
		while (capacity < length)
			capacity *= 2;
		if (j->parser->set_capacity(capacity) != simdjson::SUCCESS)
			return JSON_MEMORY;
		j->capacity = capacity;
	}
	simdjson::error_code error =
		j->parser->stage1(reinterpret_cast<const uint8_t *>(text), length,
	                          simdjson::stage1_mode::regular);
	*token = j->parser->structural_indexes.get();
	*tokens = j->parser->n_structural_indexes;
	return status(error);
}

bool
json_decimal(uint64_t digits, int64_t exponent, bool negative, double *value)
{
	namespace numbers = simdjson::builtin::numberparsing;
	if (digits == 0 || exponent < simdjson::internal::smallest_power) {
		*value = negative ? -0.0 : 0.0; /* below half of the least denormal */
		return true;
	}
	if (exponent > simdjson::internal::largest_power)
		return false;
	return numbers::compute_float_64(exponent, digits, negative, *value);
}

double
json_digits(const char *text)
{
	return simdjson::internal::from_chars(text);
}

const char *
json_error(struct json *j, const char *text, size_t length)
{
	if (!j->dom) {
		j->dom.reset(new (std::nothrow) simdjson::dom::parser);
		if (!j->dom)
			return nullptr;
	}
	simdjson::dom::element root;
	simdjson::error_code error = j->dom->allocate(length < 64 ? 64 : length, dom_depth);
	if (error == simdjson::SUCCESS)
		error = j->dom->parse(text, length, false).get(root);
	return error == simdjson::SUCCESS ? nullptr : simdjson::error_message(error);
}
