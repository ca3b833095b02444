#include "monitor/decode/refuse.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "monitor/decode/record.h"
#include "monitor/decode/text.h"

static const struct {
	const char *magic;
	size_t length;
	const char *hint;
} formats[] = {
	{ "\x1f\x8b", 2, "looks like gzip inside the value" },
	{ "\x28\xb5\x2f\xfd", 4, "looks like zstd inside the value" },
	{ "\x04\x22\x4d\x18", 4, "looks like lz4 inside the value" },
	{ "\x82SNAPPY", 7, "looks like snappy inside the value" },
	{ "BZh", 3, "looks like bzip2 inside the value" },
	{ "PK\x03\x04", 4, "looks like a zip archive" },
	{ "Obj\x01", 4, "looks like an Avro file" },
	{ "\xc3\x01", 2, "looks like Avro in its single-object encoding" },
	{ "PAR1", 4, "looks like a Parquet file" },
	{ "ARROW1", 6, "looks like an Arrow file" },
	{ "\xff\xff\xff\xff", 4, "looks like an Arrow stream" },
	{ "\x80\x02", 2, "looks like a Python pickle" },
	{ "\x80\x03", 2, "looks like a Python pickle" },
	{ "\x80\x04", 2, "looks like a Python pickle" },
	{ "\x80\x05", 2, "looks like a Python pickle" },
	{ "\xff\xfe", 2, "looks like UTF-16; records are UTF-8" },
	{ "\xfe\xff", 2, "looks like UTF-16; records are UTF-8" },
	{ "<", 1, "looks like XML or HTML" },
};

bool
refuse_format(struct record *r, const char *s, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)s;
	const char *hint = NULL;
	char text[64];

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && hint == NULL; i++)
		if (length >= formats[i].length &&
		    memcmp(s, formats[i].magic, formats[i].length) == 0)
			hint = formats[i].hint;
	if (hint == NULL && bytes[0] == 0 && length >= 5) {
		uint32_t id = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 |
		              (uint32_t)bytes[3] << 8 | bytes[4];
		snprintf(text, sizeof(text),
		         "looks like Avro with a schema registry header (id %u)", id);
		hint = text;
	}
	if (hint == NULL && ((bytes[0] >= 0x80 && bytes[0] <= 0x8f) || bytes[0] == 0xde))
		hint = "looks like MessagePack";
	if (hint == NULL && ((bytes[0] >= 0xa0 && bytes[0] <= 0xbf) || bytes[0] == 0xd9))
		hint = "looks like CBOR";
	if (hint == NULL && (bytes[0] < 0x20 || bytes[0] == 0x7f)) {
		/* Tag of a protobuf field is what a short control character usually is; blanks were
		 * passed before. */
		snprintf(text, sizeof(text), "binary, perhaps protobuf: first byte 0x%02x",
		         bytes[0]);
		hint = text;
	}
	if (hint == NULL && text_utf8_error(s, length < 4 ? length : 4) == 0) {
		snprintf(text, sizeof(text), "binary: first byte 0x%02x", bytes[0]);
		hint = text;
	}
	if (hint == NULL)
		return false;
	r->reject = REJECT_NOT_JSON;
	snprintf(r->detail, sizeof(r->detail), "%s", hint);
	return true;
}

/* First control character inside a string; `length` if there is none. *open: where a string
 * starts that never ends. */
static size_t
find_control(const char *s, size_t length, size_t *open)
{
	bool inside = false;

	*open = length;
	for (size_t i = 0; i < length; i++) {
		if (inside && (unsigned char)s[i] < 0x20)
			return i;
		if (inside && s[i] == '\\') {
			i++;
		} else if (s[i] == '"') {
			inside = !inside;
			*open = inside ? i : length;
		}
	}
	return length;
}

void
refuse_status(struct record *r, enum json_status status, const char *s, size_t length)
{
	size_t open, at = text_utf8_error(s, length);

	r->reject = REJECT_JSON_SYNTAX;
	if (at < length) {
		r->reject = REJECT_UTF8;
		snprintf(r->detail, sizeof(r->detail), "byte %zu: 0x%02x is not UTF-8 there", at,
		         (unsigned)(unsigned char)s[at]);
		return;
	}
	switch (status) {
	case JSON_EMPTY:
		r->reject = REJECT_EMPTY;
		snprintf(r->detail, sizeof(r->detail), "nothing but blanks");
		return;
	case JSON_CONTROL:
		at = find_control(s, length, &open);
		if (at < length) {
			snprintf(r->detail, sizeof(r->detail),
			         "byte %zu: control character 0x%02x in a string", at,
			         (unsigned)(unsigned char)s[at]);
			return;
		}
		break;
	case JSON_UNCLOSED:
		find_control(s, length, &open);
		if (open < length) {
			snprintf(r->detail, sizeof(r->detail),
			         "byte %zu: this string never ends (cut off?)", open);
			return;
		}
		break;
	default:
		break;
	}
	snprintf(r->detail, sizeof(r->detail), "not JSON");
}
