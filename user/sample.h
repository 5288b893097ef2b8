/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sample.h: from raw counters of a class's sockets to what a controller goes by: the queueing time
 * at the consumer and the rate at which it takes when it is busy. Pure: no libbpf, no clock, no
 * log. Bytes are payload unless named wire; times ns.
 */
#ifndef WEIR_SAMPLE_H
#define WEIR_SAMPLE_H

#include <stdbool.h>
#include <linux/types.h>
#include "control.h"

/* one look at a class */
struct sample_counters {
	__u64 at_ns;
	__u64 unread_bytes;		/* waiting in receive queues now */
	__u64 served_bytes;		/* read by the consumer, since ever */
	__u64 received_bytes;		/* arrived, since ever */
	__u64 waiting;			/* connections not yet accepted, now */
	__u64 accepted;			/* since ever */
	__u64 wire_bytes;		/* arrived, with all headers, since ever; 0: not counted */
};

/*
 * How fast something is taken while it is waited for. Follows a steady consumer closely, averages
 * over a bursty one, and takes a change that stands out of the noise at once.
 */
struct sample_drain {
	double rate;			/* units per ns; 0: not known */
	double former;			/* before the last change */
	double last[2];			/* the last two observations, newest first */
	double noise;			/* mean square of half the difference of neighbours */
	double taken, busy_ns;		/* of the observation that is being gathered */
	double gap_ns;			/* usual time between two that took something */
	__u64 taken_ns;			/* when something was last taken; 0: never */
	__u64 since_ns;			/* since when something has been waiting; 0: nothing is */
	unsigned int n;			/* observations since the last change */
	bool stalled;
};

struct sample_state {
	struct sample_counters before;
	struct sample_drain bytes, connections;
	double wire_ratio;		/* wire / payload bytes; 0: not known */
	__u64 ratio_wire, ratio_payload, ratio_ns;	/* since when it is gathered */
};

/* The first look only sets the start: false. Fills value, clear, stalled, drain_bps, at_ns. */
bool sample_step(struct sample_state *state, const struct sample_counters *now,
		 struct control_sample *ret);

/*
 * A share in millionths of a percent (1e-6 units of the signal) from two growing counts: CE or
 * lost of delivered. False where too little was delivered to tell.
 */
bool sample_share(__u64 part_before, __u64 part_now, __u64 all_before, __u64 all_now,
		  __u64 *ret_value);

/* How long to wait between two looks at all sockets, where one takes so much time of a core. */
__u64 sample_interval_ns(__u64 pass_ns);

#endif
