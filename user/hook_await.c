// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_await.c: records of hooks whose devices are gone, and that an agent puts on when one of the
 * name comes. They are in map "devices", so that another agent knows them, and who detaches.
 */
#include <stdio.h>
#include <string.h>
#include "hook.h"
#include "maps.h"

static int drop(const struct instance *instance, const struct weir_dev_key *key, struct err *err)
{
	struct maps maps;
	int rc = maps_open_devices(&maps, instance, err);

	if (rc)
		return rc;
	rc = maps_device_del(&maps, key);
	maps_close(&maps);
	return rc && rc != -ENOENT ? err_set(err, -rc, "cannot forget a device that is gone: %s",
					     strerror(-rc)) : 0;
}

int hook_await(const struct instance *instance, const struct weir_dev_key *key,
	       const struct weir_dev *dev, struct hook_record *ret_dropped, struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	/* under a number that no device has: another may come to have its own */
	const struct weir_dev_key none = { key->ifindex | WEIR_IFINDEX_AWAITED, key->hook };
	struct weir_dev awaited = { .flags = WEIR_DEV_AWAITED };
	int rc = hook_detach(instance, key, dev, err);

	*ret_dropped = (struct hook_record){};
	if (!rc)
		rc = hook_list_awaited(instance, &list, err);
	/* by their numbers the first is the oldest */
	if (!rc && list.n >= HOOK_AWAITED_MAX) {
		*ret_dropped = list.items[0];
		rc = drop(instance, &list.items[0].key, err);
	}
	if (rc)
		return rc;
	awaited.flags |= dev->flags & (WEIR_DEV_TCX | WEIR_DEV_KEEP);
	memcpy(awaited.name, dev->name, sizeof(awaited.name));
	return hook_announce(instance, &none, &awaited, err);
}

int hook_forget(const struct instance *instance, const char *name,
		const bool hooks[WEIR_HOOK_COUNT], struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	int n = 0, rc = hook_list_awaited(instance, &list, err);

	for (size_t i = 0; i < list.n && !rc; i++) {
		if (!hooks[list.items[i].key.hook] || strcmp(list.items[i].dev.name, name))
			continue;
		rc = drop(instance, &list.items[i].key, err);
		n++;
	}
	return rc ?: n;
}
