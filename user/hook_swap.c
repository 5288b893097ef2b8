// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_swap.c: another program in the place of the one that is at a hook. The kernel does it at
 * once; the record has both ids meanwhile, so that whoever looks, or comes after a command that was
 * killed in between, knows either as weir's.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "dp.h"
#include "filter.h"
#include "hook.h"
#include "ifb.h"
#include "maps.h"

static int swap_link(const struct instance *instance, const struct weir_dev_key *key, int prog_fd)
{
	_cleanup_close_ int link = -1;
	char path[320];
	int rc = hook_link_path(instance, key, path, sizeof(path));

	if (rc)
		return rc;
	link = bpf_obj_get(path);
	return link < 0 || bpf_link_update(link, prog_fd, NULL) ? -errno : 0;
}

static int swap_filter(const struct weir_dev_key *key, const struct weir_dev *dev, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)key->ifindex,
		    .attach_point = key->hook == WEIR_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = dev->tc_handle, .priority = dev->tc_priority,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &opts);
}

/* Which of two is there, after a command that was killed? */
static void settle(const struct instance *instance, const struct weir_dev_key *key,
		   struct weir_dev *dev)
{
	struct weir_dev next = *dev;

	if (!dev->prog_next)
		return;
	next.prog_id = dev->prog_next;
	next.prog_next = 0;
	if (hook_alive(instance, key, &next))
		*dev = next;
}

static int swap(const struct instance *instance, const struct maps *maps,
		const struct weir_dev_key *key, struct weir_dev *dev, int prog_fd, struct err *err)
{
	int rc;

	settle(instance, key, dev);
	rc = hook_prog_id(prog_fd, &dev->prog_next, err);
	if (rc)
		return rc;
	rc = maps_device_put(maps, key, dev);
	if (!rc)
		rc = dev->flags & WEIR_DEV_TCX ? swap_link(instance, key, prog_fd) :
						 swap_filter(key, dev, prog_fd);
	if (rc)
		return err_set(err, -rc, "%s: %s: cannot swap the program: %s", dev->name,
			       hook_name(key->hook), strerror(-rc));
	dev->prog_id = dev->prog_next;
	dev->prog_next = 0;
	rc = maps_device_put(maps, key, dev);
	return rc ? err_set(err, -rc, "%s: %s: cannot record the hook: %s", dev->name,
			    hook_name(key->hook), strerror(-rc)) : 0;
}

/* What is lost stays so: whoever puts it on again takes what is pinned. */
static int swap_one(const struct instance *instance, const struct maps *maps, int queue_fd,
		    struct hook_record *r, struct err *err)
{
	_cleanup_close_ int fd = -1;
	int rc;

	if (!hook_alive(instance, &r->key, &r->dev))
		return 0;
	fd = dp_program_fd(instance, r->key.hook, r->dev.flags & WEIR_DEV_L3, err);
	rc = fd < 0 ? fd : swap(instance, maps, &r->key, &r->dev, fd, err);
	if (rc || !ifb_filters(&r->dev) || !ifb_works(&r->key, &r->dev))
		return rc;
	rc = filter_queue_put(r->key.ifindex, queue_fd, r->dev.ifb_ifindex, true, err);
	if (rc)
		err_prefix(err, "%s: ", r->dev.name);
	return rc;
}

int hook_swap_all(const struct instance *instance, struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	_cleanup_close_ int queue_fd = dp_queue_fd(instance, err);
	struct maps maps;
	int rc = queue_fd < 0 ? queue_fd : hook_list_get(instance, &list, err);

	if (!rc)
		rc = maps_open_devices(&maps, instance, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.n && !rc; i++)
		rc = swap_one(instance, &maps, queue_fd, &list.items[i], err);
	maps_close(&maps);
	return rc;
}

int hook_sockops_swap(int link_fd, int prog_fd)
{
	return bpf_link_update(link_fd, prog_fd, NULL) ? -errno : 0;
}
