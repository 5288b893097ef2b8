// SPDX-License-Identifier: GPL-2.0-only
/*
 * quantity.c: parses and prints rates, times, sizes and counts. Integers throughout: a fraction
 * is scaled by its unit and must come out whole. Pure: no libbpf, no clock, no log.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/abi.h>
#include "quantity.h"

struct unit {
	const char *name;
	__u64 factor;
};

static const struct unit rate_units[] = {
	{ "bit", 1 },
	{ "kbit", 1000 },
	{ "mbit", 1000000 },
	{ "gbit", 1000000000 },
	{ "tbit", 1000000000000 },
	{ "kibit", 1ULL << 10 },
	{ "mibit", 1ULL << 20 },
	{ "gibit", 1ULL << 30 },
	{ NULL, 0 },
};

static const struct unit time_units[] = {
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { NULL, 0 },
};

static const struct unit size_units[] = {
	{ "b", 1 },
	{ "kb", 1000 },
	{ "mb", 1000000 },
	{ "gb", 1000000000 },
	{ "kib", 1ULL << 10 },
	{ "mib", 1ULL << 20 },
	{ "gib", 1ULL << 30 },
	{ NULL, 0 },
};

/* fails beyond 10^18, which no quantity here reaches before its unit */
#define NUMBER_MAX 1000000000000000000ULL
#define FRACTION_MAX 18			/* digits; no unit has more zeros */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* reads digits; adds to *value; counts them */
static int digits(const char **text, __u64 *value, unsigned int *ret_count)
{
	unsigned int count = 0;

	for (; is_digit(**text); (*text)++, count++) {
		if (*value >= NUMBER_MAX / 10)
			return -ERANGE;
		*value = *value * 10 + (**text - '0');
	}
	if (!count)
		return -EINVAL;
	*ret_count = count;
	return 0;
}

/*
 * "1.5gbit" by the table of units: -EINVAL when it is not a number with one of them, -ERANGE when
 * it is too large, -EDOM when it is not a whole number of the smallest unit.
 */
static int scaled(const char *text, const struct unit *units, __u64 *ret)
{
	unsigned int count, fraction = 0;
	__u64 value = 0, divisor = 1;
	unsigned __int128 product;
	int r;

	r = digits(&text, &value, &count);
	if (!r && *text == '.') {
		text++;
		r = digits(&text, &value, &fraction);
	}
	if (r)
		return r;
	/* behind so many digits only zeros leave a whole number, and a larger power overflows */
	for (; fraction > FRACTION_MAX && value % 10 == 0; fraction--)
		value /= 10;
	if (fraction > FRACTION_MAX)
		return -EDOM;
	for (; fraction; fraction--)
		divisor *= 10;
	while (units->name && strcmp(units->name, text))
		units++;
	if (!units->name)
		return -EINVAL;
	product = (unsigned __int128)value * units->factor;
	if (product % divisor)
		return -EDOM;
	product /= divisor;
	if (product > ~0ULL)
		return -ERANGE;
	*ret = product;
	return 0;
}

/* the unit that follows a number; NULL where there is no number */
static const char *unit_of(const char *text)
{
	if (!is_digit(*text))
		return NULL;
	while (is_digit(*text) || *text == '.')
		text++;
	return text;
}

/* "mbps" and its like, in small letters or not: what they mean depends on whom one asks */
static int per_second_refused(const char *text, const char *unit, struct err *err)
{
	static const char *const names[] = { "kilo", "mega", "giga", "tera" };
	static const char letters[] = "kKmMgGtT";
	const char *letter = strchr(letters, *unit);
	const char *name = letter ? names[(letter - letters) / 2] : "";
	char bits[32] = "";

	if (strcmp(unit + strlen(unit) - 3, "Bps"))
		snprintf(bits, sizeof(bits), " in tc and %.*sbit/s elsewhere", !!letter, unit);
	return err_set(err, EINVAL, "'%s': %s means %sbytes per second%s; want a rate such as 10mbit",
		       text, unit, name, bits);
}

static int rate_refused(const char *text, int r, struct err *err)
{
	const char *unit = unit_of(text);
	size_t n = unit ? strlen(unit) : 0;

	if (r == -EDOM)
		return err_set(err, EINVAL, "'%s': not a whole number of bit/s", text);
	if (r == -ERANGE)
		return err_set(err, EINVAL, "'%s': out of range; want 8kbit to 400gbit", text);
	if (n >= 3 && !strcasecmp(unit + n - 3, "bps"))
		return per_second_refused(text, unit, err);
	for (const struct unit *u = rate_units; n && u->name; u++)
		if (!strcasecmp(u->name, unit) && strcmp(u->name, unit))
			return err_set(err, EINVAL, "'%s': want a rate such as 10mbit, in small "
				       "letters", text);
	return err_set(err, EINVAL, "'%s': want a rate such as 10mbit (bit, kbit, mbit, gbit; "
		       "8kbit to 400gbit)", text);
}

int quantity_rate(const char *text, __u64 *ret_bps, struct err *err)
{
	__u64 bps;
	int r = scaled(text, rate_units, &bps);

	if (!r && (bps < WEIR_RATE_MIN || bps > WEIR_RATE_MAX))
		r = -ERANGE;
	if (r)
		return rate_refused(text, r, err);
	*ret_bps = bps;
	return 0;
}

int quantity_time(const char *text, __u64 min_ns, __u64 max_ns, __u64 *ret_ns, struct err *err)
{
	__u64 ns;
	int r = scaled(text, time_units, &ns);

	if (r == -EDOM)
		return err_set(err, EINVAL, "'%s': not a whole number of ns", text);
	if (r == -EINVAL)
		return err_set(err, EINVAL, "'%s': want a time such as 5ms (ns, us, ms, s)", text);
	if (r || ns < min_ns || ns > max_ns)
		return err_set(err, EINVAL, "'%s': out of range; want %s to %s", text,
			       quantity_time_exact(min_ns).text, quantity_time_exact(max_ns).text);
	*ret_ns = ns;
	return 0;
}

int quantity_size(const char *text, __u64 min_bytes, __u64 max_bytes, __u64 *ret_bytes,
		  struct err *err)
{
	__u64 bytes;
	int r = scaled(text, size_units, &bytes);

	if (r == -EDOM)
		return err_set(err, EINVAL, "'%s': not a whole number of bytes", text);
	if (r == -EINVAL)
		return err_set(err, EINVAL, "'%s': want a size such as 64kb (b, kb, mb, kib, mib)",
			       text);
	if (r || bytes < min_bytes || bytes > max_bytes)
		return err_set(err, EINVAL, "'%s': out of range; want %s to %s", text,
			       quantity_size_exact(min_bytes).text,
			       quantity_size_exact(max_bytes).text);
	*ret_bytes = bytes;
	return 0;
}

/* the whole text is one number in base 10 or, where allowed, 16 */
static int whole(const char *text, bool hex, __u64 *ret)
{
	unsigned int count;
	__u64 value = 0;
	int r;

	if (!hex || text[0] != '0' || text[1] != 'x') {
		r = digits(&text, &value, &count);
		if (r || *text)
			return r ? r : -EINVAL;
		*ret = value;
		return 0;
	}
	text += 2;
	for (count = 0; *text; text++, count++) {
		char c = *text | 0x20;

		if (!is_digit(*text) && (c < 'a' || c > 'f'))
			return -EINVAL;
		if (value >> 60)
			return -ERANGE;
		value = value << 4 | (is_digit(*text) ? *text - '0' : c - 'a' + 10);
	}
	if (!count)
		return -EINVAL;
	*ret = value;
	return 0;
}

int quantity_count(const char *text, __u64 min, __u64 max, __u64 *ret, struct err *err)
{
	__u64 value;

	if (whole(text, false, &value) || value < min || value > max)
		return err_set(err, EINVAL, "'%s': want a whole number from %llu to %llu", text,
			       min, max);
	*ret = value;
	return 0;
}

int quantity_bits(const char *text, __u64 max, __u64 *ret, struct err *err)
{
	__u64 value;

	if (whole(text, true, &value) || value > max)
		return err_set(err, EINVAL, "'%s': want a number such as 16 or 0x10, up to 0x%llx",
			       text, max);
	*ret = value;
	return 0;
}

int quantity_signed(const char *text, __s64 min, __s64 max, __s64 *ret, struct err *err)
{
	bool negative = *text == '-';
	__u64 value;

	if (whole(text + negative, false, &value) ||
	    (negative ? -(__s64)value : (__s64)value) < min ||
	    (negative ? -(__s64)value : (__s64)value) > max)
		return err_set(err, EINVAL, "'%s': want a whole number from %lld to %lld", text,
			       min, max);
	*ret = negative ? -(__s64)value : (__s64)value;
	return 0;
}

int quantity_per_second(const char *text, __u64 max, __u64 *ret, struct err *err)
{
	static const struct unit units[] = { { "/s", 1 }, { NULL, 0 } };
	__u64 value;

	if (scaled(text, units, &value) || !value || value > max)
		return err_set(err, EINVAL, "'%s': want a whole number per second such as 200/s, "
			       "1/s to %llu/s", text, max);
	*ret = value;
	return 0;
}

int quantity_is_time(const char *text)
{
	const char *unit = unit_of(text);

	for (const struct unit *u = time_units; unit && u->name; u++)
		if (!strcmp(u->name, unit))
			return 1;
	return 0;
}

/* the largest unit that divides the value; the first of two equal ones */
static struct quantity_text exact(__u64 value, const struct unit *units)
{
	const struct unit *best = units;
	struct quantity_text ret;

	for (const struct unit *u = units; u->name && value; u++)
		if (value % u->factor == 0 && u->factor > best->factor)
			best = u;
	ret.n = snprintf(ret.text, sizeof(ret.text), "%llu%s", value / best->factor, best->name);
	return ret;
}

struct quantity_text quantity_rate_exact(__u64 bps)
{
	return exact(bps, rate_units);
}

struct quantity_text quantity_time_exact(__u64 ns)
{
	return exact(ns, time_units);
}

struct quantity_text quantity_size_exact(__u64 bytes)
{
	return exact(bytes, size_units);
}

/* two at a time: a division takes longer than all the rest */
unsigned int quantity_digits(char *to, __u64 value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	unsigned int n = 1, at;
	__u64 power = 10;

	/* 10^19 has twenty digits, and ten times that does not fit */
	for (; n < 20 && value >= power; power *= 10)
		n++;
	for (at = n; value >= 100; value /= 100)
		memcpy(to + (at -= 2), pairs + value % 100 * 2, 2);
	if (value >= 10)
		memcpy(to, pairs + value * 2, 2);
	else
		*to = '0' + value;
	to[n] = '\0';
	return n;
}

/*
 * Three digits without trailing zeros: 9.42, 94.2, 942, 2; 999.6 takes the next unit. Without the
 * way through a format: a table of a million rows comes by here.
 */
static struct quantity_text show(__u64 value, const char *const *names)
{
	__u64 factor = 1, part = 1, n;		/* part: of what the last of the digits counts */
	unsigned int point = 0;			/* digits behind it */
	struct quantity_text ret;
	char *at = ret.text;

	for (; names[1] && value >= factor * 1000 - factor / 2; names++)
		factor *= 1000;
	n = value;
	if (factor > 1) {
		for (point = 2, part = factor / 100; point; point--, part *= 10) {
			n = value / part + (value % part >= (part + 1) / 2);
			if (n < 1000)
				break;
		}
		if (!point)
			n = value / factor + (value % factor >= factor / 2);
	}
	while (point && n % 10 == 0) {
		n /= 10;
		point--;
	}
	at += quantity_digits(at, n);
	if (point) {
		/* 942 with two behind the point: 9.42 */
		memmove(at - point + 1, at - point, point);
		*(at++ - point) = '.';
	}
	*at++ = ' ';
	ret.n = stpcpy(at, *names) - ret.text;
	return ret;
}

struct quantity_text quantity_rate_show(__u64 bps)
{
	static const char *const names[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s",
					     NULL };

	return show(bps, names);
}

struct quantity_text quantity_time_show(__u64 ns)
{
	static const char *const names[] = { "ns", "us", "ms", "s", NULL };

	return show(ns, names);
}

struct quantity_text quantity_size_show(__u64 bytes)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", NULL };

	return show(bytes, names);
}
