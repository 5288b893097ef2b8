/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * monitor.h: one line of `weir monitor` for each kind of change, as text or JSON. Keeps the
 * agent's steps to what is new, and counts the others; looks at no map.
 */
#ifndef WEIR_MONITOR_H
#define WEIR_MONITOR_H

#include <stdbool.h>
#include <weir/abi.h>
#include "hook.h"

#define MONITOR_DEVICES 256		/* hooks that are followed; more are not told of */

/* what was last said of a class's rate */
struct monitor_told {
	char class[WEIR_NAME_LEN];
	__u64 rate_bps;
	__u8 reason;
	struct weir_told budget;
};

struct monitor {
	bool json;
	int failed;			/* of the output */
	__u64 now_ns, unix_ms;		/* of this look, by both clocks */
	struct monitor_told told[WEIR_MAX_CLASSES];
};

/* X(ENUM, "event", "what it means, in words"): what a device is seen to be, and what is said */
#define MONITOR_DEVICE_STATES(X) \
	X(ATTACHED, "hook-back", "the program is on its hook again") \
	X(LOST, "hook-lost", "the program is not on its hook any more; attach again") \
	X(GONE, "gone", "the device is gone")

enum monitor_device_state {
#define X(e, name, text) MONITOR_##e,
	MONITOR_DEVICE_STATES(X)
#undef X
	MONITOR_DEVICE_STATE_COUNT
};

struct monitor_device {
	struct weir_dev_key key;
	char name[16];
	enum monitor_device_state state;
	bool edt;			/* fq is below */
};

/* missed: events that were overwritten before they could be read */
void monitor_event(struct monitor *monitor, const struct weir_event *event, __u64 missed);
void monitor_decision(struct monitor *monitor, const struct weir_decision *decision, __u64 missed);
/* new TCP connections of a class that were refused since this was told last */
void monitor_conns(struct monitor *monitor, const struct weir_class *class, __u64 count);
void monitor_policy(struct monitor *monitor, __u32 generation);
void monitor_instance(struct monitor *monitor, const char *event, const char *text);

/* The hooks as they are now; all: ask whether each is still there, else as it was before. */
unsigned int monitor_devices_get(const struct instance *instance, const struct hook_list *list,
				 bool all, const struct monitor_device *before,
				 unsigned int n_before, struct monitor_device *ret);
/* What has changed from `before` to `now`. */
void monitor_devices(struct monitor *monitor, const struct monitor_device *before,
		     unsigned int n_before, const struct monitor_device *now, unsigned int n_now);

#endif
