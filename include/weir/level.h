/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * level.h: the max-min fair share of a class, found without a list of its flows. Pure.
 *
 * Time is cut into windows. At its first packet in a window each bucket reports what it did in
 * the window before: its bytes, and whether the level held it back. A bucket that runs ahead of
 * its clock reports that at once. From the sums, with rate R:
 *
 *	level = gain * (R - bytes/s of the buckets that were not limited) / (those that were)
 *
 * which is the water-filling identity for max-min shares (Bertsekas/Gallager 6.5). Where nobody
 * was limited but the class is over its rate, R / (active buckets) is the first guess; those
 * that use less are "not limited" in the next window.
 *
 * gain corrects what the count misses: where the debts that packets meet at the class's clock are
 * larger than those at their buckets', the levels add up to more than R; where smaller, to less.
 */
#ifndef WEIR_LEVEL_H
#define WEIR_LEVEL_H

#include <linux/types.h>
#include "bucket.h"

#define WEIR_GAIN_ONE (1U << 16)
#define WEIR_GAIN_MIN (WEIR_GAIN_ONE * 7 / 8)
#define WEIR_GAIN_MAX (WEIR_GAIN_ONE * 3 / 2)
#define WEIR_GAIN_STEP (WEIR_GAIN_ONE / 64)
#define WEIR_EXCESS_MIN_NS 5000000ULL	/* of the class's debt over its buckets': noise */
#define WEIR_EXCESS_MAX_NS 200000000ULL
#define WEIR_SLACK_NS 100000000ULL	/* police: so far may a class run ahead of its rate */
#define WEIR_WINDOW_MIN_NS 16000000ULL
#define WEIR_WINDOW_MAX_NS 1000000000ULL
#define WEIR_WINDOW_BYTES (16 * 1514)	/* a window holds that much of a bucket at the level */

#define WEIR_LEVEL_MIN 1000ULL		/* bit/s: what no clock may be slower than */

/* the lowest level of a class; a sum, for a branch would double the verifier's ways */
static __always_inline __u64 weir_level_min(__u64 rate)
{
	return (rate >> 16) + WEIR_LEVEL_MIN;
}

/*
 * How long a window is, at this level: long enough that each bucket which is held to it is seen,
 * whose packets are bursts of so many bytes.
 */
static __always_inline __u64 weir_window_ns(__u64 npb_level, __u32 burst)
{
	__u64 bytes = 2ULL * burst > WEIR_WINDOW_BYTES ? 2ULL * burst : WEIR_WINDOW_BYTES;
	__u64 ns = weir_cost(bytes, npb_level);

	if (ns < WEIR_WINDOW_MIN_NS)
		return WEIR_WINDOW_MIN_NS;
	return ns > WEIR_WINDOW_MAX_NS ? WEIR_WINDOW_MAX_NS : ns;
}

/* bytes from which a bucket counts as limited: three quarters of the level's share of a window */
static __always_inline __u64 weir_limited_bytes(__u64 level_bps, __u64 window_ns)
{
	return level_bps / 8 * (window_ns / 1000) / 1000000 * 3 / 4;
}

/*
 * The level that is published: less while the class's debt exceeds its buckets', so that an excess
 * is worked off within some 400 ms, by all alike.
 */
static __always_inline __u64 weir_level_damped(__u64 level, __u64 debt_class, __u64 mean_bucket)
{
	__u64 excess = debt_class > mean_bucket ? debt_class - mean_bucket : 0;

	if (excess < WEIR_EXCESS_MIN_NS)
		return level;
	if (excess > WEIR_EXCESS_MAX_NS)
		excess = WEIR_EXCESS_MAX_NS;
	return level - (level >> 9) * (excess >> 20) * 512 / (2 * WEIR_EXCESS_MAX_NS >> 20);
}

/*
 * The class's debt while the levels add up to its rate: the mean of its buckets', and half a burst,
 * for which the others wait. With less, rate is lost whenever two bursts are far apart.
 */
#define WEIR_BURST_EXPECTED_NS 20000000ULL
static __always_inline __u64 weir_debt_expected(__u64 mean_bucket, __u32 burst, __u64 rate)
{
	__u64 ns = rate >> 10 ? burst * (8ULL * 1000000000 >> 10) / (rate >> 10) : 0;

	return mean_bucket + (ns < WEIR_BURST_EXPECTED_NS ? ns : WEIR_BURST_EXPECTED_NS) / 2;
}

/*
 * 1: the class's debt exceeds what its buckets' make it, the levels add up to too much; -1: to too
 * little, or rate was unused for a part of the window, while some waited for more.
 */
#define WEIR_IDLE_SHIFT 5
static __always_inline int weir_level_above(__u64 debt_class, __u64 expected, __u64 span_ns,
					    __u64 idle_ns, __u32 waiting)
{
	int unused = idle_ns > span_ns >> WEIR_IDLE_SHIFT;

	if (debt_class > expected + WEIR_EXCESS_MIN_NS && !unused)
		return 1;
	return waiting && (unused || debt_class < expected) ? -1 : 0;
}

/*
 * The same where senders answer drops and marks: they swing about the level by a third, each in
 * its own time, and their mean with them. As long as the class is neither out of debt nor far in
 * it, its rate is in use and the level stands still, gain one: who does not swing is held to the
 * share (three flows, 20 ms: BBR 30-51 of 33 Mbit/s while the level followed the mean).
 */
static __always_inline int weir_level_above_police(__u64 debt_class, __u32 *gain)
{
	if (debt_class > WEIR_SLACK_NS)
		return 1;
	if (debt_class < WEIR_EXCESS_MIN_NS)
		return -1;
	*gain = (*gain * 7 + WEIR_GAIN_ONE) / 8;
	return 0;
}

/*
 * The number of limited buckets, from what was counted now and before. A bucket may send nothing
 * for a window while its last burst drains: what is missing is believed by a quarter, or wholly
 * where a part of the rate was unused (weir_level_unused).
 */
static __always_inline __u32 weir_limited_count(const struct weir_window *w, __u32 before,
						int unused)
{
	__u32 n = w->limited > w->now_limited ? w->limited : w->now_limited;

	return n < before && !unused ? before - (before - n + 3) / 4 : n;
}

/*
 * The same under an agent's rate, where nothing else corrects the level: what is missing is gone as
 * far as the rate that it left is unused.
 */
static __always_inline __u32 weir_limited_count_leased(const struct weir_window *w, __u32 before,
						       __u64 span_ns, __u64 idle_ns)
{
	__u32 n = w->limited > w->now_limited ? w->limited : w->now_limited;
	__u64 unused = weir_ratio(idle_ns < span_ns ? idle_ns : span_ns, span_ns);
	__u64 half = 1 << (WEIR_RATIO_SHIFT - 1);
	__u32 stay = before - ((before * unused + half) >> WEIR_RATIO_SHIFT);

	return n > stay ? n : stay;
}

/*
 * Bytes of those whom the level does not limit: who was free in the last window and is limited in
 * this one is no longer of them.
 */
static __always_inline __u64 weir_free_bytes(const struct weir_window *w)
{
	__u32 were_free = w->active > w->limited ? w->active - w->limited : 0;
	__u32 newly = w->now_limited > w->limited ? w->now_limited - w->limited : 0;

	if (newly >= were_free)
		return newly ? 0 : w->free_bytes;
	return w->free_bytes / were_free * (were_free - newly);
}

/*
 * Has a quarter of the rate been unused, for a quarter of the window, while buckets were limited?
 * Then many have left. Local sockets send up to 64 KiB at once: what is less than some such bursts
 * take is chance.
 */
#define WEIR_UNUSED_BYTES (4ULL * 65536)
static __always_inline int weir_level_unused(__u64 rate, __u64 span_ns, __u64 window_ns,
					     __u64 idle_ns)
{
	return span_ns >= WEIR_WINDOW_MIN_NS && span_ns >= window_ns / 4 &&
	       idle_ns > span_ns / 4 && idle_ns > WEIR_UNUSED_BYTES * 8000000000ULL / rate;
}

/*
 * Do those whom the level does not limit use more than the rate by themselves? Then many have come
 * whose shares it was not made for, and the number of those who were limited tells nothing of them.
 */
static __always_inline int weir_free_exceed(const struct weir_window *w, __u64 rate,
					    __u64 window_ns)
{
	__u64 us = window_ns / 1000;

	return us && weir_free_bytes(w) * 8 * 1000000 / us > rate;
}

/* how long of the span the rate was used: half of it at least */
static __always_inline __u64 weir_used_ns(__u64 span_ns, __u64 idle_ns)
{
	return idle_ns < span_ns / 2 ? span_ns - idle_ns : span_ns / 2;
}

/* value, as much larger as the rate was unused: at most twice */
static __always_inline __u64 weir_unused_more(__u64 value, __u64 span_ns, __u64 idle_ns)
{
	return (value * weir_ratio(span_ns, weir_used_ns(span_ns, idle_ns))) >> WEIR_RATIO_SHIFT;
}

/* and value as much less */
static __always_inline __u64 weir_unused_less(__u64 value, __u64 span_ns, __u64 idle_ns)
{
	return (value * weir_ratio(weir_used_ns(span_ns, idle_ns), span_ns)) >> WEIR_RATIO_SHIFT;
}

/*
 * The next level. rate, level in bit/s; w what was collected, in window_ns; limited by
 * weir_limited_count(), above by weir_level_above(), cap what each may have by itself, or 0. *gain
 * is moved.
 * The result lies in [weir_level_min(rate), rate].
 */
static __always_inline __u64 weir_level_next(__u64 rate, __u64 level, const struct weir_window *w,
					     __u32 limited, __u64 window_ns, int above,
					     __u64 cap, __u32 *gain)
{
	__u64 us = window_ns / 1000, used, unlimited, next, below;
	__u32 g = *gain;

	if (!us)
		us = 1;
	used = w->bytes * 8 * 1000000 / us;
	unlimited = weir_free_bytes(w) * 8 * 1000000 / us;
	if (!limited) {
		*gain = WEIR_GAIN_ONE;
		if (w->active && used > rate)
			next = rate / w->active;
		else if (above > 0)
			next = level;
		else
			next = level < rate / 2 ? level * 2 : rate;
	} else {
		if (above > 0)
			g -= WEIR_GAIN_STEP;
		else if (above < 0)
			g += WEIR_GAIN_STEP;
		g = g < WEIR_GAIN_MIN ? WEIR_GAIN_MIN : g > WEIR_GAIN_MAX ? WEIR_GAIN_MAX : g;
		*gain = g;
		/* the unlimited may not take it all: an equal share stays for the limited */
		if (unlimited > rate - rate / (limited + 1))
			unlimited = rate - rate / (limited + 1);
		next = ((rate - unlimited) / limited * g) >> 16;
	}
	/* above what each may have by itself it held nobody back, and the count tells nothing */
	if (cap && level > cap && used > rate) {
		below = (cap * weir_ratio(rate, used)) >> WEIR_RATIO_SHIFT;
		if (next > below)
			next = below;
	}
	if (next > rate)
		next = rate;
	if (next < weir_level_min(rate))
		next = weir_level_min(rate);
	return next;
}

#endif
