// SPDX-License-Identifier: GPL-2.0-only
/*
 * control.c: the laws. Feed-forward sets the rate from what the consumer takes and how far behind
 * it is; PI (a discrete Hollot/Misra/Towsley/Gong controller in multiplicative form) and AIMD
 * (in the form of Swift and Breakwater) need no drain rate; what else holds, for all alike. Pure.
 */
#include "control_past.h"

#define STEP_UP 1.25			/* no step raises the rate by more */
#define HORIZON 1.4		/* loop delays in which feed-forward means to be on target */
#define FAR_STEPS 2.0		/* intervals, for what is no noise: pending() knows the rest */
#define NOISE_PART 4			/* of a burst of each flow: so far apart samples may be */
#define CUT_MAX 0.9			/* feed-forward: below the drain rate by no more */
#define HOLD_MAX_NS 250e6		/* a departure that is later is no hold, but a guess */
#define CUT_MAX_BLIND 0.5		/* laws that do not know the drain rate */
#define CLEAR_PART 4			/* a signal below target / 4 is as good as none */
#define ON_TARGET_PART 5		/* within 20 % */
#define CUT_COUNTS 0.9			/* a cut to more than this part is not waited for */
#define USED_PART 0.6			/* producers that use less of a rate do not want more */
#define CUT_WORKS 0.95			/* of the signal at the cut: below it, it works */
#define TRIM_MIN (1.0 / 64)
#define TRIM_MAX 1.25
#define TRIM_HORIZONS 24.0		/* in which the trim follows a lasting error */
#define GOOD_MEMORY 512			/* samples in which the best rate is forgotten */
#define DRAIN_MEMORY 16			/* ... and a drain rate that was higher */
#define PI_KP 0.45			/* times 1/tau; ki = kp^2 / 8 */
#define OPEN_LATER 2			/* an open signal may be late by so many more delays */
#define OPEN_SLOW 0.25		/* so near the knee a rate is raised more slowly: ... */
#define OPEN_LEAST (1.0 / 16)		/* ... to so much of all haste, at it */
#define AIMD_BETA 0.4
#define AIMD_PART 64			/* additive step: a part of the best rate */
#define SHARE_CUT 0.1			/* below what the way takes, where a share tells of it */
#define SHARE_RAMP_NS 1e9		/* ... after so long twice as much; up: all haste is back */
/*
 * No rate is so low that a flow's two packets (TCP's least burst) are further apart: a socket
 * fixes its pause when it sends, and a later, higher rate does not wake it.
 */
#define PAUSE_NS 50e6
#define PAUSE_PART 2			/* of what is to be waited for, where that is longer */
#define GAP_NS 100e6			/* a clear signal that lasts so long is always one */
#define FLOOR_PART 2			/* a cut to this part of the drain rate is never refused */
#define FLOOR_UNKNOWN 4			/* where nobody knows how many flows there are */
#define FLOOR_LEAST 16			/* and one below this part never asked for */

static double clamp(double v, double lo, double hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static enum weir_control_reason side(const struct control_config *config, double value)
{
	double off = value - config->target, near = (double)config->target / ON_TARGET_PART;

	return off > near ? WEIR_C_BEHIND : off < -near ? WEIR_C_BELOW : WEIR_C_ON_TARGET;
}

/* the producers want no more than they had; who is limited now and then may use little */
static bool is_unused(const struct control_sample *sample, __u64 before)
{
	return !sample->limited || sample->silent ||
	       (sample->used_bps && sample->used_bps < before * USED_PART);
}

/* nothing is behind: up, as long as the producers want it and what was asked for has arrived */
static double probe(const struct control_config *config, struct control_state *state,
		    const struct control_sample *sample, double factor, __u64 now,
		    enum weir_control_reason *reason)
{
	double rate = state->rate_bps * factor, most;
	__u64 before = control_rate_before(config, state, sample, now);

	if (is_unused(sample, before)) {
		*reason = WEIR_C_UNUSED;
		return state->rate_bps;
	}
	if (now - state->cut_ns < control_loop_delay(config, state, sample)) {
		*reason = WEIR_C_SETTLING;
		return state->rate_bps;
	}
	*reason = WEIR_C_PROBE;
	/* nor beyond twice of what was ever seen to get through */
	most = sample->used_bps > state->good_bps ? sample->used_bps : state->good_bps;
	most = sample->used_bps && most < before ? most : before;
	return rate < 2 * most ? rate : state->rate_bps > 2 * most ? state->rate_bps : 2 * most;
}

/*
 * Paced sockets send in bursts, after a deep cut all at the same time: a sample may fall before one
 * or behind it. What is within one burst of each flow is averaged over; beyond that it is news.
 */
static double smooth(struct control_state *state, const struct control_sample *sample,
		     double interval_ns)
{
	double burst_ns = control_pause_ns(sample, sample->drain_bps);
	double off = sample->value - state->smooth;

	if (off > burst_ns || off < -burst_ns)
		state->smooth = sample->value;
	else
		state->smooth += off * interval_ns / (interval_ns + burst_ns / 2);
	return state->smooth;
}

/* a lasting error: another's producers, headers, a drain rate that is always read a little off */
static void learn(const struct control_config *config, struct control_state *state,
		  double tau, double value, double before, double horizon, __u64 now)
{
	double off = value - config->target;

	if (!state->trim)
		state->trim = 1;
	/* one that is on its way out is none, nor what a bound makes; a cut first has its time */
	if (now - state->cut_ns <= 2 * tau || (off > 0 ? value < before : value > before) ||
	    state->reason == WEIR_C_MINIMUM || state->reason == WEIR_C_MAXIMUM)
		return;
	state->trim *= 1 - clamp(off / horizon, 1 - STEP_UP, STEP_UP - 1) *
			   clamp(config->interval_ns / (TRIM_HORIZONS * horizon), 0, 1);
	state->trim = clamp(state->trim, TRIM_MIN, TRIM_MAX);
}

/*
 * What nobody adds to is worked off: where the signal has not come down by a quarter of the longest
 * hold in that time, it is not those that are held who are behind, and they would wait for ever.
 */
static bool hold_helps(struct control_state *state, bool wanted, double value, __u64 now)
{
	bool rises = !state->hold_ns || value > state->hold_value;

	if (!wanted)
		state->hold_vain = false;
	else if (!rises && now - state->hold_ns < HOLD_MAX_NS)
		return !state->hold_vain;
	else if (!rises && value > state->hold_value - HOLD_MAX_NS / 4)
		state->hold_vain = true;
	state->hold_ns = wanted ? now : 0;
	state->hold_value = value;
	return wanted && !state->hold_vain;
}

/* how long nothing has been waiting */
static __u64 clear_for(struct control_state *state, bool clear, __u64 now)
{
	if (!clear)
		state->clear_ns = 0;
	else if (!state->clear_ns)
		state->clear_ns = now;
	return clear ? now - state->clear_ns : 0;
}

static double feed_forward(const struct control_config *config, struct control_state *state,
			   const struct control_sample *sample, __u64 now,
			   enum weir_control_reason *reason)
{
	double tau = control_loop_delay(config, state, sample), drain, off, near, rate, raised = 0;
	double burst_ns = control_pause_ns(sample, sample->drain_bps);
	double noise_ns = burst_ns / NOISE_PART;
	double horizon = clamp(HORIZON * tau, 3.0 * config->interval_ns, 1e18);
	double far = clamp(FAR_STEPS * config->interval_ns, config->delay_ns, 1e18);
	double before = state->smooth, value = smooth(state, sample, config->interval_ns);
	bool clear = value < (double)config->target / CLEAR_PART;
	__u64 clear_ns = clear_for(state, clear, now);

	learn(config, state, tau, value, before,
	      clear || (sample->answered && !sample->limited) ? 1e18 : horizon, now);
	drain = sample->drain_bps * state->trim;
	off = value - config->target;
	/* below the target what is answered is what was sent */
	if (sample->limited && !(sample->answered && off < 0))
		off += control_pending(config, state, sample, drain, now);
	/*
	 * A low rate would set departures that still stand when the rate is back. What is too much
	 * is waited for, and the next departures are a rate's that the consumer can take.
	 */
	if (hold_helps(state, config->delays && off > (double)config->target && off > burst_ns,
		       value, now)) {
		state->hold_until_ns = now + clamp(off, 0, HOLD_MAX_NS);
		*reason = WEIR_C_HOLD;
		return drain;
	}
	near = clamp(off, -noise_ns, noise_ns);
	off = near / horizon + (off - near) / far;
	rate = drain * (1 - clamp(off, 1 - STEP_UP, CUT_MAX));
	/* more than the deepest cut takes away: nothing is lost by not being faster until then; a
	 * drain rate of which nothing comes is a lasting error (learn) */
	if (off >= CUT_MAX && rate > state->rate_bps)
		rate = state->rate_bps;
	*reason = side(config, sample->value);
	/* with nothing waiting, the next bursts may still be on their way */
	if (clear && clear_ns >= clamp(control_longest_echo_ns(config, state, sample), 0, GAP_NS))
		raised = probe(config, state, sample, STEP_UP, now, reason);
	/* while little waits, the drain rate seen may be the producers' and not the consumer's */
	else if (off < 0 && sample->value < config->target)
		raised = state->rate_bps;
	if (rate <= raised)
		return raised;
	*reason = side(config, sample->value);
	return rate;
}

/* the signal and its target in units of time, so that the gains fit any signal */
static double as_time(const struct control_config *config, const struct control_sample *sample,
		      double tau, __u64 value)
{
	return sample->is_time ? value : value * (tau / config->target);
}

/* a number of which nobody knows what is taken, nor how late it comes: a share of time, any */
static bool is_open(const struct control_sample *sample)
{
	return !sample->is_time && !sample->answered;
}

/* after a cut, how long none other is asked for */
static double settles(const struct control_config *config, const struct control_state *state,
		      const struct control_sample *sample)
{
	return control_loop_delay(config, state, sample) +
	       (is_open(sample) ? OPEN_LATER : 0) * config->delay_ns;
}

/*
 * An open signal may leap from none to all: when that shows the rate is far beyond, and far below
 * when a cut does. The rate that the last overload began at is remembered, the knee. Returns what
 * the signal has been at most in this overload: less is no news, but once a cut has had its time.
 */
static __u64 overload(const struct control_config *config, struct control_state *state,
		      const struct control_sample *sample, __u64 now)
{
	double tau = control_loop_delay(config, state, sample);
	bool again = state->seen_ns < state->cut_ns + settles(config, state, sample);
	__u64 near = config->target + config->target / ON_TARGET_PART;
	__u64 most = state->peak && !again ? state->peak : near;

	if (sample->value <= near) {
		state->peak = 0;
		return near;
	}
	if (!state->peak)
		state->knee_bps = control_past_rate(state, now > tau ? now - (__u64)tau : 0);
	if (sample->value > state->peak)
		state->peak = sample->value;
	return most;
}

/* the part that a rate with room is raised by: slowly near the knee, fast up to it and beyond */
static double raise(const struct control_config *config, const struct control_state *state,
		    const struct control_sample *sample, double tau)
{
	double up = clamp(config->interval_ns / (4 * tau), 0, 0.25), off;

	if (!is_open(sample) || !state->knee_bps)
		return up;
	off = state->rate_bps / (double)state->knee_bps - 1;
	return up * clamp((off < 0 ? -off : off) / OPEN_SLOW, OPEN_LEAST, 1);
}

static double pi(const struct control_config *config, struct control_state *state,
		 const struct control_sample *sample, __u64 now, enum weir_control_reason *reason)
{
	double tau = control_loop_delay(config, state, sample), kp = PI_KP / tau, ki = kp * kp / 8;
	double value = as_time(config, sample, tau, sample->value);
	double before = as_time(config, sample, tau, state->seen_ns ? state->value : sample->value);
	double target = as_time(config, sample, tau, config->target), factor, room;

	/* a share of few packets leaps: below its target that is no news */
	if (!sample->is_time && before < target)
		before = value < target ? value : target;
	if (is_open(sample)) {
		before = as_time(config, sample, tau, overload(config, state, sample, now));
		before = value < before ? value : before;
	}
	factor = 1 - kp * (value - before) - ki * config->interval_ns * (value - target);
	factor = clamp(factor, 1 - CUT_MAX_BLIND, sample->value > config->target ? 1 : STEP_UP);
	*reason = side(config, sample->value);
	/* a way has a round trip of its own, and none comes near zero: there is room from three
	 * quarters of the target down, all of it at a quarter */
	room = sample->is_time && sample->answered ? 1.5 - 2.0 * sample->value / config->target :
	       sample->value < config->target / CLEAR_PART;
	room = clamp(room, 0, 1) * raise(config, state, sample, tau);
	if (room > 0)
		factor = clamp(factor, 1 + room, is_open(sample) ? 1 + room : STEP_UP);
	/* a cut first has its time */
	if (is_open(sample) && factor < 1 && now - state->cut_ns < settles(config, state, sample)) {
		*reason = WEIR_C_SETTLING;
		return state->rate_bps;
	}
	if (factor > 1 && sample->value < config->target)
		return probe(config, state, sample, factor, now, reason);
	return state->rate_bps * factor;
}

static double aimd(const struct control_config *config, struct control_state *state,
		   const struct control_sample *sample, __u64 now,
		   enum weir_control_reason *reason)
{
	double over = ((double)sample->value - config->target) / config->target;
	double tau = control_loop_delay(config, state, sample);
	double clear_ns = clear_for(state, over < -0.5, now), step;

	if (is_open(sample))
		overload(config, state, sample, now);
	*reason = side(config, sample->value);
	if (now - state->cut_ns < settles(config, state, sample)) {
		*reason = WEIR_C_SETTLING;
		return state->rate_bps;
	}
	/* a cut that works is not repeated while it does */
	if (over > 0 && sample->value < state->cut_value * CUT_WORKS) {
		state->cut_ns = now;
		state->cut_value = sample->value;
		*reason = WEIR_C_SETTLING;
		return state->rate_bps;
	}
	state->cut_value = over > 0 ? sample->value : 0;
	if (over > 0)
		return state->rate_bps * clamp(1 - AIMD_BETA * over, 1 - CUT_MAX_BLIND, 1);
	if (is_unused(sample, control_rate_before(config, state, sample, now))) {
		state->clear_ns = 0;
		*reason = WEIR_C_UNUSED;
		return state->rate_bps;
	}
	/* the best rate that a step goes by may be long forgotten */
	if (is_open(sample))
		return state->rate_bps * (1 + raise(config, state, sample, tau));
	step = state->good_bps / AIMD_PART * config->interval_ns / tau;
	/* what is answered may be little for long: the longer all is well, the more is tried */
	return state->rate_bps + step * (sample->answered ? 1 + clear_ns / (2 * tau) : 1);
}

/*
 * A share of packets tells that the way takes no more, not how much less it takes: that is what is
 * answered. Below its target it tells nothing: up slowly at first, or it leaps beyond.
 */
static double share(const struct control_config *config, struct control_state *state,
		    const struct control_sample *sample, double rate, __u64 now)
{
	double up = config->interval_ns / (4 * control_loop_delay(config, state, sample)), least;
	__u64 clear_ns = clear_for(state, sample->value <= config->target, now);

	state->hold_ns = state->clear_ns || !state->hold_ns ? now : state->hold_ns;
	/* what waits there already is worked off as well: the longer it takes, the faster */
	least = clamp(1 + (now - state->hold_ns) / SHARE_RAMP_NS, 1, 2) * SHARE_CUT;
	least = sample->drain_bps * (1 - least);
	if (!state->clear_ns)
		return clamp(rate, least < state->rate_bps ? least : state->rate_bps, 1e18);
	up *= clamp((clear_ns + config->interval_ns) / SHARE_RAMP_NS, 0, 1);
	return clamp(rate, 0, state->rate_bps * (1 + up));
}

/* the user's minimum, else one below which sockets would sleep for too long */
static double minimum(const struct control_config *config, const struct control_state *state,
		      const struct control_sample *sample)
{
	/* answers are few where the rate is low: no reason for a lower one */
	bool known = sample->drain_bps && !sample->answered;
	double drain = known ? sample->drain_bps : state->good_bps;
	double least = drain / FLOOR_UNKNOWN, pause = PAUSE_NS;

	if (config->min_bps)
		return config->min_bps;
	if (sample->is_time && sample->value > config->target + PAUSE_PART * PAUSE_NS)
		pause = (sample->value - config->target) / PAUSE_PART;
	if (sample->active) {
		least = CONTROL_BURST_BITS * sample->active * (1e9 / pause);
		least = clamp(least, 0, drain / FLOOR_PART);
	}
	least = clamp(least, state->good_bps / FLOOR_LEAST, 1e18);
	return least > WEIR_RATE_MIN ? least : WEIR_RATE_MIN;
}

static double law_rate(const struct control_config *config, struct control_state *state,
		       const struct control_sample *sample, __u64 now,
		       enum weir_control_reason *reason)
{
	enum control_law law = control_law_in_force(config, sample);
	bool known = law == CONTROL_FEED_FORWARD || (sample->answered && sample->drain_bps);
	bool blind = law != CONTROL_FEED_FORWARD || sample->answered;
	double got = known ? sample->drain_bps : state->rate_bps, rate;

	/* what nobody could use is no rate that was good */
	if (!known && sample->used_bps && sample->used_bps < got)
		got = sample->used_bps;
	/* a drain rate that falls may be a consumer about to stop, not to slow down */
	if (got >= state->good_bps)
		state->good_bps = got;
	else
		state->good_bps += (got - state->good_bps) / (blind ? GOOD_MEMORY : DRAIN_MEMORY);
	if (sample->stalled) {
		*reason = WEIR_C_STALLED;
		return 0;
	}
	if (law == CONTROL_FEED_FORWARD)
		return feed_forward(config, state, sample, now, reason);
	rate = (law == CONTROL_AIMD ? aimd : pi)(config, state, sample, now, reason);
	if (sample->answered && !sample->is_time && sample->drain_bps)
		rate = share(config, state, sample, rate, now);
	return rate;
}

/* The first sample above the target takes control; until then the configured rate holds. */
static bool engage(const struct control_config *config, struct control_state *state,
		   const struct control_sample *sample)
{
	if (state->rate_bps)
		return true;
	if (sample->value <= config->target && !sample->stalled)
		return false;
	state->rate_bps = config->base_bps ?: sample->drain_bps ?: sample->used_bps ?:
			  config->max_bps ?: config->min_bps;
	if (config->max_bps && state->rate_bps > config->max_bps)
		state->rate_bps = config->max_bps;
	return state->rate_bps;
}

static void apply(const struct control_config *config, struct control_state *state, double rate,
		  double least, enum weir_control_reason reason, __u64 now)
{
	double most = config->max_bps ?: config->base_bps ?: WEIR_RATE_MAX;

	if ((rate < least && reason != WEIR_C_STALLED) ||
	    (rate == least && reason == WEIR_C_BEHIND))
		reason = WEIR_C_MINIMUM;
	rate = rate > least ? rate : least;
	if (rate > most || (rate == most && reason != WEIR_C_BEHIND))
		reason = WEIR_C_MAXIMUM;
	rate = rate < most ? rate : most;
	state->reason = reason;
	if (rate < state->rate_bps * CUT_COUNTS)
		state->cut_ns = now;
	state->rate_bps = rate;
	state->past[state->past_at] = (struct control_past){ now, state->rate_bps };
	state->past_at = (state->past_at + 1) % CONTROL_PAST;
}

static struct control_decision without(struct control_state *state, enum weir_control_reason reason)
{
	control_forget(state);
	state->reason = reason;
	return (struct control_decision){ .reason = reason };
}

struct control_decision control_step(const struct control_config *config,
				     struct control_state *state,
				     const struct control_sample *sample, __u64 now)
{
	enum weir_control_reason reason;
	__u64 age;
	double rate;

	if (config->by_hand)
		return without(state, WEIR_C_BY_HAND);
	if (!sample->at_ns)
		return without(state, state->rate_bps ? WEIR_C_EXPIRED : WEIR_C_WAITING);
	age = now > sample->at_ns ? now - sample->at_ns : 0;
	if (age > sample->ttl_ns) {
		if (age - sample->ttl_ns > sample->ttl_ns)
			return without(state, WEIR_C_EXPIRED);
		state->reason = WEIR_C_STALE;
		return (struct control_decision){ state->rate_bps, 0, WEIR_C_STALE };
	}
	if (sample->at_ns <= state->seen_ns)
		return (struct control_decision){ state->rate_bps, state->hold_until_ns,
						  state->reason };
	state->hold_until_ns = 0;
	if (!engage(config, state, sample)) {
		state->reason = sample->value > config->target || sample->stalled ? WEIR_C_NOTHING :
										    WEIR_C_IDLE;
	} else {
		rate = law_rate(config, state, sample, now, &reason);
		apply(config, state, rate, minimum(config, state, sample), reason, now);
	}
	state->seen_ns = sample->at_ns;
	state->value = sample->value;
	return (struct control_decision){ state->rate_bps, state->hold_until_ns, state->reason };
}
