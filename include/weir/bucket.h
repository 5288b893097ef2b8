/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bucket.h: a token bucket as one 64-bit virtual clock (GCRA, the virtual scheduling algorithm of
 * ITU-T I.371 annex A), moved by fetch-and-add, so that no CPU waits and no update is lost.
 * Pure: `now` is an argument; no helper, map or clock. Compiles for BPF and for the host.
 *
 * tat is the time at which all bytes charged so far have drained at the rate; tat - now is the
 * debt: the delay of a queue that would hold them. A packet is refused when the debt *before*
 * it exceeds the limit (debt form: a GSO packet larger than the burst still passes once).
 * Bound: bytes in any window t <= R*t + R*limit + one packet, + (CPUs - 1) packets in flight.
 */
#ifndef WEIR_BUCKET_H
#define WEIR_BUCKET_H

#include <linux/types.h>
#include "abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* the longest packet that is ever charged: BIG TCP is 512 KiB, GSO headers come on top */
#define WEIR_BYTES_MAX (1U << 20)

/* no clock is slower than that, some 950 bit/s: times WEIR_BYTES_MAX it is 2^63 */
#define WEIR_NPB_MAX (1ULL << 43)

/*
 * Rate to fixed point. Exact to 2^-20 ns per byte: relative error < 2.4e-5 at 400 Gbit/s and
 * < 1e-12 at 8 kbit/s (tests/unit/test_bucket.c). bps must be in [WEIR_RATE_MIN, WEIR_RATE_MAX];
 * 0 (no rate) gives 0.
 */
static __always_inline __u64 weir_npb(__u64 bps)
{
	return bps ? ((8000000000ULL << WEIR_NPB_SHIFT) + bps / 2) / bps : 0;
}

static __always_inline __u64 weir_bps(__u64 npb)
{
	return npb ? ((8000000000ULL << WEIR_NPB_SHIFT) + npb / 2) / npb : 0;
}

/* a rate in 32 bits, at most all ones */
static __always_inline __u32 weir_slow(__u64 npb)
{
	return npb >> WEIR_SLOW_SHIFT < 0xffffffff ? npb >> WEIR_SLOW_SHIFT : 0xffffffff;
}

/* the slowest rate since there was no debt */
static __always_inline __u32 weir_slowest(__u32 slowest, __u64 debt, __u64 npb)
{
	__u32 now = weir_slow(npb);

	return debt && slowest > now ? slowest : now;
}

/* ns that the bytes take at the rate; the product is at most 2^63, at WEIR_NPB_MAX */
static __always_inline __u64 weir_cost(__u32 bytes, __u64 npb)
{
	return ((__u64)bytes * npb) >> WEIR_NPB_SHIFT;
}

/*
 * The same for a charge. A short packet takes so few ns at a high rate (64 bytes at 400 Gbit/s:
 * 1.28) that to round each down gave a fifth too much: below 1 us it is rounded at random, by a
 * fraction that follows now, so that the mean is exact.
 */
static __always_inline __u64 weir_cost_mean(__u32 bytes, __u64 npb, __u64 now)
{
	__u64 product = (__u64)bytes * npb;
	__u64 fraction = (__u32)now * 0x9e3779b1U >> (32 - WEIR_NPB_SHIFT);
	/* all ones or none, for a branch would double the verifier's ways */
	__s64 is_short = (__s64)(product - (1000ULL << WEIR_NPB_SHIFT)) >> 63;

	return (product + (fraction & is_short)) >> WEIR_NPB_SHIFT;
}

/* a / b as a fixed-point number, at most 256; a, b < 2^44 */
#define WEIR_RATIO_SHIFT 16
static __always_inline __u64 weir_ratio(__u64 a, __u64 b)
{
	__u64 ratio = b ? (a << WEIR_RATIO_SHIFT) / b : 1 << WEIR_RATIO_SHIFT;

	return ratio < 256ULL << WEIR_RATIO_SHIFT ? ratio : 256ULL << WEIR_RATIO_SHIFT;
}

/* the debt, without touching the clock */
static __always_inline __u64 weir_debt(__u64 tat, __u64 now)
{
	return tat > now ? tat - now : 0;
}

/* time that has passed since then; none where another CPU's clock reading was a little ahead */
static __always_inline __u64 weir_since(__u64 then, __u64 now)
{
	return now > then ? now - then : 0;
}

/* of what is kept as CLOCK_MONOTONIC >> WEIR_ASKED_SHIFT in 32 bits: how long ago, likewise */
static __always_inline __u32 weir_asked_ago(__u32 asked_at, __u64 now)
{
	__u32 ago = (__u32)(now >> WEIR_ASKED_SHIFT) - asked_at;

	return ago < 0xffff0000 ? ago : 0;
}

/*
 * Charge cost at now. Returns the debt before the packet (0: it found the bucket idle); who refuses
 * the packet for it takes the charge back by weir_refund().
 */
static __always_inline __u64 weir_charge(__u64 *tat, __u64 now, __u64 cost)
{
	__u64 old = *(volatile __u64 *)tat;

	/* idle: start from now. Losing the race means that another CPU has done so. */
	if (old < now && __sync_val_compare_and_swap(tat, old, now + cost) == old)
		return 0;
	old = __sync_fetch_and_add(tat, cost);
	if (old < now) {
		__sync_val_compare_and_swap(tat, old + cost, now + cost);
		return 0;
	}
	return old - now;
}

/* A clock that counts events: one of n per second takes so long; n may come at once, or one. */
static __always_inline __u64 weir_event_cost(__u32 per_second)
{
	return 1000000000ULL / per_second;
}

static __always_inline __u64 weir_event_limit(__u32 per_second)
{
	return (per_second - 1) * weir_event_cost(per_second);
}

/* take a charge back */
static __always_inline void weir_refund(__u64 *tat, __u64 cost)
{
	__sync_fetch_and_add(tat, -cost);
}

/* Charge what may find no more debt than limit: 1, or 0 and nothing charged. */
static __always_inline int weir_charge_within(__u64 *tat, __u64 now, __u64 cost, __u64 limit)
{
	if (weir_charge(tat, now, cost) <= limit)
		return 1;
	weir_refund(tat, cost);
	return 0;
}

#endif
