/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clock.h: the kernel's clocks, in ns. Pure code does not look: it is told what time it is.
 */
#ifndef WEIR_CLOCK_H
#define WEIR_CLOCK_H

#include <linux/types.h>
#include <time.h>

static inline __u64 clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Once, before the others. */
void clock_init(void);

/* CLOCK_MONOTONIC of the machine, as the datapath's: in whatever time namespace this process is. */
__u64 clock_now_ns(void);

/* The same time as this process's CLOCK_MONOTONIC has it, for those who wait until then. */
__u64 clock_own_ns(__u64 now_ns);

#endif
