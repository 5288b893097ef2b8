/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * control_reason.h: the one list of what a controller may say about a class's rate. Log lines,
 * `show`, `monitor`, metrics and the manual come from it. The order is ABI: append only, and
 * raise WEIR_ABI otherwise. Owns names and one-line explanations; knows no map and no law.
 */
#ifndef WEIR_CONTROL_REASON_H
#define WEIR_CONTROL_REASON_H

/* X(ENUM, "name", "what it means, in words") */
#define WEIR_CONTROL_REASONS(X) \
	X(NONE, "none", "no agent has looked at this class") \
	X(WAITING, "waiting", "its signal has not been heard yet; the configured rate holds") \
	X(IDLE, "idle", "its signal has not been above the target yet; the configured rate holds") \
	X(BEHIND, "behind", "the signal is above its target") \
	X(ON_TARGET, "on-target", "the signal is at its target") \
	X(BELOW, "below", "the signal is below its target") \
	X(PROBE, "probe", "the signal is clear and the producers want more; raised") \
	X(UNUSED, "unused", "the signal is clear and the producers do not use the rate; held") \
	X(SETTLING, "settling", "a cut has not had its effect yet; held") \
	X(STALLED, "stalled", "the consumer has stopped reading; at the least rate") \
	X(MINIMUM, "minimum", "would be slower, but for its minimum") \
	X(MAXIMUM, "maximum", "would be faster, but for its maximum") \
	X(STALE, "stale", "the signal has fallen silent; held") \
	X(EXPIRED, "expired", "the signal has been silent for too long; back to the configured rate") \
	X(BY_HAND, "by-hand", "the rate was set by hand; the controller keeps off until `rate auto`") \
	X(RELEASED, "released", "no longer controlled; back to the configured rate") \
	X(NOTHING, "nothing", "the signal is above its target, but nothing passes and no rate is set") \
	X(HOLD, "hold", "far above its target; what arrives is held until the backlog is drained")

enum weir_control_reason {
#define X(e, name, text) WEIR_C_##e,
	WEIR_CONTROL_REASONS(X)
#undef X
	WEIR_C_COUNT
};

#endif
