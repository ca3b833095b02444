/* test_decode_random.c -- generated records: numbers against strtod, validity against simdjson's
 * DOM parser, independence of the order, and mutations. Every seed is fixed. */
#include "monitor/decode/decoder_inside.h"
#include "monitor/decode/json.h"
#include "tests/test_decode.h"

/* A JSON number of a random form. */
static size_t
random_number(uint64_t *random, char *out)
{
	uint64_t u = fixture_random(random);
	double d;

	switch (fixture_random(random) % 8) {
	case 0: /* any double */
		memcpy(&d, &u, sizeof(d));
		if (!isfinite(d))
			d = 0;
		return (size_t)sprintf(out, "%.17g", d);
	case 1: /* what Python prints */
		return (size_t)sprintf(out, "%.17g", (double)(int64_t)u / 4e18);
	case 2:
		return (size_t)sprintf(out, "%.*f", (int)(u % 20), (double)(int64_t)u / 1e14);
	case 3:
		return (size_t)sprintf(out, "%lld", (long long)((int64_t)u >> u % 64));
	case 4: /* near half way between two doubles */
		return (size_t)sprintf(out, "%llu%s",
		                       (unsigned long long)((u >> 11 | 1ull << 53) | 1),
		                       u % 3 == 0   ? ".0000000000000000000000001"
		                       : u % 3 == 1 ? "e-7"
		                                    : "");
	case 5:
		return (size_t)sprintf(out, "%s%llu.%019llu", u & 1 ? "-" : "",
		                       (unsigned long long)(u >> u % 64),
		                       (unsigned long long)fixture_random(random) % 10000000000000000000u);
	case 6:
		return (size_t)sprintf(out, "%llu%lluE%+d", (unsigned long long)(u | 1ull << 63),
		                       (unsigned long long)u, (int)(u % 700) - 350);
	default:
		return (size_t)sprintf(out, "0.%0*llu", (int)(1 + u % 25),
		                       (unsigned long long)(u >> u % 64));
	}
}

void
decode_strtod(void **state)
{
	enum { RECORDS = 4000, NUMBERS = 32 };
	uint64_t random = 20231114;
	struct scene s;
	static char text[NUMBERS * 128];
	char number[NUMBERS][96];
	(void)state;

	scene_open(&s, NULL);
	for (int i = 0; i < RECORDS; i++) {
		if (i == RECORDS / 2) /* the inner loop of machines without AVX2 */
			s.f.decoder->object = walk_object_base;
		char *p = text + sprintf(text, "{\"ts\":1,\"model\":\"m\",\"features\":{");
		for (int k = 0; k < NUMBERS; k++) {
			random_number(&random, number[k]);
			p += sprintf(p, "%s\"n%d\":%s%s", k > 0 ? "," : "", k, number[k],
			             fixture_random(&random) % 16 == 0 ? " " : "");
		}
		sprintf(p, "}}");
		give(&s, text);
		assert_accepted(&s);
		for (int k = 0; k < NUMBERS; k++) {
			double expected = strtod(number[k], NULL);
			const struct cell *cell = &s.r.cell[k];
			if (isinf(expected) ? cell->tag != CELL_NONFINITE
			                    : cell->tag != CELL_NUMBER ||
			                              memcmp(&cell->number, &expected, 8) != 0)
				fail_msg("%s is %.17g, not %.17g", number[k], cell->number, expected);
			if (cell->tag == CELL_NUMBER)
				assert_int_equal(cell->integral, strpbrk(number[k], ".eE") == NULL);
		}
	}
	scene_close(&s);
}

/* A valid JSON value, nested up to `depth`. */
static char *
random_value(uint64_t *random, char *p, int depth)
{
	static const char *const words[] = { "null", "true", "false", "\"\"", "\"a\\u00e9\\n\"",
		                             "0", "-1.5", "1e5", "\"[{,:\"", "\"\\\\\\\"\"" };
	uint64_t u = fixture_random(random) % (depth > 0 ? 14 : 10);

	if (u < 10)
		return p + sprintf(p, "%s", words[u]);
	int n = (int)(fixture_random(random) % 4);
	bool object = u < 12;
	*p++ = object ? '{' : '[';
	for (int i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ',';
		if (object)
			p += sprintf(p, "\"k%d\"%s:", i, fixture_random(random) % 4 ? "" : " ");
		p = random_value(random, p, depth - 1);
	}
	*p++ = object ? '}' : ']';
	return p;
}

static const char *const seeds[] = {
	"{\"id\":\"a1\",\"ts\":1700000000123,\"model\":\"credit\",\"version\":\"7\",\"features\":{\"income\":"
	"51000.25,\"purpose\":\"car\",\"age\":null,\"x\":-1.5e-3},\"segment\":{\"country\":\"NL\"},"
	"\"prediction\":{\"class\":\"good\",\"score\":0.83,\"probs\":{\"good\":0.83,\"bad\":0.17}}}",
	"{\"id\":7,\"ts\":\"2023-11-14T22:13:20.123Z\",\"model\":\"credit\",\"prediction\":{\"value\":3.1,"
	"\"lower\":2.2,\"upper\":4.4,\"level\":0.9,\"set\":[1,\"b\"],\"classes\":[\"a\",\"b\"],"
	"\"probs\":[0.5,0.5]},\"conformal\":{\"n_cal\":500,\"qhat\":1},\"score\":0.42,\"probe_of\":\"a\"}",
	("{\"record_id\":\"\\u0061\\ud83d\\ude00\",\"timestamp\":5.5,\"features\":{\"a\":[1,[2,{}]],\"b\":true},"
	"\"model\":\"other\",\"members\":{\"mu\":[1,2],\"var\":[0.1]},\"label\":5,\"unknown\":{\"q\":[]}}"),
};

void
decode_dom(void **state)
{
	enum { ROUNDS = 20000 };
	uint64_t random = 42;
	struct scene s;
	struct json *j = json_create();
	static char text[65536];
	(void)state;

	assert_non_null(j);
	scene_open(&s, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		char *p = text;
		p += sprintf(p, "{\"ts\":1,\"model\":\"m\",\"features\":{\"x\":1},\"label\":\"l\",\"id\":1,"
		                "\"w\":");
		p = random_value(&random, p, 5);
		p += sprintf(p, ",\"y\":");
		p = random_value(&random, p, 2);
		*p++ = '}';
		size_t length = (size_t)(p - text);
		if (i % 2 == 1) { /* one structural character or blank somewhere */
			static const char marks[] = "{}[],:\" \"1-n";
			text[fixture_random(&random) % length] =
				marks[fixture_random(&random) % (sizeof(marks) - 1)];
		}
		memset(text + length, 0, JSON_PADDING);
		const char *error = json_error(j, text, length);
		give_bytes(&s, text, length, INT64_MIN);
		/* What is well-formed is never refused as malformed. */
		if (error == NULL && (s.r.reject == REJECT_JSON_SYNTAX || s.r.reject == REJECT_UTF8))
			fail_msg("%.*s: %s", (int)length, text, s.r.detail);
		/* And untouched records are accepted. */
		if (i % 2 == 0)
			assert_accepted(&s);
	}
	scene_close(&s);
	json_destroy(j);
}

static uint64_t
digest(const struct record *r)
{
	uint64_t sum = (uint64_t)r->ts * 3 + r->parts * 5 + r->reject * 7 + r->fields_unknown * 11 +
	               r->fields_type * 13 + r->id_keyed + r->probs * 17 + r->sets * 19;

	for (uint32_t i = 0; i < r->probs; i++)
		sum = sum * 31 + (uint64_t)(r->prob[i] * 1e6);
	return sum * 31 + r->klass.hash + r->label.hash * 3 + r->nonconformity.tag;
}

void
decode_order_free(void **state)
{
	uint64_t alone[3], random = 9;
	struct scene s;
	(void)state;

	for (int i = 0; i < 3; i++) {
		scene_open(&s, NULL);
		give(&s, seeds[i]);
		assert_accepted(&s);
		alone[i] = digest(&s.r);
		scene_close(&s);
	}
	scene_open(&s, NULL);
	for (int round = 0; round < 3000; round++) {
		if (round == 1500)
			s.f.decoder->object = walk_object_base;
		int i = (int)(fixture_random(&random) % 3);
		if (fixture_random(&random) % 4 == 0) { /* cut off: refused */
			give_bytes(&s, seeds[i], fixture_random(&random) % strlen(seeds[i]), 5);
			assert_int_not_equal(s.r.reject, REJECT_NONE);
			continue;
		}
		give(&s, seeds[i]);
		assert_accepted(&s);
		assert_true(digest(&s.r) == alone[i]);
	}
	scene_close(&s);
}

/* One to four small changes. */
static size_t
mutate(uint64_t *random, char *text, size_t length)
{
	static const char marks[] = "{}[]\":,.-+eE0123456789nNtfIu\\ \t\0\xff\xc3";
	int changes = 1 + (int)(fixture_random(random) % 4);

	for (int i = 0; i < changes && length > 1; i++) {
		size_t at = fixture_random(random) % length;
		char mark = marks[fixture_random(random) % (sizeof(marks) - 1)];
		switch (fixture_random(random) % 5) {
		case 0:
			text[at] = mark;
			break;
		case 1:
			memmove(text + at + 1, text + at, length - at);
			text[at] = mark;
			length++;
			break;
		case 2:
			memmove(text + at, text + at + 1, length - at - 1);
			length--;
			break;
		case 3:
			text[at] = (char)(text[at] ^ 1 << fixture_random(random) % 8);
			break;
		default: { /* a piece again, elsewhere */
			size_t n = fixture_random(random) % 24, from = fixture_random(random) % length;
			if (n > length - from)
				n = length - from;
			memmove(text + at + n, text + at, length - at);
			memmove(text + at, text + (from >= at ? from + n : from), n);
			length += n;
		}
		}
	}
	return length;
}

void
decode_mutations(void **state)
{
	enum { MUTATIONS = 200000 };
	uint64_t random = 7, seen[REJECT_COUNT] = { 0 };
	struct scene s;
	static char text[4096];
	(void)state;

	scene_open(&s, HEAD "models: auto\ndefaults: {segments: [country]}\n");
	for (int i = 0; i < MUTATIONS; i++) {
		const char *seed = seeds[fixture_random(&random) % 3];
		size_t length = strlen(seed);
		memcpy(text, seed, length);
		length = mutate(&random, text, length);
		give_bytes(&s, text, length, fixture_random(&random) % 2 ? 1700000000000 : INT64_MIN);
		seen[s.r.reject]++;
		const struct record *r = &s.r;
		for (uint32_t k = 0; k < r->slots; k++)
			assert_true(r->cell[k].tag <= CELL_BAD_TYPE && isfinite(r->cell[k].number) &&
			            r->cell[k].text.offset + r->cell[k].text.length <= r->text_length);
		assert_true(r->reject == REJECT_NONE ? r->ts != INT64_MIN : r->detail[0] != '\0');
		assert_true(r->id.offset + r->id.length <= r->text_length);
	}
	assert_true(seen[REJECT_NONE] > MUTATIONS / 10);
	assert_true(seen[REJECT_JSON_SYNTAX] > MUTATIONS / 10);
	assert_true(seen[REJECT_DUPLICATE_KEY] > 0 && seen[REJECT_UTF8] > 0);
	assert_true(decoder_models(s.f.decoder) <= LIMIT_MODELS);
	scene_close(&s);
}
