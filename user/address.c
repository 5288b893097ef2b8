// SPDX-License-Identifier: GPL-2.0-only
/* address.c: RFC 5952: the longest run of zeros, the first of two, is left out. Pure. */
#include "address.h"

static char *byte_put(char *to, unsigned int value)
{
	if (value >= 100)
		*to++ = '0' + value / 100;
	if (value >= 10)
		*to++ = '0' + value / 10 % 10;
	*to++ = '0' + value % 10;
	return to;
}

static char *v4_put(char *to, const __u8 addr[4])
{
	for (unsigned int i = 0; i < 4; i++) {
		if (i)
			*to++ = '.';
		to = byte_put(to, addr[i]);
	}
	return to;
}

static char *word_put(char *to, unsigned int value)
{
	static const char digits[] = "0123456789abcdef";

	if (value >= 0x1000)
		*to++ = digits[value >> 12];
	if (value >= 0x100)
		*to++ = digits[value >> 8 & 0xf];
	if (value >= 0x10)
		*to++ = digits[value >> 4 & 0xf];
	*to++ = digits[value & 0xf];
	return to;
}

/* of two words at least, else of none; where it begins */
static unsigned int longest_run(const unsigned int words[8], unsigned int *ret_n)
{
	unsigned int begin = 0, run = 0, n = 1;

	for (unsigned int i = 0; i < 8; i++) {
		run = words[i] ? 0 : run + 1;
		if (run > n) {
			n = run;
			begin = i + 1 - run;
		}
	}
	*ret_n = n > 1 ? n : 0;
	return begin;
}

static char *v6_put(char *to, const __u8 addr[16])
{
	unsigned int words[8], begin, n;

	for (unsigned int i = 0; i < 8; i++)
		words[i] = addr[2 * i] << 8 | addr[2 * i + 1];
	begin = longest_run(words, &n);
	for (unsigned int i = 0; i < 8; i++) {
		if (n && i == begin) {
			*to++ = ':';
			i += n - 1;
			if (i == 7)
				*to++ = ':';
			continue;
		}
		if (i)
			*to++ = ':';
		/* ::192.0.2.1 and ::ffff:192.0.2.1 */
		if (i == 6 && !begin && (n == 6 || (n == 5 && words[5] == 0xffff)))
			return v4_put(to, addr + 12);
		to = word_put(to, words[i]);
	}
	return to;
}

char *address_put(char *to, const __u8 addr[16], __u8 family)
{
	to = family == 4 ? v4_put(to, addr + 12) : v6_put(to, addr);
	*to = '\0';
	return to;
}
