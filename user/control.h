/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * control.h: from a signal to a rate. Pure functions of (configuration, state, sample, now): no
 * libbpf, no clock, no log. All laws are multiplicative, so that their gains do not depend on the
 * scale. Bounded steps; what a cut has not had the time to do is not asked for again; silence is
 * neither idleness nor overload. Rates are bit/s on the wire, times ns.
 */
#ifndef WEIR_CONTROL_H
#define WEIR_CONTROL_H

#include <stdbool.h>
#include <linux/types.h>
#include <weir/control_reason.h>

/* as struct weir_class has them */
enum control_law { CONTROL_FEED_FORWARD, CONTROL_AIMD, CONTROL_PI, CONTROL_LAW_COUNT };

#define CONTROL_INTERVAL_MIN_NS 10000000ULL
#define CONTROL_INTERVAL_MAX_NS 1000000000ULL

struct control_config {
	enum control_law law;		/* feed-forward needs a drain rate; without one it is PI */
	__u64 target;			/* in the unit of the signal; > 0 */
	__u64 min_bps, max_bps;		/* 0: none given */
	__u64 base_bps;			/* the configured rate; 0: none. No max: also the maximum */
	__u64 interval_ns;		/* between two samples */
	__u64 delay_ns;			/* from a change of the rate to its effect there ... */
	double pauses;			/* ... beside so many pauses of a flow between two bursts */
	bool by_hand;			/* the rate was set by hand */
	bool delays;			/* by departure times, which no later rate moves */
};

struct control_sample {
	__u64 at_ns;			/* when it was taken; 0: never */
	__u64 ttl_ns;			/* how long it stands */
	__u64 value;			/* in the unit of the signal */
	bool is_time;			/* which is ns of queueing */
	bool answered;			/* local senders': drain_bps is what they have answers of */
	bool clear;			/* nothing is waiting at the consumer */
	bool stalled;			/* something waits and nothing is taken */
	bool limited;			/* the producers want more than the rate in force */
	__u64 drain_bps;		/* what the consumer takes while it is busy; 0: not known */
	__u64 used_bps;			/* what the class passes now; 0: not known, or nothing */
	bool silent;			/* that is nothing */
	__u32 active;			/* flows; 0: not known */
};

/* the rates of the last samples: what is on its way to the consumer */
#define CONTROL_PAST 16
struct control_past {
	__u64 at_ns, rate_bps;
};

struct control_state {
	__u64 rate_bps;			/* in force by lease; 0: none, the configured rate holds */
	__u64 seen_ns;			/* at_ns of the last sample that was used */
	__u64 value;			/* of that sample */
	__u64 cut_ns;			/* when the rate was last cut */
	__u64 cut_value;		/* the signal then */
	__u64 peak;			/* of the signal while above its target; 0: it is not */
	__u64 knee_bps;			/* the rate when that began; 0: never did */
	__u64 clear_ns;			/* since when nothing has been waiting; 0: something is */
	double smooth;			/* the signal without the producers' bursts; ns */
	double good_bps;		/* drain, or best rate so far: what small rates go by */
	double trim;			/* feed-forward: learned share of the drain; 0: not yet */
	__u64 hold_until_ns;		/* of the last step */
	__u64 hold_ns;			/* since when that, or a cut, ought to have told; 0: none */
	double hold_value;		/* the signal then */
	bool hold_vain;			/* it has not: none until the signal is near its target */
	unsigned int past_at;
	enum weir_control_reason reason;
	struct control_past *past;	/* CONTROL_PAST; elsewhere, as a step touches one of them */
};

struct control_decision {
	__u64 rate_bps;			/* to be put in force; 0: no lease */
	__u64 hold_until_ns;		/* what is delayed has no departure before; 0: any */
	enum weir_control_reason reason;
};

/*
 * One step. A sample that was used before changes nothing, one that is too old is silence:
 * held for as long again as it stood, then the configured rate.
 */
struct control_decision control_step(const struct control_config *config,
				     struct control_state *state,
				     const struct control_sample *sample, __u64 now);

/* Nothing is known, no rate is in force; as { .past = ... } with zeroes there. */
void control_forget(struct control_state *state);

/* feed-forward is PI where the sample tells no drain rate */
static inline enum control_law control_law_in_force(const struct control_config *config,
						    const struct control_sample *sample)
{
	bool blind = sample->at_ns && (!sample->drain_bps || !sample->is_time);

	return config->law == CONTROL_FEED_FORWARD && blind ? CONTROL_PI : config->law;
}

/* "feed-forward", "behind", and the latter in words */
const char *control_law_name(enum control_law law);
const char *control_reason_name(enum weir_control_reason reason);
const char *control_reason_text(enum weir_control_reason reason);

#endif
