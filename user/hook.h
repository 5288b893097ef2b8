/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook.h: attach the pinned programs to a device's hooks and take them off again. tcx link where
 * the kernel has it, else (or on request) a filter on clsact. Owns only what it made: other
 * programs, filters and qdiscs are left as they were. The only module, with probe.c, that makes
 * links and filters.
 */
#ifndef WEIR_HOOK_H
#define WEIR_HOOK_H

#include <weir/abi.h>
#include "pin.h"

enum hook_via { HOOK_VIA_AUTO, HOOK_VIA_TCX, HOOK_VIA_CLSACT };

/*
 * Attaches; the instance's namespace must be entered. Fills dev's kind, handle, priority and
 * flags and records it in map "devices". -EEXIST where it is attached already.
 */
int hook_attach(const struct instance *instance, __u32 ifindex, enum weir_hook hook,
		enum hook_via via, bool l3, struct weir_dev *dev, struct err *err);

/* Takes off what hook_attach made, also where the device is gone. -ENOENT where nothing is. */
int hook_detach(const struct instance *instance, const struct weir_dev_key *key,
		const struct weir_dev *dev, struct err *err);

/* Is it still there? 1 yes; 0 gone (device deleted, qdisc wiped, filter replaced). */
int hook_alive(const struct instance *instance, const struct weir_dev_key *key,
	       const struct weir_dev *dev);

#endif
