// SPDX-License-Identifier: GPL-2.0-only
/*
 * control_past.c: what a controller's last rates still have on their way to the consumer. Pure.
 */
#include "control_past.h"

/* of the lowest of the last rates; where no flow pauses, they are alike */
double control_longest_echo_ns(const struct control_config *config,
			       const struct control_state *state,
			       const struct control_sample *sample)
{
	__u64 lowest = state->rate_bps;

	for (unsigned int i = 0; sample->active && i < CONTROL_PAST; i++)
		if (state->past[i].rate_bps && state->past[i].rate_bps < lowest)
			lowest = state->past[i].rate_bps;
	return control_echo_ns(config, sample, lowest);
}

/* 0: the last one */
static const struct control_past *past_before(const struct control_state *state, unsigned int n)
{
	return &state->past[(state->past_at + CONTROL_PAST - 1 - n) % CONTROL_PAST];
}

/* the rate in force so long ago; the oldest known where that is too long */
__u64 control_past_rate(const struct control_state *state, __u64 when)
{
	for (unsigned int i = 0; i < CONTROL_PAST; i++) {
		const struct control_past *past = past_before(state, i);

		if (past->rate_bps && past->at_ns <= when)
			return past->rate_bps;
	}
	return state->rate_bps;
}

/*
 * ns of queue that are still on their way: what the rates of the last delay_ns put in beyond what
 * the consumer takes out. The sample does not show them yet, so a law that went by the sample
 * alone would ask for the same cut again.
 */
double control_pending(const struct control_config *config, const struct control_state *state,
		       const struct control_sample *sample, double drain, __u64 now)
{
	double echo = control_longest_echo_ns(config, state, sample), sum = 0;
	__u64 since = now > echo ? now - (__u64)echo : 0, to = now;

	/*
	 * Newest first: each rate held from its at_ns to the next one's. What was sent before the
	 * longest echo has all arrived.
	 */
	for (unsigned int i = 0; i < CONTROL_PAST && to > since; i++) {
		const struct control_past *past = past_before(state, i);
		__u64 from, start;

		if (!past->rate_bps || past->at_ns > to)
			break;
		echo = control_echo_ns(config, sample, past->rate_bps);
		from = now > echo ? now - (__u64)echo : 0;
		start = past->at_ns > from ? past->at_ns : from;
		if (start < to)
			sum += (past->rate_bps / drain - 1) * (double)(to - start);
		to = past->at_ns;
	}
	return sum;
}

/* the rate that what passes now has been sent by; of no concern where nobody wants more */
__u64 control_rate_before(const struct control_config *config, const struct control_state *state,
			  const struct control_sample *sample, __u64 now)
{
	double echo;

	if (!sample->limited)
		return 0;
	echo = control_longest_echo_ns(config, state, sample);
	return control_past_rate(state, now > echo ? now - (__u64)echo : 0);
}
