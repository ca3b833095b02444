/* number.c -- the general form of JSON numbers; see number.h. */
#include "monitor/decode/number.h"

const double number_power[23] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
	                          1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
	                          1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
/* The next larger value where it is not exact, as Lemire's proof asks. */
const uint64_t number_inverse[23][2] = {
	{ 0x8000000000000000u, 0x0000000000000000u },
	{ 0xccccccccccccccccu, 0xcccccccccccccccdu },
	{ 0xa3d70a3d70a3d70au, 0x3d70a3d70a3d70a4u },
	{ 0x83126e978d4fdf3bu, 0x645a1cac083126eau },
	{ 0xd1b71758e219652bu, 0xd3c36113404ea4a9u },
	{ 0xa7c5ac471b478423u, 0x0fcf80dc33721d54u },
	{ 0x8637bd05af6c69b5u, 0xa63f9a49c2c1b110u },
	{ 0xd6bf94d5e57a42bcu, 0x3d32907604691b4du },
	{ 0xabcc77118461cefcu, 0xfdc20d2b36ba7c3eu },
	{ 0x89705f4136b4a597u, 0x31680a88f8953031u },
	{ 0xdbe6fecebdedd5beu, 0xb573440e5a884d1cu },
	{ 0xafebff0bcb24aafeu, 0xf78f69a51539d749u },
	{ 0x8cbccc096f5088cbu, 0xf93f87b7442e45d4u },
	{ 0xe12e13424bb40e13u, 0x2865a5f206b06fbau },
	{ 0xb424dc35095cd80fu, 0x538484c19ef38c95u },
	{ 0x901d7cf73ab0acd9u, 0x0f9d37014bf60a11u },
	{ 0xe69594bec44de15bu, 0x4c2ebe687989a9b4u },
	{ 0xb877aa3236a4b449u, 0x09befeb9fad487c3u },
	{ 0x9392ee8e921d5d07u, 0x3aff322e62439fd0u },
	{ 0xec1e4a7db69561a5u, 0x2b31e9e3d06c32e6u },
	{ 0xbce5086492111aeau, 0x88f4bb1ca6bcf585u },
	{ 0x971da05074da7beeu, 0xd3f6fc16ebca5e04u },
	{ 0xf1c90080baf72cb1u, 0x5324c68b12dd6339u },
};
const uint64_t number_power_u64[20] = {
	1u,
	10u,
	100u,
	1000u,
	10000u,
	100000u,
	1000000u,
	10000000u,
	100000000u,
	1000000000u,
	10000000000u,
	100000000000u,
	1000000000000u,
	10000000000000u,
	100000000000000u,
	1000000000000000u,
	10000000000000000u,
	100000000000000000u,
	1000000000000000000u,
	10000000000000000000u,
};

/* Significant digits that always fit into 64 bits. */
enum { DIGITS_MAX = 19 };
/* An exponent beyond this is zero or infinity whatever the digits are (a record has at most 4
 * MiB). */
static const int64_t exponent_limit = 100000000;

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits of one part; `step` is what a taken (fraction: -1) or a dropped (whole: +1) digit does
 * to the exponent. */
static const char *
scan_digits(const char *s, struct number *n, unsigned *count, bool fraction)
{
	for (; is_digit(*s); s++) {
		if (*count < DIGITS_MAX) {
			n->digits = n->digits * 10 + (uint64_t)(*s - '0');
			*count += n->digits != 0;
			n->exponent -= fraction;
		} else {
			n->truncated |= *s != '0';
			n->exponent += !fraction;
		}
	}
	return s;
}

const char *
number_scan(const char *s, struct number *out)
{
	unsigned count = 0;

	*out = (struct number){ .integral = true };
	if (*s == '-') {
		out->negative = true;
		s++;
	}
	if (!is_digit(*s) || (*s == '0' && is_digit(s[1])))
		return NULL;
	s = scan_digits(s, out, &count, false);
	if (*s == '.') {
		out->integral = false;
		if (!is_digit(*++s))
			return NULL;
		s = scan_digits(s, out, &count, true);
	}
	if (*s == 'e' || *s == 'E') {
		out->integral = false;
		s++;
		bool below = *s == '-';
		if (*s == '-' || *s == '+')
			s++;
		if (!is_digit(*s))
			return NULL;
		int64_t exponent = 0;
		for (; is_digit(*s); s++)
			if (exponent < exponent_limit)
				exponent = exponent * 10 + (*s - '0');
		out->exponent += below ? -exponent : exponent;
	}
	return s;
}

double
number_value(const char *s, const struct number *n)
{
	double value;

	if (!n->truncated && json_decimal(n->digits, n->exponent, n->negative, &value))
		return value;
	return json_digits(s);
}
