/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aqm.h: from a delay to the probability of a mark or a drop. Pure: no helper, map, clock or
 * random number; the caller compares the probability with a random 32-bit number.
 * Probabilities are in units of 2^-32, delays in ns unless named _us.
 * Sources: RFC 9332 (PI2: gains, squaring, appendix A), RFC 9331 (L4S: a shallow ramp),
 * Kunniyur/Srikant 2001 (AVQ: a marked packet is not charged to the virtual queue).
 */
#ifndef WEIR_AQM_H
#define WEIR_AQM_H

#include <linux/types.h>
#include "abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define WEIR_PI_UPDATE_NS 16000000ULL
#define WEIR_PI_ALPHA 687		/* 0.16 Hz per second of delay, as 2^-32 per us */
#define WEIR_PI_BETA 13744		/* 3.2 Hz, likewise */
#define WEIR_PI_MAX 0x80000000U		/* p' <= 1/2: at most every fourth packet */
#define WEIR_L4S_LOW_NS 800000ULL
#define WEIR_L4S_HIGH_NS 1200000ULL
#define WEIR_MTU 1514			/* wire bytes of a full packet, where none is known */

/* codepoints of the two ECN bits */
enum { WEIR_NOT_ECT, WEIR_ECT1, WEIR_ECT0, WEIR_CE };

/* linear from 0 at low to certain at high */
static __always_inline __u32 weir_ramp(__u64 delay, __u64 low, __u64 high)
{
	if (delay <= low)
		return 0;
	if (delay >= high)
		return 0xffffffff;
	return (__u32)(((delay - low) << 32) / (high - low));
}

/* the L4S ramp, moved up so that it never starts below two packets' time at the rate */
static __always_inline __u32 weir_l4s(__u64 delay, __u64 packet_ns)
{
	__u64 low = WEIR_L4S_LOW_NS;

	if (low < 2 * packet_ns)
		low = 2 * packet_ns;
	return weir_ramp(delay, low, low + (WEIR_L4S_HIGH_NS - WEIR_L4S_LOW_NS));
}

/*
 * Targets of the classic law. A mark costs nothing: as configured, but at least four packets'
 * time, or a flow could not keep enough in flight. A drop is the last resort, and at a small
 * window it is answered by a time-out: half of drop-at, and at least sixteen packets' time.
 */
static __always_inline __u64 weir_mark_target(__u64 mark_at, __u64 packet_ns)
{
	return mark_at > 4 * packet_ns ? mark_at : 4 * packet_ns;
}

static __always_inline __u64 weir_drop_target(__u64 drop_at, __u64 packet_ns)
{
	return drop_at / 2 > 16 * packet_ns ? drop_at / 2 : 16 * packet_ns;
}

/*
 * One PI step: moves p' by how far the delay is from its target and by how it changed since.
 * elapsed is clamped to eight updates, so that an idle spell decays p' but never by a jump.
 */
static __always_inline __u32 weir_pi(__u32 p, __u32 old_us, __u32 delay_us, __u32 target_us,
				     __u64 elapsed)
{
	__s64 steps_q8, next;

	if (elapsed > 8 * WEIR_PI_UPDATE_NS)
		elapsed = 8 * WEIR_PI_UPDATE_NS;
	steps_q8 = (elapsed << 8) / WEIR_PI_UPDATE_NS;
	next = (__s64)p + ((((__s64)delay_us - (__s64)target_us) * WEIR_PI_ALPHA * steps_q8) >> 8) +
	       ((__s64)delay_us - (__s64)old_us) * WEIR_PI_BETA;
	if (next < 0)
		return 0;
	return next > WEIR_PI_MAX ? WEIR_PI_MAX : (__u32)next;
}

/* p = p'^2: what a classic (Reno-friendly) sender answers to linearly */
static __always_inline __u32 weir_square(__u32 p)
{
	return (__u32)(((__u64)p * p) >> 32);
}

/*
 * Policing: one signal per rise. A phantom queue delays nobody, so its debt is the integral of what
 * a sender sent above the rate; a sender that has had its signal goes on for a round trip before it
 * answers. A queue that drops whatever finds it full takes all of that from it, whole windows, and
 * the time-outs that follow cost more than the rate. Here a packet is signalled (marked, or dropped
 * alone) when the debt is above the depth and has risen by a step since it was lowest after the
 * last signal: one overshoot is one signal, and only what does not answer gets the next.
 *
 * The depth is learned from the answer, since nobody knows the round trip: a debt that fell to
 * nothing was too shallow a queue (the sender then has less than the rate: Reno needs N^2/18
 * packets for N in flight, Cubic N^2/33), one that never fell to half was too deep. A queue that
 * never empties gives each of its senders exactly its rate, whatever its congestion control.
 *
 * Kernel 6.12, 20 ms, against a queue of 128 KiB that drops when full: one Cubic flow with CE in
 * 50 Mbit/s 47.3 -> 49.3. In a fair class of 100 Mbit/s, Not-ECT, mean of Jain's index of windows
 * of 250 ms: 12 flows that come and go beside a flood of UDP 0.93 -> 0.97, 64 flows 0.70 -> 0.93.
 * Steps of 2 packets halve a window twice; a quarter of the whole depth lets small windows run into
 * the limit. What is left swings: a Reno flow between 2/3 and 4/3 of its share. BBR at 2 ms takes
 * what a depth lets through at once for its bandwidth, ten times the rate, then whole windows are
 * lost, and 200 ms pass: it has its rate where the depth is what drains in such a time-out. Alone
 * it learns that within seconds (28 of 33 Mbit/s from 1 to 6 s, 9.0 of 10).
 *
 * All in us, 64 bits: a burst that is a size takes hours at a low level. depth, low: the bucket's
 * state. top: signal above this debt; base: where learning starts from; packet: a full packet's
 * time. Returns 1 where this packet is to carry the signal.
 */
#define WEIR_DEPTH_MAX_US 500000
#define WEIR_STEP_MIN_US 5000
static __always_inline int weir_rise(__u32 *depth, __u32 *low, __u64 debt, __u64 top, __u64 base,
				     __u64 packet)
{
	__u64 step = top > base ? (top - base) / 4 : 0;

	if (step < 2 * packet)
		step = 2 * packet;
	if (step < WEIR_STEP_MIN_US)
		step = WEIR_STEP_MIN_US;
	if (debt < *low)
		*low = debt;
	if (debt <= top || debt - *low < step)
		return 0;
	if (*low <= 2 * packet)
		top += top / 2;
	else if (*low > top / 2)
		top -= top / 16;
	*depth = top < WEIR_DEPTH_MAX_US ? top : WEIR_DEPTH_MAX_US;
	*low = debt;
	return 1;
}

#endif
