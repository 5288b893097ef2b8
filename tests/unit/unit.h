/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unit.h: what the unit tests share: cmocka with its headers in the order it wants, and random
 * numbers that repeat (WEIR_SEED=n chooses others).
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/types.h>

static __u64 unit_state;

/* xorshift64* */
static inline __u64 unit_random(void)
{
	if (!unit_state) {
		const char *seed = getenv("WEIR_SEED");

		unit_state = seed ? strtoull(seed, NULL, 0) | 1 : 0x9e3779b97f4a7c15ULL;
	}
	unit_state ^= unit_state >> 12;
	unit_state ^= unit_state << 25;
	unit_state ^= unit_state >> 27;
	return unit_state * 0x2545f4914f6cdd1dULL;
}

/* 0 to n - 1 */
static inline __u64 unit_below(__u64 n)
{
	return (__u64)(((unsigned __int128)unit_random() * n) >> 64);
}

/* between lo and hi, even over the orders of magnitude */
static inline __u64 unit_scale(__u64 lo, __u64 hi)
{
	unsigned int bits = 0;
	__u64 top;

	while (hi >> bits > lo)
		bits++;
	top = hi >> unit_below(bits + 1);
	return lo + unit_below(top > lo ? top - lo + 1 : 1);
}

#endif
