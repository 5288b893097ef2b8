/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer.h: the classes under control: from their signals through their controllers to their
 * leases, once per interval. Owns the controllers' states; sockets, timers and processes are the
 * business of loop.c.
 */
#ifndef WEIR_STEER_H
#define WEIR_STEER_H

#include "backlog.h"
#include "control.h"
#include "maps.h"
#include "passed.h"
#include "remote.h"
#include "sample.h"
#include "signals.h"
#include "tell.h"

/* how long a rate outlives its agent */
#define STEER_LEASE_NS 2000000000ULL

/* from a lease to its effect on the consumer: the level's tick, the sockets' next bursts */
#define STEER_DELAY_LOCAL_NS 15000000ULL
#define STEER_DELAY_QUEUE_NS 5000000ULL		/* what waits here already has its departure */
#define STEER_DELAY_REMOTE_NS 12000000ULL
#define STEER_DELAY_OTHER_NS 100000000ULL	/* not known: of the kernel's, of a number pushed */
/* where a drop is what tells a TCP sender: many answer with a time-out, of 200 ms */
#define STEER_DELAY_POLICE_NS 100000000ULL

/* all that a step looks at where nothing is new: side by side, for the sake of the caches */
struct steer_watch {
	enum signal_kind kind;
	__u64 quiet_until_ns;		/* nothing to do before; a new sample makes it 0 */
	const struct signal *heard;	/* pushed, remote: where it is; of signals_epoch below */
	__u64 heard_at_ns;		/* of the sample that was taken from there */
};

/* what the last decision that was written said */
struct steer_told {
	__u64 seq, at_ns, bps;
	enum weir_control_reason reason;
};

/* where a class's signal comes from, and the last look at it; of no concern to its controller */
struct steer_source {
	char signal[WEIR_SIGNAL_LEN];	/* what the class's sample and state were heard of */
	__u64 since_generation;		/* of the class: one made anew by its name is another */
	__u64 next_ns;			/* not looked at before */
	struct sample_state sampler;
	bool policed;			/* no queue takes what arrives of it */
	struct weir_backlog before;	/* counts at the last share: rtt, ce, loss ... */
	bool has_before;		/* ... and they are this class's, since it follows them */
	__u64 rtt_us, rtt_n, looked_ns;	/* rtt: since the last look, and when that was */
	double answered_bps;		/* how fast packets are answered */
	__u64 ratio_wire, ratio_delivered, ratio_ns;
	double per_packet;		/* wire bytes for each that is answered; 0: not known */
	__u64 psi_us, psi_at_ns;	/* stall time so far, and when that was read */
	int psi_failed;			/* the last look's error, told already */
};

/*
 * What a step with news of every class goes through, all of it and little else: it comes from afar
 * to the caches each time, and comes soonest as one piece. Eight cache lines.
 */
struct steer_class {
	struct steer_watch *watch;
	struct steer_source *source;
	enum signal_kind kind;
	__u8 flags;			/* WEIR_D_* of all its decisions */
	bool used_known;		/* used_bps is, from the second look on */
	bool other_unit_told;		/* the signal is not in the unit of the target */
	char name[WEIR_NAME_LEN];	/* "" where the slot holds no class */
	struct control_sample sample;	/* the last one heard */
	struct control_config config;
	__u64 used_bytes, used_at_ns;	/* the counters below, for used_bps */
	double used_bps;
	__u64 wire_bytes, wire_packets, wire_at_ns;	/* the class's counters, last read */
	__u64 lease_until_ns, lease_bps, hold_until_ns;
	__u64 left_bps, left_until_ns;	/* a lease of the agent before, which stands so long */
	struct steer_told told;
	struct tell_budget budget;
	struct control_state state;
} __attribute__((aligned(64)));

/* what passed of a class and of some behind it, whose turn comes next */
struct steer_ahead {
	__u64 at_ns;
	unsigned int slot, n, used;	/* used: so many were of use */
	const struct weir_passed *passed;
};

struct steer {
	const struct instance *instance;
	struct maps *maps;		/* NULL while nothing is attached */
	struct passed *passed;		/* NULL: not to be had here */
	struct policy *policy;
	struct backlog *backlog;	/* NULL: not to be had here, or not needed */
	struct signals *signals;	/* pushed */
	struct remotes *remotes;
	__u64 signals_epoch;		/* that the classes' heard is of; 0: of none */
	struct tell *tell;
	bool observe, serve;		/* serve: every class's backlog is sampled */
	__u64 told_interval_ns;		/* what the log said last ... */
	__u64 interval_told_ns;		/* ... and when; 0: never */
	__u64 interval_ns, pass_ns;	/* of a step, of a pass over the sockets */
	__u64 next_pass_ns;
	__u64 next_ns;			/* no step is needed before, unless something is heard */
	bool need_backlog, need_psi, no_backlog_told, left_out_told;
	struct steer_class *classes;	/* WEIR_MAX_CLASSES */
	struct steer_watch *watch;	/* of each of them, as ... */
	struct steer_source *sources;	/* ... these ... */
	struct control_past (*past)[CONTROL_PAST];	/* ... and the states' past */
	struct steer_ahead ahead;
	unsigned int n_classes;		/* 1 + the highest slot in use */
};

int steer_init(struct steer *steer, struct err *err);
void steer_free(struct steer *steer);

/* Another instance: no class is known until its policy has been read. */
void steer_forget(struct steer *steer);

/* Takes over the policy that steer->policy holds now; controllers of unchanged classes go on. */
int steer_policy(struct steer *steer, __u64 now_ns, struct err *err);

/* Looks, decides, writes. -errno when the maps cannot be used any more. */
int steer_step(struct steer *steer, __u64 now_ns);

/*
 * The signal of that name, as another machine would follow it: a pushed one, else a class's
 * backlog. False where there is none, or it has fallen silent.
 */
bool steer_signal(const struct steer *steer, const char *name, __u64 now_ns, struct signal *ret);

#endif
