/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timer.h: moves every fair class's level (level.h) from a bpf_timer, so that shares hold with no
 * agent running, and has event.h look at what there is to tell. Owns the windows of class_state;
 * touches no packet and no configuration.
 */
#ifndef WEIR_TIMER_H
#define WEIR_TIMER_H

#include <weir/level.h>
#include "event.h"
#include "debt.h"
#include "window.h"

#define WEIR_TICK_NS 4000000ULL		/* while a class with a rate has traffic */
#define WEIR_TICK_IDLE_NS 50000000ULL
#define WEIR_PART_SHIFT 24		/* of a rate, which is below 2^39 */
#define WEIR_IDLE_NS 1000000000ULL	/* without a packet for so long, a class is idle */

struct weir_tick {
	__u64 now;
	__u32 base;			/* of the live bank in map "classes" */
	__u32 busy;			/* a class with a rate had traffic */
	__u32 events;			/* it is time for them */
	__u32 leased;			/* the class's rate is an agent's */
	__u64 hold_until;		/* until when the agent lets nothing through */
};

/* Like other global functions here it could as well be inlined, but the verifier reads it once. */
__attribute__((noinline)) int weir_level_set(const struct weir_class *class,
					     struct weir_class_state *state, __u64 level, __u64 now)
{
	__u64 mean;

	if (!class || !state)
		return 0;
	mean = class->action == WEIR_POLICE ? WEIR_SLACK_NS :
		weir_debt_expected(state->mean_bucket, state->burst, state->rate_bps);
	state->level_bps = level;
	level = weir_level_damped(level, weir_debt(state->tat, now), mean);
	state->npb_level = weir_npb(weir_max(level, WEIR_LEVEL_MIN));
	return 0;
}

__attribute__((noinline)) int weir_above(const struct weir_class *class,
					 struct weir_class_state *state, __u64 now, __u32 leased)
{
	__u64 debt;

	if (!class || !state)
		return 0;
	debt = weir_debt(state->tat, now);
	/* the agent moves the rate until what arrives is right: two that correct it swing */
	if (leased && class->action != WEIR_POLICE) {
		state->gain = (state->gain * 7 + WEIR_GAIN_ONE) / 8;
		return 0;
	}
	if (class->action == WEIR_POLICE)
		return weir_level_above_police(debt, &state->gain);
	return weir_level_above(debt, weir_debt_expected(state->mean_bucket, state->burst,
							 state->rate_bps),
				now - state->level_at, state->idle_ns,
				state->windows[state->window & 1].now_limited);
}

/* the class's rate in force, bit/s */
static __always_inline __u64 weir_rate_now(const struct weir_class *class, __u32 slot,
					   struct weir_tick *tick)
{
	const struct weir_lease *lease;
	__u64 rate;

	tick->leased = 0;
	if (class->flags & WEIR_CLASS_LEASED) {
		lease = bpf_map_lookup_elem(&leases, &slot);
		rate = lease ? *(const volatile __u64 *)&lease->rate_bps : 0;	/* one look */
		if (rate && lease->expires_ns > tick->now) {
			tick->leased = 1;
			tick->hold_until = lease->hold_until_ns;
			return rate;
		}
	}
	return weir_rate_alone(class);
}

/* the rate in force; returns the one before */
static __always_inline __u64 weir_rate_note(struct weir_class_state *state, __u64 rate, __u64 now)
{
	__u64 was = state->rate_bps;

	state->rate_bps = rate;
	if (!was || rate < was - was / 4)
		state->cut_at = now;
	return was;
}

/*
 * A rate that moves takes the level along at once, and the class's debt, which is bytes: the time
 * that they take is another now. A deep cut does not lengthen it: what has been let go is gone,
 * and who lowered the rate has seen it arrive.
 */
static __always_inline void weir_level_follow(const struct weir_class *class,
					      struct weir_class_state *state, __u64 rate, __u64 now)
{
	__u64 was = weir_rate_note(state, rate, now), level, debt, ratio;

	if (!was || was == rate)
		return;
	ratio = weir_ratio(rate, was);
	/* the same part of it, however far it has moved: a ratio of rates ends at 256 */
	level = (rate * ((state->level_bps << WEIR_PART_SHIFT) / was)) >> WEIR_PART_SHIFT;
	state->limited_bytes = (state->limited_bytes >> 8) * ratio >> (WEIR_RATIO_SHIFT - 8);
	level = level > rate ? rate : weir_max(level, weir_level_min(rate));
	/* what senders keep ahead of their clocks is bytes, too: an old mean would stretch waits */
	debt = state->mean_bucket < WEIR_EXCESS_MAX_NS ? state->mean_bucket : WEIR_EXCESS_MAX_NS;
	state->mean_bucket = (debt * weir_ratio(was, rate)) >> WEIR_RATIO_SHIFT;
	weir_level_set(class, state, level, now);
	debt = weir_debt(state->tat, now);
	state->slowest = weir_slow(weir_npb(rate));
	if (debt && rate > was - was / 4)
		__sync_fetch_and_add(&state->tat, ((debt * weir_ratio(was, rate)) >>
						   WEIR_RATIO_SHIFT) - debt);
}

/* under an agent's rate: what it holds back is not left unused by anybody */
static __always_inline void weir_level_forgive(struct weir_class_state *state, __u64 now,
					       __u64 hold_until)
{
	__u64 tat = state->tat;

	weir_class_forgive(state, now);
	if (hold_until <= now)
		return;
	state->idle_ns = 0;
	if (tat < now)
		__sync_val_compare_and_swap(&state->tat, tat, now);
}

/*
 * An idle class begins anew: what is known of its flows was of others. Where an agent moves the
 * rate, the level stays and follows it: most likely the same ones come again.
 */
static __always_inline void weir_level_forget(const struct weir_class *class,
					      struct weir_class_state *state)
{
	weir_window_forget(state);
	if (class->flags & WEIR_CLASS_LEASED || !state->npb_level)
		return;
	state->npb_level = 0;
	state->rate_bps = 0;
	state->used_bps = 0;
	state->mean_bucket = 0;
}

/*
 * How long the window is. Where the level has risen, the buckets still come as seldom as the one
 * before let them: in windows of the new one they would be missing, and each have all of it. Who
 * polices has no bursts to wait for, and under an agent's rate no count.
 */
__attribute__((noinline)) __u64 weir_window_span(const struct weir_class *class,
						 const struct weir_class_state *state, __u32 leased)
{
	__u64 npb;

	if (!class || !state)
		return 0;
	npb = state->npb_level;
	if (class->action == WEIR_POLICE)
		return weir_window_ns(npb, 0);
	return weir_window_ns(weir_max(npb, state->npb_window), leased ? 0 : state->burst);
}

/* the first level is the whole rate, or what packets have made of it since they began */
static __always_inline void weir_level_begin(const struct weir_class *class,
					     struct weir_class_state *state, __u64 rate, __u64 now)
{
	state->gain = WEIR_GAIN_ONE;
	state->level_at = now;
	state->idle_ns = 0;		/* the pause before is no part of the first window */
	state->npb_window = 0;
	state->cut_at = now;
	state->limited_bytes = ~0ULL;
	weir_level_set(class, state, state->npb_level ? state->level_bps : rate, now);
	state->rate_bps = rate;
}

/* one that polices has senders that swing below the level by themselves; an agent moves its own */
static __always_inline int weir_unused(const struct weir_class *class,
				       const struct weir_class_state *state, __u64 span,
				       __u64 window, __u32 leased)
{
	return class->action != WEIR_POLICE && !leased && state->rate_bps &&
	       weir_level_unused(state->rate_bps, span, window, state->idle_ns);
}

/* many have left: what is unused is shared out now among those who are there, and counted anew */
__attribute__((noinline)) int weir_window_early(const struct weir_class *class,
						struct weir_class_state *state, __u64 rate,
						__u64 now, __u32 leased)
{
	__u64 span, idle, level;

	if (!class || !state)
		return 0;
	span = now - state->level_at;
	idle = state->idle_ns;
	if (!state->limited ||
	    !weir_unused(class, state, span, weir_window_span(class, state, leased), leased))
		return 0;
	state->limited_bytes = weir_limited_bytes(weir_bps(state->npb_level), span);
	level = weir_unused_more(state->level_bps, span, idle);
	weir_level_set(class, state, level < rate ? level : rate, now);
	state->limited = weir_unused_less(state->limited, span, idle) + 1;
	weir_window_next(state, &state->windows[state->window & 1], now);
	state->used_bps = weir_unused_less(rate, span, idle);
	return 1;
}

static __always_inline __u32 weir_limited_now(const struct weir_class *class,
					      const struct weir_class_state *state,
					      const struct weir_window *sum, __u64 rate,
					      __u64 span, __u32 leased)
{
	/* nothing else lowers a level under an agent's rate */
	if (leased && class->action != WEIR_POLICE)
		return weir_free_exceed(sum, rate, weir_window_of(state, span)) ? 0 :
		       weir_limited_count_leased(sum, state->limited, span, state->idle_ns);
	return weir_limited_count(sum, state->limited,
				  weir_unused(class, state, span, span, leased));
}

/* without shares only what moves the rate is looked at: the rest is from when there were some */
__attribute__((noinline)) int weir_level_none(const struct weir_class *class, __u32 slot,
					      struct weir_class_state *state, __u64 now)
{
	struct weir_tick tick = { .now = now };

	if (!class || !state)
		return 0;
	weir_rate_note(state, weir_rate_now(class, slot, &tick), now);
	state->npb_level = state->used_bps = 0;
	return 0;
}

static long weir_level_one(__u32 slot, void *context)
{
	struct weir_tick *tick = context;
	__u32 at = tick->base + slot;
	const struct weir_class *class = bpf_map_lookup_elem(&classes, &at);
	struct weir_class_state *state = bpf_map_lookup_elem(&class_state, &slot);
	struct weir_window *sum;
	__u64 rate, level, span;

	if (!class || !state)
		return 0;
	if (tick->events && class->flags & WEIR_CLASS_USED)
		weir_events_class(class, slot, state, tick->now);
	if (weir_since(state->last_ns, tick->now) > WEIR_IDLE_NS) {
		weir_level_forget(class, state);
		return 0;
	}
	/* a class that may get a rate any moment is answered as soon */
	if (class->rate_bps || class->flow_rate_bps || class->flags & WEIR_CLASS_LEASED)
		tick->busy = 1;
	if (!(class->flags & WEIR_CLASS_FAIR)) {
		weir_level_none(class, slot, state, tick->now);
		return 0;
	}
	rate = weir_rate_now(class, slot, tick);
	span = tick->now - state->level_at;
	sum = &state->windows[state->window & 1];
	if (!rate) {
		weir_window_forget(state);
		state->npb_level = state->rate_bps = state->mean_bucket = 0;
		return 0;
	}
	if (!state->rate_bps || !state->npb_level) {
		weir_level_begin(class, state, rate, tick->now);
		return 0;
	}
	weir_level_follow(class, state, rate, tick->now);
	if (tick->leased)
		weir_level_forgive(state, tick->now, tick->hold_until);
	level = state->level_bps;
	if (span < weir_window_span(class, state, tick->leased)) {
		if (weir_window_early(class, state, rate, tick->now, tick->leased))
			return 0;
		weir_level_set(class, state, weir_level_within(state, sum, rate, tick->now),
			       tick->now);
		return 0;
	}
	if (!weir_window_held(state)) {
		state->limited = weir_limited_now(class, state, sum, rate, span, tick->leased);
		level = weir_level_next(rate, level, sum, state->limited,
					weir_window_of(state, span),
					weir_above(class, state, tick->now, tick->leased),
					class->flow_rate_bps, &state->gain);
	}
	weir_level_set(class, state, level, tick->now);
	weir_window_next(state, sum, tick->now);
	state->limited_bytes = weir_limited_bytes(weir_bps(state->npb_level),
						  weir_window_span(class, state, tick->leased));
	return 0;
}

/* one pass over all classes; returns when the next is due */
static __always_inline __u64 weir_level_tick(__u64 now)
{
	struct weir_tick tick = { .now = now };
	const struct weir_control *live;
	const struct weir_policy *bank_policy;
	__u32 zero = 0, bank;

	live = bpf_map_lookup_elem(&control, &zero);
	if (!live)
		return WEIR_TICK_IDLE_NS;
	bank = live->generation & 1;
	tick.base = bank * WEIR_MAX_CLASSES;
	bank_policy = bpf_map_lookup_elem(&policy, &bank);
	if (!bank_policy)
		return WEIR_TICK_IDLE_NS;
	tick.events = weir_events_due(now);
	bpf_loop(bank_policy->n_classes, weir_level_one, &tick, 0);
	return tick.busy ? WEIR_TICK_NS : WEIR_TICK_IDLE_NS;
}

static int weir_timer_fire(void *map, __u32 *key, struct weir_timer *value)
{
	__u64 now = bpf_ktime_get_ns(), next = weir_level_tick(now);

	last_pass_ns = now;
	bpf_timer_start(&value->timer, next, 0);
	return 0;
}

#endif
