/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * repair.h: keeps an instance whole while its agent runs: devices that go, come back or are
 * renamed, hooks and qdiscs that somebody has taken away. Restores what is weir's, leaves alone
 * what is not, and says each.
 */
#ifndef WEIR_REPAIR_H
#define WEIR_REPAIR_H

#include "cmd.h"
#include "pin.h"

struct policy;
struct repair;

struct repair *repair_new(void);
void repair_free(struct repair *repair);

/*
 * Looks at everything that is attached, and at the devices and cgroups that the policy in force
 * names; netns as given to `weir -n`, NULL: host.
 */
void repair_check(struct repair *repair, const struct instance *instance, const char *netns,
		  const struct policy *policy);

#endif
