// SPDX-License-Identifier: GPL-2.0-only
/*
 * link.c: rtnetlink for links. Deletes nothing that is not of the kind it is told.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/ioctl.h>

#include "link.h"
#include "rtnl.h"

#define ALT_NAME_BYTES 128		/* of an alternative name */

/* a request about one link: by its index, or by its name where that is 0 */
static struct ifinfomsg *request(void *buf, __u16 type, __u16 flags, __u32 ifindex,
				 const char *name)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_index = ifindex;
	if (!ifindex && name)
		mnl_attr_put_strz(nlh, strlen(name) < IF_NAMESIZE ? IFLA_IFNAME : IFLA_ALT_IFNAME,
				  name);
	return info;
}

struct found {
	__u32 ifindex;
	bool up, generic_xdp;
	char kind[16];
	__u16 mode;			/* of an ipvlan */
};

static void found_info(const struct nlattr *info, struct found *found)
{
	const struct nlattr *in, *data;

	mnl_attr_for_each_nested(in, info) {
		if (mnl_attr_get_type(in) == IFLA_INFO_KIND)
			snprintf(found->kind, sizeof(found->kind), "%s", mnl_attr_get_str(in));
		/* the kind comes first */
		if (mnl_attr_get_type(in) != IFLA_INFO_DATA || strcmp(found->kind, "ipvlan"))
			continue;
		mnl_attr_for_each_nested(data, in)
			if (mnl_attr_get_type(data) == IFLA_IPVLAN_MODE)
				found->mode = mnl_attr_get_u16(data);
	}
}

static int found_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct found *found = arg;
	const struct nlattr *attr, *in;

	found->ifindex = info->ifi_index;
	found->up = info->ifi_flags & IFF_UP;
	mnl_attr_for_each(attr, nlh, sizeof(*info)) {
		if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			found_info(attr, found);
		if (mnl_attr_get_type(attr) != IFLA_XDP)
			continue;
		mnl_attr_for_each_nested(in, attr)
			if (mnl_attr_get_type(in) == IFLA_XDP_SKB_PROG_ID)
				found->generic_xdp = true;
	}
	return MNL_CB_OK;
}

static int find(__u32 ifindex, const char *name, struct found *found)
{
	char buf[RTNL_BYTES];

	*found = (struct found){};
	request(buf, RTM_GETLINK, 0, ifindex, name);
	return rtnl_talk((struct nlmsghdr *)buf, found_cb, found);
}

__u32 link_index(const char *name)
{
	struct found found;

	/* who asks by ioctl gives it no more room than for a device's own */
	if (strlen(name) < IF_NAMESIZE)
		return if_nametoindex(name);
	return strlen(name) < ALT_NAME_BYTES && !find(0, name, &found) ? found.ifindex : 0;
}

int link_get(const char *name, struct link *ret_link, struct err *err)
{
	struct link link = { .ifindex = link_index(name) };
	struct ifreq ifr = {};
	bool there = link.ifindex && if_indextoname(link.ifindex, ifr.ifr_name);
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* who has no descriptor left to ask with does not know whether it is there */
	if (fd < 0)
		return err_set(err, errno, "%s: cannot ask for it: %s", name, strerror(errno));
	if (!there)
		return err_set(err, ENODEV, "%s: no such device", name);
	memcpy(link.name, ifr.ifr_name, sizeof(link.name));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		return err_set(err, errno, "%s: %s", name, strerror(errno));
	link.up = ifr.ifr_flags & IFF_UP;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr))
		return err_set(err, errno, "%s: %s", name, strerror(errno));
	link.type = ifr.ifr_hwaddr.sa_family;
	*ret_link = link;
	return 0;
}

bool link_is_up(__u32 ifindex, const char *kind)
{
	struct found found;

	return !find(ifindex, NULL, &found) && found.up && !strcmp(found.kind, kind);
}

bool link_has_generic_xdp(__u32 ifindex)
{
	struct found found;

	return !find(ifindex, NULL, &found) && found.generic_xdp;
}

enum link_sort link_sort(__u32 ifindex)
{
	struct found found;

	if (find(ifindex, NULL, &found))
		return LINK_PLAIN;
	if (!strcmp(found.kind, "vrf"))
		return LINK_VRF;
	if (!strcmp(found.kind, "ifb"))
		return LINK_IFB;
	return !strcmp(found.kind, "ipvlan") && found.mode == IPVLAN_MODE_L3S ? LINK_IPVLAN_L3S :
									       LINK_PLAIN;
}

/*
 * A program at tc sends to an index, whichever namespace its device is in. Where a device is moved
 * with its program, the kernel's next number would be of somebody there.
 */
static __u32 own_index(void)
{
	__u32 random = 0;

	/* early at boot there may be no better one */
	return getrandom(&random, sizeof(random), GRND_INSECURE) == sizeof(random) ?
	       1U << 30 | random >> 2 : 0;
}

int link_make(const char *kind, const char *name, __u32 *ret_ifindex, struct err *err)
{
	char buf[RTNL_BYTES];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	struct nlattr *nest;
	int rc;

	request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name)->ifi_index = own_index();
	nest = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(nlh, nest);
	rc = rtnl_talk(nlh, NULL, NULL);
	if (rc == -EOPNOTSUPP)
		return err_set(err, -rc, "this kernel has no %s", kind);
	if (rc)
		return err_set(err, -rc, "%s: cannot make it (%s): %s", name, kind, strerror(-rc));
	*ret_ifindex = if_nametoindex(name);
	return *ret_ifindex ? 0 : err_set(err, ENODEV, "%s: gone as soon as made", name);
}

int link_up(__u32 ifindex, struct err *err)
{
	char buf[RTNL_BYTES];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	struct nlattr *spec, *family;
	struct ifinfomsg *info;
	int rc;

	request(buf, RTM_NEWLINK, 0, ifindex, NULL);
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, family);
	mnl_attr_nest_end(nlh, spec);
	rtnl_talk(nlh, NULL, NULL);		/* refused where there is no IPv6 */

	info = request(buf, RTM_NEWLINK, 0, ifindex, NULL);
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	rc = rtnl_talk(nlh, NULL, NULL);
	return rc ? err_set(err, -rc, "ifindex %u: cannot set it up: %s", ifindex,
			    strerror(-rc)) : 0;
}

int link_del(__u32 ifindex, const char *name, const char *kind, struct err *err)
{
	char buf[RTNL_BYTES];
	struct found found;
	int rc = find(ifindex, name, &found);

	if (!rc && !strcmp(found.kind, kind)) {
		request(buf, RTM_DELLINK, 0, found.ifindex, NULL);
		rc = rtnl_talk((struct nlmsghdr *)buf, NULL, NULL);
	}
	if (rc && rc != -ENODEV)
		return err_set(err, -rc, "%s: cannot delete it: %s", name, strerror(-rc));
	return 0;
}
