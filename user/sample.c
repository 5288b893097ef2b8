// SPDX-License-Identifier: GPL-2.0-only
/*
 * sample.c: drain rates and queueing times. The drain rate is what was taken divided by the time
 * in which something was waiting: a consumer that idles is not a slow one. Silence of the
 * consumer is not counted until it takes again, so that a batch reader's pauses are part of its
 * rate and a standstill is not a rate at all. Pure.
 */
#include <string.h>
#include "sample.h"

#define CHANGE_ONE 6.0			/* one observation beyond so many sigmas is a change ... */
#define CHANGE_TWO 3.0			/* ... or the mean of two, of its own sigma */
#define CHANGE_ONE_PART 0.3		/* and by such a part of the rate at least */
#define CHANGE_TWO_PART 0.1
#define NEAR 1.2
#define MEMORY 16			/* observations that a steady rate is averaged over */
#define NOISE_MEMORY 16
#define STALL_MIN_NS 100000000.0	/* a pause that is called a standstill ... */
#define STALL_GAPS 4.0			/* ... unless the consumer pauses so usually */
#define STALL_LEARNED 2.0		/* of one, a pause so many times as long is learned */
#define LOOKS_GAP_NS 2e9		/* no two looks are so far apart */
#define VALUE_MAX_NS 100e9
#define RATIO_BYTES 65536		/* wire ratio: of so much at least */
#define RATIO_NS 200000000ULL
#define RATIO_MAX 4.0
#define PASS_PART 50			/* of a core for looks: 2 % */
#define SHARE_LEAST 20			/* packets that a share is taken of */

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* by more than a part of the rate and, beyond that, sqrt(sigmas2) sigmas */
static bool stands_out(const struct sample_drain *drain, double rate, double sigmas2, double part)
{
	double off = rate > drain->rate ? rate - drain->rate : drain->rate - rate;

	off -= part * drain->rate;
	return off > 0 && off * off > sigmas2 * drain->noise;
}

/* in part of the time before it: the next observation tells better */
static void change(struct sample_drain *drain, double rate)
{
	drain->former = drain->rate;
	drain->rate = rate;
	drain->n = 0;
}

/* sure: the consumer was busy; else it is at least that fast, and the next one replaces this one */
static void observe(struct sample_drain *drain, double rate, bool sure)
{
	double pair = (rate + drain->last[0]) / 2, half;

	if (!sure && drain->n) {
		change(drain, rate);
		return;
	}
	if (!drain->n) {
		drain->rate = rate;
		drain->n = 1;
		drain->last[1] = drain->last[0] = rate;
		return;
	}
	if (stands_out(drain, rate, CHANGE_ONE * CHANGE_ONE, CHANGE_ONE_PART)) {
		change(drain, rate);
	} else if (stands_out(drain, pair, CHANGE_TWO * CHANGE_TWO / 2, CHANGE_TWO_PART)) {
		change(drain, pair);
	} else {
		if (drain->n < MEMORY)
			drain->n++;
		drain->rate += (rate - drain->rate) / drain->n;
	}
	half = (rate - drain->last[0]) * (rate - drain->last[0]) / 2;
	drain->noise += (half - drain->noise) / NOISE_MEMORY;
	drain->last[1] = drain->last[0];
	drain->last[0] = rate;
}

/* since when what waits first has been waiting, at least; 0: not known */
static __u64 head_since(const struct sample_drain *drain)
{
	return drain->taken_ns > drain->since_ns ? drain->taken_ns : drain->since_ns;
}

/* a pause that is longer is a standstill */
static double longest_pause(const struct sample_drain *drain)
{
	return larger(STALL_MIN_NS, STALL_GAPS * drain->gap_ns);
}

/* was: waiting before; is: waiting now; taken in between, dt_ns long */
static void drain_step(struct sample_drain *drain, double was, double is, double taken,
		       double dt_ns, __u64 now)
{
	__u64 head = head_since(drain);
	double gap = head ? now - head : dt_ns;

	drain->taken += taken;
	drain->busy_ns += dt_ns;
	if (!is)
		drain->since_ns = 0;
	else if (!drain->since_ns)
		drain->since_ns = now;
	if (taken > 0) {
		double rate = drain->taken / drain->busy_ns;
		bool sure = was > drain->taken || (was && is);

		/*
		 * Where less was taken than waited before, the consumer was busy throughout, and
		 * most likely where something waited at both ends and it was about as fast as it
		 * is known to be; else it may have idled in between, and is at least that fast.
		 */
		if (!drain->stalled && (was > drain->taken || rate > drain->rate * NEAR ||
					(was && is && rate > drain->rate / NEAR)))
			observe(drain, rate, sure);
		/* one that stands still again and again pauses; a single time tells little of it */
		if (drain->stalled && gap > STALL_LEARNED * longest_pause(drain))
			gap = STALL_LEARNED * longest_pause(drain);
		if (was)
			drain->gap_ns += (gap - drain->gap_ns) / NOISE_MEMORY;
		drain->taken_ns = now;
		drain->stalled = false;
	}
	if (taken > 0 || !was)
		drain->taken = drain->busy_ns = 0;
	if (!taken && was && is) {
		drain->stalled = gap > longest_pause(drain);
		/* what looked like a slower consumer was one that was about to stop */
		if (drain->stalled && !drain->n && drain->former) {
			drain->rate = drain->former;
			drain->n = 1;
		}
	} else if (!is) {
		drain->stalled = false;
	}
}

/* ns until what waits now has been taken, at least as long as its head has been waiting */
static double queueing_ns(const struct sample_drain *drain, double waiting, __u64 now)
{
	__u64 head = head_since(drain);
	double least, ns;

	if (!waiting)
		return 0;
	least = head && now > head ? now - head : 0;
	ns = drain->rate > 0 ? waiting / drain->rate : least;
	/* a usual pause of a batch reader is no delay beyond what its rate says */
	if (least > 2 * drain->gap_ns)
		ns = larger(ns, least);
	return ns < VALUE_MAX_NS ? ns : VALUE_MAX_NS;
}

static void ratio_step(struct sample_state *state, const struct sample_counters *now)
{
	double wire = now->wire_bytes - state->ratio_wire, ratio;
	double payload = now->received_bytes - state->ratio_payload;

	if (!now->wire_bytes)
		return;
	if (state->ratio_ns && now->wire_bytes > state->ratio_wire && payload >= RATIO_BYTES &&
	    now->at_ns - state->ratio_ns >= RATIO_NS) {
		ratio = wire / payload;
		state->wire_ratio = ratio < 1 ? 1 : ratio > RATIO_MAX ? RATIO_MAX : ratio;
	} else if (state->ratio_ns && now->at_ns - state->ratio_ns < 8 * RATIO_NS) {
		return;
	}
	state->ratio_wire = now->wire_bytes;
	state->ratio_payload = now->received_bytes;
	state->ratio_ns = now->at_ns;
}

/* what is under way; the drain rate stays known */
static void forget(struct sample_drain *drain)
{
	drain->taken = drain->busy_ns = 0;
	drain->since_ns = drain->taken_ns = 0;
	drain->stalled = false;
}

/* counts that ran backwards (sockets that were counted have gone) took nothing */
static double grown(__u64 before, __u64 now)
{
	return now > before ? now - before : 0;
}

/* one of the two queues stands still, and nothing is taken from the other, either */
static bool is_stalled(const struct sample_state *state, __u64 now)
{
	double taken_ns = larger(state->bytes.taken_ns, state->connections.taken_ns);

	return (state->bytes.stalled || state->connections.stalled) &&
	       now - taken_ns > STALL_MIN_NS;
}

bool sample_step(struct sample_state *state, const struct sample_counters *now,
		 struct control_sample *ret)
{
	struct sample_counters before = state->before;
	double dt_ns = grown(before.at_ns, now->at_ns), bytes_ns, connections_ns, bps;

	if (before.at_ns && !dt_ns)
		return false;
	state->before = *now;
	/* the first look, or the first after nobody looked: what waited then says nothing of now */
	if (!before.at_ns || dt_ns > LOOKS_GAP_NS) {
		forget(&state->bytes);
		forget(&state->connections);
		return false;
	}
	drain_step(&state->bytes, before.unread_bytes, now->unread_bytes,
		   grown(before.served_bytes, now->served_bytes), dt_ns, now->at_ns);
	drain_step(&state->connections, before.waiting, now->waiting,
		   grown(before.accepted, now->accepted), dt_ns, now->at_ns);
	ratio_step(state, now);
	bytes_ns = queueing_ns(&state->bytes, now->unread_bytes, now->at_ns);
	connections_ns = queueing_ns(&state->connections, now->waiting, now->at_ns);
	bps = state->bytes.rate * 8e9 * (state->wire_ratio ? state->wire_ratio : 1);
	ret->at_ns = now->at_ns;
	ret->value = larger(bytes_ns, connections_ns);
	ret->is_time = true;
	ret->clear = !now->unread_bytes && !now->waiting;
	ret->stalled = is_stalled(state, now->at_ns);
	ret->drain_bps = bps;
	return true;
}

bool sample_share(__u64 part_before, __u64 part_now, __u64 all_before, __u64 all_now,
		  __u64 *ret_value)
{
	double part = grown(part_before, part_now), all = grown(all_before, all_now);

	if (all < SHARE_LEAST)
		return false;
	*ret_value = (part < all ? part / all : 1) * 100e6;
	return true;
}

__u64 sample_interval_ns(__u64 pass_ns)
{
	if (pass_ns > CONTROL_INTERVAL_MAX_NS / PASS_PART)
		return CONTROL_INTERVAL_MAX_NS;
	return larger(pass_ns * PASS_PART, CONTROL_INTERVAL_MIN_NS);
}
