/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window.h: what packets tell the level of their class (level.h): what each bucket did in a window,
 * and at once who the level holds back; and how windows follow each other. Owns the sums of
 * class_state that timer.h reads; moves no clock.
 */
#ifndef WEIR_WINDOW_H
#define WEIR_WINDOW_H

#include <weir/level.h>
#include "facts.h"

/* n share the class: each one's share is less from this packet on, not from the next tick */
static __always_inline void weir_level_lower(struct weir_class_state *state, __u64 npb_class,
					     __u32 n)
{
	__u64 npb = weir_min(npb_class * n, WEIR_NPB_MAX);

	if (npb <= state->npb_level)
		return;
	state->npb_level = npb;
	state->level_bps = weir_bps(npb);
}

/* the bucket's window before; two CPUs may report one twice in the same instant: no harm */
static __always_inline void weir_window_report(const struct weir_facts *f,
					       const struct weir_class *class,
					       struct weir_bucket *bucket,
					       struct weir_class_state *state)
{
	__u32 window = state->window;
	struct weir_window *sum = &state->windows[window & 1];
	__u64 used = bucket->bytes - bucket->win_bytes;

	if (bucket->window == window - 1 && used) {
		__sync_fetch_and_add(&sum->bytes, used);
		__sync_fetch_and_add(&sum->active, 1);
		if (f->npb_bucket > class->npb_flow &&
		    (bucket->flags & WEIR_BUCKET_LIMITED || used > state->limited_bytes))
			__sync_fetch_and_add(&sum->limited, 1);
		else
			__sync_fetch_and_add(&sum->free_bytes, used);
	}
	bucket->window = window;
	bucket->win_bytes = bucket->bytes;
	bucket->flags &= ~(WEIR_BUCKET_LIMITED | WEIR_BUCKET_ACTIVE);
}

/* Is there something to note? Arithmetic: a branch would double the verifier's ways. */
static __always_inline int weir_window_news(const struct weir_facts *f,
					    const struct weir_bucket *bucket,
					    const struct weir_class_state *state)
{
	__u32 size = f->flags & (WEIR_F_SMALL | WEIR_F_CONTROL) ? 0 : WEIR_BUCKET_ACTIVE;

	return ((bucket->window ^ state->window) | (~bucket->flags & size)) != 0;
}

/*
 * A bucket's first packets in a window: it reports the window before, and is counted as active by
 * the first that is of some size. While nobody is known to be limited and the class is over its
 * rate (many start at once), an equal share of all who are is the first guess: with the whole rate
 * each, 64 sockets sent nine times theirs for some round trips and made up for it by silence. A
 * global function: it is seldom called, and the verifier reads it once.
 */
__attribute__((noinline)) int weir_window_note(const struct weir_facts *f,
					       const struct weir_class *class,
					       struct weir_bucket *bucket,
					       struct weir_class_state *state)
{
	__u32 n;

	if (!f || !class || !bucket || !state)
		return 0;
	if (bucket->window != state->window)
		weir_window_report(f, class, bucket, state);
	if (bucket->flags & WEIR_BUCKET_ACTIVE || f->flags & (WEIR_F_SMALL | WEIR_F_CONTROL))
		return 0;
	bucket->flags |= WEIR_BUCKET_ACTIVE;
	if (f->bytes > state->burst)
		state->burst = f->bytes;
	n = __sync_fetch_and_add(&state->windows[state->window & 1].now_active, 1) + 1;
	if (!state->limited && weir_debt(state->tat, f->now) > WEIR_EXCESS_MIN_NS)
		weir_level_lower(state, f->npb_class, n);
	return 0;
}

/*
 * Within a window: who is newly limited is answered within a tick, the rest at its end. Where
 * nobody is, and yet the class is over its rate, all who are there share it alike at first.
 */
__attribute__((noinline)) __u64 weir_level_within(const struct weir_class_state *state,
						  const struct weir_window *sum, __u64 rate,
						  __u64 now)
{
	__u32 n;

	if (!state || !sum)
		return 0;
	n = sum->now_limited;
	if (!n && !state->limited && weir_debt(state->tat, now) > WEIR_EXCESS_MIN_NS)
		n = sum->now_active;
	if (n > state->limited && state->level_bps > rate / n)
		return rate / n;
	return state->level_bps;
}

/* The level holds the bucket back: said at once; and what such buckets owe, as a moving average. */
static __always_inline void weir_window_limited(const struct weir_facts *f,
						const struct weir_class *class,
						struct weir_bucket *bucket,
						struct weir_class_state *state,
						__u64 debt)
{
	__u32 n;

	/* a lost update does no harm */
	if (f->reason < WEIR_R_FIRST_DROP || f->reason == WEIR_R_DROP_AQM)
		state->mean_bucket += ((__s64)debt - (__s64)state->mean_bucket) >> 5;
	if (bucket->flags & WEIR_BUCKET_LIMITED || f->npb_bucket <= class->npb_flow)
		return;
	bucket->flags |= WEIR_BUCKET_LIMITED;
	n = __sync_fetch_and_add(&state->windows[state->window & 1].now_limited, 1) + 1;
	if (n > state->limited)
		weir_level_lower(state, f->npb_class, n);
	state->limited_at = f->now;
}

/* of what time a window's sums are: buckets report what they did in the one before it */
static __always_inline __u64 weir_window_of(const struct weir_class_state *state, __u64 span)
{
	return state->span_ns ? state->span_ns : span;
}

/*
 * A hold stops all alike, and they come again one by one: what the window that it stood in and the
 * next one tell of buckets is nothing that the level should follow.
 */
static __always_inline int weir_window_held(const struct weir_class_state *state)
{
	return state->held_until > state->level_at - state->span_ns;
}

/* the window ends: what it saw stays known, the next one is empty */
static __always_inline void weir_window_next(struct weir_class_state *state,
					     const struct weir_window *sum, __u64 now)
{
	struct weir_window *next = &state->windows[(state->window + 1) & 1];
	__u64 span = now - state->level_at, us = weir_window_of(state, span) / 1000;

	state->used_bps = us ? sum->bytes * 8 * 1000000 / us : 0;
	state->active = sum->active;
	__builtin_memset(next, 0, sizeof(*next));
	state->idle_ns = 0;
	state->level_at = now;
	state->span_ns = span;
	state->npb_window = state->npb_level;
	state->burst -= state->burst >> 3;
	__sync_fetch_and_add(&state->window, 1);
}

/*
 * A flow comes into a class, by another policy or (in_turn) by what its packets say. Windows are
 * numbered by class: nothing is reported of another's. A class without a level has none, so that a
 * flow whose packets are of two classes in turn stays what it is in the other; and where both have
 * one, it would be counted anew at each turn: not before the next window.
 */
static __always_inline void weir_window_move(struct weir_flow *flow,
					     const struct weir_class *class,
					     const struct weir_class_state *state, __u32 slot,
					     int in_turn)
{
	if (!class || !state || flow->window_slot == slot || !(class->flags & WEIR_CLASS_FAIR))
		return;
	flow->window_slot = slot;
	flow->bucket.window = in_turn ? state->window : ~0U;
	flow->bucket.win_bytes = flow->bucket.bytes;
	if (in_turn)
		flow->bucket.flags |= WEIR_BUCKET_LIMITED | WEIR_BUCKET_ACTIVE;
}

/* what was counted is of another time: nobody's last window is reported in the next */
static __always_inline void weir_window_forget(struct weir_class_state *state)
{
	if (!(state->active | state->limited | state->windows[0].active |
	      state->windows[1].active | state->windows[0].now_active |
	      state->windows[1].now_active))
		return;
	state->active = state->limited = 0;
	state->span_ns = 0;
	__builtin_memset(state->windows, 0, sizeof(state->windows));
	__sync_fetch_and_add(&state->window, 2);
}

#endif
