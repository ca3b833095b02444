/* jsonl.cc -- the C interface over simdjson's DOM (3.0.1): the DOM because a filter asks for few
 * fields of short lines and must name the error; no exception and no run-time type leaves this
 * file. */
#include "monitor/decode/jsonl.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

extern "C" {
#include "config/diag.h"
#include "config/limits.h"
}

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

struct jsonl {
	simdjson::dom::parser parser;
	object line;
	bool valid = false;
};

extern "C" void
jsonl_numbers_finish(struct jsonl_numbers *a)
{
	if (a == nullptr)
		return;
	free(a->value);
	*a = {};
}

/* Appends one number; false when memory fails. */
static bool
push(struct jsonl_numbers *a, double value)
{
	if (a->n == a->capacity) {
		size_t capacity = a->capacity == 0 ? 64 : 2 * a->capacity;
		void *grown = realloc(a->value, capacity * sizeof *a->value);

		if (grown == nullptr)
			return false;
		a->value = static_cast<double *>(grown);
		a->capacity = capacity;
	}
	a->value[a->n++] = value;
	return true;
}

extern "C" struct jsonl *
jsonl_create(void)
{
	struct jsonl *j = new (std::nothrow) jsonl;

	if (j != nullptr && j->parser.allocate(0, LIMIT_DEPTH) != simdjson::SUCCESS) {
		delete j;
		return nullptr;
	}
	return j;
}

extern "C" void
jsonl_destroy(struct jsonl *j)
{
	delete j;
}

extern "C" int
jsonl_parse(struct jsonl *j, const char *text, size_t length, struct diag *d)
{
	element root;
	simdjson::error_code error;

	j->valid = false;
	error = j->parser.parse(text, length).get(root);
	if (error == simdjson::MEMALLOC)
		return diag_set(d, ERR_IO, "no memory for a line of %zu bytes", length);
	if (error != simdjson::SUCCESS)
		return diag_set(d, ERR_INVALID, "not JSON: %s%s", simdjson::error_message(error),
		                std::string_view(text, length).find("NaN") != std::string_view::npos
		                ? " (JSON has no NaN; null is a missing value)" : "");
	if (root.get(j->line) != simdjson::SUCCESS)
		return diag_set(d, ERR_INVALID, "not a JSON object");
	j->valid = true;
	return ERR_NONE;
}

/* The element called `key`; null counts as absent. */
static enum jsonl_result
find(const struct jsonl *j, const char *key, element *out)
{
	const char *dot;
	object inner;

	if (!j->valid)
		return JSONL_ABSENT;
	if (j->line.at_key(key).get(*out) == simdjson::SUCCESS)
		return out->is_null() ? JSONL_ABSENT : JSONL_FOUND;
	dot = strchr(key, '.');
	if (dot == nullptr)
		return JSONL_ABSENT;
	if (j->line.at_key(std::string_view(key, size_t(dot - key))).get(*out) != simdjson::SUCCESS
	    || out->is_null())
		return JSONL_ABSENT;
	if (out->get(inner) != simdjson::SUCCESS)
		return JSONL_ABSENT;
	if (inner.at_key(dot + 1).get(*out) != simdjson::SUCCESS || out->is_null())
		return JSONL_ABSENT;
	return JSONL_FOUND;
}

/* Any JSON number; never true, "1" or an infinite one. */
static bool
to_number(const element &e, double *value)
{
	return e.get(*value) == simdjson::SUCCESS && std::isfinite(*value);
}

static bool
push_all(const array &from, struct jsonl_numbers *to)
{
	for (element e : from) {
		double value;

		if (!to_number(e, &value) || !push(to, value))
			return false;
	}
	return true;
}

extern "C" enum jsonl_result
jsonl_number(const struct jsonl *j, const char *key, double *value)
{
	element e;
	enum jsonl_result result = find(j, key, &e);

	if (result == JSONL_FOUND && !to_number(e, value))
		return JSONL_WRONG;
	return result;
}

extern "C" enum jsonl_result
jsonl_integer(const struct jsonl *j, const char *key, int64_t *value)
{
	element e;
	enum jsonl_result result = find(j, key, &e);
	double number;

	if (result != JSONL_FOUND || e.get(*value) == simdjson::SUCCESS)
		return result;
	/* 3.0 is an integer as well, up to where doubles stop telling integers apart. */
	if (!to_number(e, &number) || number != std::floor(number) || std::fabs(number) > 0x1p53)
		return JSONL_WRONG;
	*value = static_cast<int64_t>(number);
	return JSONL_FOUND;
}

extern "C" enum jsonl_result
jsonl_string(const struct jsonl *j, const char *key, const char **text, size_t *length)
{
	element e;
	std::string_view view;
	enum jsonl_result result = find(j, key, &e);

	if (result != JSONL_FOUND)
		return result;
	if (e.get(view) != simdjson::SUCCESS)
		return JSONL_WRONG;
	*text = view.data();
	*length = view.size();
	return JSONL_FOUND;
}

extern "C" enum jsonl_result
jsonl_key(const struct jsonl *j, const char *key, size_t index, const char **text, size_t *length,
          int *number)
{
	element e;
	object pairs;
	double value;
	enum jsonl_result result = find(j, key, &e);

	if (result != JSONL_FOUND)
		return result;
	if (e.get(pairs) != simdjson::SUCCESS)
		return JSONL_WRONG;
	for (auto pair : pairs)
		if (index-- == 0) {
			*text = pair.key.data();
			*length = pair.key.size();
			*number = to_number(pair.value, &value);
			return JSONL_FOUND;
		}
	return JSONL_ABSENT;
}

extern "C" enum jsonl_result
jsonl_array(const struct jsonl *j, const char *key, struct jsonl_numbers *out)
{
	element e;
	array values;
	enum jsonl_result result = find(j, key, &e);

	out->n = 0;
	if (result != JSONL_FOUND)
		return result;
	if (e.get(values) != simdjson::SUCCESS || !push_all(values, out))
		return JSONL_WRONG;
	return JSONL_FOUND;
}

extern "C" enum jsonl_result
jsonl_matrix(const struct jsonl *j, const char *key, struct jsonl_numbers *out, size_t *rows,
             size_t *columns)
{
	element e;
	array lines;
	enum jsonl_result result = find(j, key, &e);

	out->n = 0;
	*rows = *columns = 0;
	if (result != JSONL_FOUND)
		return result;
	if (e.get(lines) != simdjson::SUCCESS)
		return JSONL_WRONG;
	for (element line : lines) {
		size_t before = out->n;
		array values;

		if (line.get(values) != simdjson::SUCCESS || !push_all(values, out))
			return JSONL_WRONG;
		if (*rows > 0 && out->n - before != *columns)
			return JSONL_WRONG;
		*columns = out->n - before;
		++*rows;
	}
	return JSONL_FOUND;
}

extern "C" enum jsonl_result
jsonl_levels(const struct jsonl *j, const char *key, struct jsonl_numbers *level,
             struct jsonl_numbers *value)
{
	element e;
	object pairs;
	enum jsonl_result result = find(j, key, &e);

	level->n = value->n = 0;
	if (result != JSONL_FOUND)
		return result;
	if (e.get(pairs) != simdjson::SUCCESS)
		return JSONL_WRONG;
	for (auto pair : pairs) {
		const char *end = pair.key.data() + pair.key.size();
		double at, number;
		auto parsed = std::from_chars(pair.key.data(), end, at);

		if (parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(at))
			return JSONL_WRONG;
		if (!to_number(pair.value, &number) || !push(level, at) || !push(value, number))
			return JSONL_WRONG;
	}
	return JSONL_FOUND;
}

extern "C" enum jsonl_result
jsonl_values(const struct jsonl *j, const char *key, struct jsonl_numbers *out)
{
	element e;
	object pairs;

	out->n = 0;
	if (find(j, key, &e) != JSONL_FOUND || e.get(pairs) != simdjson::SUCCESS)
		return JSONL_ABSENT;
	for (auto pair : pairs) {
		double number;

		if (!to_number(pair.value, &number) || !push(out, number))
			return JSONL_WRONG;
	}
	return JSONL_FOUND;
}

extern "C" bool
jsonl_is_object(const struct jsonl *j, const char *key)
{
	element e;
	object inner;

	return find(j, key, &e) == JSONL_FOUND && e.get(inner) == simdjson::SUCCESS;
}
