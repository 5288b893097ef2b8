/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * link.h: what a network link is, and links of weir's own: made, set up, deleted. The only module
 * that speaks rtnetlink for links. Acts in the network namespace that the caller is in.
 */
#ifndef WEIR_LINK_H
#define WEIR_LINK_H

#include <linux/types.h>
#include <stdbool.h>
#include "util.h"

struct link {
	__u32 ifindex;
	unsigned short type;		/* ARPHRD_* */
	bool up;
	char name[16];			/* the real one, where an alternative name was asked for */
};

/* By its name or an alternative one, which may be longer; 0 where there is none. */
__u32 link_index(const char *name);

/* -ENODEV where there is no such link. */
int link_get(const char *name, struct link *ret_link, struct err *err);

/* Is there a link of that index and kind, and is it up? */
bool link_is_up(__u32 ifindex, const char *kind);

/* Has it a program of XDP that runs in the stack, and again for what comes back from an ifb? */
bool link_has_generic_xdp(__u32 ifindex);

/* Kinds whose packets pass their own hooks in part, or not at all. */
enum link_sort { LINK_PLAIN, LINK_VRF, LINK_IPVLAN_L3S, LINK_IFB };
enum link_sort link_sort(__u32 ifindex);

/* Makes a link of that kind and name, with an index that none has in another namespace. */
int link_make(const char *kind, const char *name, __u32 *ret_ifindex, struct err *err);

/* Sets it up, without an IPv6 address of its own. */
int link_up(__u32 ifindex, struct err *err);

/* Deletes a link if it is of that kind; ifindex 0: by its name. 0 also where there is none. */
int link_del(__u32 ifindex, const char *name, const char *kind, struct err *err);

#endif
