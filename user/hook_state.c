// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_state.c: what became of a recorded hook and its device. Looks only.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "hook.h"

enum hook_state hook_state(const struct instance *instance, const struct weir_dev_key *key,
			   const struct weir_dev *dev, char *name)
{
	bool there = if_indextoname(key->ifindex, name);

	/* who cannot ask, for want of a descriptor, must not take off what is there */
	if (!there && errno != ENXIO) {
		snprintf(name, IF_NAMESIZE, "%.15s", dev->name);
		return HOOK_ATTACHED;
	}
	if (there && hook_alive(instance, key, dev))
		return HOOK_ATTACHED;
	/* the index may be another's by now, which nobody has asked to be limited */
	if (there && !strcmp(name, dev->name))
		return HOOK_LOST;
	snprintf(name, IF_NAMESIZE, "%.15s", dev->name);
	return HOOK_GONE;
}
