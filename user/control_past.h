/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * control_past.h: what a controller's last rates still have on their way to the consumer: how long
 * each goes on arriving, which one it is that arrives now, and what they queue there. Pure.
 */
#ifndef WEIR_CONTROL_PAST_H
#define WEIR_CONTROL_PAST_H

#include <weir/aqm.h>
#include "control.h"

#define CONTROL_BURST_BITS (2.0 * WEIR_MTU * 8)	/* what a flow sends at once: TCP's least */

/* how far apart the bursts of one flow are at the rate: no change shows before the next one */
static inline double control_pause_ns(const struct control_sample *sample, double rate)
{
	return sample->active && rate > 0 ? sample->active * CONTROL_BURST_BITS * 1e9 / rate : 0;
}

/* how long a rate goes on arriving */
static inline double control_echo_ns(const struct control_config *config,
				     const struct control_sample *sample, double rate)
{
	return config->delay_ns + config->pauses * control_pause_ns(sample, rate);
}

/* from a change of the rate to its effect at the consumer, on average */
static inline double control_loop_delay(const struct control_config *config,
					const struct control_state *state,
					const struct control_sample *sample)
{
	return 1.5 * config->interval_ns + control_echo_ns(config, sample, state->rate_bps);
}

double control_longest_echo_ns(const struct control_config *config,
			       const struct control_state *state,
			       const struct control_sample *sample);
__u64 control_past_rate(const struct control_state *state, __u64 when);
double control_pending(const struct control_config *config, const struct control_state *state,
		       const struct control_sample *sample, double drain, __u64 now);
__u64 control_rate_before(const struct control_config *config, const struct control_state *state,
			  const struct control_sample *sample, __u64 now);

#endif
