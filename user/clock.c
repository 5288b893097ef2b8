// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock.c: the datapath's clock, also in a time namespace, whose own CLOCK_MONOTONIC is set off
 * from it: a lease that is written by that would end days late, or before it has begun.
 */
#include <stdio.h>
#include <string.h>
#include "clock.h"

#define OFFSETS "/proc/self/timens_offsets"

/* how far ours is ahead of the machine's */
static __s64 ahead_ns;

void clock_init(void)
{
	FILE *file = fopen(OFFSETS, "re");
	long long s, ns;
	char name[32];

	/* none: the kernel has no such namespaces */
	while (file && fscanf(file, "%31s %lld %lld", name, &s, &ns) == 3)
		if (!strcmp(name, "monotonic"))
			ahead_ns = s * 1000000000LL + ns;
	if (file)
		fclose(file);
}

__u64 clock_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC) - ahead_ns;
}

__u64 clock_own_ns(__u64 now_ns)
{
	return now_ns + ahead_ns;
}
