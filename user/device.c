// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c: finds a device, and knows the kinds whose packets do not pass their own hooks: they
 * change the packet's device on its way up (l3mdev), behind the hook of the one that it came by.
 */
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "device.h"
#include "opts.h"

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

/* Links whose packets begin with an IP header. */
static const unsigned short l3_types[] = {
	ARPHRD_NONE, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_IPGRE, ARPHRD_IP6GRE,
	ARPHRD_PPP, ARPHRD_RAWIP,
};

static int no_such_device(const char *name, struct err *err)
{
	struct if_nameindex *list = if_nameindex();
	const char *nearest = NULL;
	unsigned int n = 0;

	while (list && list[n].if_index)
		n++;
	if (n)
		nearest = opts_nearest(name, (const char *const *)&list->if_name, n, sizeof(*list));
	err_set(err, ENODEV, "%s: no such device%s%s%s", name, nearest ? "; did you mean '" : "",
		nearest ? nearest : "", nearest ? "'?" : "");
	if (list)
		if_freenameindex(list);
	return -ENODEV;
}

int device_find(const char *name, struct link *ret_link, bool *ret_l3, struct err *err)
{
	struct link link;
	bool l3 = false;
	int rc = link_get(name, &link, err);

	if (rc)
		return rc == -ENODEV ? no_such_device(name, err) : rc;
	for (unsigned int i = 0; i < ARRAY_SIZE(l3_types); i++)
		l3 |= link.type == l3_types[i];
	if (!l3 && link.type != ARPHRD_ETHER && link.type != ARPHRD_LOOPBACK)
		return err_set(err, EINVAL, "%s: link type %u: want one that carries Ethernet or IP",
			       link.name, link.type);
	*ret_link = link;
	*ret_l3 = l3;
	return 0;
}

int device_check_hooks(const struct link *link, const bool hooks[WEIR_HOOK_COUNT], struct err *err)
{
	enum link_sort sort = hooks[WEIR_INGRESS] ? link_sort(link->ifindex) : LINK_PLAIN;

	if (sort == LINK_VRF)
		return err_set(err, EINVAL, "%s: ingress: what arrives passes the hooks of a VRF's "
			       "ports, not its own: want its ports (`ip link show vrf %s`), and of "
			       "itself egress at most", link->name, link->name);
	if (sort == LINK_IPVLAN_L3S)
		return err_set(err, EINVAL, "%s: ingress: what arrives passes the hook of the device "
			       "below an ipvlan in mode l3s, not its own: want that device, and of "
			       "itself egress at most", link->name);
	return 0;
}

const char *device_sees(const struct link *link, enum weir_hook hook)
{
	enum link_sort sort = link_sort(link->ifindex);

	if (hook == WEIR_INGRESS && sort == LINK_IFB)
		return "what is redirected to an ifb passes its egress, and goes on behind the hook of "
		       "the device that it came by";
	if (hook == WEIR_EGRESS && sort == LINK_VRF)
		return "what this machine itself sends through the VRF is seen, unless its qdisc is "
		       "noqueue; what is forwarded passes its ports' hooks alone";
	return "";
}
