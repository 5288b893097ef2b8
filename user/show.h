/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * show.h: what the parts of `weir show` share: an opened instance with its policy, and where the
 * output goes. The instance's network namespace is entered.
 */
#ifndef WEIR_SHOW_H
#define WEIR_SHOW_H

#include "cmd.h"
#include "maps.h"
#include "out.h"

struct show {
	struct context *context;
	const struct instance *instance;
	const struct maps *maps;
	struct policy *policy;
	struct out *out;
	bool own;			/* dp_is_own() */
	__u64 now_ns;			/* CLOCK_MONOTONIC, as the datapath's */
	__u32 dev_ifindex;		/* of the device that was named last; 0: none */
	char dev[16];			/* its name */
};

int show_devices(struct show *show, int argc, char **argv);
int show_classes(struct show *show, int argc, char **argv);
int show_flows(struct show *show, int argc, char **argv);
int show_signals(struct show *show, int argc, char **argv);

/* What the agent decided last for the class in a slot; false where no agent has lately. */
bool show_steering(struct show *show, unsigned int slot, struct weir_decision *ret);

/* Whose word its rate is; step NULL: no agent's. */
const char *show_steering_state(const struct weir_class *class, const struct weir_decision *step);

#endif
