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
 * that use less are "not limited" in the next window. gain corrects, slowly, for what the count
 * misses, so that the class's measured use meets R.
 */
#ifndef WEIR_LEVEL_H
#define WEIR_LEVEL_H

#include <linux/types.h>
#include "bucket.h"

#define WEIR_GAIN_ONE (1U << 16)
#define WEIR_GAIN_MIN (WEIR_GAIN_ONE / 2)
#define WEIR_GAIN_MAX (WEIR_GAIN_ONE * 3 / 2)
#define WEIR_WINDOW_MIN_NS 16000000ULL
#define WEIR_WINDOW_MAX_NS 1000000000ULL
#define WEIR_WINDOW_BYTES (16 * 1514)	/* a window holds that much of a bucket at the level */

/* how long a window is, at this level */
static __always_inline __u64 weir_window_ns(__u64 npb_level)
{
	__u64 ns = weir_cost(WEIR_WINDOW_BYTES, npb_level);

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
 * The next level. rate, level in bit/s; w what was collected; window_ns how long that window
 * was; debt_ns the class clock's debt now. *gain is moved. The result lies in [rate/65536, rate].
 */
static __always_inline __u64 weir_level_next(__u64 rate, __u64 level, const struct weir_window *w,
					     __u64 window_ns, __u64 debt_ns, __u32 *gain)
{
	__u64 us = window_ns / 1000, used, unlimited, next, limited = w->limited;
	__s64 g = *gain, error;

	if (!us)
		us = 1;
	used = w->bytes * 8 * 1000000 / us;
	unlimited = w->free_bytes * 8 * 1000000 / us;
	if (w->now_limited > limited)
		limited = w->now_limited;
	if (!limited) {
		*gain = WEIR_GAIN_ONE;
		if (w->active && (used > rate || debt_ns > window_ns / 4))
			next = rate / w->active;
		else
			next = level < rate / 2 ? level * 2 : rate;
	} else {
		/* an eighth of the relative error, and the debt to be worked off in 8 windows */
		error = (__s64)((used > rate ? used - rate : rate - used) * WEIR_GAIN_ONE / rate);
		if (used > rate)
			error = -error;
		if (error > WEIR_GAIN_ONE / 2)
			error = WEIR_GAIN_ONE / 2;
		if (error < -(WEIR_GAIN_ONE / 2))
			error = -(WEIR_GAIN_ONE / 2);
		g += error >> 3;
		if (debt_ns > window_ns / 4)
			g -= WEIR_GAIN_ONE / 32;
		g = g < WEIR_GAIN_MIN ? WEIR_GAIN_MIN : g > WEIR_GAIN_MAX ? WEIR_GAIN_MAX : g;
		*gain = (__u32)g;
		/* the unlimited may not take it all: an equal share stays for the limited */
		if (unlimited > rate - rate / (limited + 1))
			unlimited = rate - rate / (limited + 1);
		next = (rate - unlimited) / limited;
		next = (next * (__u64)g) >> 16;
	}
	if (next > rate)
		next = rate;
	if (next < rate >> 16)
		next = rate >> 16;
	return next;
}

#endif
