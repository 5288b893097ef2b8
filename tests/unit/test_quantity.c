// SPDX-License-Identifier: GPL-2.0-only
/* test_quantity.c: what is accepted, what is refused and how, and that printing reads back. */
#include "unit.h"
#include <weir/abi.h>
#include "quantity.h"

static void accepts_rates(void **state)
{
	static const struct {
		const char *text;
		__u64 bps;
	} table[] = {
		{ "8kbit", 8000 }, { "8000bit", 8000 }, { "10mbit", 10000000 },
		{ "1.5gbit", 1500000000 }, { "400gbit", 400000000000 }, { "0.4tbit", 400000000000 },
		{ "0.008mbit", 8000 }, { "010mbit", 10000000 }, { "1mibit", 1048576 },
		{ "8kibit", 8192 }, { "1gibit", 1073741824 }, { "1.000000001gbit", 1000000001 },
		{ "12.5kbit", 12500 }, { "0.5mibit", 524288 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		__u64 bps = 1;
		struct err err;

		assert_int_equal(quantity_rate(table[i].text, &bps, &err), 0);
		assert_int_equal(bps, table[i].bps);
	}
}

static void refuses_rates(void **state)
{
	static const char *const table[] = {
		"", "12", "12x", "-1", "-1mbit", "+1mbit", "nan", "inf", "mbit", "1e9", "1e9bit",
		"0x10mbit", " 10mbit", "10mbit ", "10 mbit", "10mbit,", ".5gbit", "5.gbit", "1.5.5gbit",
		"1,5gbit", "10Mbit", "10MBIT", "10mbits", "10mbit/s", "10k", "0", "0bit", "7999bit",
		"7.999kbit", "400000000001bit", "401gbit", "1tbit", "1000000000000000000000000000000",
		"1000000000000000000000000000000mbit", "10^30", "8000.5bit", "1.0000000001gbit",
		"18446744073709551616bit", "18446744073710mbit", "99999999999999999999tbit", "0.0gbit", "\xff", "10\tmbit",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		__u64 bps = 42;
		struct err err = {};
		char quoted[64];

		assert_int_equal(quantity_rate(table[i], &bps, &err), -EINVAL);
		assert_int_equal(bps, 42);
		snprintf(quoted, sizeof(quoted), "'%s': ", table[i]);
		assert_ptr_equal(strstr(err.text, quoted), err.text);
	}
}

/* as many digits as make a power of ten that is 0 in 64 bits */
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void says_why(void **state)
{
	static const struct {
		const char *text, *says;
	} table[] = {
		{ "12x", "'12x': want a rate such as 10mbit" },
		{ "nan", "'nan': want a rate such as 10mbit" },
		{ "10mbps", "'10mbps': mbps means megabytes per second in tc" },
		{ "1.5gbps", "'1.5gbps': gbps means gigabytes per second in tc" },
		{ "9bps", "'9bps': bps means bytes per second in tc" },
		{ "10Mbps", "'10Mbps': Mbps means megabytes per second in tc and Mbit/s elsewhere" },
		{ "10KBps", "'10KBps': KBps means kilobytes per second; want" },
		{ "10MBPS", "'10MBPS': MBPS means megabytes per second in tc and Mbit/s elsewhere" },
		{ "10Mbit", "'10Mbit': want a rate such as 10mbit, in small letters" },
		{ "1.gbit", "'1.gbit': want a rate such as 10mbit (bit," },
		{ "1.2.3gbit", "'1.2.3gbit': want a rate such as 10mbit (bit," },
		{ "1bit", "'1bit': out of range; want 8kbit to 400gbit" },
		{ "500gbit", "'500gbit': out of range; want 8kbit to 400gbit" },
		{ "8000.5bit", "'8000.5bit': not a whole number of bit/s" },
		{ "0." ZEROS "gbit", "'0." ZEROS "gbit': out of range" },
		{ "0." ZEROS "1gbit", "'0." ZEROS "1gbit': not a whole number of bit/s" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		__u64 bps;
		struct err err;

		quantity_rate(table[i].text, &bps, &err);
		assert_ptr_equal(strstr(err.text, table[i].says), err.text);
	}
}

static void times_and_sizes(void **state)
{
	__u64 v = 42;
	struct err err;

	assert_int_equal(quantity_time("5ms", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 5000000);
	assert_int_equal(quantity_time("1.5s", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 1500000000);
	assert_int_equal(quantity_time("250us", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 250000);
	assert_int_equal(quantity_time("7ns", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 7);
	assert_int_equal(quantity_time("5", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_time("5m", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_time("-5ms", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_time("0.5ns", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_time("6ms", 1000, 5000000, &v, &err), -EINVAL);
	assert_string_equal(err.text, "'6ms': out of range; want 1us to 5ms");
	assert_int_equal(quantity_time("999ns", 1000, 5000000, &v, &err), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(quantity_size("64kb", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 64000);
	assert_int_equal(quantity_size("64kib", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(quantity_size("1514b", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 1514);
	assert_int_equal(quantity_size("1.5mb", 0, ~0ULL, &v, &err), 0);
	assert_int_equal(v, 1500000);
	assert_int_equal(quantity_size("64", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_size("64k", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_size("2kb", 1, 1999, &v, &err), -EINVAL);
	assert_true(quantity_is_time("5ms"));
	assert_false(quantity_is_time("5kb"));
	assert_false(quantity_is_time("ms"));
}

static void counts(void **state)
{
	__u64 v = 42;
	__s64 s = 42;
	struct err err;

	assert_int_equal(quantity_count("0", 0, 9, &v, &err), 0);
	assert_int_equal(v, 0);
	assert_int_equal(quantity_count("65535", 0, 65535, &v, &err), 0);
	assert_int_equal(quantity_count("65536", 0, 65535, &v, &err), -EINVAL);
	assert_string_equal(err.text, "'65536': want a whole number from 0 to 65535");
	assert_int_equal(quantity_count("", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(quantity_count("-0", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(quantity_count("1.0", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(quantity_count("0x1", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(quantity_count("18446744073709551617", 0, ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(v, 65535);
	assert_int_equal(quantity_bits("0xfF", 255, &v, &err), 0);
	assert_int_equal(v, 255);
	assert_int_equal(quantity_bits("0x100", 255, &v, &err), -EINVAL);
	assert_int_equal(quantity_bits("0x", 255, &v, &err), -EINVAL);
	assert_int_equal(quantity_bits("0xg", 255, &v, &err), -EINVAL);
	assert_int_equal(quantity_bits("0x10000000000000001", ~0ULL, &v, &err), -EINVAL);
	assert_int_equal(quantity_signed("-64", -64, 256, &s, &err), 0);
	assert_int_equal(s, -64);
	assert_int_equal(quantity_signed("256", -64, 256, &s, &err), 0);
	assert_int_equal(quantity_signed("-65", -64, 256, &s, &err), -EINVAL);
	assert_int_equal(quantity_signed("257", -64, 256, &s, &err), -EINVAL);
	assert_int_equal(quantity_signed("--1", -64, 256, &s, &err), -EINVAL);
	assert_int_equal(quantity_signed("-", -64, 256, &s, &err), -EINVAL);
	assert_int_equal(s, 256);
	assert_int_equal(quantity_per_second("200/s", 1000, &v, &err), 0);
	assert_int_equal(v, 200);
	assert_int_equal(quantity_per_second("200", 1000, &v, &err), -EINVAL);
	assert_int_equal(quantity_per_second("0/s", 1000, &v, &err), -EINVAL);
	assert_int_equal(quantity_per_second("1001/s", 1000, &v, &err), -EINVAL);
	assert_int_equal(quantity_per_second("0.5/s", 1000, &v, &err), -EINVAL);
}

static void exact_reads_back(void **state)
{
	struct err err;

	for (int i = 0; i < 200000; i++) {
		__u64 in = unit_scale(WEIR_RATE_MIN, WEIR_RATE_MAX), out = 0;

		if (i % 3)
			in -= in % 1000;
		in = in < WEIR_RATE_MIN ? WEIR_RATE_MIN : in;
		assert_int_equal(quantity_rate(quantity_rate_exact(in).text, &out, &err), 0);
		assert_int_equal(in, out);
		in = unit_scale(0, 1ULL << 50);
		assert_int_equal(quantity_time(quantity_time_exact(in).text, 0, ~0ULL, &out,
					       &err), 0);
		assert_int_equal(in, out);
		assert_int_equal(quantity_size(quantity_size_exact(in).text, 0, ~0ULL, &out,
					       &err), 0);
		assert_int_equal(in, out);
	}
	assert_string_equal(quantity_rate_exact(10000000).text, "10mbit");
	assert_string_equal(quantity_rate_exact(1500000000).text, "1500mbit");
	assert_string_equal(quantity_time_exact(1500000).text, "1500us");
	assert_string_equal(quantity_size_exact(65536).text, "64kib");
}

static void shows_for_people(void **state)
{
	static const struct {
		__u64 bps;
		const char *text;
	} table[] = {
		{ 0, "0 bit/s" }, { 999, "999 bit/s" }, { 1000, "1 kbit/s" },
		{ 94200000, "94.2 Mbit/s" }, { 94249999, "94.2 Mbit/s" }, { 94250000, "94.3 Mbit/s" },
		{ 1500000000, "1.5 Gbit/s" }, { 1234567, "1.23 Mbit/s" }, { 999499, "999 kbit/s" },
		{ 999500, "1 Mbit/s" }, { 9999, "10 kbit/s" }, { 99950, "100 kbit/s" },
		{ 1005000, "1.01 Mbit/s" }, { 400000000000, "400 Gbit/s" },
		{ 100000000, "100 Mbit/s" }, { ~0ULL, "18446744 Tbit/s" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++)
		assert_string_equal(quantity_rate_show(table[i].bps).text, table[i].text);
	assert_string_equal(quantity_time_show(1300000).text, "1.3 ms");
	assert_string_equal(quantity_time_show(90000000000).text, "90 s");
	assert_string_equal(quantity_size_show(4100000).text, "4.1 MB");
}

static void writes_digits(void **state)
{
	char digits[24], printed[24];

	for (__u64 power = 1; power; power = power > ~0ULL / 10 ? 0 : power * 10)
		for (int d = -1; d <= 1; d++) {
			snprintf(printed, sizeof(printed), "%llu", power + d);
			assert_int_equal(quantity_digits(digits, power + d), strlen(printed));
			assert_string_equal(digits, printed);
		}
	assert_int_equal(quantity_digits(digits, ~0ULL), 20);
	assert_string_equal(digits, "18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_rates),   cmocka_unit_test(refuses_rates),
		cmocka_unit_test(says_why),	   cmocka_unit_test(times_and_sizes),
		cmocka_unit_test(counts),	   cmocka_unit_test(exact_reads_back),
		cmocka_unit_test(shows_for_people),
		cmocka_unit_test(writes_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
