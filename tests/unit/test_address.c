// SPDX-License-Identifier: GPL-2.0-only
/* test_address.c: every pattern of zeros comes out as the C library has it. */
#include "unit.h"
#include <arpa/inet.h>
#include "address.h"

static void same(const __u8 addr[16], __u8 family)
{
	char got[INET6_ADDRSTRLEN], want[INET6_ADDRSTRLEN];
	const char *end = address_put(got, addr, family);

	assert_non_null(inet_ntop(family == 4 ? AF_INET : AF_INET6, addr + (family == 4 ? 12 : 0),
				  want, sizeof(want)));
	assert_string_equal(got, want);
	assert_ptr_equal(end, got + strlen(got));
}

static void v6(void **state)
{
	static const unsigned int words[] = { 0x1, 0x1f, 0xabc, 0xffff, 0x2001, 0x100 };

	for (unsigned int zeros = 0; zeros < 256; zeros++)
		for (unsigned int w = 0; w < 36; w++) {
			__u8 addr[16] = {};

			for (unsigned int i = 0; i < 8; i++) {
				unsigned int word = words[(i & 1 ? w / 6 : w + i) % 6];

				if (zeros & 1 << i)
					continue;
				addr[2 * i] = word >> 8;
				addr[2 * i + 1] = word;
			}
			same(addr, 6);
		}
}

static void v4(void **state)
{
	for (unsigned int i = 0; i < 256; i++)
		same((__u8[16]){ [12] = i, 255 - i, i / 10, i * 7 }, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v6),
		cmocka_unit_test(v4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
