// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_chain.c: who else is at a hook: the tcx programs of a device and its filters, those of
 * another weir among them. Looks only.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "filter.h"
#include "hook.h"
#include "ifb.h"
#include "link.h"
#include "qdisc.h"

#define PROGRAMS 64			/* as many as a tcx chain takes */
#define WAIT_MS 500
#define STEP_MS 20

int hook_tcx_type(enum weir_hook hook)
{
	return hook == WEIR_EGRESS ? HOOK_TCX_EGRESS : HOOK_TCX_INGRESS;
}

/* the ids of the hook's tcx programs, in their order; how many, or -errno */
static int tcx_chain(const struct weir_dev_key *key, __u32 ids[PROGRAMS])
{
	__u32 n = PROGRAMS;

	return bpf_prog_query(key->ifindex, hook_tcx_type(key->hook), 0, NULL, ids, &n) ? -errno :
											  (int)n;
}

bool hook_in_chain(const struct weir_dev_key *key, const struct weir_dev *dev)
{
	__u32 ids[PROGRAMS];
	int n = tcx_chain(key, ids);

	for (int i = 0; i < n; i++)
		if (hook_has(dev, ids[i]))
			return true;
	return false;
}

int hook_others(const struct weir_dev_key *key, const struct weir_dev *dev, bool *ret_before,
		bool *ret_behind, struct err *err)
{
	bool tcx = dev->flags & WEIR_DEV_TCX;
	struct filter_count filters;
	__u32 ids[PROGRAMS];
	int n = tcx ? tcx_chain(key, ids) : 0, rc;

	if (n < 0)
		return err_set(err, -n, "%s: %s: cannot list tcx programs: %s", dev->name,
			       hook_name(key->hook), strerror(-n));
	/* filters come behind every tcx program */
	rc = qdisc_clsact_others(key->ifindex, key->hook, tcx ? 0 : dev->tc_priority, &filters,
				 err);
	if (rc)
		return rc;
	*ret_before = filters.before;
	*ret_behind = (n && !hook_has(dev, ids[n - 1])) || filters.behind > ifb_filters(dev) ||
		      (key->hook == WEIR_INGRESS && link_has_generic_xdp(key->ifindex));
	return 0;
}

/* by its name alone; ret_unseen: it is there, and takes CAP_SYS_ADMIN to be looked at */
static bool is_weir(__u32 id, enum weir_hook hook, bool *ret_unseen)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	char l3[BPF_OBJ_NAME_LEN], l2[BPF_OBJ_NAME_LEN];

	*ret_unseen |= fd == -EPERM;
	snprintf(l2, sizeof(l2), "weir_%s", hook_name(hook));
	snprintf(l3, sizeof(l3), "weir_%s_l3", hook_name(hook));
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       (!strcmp(info.name, l2) || !strcmp(info.name, l3));
}

/* Has the program a link there that somebody holds? Who may not look at links sees none. */
static bool is_held(const struct weir_dev_key *key, __u32 prog_id)
{
	bool held = false;

	for (__u32 id = 0; !held && !bpf_link_get_next_id(id, &id);) {
		_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);

		/* tcx's ifindex lies where xdp's does */
		held = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
		       info.prog_id == prog_id && info.xdp.ifindex == key->ifindex;
	}
	return held;
}

/* ret_going: it may be gone soon, since nobody holds it there */
static __u32 look(const struct weir_dev_key *key, bool *ret_going, bool *ret_unseen)
{
	__u32 ids[2 * PROGRAMS];
	int n = tcx_chain(key, ids), links;

	/* no tcx in this kernel, or none to be seen */
	links = n = n < 0 ? 0 : n;
	*ret_unseen = false;
	n += filter_programs(key->ifindex, key->hook, ids + n, PROGRAMS);
	for (int i = 0; i < n; i++) {
		if (!is_weir(ids[i], key->hook, ret_unseen))
			continue;
		*ret_going = i < links && !is_held(key, ids[i]);
		return ids[i];
	}
	return 0;
}

__u32 hook_stranger(const struct weir_dev_key *key, bool *ret_unseen)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	bool going;
	__u32 id = look(key, &going, ret_unseen);

	/* of a link whose pin has just been removed: a worker of the kernel's is about it */
	for (int ms = 0; id && going && ms < WAIT_MS; ms += STEP_MS) {
		nanosleep(&step, NULL);
		id = look(key, &going, ret_unseen);
	}
	return id;
}
